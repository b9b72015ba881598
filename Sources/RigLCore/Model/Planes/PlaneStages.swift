// How layers on planes divide the elementwise work between them.
//
// Between two convolutions lie batch-norm and ReLU. Neither is a pass of its own: the layer before
// (a writer) sums the statistics of what it writes, the layer after (a reader) applies scale, shift
// and ReLU to what it reads. Going back, the reader masks the gradient and sums what batch-norm's
// gradient needs, and the writer applies batch-norm's gradient to what it reads. A `Sequential` finds
// out who stands next to whom, once, before the first pass.

/// A layer that can apply batch-norm and ReLU to its input as it reads it.
protocol PlaneReader: Layer {
  /// What is applied. The gradient that `backward` returns is then that of the prologue's
  /// batch-norm's result, and its sums are in the batch-norm.
  var prologue: Prologue { get set }
}

/// A layer that can sum statistics of its output as it writes it.
protocol PlaneWriter: Layer {
  /// The batch-norm whose statistics are those of the output.
  var outputNorm: BatchNorm? { get set }
  /// Whether the gradient of the output arrives as that of `outputNorm`'s result.
  var foldsNorm: Bool { get set }
}

/// Batch-norm and ReLU as a pass of their own, where the next layer cannot apply them.
final class PlaneApply: PlaneReader {
  var prologue = Prologue()
  private var input: Tensor?
  private var output: Tensor?
  private var inputGradient: Tensor?

  var takesPlanes: Bool { true }

  func prepare(_ context: LayerContext) throws(RigLError) -> SampleShape {
    output = context.makePlanes(context.input)
    inputGradient = context.makeInputGradient()
    return context.input
  }

  func forward(_ input: Tensor, _ pass: Pass) -> Tensor {
    guard let output else { trap("forward before prepare") }
    self.input = input
    output.samples = input.samples
    let rows = PlaneRows(of: input)
    pass.pool.run(chunks: rows.parts, with: (self, input, output, rows)) { work, part, _ in
      let (layer, input, output, rows) = work
      let layout = RowLayout(width: input.shape.width)
      for row in rows[part] {
        let (group, y) = (row / input.shape.height, row % input.shape.height)
        unsafe input.row(y, group: group).pack(
          layer.prologue, layout, into: output.row(y, group: group).base)
      }
    }
    return output
  }

  func backward(_ outputGradient: Tensor, _ pass: Pass) -> Tensor? {
    guard let input, let output else { trap("backward before forward") }
    guard let inputGradient else { return nil }
    inputGradient.samples = input.samples
    let rows = PlaneRows(of: input)
    let work = (self, input, output, outputGradient, inputGradient, rows)
    pass.pool.run(chunks: rows.parts, with: work) { work, part, _ in
      let (layer, input, output, gradient, inputGradient, rows) = work
      let layout = RowLayout(width: input.shape.width)
      let prologue = layer.prologue
      rows.begin(part, prologue.norm?.gradientSums, input)
      for row in rows[part] {
        let (group, y) = (row / input.shape.height, row % input.shape.height)
        unsafe inputGradient.row(y, group: group).unpackGradient(
          d: gradient.row(y, group: group).base,
          activation: prologue.relu ? UnsafePointer(output.row(y, group: group).base) : nil,
          input: input.row(y, group: group), prologue: prologue, addend: nil, layout, part: part)
      }
    }
    prologue.norm?.finishBackward(parts: rows.parts, pass)
    return inputGradient
  }
}

/// Copies planes, for a batch-norm whose input no layer has written: the network's first layer.
final class PlaneCopy: PlaneWriter {
  var outputNorm: BatchNorm?
  var foldsNorm = false
  private var output: Tensor?
  private var inputGradient: Tensor?

  var takesPlanes: Bool { true }

  func prepare(_ context: LayerContext) throws(RigLError) -> SampleShape {
    output = context.makePlanes(context.input)
    inputGradient = context.makeInputGradient()
    return context.input
  }

  func forward(_ input: Tensor, _ pass: Pass) throws(RigLError) -> Tensor {
    guard let output else { trap("forward before prepare") }
    output.samples = input.samples
    let rows = PlaneRows(of: input)
    pass.pool.run(chunks: rows.parts, with: (self, input, output, rows, pass)) { work, part, _ in
      let (layer, input, output, rows, pass) = work
      let statistics = pass.isTraining ? layer.outputNorm?.statistics : nil
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
    return output
  }

  func backward(_ outputGradient: Tensor, _ pass: Pass) -> Tensor? {
    guard let output else { trap("backward before forward") }
    guard let inputGradient else { return nil }
    outputGradient.applyNormGradient(
      foldsNorm ? outputNorm : nil, input: output, addend: nil, into: inputGradient, pass)
    return inputGradient
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
    _ norm: BatchNorm?, input: Tensor, addend: Tensor?, into target: Tensor, _ pass: Pass
  ) {
    target.samples = samples
    let rows = PlaneRows(of: self)
    pass.pool.run(chunks: rows.parts, with: (self, norm, input, addend, target, rows)) {
      work, part, _ in
      let (gradient, norm, input, addend, target, rows) = work
      let layout = RowLayout(width: gradient.shape.width)
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
