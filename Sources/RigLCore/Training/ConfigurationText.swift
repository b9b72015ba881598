// A configuration as the text of a file, and back.

import Foundation
import Yams

extension Configuration {
  /// Reads the configuration of a run, perhaps of an earlier version, from the text of a file.
  public init(yaml: String, path: String) throws(RigLError) {
    var layers = try SettingsStack()
    try layers.apply(yaml: yaml, path: path, isSaved: true)
    self = try layers.configuration()
  }

  /// The configuration as a file: every key that is set, always in the same order.
  ///
  /// - Parameter options: adds what the run depends on besides: where the data's files are, if
  ///   not in the usual place, the model that training starts from, and how often it writes what.
  public func yaml(_ options: RunOptions? = nil) throws(RigLError) -> String {
    var mapping = try mapping()
    for (key, value) in options?.origin ?? [] { mapping[Node(key)] = value }
    for (key, value) in options?.cadence.settings ?? [] { mapping[Node(key)] = Node(value) }
    if let rules = customRules.node { mapping[Node(CustomRules.key)] = rules }
    do {
      return try Yams.serialize(node: Node.mapping(mapping))
    } catch {
      throw RigLError(.configuration, "the configuration cannot be written as YAML: \(error)")
    }
  }

  /// The settings by key, in the order of ``Key``.
  func mapping() throws(RigLError) -> Node.Mapping {
    do {
      // JSON has the shortest digits that give the same number back, and is YAML.
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      let json = String(decoding: try encoder.encode(self), as: UTF8.self)
      // A mapping looks at all its keys for each that it is asked for: a dictionary does not.
      let encoded = try Yams.compose(yaml: json)?.mapping ?? [:]
      let values = Dictionary(encoded.map { ($0.key.string, Self.plain($0.value)) }) { $1 }
      return Node.Mapping(
        Key.allCases.compactMap { key in
          let value = key == .normalization ? normalization.node : nil
          return (value ?? values[key.rawValue]).map { (Node(key.rawValue), $0) }
        })
    } catch {
      throw RigLError(.configuration, "the configuration cannot be written as YAML: \(error)")
    }
  }

  /// A value as people write it: words without quotation marks.
  static func plain(_ node: Node) -> Node {
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
