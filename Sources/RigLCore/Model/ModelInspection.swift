/// The make-up of a network: layer by layer, its connections, bytes, live and dead units.
///
/// A unit is an output of a layer: of a convolution, a channel; live and dead as ``LiveUnits`` says. As
/// JSON the keys are snake_case.
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
    /// Inputs that a path of connections joins to the network's inputs, and through the layer to its
    /// outputs; of a convolution, channels.
    package let liveInputs: Int
    /// Outputs that paths of connections join to both.
    package let liveUnits: Int
    /// The others.
    package let deadUnits: Int

    private enum CodingKeys: String, CodingKey {
      case name, shape, density, connections, bytes
      case denseBytes = "dense_bytes"
      case liveInputs = "live_inputs"
      case liveUnits = "live_units"
      case deadUnits = "dead_units"
    }
  }

  /// The layers, in order.
  package let layers: [Layer]
  /// Inputs of the network from which a path of connections leads to its outputs; of images, channels.
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
    let live = liveUnits()
    let layers = zip(weightLayers, live.layers).map { inspect($0, $1) }
    let positions = weightLayers.reduce(0) { $0 + $1.inputs * $1.outputs }
    return ModelInspection(
      layers: layers, liveInputs: live.inputs, deadInputs: live.allInputs - live.inputs,
      connections: connections, positions: positions,
      density: Double(connections) / Double(max(positions, 1)),
      bytes: layers.reduce(0) { $0 + $1.bytes },
      denseBytes: layers.reduce(0) { $0 + $1.denseBytes },
      liveUnits: layers.reduce(0) { $0 + $1.liveUnits },
      deadUnits: layers.reduce(0) { $0 + $1.deadUnits })
  }

  private func inspect(_ layer: LayerWeights, _ live: LiveUnits.Layer) -> ModelInspection.Layer {
    let accounted = layer.accounted.withConnections(
      layer.count, isStoredSparse: layer.isStoredSparse)
    return ModelInspection.Layer(
      name: layer.name, shape: layer.shape,
      density: Double(layer.count) / Double(layer.outputs * layer.inputs),
      connections: layer.count, bytes: Int(Accounting.real.cost(of: accounted).bytes),
      denseBytes: Int(Accounting.real.cost(of: accounted.dense).bytes),
      liveInputs: live.inputs, liveUnits: live.outputs, deadUnits: layer.outputs - live.outputs)
  }
}
