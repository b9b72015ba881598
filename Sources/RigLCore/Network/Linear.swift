/// y = W x + b with only the connections that exist stored and multiplied.
///
/// Where the sparsity distribution leaves the layer all of its connections (always in a dense
/// network, or without `canBeSparse`), it stores every weight and multiplies by dense products, so
/// that dense layers are not handicapped.
public struct SparseLinear: WeightLayer, PlannedLayer {
  /// The name in files, reports and per-layer settings.
  public let name: String
  /// Features of the input.
  public let inputs: Int
  /// Features of the output.
  public let outputs: Int
  /// Whether there is a bias.
  public let hasBias: Bool
  /// Whether a sparsity distribution may leave out positions.
  public let canBeSparse: Bool
  /// The layer applies activation and dropout to its output.
  public var fusing: Fusing { .appliesEpilogue }

  /// Creates a layer; its connections are drawn when a ``Model`` is made of it.
  public init(
    _ name: String, inputs: Int, outputs: Int, bias: Bool = true, canBeSparse: Bool = true
  ) {
    trap(
      unless: inputs > 0 && outputs > 0,
      "layer \(name): \(inputs) inputs, \(outputs) outputs; it needs at least one of each")
    self.name = name
    self.inputs = inputs
    self.outputs = outputs
    hasBias = bias
    self.canBeSparse = canBeSparse
  }

  /// Sparse products, or dense ones where the layer has all connections; both where their number
  /// changes.
  public func makeStage(_ site: StageSite) throws(RigLError) -> any Stage {
    guard canBeSparse else { return DenseProduct(self, site) }
    if site.isVariable { return try VariableProduct(self, site) }
    if site.connections == inputs * outputs { return DenseProduct(self, site) }
    return try SparseProduct(self, site)
  }
}

// MARK: - In a stripped network

extension SparseLinear {
  package var channelEffect: ChannelEffect { .mixing() }
  /// Nil: a vector has no strips.
  package func strip(of input: SampleShape) -> SampleShape? { nil }
  package var architecture: ArchitectureLayer? { ArchitectureLayer(linear: self) }

  init(_ layer: ArchitectureLayer) throws(RigLError) {
    self.init(
      try layer.requiredName(), inputs: try layer.side(layer.inputs, "inputs"),
      outputs: try layer.side(layer.outputs, "outputs"), bias: layer.hasBias ?? true,
      canBeSparse: layer.canBeSparse ?? true)
  }

  package func resized(inputs: Int, outputs: Int, bias: Bool) -> any Layer {
    SparseLinear(name, inputs: inputs, outputs: outputs, bias: bias, canBeSparse: canBeSparse)
  }
}

extension DenseLinear {
  package var channelEffect: ChannelEffect { .mixing() }
  /// Nil: a vector has no strips.
  package func strip(of input: SampleShape) -> SampleShape? { nil }
  package var architecture: ArchitectureLayer? { ArchitectureLayer(linear: self) }

  /// A linear layer that cannot be sparse.
  package func resized(inputs: Int, outputs: Int, bias: Bool) -> any Layer {
    SparseLinear(name, inputs: inputs, outputs: outputs, bias: bias, canBeSparse: false)
  }
}

extension ArchitectureLayer {
  /// A linear layer.
  fileprivate init(linear layer: some WeightLayer) {
    self.init(.linear, layer)
    inputs = layer.inputs
  }
}

// MARK: - Dense

/// y = W x + b with every weight stored, through dense products: the twin that sparse layers are
/// measured against, and the layer for small or sensitive places of a network.
package struct DenseLinear: WeightLayer, PlannedLayer {
  /// The name in files, reports and per-layer settings.
  package let name: String
  /// Features of the input.
  package let inputs: Int
  /// Features of the output.
  package let outputs: Int
  /// Whether there is a bias.
  package let hasBias: Bool
  /// Every weight exists, whatever the distribution.
  package var canBeSparse: Bool { false }
  /// The layer applies activation and dropout to its output.
  package var fusing: Fusing { .appliesEpilogue }

  /// Creates a layer.
  package init(_ name: String, inputs: Int, outputs: Int, bias: Bool = true) {
    trap(
      unless: inputs > 0 && outputs > 0,
      "layer \(name): \(inputs) inputs, \(outputs) outputs; it needs at least one of each")
    self.name = name
    self.inputs = inputs
    self.outputs = outputs
    hasBias = bias
  }

  /// Dense products.
  package func makeStage(_ site: StageSite) throws(RigLError) -> any Stage {
    DenseProduct(self, site)
  }
}
