import Yams

extension Configuration {
  /// The configuration as a file in which settings without a value have a line too, a comment that
  /// says what holds instead.
  ///
  /// - Parameter options: as for ``yaml(_:)``.
  package func listing(_ options: RunOptions) throws(RigLError) -> String {
    let lines = try yaml(options).split(separator: "\n")
    // A setting's lines: the one that begins with its key, and those below that are set in.
    var blocks: [String: String] = [:]
    var key = ""
    for line in lines {
      if let first = line.first, !" -".contains(first) {
        key = String(line.prefix { $0 != ":" })
      }
      blocks[key, default: ""] += line + "\n"
    }
    let keys = Key.allCases.map(\.rawValue) + RunOptions.savedKeys
    return keys.map { key in
      let unset = SettingReference.all.first { $0.key == key }?.unset
      return blocks[key] ?? "# \(key): unset (\(unset ?? "no value"))\n"
    }.joined()
  }

  /// The settings that another configuration has otherwise: "epochs: 2 (there 20)".
  package func differences(from other: Configuration) -> [String] {
    let (own, others) = (written(), other.written())
    return Key.allCases.map(\.rawValue).filter { own[$0] != others[$0] }.map {
      "\($0): \(own[$0] ?? "unset") (there \(others[$0] ?? "unset"))"
    }
  }

  /// The first key in which another configuration differs, with both values.
  package func firstDifference(
    from other: Configuration
  ) throws(RigLError) -> (name: String, own: String, other: String)? {
    let (own, others) = (try mapping(), try other.mapping())
    func text(_ node: Node?) -> String { node?.written ?? "nothing" }
    for key in Key.allCases where own[Node(key.rawValue)] != others[Node(key.rawValue)] {
      return (key.rawValue, text(own[Node(key.rawValue)]), text(others[Node(key.rawValue)]))
    }
    return nil
  }

  /// The settings without a value.
  package func unset() throws(RigLError) -> [Key] {
    let mapping = try mapping()
    return Key.allCases.filter { mapping[Node($0.rawValue)] == nil }
  }

  /// The settings that differ from the defaults, by key, each on one line; `null` where there is no value.
  ///
  /// - Parameter others: settings that are there even if they are the defaults.
  package func changed(and others: [Key] = []) throws(RigLError) -> [String: String] {
    let own = try oneLines()
    var changed: [String: String] = [:]
    for key in Key.allCases {
      let (value, usual) = (own[key.rawValue], Self.usualLines[key.rawValue])
      if value != usual || others.contains(key) { changed[key.rawValue] = value ?? "null" }
    }
    return changed
  }

  /// The defaults that have a value.
  private static let usualLines = (try? Configuration().oneLines()) ?? [:]

  /// The settings that have a value, by key, each on one line.
  private func oneLines() throws(RigLError) -> [String: String] {
    let lines = try mapping().map { ($0.key.string ?? "", $0.value.oneLine) }
    return Dictionary(uniqueKeysWithValues: lines)
  }

  /// The settings that have a value, by key, as a file has them.
  func written() -> [String: String] {
    // A configuration that cannot be encoded is no one's to mend.
    guard let mapping = try? mapping() else { trap("not encodable") }
    let settings = mapping.map { ($0.key.string ?? "", $0.value.written) }
    return Dictionary(uniqueKeysWithValues: settings)
  }
}
