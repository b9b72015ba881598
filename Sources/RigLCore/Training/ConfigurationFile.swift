import Foundation
import Yams

/// A configuration in the making: settings on top of settings, each by its key.
///
/// Preset, then file, then flags; a later setting wins. Unknown keys and values of the wrong kind
/// are errors.
public struct ConfigurationLayers {
  private var mapping: Node.Mapping
  /// The options that do not reach the result.
  public var options = RunOptions()

  /// Starts from a configuration: the defaults, or a preset's.
  public init(_ base: Configuration = Configuration()) throws(RigLError) {
    mapping = try base.mapping()
  }

  /// Replaces all settings so far by a configuration's; options stay.
  public mutating func replace(by base: Configuration) throws(RigLError) {
    mapping = try base.mapping()
  }

  /// Adds the settings of a file, as ``apply(yaml:path:replacesBase:)`` does.
  ///
  /// - Throws: `RigLError(.missingFile)` if it cannot be read, `.data` if it is no text,
  ///   `.configuration` for what it says.
  public mutating func apply(
    file path: String, replacesBase: Bool = true
  ) throws(RigLError) {
    try apply(yaml: try text(of: path), path: path, replacesBase: replacesBase)
  }

  /// Adds a file's settings. A `preset` in it is what the file builds upon, in the place of the
  /// configuration that these layers started from.
  ///
  /// - Parameters:
  ///   - yaml: the text, a mapping of keys to values.
  ///   - path: the file, for messages.
  ///   - replacesBase: whether a `preset` in the file counts; not where one was asked for by a
  ///     flag, which goes before the file.
  public mutating func apply(
    yaml: String, path: String, replacesBase: Bool = true
  ) throws(RigLError) {
    let node: Node?
    do {
      node = try Yams.compose(yaml: yaml)
    } catch {
      throw RigLError(.configuration, "\(path): not YAML: \(ConfigurationLayers.brief(error))")
    }
    guard let node else { return }  // An empty file sets nothing.
    guard let settings = node.mapping else {
      throw RigLError(
        .configuration, "\(path): not a mapping of keys to values", hint: "Write KEY: VALUE lines.")
    }
    if let name = settings["preset"]?.string {
      let preset = try Preset.find(name)
      if replacesBase { try replace(by: preset.configuration) }
    }
    for (key, value) in settings where key.string != "preset" {
      let line = key.mark.map { ", line \($0.line)" } ?? ""
      try set(key.string ?? "", to: value, place: "\(path)\(line): ")
    }
    _ = try decode(place: "\(path): ")
  }

  /// Adds one setting, as `--set` gives it.
  ///
  /// - Parameters:
  ///   - key: one of ``Configuration/Key``, or of the run options.
  ///   - value: YAML: a number, a word, `[300, 100]`, `{fc1: 0.9}`, `null`.
  public mutating func set(_ key: String, to value: String) throws(RigLError) {
    let node: Node
    do {
      node = try Yams.compose(yaml: value) ?? Node("null", Tag(.null))
    } catch {
      throw RigLError(.configuration, "\(key): '\(value)' is not a value")
    }
    try set(key, to: node, place: "")
    _ = try decode(place: "")
  }

  /// Sets where samples come from: a name that ``Configuration/data`` may have, or the path of a
  /// folder: of IDX files, of CIFAR's binary files, or of images by class.
  ///
  /// A name forgets the folder of the data that was set before.
  ///
  /// - Throws: `RigLError`, `.configuration` or `.missingFile`, where it is neither.
  public mutating func set(data name: String) throws(RigLError) {
    let folders = DataSource.namesOfFolders
    if DataSource.names.contains(name) || folders.contains(name) {
      if !folders.contains(name) { options.dataFolder = nil }
      mapping[Node(Configuration.Key.data.rawValue)] = Node(name)
      return
    }
    guard folderExists(at: name) else {
      if name.contains("/") {
        throw RigLError(
          .missingFile, "\(name): there is no such folder",
          hint: "It should hold IDX files named as MNIST's (train-images-idx3-ubyte and so on), "
            + "CIFAR's binary files, or images in folders by class.")
      }
      throw RigLError(
        .configuration, "data: there is nothing named '\(name)', and no such folder",
        hint: "Known: \(DataSource.names.joined(separator: ", ")), and folders of IDX files, of "
          + "CIFAR's, or of images by class.")
    }
    mapping[Node(Configuration.Key.data.rawValue)] = Node(DataSource.kind(ofFolder: name))
    options.setDataFolder(name)
  }

  /// The configuration so far; its numbers are not checked, see ``Configuration/validate()``.
  public func configuration() throws(RigLError) -> Configuration {
    try decode(place: "")
  }

  private mutating func set(_ key: String, to value: Node, place: String) throws(RigLError) {
    if try options.set(key, to: value, place: place) { return }
    guard Configuration.Key(rawValue: key) != nil else {
      let keys = Configuration.Key.allCases.map(\.rawValue) + RunOptions.keys
      throw RigLError(
        .configuration, "\(place)there is no key '\(key)'",
        hint: nearest(to: key, in: keys).map { "Did you mean \($0)?" })
    }
    mapping[Node(key)] = value
    // Asked for epochs, a preset with a number of steps of its own trains for epochs.
    if key == Configuration.Key.epochs.rawValue {
      mapping[Node(Configuration.Key.totalSteps.rawValue)] = nil
    }
  }

  private func decode(place: String) throws(RigLError) -> Configuration {
    do {
      return try YAMLDecoder().decode(Configuration.self, from: Node.mapping(mapping))
    } catch let error as DecodingError {
      throw explain(error, place: place)
    } catch {
      throw RigLError(.configuration, "\(place)\(ConfigurationLayers.brief(error))")
    }
  }
}

// MARK: - What is wrong with a value

extension ConfigurationLayers {
  private func explain(_ error: DecodingError, place: String) -> RigLError {
    let (context, expected): (DecodingError.Context, String?) =
      switch error {
      case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
        (context, ConfigurationLayers.describe(type))
      case .dataCorrupted(let context): (context, nil)
      case .keyNotFound(_, let context): (context, nil)
      @unknown default: (DecodingError.Context(codingPath: [], debugDescription: ""), nil)
      }
    let key = context.codingPath.first?.stringValue ?? ""
    let value = mapping[Node(key)].map(ConfigurationLayers.written) ?? "nothing"
    if let words = ConfigurationLayers.allowedValues[key] {
      return RigLError(
        .configuration, "\(place)\(key): there is no '\(value)'",
        hint: "Possible: \(words.joined(separator: ", ")).")
    }
    let kind = expected ?? "a value for it"
    guard context.codingPath.count > 1 else {
      return RigLError(.configuration, "\(place)\(key): '\(value)' is not \(kind)")
    }
    return RigLError(
      .configuration, "\(place)\(key): '\(value)' has something that is not \(kind)",
      hint: mapping[Node(key)]?.mapping == nil
        ? nil : "Write {fc1: 0.9}, with a space after the colon.")
  }

  private static func describe(_ type: Any.Type) -> String? {
    switch type {
    case is Int.Type: "a whole number"
    case is UInt64.Type: "a whole number of at least 0"
    case is Float.Type, is Double.Type: "a number"
    case is Bool.Type: "true or false"
    case is String.Type: "a word"
    case is [Int].Type, is [Double].Type, is [Any].Type: "a list like [300, 100]"
    case is [String: Double].Type, is [String: Any].Type: "a mapping like {fc1: 0.9}"
    default: nil
    }
  }

  /// What the YAML library says, on one line and without the text around the place.
  private static func brief(_ error: any Error) -> String {
    switch error {
    case YamlError.scanner(_, let problem, let mark, _),
      YamlError.parser(_, let problem, let mark, _),
      YamlError.composer(_, let problem, let mark, _):
      return "line \(mark.line), column \(mark.column): \(problem)"
    case YamlError.reader(let problem, _, _, _):
      return problem
    case YamlError.duplicatedKeysInMapping(let duplicates, let context):
      return "line \(context.mark.line): '\(duplicates.joined(separator: "', '"))' is there twice"
    default:
      return "\(error)".split(separator: "\n").first.map { String($0) } ?? "unreadable"
    }
  }

  /// A value as a user would write it, on one line.
  fileprivate static func written(_ node: Node) -> String {
    if let sequence = node.sequence {
      return "[\(sequence.map(written).joined(separator: ", "))]"
    }
    if let mapping = node.mapping {
      return
        "{\(mapping.map { "\(written($0.key)): \(written($0.value))" }.joined(separator: ", "))}"
    }
    return node.string ?? ""
  }

  /// What settings that are words may say.
  private static let allowedValues: [String: [String]] = [
    Configuration.Key.augmentation.rawValue: words(Configuration.Augmentation.self),
    Configuration.Key.method.rawValue: words(Configuration.Method.self),
    Configuration.Key.optimizer.rawValue: words(Configuration.OptimizerKind.self),
    Configuration.Key.schedule.rawValue: words(Configuration.ScheduleKind.self),
    Configuration.Key.newWeights.rawValue: words(Configuration.NewWeights.self),
    Configuration.Key.initializer.rawValue: words(Initializer.Distribution.self),
    Configuration.Key.distribution.rawValue: words(SparsityDistribution.Kind.self),
    Configuration.Key.annealing.rawValue: words(UpdateSchedule.Annealing.self),
  ]

  private static func words<Words: CaseIterable & RawRepresentable>(_ type: Words.Type) -> [String]
  where Words.RawValue == String {
    type.allCases.map(\.rawValue)
  }
}

extension RunOptions {
  /// The keys that a file or `--set` may use for these options.
  public static let keys = [
    "threads", "data_folder", "start_from", "checkpoint_every", "keep", "log_every",
  ]

  /// Sets the folder of the data, for any working directory.
  public mutating func setDataFolder(_ path: String) {
    dataFolder = absolutePath(path)
  }

  /// Sets an option; false if the key is not one.
  mutating func set(_ key: String, to value: Node, place: String) throws(RigLError) -> Bool {
    func count() throws(RigLError) -> Int {
      guard let count = value.int, count >= 1 else {
        throw RigLError(
          .configuration,
          "\(place)\(key): '\(ConfigurationLayers.written(value))' is not a number of at least 1")
      }
      return count
    }
    switch key {
    case "threads": threads = try count()
    case "start_from": startFrom = value.null == nil ? value.string : nil
    case "data_folder": dataFolder = value.null == nil ? value.string : nil
    case "checkpoint_every": checkpointEvery = value.null == nil ? try count() : nil
    case "keep": keep = try count()
    case "log_every": logEvery = try count()
    default: return false
    }
    return true
  }
}

extension Preset {
  /// The preset of a name.
  ///
  /// - Throws: a configuration error that names the nearest one.
  public static func find(_ name: String) throws(RigLError) -> Preset {
    if let preset = named(name) { return preset }
    throw RigLError(
      .configuration, "there is no preset '\(name)'",
      hint: nearest(to: name, in: all.map(\.name)).map {
        "Did you mean \($0)? Known: \(all.map(\.name).joined(separator: ", "))."
      })
  }
}

extension Configuration {
  /// Reads a configuration from the text of a file that has all keys, or some.
  public init(yaml: String, path: String) throws(RigLError) {
    var layers = try ConfigurationLayers()
    try layers.apply(yaml: yaml, path: path)
    self = try layers.configuration()
  }

  /// The configuration as a file: every key, in the order of ``Key``.
  ///
  /// - Parameter options: adds what the result depends on besides: where the data's files are, if
  ///   not in the usual place, and the model that training starts from.
  public func yaml(_ options: RunOptions? = nil) throws(RigLError) -> String {
    var mapping = try mapping()
    if let folder = options?.dataFolder { mapping[Node("data_folder")] = Node(folder) }
    if let path = options?.startFrom { mapping[Node("start_from")] = Node(path) }
    do {
      return try Yams.serialize(node: Node.mapping(mapping))
    } catch {
      throw RigLError(.configuration, "the configuration cannot be written as YAML: \(error)")
    }
  }

  /// The first key in which another configuration differs, with both values.
  public func firstDifference(
    from other: Configuration
  ) throws(RigLError) -> (name: String, own: String, other: String)? {
    let (own, others) = (try mapping(), try other.mapping())
    func text(_ node: Node?) -> String { node.map(ConfigurationLayers.written) ?? "nothing" }
    for key in Key.allCases where own[Node(key.rawValue)] != others[Node(key.rawValue)] {
      return (key.rawValue, text(own[Node(key.rawValue)]), text(others[Node(key.rawValue)]))
    }
    return nil
  }

  /// The settings by key, in the order of ``Key``.
  fileprivate func mapping() throws(RigLError) -> Node.Mapping {
    do {
      // JSON has the shortest digits that give the same number back, and is YAML.
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      let json = String(decoding: try encoder.encode(self), as: UTF8.self)
      let encoded = try Yams.compose(yaml: json)?.mapping ?? [:]
      var ordered: Node.Mapping = [:]
      for key in Key.allCases {
        if let value = encoded[Node(key.rawValue)] { ordered[Node(key.rawValue)] = plain(value) }
      }
      return ordered
    } catch {
      throw RigLError(.configuration, "the configuration cannot be written as YAML: \(error)")
    }
  }

  /// A value as people write it: words without quotation marks.
  private func plain(_ node: Node) -> Node {
    if let list = node.sequence {
      return Node.sequence(Node.Sequence(list.map(plain), .implicit, .flow))
    }
    guard let scalar = node.scalar else { return node }
    let isWord =
      scalar.string.first?.isLetter ?? false
      && scalar.string.allSatisfy {
        $0.isASCII && ($0.isLetter || $0.isNumber || "_-".contains($0))
      }
    // Not for "null", "yes" and their like.
    guard isWord, Node(scalar.string).tag == Tag(.str) else { return node }
    return Node(scalar.string)
  }
}
