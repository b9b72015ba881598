import Foundation
import RigLCore

/// A column of a table of runs: its name in CSV and in JSON, and where a record has its value.
package struct RunColumn: Sendable {
  /// The name.
  package let name: String
  /// Whether no run is without.
  let isRequired: Bool
  /// The cell of a run; empty: it has no such value.
  let cell: @Sendable (RunRecord) -> String
  /// Reads a cell that is not empty; false: it is no such value.
  let read: @Sendable (String, inout RunRecord) -> Bool
  /// The value for JSON; nil: the run has none, or JSON has it elsewhere.
  let value: @Sendable (RunRecord) -> (any Encodable)?

  /// The columns, in their order. Those of settings that most comparisons are about stand first, for
  /// people; `settings` has all that differ from the defaults, and counts.
  package static let all: [RunColumn] = [
    RunColumn("run", \.name, isRequired: true),
    RunColumn(ofSetting: "method"),
    RunColumn(ofSetting: "sparsity"),
    RunColumn(ofSetting: "multiplier"),
    RunColumn(ofSetting: "seed"),
    RunColumn("test_accuracy", \.figures.testAccuracy),
    RunColumn("test_loss", \.figures.testLoss),
    RunColumn("best_test_accuracy", \.figures.bestTestAccuracy),
    RunColumn("training_flops", \.figures.trainingFLOPs),
    RunColumn("inference_flops", \.figures.inferenceFLOPs),
    RunColumn("bytes", \.figures.bytes),
    RunColumn("connections", \.figures.connections),
    RunColumn("positions", \.figures.positions),
    RunColumn("hidden_units", \.figures.hiddenUnits),
    RunColumn("live_units", \.figures.liveUnits),
    RunColumn("explored_share", \.figures.exploredShare),
    RunColumn("seconds", \.figures.seconds),
    RunColumn("was_alone", \.figures.wasAlone),
    RunColumn("peak_memory_bytes", \.figures.peakMemoryBytes),
    RunColumn("program", \.program),
    settings,
  ]

  /// A value that is always there.
  private init<Value: LosslessStringConvertible & Encodable & SendableMetatype>(
    _ name: String, _ path: WritableKeyPath<RunRecord, Value> & Sendable, isRequired: Bool = false
  ) {
    (self.name, self.isRequired) = (name, isRequired)
    cell = { "\($0[keyPath: path])" }
    value = { $0[keyPath: path] }
    read = { text, record in
      guard let value = Value(text) else { return false }
      record[keyPath: path] = value
      return true
    }
  }

  /// A value that a run may be without.
  private init<Value: LosslessStringConvertible & Encodable & SendableMetatype>(
    _ name: String, _ path: WritableKeyPath<RunRecord, Value?> & Sendable
  ) {
    (self.name, isRequired) = (name, false)
    cell = { $0[keyPath: path].map { "\($0)" } ?? "" }
    // An optional is a value itself, which JSON has as null.
    value = { $0[keyPath: path].map { $0 as any Encodable } }
    read = { text, record in
      guard let value = Value(text) else { return false }
      record[keyPath: path] = value
      return true
    }
  }

  /// One of the settings, for people to see.
  private init(ofSetting key: String) {
    (name, isRequired) = (key, false)
    cell = { $0.settings[key] ?? "" }
    value = { _ in nil }
    read = { _, _ in true }
  }

  /// All settings, as one object of JSON.
  private static let settings = RunColumn(
    name: "settings", isRequired: true, cell: { $0.settings.json },
    read: { text, record in
      guard let settings = [String: String](json: text) else { return false }
      record.settings = settings
      return true
    },
    value: { $0.settings })

  private init(
    name: String, isRequired: Bool, cell: @escaping @Sendable (RunRecord) -> String,
    read: @escaping @Sendable (String, inout RunRecord) -> Bool,
    value: @escaping @Sendable (RunRecord) -> (any Encodable)?
  ) {
    (self.name, self.isRequired) = (name, isRequired)
    (self.cell, self.read, self.value) = (cell, read, value)
  }
}

/// A run as JSON: its columns, and how far it has come.
package struct RunLine: Encodable {
  private let record: RunRecord

  package init(_ record: RunRecord) { self.record = record }

  package func encode(to encoder: any Encoder) throws {
    var object = encoder.container(keyedBy: Key.self)
    for column in RunColumn.all {
      if let value = column.value(record) { try object.encode(value, forKey: Key(column.name)) }
    }
    switch record.state {
    case .finished: try object.encode("finished", forKey: "state")
    case .failed(let error):
      try object.encode("failed", forKey: "state")
      try object.encode(error, forKey: "error")
    case .unfinished(let step, let total):
      try object.encode("unfinished", forKey: "state")
      try object.encode(step, forKey: "step")
      if total > 0 { try object.encode(total, forKey: "total_steps") }
    }
  }

  private struct Key: CodingKey, ExpressibleByStringLiteral {
    let stringValue: String
    var intValue: Int? { nil }

    init(_ name: String) { stringValue = name }
    init(stringLiteral name: String) { stringValue = name }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }
}

extension [String: String] {
  /// One object on one line, its keys sorted.
  fileprivate var json: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(self) else { trap("a text that is no JSON") }
    return String(decoding: data, as: UTF8.self)
  }

  fileprivate init?(json: String) {
    guard let value = try? JSONDecoder().decode([String: String].self, from: Data(json.utf8))
    else { return nil }
    self = value
  }
}
