import Foundation
import RigLCore
import Support

/// A table of numbers whose last column is the class: a `Dataset` of its rows.
struct Table: Dataset {
  var rows: [[Float]] = []
  var labels: [Int] = []
  /// The classes by label, in alphabetic order.
  var names: [String] = []

  var count: Int { rows.count }
  var sampleShape: SampleShape { SampleShape(channels: rows[0].count) }
  var classes: Int { names.count }
  var classNames: [String]? { names }
  func label(of sample: Int) -> Int { labels[sample] }
  func write(_ sample: Int, into values: inout MutableSpan<Float>) {
    for index in values.indices { values[index] = rows[sample][index] }
  }

  /// Some of the rows, normalised.
  func taking(_ chosen: ArraySlice<Int>, _ scale: Scale) -> Table {
    Table(
      rows: chosen.map { scale.applied(to: rows[$0]) }, labels: chosen.map { labels[$0] },
      names: names)
  }
}

extension Table {
  /// Reads a CSV file: fields by commas, without quotes.
  init(path: String) throws {
    var classes: [String] = []
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
      throw RigLError(.missingFile, "\(path): cannot be read as text")
    }
    let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    for (number, line) in lines.enumerated().dropFirst() where !line.isEmpty {
      let fields = line.split(separator: ",", omittingEmptySubsequences: false)
        .map { $0.trimmingCharacters(in: .whitespaces) }
      let values = fields.dropLast().compactMap { Float($0) }.filter(\.isFinite)
      guard !values.isEmpty, values.count == fields.count - 1,
        values.count == rows.first?.count ?? values.count
      else {
        throw RigLError(
          .data, "\(path): line \(number + 1) is '\(line)', expected numbers and a class")
      }
      rows.append(values)
      classes.append(fields[fields.count - 1])
    }
    guard rows.count >= 20 else {
      throw RigLError(.data, "\(path): has \(rows.count) samples, expected 20 or more")
    }
    names = Set(classes).sorted()
    labels = classes.map { names.firstIndex(of: $0) ?? 0 }
  }
}

/// The mean and deviation of each column of the training samples. Others are normalised by the same
/// numbers: nothing of them is known beforehand.
struct Scale {
  let means: [Float]
  let deviations: [Float]

  init(_ table: Table, _ rows: ArraySlice<Int>) {
    let columns = table.rows[0].indices.map { column in rows.map { table.rows[$0][column] } }
    let means = columns.map { $0.reduce(0, +) / Float($0.count) }
    self.means = means
    deviations = zip(columns, means).map { column, mean in
      let squares = column.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
      // A column that is always the same says nothing.
      return squares > 0 ? (squares / Float(column.count)).squareRoot() : 1
    }
  }

  func applied(to row: [Float]) -> [Float] {
    row.indices.map { (row[$0] - means[$0]) / deviations[$0] }
  }
}

/// Writes a table of leaves of three trees: measures of very different sizes, some of which are
/// noise alone.
func writeTable(to path: String) throws -> String {
  let trees = ["birch", "elm", "lime"]
  var numbers = Numbers(seed: 7)
  var lines = ["length,width,area,teeth,stalk,lobes,hue,weight,tree"]
  for sample in 0..<1200 {
    let tree = sample % trees.count
    let length = 60 + 25 * numbers.noise() + 8 * Float(tree)
    // What tells the trees apart is how length and width go together.
    let width = length * [0.7, 0.55, 0.9][tree] + 12 * numbers.noise()
    let area = length * width * (0.75 + 0.1 * numbers.noise())
    let teeth = Float([40, 55, 48][tree]) + 20 * numbers.noise()
    let others = [0.02, 3, 120, 0.0004].map { $0 * (1 + numbers.noise()) }
    let values = [length, width, area, teeth] + others
    lines.append(values.map { "\($0)" }.joined(separator: ",") + ",\(trees[tree])")
  }
  try (lines.joined(separator: "\n") + "\n").write(
    toFile: path, atomically: true, encoding: .utf8)
  return path
}
