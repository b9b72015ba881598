// How stages on planes divide the elementwise work between them.
//
// Between two convolutions lie batch-norm and an activation. Neither is a pass of its own: the stage
// before (a writer) sums the statistics of what it writes, the stage after (a reader) applies scale,
// shift and activation to what it reads. Going back, the reader applies the activation's gradient and
// sums what batch-norm's gradient needs, and the writer applies batch-norm's gradient to what it
// reads. The ``Fuser`` finds out who stands next to whom; here are the passes for where nobody can.

/// Batch-norm and an activation as a pass of their own, where the next stage cannot apply them.
final class NormActivationPass: PlacedStage {
  let site: StageSite

  init(_ site: StageSite) { self.site = site }

  var timing: StageTiming { StageTiming(.elementwise) }

  func work(_ counts: StepCounts) -> [StepStage: StageWork] {
    let (x, y) = (counts.bytes(of: input.shape), counts.bytes(of: output.shape))
    let far = (prologue.activation == nil ? 0 : y) + (prologue.norm == nil ? 0 : x)
    return [.elementwise: counts.both(StageWork(near: x + y), StageWork(near: x + y, far: far))]
  }

  func forward(_ pass: Pass) {
    output.samples = input.samples
    let rows = PlaneRows(of: input)
    pass.pool.run(chunks: rows.parts, with: (self, rows)) { work, part, _ in
      let (stage, rows) = work
      let (input, output) = (stage.input, stage.output)
      let layout = RowLayout(width: input.shape.width)
      for row in rows[part] {
        let (group, y) = (row / input.shape.height, row % input.shape.height)
        unsafe input.row(y, group: group).pack(
          stage.prologue, layout, into: output.row(y, group: group).base)
      }
    }
  }

  func backward(_ pass: Pass) {
    guard let inputGradient else { return }
    inputGradient.samples = input.samples
    let rows = PlaneRows(of: input)
    pass.pool.run(chunks: rows.parts, with: (self, inputGradient, rows)) { work, part, _ in
      let (stage, inputGradient, rows) = work
      let (input, prologue) = (stage.input, stage.prologue)
      let layout = RowLayout(width: input.shape.width)
      rows.begin(part, prologue.norm?.gradientSums, input)
      for row in rows[part] {
        let (group, y) = (row / input.shape.height, row % input.shape.height)
        unsafe inputGradient.row(y, group: group).unpackGradient(
          d: stage.outputGradient.row(y, group: group).base,
          packed: UnsafePointer(stage.output.row(y, group: group).base),
          input: input.row(y, group: group), prologue: prologue, addend: nil, layout, part: part)
      }
    }
    prologue.norm?.finishBackward(parts: rows.parts, pass)
  }
}

/// Copies planes, for a batch-norm whose input no stage has written: the network's first layer.
final class CopyPass: PlacedStage {
  let site: StageSite

  init(_ site: StageSite) { self.site = site }

  var timing: StageTiming { StageTiming(.elementwise) }

  func work(_ counts: StepCounts) -> [StepStage: StageWork] {
    let (x, y) = (counts.bytes(of: input.shape), counts.bytes(of: output.shape))
    let far = takesNormGradient ? y : 0
    return [.elementwise: counts.both(StageWork(near: x + y), StageWork(near: x + y, far: far))]
  }

  func forward(_ pass: Pass) throws(RigLError) {
    output.samples = input.samples
    let rows = PlaneRows(of: input)
    pass.pool.run(chunks: rows.parts, with: (self, rows, pass)) { work, part, _ in
      let (stage, rows, pass) = work
      let (input, output) = (stage.input, stage.output)
      let statistics = pass.isTraining ? stage.outputNorm?.statistics : nil
      rows.begin(part, statistics, input)
      for row in rows[part] {
        let (group, y) = (row / input.shape.height, row % input.shape.height)
        unsafe output.row(y, group: group).unpackOutput(
          product: input.row(y, group: group).base, channelStride: input.shape.width * input.lanes,
          bias: nil, residual: nil, live: input.liveLanes(group: group), statistics: statistics,
          part: part, starts: row == rows[part].lowerBound)
      }
    }
    try outputNorm?.finishForward(parts: rows.parts, values: input.planeValues, pass)
  }

  func backward(_ pass: Pass) {
    guard let inputGradient else { return }
    outputGradient.applyNormGradient(
      takesNormGradient ? outputNorm : nil, input: output, addend: nil, into: inputGradient, pass)
  }
}

/// The rows of a batch of planes, in parts that any thread may take: borders depend on shapes only.
struct PlaneRows {
  private let rows: Int
  private let height: Int

  init(of tensor: Tensor) {
    rows = tensor.groups * tensor.shape.height
    height = tensor.shape.height
  }

  /// The number of parts.
  var parts: Int { min(GradientParts.count, rows) }

  /// The rows of a part: group · height + y.
  subscript(part: Int) -> Range<Int> { part * rows / parts..<(part + 1) * rows / parts }

  /// Starts a part's sums.
  func begin(_ part: Int, _ sums: ChannelSums?, _ tensor: Tensor) {
    var values = 0
    for row in self[part] { values += tensor.liveLanes(group: row / height) * tensor.shape.width }
    sums?.begin(part: part, values: values)
  }
}

extension Tensor {
  /// Values a channel in the batch.
  var planeValues: Int { samples * shape.height * shape.width }

  /// target = the gradient of a batch-norm's input from that of its result, plus addend.
  func applyNormGradient(
    _ norm: Normalization?, input: Tensor, addend: Tensor?, into target: Tensor, _ pass: Pass
  ) {
    target.samples = samples
    let rows = PlaneRows(of: self)
    pass.pool.run(chunks: rows.parts, with: (self, norm, input, addend, target, rows)) {
      work, part, _ in
      let (gradient, norm, input, addend, target, rows) = work
      let layout = unsafe RowLayout(width: gradient.row(0, group: 0).width)
      for row in rows[part] {
        let (group, y) = (row / gradient.shape.height, row % gradient.shape.height)
        unsafe gradient.row(y, group: group).packGradient(
          norm.map { unsafe ($0, input.row(y, group: group)) },
          addend: addend?.row(y, group: group), live: gradient.liveLanes(group: group), layout,
          into: target.row(y, group: group).base)
      }
    }
  }
}
