// A run whose network or samples were given in Swift: its files say so, and only Swift can give them
// again. Nothing trains or evaluates another network, or other samples, in their place.

extension Configuration {
  /// What ``network`` and ``data`` are where they were given in Swift, not named.
  package static let custom = "custom"

  /// Whether the network is one that was given in Swift.
  package var hasCustomNetwork: Bool { network == Configuration.custom }
  /// Whether the samples were given in Swift.
  package var hasCustomData: Bool { data == Configuration.custom }

  /// The configuration with another one's names of parts that were given in Swift.
  func withCustomParts(of other: Configuration) -> Configuration {
    var copy = self
    if other.hasCustomNetwork { copy.network = Configuration.custom }
    if other.hasCustomData { copy.data = Configuration.custom }
    return copy
  }

  /// The error for a network that has no name to be made by.
  static func needsNetwork(_ place: String) -> RigLError {
    RigLError(
      .configuration, "\(place): the network was made in Swift, and only Swift can make it again",
      hint: "Give it there as network: to Trainer, SavedRun or NetworkImport, or name another one.")
  }

  /// The error for samples that have no name to be loaded by.
  static let needsData = RigLError(
    .configuration, "data: custom: the samples were given in Swift, and are in no file",
    hint: "Name others (--data SOURCE), or give them in Swift: as data: to Trainer, or to "
      + "SavedRun(…).evaluate(samples).")

  /// Throws for a network or samples that were given in Swift and are not given now; one error for
  /// both.
  func requireGiven(network: Bool, data: Bool) throws(RigLError) {
    let (needsNetwork, needsData) = (hasCustomNetwork && !network, hasCustomData && !data)
    if needsNetwork && needsData {
      throw RigLError(
        .configuration,
        "network: custom, data: custom: both were given in Swift, and only Swift can give them again",
        hint: "Give them there to Trainer, as network: and data:.")
    }
    if needsNetwork { throw Configuration.needsNetwork("network: custom") }
    if needsData { throw Configuration.needsData }
  }

  /// Takes samples that were given: they are the configuration's own if they were loaded by it,
  /// unchanged, and else custom.
  mutating func take(_ data: TrainingData, _ options: inout RunOptions) {
    if let origin = data.origin,
      let (named, folder) = try? namingData(folder: options.dataFolder),
      origin.settings == named.dataSettings, folder == nil || folder == origin.folder
    {
      (self, options.dataFolder) = (named, origin.folder)
    } else {
      self.data = Configuration.custom
    }
  }

  /// The settings that say which samples there are, and what they go through.
  var dataSettings: [String: String] {
    let keys = Set(SettingReference.all.filter { $0.section == .data }.map(\.key))
    return written().filter { keys.contains($0.key) }
  }

  /// Takes a network that was given: it is the configuration's own if it has the same type and
  /// layers.
  ///
  /// - Parameter named: the configuration's own; nil: it names none.
  /// - Returns: the description of a custom one; nil: it is the configuration's own.
  mutating func take(
    _ network: any Network, _ layers: Sequential, named: (any Network)?, input: SampleShape,
    classes: Int
  ) throws(RigLError) -> NetworkDescription? {
    let description = try NetworkDescription(network, layers, input: input, classes: classes)
    if let named, type(of: named) == type(of: network),
      try NetworkDescription(named, input: input, classes: classes) == description
    {
      return nil
    }
    self.network = Configuration.custom
    return description
  }
}

// MARK: - Runs

extension RunFolder {
  /// Throws where Swift alone can go on with the run.
  ///
  /// - Parameter epochs: by how many the run is to be made longer; nil: not at all.
  package func requireNothingCustom(extendingBy epochs: Int? = nil) throws(RigLError) {
    let saved = try settings()
    let configuration = try saved.configuration()
    let (network, data) = (configuration.hasCustomNetwork, configuration.hasCustomData)
    let rules = configuration.customRules.given
    guard network || data || !rules.isEmpty else { return }
    let type = saved.customNetwork.map { " (\($0.type))" } ?? ""
    let own = [network ? "its network\(type)" : nil, data ? "its samples" : nil].compactMap(\.self)
    let parts = own + rules.map { "its \($0.text)" }
    let arguments =
      ([network ? "network" : nil, data ? "data" : nil].compactMap(\.self)
      + rules.map(\.argument)).map { "\($0): …" }.joined(separator: ", ")
    let isOne = parts.count == 1 && !data
    throw RigLError(
      .configuration,
      "\(path): \(enumeration(parts)) \(isOne ? "was" : "were") given in Swift, and only Swift can go "
        + "on with the run",
      hint: epochs.map {
        "There: Trainer(extending: \"\(path)\", by: \($0), \(arguments)).run()"
      } ?? "There: Trainer(configuration, \(arguments)).resume(\"\(path)\")")
  }

  /// Whether the run's network was given in Swift, and no command can make it.
  package func hasCustomNetwork() throws(RigLError) -> Bool {
    try settings().configuration().hasCustomNetwork
  }

  /// What `config.yaml` says.
  func settings() throws(RigLError) -> SettingsStack {
    var layers = try SettingsStack()
    try layers.apply(yaml: try configuration(), path: configurationPath, isSaved: true)
    return layers
  }

  /// Has `config.yaml` say that network or samples were given in Swift, where an earlier version
  /// began the run and has not. Only for whoever has the run's lock.
  func noteCustomParts(of trainer: Trainer) throws(RigLError) {
    let layers = try settings()
    let before = try layers.configuration()
    var configuration = before.withCustomParts(of: trainer.configuration)
    configuration.customRules = before.customRules.filled(from: trainer.configuration.customRules)
    guard configuration != before || configuration.customRules != before.customRules else { return }
    let text = try configuration.yaml(layers.options, network: trainer.customNetwork)
    try AtomicFile.write(text, to: configurationPath, followsLinks: false)
  }
}

extension Trainer {
  /// Throws where a run was begun with another network or other samples than this training has, as
  /// far as names and layers show; ``DataIdentity`` compares the samples themselves.
  ///
  /// - Parameters:
  ///   - saved: the run's configuration.
  ///   - description: that of its network, if it was given in Swift.
  ///   - file: the run's checkpoint; nil: there is none yet.
  /// - Returns: the run's configuration with this training's names for them.
  func requireSameParts(
    as saved: Configuration, _ description: NetworkDescription?, _ file: SafetensorsFile?,
    path: String
  ) throws(RigLError) -> Configuration {
    func refuse(_ what: String, _ hint: String) -> RigLError {
      RigLError(.configuration, "\(path): \(what)", hint: hint)
    }
    if saved.hasCustomData && !configuration.hasCustomData {
      throw refuse(
        "the run's samples were given in Swift, and \(configuration.data) cannot go on in their "
          + "place", "Give the same samples to Trainer, as data:.")
    }
    switch (saved.hasCustomNetwork, configuration.hasCustomNetwork) {
    case (true, false):
      let type = description.map { " (\($0.type))" } ?? ""
      throw refuse(
        "the run's network\(type) was made in Swift, and \(configuration.network) cannot go on "
          + "in its place", "Give the same network to Trainer, as network:.")
    case (true, true):
      if let customNetwork { try description?.requireSame(as: customNetwork, path: path) }
    case (false, true) where try file.map(saved.isNetwork(of:)) ?? true:
      throw refuse(
        "the run's network is \(saved.network), and one made in Swift cannot go on in its place",
        "Leave out network:, or begin another run.")
    default: break
    }
    return saved.withCustomParts(of: configuration)
  }

  /// Throws where a training would start from the weights of a network that was made in Swift, and
  /// has another one.
  func requireStart(from path: String) throws(RigLError) {
    let item = FileSystem.item(path)
    // What is not there, whoever opens it says.
    guard item != .nothing, customNetwork == nil else { return }
    let description =
      item == .folder
      ? try RunFolder.open(path).settings().customNetwork
      : try NetworkDescription(in: SafetensorsFile(path: path).metadata, path: path)
    if let description { throw .networkToStartFrom(path, description) }
  }
}

extension Configuration {
  /// The layers of the network that this configuration names, as a file may have them.
  ///
  /// - Throws: `RigLError(.data)` if the file is too small for them; as ``makeNetwork()``.
  func layers(
    in file: SafetensorsFile, input: SampleShape, classes: Int
  ) throws(RigLError) -> Sequential {
    let network = try makeNetwork()
    // Units have biases as soon as there are layers.
    if let mlp = network as? MLP {
      guard mlp.hidden.allSatisfy({ $0 <= file.size }), mlp.hidden.reduce(0, +) <= file.size else {
        throw RigLError(.data, "\(file.path): its settings are of a network larger than the file")
      }
    }
    return network.layers(input: input, classes: classes)
  }

  /// Whether a checkpoint is of the network that this configuration names: then its layers' weights
  /// are there. Of a network given in Swift, earlier versions have saved a name that is not its own.
  func isNetwork(of file: SafetensorsFile) throws(RigLError) -> Bool {
    guard let shape = SampleShape(file.metadata["input_shape"]),
      let classes = Int(file.metadata["classes"] ?? ""), (1...1 << 24).contains(classes)
    else { return false }
    guard let layers = try? layers(in: file, input: shape, classes: classes) else { return false }
    return (try? Model.connections(of: layers.weightLayers, in: file)) != nil
  }
}

extension RigLError {
  /// The error for a training that would start from the weights of a network that was made in Swift,
  /// and has another one.
  package static func networkToStartFrom(
    _ path: String, _ description: NetworkDescription?
  ) -> RigLError {
    let type = description.map { " (\($0.type))" } ?? ""
    return RigLError(
      .configuration,
      "start_from: \(path): its network\(type) was made in Swift, and no other can start in its place",
      hint: "In Swift: Trainer(startingFrom: \"\(path)\", network: …).run()")
  }
}
