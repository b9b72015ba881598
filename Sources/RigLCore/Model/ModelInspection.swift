/// The make-up of a network: layer by layer, its connections, bytes, live and dead units.
///
/// A unit is an output of a layer: of a convolution, a channel. It is dead if no connection leads to
/// it, or none leads on from it: into the layers with weights that read it next, after pooling and
/// the like. Units need none that leads on if they are the network's outputs, or go into the sum of a
/// residual block, which others read. As JSON the keys are snake_case.
package struct ModelInspection: Hashable, Sendable, Codable {
  /// One layer with weights.
  package struct Layer: Hashable, Sendable, Codable {
    /// The layer's name.
    package let name: String
    /// The weights' dense shape: (out, in), or (out, in, k, k) of a convolution.
    package let shape: [Int]
    /// Connections a position.
    package let density: Double
    /// Active connections.
    package let connections: Int
    /// Bytes in storage: weights, topology and biases.
    package let bytes: Int
    /// Bytes with every position stored.
    package let denseBytes: Int
    /// Units with connections on both sides.
    package let liveUnits: Int
    /// The others.
    package let deadUnits: Int

    private enum CodingKeys: String, CodingKey {
      case name, shape, density, connections, bytes
      case denseBytes = "dense_bytes"
      case liveUnits = "live_units"
      case deadUnits = "dead_units"
    }
  }

  /// The layers, in order.
  package let layers: [Layer]
  /// Inputs of the network from which a connection leads on; of images, channels.
  package let liveInputs: Int
  /// The others.
  package let deadInputs: Int
  /// Connections of all layers.
  package let connections: Int
  /// Positions of all layers.
  package let positions: Int
  /// Connections a position.
  package let density: Double
  /// Bytes in storage.
  package let bytes: Int
  /// Bytes of the dense network.
  package let denseBytes: Int
  /// Live units of all layers.
  package let liveUnits: Int
  /// Dead units of all layers.
  package let deadUnits: Int

  private enum CodingKeys: String, CodingKey {
    case layers, connections, positions, density, bytes
    case liveInputs = "live_inputs"
    case deadInputs = "dead_inputs"
    case denseBytes = "dense_bytes"
    case liveUnits = "live_units"
    case deadUnits = "dead_units"
  }
}

extension Model {
  /// Looks at the network as it is now.
  package func inspect() -> ModelInspection {
    let reads = Reads(plan, isTransitive: false)
    let inputs = reads.inputs
    let layers = weightLayers.map { inspect($0, reads[$0]) }
    let all = inputs?.count ?? (self.layers.takesPlanes ? inputShape.channels : inputShape.count)
    let live = inputs?.count { $0 } ?? all
    let positions = weightLayers.reduce(0) { $0 + $1.inputs * $1.outputs }
    return ModelInspection(
      layers: layers, liveInputs: live, deadInputs: all - live,
      connections: connections, positions: positions,
      density: Double(connections) / Double(max(positions, 1)),
      bytes: layers.reduce(0) { $0 + $1.bytes },
      denseBytes: layers.reduce(0) { $0 + $1.denseBytes },
      liveUnits: layers.reduce(0) { $0 + $1.liveUnits },
      deadUnits: layers.reduce(0) { $0 + $1.deadUnits })
  }

  private func inspect(_ layer: LayerWeights, _ read: [Bool]?) -> ModelInspection.Layer {
    let reached = layer.connections.map { $0.outputDegrees().map { $0 > 0 } }
    let arrive = reached ?? [Bool](repeating: true, count: layer.outputs)
    let live = arrive.indices.count { arrive[$0] && read?[$0] ?? true }
    let accounted = layer.accounted.withConnections(
      layer.count, isStoredSparse: layer.isStoredSparse)
    return ModelInspection.Layer(
      name: layer.name, shape: layer.shape,
      density: Double(layer.count) / Double(layer.outputs * layer.inputs),
      connections: layer.count, bytes: Int(Accounting.real.cost(of: accounted).bytes),
      denseBytes: Int(Accounting.real.cost(of: accounted.dense).bytes), liveUnits: live,
      deadUnits: layer.outputs - live)
  }
}

extension Model {
  /// Units of all layers but the last, of convolutions channels, that are live in the strict sense: a
  /// path of connections leads from the inputs to the unit, and one from it to the outputs.
  ///
  /// These are the units that are left when units without connections on one side are removed with
  /// the connections of their other side, again and again until nothing changes; ``inspect()`` looks
  /// at a unit's own connections only.
  package func liveHiddenUnits() -> Int {
    let (reads, reaches) = (Reads(plan, isTransitive: true), Reaches(plan))
    return weightLayers.dropLast().reduce(0) { sum, layer in
      let (read, reached) = (reads[layer], reaches[layer])
      return sum + (0..<layer.outputs).count { read?[$0] ?? true && reached?[$0] ?? true }
    }
  }
}

/// Which outputs of each layer with weights are read by the next ones. Nil stands for all.
private struct Reads {
  private var byLayer: [ObjectIdentifier: [Bool]] = [:]
  /// Which channels, or values, of the network's input are read.
  private(set) var inputs: [Bool]?

  subscript(_ layer: LayerWeights) -> [Bool]? { byLayer[ObjectIdentifier(layer)] }

  /// Goes through a plan's stages from the last to the first; `isTransitive`: readers must be read
  /// themselves, up to the network's outputs.
  init(_ plan: Plan, isTransitive: Bool) {
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
        // What goes into a sum is not looked after any further, unless readers must be read.
        let channels = plan.values[node.output].shape.channels
        let sum = isTransitive ? own?.joined(into: channels) : nil
        read[plan.blocks[block].main] = .some(sum)
        add(sum, to: plan.blocks[block].shortcut)
      case .layer, .normActivation, .copy:
        if let layer = plan.stages[number].weights {
          let units = own?.joined(into: layer.outputs)
          if let units { byLayer[ObjectIdentifier(layer)] = units }
          let readers = isTransitive ? units : nil
          add(
            isTransitive && layer.layer.isDepthwise ? units : layer.readInputs(by: readers),
            to: node.input)
        } else {
          add(node.fusing.contains(.keepsChannels) ? own : nil, to: node.input)
        }
      }
    }
    inputs = read[0] ?? nil
  }
}

/// Which outputs of each layer with weights a path of connections leads to from the network's inputs.
/// Nil stands for all.
private struct Reaches {
  private var byLayer: [ObjectIdentifier: [Bool]] = [:]

  subscript(_ layer: LayerWeights) -> [Bool]? { byLayer[ObjectIdentifier(layer)] }

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
        if let outputs { byLayer[ObjectIdentifier(layer)] = outputs }
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

extension LayerWeights {
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
