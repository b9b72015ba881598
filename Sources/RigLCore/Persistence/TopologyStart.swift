/// The connections that a training starts with as files give them: the file's hold for the layers that
/// it has, and the settings' for the others.
struct TopologyStart {
  /// The training's configuration, with the connections of files in
  /// ``Configuration/layerSparsities`` where they are not what its settings come to.
  let configuration: Configuration
  /// The connections that layers of files start with by name, under a method that prunes; nil: what the
  /// configuration says.
  let counts: [String: Int]?
  /// The remarks for the user, a line each.
  let remarks: [String]
  /// The layers of which files give connections, until the training has taken them.
  let layers: GivenLayers

  /// Layers of files, which take as much memory as their connections.
  final class GivenLayers {
    fileprivate(set) var all: [GivenConnections]

    fileprivate init(_ all: [GivenConnections]) { self.all = all }
  }

  /// Reads what files give.
  ///
  /// - Parameters:
  ///   - sources: the files, each `FILE` or `LAYER=FILE`.
  ///   - network: the training's.
  /// - Throws: `RigLError(.missingFile)` or `.data` for a file that is not what it should be;
  ///   `.configuration` for a layer that there is not, or that cannot have its connections.
  init(
    _ sources: [String], _ configuration: Configuration, _ network: Sequential
  ) throws(RigLError) {
    let layers = network.weightLayers
    let isCustom = configuration.customRules.method != nil
    guard configuration.sparsityDistribution != nil else {
      throw RigLError(
        .configuration,
        "topology: method \(configuration.method.rawValue) has every connection, whatever a file says",
        hint: "Choose method: static, or one that moves connections.")
    }
    let planned = try configuration.allocate(layers)
    var given: [GivenConnections] = []
    for source in sources.map(TopologySource.init) {
      for one in try source.connections(of: network, planned) {
        if let other = given.first(where: { $0.layer == one.layer }) {
          throw RigLError(
            .configuration,
            "topology: layer \(one.layer) is in \(other.path) and in \(one.path)",
            hint: "Give each layer once.")
        }
        given.append(one)
      }
    }
    let isPruned = !isCustom && configuration.method.startsLarger
    for one in given {
      guard let index = layers.firstIndex(where: { $0.name == one.layer }) else { continue }
      try configuration.requirePossible(
        one, layers[index], planned.layers[index], isLast: index == layers.count - 1,
        isPruned: isPruned)
    }
    if isPruned, configuration.prunesOnePool {
      try configuration.requireEnough(given, of: layers, planned)
    }
    self.configuration =
      isPruned ? configuration : configuration.describing(given, of: layers, planned)
    counts = isPruned ? Dictionary(given.map { ($0.layer, $0.count) }) { $1 } : nil
    remarks = TopologyStart.remarks(given, planned, isPruned: isPruned)
    self.layers = GivenLayers(given)
  }

  /// A line for each file: what is taken of it.
  private static func remarks(
    _ given: [GivenConnections], _ planned: SparsityAllocation, isPruned: Bool
  ) -> [String] {
    var paths: [String] = []
    for one in given where !paths.contains(one.path) { paths.append(one.path) }
    return paths.map { path in
      let layers = given.filter { $0.path == path }
      let names = layers.map { one in
        let other = planned[one.layer]?.connections ?? one.count
        let rest = isPruned || other == one.count ? "" : ", not the settings' \(other)"
        return "\(one.layer) (\(counted(one.count, "connection"))\(rest))"
      }
      let drawn = layers.filter { !$0.hasValues }.map(\.layer)
      let weights =
        drawn.isEmpty
        ? "with their weights"
        : drawn.count == layers.count
          ? "weights are drawn" : "with their weights, but those of \(firstOf(drawn)) are drawn"
      let others =
        layers.contains { $0.hasValues && $0.isOfNetwork }
        ? "; biases and batch-norm are new: --start-from takes those, too" : ""
      return "topology of \(path): \(firstOf(names)); \(weights)\(others)"
    }
  }
}

extension TopologySource {
  /// Reads the connections of layers.
  ///
  /// - Parameter planned: the connections that the settings come to.
  fileprivate func connections(
    of network: Sequential, _ planned: SparsityAllocation
  ) throws(RigLError) -> [GivenConnections] {
    let layers = network.weightLayers
    let names = layers.map(\.name)
    let named = try layer.map { (name) throws(RigLError) in
      guard let layer = layers.first(where: { $0.name == name }) else {
        throw .unknownNames([name], kind: "layer", in: "topology", valid: names)
      }
      return layer
    }
    switch try format() {
    case .safetensors:
      let file = try SafetensorsFile(path: path)
      try file.verifyChecksum()
      try file.requireNotStripped()
      let given = try connections(of: named.map { [$0] } ?? layers, in: file, names)
      if given.contains(where: \.hasValues) {
        try network.requireSameActivations(
          as: file,
          hint:
            "Set activation as the file's network has it, or give its positions alone: as Matrix "
            + "Market (.mtx) or CSV (.csv).")
      }
      return given
    case .matrixMarket, .csv:
      let isCSV = try format() == .csv
      if let named { return [try GivenConnections.text(path, isCSV: isCSV, of: named)] }
      return [try GivenConnections.text(path, isCSV: isCSV, of: onlySparse(of: layers, planned))]
    }
  }

  private enum Format { case safetensors, matrixMarket, csv }

  /// The kind of file, by its name, or by how it begins.
  private func format() throws(RigLError) -> Format {
    func refuse(_ what: String, _ hint: String) -> RigLError {
      RigLError(.data, "\(path): \(what)", hint: hint)
    }
    if FileSystem.item(path) == .folder {
      throw refuse(
        "a folder; connections come from a file",
        RunFolder.isOne(at: path)
          ? "Name one of its checkpoints: \(path)/checkpoints/step-….safetensors"
          : GivenConnections.formats)
    }
    let start = try naming(.missingFile, "\(path): cannot be read") { () throws(SystemError) in
      try FileSystem.contents(of: path, limit: 512)
    }
    if start.isEmpty { throw refuse("is empty", GivenConnections.formats) }
    if Inflater.isGzip(start) {
      throw refuse("is compressed, which is not read", "Unpack it: gunzip.")
    }
    if MistakenFile.isPointer(start.span) { throw MistakenFile.pointer(path) }
    let name = path.lowercased()
    if name.hasSuffix(".safetensors") { return .safetensors }
    if name.hasSuffix(".mtx") { return .matrixMarket }
    if name.hasSuffix(".csv") { return .csv }
    if start.starts(with: Array("%%MatrixMarket".utf8)) { return .matrixMarket }
    if start.count > 8, start[8] == UInt8(ascii: "{") { return .safetensors }
    throw refuse("neither safetensors, nor Matrix Market, nor CSV", GivenConnections.formats)
  }

  /// The layer of a file that names none: the only one that is sparse.
  private func onlySparse(
    of layers: [any WeightLayer], _ planned: SparsityAllocation
  ) throws(RigLError) -> any WeightLayer {
    let sparse = zip(layers, planned.layers).filter { $1.connections < $1.positions }.map(\.0)
    if sparse.count == 1 { return sparse[0] }
    let choices = sparse.isEmpty ? layers.filter(\.canBeSparse) : sparse
    let example = choices.first?.name ?? "LAYER"
    throw RigLError(
      .configuration,
      "topology: \(path) names no layer, and the network has "
        + (sparse.isEmpty ? "no sparse one" : "\(sparse.count) sparse ones"),
      hint: "Write LAYER=FILE, as \(example)=\(path). Layers: \(listed(choices.map(\.name)))")
  }

  /// Reads layers of a checkpoint or an export.
  private func connections(
    of layers: [any WeightLayer], in file: SafetensorsFile, _ names: [String]
  ) throws(RigLError) -> [GivenConnections] {
    let there = file.layersWithWeights
    let unknown = there.filter { !names.contains($0) }
    if layer == nil, !unknown.isEmpty {
      throw .unknownNames(unknown, kind: "layer", in: path, valid: names)
    }
    var given: [GivenConnections] = []
    for layer in layers {
      if let one = try GivenConnections.tensors(file, of: layer) { given.append(one) }
    }
    guard given.isEmpty else { return given }
    throw RigLError(
      .data, "\(path): has no weights\(layer.map { " of layer \($0)" } ?? "")",
      hint: there.isEmpty ? nil : "Layers in it: \(listed(there))")
  }
}

extension SafetensorsFile {
  /// The names of layers whose weights, or connections, are in the file, sorted.
  fileprivate var layersWithWeights: [String] {
    var names: Set<String> = []
    for tensor in tensors {
      for part in [".weight", ".weight.columns", ".weight.values"]
      where tensor.name.hasSuffix(part) && (part != ".weight" || tensor.shape.count > 1) {
        names.insert(String(tensor.name.dropLast(part.count)))
      }
    }
    return names.sorted()
  }
}

extension Configuration {
  /// Throws where a layer cannot have the connections of a file.
  fileprivate func requirePossible(
    _ given: GivenConnections, _ layer: any WeightLayer, _ planned: LayerSparsity, isLast: Bool,
    isPruned: Bool
  ) throws(RigLError) {
    func refuse(_ what: String, _ hint: String) -> RigLError {
      RigLError(.configuration, "\(given.path): layer \(layer.name) \(what)", hint: hint)
    }
    let has = "has \(counted(given.count, "connection"))"
    if !given.isWhole, !layer.canBeSparse {
      throw refuse(
        "\(has) of \(planned.positions), but cannot be sparse",
        "Its kind is always dense; name another layer.")
    }
    if !given.isWhole, isLast, lastLayerDense {
      throw refuse(
        "\(has) of \(planned.positions), but last_layer_dense leaves it dense",
        "Set last_layer_dense: false.")
    }
    if isPruned {
      // In one pool layers end with any number.
      if prunesOnePool, planned.connections < planned.positions { return }
      if method.choosesFromAll, planned.connections < planned.positions, !given.isWhole {
        throw refuse(
          "\(has) of \(planned.positions), but method \(method.rawValue) chooses from all of them",
          "Give all positions, or choose another method.")
      }
      guard given.count >= planned.connections else {
        throw refuse(
          "\(has), but the settings end with \(planned.connections)",
          "Raise the sparsity, or give more positions.")
      }
    } else if asksForConnections(of: layer.name), given.count != planned.connections {
      throw refuse(
        "\(has), but the settings ask for \(planned.connections)",
        "Leave the sparsity out for the file's connections. layer_sparsities set other layers'.")
    }
  }

  /// Whether who trains has said how many connections a layer is to have.
  private func asksForConnections(of layer: String) -> Bool {
    let chosen = chosen
    return assigns(.sparsity) || chosen.contains(.sparsity)
      || chosen.contains(.layerSparsities) && layerSparsities[layer] != nil
      || chosen.contains(.layerSparsityFactors) && layerSparsityFactors[layer] != nil
  }

  /// The configuration with the connections of files in ``layerSparsities``, unless its settings come
  /// to the same. The other layers keep those of the settings, whose budget is not shared out anew.
  fileprivate func describing(
    _ given: [GivenConnections], of layers: [any WeightLayer], _ planned: SparsityAllocation
  ) -> Configuration {
    let counts = planned.layers.map { layer in
      given.first { $0.layer == layer.name }?.count ?? layer.connections
    }
    return mapping(counts, of: layers, planned)
  }

  /// Throws where a pool that is pruned would begin with fewer connections than it is to end with.
  fileprivate func requireEnough(
    _ given: [GivenConnections], of layers: [any WeightLayer], _ planned: SparsityAllocation
  ) throws(RigLError) {
    let initial = try allocateInitially(layers)
    var (first, last) = (0, 0)
    for layer in planned.layers where layer.connections < layer.positions {
      let own = given.first { $0.layer == layer.name }?.count
      first += own ?? initial?[layer.name]?.connections ?? layer.positions
      last += layer.connections
    }
    guard first < last else { return }
    throw RigLError(
      .configuration,
      "topology: the sparse layers begin with \(counted(first, "connection")) together, but the settings "
        + "end with \(last)", hint: "Raise the sparsity, or give more positions.")
  }

  /// Whether layers are pruned in one pool.
  fileprivate var prunesOnePool: Bool {
    customRules.method == nil && method.prunes && (topologyScope ?? method.scope) == .global
  }

  /// The sparsity that comes to so many connections: in the middle of those that do, so that no rounding
  /// matters.
  func sparsity(leaving connections: Int, of positions: Int) -> Double {
    let zeros = positions - connections
    return zeros == 0 ? 0 : (Double(zeros) + 0.5) / Double(positions)
  }
}

extension RunOptions {
  /// What the files of ``topology`` give, or why they cannot; nil: there are none.
  func topologyStart(
    _ configuration: Configuration, _ network: Sequential
  ) -> Swift.Result<TopologyStart, RigLError>? {
    guard !topology.isEmpty else { return nil }
    return Swift.Result { () throws(RigLError) in
      if let startFrom {
        throw RigLError(
          .configuration,
          "topology: excludes start_from (\(startFrom)), whose network has connections of its own",
          hint: "Leave one of them out.")
      }
      return try TopologyStart(writtenTopology, configuration, network)
    }
  }
}

extension Trainer {
  /// Throws where a run that has no checkpoint yet would begin with the connections of other files.
  func requireSameTopology(as saved: RunOptions) throws(RigLError) {
    let (own, others) = (options.writtenTopology, saved.writtenTopology)
    guard own != others else { return }
    func text(_ sources: [String]) -> String {
      sources.isEmpty ? "drawn connections" : "those of \(firstOf(sources))"
    }
    throw RigLError(
      .configuration,
      "topology: the run begins with \(text(others)), and cannot begin with \(text(own))",
      hint: "Give RunOptions.topology as its config.yaml has it.")
  }

  /// Takes the connections, and their weights, that files give.
  ///
  /// - Throws: `RigLError` where they cannot be taken.
  func takeTopology() throws(RigLError) {
    guard let given = try topologyStart?.get() else { return }
    let scratch = TopologyScratch(layers: model.sparseLayers)
    for one in given.layers.all {
      guard let index = model.weightLayers.firstIndex(where: { $0.name == one.layer }) else {
        continue
      }
      model.weightLayers[index].take(
        one, scratch: scratch, initializer: configuration.weightInitializer,
        random: CounterRandom(seed: configuration.seed, purpose: .weights, layer: index))
    }
    given.layers.all = []
    model.weightsDidChange()
  }
}
