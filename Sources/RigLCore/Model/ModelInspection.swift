/// What a network is made of: layer by layer, its connections, bytes, live and dead units.
///
/// A unit is an output of a layer. It is dead if no connection leads to it, or none leads on from
/// it; the last layer's units need none that leads on. As JSON the keys are snake_case.
public struct ModelInspection: Hashable, Sendable, Codable {
  /// One layer with weights.
  public struct Layer: Hashable, Sendable, Codable {
    /// The layer's name.
    public let name: String
    /// The weights' dense shape: (out, in).
    public let shape: [Int]
    /// Connections a position.
    public let density: Double
    /// Active connections.
    public let connections: Int
    /// Bytes in storage: weights, topology and biases.
    public let bytes: Int
    /// Bytes with every position stored.
    public let denseBytes: Int
    /// Units with connections on both sides.
    public let liveUnits: Int
    /// The others.
    public let deadUnits: Int

    private enum CodingKeys: String, CodingKey {
      case name, shape, density, connections, bytes
      case denseBytes = "dense_bytes"
      case liveUnits = "live_units"
      case deadUnits = "dead_units"
    }
  }

  /// The layers, in order.
  public let layers: [Layer]
  /// Inputs of the network from which a connection leads on.
  public let liveInputs: Int
  /// The others.
  public let deadInputs: Int
  /// Connections of all layers.
  public let connections: Int
  /// Positions of all layers.
  public let positions: Int
  /// Connections a position.
  public let density: Double
  /// Bytes in storage.
  public let bytes: Int
  /// Bytes of the dense network.
  public let denseBytes: Int
  /// Live units of all layers.
  public let liveUnits: Int
  /// Dead units of all layers.
  public let deadUnits: Int

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
  public func inspect() -> ModelInspection {
    let layers = weightLayers.enumerated().map { index, layer in
      let following = index + 1 < weightLayers.count ? weightLayers[index + 1] : nil
      return inspect(layer, followedBy: following)
    }
    let inputs = weightLayers.first?.usedInputs ?? []
    let positions = weightLayers.reduce(0) { $0 + $1.inputs * $1.outputs }
    return ModelInspection(
      layers: layers, liveInputs: inputs.count { $0 }, deadInputs: inputs.count { !$0 },
      connections: connections, positions: positions,
      density: Double(connections) / Double(max(positions, 1)),
      bytes: layers.reduce(0) { $0 + $1.bytes },
      denseBytes: layers.reduce(0) { $0 + $1.denseBytes },
      liveUnits: layers.reduce(0) { $0 + $1.liveUnits },
      deadUnits: layers.reduce(0) { $0 + $1.deadUnits })
  }

  private func inspect(
    _ layer: any WeightLayer, followedBy following: (any WeightLayer)?
  ) -> ModelInspection.Layer {
    let reached = layer.connections.map { $0.outputDegrees().map { $0 > 0 } }
    let arrive = reached ?? [Bool](repeating: true, count: layer.outputs)
    // Only where the next layer's inputs are these units.
    let next = following.flatMap { $0.inputs == layer.outputs ? $0.usedInputs : nil }
    let live = arrive.indices.count { arrive[$0] && next?[$0] ?? true }
    let accounted = layer.accounted.withConnections(
      layer.weight.count, isStoredSparse: layer.connections != nil)
    return ModelInspection.Layer(
      name: layer.name, shape: layer.shape,
      density: Double(layer.weight.count) / Double(layer.outputs * layer.inputs),
      connections: layer.weight.count, bytes: Int(Accounting.real.cost(of: accounted).bytes),
      denseBytes: Int(Accounting.real.cost(of: accounted.dense).bytes), liveUnits: live,
      deadUnits: layer.outputs - live)
  }
}

extension WeightLayer {
  /// Whether each input has a connection.
  fileprivate var usedInputs: [Bool] {
    connections.map { $0.inputDegrees().map { $0 > 0 } } ?? [Bool](repeating: true, count: inputs)
  }
}
