/// A convolution's passes, whatever its kernel: band by band, pack, product, unpack, with all scratch
/// private to the thread and in its second-level cache. Only the raw output is kept; the
/// activations are made again going back.
final class PlaneConvolution: FoldingStage, PlacedStage {
  let site: StageSite
  let name: String
  let geometry: BandGeometry
  let kernel: any BandKernel
  let weights: LayerWeights?
  let bias: Parameter?
  /// The bias where a batch-norm is folded into the weights; see ``Model/foldBatchNorms()``.
  private var foldedBias: Parameter?
  private let gradientParts: GradientParts
  private let biasSums: AlignedBuffer<Double>
  /// Sums of every weight's gradient, where connections move.
  private let weightSums: DenseWeightSums?

  init(
    _ layer: any Conv2d, _ site: StageSite, _ geometry: BandGeometry, _ kernel: any BandKernel
  ) {
    (self.site, name) = (site, layer.name)
    self.geometry = geometry
    self.kernel = kernel
    bias = layer.makeBias()
    let shape = layer.convolution
    let byTap: @Sendable (Int) -> Int = { DenseBandKernel.place(of: $0, shape) }
    weights = LayerWeights(
      layer, input: site.input.shape, weight: kernel.weight, bias: bias,
      connections: kernel.connections, order: kernel.isByTap ? byTap : nil)
    // A bias is summed apart: convolutions that have one are few.
    gradientParts = GradientParts(weight: kernel.weight, bias: nil, memory: site.parts)
    gradientParts.isNeeded = site.isTraining
    biasSums = AlignedBuffer(
      count: site.isTraining ? GradientParts.count * (bias?.count ?? 0) : 0)
    weightSums =
      site.isTraining && kernel.connections != nil ? DenseWeightSums(geometry) : nil
  }

  func weightsDidChange() {
    kernel.weightsDidChange()
    // There may be more or fewer of them than before.
    gradientParts.isNeeded = isTraining
  }

  var gradientSource: (any GradientSource)? {
    guard let connections = kernel.connections, let weightSums else { return nil }
    return ConvolutionGradient(convolution: self, connections: connections, sums: weightSums)
  }

  func fold(_ norm: Normalization) {
    guard let weights else { return }
    let (scale, shift) = norm.fold()
    if let connections = kernel.connections {
      connections.scaleOutputs(by: scale)
    } else {
      for position in 0..<kernel.weight.count {
        kernel.weight.values[weights.place(of: position)] *= scale[position / weights.inputs]
      }
    }
    let folded = Parameter(
      name: "\(name).folded", shape: [weights.outputs], count: weights.outputs, decays: false)
    for output in 0..<weights.outputs {
      folded.values[output] = scale[output] * (bias?.values[output] ?? 0) + shift[output]
    }
    foldedBias = folded
  }

  /// The bias, with that of a folded batch-norm.
  var appliedBias: Parameter? { foldedBias ?? bias }

  // MARK: - Timing

  var timing: StageTiming { StageTiming(.forwardPack, .backwardPack) }

  func work(_ counts: StepCounts) -> [StepStage: StageWork] {
    counts.work(
      of: self, makesInputGradient: inputGradient != nil, addsShortcut: site.addend != nil,
      addsGradient: site.gradientAddend != nil)
  }

  // MARK: - Forward

  /// The raw output: product + bias + residual.
  func forward(_ pass: Pass) throws(RigLError) {
    output.samples = input.samples
    kernel.willRunForward(pass)
    pass.reserveScratch(geometry.scratchCount)
    let bands = Bands(groups: input.groups, bands: geometry.forwardBands)
    if sharesChannels(of: bands, pass) {
      forwardByChannels(bands, pass)
    } else {
      pass.pool.run(chunks: bands.parts, with: (self, bands, pass)) { work, part, worker in
        let (layer, bands, pass) = work
        unsafe layer.forward(part, of: bands, pass, worker, scratch: pass.scratch(of: worker))
      }
    }
    try outputNorm?.finishForward(parts: bands.parts, values: output.planeValues, pass)
  }

  private func forward(
    _ part: Int, of bands: Bands, _ pass: Pass, _ worker: Int,
    scratch: UnsafeMutablePointer<Float>
  ) {
    let statistics = pass.isTraining ? outputNorm?.statistics : nil
    statistics?.begin(part: part, values: outputValues(of: bands[part], bands))
    let (packed, product) = unsafe (scratch, scratch + geometry.packed.count)
    var starts = true
    let clock = pass.pool.clock
    for item in bands[part] {
      let (group, band) = bands.place(item)
      let first = band * geometry.forwardRows
      let rows = min(geometry.forwardRows, geometry.output.height - first)
      let continues = item > bands[part].lowerBound && band > 0
      clock?.enter(.forwardPack, worker)
      unsafe packInput(
        input, group: group, firstRow: first, channels: 0..<geometry.shape.inputs,
        continues: continues, into: packed)
      clock?.enter(.forwardKernel, worker)
      unsafe kernel.forward(
        0..<kernel.forwardParts, rows: rows, packed: packed, product: product)
      clock?.enter(.forwardUnpack, worker)
      for row in 0..<rows {
        unsafe output.row(first + row, group: group).unpackOutput(
          product: product + row * geometry.product.rowStride,
          channelStride: geometry.product.channelStride, bias: appliedBias,
          residual: site.addend?.row(first + row, group: group),
          live: input.liveLanes(group: group), statistics: statistics, part: part, starts: starts)
        starts = false
      }
    }
  }

  private func outputValues(of items: Range<Int>, _ bands: Bands) -> Int {
    var values = 0
    for item in items {
      let (group, band) = bands.place(item)
      let rows = min(
        geometry.forwardRows, geometry.output.height - band * geometry.forwardRows)
      values += rows * geometry.output.width * output.liveLanes(group: group)
    }
    return values
  }

  /// Brings some channels of a band of input rows, with its halo, into scratch. One that continues
  /// the band before finds the rows that both need there.
  func packInput(
    _ input: Tensor, group: Int, firstRow: Int, channels: Range<Int>, continues: Bool,
    into packed: UnsafeMutablePointer<Float>
  ) {
    let (scratch, shape) = (geometry.packed, geometry.shape)
    var from = 0
    if continues {
      from = geometry.reach
      for row in 0..<from {
        let place =
          unsafe packed + row * scratch.rowStride + channels.lowerBound * scratch.channelStride
        unsafe place.update(
          from: place + geometry.forwardRows * scratch.rowStride,
          count: channels.count * scratch.channelStride)
      }
    }
    let layout = RowLayout(
      scratch, stride: shape.stride, phases: geometry.phases, before: shape.padding)
    for subRow in from..<scratch.rows {
      unsafe pack(
        input, group: group, paddedRow: (firstRow + subRow) * shape.stride, channels: channels,
        scratch, layout, into: packed + subRow * scratch.rowStride)
    }
  }

  /// Brings some channels of one sub-row's rows into scratch: those of the padded input from
  /// `paddedRow` on, one for each phase.
  private func pack(
    _ input: Tensor, group: Int, paddedRow: Int, channels: Range<Int>,
    _ scratch: BandGeometry.Scratch, _ layout: RowLayout, into target: UnsafeMutablePointer<Float>
  ) {
    let target = unsafe target + channels.lowerBound * scratch.channelStride
    let first = paddedRow - geometry.shape.padding
    let height = geometry.input.height
    if first < 0 || first + geometry.phases > height {
      unsafe target.update(repeating: 0, count: channels.count * scratch.channelStride)
    }
    for phase in 0..<geometry.phases {
      let place = unsafe target + phase * geometry.phases * scratch.phaseStride
      let (strip, y) = input.strip(ofRow: first + phase)
      guard abs(strip) < input.strips else { continue }
      unsafe input.row(y, group: group)[channels].pack(
        prologue, firstChannel: channels.lowerBound, layout, into: place)
      if strip != 0 {
        unsafe layout.shiftLanes(
          by: strip, of: input.strips, channels: channels.count, fill: 0, in: place)
      }
    }
  }

  // MARK: - Backward

  /// The gradient of the prologue's batch-norm's result (of the input, without one), and those of
  /// the parameters.
  func backward(_ pass: Pass) {
    inputGradient?.samples = input.samples
    if inputGradient != nil { kernel.willRunBackward(pass) }
    pass.reserveScratch(geometry.scratchCount)
    let bands = Bands(
      groups: input.groups, bands: geometry.backwardBands,
      most: Bands.most(weights: kernel.weight.count))
    let work = BackwardWork(layer: self, bands: bands, pass: pass)
    pass.pool.run(chunks: bands.parts, with: work) { work, part, worker in
      unsafe work.layer.backward(part, work, worker, scratch: work.pass.scratch(of: worker))
    }
    gradientParts.join(bands.parts, pool: pass.pool)
    kernel.connections?.maskGradient()
    if let bias { sumBias(bias, outputGradient, pass) }
    if !site.leavesPrologue { prologue.norm?.finishBackward(parts: bands.parts, pass) }
  }

  private struct BackwardWork {
    let layer: PlaneConvolution
    let bands: Bands
    let pass: Pass
  }

  private func backward(
    _ part: Int, _ work: BackwardWork, _ worker: Int, scratch: UnsafeMutablePointer<Float>
  ) {
    let (bands, clock) = (work.bands, work.pass.pool.clock)
    let weightGradient = unsafe gradientParts.bases(part).weight
    if !site.leavesPrologue { prologue.norm?.gradientSums.begin(part: part, values: 0) }
    let gradient = unsafe scratch
    let activation = unsafe scratch + geometry.gradient.count
    let activationGradient = unsafe activation + geometry.activation.count
    for item in bands[part] {
      let (group, band) = bands.place(item)
      let first = band * geometry.backwardRows
      let rows = min(geometry.backwardRows, geometry.inputSubRows - first)
      let continues = item > bands[part].lowerBound && band > 0
      clock?.enter(.backwardPack, worker)
      unsafe packGradient(
        0..<geometry.shape.outputs, group: group, firstSubRow: first, continues: continues,
        into: gradient)
      unsafe packActivation(group: group, firstSubRow: first, rows, into: activation)
      let isFirst = item == bands[part].lowerBound
      clock?.enter(.backwardKernel, worker)
      unsafe kernel.backward(
        rows: rows, gradient: gradient, activation: activation,
        activationGradient: activationGradient, wantsActivationGradient: inputGradient != nil,
        weightGradient: weightGradient,
        accumulate: !isFirst || (part == 0 && work.pass.accumulatesGradients))
      if let inputGradient {
        clock?.enter(.backwardUnpack, worker)
        unsafe unpackGradient(
          into: inputGradient, group: group, firstSubRow: first, rows, activation,
          activationGradient, part: part)
      }
    }
  }

  /// The rows of some outputs' gradient that a band of input rows sees, dead lanes 0. One that
  /// continues the band before finds the rows that both need in scratch.
  func packGradient(
    _ outputs: Range<Int>, group: Int, firstSubRow: Int, continues: Bool,
    into target: UnsafeMutablePointer<Float>
  ) {
    let scratch = geometry.gradient
    let count = outputs.count * scratch.channelStride
    var from = 0
    if continues {
      from = geometry.reach
      for row in 0..<from {
        let place = unsafe target + row * scratch.rowStride
        unsafe place.update(
          from: place + geometry.backwardRows * scratch.rowStride, count: count)
      }
    }
    let layout = RowLayout(scratch, before: geometry.gradientBefore)
    let firstRow = geometry.firstGradientRow(subRow: firstSubRow)
    let norm = takesNormGradient ? outputNorm : nil
    for row in from..<scratch.rows {
      let (y, place) = unsafe (firstRow + row, target + row * scratch.rowStride)
      guard y >= 0, y < geometry.output.height else {
        unsafe place.update(repeating: 0, count: count)
        continue
      }
      unsafe outputGradient.row(y, group: group)[outputs].packGradient(
        norm.map { unsafe ($0, output.row(y, group: group)[outputs]) },
        firstChannel: outputs.lowerBound, live: input.liveLanes(group: group), layout,
        into: place)
    }
  }

  /// Layout of an input row in the scratch of its sub-row, going back.
  private var activationLayout: RowLayout {
    let shape = geometry.shape
    return RowLayout(
      geometry.activation, stride: shape.stride, phases: geometry.phases,
      before: shape.padding - shape.stride * geometry.first)
  }

  func packActivation(
    group: Int, firstSubRow: Int, _ rows: Int,
    into target: UnsafeMutablePointer<Float>
  ) {
    let (scratch, layout) = (geometry.activation, activationLayout)
    for row in 0..<scratch.rows {
      let place = unsafe target + row * scratch.rowStride
      guard row < rows else {
        // A tile may be taller than what is left; zeros add nothing.
        unsafe place.update(repeating: 0, count: scratch.rowStride)
        continue
      }
      let paddedRow = (firstSubRow + row + geometry.first) * geometry.shape.stride
      unsafe pack(
        input, group: group, paddedRow: paddedRow, channels: 0..<geometry.shape.inputs, scratch,
        layout, into: place)
    }
  }

  private func unpackGradient(
    into target: Tensor, group: Int, firstSubRow: Int, _ rows: Int,
    _ activation: UnsafeMutablePointer<Float>, _ activationGradient: UnsafeMutablePointer<Float>,
    part: Int
  ) {
    let (scratch, stride) = (geometry.activation, geometry.shape.stride)
    let (layout, unread) = (activationLayout, RowLayout.nothing(width: geometry.input.width))
    let prologue = site.leavesPrologue ? Prologue() : prologue
    for row in 0..<rows {
      let first = (firstSubRow + row + geometry.first) * stride - geometry.shape.padding
      for phase in 0..<stride where first + phase >= 0 && first + phase < geometry.input.height {
        let y = first + phase
        let isStored = phase < geometry.phases
        let place =
          row * scratch.rowStride + (isStored ? phase : 0) * geometry.phases * scratch.phaseStride
        unsafe target.row(y, group: group).unpackGradient(
          d: activationGradient + place,
          packed: UnsafePointer(activation + place),
          input: input.row(y, group: group), prologue: prologue,
          addend: site.gradientAddend?.row(y, group: group), isStored ? layout : unread, part: part)
      }
    }
  }

  /// The bias's gradient: the sum of the output's over pixels and samples.
  private func sumBias(_ bias: Parameter, _ gradient: Tensor, _ pass: Pass) {
    pass.pool.timed(.gradientJoin) {
      let rows = PlaneRows(of: gradient)
      pass.pool.run(chunks: rows.parts, with: (self, gradient, rows)) { work, part, _ in
        let (layer, gradient, rows) = work
        let channels = gradient.shape.channels
        for channel in 0..<channels { unsafe layer.biasSums.base[part * channels + channel] = 0 }
        let layout = RowLayout(width: gradient.shape.width)
        for row in rows[part] {
          let (group, y) = (row / gradient.shape.height, row % gradient.shape.height)
          let place = unsafe gradient.row(y, group: group)
          unsafe place.packGradient(
            nil, live: gradient.liveLanes(group: group), layout, into: place.base,
            sums: layer.biasSums.base + part * channels)
        }
      }
      for channel in 0..<bias.count {
        var sum = pass.accumulatesGradients ? Double(bias.gradient[channel]) : 0
        for part in 0..<rows.parts { sum += biasSums[part * bias.count + channel] }
        bias.gradient[channel] = Float(sum)
      }
    }
  }
}
