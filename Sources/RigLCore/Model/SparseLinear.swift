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

  /// Creates a layer; its connections are drawn when a ``Model`` is made of it.
  public init(_ name: String, inputs: Int, outputs: Int, bias: Bool = true) {
    precondition(inputs > 0 && outputs > 0, "\(name): \(inputs) inputs, \(outputs) outputs")
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
      preconditionFailure("\(name): has no connections yet; make a Model of the layers first")
    }
    return connections
  }

  /// The weight, then the bias.
  public var parameters: [Parameter] { [weight] + (bias.map { [$0] } ?? []) }
  /// Itself.
  public var weightLayers: [any WeightLayer] { [self] }

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
    return shape
  }

  /// y = epilogue(W x + b), slab by slab of outputs, a band of groups at a time.
  public func forward(_ input: Tensor, _ pass: Pass) -> Tensor {
    if let full { return full.forward(input, pass) }
    guard let output else { preconditionFailure("\(name): forward before prepare") }
    self.input = input
    output.samples = input.samples
    weights.refreshForwardWeights(pass.pool)
    let bands = GroupBands(of: input, channels: inputs + outputs)
    pass.warmBands.reset()
    let operands = (self, bands, input, output, pass)
    pass.pool.run(chunks: bands.count * weights.forward.slabs, with: operands) {
      operands, chunk, worker in
      let (layer, bands, input, output, pass) = operands
      let slabs = layer.weights.forward.slabs
      let band = chunk / slabs
      if pass.warmBands.isFirst(band, of: worker) { input.warm(bands[band]) }
      layer.forward(
        slab: chunk % slabs, groups: bands[band], input: input, output: output, pass: pass)
    }
    return output
  }

  private func forward(slab: Int, groups: Range<Int>, input: Tensor, output: Tensor, pass: Pass) {
    let list = weights.forward
    let rows = slab * list.slabRows..<min((slab + 1) * list.slabRows, outputs)
    // With a few connections an output, most of the time goes into bringing in what is written.
    if weights.count < 16 * outputs { output.warm(groups, channels: rows) }
    unsafe list.forward(
      slab: slab, groups: groups, weights: weights.forwardBase, input: input, output: output)
    guard ownBias != nil || !epilogue.isIdentity(pass) else { return }
    for group in groups {
      output.applyEpilogue(
        group: group, channels: rows, bias: ownBias, epilogue: epilogue, pass: pass)
    }
  }

  /// dX and dW in one walk over the connections; dW at connections only.
  public func backward(_ outputGradient: Tensor, _ pass: Pass) throws(RigLError) -> Tensor? {
    if let full { return full.backward(outputGradient, pass) }
    guard let input, let output else { preconditionFailure("\(name): backward before forward") }
    inputGradient?.samples = input.samples
    let bands = GroupBands(of: input, channels: inputs + outputs)
    pass.warmBands.reset()
    // Bands in order, so that each slab's owner sums dW in a fixed order.
    for band in 0..<bands.count {
      applyEpilogueBackward(
        outputGradient, groups: bands[band], output: output, bias: ownBias, epilogue: epilogue,
        pass: pass)
      let operands = (self, band, bands[band], outputGradient, input, pass)
      pass.pool.run(chunks: weights.backward.slabs, with: operands) { operands, slab, worker in
        let (layer, band, groups, outputGradient, input, pass) = operands
        if pass.warmBands.isFirst(band, of: worker) {
          outputGradient.warm(groups)
          input.warm(groups)
          layer.inputGradient?.warm(groups)
        }
        layer.backward(
          slab: slab, groups: groups, outputGradient: outputGradient, input: input,
          accumulate: pass.accumulatesGradients || band > 0)
      }
    }
    try pass.connectionMover?.move(weights, input: input, outputGradient: outputGradient)
    return inputGradient
  }

  private func backward(
    slab: Int, groups: Range<Int>, outputGradient: Tensor, input: Tensor, accumulate: Bool
  ) {
    unsafe weights.backward.backward(
      slab: slab, groups: groups, weights: weights.parameter.values.base,
      outputGradient: outputGradient, input: input, inputGradient: inputGradient,
      weightGradient: weights.parameter.gradient.base, accumulate: accumulate)
  }
}
