import RigLCore

/// HTML that is well-formed XML too: whatever a literal interpolates is escaped, markup apart.
///
///     let cell: Markup = "<td>\(name)</td>"
package struct Markup: ExpressibleByStringInterpolation, Sendable {
  /// The text of the elements.
  package private(set) var text: String

  package init(stringLiteral text: String) { self.text = text }
  package init(stringInterpolation: Interpolation) { text = stringInterpolation.text }
  package init() { text = "" }

  package static func += (markup: inout Markup, more: Markup) { markup.text += more.text }
  package static func + (a: Markup, b: Markup) -> Markup {
    var sum = a
    sum += b
    return sum
  }

  /// Whether there is nothing.
  package var isEmpty: Bool { text.isEmpty }

  package struct Interpolation: StringInterpolationProtocol {
    fileprivate var text = ""

    package init(literalCapacity: Int, interpolationCount: Int) {
      text.reserveCapacity(literalCapacity + 8 * interpolationCount)
    }

    package mutating func appendLiteral(_ literal: String) { text += literal }
    package mutating func appendInterpolation(_ string: String) { text += string.escaped }
    package mutating func appendInterpolation(_ number: Int) { text += String(number) }
    package mutating func appendInterpolation(_ markup: Markup) { text += markup.text }
    package mutating func appendInterpolation(_ markups: [Markup]) {
      for markup in markups { text += markup.text }
    }
    /// A coordinate.
    package mutating func appendInterpolation(at value: Double) { text += coordinate(value) }
  }
}

extension String {
  /// The text for elements and attributes. XML has no way to write control characters and
  /// noncharacters: they are named, as terminals show them.
  fileprivate var escaped: String {
    guard !utf8.allSatisfy(\.isPlain) else { return self }
    var text = ""
    for scalar in printable().unicodeScalars {
      switch scalar {
      case "&": text += "&amp;"
      case "<": text += "&lt;"
      case ">": text += "&gt;"
      case "\"": text += "&quot;"
      case "'": text += "&#39;"
      case "\u{FFFE}": text += "\\u{FFFE}"
      case "\u{FFFF}": text += "\\u{FFFF}"
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text
  }
}

extension UInt8 {
  /// Whether it is an ASCII character that means itself everywhere.
  fileprivate var isPlain: Bool {
    switch self {
    case UInt8(ascii: "&"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "\""),
      UInt8(ascii: "'"):
      return false
    default: return (0x20..<0x7F).contains(self)
    }
  }
}
