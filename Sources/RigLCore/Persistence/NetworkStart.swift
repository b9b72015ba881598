/// A trained network that another training starts from: a run's, sparse or dense, or that of a
/// safetensors file.
package struct NetworkStart {
  /// The checkpoint, or the file.
  package let file: SafetensorsFile
  /// The run that the checkpoint is of; nil: the file is no run's.
  package let folder: RunFolder?
  /// What was wrong with newer checkpoints.
  let warnings: [String]

  /// Opens what a training is to start from.
  ///
  /// - Parameter path: a run's folder, whose last checkpoint is taken; one of its checkpoints, as
  ///   `checkpoints/best.safetensors`; or a safetensors file with tensors named as the network's
  ///   parameters: of `rigl export`, or PyTorch's of the same network.
  /// - Throws: `RigLError(.missingFile)` or `.data` for what cannot be read.
  package init(_ path: String) throws(RigLError) {
    if path.hasSuffix(".safetensors") || FileSystem.item(path) == .file {
      file = try SafetensorsFile(path: path)
      try file.verifyChecksum()
      try file.requireNotStripped()
      let above = FileSystem.split(FileSystem.split(path).folder)
      let isCheckpoint = above.name == "checkpoints" && RunFolder.isOne(at: above.folder)
      folder = isCheckpoint ? RunFolder(path: above.folder) : nil
      warnings = []
    } else {
      let run = try RunFolder.open(path)
      let found: CheckpointStore.Latest?
      do throws(RigLError) {
        found = try run.latestCheckpoint()
      } catch {
        let hasBest = FileSystem.item(run.bestPath) == .file
        throw RigLError(
          error.kind, error.what,
          hint: hasBest ? "The best weights may be whole: start from \(run.bestPath)" : nil)
      }
      guard let latest = found else {
        throw RigLError(
          .missingFile, "\(path): the run has no checkpoint to start from",
          hint: "Train it first, by --resume \(path)")
      }
      (folder, file, warnings) = (run, latest.file, latest.warnings)
    }
  }

  /// The settings of the run, and the folder of its data, or the settings in a file that was
  /// exported; nil if the file does not say any.
  package func settings() throws(RigLError) -> SettingsStack? {
    guard let folder else {
      return try configuration().map { (saved) throws(RigLError) in
        try SettingsStack(saved)
      }
    }
    var saved = try SettingsStack()
    try saved.apply(file: folder.configurationPath, isSaved: true)
    var layers = try SettingsStack(try saved.configuration())
    layers.options.dataFolder = saved.options.dataFolder
    return layers
  }

  /// The description of the run's network, if that was made in Swift.
  package func customNetwork() throws(RigLError) -> NetworkDescription? {
    guard let folder else { return try NetworkDescription(in: file.metadata, path: file.path) }
    return try folder.settings().customNetwork
  }

  /// The configuration that the network was trained with; nil if the file does not say.
  private func configuration() throws(RigLError) -> Configuration? {
    guard let text = file.metadata["configuration"] else { return nil }
    // Of a file that is no run's, the names of its tensors must do.
    if folder == nil { return try? Configuration(yaml: text, path: file.path) }
    return try Configuration(yaml: text, path: file.path)
  }
}

// MARK: - What is taken

extension NetworkStart {
  /// The part of the network that a training takes.
  struct Plan {
    let start: NetworkStart
    /// The training's configuration, with the connections that it starts with in
    /// ``Configuration/layerSparsities`` where they are not what its settings come to.
    let configuration: Configuration
    /// The connections that each layer starts with by name, under a method that prunes; nil: what the
    /// configuration says.
    let counts: [String: Int]?
    /// Whether they are not, or ``Configuration/layerSparsities`` are the network's own.
    let setsConnections: Bool
    /// The name of the last layer, if it is drawn anew because the classes are others.
    let fresh: String?
    /// The numbers that pixels went through before the network saw them, if the training goes on
    /// with them: not if its settings ask for others.
    let normalization: PixelNormalization?
    /// The remarks for the user, a line each.
    let remarks: [String]
    /// What the network was trained by and this training does not have; nil: nothing.
    let warning: String?
    /// What a user may not have meant, a line each that begins with a setting's key.
    let warnings: [String]
  }

  /// What a training of a configuration takes of the network.
  ///
  /// - Parameters:
  ///   - network: the training's; `isOwn` says whether it is not the one that the configuration names.
  ///   - layers: those of the network, for the training's samples.
  /// - Throws: `RigLError(.data)` if it is another network than the training's; `.configuration` if
  ///   the training's settings ask for connections that it does not have.
  func plan(
    _ configuration: Configuration, _ network: any Network, isOwn: Bool,
    _ layers: [any WeightLayer], _ data: TrainingData
  ) throws(RigLError) -> Plan {
    let saved = try self.configuration()
    if !isOwn, let saved { try requireSameNetwork(configuration, saved) }
    try requireSameInputs(network, data)
    let fresh = try freshLayer(layers, data)
    let planned = try configuration.allocate(layers)
    let isPruned = configuration.customRules.method == nil && configuration.method.startsLarger
    let (counts, stored) = try connections(
      of: layers, planned, but: fresh?.name, isPruned: isPruned,
      isDense: configuration.method.isDense,
      isInherited: saved?.sparsityDistribution
        == configuration.sparsityDistribution)
    if configuration.method.choosesFromAll, isPruned {
      try requireWhole(planned, counts, configuration.method)
    }
    let isAsPlanned = isPruned || counts == planned.layers.map(\.connections)
    // Those of a network that was started from, too, are in settings that nobody has written.
    let isInherited =
      saved.map {
        !$0.layerSparsities.isEmpty && $0.layerSparsities == configuration.layerSparsities
          && $0.sparsity == configuration.sparsity
      } ?? false
    let own = isAsPlanned ? configuration : configuration.describing(counts, of: layers, planned)
    let allocated = try own.allocate(layers).layers.map(\.connections)
    guard isPruned || allocated == counts else {
      throw RigLError(
        .configuration, "\(file.path): has sparse layers, which method: dense does not",
        hint: NetworkStart.denseHint)
    }
    let isNormalizationOwn = saved.map { $0.normalization != configuration.normalization }
    let normalization = isNormalizationOwn == true ? nil : normalization(data)
    var remarks = [origin(stored, configuration), fresh?.remark].compactMap(\.self)
    if normalization != nil, normalization != data.normalization {
      remarks.append("pixels are normalised as the network was trained, not by this data's numbers")
    }
    return Plan(
      start: self, configuration: own,
      counts: isPruned
        ? Dictionary(zip(layers.map(\.name), counts), uniquingKeysWith: { $1 }) : nil,
      setsConnections: !isAsPlanned || isInherited,
      fresh: fresh?.name, normalization: normalization, remarks: remarks,
      warning: saved.flatMap {
        rulesWarning($0.customRules.missing(in: configuration.customRules))
      },
      warnings: [sizeWarning(configuration, data)].compactMap(\.self))
  }

  /// Says which rules of the network's training, given in Swift, are not given to this one.
  private func rulesWarning(_ missing: [CustomRules.Rule]) -> String? {
    guard !missing.isEmpty else { return nil }
    let isOne = missing.count == 1
    return
      "\(file.path): \(enumeration(missing.map { "its \($0.text)" })) \(isOne ? "was" : "were") "
      + "given in Swift, and \(isOne ? "is" : "are") not given now: this training has the "
      + "configuration's; Trainer takes \(isOne ? "it" : "them") as "
      + enumeration(missing.map { "\($0.argument):" })
  }

  /// The connections that each layer is to have.
  ///
  /// - Parameters:
  ///   - planned: what the settings come to.
  ///   - fresh: the layer of which nothing is taken.
  ///   - isPruned: whether the method prunes, and starts with all that the network has.
  ///   - isDense: whether the training is to have all connections.
  ///   - isInherited: whether the settings of connections are the network's own: they then stand for
  ///     the connections that it has.
  /// - Returns: them, and in all layers of which something is taken, how many that is of how many.
  private func connections(
    of layers: [any WeightLayer], _ planned: SparsityAllocation, but fresh: String?,
    isPruned: Bool, isDense: Bool, isInherited: Bool
  ) throws(RigLError) -> (counts: [Int], stored: (kept: Int, of: Int)) {
    let hasParts = layers.contains { file["\($0.name).weight.values"] != nil }
    var counts: [Int] = []
    var stored = (kept: 0, of: 0)
    for (layer, planned) in zip(layers, planned.layers) {
      if layer.name == fresh {
        counts.append(isPruned ? planned.positions : planned.connections)
        continue
      }
      let count = file["\(layer.name).weight.values"]?.count ?? planned.positions
      guard count <= planned.positions else {
        throw RigLError(
          .data, "\(file.path): layer \(layer.name) has more connections than places")
      }
      var asked = hasParts && isInherited ? count : planned.connections
      try requireConnections(layer, has: count, asked: asked, isDense: isDense)
      // Layers that do not take part stay as the settings have them.
      if isPruned, planned.connections < planned.positions { asked = count }
      counts.append(asked)
      stored = (stored.kept + asked, stored.of + count)
    }
    return (counts, stored)
  }

  /// Throws where a method cannot choose from all positions.
  private func requireWhole(
    _ planned: SparsityAllocation, _ counts: [Int], _ method: Configuration.Method
  ) throws(RigLError) {
    for (layer, count) in zip(planned.layers, counts)
    where layer.connections < layer.positions && count < layer.positions {
      throw RigLError(
        .configuration,
        "\(file.path): layer \(layer.name) has \(count) of \(layer.positions) connections, but method "
          + "\(method.rawValue) chooses from all of them",
        hint: "Start from a dense network, or by another method.")
    }
  }

  private static let denseHint =
    "Write the network with its zeros by rigl export --dense, and start from that file; or choose "
    + "method: static, rigl or set."

  /// Where the network comes from, and how much of it is taken.
  private func origin(
    _ stored: (kept: Int, of: Int), _ configuration: Configuration
  ) -> String {
    let connections =
      stored.kept == stored.of
      ? "\(stored.kept) connections" : "the largest \(stored.kept) of \(stored.of) connections"
    var moves =
      configuration.movesConnections
      ? "; \(configuration.method.rawValue) goes on moving them (method: static would not)" : ""
    if let own = configuration.customRules.method { moves = "; \(own) goes on moving them" }
    return "starts from \(file.path): \(connections), with biases and running averages; optimizer "
      + "and schedules begin anew\(moves)"
  }

  /// Throws if the settings name another network than the file's do.
  private func requireSameNetwork(
    _ own: Configuration, _ saved: Configuration
  ) throws(RigLError) {
    var other = own
    (other.network, other.widthMultiplier) = (saved.network, saved.widthMultiplier)
    other.matchedWidth = saved.matchedWidth
    other.activation = saved.activation
    if own.network == "mlp" || saved.network == "mlp" { other.hidden = saved.hidden }
    guard let key = try own.firstDifference(from: other) else { return }
    throw RigLError(
      .data,
      "\(file.path): holds another network than the settings: \(key.name) is \(key.other) there, "
        + "\(key.own) here",
      hint: folder == nil
        ? "Leave settings of the network out, if rigl export wrote the file, whose settings they then "
          + "are; else set the network as it is there, or make a run of the file by rigl import."
        : "Leave settings of the network out: given --start-from RUN and no preset, they are those of "
          + "the run.")
  }

  /// Throws if the network, made for the samples that it was trained on, takes other inputs.
  private func requireSameInputs(
    _ network: any Network, _ data: TrainingData
  ) throws(RigLError) {
    let own = data.train.sampleShape
    guard let shape = SampleShape(file.metadata["input_shape"]), shape != own else { return }
    func shapes(_ input: SampleShape) -> [String: [Int]] {
      let layers = network.layers(input: input, classes: data.train.classes).weightLayers
      return Dictionary(layers.map { ($0.name, $0.shape) }, uniquingKeysWith: { first, _ in first })
    }
    let (there, here) = (shapes(shape), shapes(own))
    if there == here { return }
    let resized = SampleShape(channels: shape.channels, height: own.height, width: own.width)
    let side =
      shape.channels != own.channels && shapes(resized) == there
      ? "The network takes any height and width, but \(counted(shape.channels, "channel"))."
      : shape.height == shape.width && shape.channels == own.channels
        ? "Bring them to its size by image_size=\(shape.height) (photos) or pad_to=\(shape.height)."
        : "Channels, height and width must be the same for this network."
    throw RigLError(
      .data,
      "\(file.path): was trained on samples of shape \(shape.written); the data has \(own.written)",
      hint: side)
  }

  /// Of samples of another size than those that the network was trained on, if it takes both.
  private func sizeWarning(_ configuration: Configuration, _ data: TrainingData) -> String? {
    let own = data.train.sampleShape
    guard let shape = SampleShape(file.metadata["input_shape"]), shape.count != own.count else {
      return nil
    }
    let isResized = configuration.dataFormat?.takesImageSize ?? false
    let key: Configuration.Key =
      isResized ? .imageSize : configuration.hasCustomData ? .data : .padTo
    let canBePadded = key == .padTo && shape.height > own.height
    let remedy =
      shape.height == shape.width && (isResized || canBePadded)
      ? "; \(key.rawValue)=\(shape.height) keeps its size" : ""
    func text(_ shape: SampleShape) -> String { "\(shape.height) x \(shape.width)" }
    return "\(key.rawValue): the network was trained on images of \(text(shape)), and goes on with "
      + "\(text(own))\(remedy)"
  }

  /// Throws if a layer is to have connections that the file does not.
  private func requireConnections(
    _ layer: any WeightLayer, has count: Int, asked: Int, isDense: Bool
  ) throws(RigLError) {
    guard asked > count else { return }
    throw RigLError(
      .configuration,
      "\(file.path): layer \(layer.name) has \(counted(count, "connection")), but the settings ask "
        + "for \(asked)",
      hint: isDense
        ? NetworkStart.denseHint
        : "Leave method, sparsity and distribution out to keep its connections, or ask for a larger "
          + "sparsity to keep the largest of them.\nTo have more, write the network with its zeros "
          + "by rigl export --dense, and start from that file: some of them become connections.")
  }

  /// The last layer, if the data's classes are others than the file's, and a line that says so.
  private func freshLayer(
    _ layers: [any WeightLayer], _ data: TrainingData
  ) throws(RigLError) -> (name: String, remark: String)? {
    let classes = data.train.classes
    guard let last = layers.last, last.outputs == classes else { return nil }
    let name = "\(last.name).weight"
    let rows =
      file[name]?.shape.first ?? file["\(name).row_offsets"].map { $0.count - 1 } ?? classes
    if rows != classes {
      return (
        last.name,
        "layer \(last.name), the last one, is drawn anew: the network tells \(rows) classes apart, "
          + "the data has \(classes)"
      )
    }
    guard let saved = DataIdentity.classNames(in: file.metadata), saved.count == classes,
      let own = data.train.classNames, own != saved
    else { return nil }
    return (
      last.name,
      "layer \(last.name), the last one, is drawn anew: the network's classes are "
        + "\(firstOf(saved)); the data's are \(firstOf(own))"
    )
  }

  /// The numbers that pixels went through before the network saw them, where they fit the data; nil:
  /// the data's own are taken.
  private func normalization(_ data: TrainingData) -> PixelNormalization? {
    guard data.normalization != nil else { return nil }
    return try? SavedRun.normalization(of: file, channels: data.train.sampleShape.channels)
  }
}

extension Trainer {
  /// Takes the weights of the network that the options name to start from.
  ///
  /// - Throws: `RigLError` where they cannot be taken.
  package func takeStart() throws(RigLError) {
    if let path = options.startFrom { try requireStart(from: path) }
    try requireMatchedWidth()
    try takeTopology()
    guard let plan = try start?.get() else { return }
    if let normalization = plan.normalization, normalization != data.normalization {
      try normalize(by: normalization)
    }
    try model.requireNothingElse(in: plan.start.file)
    let fresh = model.weightLayers.first { $0.name == plan.fresh }
    try model.take(plan.start.file, except: fresh)
  }

  /// Throws where a run that has no checkpoint yet would begin with other weights than its options
  /// say.
  func requireSameStart(as saved: RunOptions) throws(RigLError) {
    try requireSameTopology(as: saved)
    let (own, others) = (options.startFrom, saved.startFrom)
    guard own.map({ absolutePath($0) }) != others.map({ absolutePath($0) }) else { return }
    throw RigLError(
      .configuration,
      "start_from: the run begins with \(others.map { "the network of \($0)" } ?? "drawn weights"), "
        + "and cannot begin with \(own.map { "that of \($0)" } ?? "drawn ones")",
      hint: "Give RunOptions.startFrom as its config.yaml has it.")
  }

  /// What the training starts from, as far as the options name it; a line each.
  ///
  /// - Throws: `RigLError` if that is nothing to start from.
  package func startRemarks() throws(RigLError) -> [String] {
    try [widthMatch?.remark].compactMap(\.self) + (start?.get().remarks ?? [])
      + (topologyStart?.get().remarks ?? [])
  }

  /// What was wrong with newer checkpoints of the run that the training starts from.
  var startWarnings: [String] {
    guard let plan = try? start?.get() else { return [] }
    return plan.start.warnings + [plan.warning].compactMap(\.self)
  }
}
