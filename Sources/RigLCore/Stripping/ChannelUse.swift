/// Which channels of a network are constants, whatever its input is, and which ones others need.
///
/// An output without connections is the constant that its bias says, and what is behind it as well;
/// connections from constants are folded into the biases of the layers that read them, where they
/// can be, and are then no connections: so that this goes on through the network. A channel that no
/// output is left to read is needed by none, and so are those that it alone reads.
struct ChannelUse {
  /// The constant that each channel of each value is; nil of a channel that depends on the input.
  private(set) var constants: [[Float?]]
  /// Whether somebody reads each channel of each value, other than as a constant in his bias.
  private(set) var needed: [[Bool]]
  /// What is folded into the bias of each output, by layer.
  private(set) var folded: [String: [Double]] = [:]
  /// Whether each channel of each group stays.
  private(set) var kept: [Int: [Bool]] = [:]

  init(_ flow: ChannelFlow) {
    constants = (0..<flow.values).map { [Float?](repeating: nil, count: flow.channels(of: $0)) }
    needed = constants.map { [Bool](repeating: false, count: $0.count) }
    for operation in flow.operations { constants[operation.output] = findConstants(operation) }
    needed[flow.output] = needed[flow.output].map { _ in true }
    for operation in flow.operations.reversed() { passNeedsOn(operation) }
    for value in 0..<flow.values {
      let group = flow.group(of: value)
      kept[group] = zip(kept[group] ?? needed[value], needed[value]).map { $0 || $1 }
    }
    // There is no layer without outputs.
    for (group, channels) in kept where !channels.contains(true) { kept[group]?[0] = true }
  }

  private mutating func findConstants(_ operation: ChannelFlow.Operation) -> [Float?] {
    let inputs = constants[operation.input]
    switch operation.kind {
    case .product(let layer): return fold(inputs, into: layer)
    case .depthwise(let layer):
      var sums = [Double](repeating: 0, count: layer.outputs)
      layer.forEachWeight { output, _, weight in
        sums[output] += Double(weight) * Double(inputs[output] ?? 0)
      }
      return zip(inputs, sums).map { input, sum in
        input.flatMap { layer.takes(constant: $0) ? Float(sum) : nil }
      }
    case .norm(let norm): return norm.results(for: inputs)
    case .activation(let activation):
      let function = Activation?.some(activation)
      return inputs.map { $0.map { function($0) } }
    case .passing: return inputs
    case .sum(let other, let activation):
      return zip(inputs, constants[other]).map { one, two in
        guard let one, let two else { return nil }
        return activation(one + two)
      }
    case .unknown: trap("ChannelUse: \(operation.layer.kind)")
    }
  }

  private mutating func fold(_ inputs: [Float?], into layer: LayerWeights) -> [Float?] {
    let span = layer.inputs / inputs.count
    var (sums, isConstant) = (
      [Double](repeating: 0, count: layer.outputs), [Bool](repeating: true, count: layer.outputs)
    )
    layer.forEachWeight { output, input, weight in
      if let constant = inputs[input / span], layer.takes(constant: constant) {
        sums[output] += Double(weight) * Double(constant)
      } else {
        isConstant[output] = false
      }
    }
    folded[layer.name] = sums
    return sums.indices.map { output in
      isConstant[output] ? Float(Double(layer.bias?.values[output] ?? 0) + sums[output]) : nil
    }
  }

  private mutating func passNeedsOn(_ operation: ChannelFlow.Operation) {
    let (input, outputs) = (operation.input, needed[operation.output])
    guard case .product(let layer) = operation.kind else {
      for channel in outputs.indices where outputs[channel] { needed[input][channel] = true }
      if case .sum(let other, _) = operation.kind {
        for channel in outputs.indices where outputs[channel] { needed[other][channel] = true }
      }
      return
    }
    let span = layer.inputs / constants[input].count
    layer.forEachWeight { output, index, _ in
      if outputs[output], !isFolded(index / span, of: input, into: layer) {
        needed[input][index / span] = true
      }
    }
  }

  /// Whether a layer has a channel that it reads in its biases.
  func isFolded(_ channel: Int, of value: Int, into layer: LayerWeights) -> Bool {
    constants[value][channel].map { layer.takes(constant: $0) } ?? false
  }
}

extension Normalization {
  /// What constants become by the running averages; nil stands for what is none.
  fileprivate func results(for inputs: [Float?]) -> [Float?] {
    trap(unless: !isFolded, "\(name): its constants, once it is in the weights before it")
    takeAverages()
    // As kernels have it, with one rounding.
    return inputs.enumerated().map { channel, input in
      input.map { shift[channel].addingProduct(scale[channel], $0) }
    }
  }
}

extension LayerWeights {
  /// Calls `body` with output, input and weight of each connection, in the order of positions.
  func forEachWeight(_ body: (_ output: Int, _ input: Int, _ weight: Float) -> Void) {
    if let connections {
      connections.forEachConnection { _, position, place in
        body(position / inputs, position % inputs, weight.values[place])
      }
    } else {
      for position in 0..<weight.count {
        body(position / inputs, position % inputs, weight.values[place(of: position)])
      }
    }
  }

  /// Whether an input channel that is a constant can go into the biases: wherever no zeros are set
  /// around the input, or it is zero itself.
  func takes(constant: Float) -> Bool {
    constant == 0 || !layer.effect.isPadded
  }
}
