import RigLCore

/// How a network did on the samples of a class.
struct ClassResult: Encodable {
  let label: Int
  let name: String?
  let samples: Int
  /// The share of them that were taken for this class; nil: there are none.
  let accuracy: Double?
  /// The other class that most of them were taken for, the lowest of several; nil: none were.
  let mostTakenFor: Int?
  /// How many were.
  let takenFor: Int

  private enum CodingKeys: String, CodingKey {
    case label = "class"
    case name, samples, accuracy, mostTakenFor, takenFor
  }

  /// The results of all classes, by label.
  static func all(of evaluation: Evaluation, names: [String]?) -> [ClassResult] {
    evaluation.confusion.enumerated().map { label, row in
      let samples = row.reduce(0, +)
      var other: Int?
      for (index, count) in row.enumerated() where index != label && count > 0 {
        if count > other.map({ row[$0] }) ?? 0 { other = index }
      }
      return ClassResult(
        label: label, name: names?[label], samples: samples,
        accuracy: samples == 0 ? nil : Double(row[label]) / Double(samples), mostTakenFor: other,
        takenFor: other.map { row[$0] } ?? 0)
    }
  }

  /// Classes beyond which only the least accurate ones are shown.
  private static let mostShown = 20

  /// A table; of many classes, of those that were recognised least.
  static func text(_ results: [ClassResult], width: Int) -> String {
    let hasNames = results.contains { $0.name != nil }
    var table = Table(
      (hasNames ? [.word("class"), .number("number", rank: 1)] : [.number("class")]) + [
        .number("samples", rank: 2), .number("accuracy", rank: 4),
        .word("most taken for", rank: 0),
      ])
    var shown = results
    var title = ""
    if results.count > mostShown {
      let present = results.filter { $0.accuracy != nil }
      shown = Array(
        present.sorted { ($0.accuracy ?? 0, $0.label) < ($1.accuracy ?? 0, $1.label) }.prefix(10))
      title = "The \(shown.count) of \(grouped(results.count)) classes with the lowest accuracy:\n"
    }
    // A name leaves room for the accuracy beside it.
    let room = max(8, width - 12)
    func name(_ result: ClassResult) -> String {
      let name = (result.name ?? "\(result.label)").printable()
      return name.count <= room ? name : name.prefix(room - 2) + ".."
    }
    for result in shown {
      let other = result.mostTakenFor.map { label in
        let share = Double(result.takenFor) / Double(max(result.samples, 1))
        return "\(name(results[label])) (\(percent(share, 1)))"
      }
      table.add(
        (hasNames ? [name(result), "\(result.label)"] : ["\(result.label)"]) + [
          grouped(result.samples), result.accuracy.map { percent($0) } ?? "-", other ?? "",
        ])
    }
    return (title.isEmpty ? "" : wrapped(title, width: width)) + table.text(width: width)
  }
}
