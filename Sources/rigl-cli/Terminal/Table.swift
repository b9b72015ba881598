import RigLCore

/// A table of text that fits into a terminal: what is too wide loses columns, never breaks a line.
struct Table {
  /// A column.
  struct Column {
    var title: String
    var isNumber = true
    /// The columns of the lowest rank are left out first where the terminal is narrow.
    var rank = 0

    /// A column of numbers, to the right.
    static func number(_ title: String, rank: Int = 0) -> Column {
      Column(title: title, rank: rank)
    }
    /// A column of words, to the left.
    static func word(_ title: String, rank: Int = 0) -> Column {
      Column(title: title, isNumber: false, rank: rank)
    }
  }

  private var columns: [Column]
  private var rows: [[String]] = []
  private var firstTotal: Int?

  init(_ columns: [Column]) { self.columns = columns }

  /// Adds a row, with a cell for each column.
  mutating func add(_ cells: [String]) {
    trap(unless: cells.count == columns.count, "\(cells.count) cells, \(columns.count) columns")
    rows.append(cells)
  }

  /// Adds a row under a line.
  mutating func addTotal(_ cells: [String]) {
    firstTotal = rows.count
    add(cells)
  }

  /// The table in at most `width` columns of the terminal, with an end of line after each row.
  func text(width: Int) -> String {
    var shown = Array(columns.indices)
    var gap = 2
    func needed() -> Int {
      shown.reduce(0) { $0 + self.width(of: $1) } + gap * (shown.count - 1)
    }
    if needed() > width { gap = 1 }
    while needed() > width, shown.count > 1 {
      let lowest = shown.indices.dropFirst().min {
        columns[shown[$0]].rank < columns[shown[$1]].rank
      }
      guard let lowest else { break }
      shown.remove(at: lowest)
    }
    let separator = String(repeating: " ", count: gap)
    func line(_ cells: [String]) -> String {
      let padded = shown.map { index in
        pad(cells[index], to: self.width(of: index), right: columns[index].isNumber)
      }
      var text = padded.joined(separator: separator)
      while text.last == " " { text.removeLast() }
      return String(text.prefix(width)) + "\n"
    }
    var text = line(columns.map(\.title))
    let rule = String(repeating: "-", count: min(needed(), width)) + "\n"
    text += rule
    for (index, row) in rows.enumerated() {
      if index == firstTotal { text += rule }
      text += line(row)
    }
    return text
  }

  private func width(of column: Int) -> Int {
    rows.reduce(columns[column].title.count) { max($0, $1[column].count) }
  }

  private func pad(_ text: String, to width: Int, right: Bool) -> String {
    let spaces = String(repeating: " ", count: max(0, width - text.count))
    return right ? spaces + text : text + spaces
  }
}

/// Breaks a text between words into lines of at most `width`, those after the first indented.
func wrapped(_ text: String, width: Int, indent: String = "") -> String {
  if text.count <= width { return text }
  var lines: [String] = [""]
  var words: [String] = []
  for word in text.split(separator: " ") {
    // A number keeps its unit.
    if word.hasPrefix("%"), !words.isEmpty {
      words[words.count - 1] += " " + word
    } else {
      words.append(String(word))
    }
  }
  for word in words {
    let last = lines[lines.count - 1]
    if last.isEmpty || last == indent {
      lines[lines.count - 1] += word
    } else if last.count + 1 + word.count <= width {
      lines[lines.count - 1] += " " + word
    } else {
      lines.append(indent + word)
    }
  }
  return lines.joined(separator: "\n")
}

/// A text in lines of at most `width`, all of them indented.
func indented(_ text: String, by indent: Int, width: Int) -> String {
  let space = String(repeating: " ", count: indent)
  let lines = wrapped(text, width: width - indent).split(separator: "\n")
  return space + lines.joined(separator: "\n" + space)
}

/// A name with a text beside it, from column `indent` on; below it where there is no room.
func beside(_ name: String, _ text: String, indent: Int, width: Int) -> String {
  let longest = text.split(separator: " ").map(\.count).max() ?? 0
  guard width - indent >= max(24, longest) else {
    return name + "\n" + indented(text, by: 4, width: width) + "\n"
  }
  return name + indented(text, by: indent, width: width).dropFirst(name.count) + "\n"
}
