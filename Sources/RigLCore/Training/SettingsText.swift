import Yams

/// The YAML of settings: as much of the language as settings need, and nothing that makes a small
/// file large or a plain number something else.
///
/// There are no anchors, aliases and tags; see ``SettingsDecoder`` for what scalars mean.
enum SettingsText {
  /// The most bytes of a text.
  static let largest = 1 << 20

  /// What is wrong with a text, and where.
  struct Problem: Error {
    var line: Int?
    let what: String
    var hint: String?
  }

  /// The node of a text; nil for a text without any.
  static func node(_ text: String) throws(Problem) -> Node? {
    guard text.utf8.count <= largest else {
      throw Problem(what: "larger than 1 MB", hint: "Settings are a few lines.")
    }
    // A byte-order mark says nothing about UTF-8.
    let hasMark = text.unicodeScalars.first == "\u{FEFF}"
    let text = hasMark ? String(text.unicodeScalars.dropFirst()) : text
    guard places(ofAliasesIn: text) <= mostAliases else { throw Problem(what: anchors) }
    do {
      // The library's own rules for what is a number would be those of YAML 1.1: none are used.
      let parser = try Parser(yaml: text, resolver: .basic)
      // Nodes do not keep their anchors alive.
      return try withExtendedLifetime(parser) {
        let node = try parser.singleRoot()
        if let node { try check(node) }
        return node
      }
    } catch let problem as Problem {
      throw problem
    } catch {
      throw Problem(error)
    }
  }

  private static let anchors = "settings have no anchors (&NAME) and aliases (*NAME)"

  /// Aliases are found after parsing; but parsing compares keys, and with aliases of aliases in them
  /// that would not end. Of so few as these it does.
  private static let mostAliases = 16

  /// The number of places that look like an alias, of which some may be in quotation marks.
  private static func places(ofAliasesIn text: String) -> Int {
    var (count, isStart, isAfterStar) = (0, true, false)
    for byte in text.utf8 {
      let isBlank = byte == UInt8(ascii: " ") || (9...13).contains(byte)
      if isAfterStar && !isBlank { count += 1 }
      isAfterStar = isStart && byte == UInt8(ascii: "*")
      isStart = isBlank || "[{,:?-".utf8.contains(byte)
    }
    return count
  }

  private static func check(_ node: Node) throws(Problem) {
    let line = node.mark?.line
    // An anchor comes before its aliases, and so this ends before it meets one.
    if node.anchor != nil {
      throw Problem(line: line, what: anchors, hint: "Write the value where it belongs.")
    }
    if let tag = foreignTag(of: node) {
      throw Problem(line: line, what: "settings have no tags (\(shortened(tag)))")
    }
    for element in node.sequence ?? [] { try check(element) }
    for (key, value) in node.mapping ?? [:] {
      guard key.anchor == nil, let name = key.scalar?.string, !name.isEmpty else {
        throw Problem(line: key.mark?.line ?? line, what: "a key that is not a word")
      }
      try check(value)
    }
  }

  /// The tag of a node, unless it is none or that of a quoted text.
  private static func foreignTag(of node: Node) -> String? {
    let tag: Tag
    switch node {
    case .scalar(let scalar): tag = scalar.tag
    case .sequence(let sequence): tag = sequence.tag
    case .mapping(let mapping): tag = mapping.tag
    case .alias: return nil
    }
    let known: [Tag.Name] = [.implicit, .nonSpecific, .str, .seq, .map]
    return known.map(\.rawValue).contains(tag.rawValue) ? nil : tag.rawValue
  }
}

extension SettingsText.Problem {
  /// What the YAML library says, on one line and without the text around the place.
  fileprivate init(_ error: any Error) {
    switch error {
    case YamlError.scanner(_, let problem, let mark, _),
      YamlError.parser(_, let problem, let mark, _),
      YamlError.composer(_, let problem, let mark, _):
      self.init(line: mark.line, what: "not YAML: column \(mark.column): \(problem)")
    case YamlError.reader(let problem, let offset, _, let yaml):
      let line = offset.map { yaml.utf8.prefix($0).count { $0 == UInt8(ascii: "\n") } + 1 }
      self.init(line: line, what: "not YAML: \(problem)")
    case YamlError.duplicatedKeysInMapping(let duplicates, let context):
      let names = duplicates.prefix(3).map { "'\(shortened($0))'" }.joined(separator: ", ")
      self.init(line: context.mark.line, what: "\(names) is there twice")
    default:
      self.init(what: "not YAML: \(shortened("\(error)"))")
    }
  }
}

/// A text for a message: on one line, and of at most 80 characters.
func shortened(_ text: String) -> String {
  let most = 80
  let start = text.prefix(most + 1).map { $0.isNewline ? " " : $0 }
  return String(start.count <= most ? start[...] : start.prefix(most - 1) + ["…"])
}
