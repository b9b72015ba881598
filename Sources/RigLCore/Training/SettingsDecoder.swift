import Yams

/// A value that is not what its setting takes.
struct SettingError: Error {
  /// The setting's key, and those below it.
  let path: [String]
  /// The value, as a message shows it.
  let value: String
  /// The value's line.
  let line: Int?
  /// The expected kind of value, in words.
  let expected: String
  /// The words that it may be, if it is one of some.
  let words: [String]

  init(path: [any CodingKey], value: Node?, expected: String, words: [String] = []) {
    self.path = path.map(\.stringValue)
    self.value = value?.written ?? "nothing"
    line = value?.mark?.line
    (self.expected, self.words) = (expected, words)
  }
}

extension Node {
  /// The value as a user would write it, on one line; of a long one the beginning.
  var written: String { shortened(beginning) }

  /// All of the value as a user would write it, on one line.
  package var oneLine: String {
    if let sequence { return "[\(sequence.map(\.oneLine).joined(separator: ", "))]" }
    if let mapping {
      return "{\(mapping.map { "\($0.key.oneLine): \($0.value.oneLine)" }.joined(separator: ", "))}"
    }
    return isNothing ? "null" : scalar?.string ?? ""
  }

  /// At least as much of the value as a message shows: an element is two characters at the least.
  private var beginning: String {
    if let sequence { return "[\(sequence.prefix(50).map(\.written).joined(separator: ", "))]" }
    if let mapping {
      let pairs = mapping.prefix(50).map { "\($0.key.written): \($0.value.written)" }
      return "{\(pairs.joined(separator: ", "))}"
    }
    return isNothing ? "nothing" : scalar?.string ?? ""
  }

  /// Whether the value is `null`, `~` or nothing at all, and not in quotation marks.
  package var isNothing: Bool {
    guard let scalar, [.any, .plain].contains(scalar.style) else { return false }
    return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
  }

  /// The whole number of decimal digits, with or without a sign; leading zeros mean nothing. Nil for
  /// everything else: other bases, `1e3`, `1_000`, `1:30`.
  package func wholeNumber<Number: FixedWidthInteger>(_ type: Number.Type = Number.self) -> Number?
  {
    scalar.flatMap { Number($0.string) }
  }

  /// The nearest finite number to decimal digits, with or without a sign, point and exponent.
  func number<Number: BinaryFloatingPoint & LosslessStringConvertible>(
    _ type: Number.Type = Number.self
  ) -> Number? {
    // Without letters but e there are no infinities, names of NaN, or hexadecimal digits.
    guard let text = scalar?.string, text.utf8.allSatisfy("0123456789+-.eE".utf8.contains),
      let number = Number(text), number.isFinite
    else { return nil }
    return number
  }

  /// True or false, in YAML's words for them.
  var truth: Bool? {
    switch scalar?.string.lowercased() {
    case "true", "yes", "on": true
    case "false", "no", "off": false
    default: nil
    }
  }
}

/// Reads values of settings by what the settings take, not by what the text looks like: `010` is ten
/// where a number belongs and a name where a name does.
///
/// A single value where a list belongs is a list of one.
struct SettingsDecoder: Decoder {
  private let node: Node
  let codingPath: [any CodingKey]
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  init(_ node: Node, path: [any CodingKey] = []) {
    self.node = node
    codingPath = path
  }

  func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
    guard let mapping = node.mapping else { throw error("a mapping like {fc1: 0.9}") }
    var values: [String: Node] = [:]
    for (key, value) in mapping {
      if let name = key.scalar?.string { values[name] = value }
    }
    return KeyedDecodingContainer(Keyed(values: values, codingPath: codingPath))
  }

  func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
    if let sequence = node.sequence {
      return Unkeyed(elements: Array(sequence), codingPath: codingPath)
    }
    guard node.scalar != nil, !node.isNothing else { throw error("a list like [300, 100]") }
    return Unkeyed(elements: [node], codingPath: codingPath)
  }

  func singleValueContainer() throws -> any SingleValueDecodingContainer { Single(decoder: self) }

  fileprivate func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
    func require(_ value: (some Decodable)?, _ expected: String) throws -> Value {
      guard let value = value as? Value else { throw error(expected) }
      return value
    }
    switch type {
    case is Int.Type: return try require(node.wholeNumber(Int.self), "a whole number")
    case is UInt64.Type:
      return try require(node.wholeNumber(UInt64.self), "a whole number of at least 0")
    case is Double.Type: return try require(node.number(Double.self), "a finite number")
    case is Float.Type: return try require(node.number(Float.self), "a finite number")
    case is Bool.Type: return try require(node.truth, "true or false")
    case is String.Type: return try require(node.isNothing ? nil : node.scalar?.string, "a word")
    default: break
    }
    guard let choices = type as? any CaseIterable.Type else { return try Value(from: self) }
    do {
      return try Value(from: self)
    } catch {
      throw SettingError(path: codingPath, value: node, expected: "a word", words: words(choices))
    }
  }

  private func words<Words: CaseIterable>(_ type: Words.Type) -> [String] {
    type.allCases.compactMap { ($0 as? any RawRepresentable)?.rawValue as? String }
  }

  /// What is wrong with a value that is not what is expected.
  func error(_ expected: String) -> SettingError {
    SettingError(path: codingPath, value: node, expected: expected)
  }

  fileprivate var isNothing: Bool { node.isNothing }
}

/// A place in a list.
private struct ListPlace: CodingKey {
  let intValue: Int?
  var stringValue: String { "\(intValue ?? 0)" }
  init(intValue: Int) { self.intValue = intValue }
  init?(stringValue: String) { nil }
}

private struct Keyed<Key: CodingKey>: KeyedDecodingContainerProtocol {
  let values: [String: Node]
  let codingPath: [any CodingKey]

  var allKeys: [Key] { values.keys.compactMap { Key(stringValue: $0) } }
  func contains(_ key: Key) -> Bool { values[key.stringValue] != nil }
  func decodeNil(forKey key: Key) -> Bool { values[key.stringValue]?.isNothing ?? true }

  func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
    try decoder(key).decode(type)
  }

  func nestedContainer<NestedKey: CodingKey>(
    keyedBy type: NestedKey.Type, forKey key: Key
  ) throws -> KeyedDecodingContainer<NestedKey> {
    try decoder(key).container(keyedBy: type)
  }

  func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
    try decoder(key).unkeyedContainer()
  }

  func superDecoder() throws -> any Decoder {
    throw SettingError(path: codingPath, value: nil, expected: "a value")
  }

  func superDecoder(forKey key: Key) throws -> any Decoder { try decoder(key) }

  private func decoder(_ key: Key) throws -> SettingsDecoder {
    let path = codingPath + [key]
    guard let node = values[key.stringValue] else {
      throw SettingError(path: path, value: nil, expected: "a value")
    }
    return SettingsDecoder(node, path: path)
  }
}

private struct Unkeyed: UnkeyedDecodingContainer {
  let elements: [Node]
  let codingPath: [any CodingKey]
  private(set) var currentIndex = 0

  var count: Int? { elements.count }
  var isAtEnd: Bool { currentIndex >= elements.count }

  mutating func decodeNil() -> Bool {
    guard !isAtEnd, elements[currentIndex].isNothing else { return false }
    currentIndex += 1
    return true
  }

  mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
    try next().decode(type)
  }

  mutating func nestedContainer<NestedKey: CodingKey>(
    keyedBy type: NestedKey.Type
  ) throws -> KeyedDecodingContainer<NestedKey> {
    try next().container(keyedBy: type)
  }

  mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
    try next().unkeyedContainer()
  }

  mutating func superDecoder() throws -> any Decoder { try next() }

  private mutating func next() throws -> SettingsDecoder {
    let path = codingPath + [ListPlace(intValue: currentIndex)]
    guard !isAtEnd else {
      throw SettingError(path: path, value: nil, expected: "a value")
    }
    defer { currentIndex += 1 }
    return SettingsDecoder(elements[currentIndex], path: path)
  }
}

private struct Single: SingleValueDecodingContainer {
  let decoder: SettingsDecoder

  var codingPath: [any CodingKey] { decoder.codingPath }
  func decodeNil() -> Bool { decoder.isNothing }
  func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try decoder.decode(type) }
}
