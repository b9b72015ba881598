extension String {
  /// The text as a terminal may show it: what would move its cursor, change its colours or turn the
  /// direction of writing is written as `\u{1B}`. Names of files and classes can hold anything.
  ///
  /// - Parameters:
  ///   - keepsLines: whether line feeds stay as they are.
  ///   - escape: another way to write a scalar.
  package func printable(
    keepsLines: Bool = false,
    escape: (Unicode.Scalar) -> String = {
      "\\u{" + String($0.value, radix: 16, uppercase: true) + "}"
    }
  ) -> String {
    func isHarmless(_ scalar: Unicode.Scalar) -> Bool {
      if keepsLines && scalar == "\n" { return true }
      switch scalar.value {
      case 0..<0x20, 0x7F..<0xA0, 0x2028...0x202E, 0x2066...0x2069: return false
      default: return true
      }
    }
    guard !unicodeScalars.allSatisfy(isHarmless) else { return self }
    var text = ""
    for scalar in unicodeScalars {
      if isHarmless(scalar) {
        text.unicodeScalars.append(scalar)
      } else {
        text += escape(scalar)
      }
    }
    return text
  }
}

/// "1 file", "3 files".
package func counted(_ count: Int, _ what: String, plural: String? = nil) -> String {
  "\(count) \(count == 1 ? what : plural ?? what + "s")"
}

/// The first few of many names, for a message of which they are a detail.
package func firstOf(_ names: [String], most: Int = 5) -> String {
  let more = names.count - most
  return names.prefix(most).joined(separator: ", ") + (more > 0 ? " and \(more) more" : "")
}
