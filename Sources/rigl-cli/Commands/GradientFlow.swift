import ArgumentParser
import RigLCore
import RigLExperiments

/// `rigl gradient-flow`
struct GradientFlowCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gradient-flow",
    abstract: "Print the norm of a run's gradient at the start and after each update.",
    discussion: """
      Of runs that were trained with track_gradient_norm: true. The norm is that of all parameters \
      together (active connections, biases, batch-norms), of the mean gradient of a batch before \
      clipping: of the first batch, before anything has moved, and of the first weight step after each \
      topology update. rigl report draws it.
      """)

  @Argument(help: ArgumentHelp("Run folders, or folders of runs or of a sweep.", valueName: "run"))
  var paths: [String]

  @Flag(help: "Print a table with commas for a program to read.")
  var csv = false

  @OptionGroup var printing: PrintingArguments

  private struct Result: Encodable {
    let run: String
    let norms: [GradientFlow.Point]
  }

  func validate() throws {
    if csv && printing.json { throw ValidationError("--csv and --json exclude each other.") }
  }

  func run() throws {
    let folders = try paths.flatMap { try RunCollection.folders($0) }
    let results = try folders.map { Result(run: $0, norms: try GradientFlow.read($0)) }
    if csv { return try Output.standard.write(csvText(results)) }
    try printing.print(results, orText: text(results, width: Terminal.standardOutput.columns))
  }

  private func csvText(_ results: [Result]) -> String {
    GradientFlow.csv(results.map { ($0.run, $0.norms) })
  }

  private func text(_ results: [Result], width: Int) -> String {
    results.map { result in
      let hasRounds = result.norms.contains { $0.round != nil }
      var table = Table(
        (hasRounds ? [.number("round", rank: 0)] : [])
          + [.number("step", rank: 2), .word("gradient", rank: 1), .number("norm", rank: 3)])
      for point in result.norms {
        table.add(
          (hasRounds ? [point.round.map { grouped($0) } ?? ""] : [])
            + [grouped(point.step), point.kind.replacing("_", with: " "), fixed(point.norm, 6)])
      }
      return "\(result.run)\n\(table.text(width: width))"
    }.joined(separator: "\n")
  }
}
