import Yams

/// A configuration in the making: settings on top of settings, each by its key.
///
/// Preset, then file, then flags; a later setting wins. Unknown keys and values of the wrong kind
/// are errors.
public struct ConfigurationLayers {
  private var mapping: Node.Mapping
  /// The options that do not reach the result.
  public private(set) var options = RunOptions()

  /// Starts from a configuration: the defaults, or a preset's.
  public init(_ base: Configuration = Configuration()) throws(RigLError) {
    mapping = try base.mapping()
  }

  /// Adds a file's settings. A `preset` in it is what the file builds upon, in the place of the
  /// configuration that these layers started from.
  ///
  /// - Parameters:
  ///   - yaml: the text, a mapping of keys to values.
  ///   - path: the file, for messages.
  public mutating func apply(yaml: String, path: String) throws(RigLError) {
    let node: Node?
    do {
      node = try Yams.compose(yaml: yaml)
    } catch {
      throw RigLError(.configuration, "\(path): not YAML: \(error)")
    }
    guard let node else { return }  // An empty file sets nothing.
    guard let settings = node.mapping else {
      throw RigLError(
        .configuration, "\(path): not a mapping of keys to values", hint: "write KEY: VALUE lines")
    }
    if let name = settings["preset"]?.string {
      mapping = try Preset.find(name).configuration.mapping()
    }
    for (key, value) in settings where key.string != "preset" {
      try set(key.string ?? "", to: value, place: path)
    }
    try check(place: path)
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
    try set(key, to: node, place: nil)
    try check(place: nil)
  }

  /// The configuration so far; its numbers are not checked, see ``Configuration/validate()``.
  public func configuration() throws(RigLError) -> Configuration {
    try decode(place: nil)
  }

  private mutating func set(_ key: String, to value: Node, place: String?) throws(RigLError) {
    if try options.set(key, to: value) { return }
    guard Configuration.Key(rawValue: key) != nil else {
      let keys = Configuration.Key.allCases.map(\.rawValue) + RunOptions.keys
      throw RigLError(
        .configuration, "\(place.map { "\($0): " } ?? "")there is no key '\(key)'",
        hint: nearest(to: key, in: keys).map { "did you mean \($0)?" })
    }
    mapping[Node(key)] = value
  }

  private func check(place: String?) throws(RigLError) { _ = try decode(place: place) }

  private func decode(place: String?) throws(RigLError) -> Configuration {
    do {
      return try YAMLDecoder().decode(Configuration.self, from: Node.mapping(mapping))
    } catch {
      throw RigLError(
        .configuration, "\(place.map { "\($0): " } ?? "")\(ConfigurationLayers.explain(error))")
    }
  }

  private static func explain(_ error: any Error) -> String {
    switch error {
    case DecodingError.typeMismatch(let type, let context),
      DecodingError.valueNotFound(let type, let context):
      return "\(path(context)): not a value of the right kind (\(type))"
    case DecodingError.dataCorrupted(let context):
      let values = allowedValues[path(context)].map { "; one of: \($0)" } ?? ""
      return "\(path(context)): not a possible value\(values)"
    case DecodingError.keyNotFound(let key, _):
      return "\(key.stringValue): missing"
    default:
      return "\(error)"
    }
  }

  private static func path(_ context: DecodingError.Context) -> String {
    context.codingPath.map(\.stringValue).joined(separator: ".")
  }

  /// What settings that are words may say.
  private static let allowedValues: [String: String] = [
    Configuration.Key.method.rawValue: words(Configuration.Method.self),
    Configuration.Key.optimizer.rawValue: words(Configuration.OptimizerKind.self),
    Configuration.Key.schedule.rawValue: words(Configuration.ScheduleKind.self),
    Configuration.Key.newWeights.rawValue: words(Configuration.NewWeights.self),
    Configuration.Key.initializer.rawValue: words(Initializer.Distribution.self),
    Configuration.Key.distribution.rawValue: words(SparsityDistribution.Kind.self),
    Configuration.Key.annealing.rawValue: words(UpdateSchedule.Annealing.self),
  ]

  private static func words<Words: CaseIterable & RawRepresentable>(_ type: Words.Type) -> String
  where Words.RawValue == String {
    type.allCases.map(\.rawValue).joined(separator: ", ")
  }
}

extension RunOptions {
  /// The keys that a file or `--set` may use for these options.
  public static let keys = ["threads", "data_folder", "checkpoint_every", "keep", "log_every"]

  /// Sets an option; false if the key is not one.
  mutating func set(_ key: String, to value: Node) throws(RigLError) -> Bool {
    func count() throws(RigLError) -> Int {
      guard let count = value.int, count >= 1 else {
        throw RigLError(.configuration, "\(key): not a number of at least 1")
      }
      return count
    }
    switch key {
    case "threads": threads = try count()
    case "data_folder": dataFolder = value.string
    case "checkpoint_every": checkpointEvery = try count()
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
      hint: nearest(to: name, in: all.map(\.name)).map { "did you mean \($0)?" }
        ?? "known: \(all.map(\.name).joined(separator: ", "))")
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
  /// - Parameter dataFolder: where the data's files are, if not in the usual place.
  public func yaml(dataFolder: String?) throws(RigLError) -> String {
    var mapping = try mapping()
    if let dataFolder { mapping[Node("data_folder")] = Node(dataFolder) }
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
    func text(_ node: Node?) -> String {
      let text = node.flatMap { try? Yams.serialize(node: $0) } ?? "nothing"
      return text.split(separator: "\n").joined(separator: " ")
    }
    for key in Key.allCases where own[Node(key.rawValue)] != others[Node(key.rawValue)] {
      return (key.rawValue, text(own[Node(key.rawValue)]), text(others[Node(key.rawValue)]))
    }
    return nil
  }

  /// The settings by key, in the order of ``Key``.
  fileprivate func mapping() throws(RigLError) -> Node.Mapping {
    do {
      let text = try YAMLEncoder().encode(self)
      let encoded = try Yams.compose(yaml: text)?.mapping ?? [:]
      var ordered: Node.Mapping = [:]
      for key in Key.allCases {
        guard var value = encoded[Node(key.rawValue)] else { continue }
        if let entries = value.mapping {
          // A dictionary has no order of its own.
          let pairs = entries.sorted { ($0.key.string ?? "") < ($1.key.string ?? "") }
          value = Node.mapping(Node.Mapping(pairs))
        }
        ordered[Node(key.rawValue)] = value
      }
      return ordered
    } catch {
      throw RigLError(.configuration, "the configuration cannot be written as YAML: \(error)")
    }
  }
}
