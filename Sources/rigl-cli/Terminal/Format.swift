// Numbers as people read them on a terminal, which may know ASCII alone: what is more than the
// `NumberText.swift` of the library.

import Foundation
import RigLCore

/// A share of 1: 0.8812 is "88.12 %".
///
/// More decimals than asked for where fewer would say nothing or all: 0.99998 is "99.998 %", for it
/// is not all, and 0.00001 is "0.001 %".
func percent(_ share: Double, _ decimals: Int = 2) -> String {
  var (text, more) = (fixed(100 * share, decimals), decimals)
  let isPart = share > 0 && share < 1
  while isPart, text.isNothingOrAll, more < 15 {
    more += 1
    text = fixed(100 * share, more)
  }
  guard isPart, text.isNothingOrAll else { return text + " %" }
  return "< \(fixed(pow(10, -Double(decimals)), decimals)) %"
}

extension String {
  /// Whether these digits are those of 0 or 100.
  fileprivate var isNothingOrAll: Bool { [0, 100].contains(Double(self)) }
}

/// A whole number in groups of three digits: "1,234,567".
func grouped(_ number: Int) -> String {
  (number < 0 ? "-" : "") + groupedDigits(number, separator: ",")
}

/// Bytes in units of 1024: "12.3 MiB".
func byteCount(_ bytes: Int) -> String {
  var (value, unit) = (Double(bytes), 0)
  let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]
  while value >= 1024, unit < units.count - 1 { (value, unit) = (value / 1024, unit + 1) }
  return "\(unit == 0 ? String(bytes) : fixed(value, value < 100 ? 1 : 0)) \(units[unit])"
}

/// Three digits and a factor of a thousand: "61.2k", "1.07M".
func metric(_ value: Double) -> String {
  let prefix = MetricPrefix(of: value)
  let scaled = value / prefix.factor
  let isWhole = prefix.letter.isEmpty && value == value.rounded()
  let decimals = isWhole ? 0 : scaled < 9.995 ? 2 : scaled < 99.95 ? 1 : 0
  return fixed(scaled, decimals) + prefix.letter
}

/// A time: "0:42", "1:02:03", "2 d 3 h".
func duration(_ seconds: Double) -> String {
  guard seconds.isFinite, seconds < 1e9 else { return "for ever" }
  let whole = Int(seconds.rounded(.up))
  let (hours, minutes) = (whole / 3600, whole / 60 % 60)
  if hours >= 48 { return "\(hours / 24) d \(hours % 24) h" }
  let rest = String(format: "%02d", whole % 60)
  return hours == 0 ? "\(minutes):\(rest)" : String(format: "%d:%02d:", hours, minutes) + rest
}

/// JSON with sorted keys in snake case, of several lines unless it has to be one.
func jsonText(_ value: some Encodable, onOneLine: Bool = false) throws -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  encoder.keyEncodingStrategy = .convertToSnakeCase
  if !onOneLine { encoder.outputFormatting.insert(.prettyPrinted) }
  // Better than no result because of one number.
  encoder.nonConformingFloatEncodingStrategy = .convertToString(
    positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
  let text = String(decoding: try encoder.encode(value), as: UTF8.self)
  // JSON allows these in strings, but a terminal need not see them.
  return text.printable(keepsLines: true) { scalar in
    let digits = String(scalar.value, radix: 16)
    return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
  }
}
