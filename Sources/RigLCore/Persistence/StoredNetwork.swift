/// A run's weights as its checkpoint has them, where only Swift can make the network: what can be
/// said of them, and exported, without the layers.
package struct StoredNetwork {
  /// A layer with weights.
  package struct Layer: Hashable, Encodable {
    /// The layer's name.
    package let name: String
    /// The weights' dense shape: (out, in), or (out, in, k, k) of a convolution.
    package let shape: [Int]
    /// Connections a position.
    package let density: Double
    /// Active connections.
    package let connections: Int
    /// Bytes in storage: weights, topology and bias.
    package let bytes: Int

    /// Positions of the dense shape.
    package var positions: Int { shape.reduce(1, *) }
  }

  /// What the run's files say of the network.
  package let description: NetworkDescription
  /// The layers with weights, in order.
  package let layers: [Layer]
  /// The step of the checkpoint.
  package let step: Int
  /// Prunings of a lottery ticket by then; nil of a run without rounds.
  package let round: Int?
  /// What was wrong with newer checkpoints.
  package let warnings: [String]
  /// The path of the checkpoint.
  package var checkpointPath: String { file.path }
  /// The size of its file.
  package var checkpointBytes: Int { file.size }
  /// Connections of all layers.
  package var connections: Int { layers.reduce(0) { $0 + $1.connections } }

  private let file: SafetensorsFile

  /// Opens a run folder.
  ///
  /// - Parameter best: take the weights that were best on the validation samples.
  /// - Returns: nil if the run's network has a name, or was described by no version.
  /// - Throws: `RigLError` as ``SavedRun``.
  package init?(_ path: String, best: Bool) throws(RigLError) {
    (file, warnings) = try SavedRun.open(try RunFolder.open(path), best: best)
    guard let description = try NetworkDescription(in: file.metadata, path: file.path) else {
      return nil
    }
    self.description = description
    let state = try TrainingState.decode(file.metadata["state"], path: file.path)
    (step, round) = (state.weightSteps, state.round)
    var layers: [Layer] = []
    for layer in description.allLayers {
      guard let name = layer.name, let shape = layer.weight else { continue }
      layers.append(try StoredNetwork.layer(name, shape, hasBias: layer.hasBias ?? false, in: file))
    }
    self.layers = layers
  }

  private static func layer(
    _ name: String, _ shape: [Int], hasBias: Bool, in file: SafetensorsFile
  ) throws(RigLError) -> Layer {
    let (positions, outputs) = (shape.reduce(1, *), shape[0])
    let sparse = file["\(name).weight.values"]
    if sparse == nil {
      try file.require("\(name).weight", .float32, shape: shape)
    } else {
      try file.require("\(name).weight.row_offsets", .int64, shape: [outputs + 1])
    }
    let connections = sparse?.count ?? positions
    guard connections <= positions else {
      throw RigLError(.data, "\(file.path): layer \(name) has more connections than places")
    }
    let counted = AccountedLayer.linear(
      name, inputs: positions / outputs, outputs: outputs, hasBias: hasBias
    ).withConnections(connections, isStoredSparse: sparse != nil)
    return Layer(
      name: name, shape: shape, density: Double(connections) / Double(positions),
      connections: connections, bytes: Int(Accounting.real.cost(of: counted).bytes))
  }
}

// MARK: - Exporting

extension StoredNetwork {
  /// Writes the network as ``SavedRun/export(to:isDense:)`` does, with the same bytes.
  ///
  /// - Throws: as it; `.data` for a checkpoint that is damaged.
  package func export(to path: String, isDense: Bool) throws(RigLError) {
    let names = file.tensors.map(\.name).filter(isOfNetwork)
    let sparse = layers.filter { isDense && file["\($0.name).weight.values"] != nil }
    let parts = Set(sparse.flatMap { layer in Self.parts.map { "\(layer.name).weight.\($0)" } })
    let copied = names.filter { !parts.contains($0) }
    let configuration = try Configuration(
      yaml: file.metadata["configuration"] ?? "", path: file.path)
    var writer = try SafetensorsWriter.export(
      to: path,
      tensors: copied.compactMap { file[$0] }
        + sparse.map { SafetensorsTensor("\($0.name).weight", .float32, shape: $0.shape) },
      metadata: try configuration.exportMetadata(
        step: step, input: file.metadata["input_shape"] ?? "",
        classes: file.metadata["classes"] ?? "", normalization: file.metadata["normalization"],
        description, activations: file.metadata[Model.activationsKey]))
    for name in copied {
      let bytes = try file.bytes(name)
      try writer.append(bytes: unsafe bytes.span.bytes, to: name)
    }
    for layer in sparse { try write(layer, to: &writer) }
    try writer.finish()
  }

  private static let parts = ["values", "columns", "row_offsets"]

  /// Whether a tensor belongs to the network: not an optimizer's slot, nor what topology updates keep.
  private func isOfNetwork(_ name: String) -> Bool {
    guard let dot = name.lastIndex(of: ".") else { return true }
    let (owner, part) = (String(name[..<dot]), String(name[name.index(after: dot)...]))
    if file["\(owner).values"] != nil { return Self.parts.contains(part) }
    return file[owner] == nil
  }

  /// Writes a sparse weight with its zeros.
  private func write(_ layer: Layer, to writer: inout SafetensorsWriter) throws(RigLError) {
    let (name, outputs) = ("\(layer.name).weight", layer.shape[0])
    try requireMemory(4 * Double(layer.positions / outputs), for: "a row of \(name)")
    let weights = try SparseWeights(
      name: layer.name, outputs: outputs, inputs: layer.positions / outputs,
      connections: layer.connections, lanes: Tensor.lanes(forBatch: 1))
    try weights.readParts(of: file, scratch: TopologyScratch(layers: [weights]))
    try weights.writeDense(to: &writer, as: name)
  }
}
