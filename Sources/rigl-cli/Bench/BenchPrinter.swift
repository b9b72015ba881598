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
      if !record.isOnlyForPeople { try write(record.json) }
      return
    }
    let columns = record.fields.compactMap { field in
      field.title.map { Column(title: $0, text: field.value.text, width: field.width) }
    }
    switch record.layout {
    case .list: try printList(columns)
    case .row: try printRow(columns)
    }
  }

  /// A cell with the head of its column.
  private struct Column {
    let title: String
    let text: String
    var width: Int
  }

  private func printRow(_ columns: [Column]) throws {
    var cells = columns
    for (index, cell) in cells.enumerated() {
      // Wide enough for the rows to come: the first column holds words.
      let least = index == 0 ? 13 : 6
      cells[index].width = max(cell.title.count, cell.text.count, cell.width, least)
    }
    // The last columns say least. A table without most of them is worse than a list.
    while cells.count > 1, cells.reduce(-2, { $0 + $1.width + 2 }) > width { cells.removeLast() }
    if 2 * cells.count < columns.count { return try printList(columns) }
    func line(_ text: (Column) -> String) -> String {
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

  private func printList(_ columns: [Column]) throws {
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
