import RigLCore

/// One result of a benchmark: named values in a fixed order, a JSON object or a row of a table.
package struct Record: Sendable {
  /// A value of a result.
  package enum Value: Hashable, Sendable {
    /// Words.
    case text(String)
    /// A count.
    case integer(Int)
    /// A measurement; JSON has six significant digits of it, and null if it is not finite.
    case number(Double)
    /// Several measurements.
    case numbers([Double])
    /// Several counts.
    case integers([Int])
    /// Values with names of their own; only in JSON.
    indirect case object([Field])
    /// Whether something holds.
    case flag(Bool)
    /// Nothing that could be said.
    case none
  }

  /// A value with its name.
  package struct Field: Hashable, Sendable {
    /// The name in JSON; a unit is part of it.
    package let key: String
    /// The value.
    package let value: Value
    /// The head of its column in a table; nil if it is only in JSON.
    package let title: String?
    /// The longest text of its column, as far as it is known before the rows to come.
    package let width: Int

    /// A value with its name.
    package init(_ key: String, _ value: Value, title: String? = nil, width: Int = 0) {
      (self.key, self.value, self.title, self.width) = (key, value, title, width)
    }
  }

  /// How people should see a result.
  package enum Layout: Sendable {
    /// A row of a table with the results before and after it that have the same columns.
    case row
    /// A line for each value.
    case list
  }

  /// The names and values, in order.
  package private(set) var fields: [Field]
  /// How people should see it.
  package let layout: Layout
  /// Whether the record only repeats, in a table, what another one has in JSON.
  package let isOnlyForPeople: Bool

  /// A result of a benchmark, which becomes the first field.
  package init(_ bench: String, layout: Layout = .row, isOnlyForPeople: Bool = false) {
    fields = [Field("bench", .text(bench))]
    self.layout = layout
    self.isOnlyForPeople = isOnlyForPeople
  }

  /// Adds a value.
  package mutating func add(_ key: String, _ value: Value, title: String? = nil, width: Int = 0) {
    trap(unless: !fields.contains { $0.key == key }, "record: two values are called \(key)")
    fields.append(Field(key, value, title: title, width: width))
  }

  /// The value of a name; nil if there is none.
  package subscript(key: String) -> Value? { fields.first { $0.key == key }?.value }
}

// MARK: - As text

extension Record {
  /// The result as a JSON object on one line.
  package var json: String { Value.object(fields).json }

  fileprivate static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": quoted += "\\\""
      case "\\": quoted += "\\\\"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }
}

extension Record.Value {
  /// The value in JSON.
  package var json: String {
    switch self {
    case .text(let text): Record.quoted(text)
    case .integer(let integer): String(integer)
    case .number(let number): number.isFinite ? "\(number.rounded(toDigits: 6))" : "null"
    case .numbers(let numbers):
      "[\(numbers.map { Record.Value.number($0).json }.joined(separator: ", "))]"
    case .integers(let integers): "[\(integers.map(String.init).joined(separator: ", "))]"
    case .object(let fields):
      "{\(fields.map { "\(Record.quoted($0.key)): \($0.value.json)" }.joined(separator: ", "))}"
    case .flag(let flag): String(flag)
    case .none: "null"
    }
  }

  /// The value for people: three or four digits of a measurement.
  package var text: String {
    switch self {
    case .text(let text): text
    case .integer(let integer): String(integer)
    case .number(let number): number.shortText
    case .numbers(let numbers): numbers.map(\.shortText).joined(separator: " ")
    case .integers(let integers): integers.map(String.init).joined(separator: " ")
    case .flag(let flag): flag ? "yes" : "no"
    case .none, .object: "-"
    }
  }
}

extension Double {
  /// Three digits or four, as many as say something.
  fileprivate var shortText: String {
    guard isFinite else { return "-" }
    let size = magnitude
    if size != 0 && size < 0.001 { return scientific(digits: 2) }
    return fixed(self, size < 1 ? 3 : size < 10 ? 2 : size < 100 ? 1 : 0)
  }
}
