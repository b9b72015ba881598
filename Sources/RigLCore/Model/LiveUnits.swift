/// Units and inputs that are live: a path of connections leads from the network's inputs to them, and
/// one from them to its outputs.
///
/// The others are dead: they are removed when units without connections on one side are, with the
/// connections of their other side, again and again until nothing changes. Found in one walk back
/// and one forth, in time of the number of connections.
package struct LiveUnits: Hashable, Sendable {
  /// The live inputs and outputs of a layer with weights; of a convolution, channels.
  package struct Layer: Hashable, Sendable {
    /// Live inputs.
    package let inputs: Int
    /// Live outputs.
    package let outputs: Int
  }

  /// Live inputs of the network; of images, channels.
  package let inputs: Int
  /// All inputs of the network.
  package let allInputs: Int
  /// The layers with weights, in order.
  package let layers: [Layer]

  /// Live outputs of all layers but the last.
  package var hidden: Int { layers.dropLast().reduce(0) { $0 + $1.outputs } }
  /// Live inputs of the network, then live outputs of each layer.
  package var widths: [Int] { [inputs] + layers.map(\.outputs) }
}

extension Model {
  /// The units that are live with the connections as they are now.
  package func liveUnits() -> LiveUnits {
    let (before, after) = (
      JoinedUnits(reachedIn: channelFlow), JoinedUnits(readIn: channelFlow)
    )
    let layers = weightLayers.map { layer in
      let inputs = layer.layer.isDepthwise ? layer.outputs : layer.inputs / layer.taps
      return LiveUnits.Layer(
        inputs: both(before.inputs(of: layer), after.inputs(of: layer), of: inputs),
        outputs: both(before.outputs(of: layer), after.outputs(of: layer), of: layer.outputs))
    }
    let all = after.networkInputs?.count ?? inputShape.channels
    return LiveUnits(
      inputs: after.networkInputs?.count { $0 } ?? all, allInputs: all, layers: layers)
  }

  /// Live units of all layers but the last.
  package func liveHiddenUnits() -> Int { liveUnits().hidden }
}

/// How many of `count` channels both sides have; nil stands for all.
private func both(_ one: [Bool]?, _ other: [Bool]?, of count: Int) -> Int {
  let (one, other) = (one?.spread(over: count), other?.spread(over: count))
  return (0..<count).count { one?[$0] ?? true && other?[$0] ?? true }
}

/// The inputs and outputs of each layer with weights that paths of connections join to one end of the
/// network. Nil stands for all.
private struct JoinedUnits {
  private var outputs: [ObjectIdentifier: [Bool]] = [:]
  private var inputs: [ObjectIdentifier: [Bool]] = [:]
  /// The channels, or values, of the network's input.
  private(set) var networkInputs: [Bool]?

  func outputs(of layer: LayerWeights) -> [Bool]? { outputs[ObjectIdentifier(layer)] }
  func inputs(of layer: LayerWeights) -> [Bool]? { inputs[ObjectIdentifier(layer)] }

  private mutating func note(_ layer: LayerWeights, _ inputs: [Bool]?, _ outputs: [Bool]?) {
    if let inputs { self.inputs[ObjectIdentifier(layer)] = inputs }
    if let outputs { self.outputs[ObjectIdentifier(layer)] = outputs }
  }

  /// The units from which a path leads to the network's outputs: goes from the last operation to the
  /// first.
  init(readIn flow: ChannelFlow) {
    // Of each value that has a reader so far.
    var read: [Int: [Bool]?] = [:]
    func add(_ channels: [Bool]?, to value: Int) {
      read[value] = read[value].map { either($0, channels) } ?? channels
    }
    for operation in flow.operations.reversed() {
      let own = read[operation.output] ?? nil
      if case .sum(let other, _) = operation.kind {
        let sum = own?.joined(into: flow.shape(of: operation.output).channels)
        add(sum, to: operation.input)
        add(sum, to: other)
      } else if let layer = operation.kind.weights {
        let units = own?.joined(into: layer.outputs)
        let inputs = layer.layer.isDepthwise ? units : layer.readInputs(by: units)
        note(layer, inputs, units)
        add(inputs, to: operation.input)
      } else {
        add(operation.kind.keepsChannels ? own : nil, to: operation.input)
      }
    }
    networkInputs = read[0] ?? nil
    guard let selected = flow.selected else { return }
    let used = networkInputs?.joined(into: selected.count)
    var all = [Bool](repeating: false, count: flow.inputs)
    for (place, input) in selected.enumerated() { all[input] = used?[place] ?? true }
    networkInputs = all
  }

  /// The units to which a path leads from the network's inputs: goes from the first operation to the
  /// last.
  init(reachedIn flow: ChannelFlow) {
    var reached = [[Bool]?](repeating: nil, count: flow.values)
    for operation in flow.operations {
      let inputs = reached[operation.input]
      if case .sum(let other, _) = operation.kind {
        reached[operation.output] = either(inputs, reached[other])
      } else if let layer = operation.kind.weights {
        let outputs =
          layer.layer.isDepthwise
          ? inputs?.joined(into: layer.outputs)
          : layer.outputsReached(from: inputs?.spread(over: layer.inputs))
        note(layer, inputs, outputs)
        reached[operation.output] = outputs
      } else {
        reached[operation.output] = operation.kind.keepsChannels ? inputs : nil
      }
    }
  }
}

/// What holds on one side or the other, channel by channel; nil, all, if it does for all of one side.
private func either(_ one: [Bool]?, _ other: [Bool]?) -> [Bool]? {
  guard let one, let other else { return nil }
  let channels = Swift.min(one.count, other.count)
  guard let one = one.joined(into: channels), let other = other.joined(into: channels) else {
    return nil
  }
  return zip(one, other).map { $0 || $1 }
}

extension [Bool] {
  /// Whether any value of each of `count` channels is true; nil if the values are not those of as
  /// many channels.
  fileprivate func joined(into count: Int) -> [Bool]? {
    guard count > 0, self.count > 0, self.count % count == 0 else { return nil }
    let length = self.count / count
    return (0..<count).map { self[$0 * length..<($0 + 1) * length].contains(true) }
  }

  /// The values of as many channels for `count` values, as many for each; nil if that does not come
  /// out even.
  fileprivate func spread(over count: Int) -> [Bool]? {
    guard self.count > 0, count % self.count == 0 else { return joined(into: count) }
    let length = count / self.count
    return (0..<count).map { self[$0 / length] }
  }
}

extension LayerWeights {
  /// Kernel positions.
  fileprivate var taps: Int { connections?.taps ?? layer.effect.taps }

  /// Whether each input, of a convolution each input channel, has a connection to one of some outputs
  /// (nil: of all); nil if every one has.
  fileprivate func readInputs(by outputs: [Bool]?) -> [Bool]? {
    guard let connections else {
      return outputs?.contains(true) ?? true ? nil : [Bool](repeating: false, count: inputs)
    }
    var read = [Bool](repeating: false, count: inputs)
    connections.forEachPair { output, input in
      if outputs?[output] ?? true { read[input] = true }
    }
    return read.joined(into: inputs / connections.taps)
  }

  /// Whether each output has a connection from one of some inputs (nil: of all); nil if every one has.
  fileprivate func outputsReached(from inputs: [Bool]?) -> [Bool]? {
    guard let connections else {
      return inputs?.contains(true) ?? true ? nil : [Bool](repeating: false, count: outputs)
    }
    var reached = [Bool](repeating: false, count: outputs)
    connections.forEachPair { output, input in
      if inputs?[input] ?? true { reached[output] = true }
    }
    return reached
  }
}

extension SparseWeights {
  /// Calls `body` with the output and input of each connection.
  fileprivate func forEachPair(_ body: (_ output: Int, _ input: Int) -> Void) {
    for row in 0..<outputs {
      for index in csr.row(row) { body(row, unsafe Int(csr.columns.base[index])) }
    }
  }
}
