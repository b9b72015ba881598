/// Makes a physically smaller network of a model's layers: without the channels that are not needed,
/// with constants in biases.
struct Stripper {
  /// A layer's weights as the smaller network has them.
  struct Weights {
    /// Positions (output · inputs + input) of the connections, ascending; none where all positions are
    /// stored.
    var positions: [Int] = []
    /// The weights, in the order of positions.
    var values: [Float] = []
    /// The bias of each output; nil without biases.
    var bias: [Float]?
  }

  let flow: ChannelFlow
  let use: ChannelUse
  /// The weights of each layer, by name.
  private(set) var weights: [String: Weights] = [:]
  /// The channels that stay of each batch-norm, by name.
  private(set) var channels: [String: [Int]] = [:]
  /// Outputs that depend on nothing, or that nobody reads, and that stay all the same.
  private(set) var deadOutputs = 0
  private var next = 0

  init(_ model: Model) throws(RigLError) {
    flow = model.channelFlow
    try flow.requireKnown()
    use = ChannelUse(flow)
  }

  /// The layers of the smaller network for samples of a shape; fills ``weights`` and ``channels``.
  mutating func layers(of model: Model) -> Sequential {
    let own = strip(model.layers.layersAfterSelection)
    let used = kept(0).map { flow.selected?[$0] ?? $0 }
    guard used.count < model.inputShape.channels else { return Sequential(own) }
    let selection = InputSelection(
      used, of: model.inputShape.channels, takesPlanes: model.layers.takesPlanes)
    return Sequential([selection] + own)
  }

  /// The channels of a value that stay.
  private func kept(_ value: Int) -> [Int] {
    let kept = use.kept[flow.group(of: value)] ?? []
    return kept.indices.filter { kept[$0] }
  }

  private mutating func strip(_ layers: [any Layer]) -> [any Layer] {
    layers.flatMap { strip($0) }
  }

  private mutating func strip(_ layer: any Layer) -> [any Layer] {
    if case .sequence(let layers) = layer.parts { return strip(layers) }
    if case .branches(let before, let main, let shortcut) = layer.parts {
      let (before, main, shortcut) = (strip(before), strip(main), strip(shortcut))
      next += 1
      return [
        Residual(
          before: before, main: main, shortcut: shortcut, activation: layer.effect.activation)
      ]
    }
    let operation = flow.operations[next]
    next += 1
    let outputs = kept(operation.output)
    switch operation.kind {
    case .product(let weights):
      let inputs = kept(operation.input)
      let bias = takeWeights(of: weights, operation, inputs, outputs)
      let span = weights.inputs / flow.channels(of: operation.input)
      return [resized(layer, inputs: inputs.count * span, outputs: outputs.count, bias: bias)]
    case .depthwise(let weights):
      takeKernels(of: weights, outputs)
      return [resized(layer, inputs: weights.inputs, outputs: outputs.count)]
    case .norm(let norm):
      channels[norm.name] = outputs
      return [resized(layer, inputs: outputs.count, outputs: outputs.count)]
    case .activation, .passing, .sum, .unknown: return [layer]
    }
  }

  private func resized(
    _ layer: any Layer, inputs: Int, outputs: Int, bias: Bool = false
  ) -> any Layer {
    layer.planned?.resized(inputs: inputs, outputs: outputs, bias: bias) ?? layer
  }

  /// Takes what stays of a layer's weights.
  ///
  /// - Returns: whether the layer has biases now.
  private mutating func takeWeights(
    of layer: LayerWeights, _ operation: ChannelFlow.Operation, _ inputs: [Int], _ outputs: [Int]
  ) -> Bool {
    let (value, needed) = (operation.input, use.needed[operation.output])
    let span = layer.inputs / flow.channels(of: value)
    let (rows, columns) = (
      outputs.places(of: layer.outputs), inputs.places(of: flow.channels(of: value))
    )
    let constants = use.constants[operation.output]
    var weights = Weights()
    layer.forEachWeight { output, input, weight in
      let (row, channel) = (rows[output], columns[input / span])
      guard row >= 0, channel >= 0 else { return }
      let isFolded = use.isFolded(input / span, of: value, into: layer)
      // Where all positions are stored, one that does nothing is a weight of 0.
      if layer.connections != nil {
        if isFolded || !needed[output] { return }
        weights.positions.append((row * inputs.count + channel) * span + input % span)
      }
      weights.values.append(isFolded ? 0 : weight)
    }
    let folded = use.folded[layer.name] ?? []
    let sums = outputs.map { needed[$0] ? folded[$0] : 0 }
    let hasBias = layer.bias != nil || sums.contains { $0 != 0 }
    if hasBias {
      weights.bias = zip(outputs, sums).map { output, sum in
        Float(Double(layer.bias?.values[output] ?? 0) + sum)
      }
    }
    self.weights[layer.name] = weights
    if operation.output != flow.output {
      deadOutputs += outputs.count { !needed[$0] || constants[$0] != nil }
    }
    return hasBias
  }

  /// Takes the kernels of a depthwise convolution that stay.
  private mutating func takeKernels(of layer: LayerWeights, _ outputs: [Int]) {
    let rows = outputs.places(of: layer.outputs)
    var weights = Weights()
    layer.forEachWeight { output, _, weight in
      if rows[output] >= 0 { weights.values.append(weight) }
    }
    self.weights[layer.name] = weights
  }
}

extension [Int] {
  /// The place among these ascending numbers of each of 0..<count; -1 of one that is not among them.
  fileprivate func places(of count: Int) -> [Int] {
    var places = [Int](repeating: -1, count: count)
    for (place, number) in enumerated() { places[number] = place }
    return places
  }
}
