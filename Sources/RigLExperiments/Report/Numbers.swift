// Numbers as a page has them, where the library's `NumberText.swift` writes for terminals and files:
// with a true minus sign, thin spaces, and a dash for what is no number.

import Foundation
import RigLCore

/// A number with a fixed count of decimals: "−1.50". It takes the place of the library's function, so
/// that no hyphen comes onto the page.
func fixed(_ value: Double, _ decimals: Int) -> String {
  guard value.isFinite else { return "–" }
  let text = RigLCore.fixed(value.magnitude, decimals)
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
  // Four digits are read at once.
  let separator = number.magnitude < 10_000 ? "" : "\u{202F}"
  return (number < 0 ? "−" : "") + groupedDigits(number, separator: separator)
}

/// A coordinate in a picture, to a tenth: "12.3".
func coordinate(_ value: Double) -> String {
  guard value.isFinite, value.magnitude < 1e6 else { return "0" }
  let tenths = Int((value * 10).rounded())
  let (whole, rest) = tenths.magnitude.quotientAndRemainder(dividingBy: 10)
  return (tenths < 0 ? "-" : "") + (rest == 0 ? "\(whole)" : "\(whole).\(rest)")
}

/// A tick's number: "500", "20 k", "1.5 M".
func short(_ value: Double) -> String {
  if value > 0, value < 0.01 { return String(format: "%.0e", value) }
  let prefix = MetricPrefix(of: value.magnitude)
  let digits = trimmed((value / prefix.factor * 1000).rounded() / 1000)
  return prefix.letter.isEmpty ? digits : "\(digits) \(prefix.letter)"
}
