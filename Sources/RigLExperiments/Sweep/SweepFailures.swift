import RigLCore

/// The runs of a sweep that an error ended: a CSV file with a line for each.
package struct SweepFailures {
  /// A run that failed.
  package struct Failure: Hashable, Sendable {
    /// The run's name.
    package let run: String
    /// The exit status of its process.
    package let status: Int32
    /// The sentence that says why.
    package let error: String

    /// Whether it would fail again: the training came to numbers that are none, and would to the same.
    var isForGood: Bool { status == RigLError.Kind.numerical.rawValue }
  }

  /// The failures, by the run's name.
  package private(set) var all: [Failure]
  private let path: String
  private static let header = ["run", "status", "error"]

  /// Reads a file; one that is not there has none.
  ///
  /// - Throws: `RigLError(.data)` for what is no such file.
  package init(path: String) throws(RigLError) {
    self.path = path
    guard FileSystem.item(path) != .nothing else {
      all = []
      return
    }
    let rows = CSVText.rows(try text(of: path)) ?? []
    guard rows.first?.cells == SweepFailures.header else {
      throw RigLError(.data, "\(path): not the failures of a sweep")
    }
    all = rows.dropFirst().compactMap { row in
      guard row.cells.count == 3, let status = Int32(row.cells[1]) else { return nil }
      return Failure(run: row.cells[0], status: status, error: row.cells[2])
    }
  }

  /// The failure of a run; nil: it has not failed.
  package subscript(run: String) -> Failure? { all.first { $0.run == run } }

  /// Replaces what is known of a run, and writes the file.
  ///
  /// - Throws: `RigLError(.write)`.
  mutating func set(_ failure: Failure?, of run: String) throws(RigLError) {
    let more = (all.filter { $0.run != run } + [failure].compactMap(\.self))
      .sorted { $0.run < $1.run }
    guard more != all else { return }
    let lines = [SweepFailures.header] + more.map { [$0.run, "\($0.status)", $0.error] }
    try AtomicFile.write(lines.map { CSVText.line($0) + "\n" }.joined(), to: path)
    all = more
  }
}
