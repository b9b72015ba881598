// Numbers as text, as lines of a terminal, pages and records have in common. What only one of these
// needs is with it: `Format.swift` of the command, `Report/Numbers.swift` of the report.

import Foundation

/// A number with a fixed count of decimals: "-1.50".
package func fixed(_ value: Double, _ decimals: Int) -> String {
  String(format: "%.\(decimals)f", value)
}

/// A number with as many significant digits at most: "0.07", "1.2e+06".
package func significant(_ value: Double, digits: Int) -> String {
  String(format: "%.\(digits)g", value)
}

extension Double {
  /// The nearest number with so many significant digits, as 0.07 of 0.7 / 10.
  package func rounded(toDigits digits: Int) -> Double {
    // Through decimal digits, so that 0.1 stays 0.1.
    Double(significant(self, digits: digits)) ?? self
  }
}

/// The digits of a whole number, without its sign, in groups of three: "1,234,567".
package func groupedDigits(_ number: Int, separator: String) -> String {
  let digits = Array(String(number.magnitude))
  var text = ""
  for (index, digit) in digits.enumerated() {
    if index > 0, (digits.count - index).isMultiple(of: 3) { text += separator }
    text.append(digit)
  }
  return text
}

/// A factor of a thousand and its letter.
package struct MetricPrefix: Sendable {
  package let factor: Double
  package let letter: String
  /// "10¹²", where there is a letter to explain.
  package let power: String?

  private static let all = [
    MetricPrefix(factor: 1e18, letter: "E", power: "10¹⁸"),
    MetricPrefix(factor: 1e15, letter: "P", power: "10¹⁵"),
    MetricPrefix(factor: 1e12, letter: "T", power: "10¹²"),
    MetricPrefix(factor: 1e9, letter: "G", power: "10⁹"),
    MetricPrefix(factor: 1e6, letter: "M", power: "10⁶"),
    MetricPrefix(factor: 1e3, letter: "k", power: "10³"),
  ]

  /// The one in which a value has one to three digits before its point, rounded to three digits.
  package init(of value: Double) {
    self =
      Self.all.first { value >= $0.factor * 0.9995 }
      ?? MetricPrefix(factor: 1, letter: "", power: nil)
  }

  private init(factor: Double, letter: String, power: String?) {
    (self.factor, self.letter, self.power) = (factor, letter, power)
  }
}
