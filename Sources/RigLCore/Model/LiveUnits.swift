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
    let (reads, reaches) = (Reads(plan), Reaches(plan))
    let layers = weightLayers.map { layer in
      let inputs = layer.layer.isDepthwise ? layer.outputs : layer.inputs / layer.taps
      return LiveUnits.Layer(
        inputs: both(reads.inputs(of: layer), reaches.inputs(of: layer), of: inputs),
        outputs: both(reads.outputs(of: layer), reaches.outputs(of: layer), of: layer.outputs))
    }
    let all =
      reads.inputs?.count
      ?? (self.layers.takesPlanes ? inputShape.channels : inputShape.count)
    return LiveUnits(
      inputs: reads.inputs?.count { $0 } ?? all, allInputs: all, layers: layers)
  }

  /// Live units of all layers but the last.
  package func liveHiddenUnits() -> Int { liveUnits().hidden }
}

/// How many of `count` channels both sides have; nil stands for all.
private func both(_ one: [Bool]?, _ other: [Bool]?, of count: Int) -> Int {
  let (one, other) = (one?.spread(over: count), other?.spread(over: count))
  return (0..<count).count { one?[$0] ?? true && other?[$0] ?? true }
}

/// From which inputs and outputs of each layer with weights a path of connections leads to the network's
/// outputs. Nil stands for all.
private struct Reads {
  private var outputs: [ObjectIdentifier: [Bool]] = [:]
  private var layerInputs: [ObjectIdentifier: [Bool]] = [:]
  /// The channels, or values, of the network's input.
  private(set) var inputs: [Bool]?

  func outputs(of layer: LayerWeights) -> [Bool]? { outputs[ObjectIdentifier(layer)] }
  func inputs(of layer: LayerWeights) -> [Bool]? { layerInputs[ObjectIdentifier(layer)] }

  /// Goes through a plan's stages from the last to the first.
  init(_ plan: Plan) {
    // Of each value that has a reader so far.
    var read: [Int: [Bool]?] = [:]
    func add(_ channels: [Bool]?, to value: Int) {
      read[value] = read[value].map { either($0, channels) } ?? channels
    }
    for number in plan.backwardOrder {
      let node = plan.nodes[number]
      let own = read[node.output] ?? nil
      switch node.operation {
      case .fork: break
      case .sum(let block):
        let sum = own?.joined(into: plan.values[node.output].shape.channels)
        read[plan.blocks[block].main] = .some(sum)
        add(sum, to: plan.blocks[block].shortcut)
      case .layer, .normActivation, .copy:
        if let layer = plan.stages[number].weights {
          let units = own?.joined(into: layer.outputs)
          let inputs = layer.layer.isDepthwise ? units : layer.readInputs(by: units)
          if let units { outputs[ObjectIdentifier(layer)] = units }
          if let inputs { layerInputs[ObjectIdentifier(layer)] = inputs }
          add(inputs, to: node.input)
        } else if case .layer(let layer as InputSelection) = node.operation {
          add(layer.inputs(of: own), to: node.input)
        } else {
          add(node.fusing.contains(.keepsChannels) ? own : nil, to: node.input)
        }
      }
    }
    inputs = read[0] ?? nil
  }
}

/// To which inputs and outputs of each layer with weights a path of connections leads from the
/// network's inputs. Nil stands for all.
private struct Reaches {
  private var outputs: [ObjectIdentifier: [Bool]] = [:]
  private var layerInputs: [ObjectIdentifier: [Bool]] = [:]

  func outputs(of layer: LayerWeights) -> [Bool]? { outputs[ObjectIdentifier(layer)] }
  func inputs(of layer: LayerWeights) -> [Bool]? { layerInputs[ObjectIdentifier(layer)] }

  /// Goes through a plan's stages from the first to the last.
  init(_ plan: Plan) {
    var reached = [[Bool]?](repeating: nil, count: plan.values.count)
    for number in plan.forwardOrder {
      let node = plan.nodes[number]
      switch node.operation {
      case .fork: break
      case .sum(let block):
        reached[node.output] = either(
          reached[plan.blocks[block].main], reached[plan.blocks[block].shortcut])
      case .layer, .normActivation, .copy:
        let inputs = reached[node.input]
        guard let layer = plan.stages[number].weights else {
          reached[node.output] = node.fusing.contains(.keepsChannels) ? inputs : nil
          continue
        }
        let outputs =
          layer.layer.isDepthwise
          ? inputs?.joined(into: layer.outputs)
          : layer.outputsReached(from: inputs?.spread(over: layer.inputs))
        if let inputs { layerInputs[ObjectIdentifier(layer)] = inputs }
        if let outputs { self.outputs[ObjectIdentifier(layer)] = outputs }
        reached[node.output] = outputs
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

extension InputSelection {
  /// Of all inputs those of which some are read (nil: all that are used).
  fileprivate func inputs(of read: [Bool]?) -> [Bool] {
    var all = [Bool](repeating: false, count: inputs)
    for (place, input) in used.enumerated() { all[input] = read?[place] ?? true }
    return all
  }
}

extension LayerWeights {
  /// Kernel positions.
  fileprivate var taps: Int { connections?.taps ?? (layer as? any Conv2d)?.convolution.taps ?? 1 }

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
