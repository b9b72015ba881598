/// Reads the JSON that safetensors headers are made of: objects, strings and unsigned integers.
///
/// No value nests deeper than the format does, whatever the bytes are, because the caller says what
/// it expects; names that come twice in an object are errors.
struct HeaderScanner {
  private let bytes: [UInt8]
  private(set) var position: Int

  /// Reads from `position` on.
  init(_ bytes: [UInt8], from position: Int) {
    self.bytes = bytes
    self.position = position
  }

  func problem(_ what: String) -> HeaderProblem {
    HeaderProblem("\(what) (at byte \(position))")
  }

  /// Whether a string comes next.
  var isAtString: Bool { peek == UInt8(ascii: "\"") }

  private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpace() {
    while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
      position += 1
    }
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard peek == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func expect(_ character: Unicode.Scalar) throws(HeaderProblem) {
    guard take(character) else { throw problem("expected '\(character)'") }
  }

  /// Checks that nothing but padding follows.
  mutating func expectOnlySpaces() throws(HeaderProblem) {
    skipSpace()
    guard position == bytes.count else { throw problem("something after the header's object") }
  }

  /// Reads an object; `member` reads a value, and gets its name.
  mutating func object(
    _ member: (inout Self, String) throws(HeaderProblem) -> Void
  ) throws(HeaderProblem) {
    try expect("{")
    skipSpace()
    if take("}") { return }
    var names: Set<String> = []
    while true {
      let name = try string()
      guard names.insert(name).inserted else { throw problem("'\(name)' comes twice") }
      skipSpace()
      try expect(":")
      skipSpace()
      try member(&self, name)
      skipSpace()
      if take("}") { return }
      try expect(",")
      skipSpace()
    }
  }

  /// Reads an array of integers, none negative.
  mutating func integers() throws(HeaderProblem) -> [Int] {
    try expect("[")
    skipSpace()
    if take("]") { return [] }
    var integers: [Int] = []
    while true {
      integers.append(try integer())
      skipSpace()
      if take("]") { return integers }
      try expect(",")
      skipSpace()
    }
  }

  private mutating func integer() throws(HeaderProblem) -> Int {
    let start = position
    var value = 0
    while let byte = peek, byte >= 0x30, byte <= 0x39 {
      let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = tens.addingReportingOverflow(Int(byte - 0x30))
      if overflow || carry { throw problem("an integer that is too large") }
      value = sum
      position += 1
    }
    let isPadded = position - start > 1 && bytes[start] == 0x30
    guard position > start, !isPadded else { throw problem("expected an unsigned integer") }
    return value
  }

  /// Reads a string.
  mutating func string() throws(HeaderProblem) -> String {
    try expect("\"")
    var utf8: [UInt8] = []
    while let byte = peek {
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let string = String(validating: utf8, as: UTF8.self) else {
          throw problem("a string that is not UTF-8")
        }
        return string
      case UInt8(ascii: "\\"): utf8.append(contentsOf: String(try escape()).utf8)
      case 0..<0x20: throw problem("a control character in a string")
      default: utf8.append(byte)
      }
    }
    throw problem("a string without an end")
  }

  private mutating func escape() throws(HeaderProblem) -> Character {
    guard let byte = peek else { throw problem("a string without an end") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""): return "\""
    case UInt8(ascii: "\\"): return "\\"
    case UInt8(ascii: "/"): return "/"
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"): return Character(try codePoint())
    default: throw problem("an unknown escape in a string")
    }
  }

  /// Reads the four digits after `\u`, and of a second one where it takes two.
  private mutating func codePoint() throws(HeaderProblem) -> Unicode.Scalar {
    var code = try hexadecimal()
    if code & 0xFC00 == 0xD800, take("\\") {
      try expect("u")
      let low = try hexadecimal()
      guard low & 0xFC00 == 0xDC00 else { throw problem("half a surrogate pair in a string") }
      code = 0x10000 + ((code & 0x3FF) << 10) + (low & 0x3FF)
    }
    guard let scalar = Unicode.Scalar(code) else {
      throw problem("half a surrogate pair in a string")
    }
    return scalar
  }

  private mutating func hexadecimal() throws(HeaderProblem) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = peek, let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80
      else { throw problem("expected four hexadecimal digits") }
      value = value << 4 | UInt32(digit)
      position += 1
    }
    return value
  }
}
