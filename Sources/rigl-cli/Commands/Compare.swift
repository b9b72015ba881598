import ArgumentParser
import RigLCore
import RigLExperiments

/// `rigl compare`
struct Compare: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Print paired differences between runs, with their intervals.",
    discussion: """
      Of one path, groups of runs that differ in more than the seed are compared with each other; of \
      several, the runs of each path with those of the first. Pairs are runs that are equal in all but \
      what is compared; seeds without a partner are left out and counted. Intervals are of 95 %, by \
      Student's t; one pair has none. Differences of accuracy are in percentage points.
      """)

  @Argument(help: ArgumentHelp("Runs, folders of runs, or tables.", valueName: "path"))
  var paths: [String]

  @Option(help: ArgumentHelp("The figure: accuracy, best-accuracy or loss.", valueName: "name"))
  var figure = Figure.accuracy

  @OptionGroup var printing: PrintingArguments

  /// What is compared.
  enum Figure: String, CaseIterable, ExpressibleByArgument {
    case accuracy
    case bestAccuracy = "best-accuracy"
    case loss

    func value(of run: RunRecord) -> Double? {
      switch self {
      case .accuracy: run.figures.testAccuracy.map { 100 * $0 }
      case .bestAccuracy: run.figures.bestTestAccuracy.map { 100 * $0 }
      case .loss: run.figures.testLoss
      }
    }
  }

  private struct Row: Encodable {
    let runs: String
    let against: String
    let difference: Double?
    let halfWidth: Double?
    let pairs: Int
    let leftOut: Int
  }

  func run() throws {
    let sides = try paths.map { path in
      let (runs, faults) = try RunCollection.read([path])
      printing.warn(faults.map(\.sentence), evenIfQuiet: true)
      return (path, runs)
    }
    let rows = sides.count == 1 ? try within(sides[0].1) : try between(sides)
    guard !rows.isEmpty else {
      throw RigLError(
        .data, "\(paths[0]): nothing to compare: its finished runs differ in no more than the seed",
        hint: "Give two paths, or runs of several methods.")
    }
    try printing.print(rows, orText: text(rows))
  }

  /// The runs of each path against those of the first.
  private func between(_ sides: [(String, [RunRecord])]) throws -> [Row] {
    try sides.dropFirst().map { path, runs in
      let paired = try PairedDifference(
        of: runs, against: sides[0].1, figure: figure.value(of:))
      return row(path, sides[0].0, paired)
    }
  }

  /// Every two groups of runs that are comparable.
  private func within(_ runs: [RunRecord]) throws -> [Row] {
    let groups = Grouping(runs).groups.filter { !$0.runs.isEmpty }
    var rows: [Row] = []
    for (index, first) in groups.enumerated() {
      for second in groups[(index + 1)...] where first.isComparable(with: second) {
        let paired = try PairedDifference(
          of: second.runs, against: first.runs, figure: figure.value(of:))
        if paired.difference != nil { rows.append(row(second.name, first.name, paired)) }
      }
    }
    return rows
  }

  private func row(_ runs: String, _ against: String, _ paired: PairedDifference) -> Row {
    Row(
      runs: runs, against: against, difference: paired.difference?.mean,
      halfWidth: paired.difference?.halfWidth, pairs: paired.difference?.count ?? 0,
      leftOut: paired.leftOut)
  }

  private func text(_ rows: [Row]) -> String {
    var table = Table([
      .word("runs", rank: 5), .word("against", rank: 4), .number("difference", rank: 3),
      .number("95 %", rank: 2), .number("pairs", rank: 1), .number("left out", rank: 0),
    ])
    let digits = figure == .loss ? 4 : 2
    for row in rows {
      table.add([
        row.runs.printable(), row.against.printable(),
        row.difference.map { ($0 > 0 ? "+" : "") + fixed($0, digits) } ?? "-",
        row.halfWidth.map { "± " + fixed($0, digits) } ?? "-", grouped(row.pairs),
        grouped(row.leftOut),
      ])
    }
    return table.text(width: Terminal.standardOutput.columns)
  }
}
