// Numbers as the report writes them: the same on every machine, with a true minus sign.

import Foundation

/// A number with a fixed count of decimals: "−1.50".
func fixed(_ value: Double, _ decimals: Int) -> String {
  guard value.isFinite else { return "–" }
  let text = String(format: "%.\(decimals)f", value.magnitude)
  let isZero = text.allSatisfy { $0 == "0" || $0 == "." }
  return value < 0 && !isZero ? "−" + text : text
}

/// A number with its sign, "+0.30", and none where it is 0.
func signed(_ value: Double, _ decimals: Int) -> String {
  let text = fixed(value, decimals)
  return text.contains { "123456789".contains($0) } && value > 0 ? "+" + text : text
}

/// A number with as few decimals as it has, at most four: "0.5", "5".
func trimmed(_ value: Double) -> String {
  var text = fixed(value, 4)
  while text.hasSuffix("0") { text.removeLast() }
  if text.hasSuffix(".") { text.removeLast() }
  return text
}

/// A share of 1 as "98 %" or "99.5 %".
func percentage(_ share: Double) -> String { trimmed(100 * share) + " %" }

/// A whole number in groups of three digits, with thin spaces: "1 234 567".
func grouped(_ number: Int) -> String {
  let digits = Array(String(number.magnitude))
  var text = number < 0 ? "−" : ""
  for (index, digit) in digits.enumerated() {
    if index > 0, (digits.count - index).isMultiple(of: 3), digits.count > 4 {
      text.append("\u{202F}")
    }
    text.append(digit)
  }
  return text
}

/// A coordinate in a picture, to a tenth: "12.3".
func coordinate(_ value: Double) -> String {
  guard value.isFinite, value.magnitude < 1e6 else { return "0" }
  let tenths = Int((value * 10).rounded())
  let (whole, rest) = tenths.magnitude.quotientAndRemainder(dividingBy: 10)
  return (tenths < 0 ? "-" : "") + (rest == 0 ? "\(whole)" : "\(whole).\(rest)")
}

/// A factor of a thousand and its letter.
struct MetricPrefix {
  let factor: Double
  let letter: String

  private static let all = [
    (1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1, ""),
  ].map { MetricPrefix(factor: $0.0, letter: $0.1) }

  /// The one in which a value has one to three digits before its point.
  init(of value: Double) {
    self = Self.all.first { value >= $0.factor * 0.9995 } ?? Self.all[Self.all.count - 1]
  }

  private init(factor: Double, letter: String) {
    (self.factor, self.letter) = (factor, letter)
  }

  /// "10¹²", where there is a letter to explain.
  var power: String? {
    let powers = ["k": "10³", "M": "10⁶", "G": "10⁹", "T": "10¹²", "P": "10¹⁵", "E": "10¹⁸"]
    return powers[letter]
  }
}

/// A tick's number: "500", "20 k", "1.5 M".
func short(_ value: Double) -> String {
  if value > 0, value < 0.01 { return String(format: "%.0e", value) }
  let prefix = MetricPrefix(of: value.magnitude)
  let digits = trimmed((value / prefix.factor * 1000).rounded() / 1000)
  return prefix.letter.isEmpty ? digits : "\(digits) \(prefix.letter)"
}
