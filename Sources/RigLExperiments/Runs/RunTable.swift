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
    let header = RunColumn.all.map(\.name) + (hasState ? ["state"] : [])
    let lines = rows.map { record, state in
      RunColumn.all.map { $0.cell(record) } + (state.map { [$0] } ?? [])
    }
    return ([header] + lines).map { CSVText.line($0) + "\n" }.joined()
  }

  /// The run of some settings; nil: it is not finished.
  package func record(of settings: [String: String]) -> RunRecord? {
    records.first { $0.settings == settings }
  }
}

extension RunTable {
  private static func records(
    _ rows: [CSVText.Row], _ path: String
  ) throws(RigLError) -> [RunRecord] {
    guard let header = rows.first else { return [] }
    let columns = header.cells.compactMap { name in RunColumn.all.first { $0.name == name } }
    guard columns.count == header.cells.count,
      RunColumn.all.allSatisfy({ column in
        !column.isRequired || columns.contains { $0.name == column.name }
      })
    else {
      let unknown = header.cells.first { name in !RunColumn.all.contains { $0.name == name } }
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
      records.append(try record(zip(columns, row.cells), "\(path): line \(row.line)"))
    }
    return records
  }

  /// Reads a line.
  ///
  /// - Parameter place: the file and the line, for messages.
  private static func record(
    _ cells: some Sequence<(RunColumn, String)>, _ place: String
  ) throws(RigLError) -> RunRecord {
    var record = RunRecord(name: "", state: .finished, settings: [:], program: "")
    for (column, cell) in cells where column.isRequired || !cell.isEmpty {
      guard !cell.isEmpty, column.read(cell, &record) else {
        throw RigLError(
          .data,
          column.isRequired
            ? "\(place): a run needs a name and its settings, as JSON"
            : "\(place): \(column.name) is '\(cell)'")
      }
    }
    return record
  }
}
