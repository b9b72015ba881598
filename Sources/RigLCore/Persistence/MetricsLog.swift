/// A run's `metrics.csv`, row by row as training goes on.
///
/// Every row is a line that is in the file when ``append(_:)`` returns, so that others can read along.
package final class MetricsLog {
  /// The path of the file.
  package let path: String
  /// The place of the last row: rows come in their order.
  package private(set) var place: MetricsRow.Place
  /// What was wrong with the file, but not so wrong as to stop.
  package let warnings: [String]

  private let file: OpenFile
  private var size: Int

  private init(
    path: String, place: MetricsRow.Place, warnings: [String] = []
  ) throws(RigLError) {
    (file, size) = try naming(.write, "\(path): cannot be written") { () throws(SystemError) in
      let file = try OpenFile(path, .append)
      return (file, try file.size() ?? 0)
    }
    self.path = path
    self.place = place
    self.warnings = warnings
  }

  /// Creates a log without rows.
  ///
  /// - Throws: `RigLError(.write)` if there is a file already, or it cannot be written.
  package static func create(at path: String) throws(RigLError) -> MetricsLog {
    guard FileSystem.item(path, followsLinks: false) == .nothing else {
      throw RigLError(.write, "\(path): cannot be created: it exists already")
    }
    return try empty(at: path)
  }

  private static func empty(at path: String) throws(RigLError) -> MetricsLog {
    try AtomicFile.write(MetricsRow.header + "\n", to: path, followsLinks: false)
    return try MetricsLog(path: path, place: MetricsRow.Place())
  }

  /// Opens the log of a run that goes on from a checkpoint.
  ///
  /// Rows after the checkpoint, which will be written again, are cut off, and so is a last line that
  /// was only half written. Lines before it that are damaged do not stop a run: the log as it was is
  /// set aside, and goes on with the rows that can be read; ``warnings`` say so. A log with the columns
  /// of an older version gets those of today. A log that is not there is created.
  ///
  /// - Parameters:
  ///   - path: the path of the log.
  ///   - batchesConsumed: the checkpoint's.
  ///   - round: the checkpoint's, 0 of a training without rounds.
  ///   - lastUpdate: the step of its last topology update, −1 if there was none. Rows of later
  ///     updates are after the checkpoint, although one that draws no batch has the checkpoint's.
  /// - Throws: `RigLError(.missingFile)` if the log cannot be read, `RigLError(.write)` if it cannot be
  ///   written; it is then as it was.
  package static func resume(
    at path: String, batchesConsumed: Int, round: Int = 0, lastUpdate: Int = .max
  ) throws(RigLError) -> MetricsLog {
    // A link that leads nowhere included.
    if FileSystem.item(path) == .nothing { return try empty(at: path) }
    let limit = 1 << 30
    let bytes = try naming(.missingFile, "\(path): cannot be read") { () throws(SystemError) in
      try FileSystem.contents(of: path, limit: limit)
    }
    let (lines, damaged, last) = recover(
      bytes, upTo: MetricsRow.Place(round: round, batchesConsumed: batchesConsumed),
      lastUpdate: lastUpdate)
    var warnings: [String] = []
    if !damaged.isEmpty || bytes.count == limit {
      let copy = try setAside(bytes, of: path)
      let numbers = damaged.prefix(5).map { String($0) }.joined(separator: ", ")
      warnings = [
        "\(path): damaged in \(damaged.count == 1 ? "line" : "lines") \(numbers)"
          + (damaged.count > 5 ? " and \(damaged.count - 5) others" : "")
          + "; the file as it was is kept as \(copy)"
      ]
    }
    let kept = ([MetricsRow.header] + lines).map { $0 + "\n" }.joined()
    // A link is replaced by a file of the run's own.
    if bytes != Array(kept.utf8) || FileSystem.item(path, followsLinks: false) == .link {
      try AtomicFile.write(kept, to: path, followsLinks: false)
    }
    return try MetricsLog(path: path, place: last, warnings: warnings)
  }

  /// The lines of a log up to a checkpoint, the numbers of those that are damaged, and the place of
  /// the last row.
  ///
  /// Rows come in order. So one of a later place is damaged if one of an earlier follows it;
  /// from the last row up to the checkpoint on, what a crash has made of the lines does not matter.
  private static func recover(
    _ bytes: [UInt8], upTo place: MetricsRow.Place, lastUpdate: Int
  ) -> (lines: [String], damaged: [Int], last: MetricsRow.Place) {
    var cells = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    // After the last end of a line: nothing, or what was not written to its end.
    cells.removeLast()
    var (kept, damaged, last): ([String], [Int], MetricsRow.Place) = ([], [], MetricsRow.Place())
    var (doubtful, isBeyond): ([Int], Bool) = ([], false)
    var columns = MetricsRow.Column.allCases
    for (index, cell) in cells.enumerated() {
      let line = String(validating: withoutReturn(cell), as: UTF8.self)
      if index == 0 {
        let named = line.flatMap(MetricsRow.columns(of:))
        if named == nil { damaged.append(1) }
        columns = named ?? columns
        continue
      }
      let row = line.flatMap { try? MetricsRow(line: $0, columns: columns) }
      let isLater =
        row.map {
          $0.place > place
            || $0.split == .update && $0.place.round == place.round && $0.step > lastUpdate
        } ?? false
      if let row, !isLater, row.place >= last {
        kept.append(row.line)
        damaged += doubtful
        (last, doubtful, isBeyond) = (row.place, [], false)
        continue
      }
      if !isBeyond { doubtful.append(index + 1) }
      isBeyond = isBeyond || isLater
    }
    return (kept, isBeyond ? damaged : damaged + doubtful, last)
  }

  /// A line without the carriage return that an editor may have put at its end.
  private static func withoutReturn(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    line.last == UInt8(ascii: "\r") ? line.dropLast() : line
  }

  /// Keeps the contents of a damaged log in a file beside it; returns its path.
  private static func setAside(_ bytes: [UInt8], of path: String) throws(RigLError) -> String {
    var (copy, number) = ("\(path).damaged", 1)
    while FileSystem.item(copy, followsLinks: false) != .nothing {
      number += 1
      copy = "\(path).damaged-\(number)"
    }
    try AtomicFile.write(bytes, to: copy, followsLinks: false)
    return copy
  }

  /// Reads the rows of a log; a last line that is only half written is left out.
  ///
  /// - Throws: `RigLError(.missingFile)` if it cannot be read, `RigLError(.data)` with the number of
  ///   the line if it is damaged or something else.
  package static func rows(at path: String) throws(RigLError) -> [MetricsRow] {
    let text = try text(of: path)
    var lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    // After the last end of a line: nothing, or what was not written to its end.
    lines.removeLast()
    guard let header = lines.first else { return [] }
    guard let columns = String(header).flatMap(MetricsRow.columns(of:)) else {
      throw RigLError(.data, "\(path): line 1: not the columns of a metrics file")
    }
    var rows: [MetricsRow] = []
    for (index, line) in lines.enumerated().dropFirst() {
      do throws(MetricsProblem) {
        rows.append(try MetricsRow(line: String(line) ?? "", columns: columns))
      } catch {
        throw RigLError(.data, "\(path): line \(index + 1): \(error.what)")
      }
    }
    return rows
  }

  /// Adds a row, which is not before the last one.
  ///
  /// - Throws: `RigLError(.write)`: no space, for example; the log is then as it was.
  package func append(_ row: MetricsRow) throws(RigLError) {
    trap(
      unless: row.place >= place, "metrics: a row of \(row.place) after one of \(place)")
    let line = Array((row.line + "\n").utf8)
    do throws(SystemError) {
      try file.append(unsafe line.span.bytes)
    } catch {
      try? file.truncate(to: size)
      throw RigLError(
        .write, "\(path): cannot be written: \(error.text)",
        hint: "Free some space, and go on with the run by --resume.")
    }
    size += line.count
    place = row.place
  }

  /// Waits until the disk has the rows; before a checkpoint is written, so that a resumed run finds
  /// every row up to it.
  ///
  /// - Throws: `RigLError(.write)`.
  package func synchronize() throws(RigLError) {
    try naming(.write, "\(path): cannot be written") { () throws(SystemError) in
      try file.synchronize()
    }
  }
}
