/// Text with values between commas, as RFC 4180 has it: a cell with a comma, a quotation mark or an
/// end of line stands in quotation marks, doubled where they are its own.
enum CSVText {
  /// The line of a row, without its end.
  static func line(_ cells: [String]) -> String {
    cells.map { cell in
      let isPlain = cell.utf8.allSatisfy { !",\"\r\n".utf8.contains($0) }
      return isPlain
        ? cell
        : "\""
          + cell.split(separator: "\"", omittingEmptySubsequences: false)
          .joined(separator: "\"\"") + "\""
    }.joined(separator: ",")
  }

  /// A row as it was read, and the line that it begins in, from 1 on.
  struct Row {
    let line: Int
    let cells: [String]
  }

  /// The rows of a text; lines that are empty are none.
  ///
  /// - Returns: nil for a quotation mark that is never closed, or followed by more of a cell.
  static func rows(_ text: String) -> [Row]? {
    var reader = Reader()
    for byte in text.utf8 {
      guard reader.take(byte) else { return nil }
    }
    return reader.finish()
  }

  private struct Reader {
    private enum Place { case start, plain, quoted, closed }
    private var rows: [Row] = []
    private var cells: [String] = []
    private var cell: [UInt8] = []
    private var place = Place.start
    private var (line, first) = (1, 1)

    mutating func take(_ byte: UInt8) -> Bool {
      let isQuote = byte == UInt8(ascii: "\"")
      if byte == UInt8(ascii: "\n") { line += 1 }
      switch (place, byte) {
      case (.quoted, _):
        if isQuote { place = .closed } else { cell.append(byte) }
      case (.closed, UInt8(ascii: "\"")):
        cell.append(byte)
        place = .quoted
      case (_, UInt8(ascii: ",")): endCell()
      case (_, UInt8(ascii: "\n")): endRow()
      case (_, UInt8(ascii: "\r")): break
      case (.closed, _): return false
      case (.start, _) where isQuote: place = .quoted
      default:
        cell.append(byte)
        place = .plain
      }
      return true
    }

    private mutating func endCell() {
      cells.append(String(decoding: cell, as: UTF8.self))
      cell = []
      place = .start
    }

    private mutating func endRow() {
      endCell()
      if cells != [""] { rows.append(Row(line: first, cells: cells)) }
      cells = []
      first = line
    }

    mutating func finish() -> [Row]? {
      if place == .quoted { return nil }
      if !cells.isEmpty || !cell.isEmpty || place != .start { endRow() }
      return rows
    }
  }
}
