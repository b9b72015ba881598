/// A file that gives connections: of the layer that is named before it, or of those that it names
/// itself.
package struct TopologySource: Hashable, Sendable {
  /// The layer's name; nil: the file's to say.
  package let layer: String?
  /// The path of the file.
  package let path: String

  /// Reads `FILE` or `LAYER=FILE`; a path that has an equals sign itself needs a slash before it, as in
  /// `./a=b.mtx`.
  package init(_ text: String) {
    let name = text.prefix { $0 != "=" }
    guard name.count < text.count, !name.isEmpty, !name.contains("/") else {
      (layer, path) = (nil, text)
      return
    }
    (layer, path) = (String(name), String(text.dropFirst(name.count + 1)))
  }

  /// The source as a user writes it, for any working directory.
  ///
  /// - Parameter base: the folder that a relative path starts from; nil: the working directory.
  func written(relativeTo base: String? = nil) -> String {
    (layer.map { "\($0)=" } ?? "") + absolutePath(path, relativeTo: base)
  }
}

/// The connections that a file gives a layer, and their weights if it has some.
final class GivenConnections {
  /// The layer's name.
  let layer: String
  /// The path of the file.
  let path: String
  /// The number of connections, at least 1.
  let count: Int
  /// Whether the file is a network's, and not a text of one layer.
  let isOfNetwork: Bool
  /// Whether the layer has every position.
  let isWhole: Bool
  /// The increasing positions (output · inputs + input); none where all are there.
  let positions: AlignedBuffer<Int64>
  /// The weights in the order of positions; none where the file has none.
  let values: AlignedBuffer<Float>

  /// The kinds of files that are read.
  static let formats =
    "Connections come from safetensors, Matrix Market (.mtx) or CSV (.csv) files."

  private init(
    _ layer: any WeightLayer, _ path: String, positions: consuming AlignedBuffer<Int64>,
    values: consuming AlignedBuffer<Float>, isOfNetwork: Bool = true, isWhole: Bool = false
  ) {
    (self.layer, self.path, self.isOfNetwork) = (layer.name, path, isOfNetwork)
    let places = layer.inputs * layer.outputs
    let hasAll = isWhole || positions.count == places
    count = hasAll ? places : positions.count
    if hasAll { positions = AlignedBuffer(count: 0) }
    self.isWhole = hasAll
    self.positions = positions
    self.values = values
  }

  /// Whether the file has weights.
  var hasValues: Bool { values.count > 0 }

  /// Reads the connections of a layer from a text.
  ///
  /// - Throws: `RigLError`, `.missingFile` or `.data`.
  static func text(
    _ path: String, isCSV: Bool, of layer: any WeightLayer
  ) throws(RigLError) -> GivenConnections {
    let size = ConnectionTable.Size(
      name: layer.name, outputs: layer.outputs, inputs: layer.inputs)
    let table =
      isCSV
      ? try ConnectionTable(csv: path, size) : try ConnectionTable(matrixMarket: path, size)
    return GivenConnections(
      layer, path, positions: AlignedBuffer(table.positions), values: AlignedBuffer(table.values),
      isOfNetwork: false)
  }

  /// Reads the connections of a layer from a checkpoint or an export.
  ///
  /// - Returns: nil if the file does not have the layer.
  /// - Throws: `RigLError`, `.missingFile` or `.data`.
  static func tensors(
    _ file: SafetensorsFile, of layer: any WeightLayer
  ) throws(RigLError) -> GivenConnections? {
    let name = "\(layer.name).weight"
    if file[name] != nil { return try dense(file, name, layer) }
    guard file["\(name).columns"] != nil || file["\(name).values"] != nil else { return nil }
    let count = try file.require("\(name).columns").count
    guard count <= layer.inputs * layer.outputs else {
      throw RigLError(
        .data, "\(file.path): layer \(layer.name) has more connections than places")
    }
    guard count > 0 else { throw withoutConnections(file, layer) }
    let positions = try SparseWeights.positions(
      in: file, of: name, outputs: layer.outputs, inputs: layer.inputs, count: count)
    guard file["\(name).values"] != nil else {
      return GivenConnections(
        layer, file.path, positions: positions, values: AlignedBuffer(count: 0))
    }
    let values = try GivenConnections.weights(file, "\(name).values", shape: [count])
    return GivenConnections(layer, file.path, positions: positions, values: values)
  }

  /// Reads a weight that is there with every position: whole, or with its zeros where there is no
  /// connection.
  private static func dense(
    _ file: SafetensorsFile, _ name: String, _ layer: any WeightLayer
  ) throws(RigLError) -> GivenConnections {
    try file.requireFloats(name, shape: layer.shape)
    let weights = try GivenConnections.weights(file, name, shape: layer.shape)
    // Beside sparse layers, and in a checkpoint, a layer without parts is one with all connections.
    let isWhole =
      !layer.canBeSparse || file.metadata["state"] != nil
      || file.tensors.contains { $0.name.hasSuffix(".columns") }
    var count = 0
    for position in 0..<weights.count where weights[position] != 0 { count += 1 }
    guard !isWhole, count < weights.count else {
      return GivenConnections(
        layer, file.path, positions: AlignedBuffer(count: 0), values: weights, isWhole: true)
    }
    guard count > 0 else { throw withoutConnections(file, layer) }
    var positions = AlignedBuffer<Int64>(count: count)
    var values = AlignedBuffer<Float>(count: count)
    var next = 0
    for position in 0..<weights.count where weights[position] != 0 {
      (positions[next], values[next]) = (Int64(position), weights[position])
      next += 1
    }
    return GivenConnections(layer, file.path, positions: positions, values: values)
  }

  private static func weights(
    _ file: SafetensorsFile, _ name: String, shape: [Int]
  ) throws(RigLError) -> AlignedBuffer<Float> {
    var values = AlignedBuffer<Float>(count: shape.reduce(1, *))
    try file.readFloats(name, shape: shape, into: &values)
    for index in 0..<values.count where !values[index].isFinite {
      throw RigLError(
        .data, "\(file.path): \(name) holds \(values[index]), which no network can use")
    }
    return values
  }

  private static func withoutConnections(
    _ file: SafetensorsFile, _ layer: any WeightLayer
  ) -> RigLError {
    RigLError(
      .data,
      "\(file.path): layer \(layer.name) has no connections; a layer needs one at the least")
  }
}

extension LayerWeights {
  /// Takes connections, and their weights, or draws these anew.
  func take(
    _ given: GivenConnections, scratch: TopologyScratch, initializer: Initializer,
    random: CounterRandom
  ) {
    guard let connections else {
      trap(unless: given.isWhole, "layer \(name): has all connections")
      guard given.hasValues else { return }
      for position in 0..<weight.count {
        weight.values[place(of: position)] = given.values[position]
      }
      return
    }
    if given.isWhole {
      var all = AlignedBuffer<Int64>(count: given.count)
      for position in 0..<given.count { all[position] = Int64(position) }
      connections.assign(ascending: all, scratch: scratch)
    } else {
      connections.assign(ascending: given.positions, scratch: scratch)
    }
    if given.hasValues {
      connections.setWeights(given.values)
    } else {
      initializer.initialize(self, random: random)
    }
  }
}
