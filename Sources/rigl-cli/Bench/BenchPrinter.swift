// What benchmarks print: JSON lines, or tables that grow row by row.

import RigLBench

/// Prints each result as soon as it is there.
final class BenchPrinter {
  private let json: Bool
  private let width: Int
  /// The heads of the table that is being printed.
  private var titles: [String] = []

  init(json: Bool) {
    self.json = json
    width = Terminal.standardOutput.columns
  }

  /// Prints a result.
  func print(_ record: Record) throws {
    if json {
      try write(record.json)
      return
    }
    let columns = record.fields.compactMap { field in
      field.title.map { (title: $0, text: field.value.text) }
    }
    let cells = zip(columns.indices, columns).map { index, column in
      // The first column holds words of any length; the others' heads are wider than their numbers.
      (column.title, column.text, Swift.max(column.title.count, index == 0 ? 13 : 6))
    }
    let needed = cells.reduce(0) { $0 + $1.2 } + 2 * (cells.count - 1)
    if record.layout == .list || needed > width {
      try printList(columns)
    } else {
      try printRow(cells)
    }
  }

  private func printRow(_ cells: [(title: String, text: String, width: Int)]) throws {
    func line(_ text: ((title: String, text: String, width: Int)) -> String) -> String {
      let padded = cells.enumerated().map { index, cell in
        let space = String(repeating: " ", count: Swift.max(cell.width - text(cell).count, 0))
        return index == 0 ? text(cell) + space : space + text(cell)
      }
      return padded.joined(separator: "  ")
    }
    if titles != cells.map(\.title) {
      if !titles.isEmpty { try write("") }
      titles = cells.map(\.title)
      try write(line { $0.title })
      try write(String(repeating: "-", count: line { $0.title }.count))
    }
    try write(line { $0.text })
  }

  private func printList(_ columns: [(title: String, text: String)]) throws {
    titles = []
    let indent = (columns.map(\.title.count).max() ?? 0) + 2
    for column in columns {
      let space = String(repeating: " ", count: indent - column.title.count)
      // Side by side where there is room, else one below the other.
      if indent + column.text.count <= width {
        try write(column.title + space + column.text)
      } else {
        try write("\(column.title):\n  \(column.text)")
      }
    }
    try write("")
  }

  private func write(_ line: String) throws { try Output.standard.write(line + "\n") }
}
