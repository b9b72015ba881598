import Yams

/// A configuration in the making: settings on top of settings, each by its key.
///
/// Preset, then file, then flags; a later setting wins. Unknown keys and values of the wrong kind
/// are errors.
package struct SettingsStack {
  private var mapping: Node.Mapping
  /// The settings of the base, as written.
  private var base: [String: String]
  /// Where the settings that are not the base's were read, by key.
  private var places: [String: Place] = [:]
  /// The optimizer that the learning rate is for; nil once a rate was asked for, whatever the
  /// optimizer, and empty once the optimizer's own was.
  private var optimizerOfRate: String?
  /// The options that do not reach the result.
  package var options = RunOptions()
  /// What a run's file says of a network that was given in Swift.
  private(set) var customNetwork: NetworkDescription?
  /// What a run's file says of other parts that were given in Swift.
  private var customRules = CustomRules()

  /// Starts from a configuration: the defaults, or a preset's.
  package init(_ base: Configuration = Configuration()) throws(RigLError) {
    mapping = try base.mapping()
    self.base = base.written()
    optimizerOfRate = base.optimizer.rawValue
  }

  /// Replaces all settings so far by a configuration's; options stay.
  package mutating func replace(by base: Configuration) throws(RigLError) {
    mapping = try base.mapping()
    self.base = base.written()
    customNetwork = nil
    customRules = CustomRules()
    places = [:]
    optimizerOfRate = base.optimizer.rawValue
  }

  /// Adds the settings of a file, as ``apply(yaml:path:replacesBase:isSaved:)`` does.
  ///
  /// - Throws: `RigLError(.missingFile)` if it cannot be read, `.data` if it is no text,
  ///   `.configuration` for what it says.
  package mutating func apply(
    file path: String, replacesBase: Bool = true, isSaved: Bool = false
  ) throws(RigLError) {
    try apply(
      yaml: try text(of: path, limit: SettingsText.largest + 1), path: path,
      replacesBase: replacesBase, isSaved: isSaved)
  }

  /// Adds a file's settings. A `preset` in it is what the file builds upon, in the place of the
  /// configuration that these layers started from. Paths in it are relative to its folder.
  ///
  /// - Parameters:
  ///   - yaml: the text, a mapping of keys to values.
  ///   - path: the file.
  ///   - replacesBase: whether a `preset` in the file counts; not where one was asked for by a
  ///     flag, which goes before the file.
  ///   - isSaved: whether it is the configuration of a run, perhaps of an earlier version: without
  ///     a `split` its samples were taken sequentially, without an `adam_correction` Adam's was the
  ///     training's, and its paths may be relative to the working directory. Its data need not be
  ///     there. What it says becomes the base.
  package mutating func apply(
    yaml: String, path: String, replacesBase: Bool = true, isSaved: Bool = false
  ) throws(RigLError) {
    guard let settings = try SettingsStack.mapping(yaml, path: path) else { return }
    try apply(settings, of: path, replacesBase: replacesBase, isSaved: isSaved)
  }

  /// The mapping of keys to values that a file consists of; nil: it is empty.
  ///
  /// - Throws: `RigLError(.configuration)` where it is something else.
  package static func mapping(
    _ yaml: String, path: String
  ) throws(RigLError) -> Node.Mapping? {
    let node: Node?
    do throws(SettingsText.Problem) {
      node = try SettingsText.node(yaml)
    } catch {
      throw RigLError(
        .configuration, "\(Place(path: path, line: error.line).text)\(error.what)",
        hint: error.hint)
    }
    guard let node else { return nil }
    guard let settings = node.mapping else {
      throw RigLError(
        .configuration, "\(path): not a mapping of keys to values", hint: "Write KEY: VALUE lines.")
    }
    return settings
  }

  /// Adds the settings of a mapping, which may be a part of a file, as
  /// ``apply(yaml:path:replacesBase:isSaved:)`` does.
  package mutating func apply(
    _ settings: Node.Mapping, of path: String, replacesBase: Bool = true, isSaved: Bool = false
  ) throws(RigLError) {
    if let value = settings["preset"] {
      let preset = try preset(value, Place(path: path, line: value.mark?.line))
      if replacesBase {
        try replace(by: preset.configuration)
        places[Configuration.Key.network.rawValue] = Place(path: path, line: value.mark?.line)
      }
    }
    if isSaved {
      mapping[Node(Configuration.Key.split.rawValue)] = Node(
        Configuration.Split.sequential.rawValue)
    }
    try apply(settings, path: path, isSaved: isSaved)
    let optimizer = mapping[Node(Configuration.Key.optimizer.rawValue)]?.scalar?.string
    if isSaved, optimizer != Configuration.OptimizerKind.sgd.rawValue,
      !sets(.adamCorrection)
    {
      mapping[Node(Configuration.Key.adamCorrection.rawValue)] = Node(
        Adam.Correction.global.rawValue)
    }
    let configuration = try configuration()
    if isSaved { (base, places) = (configuration.written(), [:]) }
  }

  private mutating func apply(
    _ settings: Node.Mapping, path: String, isSaved: Bool
  ) throws(RigLError) {
    let base = isSaved ? nil : FileSystem.split(path).folder
    // A name of data forgets the folder of what was there before, not the one beside it.
    let data = Configuration.Key.data.rawValue
    if !isSaved, let name = settings[data]?.scalar?.string,
      let folder = settings["data_folder"]?.scalar?.string
    {
      try requireOneFolder(
        absolutePath(name, relativeTo: base), absolutePath(folder, relativeTo: base),
        isName: DatasetFormat.isName(name), place: "\(path): ")
    }
    for (key, value) in settings.filter({ $0.key.string == data })
      + settings.filter({ $0.key.string != data && $0.key.string != "preset" })
    {
      let place = Place(path: path, line: key.mark?.line)
      if isSaved, key.string == data, let name = value.scalar?.string,
        name == Configuration.custom || !DatasetFormat.isName(name) && !folderExists(at: name)
      {
        mapping[Node(data)] = value
        places[data] = place
        continue
      }
      try set(key.string ?? "", to: value, place: place, base: base)
    }
  }

  /// Throws where the data and its folder name two different folders at once.
  private func requireOneFolder(
    _ data: String, _ folder: String, isName: Bool, place: String
  ) throws(RigLError) {
    guard !isName, FileSystem.real(data) != FileSystem.real(folder) else { return }
    throw RigLError(
      .configuration, "\(place)data names the folder \(data), and data_folder \(folder)",
      hint: "Leave one of them out.")
  }

  /// Sets where samples come from and the folder of their files, which a user gave together.
  ///
  /// - Throws: as ``set(data:relativeTo:)``, and where these are two folders.
  package mutating func set(data name: String, folder: String) throws(RigLError) {
    try requireOneFolder(
      absolutePath(name), absolutePath(folder), isName: DatasetFormat.isName(name), place: "")
    try set(data: name)
    options.setDataFolder(folder)
  }

  private func preset(_ value: Node, _ place: Place) throws(RigLError) -> Preset {
    guard let name = value.scalar?.string, !value.isNothing else {
      throw RigLError(
        .configuration,
        "\(place.text)preset: '\(value.written)' is not the name of one")
    }
    do throws(RigLError) {
      return try Preset.find(name)
    } catch {
      throw RigLError(error.kind, "\(place.text)preset: \(error.what)", hint: error.hint)
    }
  }

  /// Adds one setting, as `--set` gives it.
  ///
  /// - Parameters:
  ///   - key: one of ``Configuration/Key``, or of the run options.
  ///   - value: YAML: a number, a word, `[300, 100]`, `{fc1: 0.9}`, `null`.
  package mutating func set(_ key: String, to value: String) throws(RigLError) {
    let node: Node
    do throws(SettingsText.Problem) {
      node = try SettingsText.node(value) ?? Node("")
    } catch {
      throw RigLError(
        .configuration, "\(shortened(key)): '\(shortened(value))' is not a value: \(error.what)",
        hint: error.hint)
    }
    try set(key, to: node, place: Place(), base: nil)
    _ = try configuration()
  }

  /// Sets where samples come from: a name that ``Configuration/data`` may have, or the path of a
  /// folder: of IDX files, of CIFAR's binary files, or of images by class.
  ///
  /// A name forgets the folder of the data that was set before.
  ///
  /// - Parameters:
  ///   - name: the name, or the path.
  ///   - base: the folder that a relative path starts from; nil: the working directory.
  /// - Throws: `RigLError`, `.configuration` or `.missingFile`, where it is neither.
  package mutating func set(data name: String, relativeTo base: String? = nil) throws(RigLError) {
    // A folder may be called custom, too.
    let isFolder =
      name == Configuration.custom && folderExists(at: absolutePath(name, relativeTo: base))
    if DatasetFormat.isName(name), !isFolder {
      if DatasetFormat.named(name)?.recognizes == nil { options.dataFolder = nil }
      mapping[Node(Configuration.Key.data.rawValue)] = Node(name)
      return
    }
    let path = try DatasetFormat.folder(named: name, relativeTo: base)
    if DatasetFormat.recognized(inFolder: path) == nil {
      try MistakenFile.requireClasses(at: path)
    }
    mapping[Node(Configuration.Key.data.rawValue)] = Node(DatasetFormat.ofFolder(path).name)
    options.dataFolder = path
  }

  /// Has connections move as in-time over-parameterization wants it, as far as nothing was set since the
  /// base: rarely, many, and to the end.
  ///
  /// Reference: Liu et al., *Do We Actually Need Dense Over-Parameterization? In-Time
  /// Over-Parameterization in Sparse Training*, ICML 2021. <https://arxiv.org/abs/2102.02887>
  package mutating func moveToTheEnd() throws(RigLError) {
    func key(_ key: Configuration.Key) -> String { key.rawValue }
    if !sets(.updateInterval) { try set(key(.updateInterval), to: "1000") }
    if !sets(.annealing) {
      try set(key(.annealing), to: UpdateSchedule.Annealing.constant.rawValue)
    }
    if !sets(.updateEnd), !sets(.updateForever) {
      try set(key(.updateEnd), to: "null")
      try set(key(.updateForever), to: "true")
    }
  }

  /// Whether a key was set since the base, by a file or otherwise.
  package func sets(_ key: Configuration.Key) -> Bool { places[key.rawValue] != nil }

  /// The configuration so far; its numbers are not checked, see ``Configuration/validate()``.
  package func configuration() throws(RigLError) -> Configuration {
    var mapping = mapping
    // The base's rate is no rate for another optimizer, which then has its own.
    let name = mapping[Node(Configuration.Key.optimizer.rawValue)]?.scalar?.string ?? ""
    if let optimizerOfRate, name != optimizerOfRate,
      let optimizer = Configuration.OptimizerKind(rawValue: name)
    {
      mapping[Node(Configuration.Key.learningRate.rawValue)] = Node(
        "\(optimizer.defaultLearningRate)")
    }
    do {
      var configuration = try Configuration(from: SettingsDecoder(Node.mapping(mapping)))
      configuration.customRules = customRules
      configuration.borrow(base.filter { places[$0.key] == nil })
      if sets(.sparsity) { configuration.assign(.sparsity) }
      return configuration
    } catch let error as SettingError {
      throw explain(error)
    } catch {
      throw RigLError(.configuration, "\(error)")
    }
  }

  private mutating func set(
    _ key: String, to value: Node, place: Place, base: String?
  ) throws(RigLError) {
    if try options.set(key, to: value, place: place.text, base: base) { return }
    if key == Configuration.Key.data.rawValue, let name = value.scalar?.string, !value.isNothing {
      do throws(RigLError) {
        return try set(data: name, relativeTo: base)
      } catch {
        throw RigLError(error.kind, "\(place.text)\(error.what)", hint: error.hint)
      }
    }
    if key == NetworkDescription.key, place.path != nil {
      customNetwork = try NetworkDescription(value, place: place.text)
      return
    }
    if key == CustomRules.key, place.path != nil {
      customRules = try CustomRules(value, place: place.text)
      return
    }
    guard Configuration.Key(rawValue: key) != nil else {
      let keys = Configuration.Key.allCases.map(\.rawValue) + RunOptions.keys
      throw RigLError(
        .configuration, "\(place.text)there is no key '\(shortened(key))'",
        hint: (suggestion(for: key, in: keys).map { "\($0) " } ?? "")
          + "All are listed by: rigl settings")
    }
    mapping[Node(key)] = value
    places[key] = place
    if key == Configuration.Key.learningRate.rawValue {
      optimizerOfRate = value.isNothing ? "" : nil
    }
    // Asked for epochs, a preset with a number of steps of its own trains for epochs.
    if key == Configuration.Key.epochs.rawValue {
      mapping[Node(Configuration.Key.totalSteps.rawValue)] = nil
    }
  }
}

// MARK: - What is wrong with a value

extension SettingsStack {
  /// Where a setting was read.
  private struct Place {
    /// The file; nil: a command's argument.
    var path: String?
    var line: Int?

    /// What a message begins with.
    var text: String {
      path.map { path in "\(path)\(line.map { ", line \($0)" } ?? ""): " } ?? ""
    }
  }

  private func explain(_ error: SettingError) -> RigLError {
    let key = error.path.first ?? ""
    var place = places[key] ?? Place()
    place.line = error.line ?? place.line
    let value = error.value
    let what = "\(place.text)\(key): "
    guard error.words.isEmpty else {
      return RigLError(
        .configuration, "\(what)there is no '\(value)'",
        hint: (key == Configuration.Key.method.rawValue && value == "big-sparse"
          ? "Any sparse method is widened by --big-sparse (big_sparse: true). " : "")
          + "Possible: \(error.words.joined(separator: ", ")).")
    }
    guard error.path.count > 1 else {
      let isInfinite = key == Configuration.Key.clipNorm.rawValue && value.hasSuffix("inf")
      return RigLError(
        .configuration, "\(what)'\(value)' is not \(error.expected)",
        hint: isInfinite ? "Write null for no clipping." : nil)
    }
    let whole = mapping[Node(key)]
    let isNormalization = key == Configuration.Key.normalization.rawValue
    let example = isNormalization ? Configuration.Normalization.example : "{fc1: 0.9}"
    return RigLError(
      .configuration,
      "\(what)'\(value)' in '\(whole?.written ?? "")' is not "
        + error.expected,
      hint: whole?.mapping == nil ? nil : "Write \(example), with a space after the colon.")
  }
}
