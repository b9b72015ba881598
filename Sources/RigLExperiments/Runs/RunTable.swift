import Foundation
import RigLCore

/// The finished runs of a sweep: a CSV file with a line for each, of its settings, seed, program and
/// figures.
///
/// It is written whole after every run, under its name only once the disk has it; so a run is in it or
/// not, whatever ends the process.
package struct RunTable {
  /// The path of the file.
  package let path: String
  /// The runs, in the order in which they finished.
  package private(set) var records: [RunRecord]

  /// Reads a table; one that is not there has no runs.
  ///
  /// - Throws: `RigLError(.data)` with the line for what is no such table.
  package init(path: String) throws(RigLError) {
    self.path = path
    guard FileSystem.item(path) != .nothing else {
      records = []
      return
    }
    guard let rows = CSVText.rows(try text(of: path)) else {
      throw RigLError(.data, "\(path): a quotation mark is not closed")
    }
    records = try RunTable.records(rows, path)
  }

  /// Adds a run and writes the file.
  ///
  /// - Throws: `RigLError(.write)`; the file is then as it was.
  package mutating func add(_ record: RunRecord) throws(RigLError) {
    let more = records.filter { $0.settings != record.settings } + [record]
    try AtomicFile.write(RunTable.table(more.map { ($0, nil) }), to: path)
    records = more
  }

  /// A table of runs, finished or not, with a last column `state`.
  package static func csv(_ records: [RunRecord]) -> String {
    table(
      records.map { record in
        switch record.state {
        case .finished: (record, "finished")
        case .failed(let error): (record, "failed: \(error)")
        case .unfinished(let step, _): (record, "step \(step)")
        }
      }, hasState: true)
  }

  private static func table(_ rows: [(RunRecord, state: String?)], hasState: Bool = false) -> String
  {
    let header = Column.allCases.map(\.rawValue) + (hasState ? ["state"] : [])
    let lines = rows.map { record, state in record.cells + (state.map { [$0] } ?? []) }
    return ([header] + lines).map { CSVText.line($0) + "\n" }.joined()
  }

  /// The run of some settings; nil: it is not finished.
  package func record(of settings: [String: String]) -> RunRecord? {
    records.first { $0.settings == settings }
  }

  /// The columns of the file, in their order. Those of settings that most comparisons are about stand
  /// first, for people; `settings` has all that differ from the defaults, and counts.
  package enum Column: String, CaseIterable {
    case run, method, sparsity, multiplier, seed
    case testAccuracy = "test_accuracy"
    case testLoss = "test_loss"
    case bestTestAccuracy = "best_test_accuracy"
    case trainingFLOPs = "training_flops"
    case inferenceFLOPs = "inference_flops"
    case bytes, connections, positions
    case hiddenUnits = "hidden_units"
    case liveUnits = "live_units"
    case exploredShare = "explored_share"
    case seconds
    case wasAlone = "was_alone"
    case peakMemoryBytes = "peak_memory_bytes"
    case program, settings
  }
}

extension RunTable {
  fileprivate static func records(
    _ rows: [CSVText.Row], _ path: String
  ) throws(RigLError) -> [RunRecord] {
    guard let header = rows.first else { return [] }
    let columns = header.cells.map(Column.init(rawValue:))
    guard columns.contains(.settings), columns.contains(.run), !columns.contains(nil) else {
      let unknown = header.cells.first { Column(rawValue: $0) == nil }
      throw RigLError(
        .data,
        "\(path): line 1: not the columns of a table of runs"
          + (unknown.map { " (there is no '\($0)')" } ?? ""))
    }
    var records: [RunRecord] = []
    for row in rows.dropFirst() {
      guard row.cells.count == columns.count else {
        throw RigLError(
          .data, "\(path): line \(row.line): \(row.cells.count) cells, expected \(columns.count)")
      }
      var cells: [Column: String] = [:]
      for (column, cell) in zip(columns, row.cells) {
        if let column, !cell.isEmpty { cells[column] = cell }
      }
      records.append(try RunRecord(cells, "\(path): line \(row.line)"))
    }
    return records
  }
}

extension RunRecord {
  /// The cells of a line, by ``RunTable/Column``.
  fileprivate var cells: [String] {
    func text<Value>(_ value: Value?) -> String { value.map { "\($0)" } ?? "" }
    return RunTable.Column.allCases.map { column in
      switch column {
      case .run: name
      case .method, .sparsity, .multiplier, .seed: settings[column.rawValue] ?? ""
      case .testAccuracy: text(figures.testAccuracy)
      case .testLoss: text(figures.testLoss)
      case .bestTestAccuracy: text(figures.bestTestAccuracy)
      case .trainingFLOPs: text(figures.trainingFLOPs)
      case .inferenceFLOPs: text(figures.inferenceFLOPs)
      case .bytes: text(figures.bytes)
      case .connections: text(figures.connections)
      case .positions: text(figures.positions)
      case .hiddenUnits: text(figures.hiddenUnits)
      case .liveUnits: text(figures.liveUnits)
      case .exploredShare: text(figures.exploredShare)
      case .seconds: text(figures.seconds)
      case .wasAlone: figures.wasAlone ? "true" : "false"
      case .peakMemoryBytes: text(figures.peakMemoryBytes)
      case .program: program
      case .settings: settings.json
      }
    }
  }

  /// Reads a line.
  ///
  /// - Parameter place: the file and the line, for messages.
  fileprivate init(_ cells: [RunTable.Column: String], _ place: String) throws(RigLError) {
    guard let name = cells[.run],
      let settings = cells[.settings].flatMap([String: String].init(json:))
    else {
      throw RigLError(.data, "\(place): a run needs a name and its settings, as JSON")
    }
    func value<Value: LosslessStringConvertible>(
      _ column: RunTable.Column
    ) throws(RigLError) -> Value? {
      guard let cell = cells[column] else { return nil }
      guard let value = Value(cell) else {
        throw RigLError(.data, "\(place): \(column.rawValue) is '\(cell)'")
      }
      return value
    }
    var figures = Figures()
    figures.testAccuracy = try value(.testAccuracy)
    figures.testLoss = try value(.testLoss)
    figures.bestTestAccuracy = try value(.bestTestAccuracy)
    figures.trainingFLOPs = try value(.trainingFLOPs)
    figures.inferenceFLOPs = try value(.inferenceFLOPs)
    figures.bytes = try value(.bytes)
    figures.connections = try value(.connections)
    figures.positions = try value(.positions)
    figures.hiddenUnits = try value(.hiddenUnits)
    figures.liveUnits = try value(.liveUnits)
    figures.exploredShare = try value(.exploredShare)
    figures.seconds = try value(.seconds)
    figures.wasAlone = try value(.wasAlone) ?? false
    figures.peakMemoryBytes = try value(.peakMemoryBytes)
    self.init(
      name: name, state: .finished, settings: settings, program: cells[.program] ?? "",
      figures: figures)
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
