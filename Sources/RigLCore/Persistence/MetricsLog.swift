/// A run's `metrics.csv`, row by row as training goes on.
///
/// Every row is a line that is in the file when ``append(_:)`` returns, so that others can read along.
public final class MetricsLog {
  /// The path of the file.
  public let path: String
  /// The batches of the last row: rows come in their order.
  public private(set) var batchesConsumed: Int

  private let file: OpenFile
  private var size: Int

  private init(path: String, batchesConsumed: Int) throws(RigLError) {
    (file, size) = try naming(.write, "\(path): cannot be written") { () throws(SystemError) in
      let file = try OpenFile(path, .append)
      return (file, try file.size() ?? 0)
    }
    self.path = path
    self.batchesConsumed = batchesConsumed
  }

  /// Creates a log without rows.
  ///
  /// - Throws: `RigLError(.write)` if there is a file already, or it cannot be written.
  public static func create(at path: String) throws(RigLError) -> MetricsLog {
    guard FileSystem.item(path) == .nothing else {
      throw RigLError(.write, "\(path): cannot be created: it exists already")
    }
    try AtomicFile.write(MetricsRow.header + "\n", to: path)
    return try MetricsLog(path: path, batchesConsumed: 0)
  }

  /// Opens the log of a run that goes on from a checkpoint.
  ///
  /// Rows after the checkpoint, which will be written again, are cut off, and so is a last line that
  /// was only half written. A log that is not there is created.
  ///
  /// - Parameter batchesConsumed: the checkpoint's.
  /// - Throws: `RigLError(.data)` if a row before the checkpoint is damaged, `RigLError(.missingFile)`
  ///   if the log cannot be read, `RigLError(.write)` if it cannot be written; it is then as it was.
  public static func resume(
    at path: String, batchesConsumed: Int
  ) throws(RigLError) -> MetricsLog {
    if FileSystem.item(path) == .nothing { return try create(at: path) }
    var kept = MetricsRow.header + "\n"
    var last = 0
    let text = try text(of: path)
    // Only up to the checkpoint: what a crash has made of later lines does not matter.
    try forEachRow(of: text, path: path) { (row, line) throws(RigLError) in
      guard row.batchesConsumed <= batchesConsumed else { return false }
      kept += line + "\n"
      last = row.batchesConsumed
      return true
    }
    if kept != text { try AtomicFile.write(kept, to: path) }
    return try MetricsLog(path: path, batchesConsumed: last)
  }

  /// Reads the rows of a log; a last line that is only half written is left out.
  ///
  /// - Throws: `RigLError(.missingFile)` if it cannot be read, `RigLError(.data)` with the number of
  ///   the line if it is damaged or something else.
  public static func rows(at path: String) throws(RigLError) -> [MetricsRow] {
    var rows: [MetricsRow] = []
    try forEachRow(of: try text(of: path), path: path) { (row, _) throws(RigLError) in
      rows.append(row)
      return true
    }
    return rows
  }

  /// Adds a row, which is not before the last one.
  ///
  /// - Throws: `RigLError(.write)`: no space, for example; the log is then as it was.
  public func append(_ row: MetricsRow) throws(RigLError) {
    precondition(
      row.batchesConsumed >= batchesConsumed,
      "metrics: a row of batch \(row.batchesConsumed) after one of batch \(batchesConsumed)")
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
    batchesConsumed = row.batchesConsumed
  }

  /// Waits until the disk has the rows; before a checkpoint is written, so that a resumed run finds
  /// every row up to it.
  ///
  /// - Throws: `RigLError(.write)`.
  public func synchronize() throws(RigLError) {
    try naming(.write, "\(path): cannot be written") { () throws(SystemError) in
      try file.synchronize()
    }
  }

  /// Reads row by row until `body` returns false.
  private static func forEachRow(
    of text: String, path: String, _ body: (MetricsRow, String) throws(RigLError) -> Bool
  ) throws(RigLError) {
    var lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    // After the last end of a line: nothing, or what was not written to its end.
    lines.removeLast()
    guard let header = lines.first else { return }
    guard String(header) == MetricsRow.header else {
      throw RigLError(.data, "\(path): line 1: not the columns of a metrics file")
    }
    for (index, line) in lines.enumerated().dropFirst() {
      let line = String(line) ?? ""
      let row: MetricsRow
      do throws(MetricsProblem) {
        row = try MetricsRow(line: line)
      } catch {
        throw RigLError(.data, "\(path): line \(index + 1): \(error.what)")
      }
      guard try body(row, line) else { return }
    }
  }
}
