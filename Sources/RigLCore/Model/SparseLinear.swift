/// y = W x + b with only the connections that exist stored and multiplied.
///
/// Where the sparsity distribution leaves the layer all of its connections (always in a dense
/// network), it stores and multiplies them as a ``DenseLinear`` does, so that dense layers are not
/// handicapped.
public final class SparseLinear: WeightLayer, EpilogueLayer {
  /// The name in files, reports and per-layer settings.
  public let name: String
  /// Features of the input.
  public let inputs: Int
  /// Features of the output.
  public let outputs: Int
  /// Whether there is a bias.
  public let hasBias: Bool
  /// A sparsity distribution may leave out positions.
  public var canBeSparse: Bool { true }
  /// The connections, if the layer does not have all of them; exist once a ``Model`` is made.
  public private(set) var connections: SparseWeights?
  /// The layer that does the work if all connections exist.
  private var full: DenseLinear?
  private let ownBias: Parameter?

  var epilogue = Epilogue()
  private var input: Tensor?
  private var output: Tensor?
  private var inputGradient: Tensor?
  private var gradientParts: GradientParts?

  /// Creates a layer; its connections are drawn when a ``Model`` is made of it.
  public init(_ name: String, inputs: Int, outputs: Int, bias: Bool = true) {
    trap(
      unless: inputs > 0 && outputs > 0,
      "layer \(name): \(inputs) inputs, \(outputs) outputs; it needs at least one of each")
    self.name = name
    self.inputs = inputs
    self.outputs = outputs
    hasBias = bias
    ownBias =
      bias
      ? Parameter(name: "\(name).bias", shape: [outputs], count: outputs, decays: false) : nil
  }

  /// Makes room for the layer's connections; which they are is drawn, or read, afterwards.
  public func makeConnections(_ count: Int, lanes: Int) throws(RigLError) {
    if count == inputs * outputs {
      full = DenseLinear(name, inputs: inputs, outputs: outputs, bias: hasBias)
    } else {
      connections = try SparseWeights(
        name: name, outputs: outputs, inputs: inputs, connections: count, lanes: lanes)
    }
  }

  /// The weights of the connections.
  public var weight: Parameter { full?.weight ?? weights.parameter }
  /// The bias, (outputs).
  public var bias: Parameter? { full?.bias ?? ownBias }

  private var weights: SparseWeights {
    guard let connections else {
      trap("\(name): has no connections yet; make a Model of the layers first")
    }
    return connections
  }

  /// The weight, then the bias.
  public var parameters: [Parameter] { [weight] + (bias.map { [$0] } ?? []) }
  /// Itself.
  public var weightLayers: [any WeightLayer] { [self] }

  /// A vector of `outputs`.
  public func outputShape(of input: SampleShape) throws(RigLError) -> SampleShape {
    try checkInput(input)
    return SampleShape(channels: outputs)
  }

  /// Allocates output and input gradient.
  public func prepare(_ context: LayerContext) throws(RigLError) -> SampleShape {
    try checkInput(context.input)
    if let full {
      full.epilogue = epilogue
      return try full.prepare(context)
    }
    let shape = SampleShape(channels: outputs)
    output = context.makeOutput(shape)
    inputGradient = context.makeInputGradient()
    let parts = GradientParts(
      weight: weights.parameter, bias: ownBias, storage: context.gradients.parts)
    let largest = GroupBands(
      groups: context.capacity.dividedUp(by: context.lanes), lanes: context.lanes,
      channels: inputs + outputs, connections: weights.count)
    if context.isTraining && largest.areShared { parts.reserve() }
    gradientParts = parts
    return shape
  }

  /// y = epilogue(W x + b), a band of groups at a time.
  public func forward(_ input: Tensor, _ pass: Pass) -> Tensor {
    if let full { return full.forward(input, pass) }
    guard let output else { trap("\(name): forward before prepare") }
    self.input = input
    output.samples = input.samples
    weights.refreshForwardWeights(pass.pool)
    let bands = GroupBands(
      of: input, channels: inputs + outputs, connections: weights.count)
    // A thread's share is a band if there are enough of them, else some of a band's outputs.
    let slabs = bands.areShared ? weights.forward.slabs : 1
    let cuts = weights.forward.slabs / slabs
    pass.warmBands.reset()
    let operands = (self, bands, slabs, cuts, input, output, pass)
    pass.pool.run(chunks: bands.count * cuts, with: operands) { operands, chunk, worker in
      let (layer, bands, slabs, cuts, input, output, pass) = operands
      let (band, first) = (chunk / cuts, chunk % cuts * slabs)
      if pass.warmBands.isFirst(band, of: worker) { input.warm(bands[band]) }
      layer.forward(
        slabs: first..<first + slabs, groups: bands[band], input: input, output: output, pass: pass)
    }
    return output
  }

  private func forward(
    slabs: Range<Int>, groups: Range<Int>, input: Tensor, output: Tensor, pass: Pass
  ) {
    let list = weights.forward
    let rows = list.rows(of: slabs)
    let isOnTheWay = list.appliesEpilogues && !epilogue.drops(pass)
    // With a few connections an output, most of the time goes into bringing in what is written.
    let isStreamed = isOnTheWay && output.outgrowsCaches
    if !isStreamed && weights.count < 16 * outputs { output.warm(groups, channels: rows) }
    unsafe list.forward(
      slabs: slabs, groups: groups, weights: weights.forwardBase, input: input, output: output,
      epilogue: isOnTheWay ? .init(bias: ownBias, relu: epilogue.relu) : nil)
    guard !isOnTheWay, ownBias != nil || !epilogue.isIdentity(pass) else { return }
    for group in groups {
      output.applyEpilogue(
        group: group, channels: rows, bias: ownBias, epilogue: epilogue, pass: pass)
    }
  }

  /// dX and dW in one walk over the connections; dW at connections only.
  public func backward(_ outputGradient: Tensor, _ pass: Pass) throws(RigLError) -> Tensor? {
    if let full { return full.backward(outputGradient, pass) }
    guard let input, let output else { trap("\(name): backward before forward") }
    inputGradient?.samples = input.samples
    let bands = GroupBands(
      of: input, channels: inputs + outputs, connections: weights.count)
    let work = BackwardWork(
      layer: self, bands: bands, outputGradient: outputGradient, input: input, output: output,
      pass: pass)
    if bands.areShared { backwardByBands(work) } else { backwardBySlabs(work) }
    try pass.connectionMover?.move(
      weights, GradientOperands(input: input, outputGradient: outputGradient))
    return inputGradient
  }

  private struct BackwardWork {
    let layer: SparseLinear
    let bands: GroupBands
    let outputGradient: Tensor
    let input: Tensor
    let output: Tensor
    let pass: Pass
  }

  /// Few groups: a thread's share is a slab of connections, which it alone adds to.
  private func backwardBySlabs(_ work: BackwardWork) {
    work.pass.warmBands.reset()
    // Bands in order, so that each slab's owner sums dW in a fixed order.
    for band in 0..<work.bands.count {
      applyEpilogueBackward(
        work.outputGradient, groups: work.bands[band], output: work.output, bias: ownBias,
        epilogue: epilogue, pass: work.pass)
      work.pass.pool.run(chunks: weights.backward.slabs, with: (work, band)) {
        operands, slab, worker in
        let (work, band) = operands
        let (layer, groups) = (work.layer, work.bands[band])
        if work.pass.warmBands.isFirst(band, of: worker) { work.outputGradient.warm(groups) }
        unsafe layer.backward(
          slabs: slab..<slab + 1, groups: groups, work,
          gradient: layer.weights.parameter.gradient.base,
          accumulate: work.pass.accumulatesGradients || band > 0)
      }
    }
  }

  /// Many groups: a thread's share is some bands, with sums of dW of its own that are added up, in
  /// order, at the end.
  private func backwardByBands(_ work: BackwardWork) {
    guard let gradientParts else { trap("\(name): backward before prepare") }
    work.pass.pool.run(chunks: work.bands.parts, with: (work, gradientParts)) { work, part, _ in
      let (work, gradientParts) = work
      let (layer, pass) = (work.layer, work.pass)
      let (gradient, biasGradient) = unsafe gradientParts.bases(part)
      let accumulates = part == 0 && pass.accumulatesGradients
      if !accumulates { unsafe biasGradient?.update(repeating: 0, count: layer.outputs) }
      let bands = work.bands.part(part)
      for band in bands {
        let groups = work.bands[band]
        if layer.needsEpilogueBackward(
          work.outputGradient, groups: groups, bias: layer.ownBias, epilogue: layer.epilogue, pass)
        {
          for group in groups {
            unsafe work.outputGradient.applyEpilogueBackward(
              group: group, channels: 0..<layer.outputs, output: work.output,
              biasGradient: biasGradient, epilogue: layer.epilogue, pass: pass)
          }
        } else {
          work.outputGradient.warm(groups)
        }
        unsafe layer.backward(
          slabs: 0..<layer.weights.backward.slabs, groups: groups, work, gradient: gradient,
          accumulate: accumulates || band > bands.lowerBound)
      }
    }
    gradientParts.join(work.bands.parts, pool: work.pass.pool)
  }

  private func backward(
    slabs: Range<Int>, groups: Range<Int>, _ work: BackwardWork,
    gradient: UnsafeMutablePointer<Float>, accumulate: Bool
  ) {
    let rows = weights.backward.rows(of: slabs)
    work.input.warm(groups, channels: rows)
    inputGradient?.warm(groups, channels: rows)
    unsafe weights.backward.backward(
      slabs: slabs, groups: groups, weights: weights.parameter.values.base,
      outputGradient: work.outputGradient, input: work.input, inputGradient: inputGradient,
      weightGradient: gradient, accumulate: accumulate)
  }
}
