/// What a network is made of: layer by layer, its connections, bytes, live and dead units.
///
/// A unit is an output of a layer: of a convolution, a channel. It is dead if no connection leads to
/// it, or none leads on from it: into the layers with weights that read it next, after pooling and
/// the like. Units need none that leads on if they are the network's outputs, or go into the sum of a
/// residual block, which others read. As JSON the keys are snake_case.
public struct ModelInspection: Hashable, Sendable, Codable {
  /// One layer with weights.
  public struct Layer: Hashable, Sendable, Codable {
    /// The layer's name.
    public let name: String
    /// The weights' dense shape: (out, in), or (out, in, k, k) of a convolution.
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
  /// Inputs of the network from which a connection leads on; of images, channels.
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
    var reads = Reads()
    let inputs = reads.walk(layers.layers, read: nil)
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

  private func inspect(_ layer: any WeightLayer, _ read: [Bool]?) -> ModelInspection.Layer {
    let reached = layer.connections.map { $0.outputDegrees().map { $0 > 0 } }
    let arrive = reached ?? [Bool](repeating: true, count: layer.outputs)
    let live = arrive.indices.count { arrive[$0] && read?[$0] ?? true }
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

/// Which outputs of each layer with weights are read by the next ones. Nil stands for all.
private struct Reads {
  private var byLayer: [ObjectIdentifier: [Bool]] = [:]

  subscript(_ layer: any WeightLayer) -> [Bool]? { byLayer[ObjectIdentifier(layer)] }

  /// Goes through layers from the last to the first; `read` says which channels, or values, of the
  /// last one's output are read. Returns that of the first one's input.
  mutating func walk(_ layers: [any Layer], read: [Bool]?) -> [Bool]? {
    var read = read
    for layer in layers.reversed() {
      switch layer {
      case let layer as any WeightLayer:
        if let read = read?.joined(into: layer.outputs) { byLayer[ObjectIdentifier(layer)] = read }
        read = layer.readInputs
      case let sequence as Sequential: read = walk(sequence.layers, read: read)
      case let block as Residual:
        // What goes into a sum is not looked after any further.
        let main = walk(block.main.layers, read: nil)
        let shortcut = walk(block.shortcut.layers, read: nil)
        read = main.flatMap { main in shortcut.map { zip(main, $0).map { $0 || $1 } } }
      case _ where layer.weightLayers.isEmpty: break  // Keeps its channels.
      default: read = nil
      }
    }
    return read
  }
}

extension [Bool] {
  /// Whether any value of each of `count` channels is true; nil if the values are not those of as
  /// many channels.
  fileprivate func joined(into count: Int) -> [Bool]? {
    guard self.count > 0, self.count % count == 0 else { return nil }
    let length = self.count / count
    return (0..<count).map { self[$0 * length..<($0 + 1) * length].contains(true) }
  }
}

extension WeightLayer {
  /// Whether each input, of a convolution each input channel, has a connection; nil if every one has.
  fileprivate var readInputs: [Bool]? {
    guard let connections else { return nil }
    return connections.inputDegrees().map { $0 > 0 }.joined(into: inputs / connections.taps)
  }
}
