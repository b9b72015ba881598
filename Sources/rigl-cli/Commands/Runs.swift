import ArgumentParser
import RigLCore
import RigLExperiments

/// `rigl runs`
struct Runs: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List runs, with their state and figures.",
    discussion: """
      Each path is a run, the folder of a sweep, a folder of either, or a sweep's results.csv. FLOPs \
      are those of the whole training. With --json, each run is an object of a list; --csv prints the \
      columns of results.csv and a state.
      """)

  @Argument(help: ArgumentHelp("Runs, folders of runs, or tables.", valueName: "path"))
  var paths: [String] = ["runs"]

  @Flag(help: "Print a table with commas for a program to read.")
  var csv = false

  @OptionGroup var printing: PrintingArguments

  func validate() throws {
    if csv && printing.json { throw ValidationError("--csv and --json exclude each other.") }
  }

  func run() throws {
    let (runs, faults) = try RunCollection.read(paths)
    printing.warn(faults.map(\.sentence), evenIfQuiet: true)
    if csv { return try Output.standard.write(RunTable.csv(runs)) }
    try printing.print(
      runs.map { RunLine($0) }, orText: text(runs, width: Terminal.standardOutput.columns))
  }

  private func text(_ runs: [RunRecord], width: Int) -> String {
    var table = Table([
      .word("run"), .word("state", rank: 6), .number("accuracy", rank: 7),
      .number("loss", rank: 2), .number("connections", rank: 4), .number("FLOPs", rank: 3),
      .number("bytes", rank: 1), .number("live", rank: 0), .number("seconds", rank: 5),
    ])
    for run in runs {
      let figures = run.figures
      table.add([
        run.name.printable(), state(run), figures.testAccuracy.map { percent($0) } ?? "-",
        figures.testLoss.map { fixed($0, 4) } ?? "-",
        figures.connections.map { grouped($0) } ?? "-",
        figures.trainingFLOPs.map { metric($0) } ?? "-", figures.bytes.map { byteCount($0) } ?? "-",
        figures.liveUnits.map { grouped($0) } ?? "-", figures.seconds.map { fixed($0, 1) } ?? "-",
      ])
    }
    return table.text(width: width)
  }

  private func state(_ run: RunRecord) -> String {
    switch run.state {
    case .finished: "finished"
    case .failed: "failed"
    case .unfinished(let step, let total):
      total > 0 ? "\(percent(Double(step) / Double(total), 0)) done" : "step \(grouped(step))"
    }
  }
}
