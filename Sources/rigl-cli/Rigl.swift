import ArgumentParser
import RigLCore
import RigLImages

/// The `rigl` command: what is typed becomes calls of RigLCore, what they return becomes text.
@main
struct Rigl: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rigl",
    abstract: "Train neural networks that are sparse from the first step to the last.",
    discussion: """
      Exit status: 0 success, 64 usage or configuration, 65 bad data, 66 missing file, \
      70 training diverged, 71 out of memory, 74 failed write, 129 hangup, 130 Ctrl-C, 143 terminated.

      First steps:
        rigl train --preset demo --dry-run
        rigl train --preset demo --output runs/demo
        rigl evaluate runs/demo
      """,
    version: packageVersion,
    subcommands: [
      Train.self, Evaluate.self, Predict.self, Inspect.self, Export.self, Strip.self, Import.self,
      Presets.self, Methods.self, Settings.self, Flops.self, Bench.self, Sweep.self, Runs.self,
      Compare.self, ReportCommand.self, TensorBoard.self, LandscapeCommand.self,
      GradientFlowCommand.self,
    ])

  /// Parses, runs, and turns every error into a few lines and its exit status.
  static func main() {
    System.openStandardStreams()
    System.prepareSignals()
    ImageFormats.register()
    do {
      try System.requireReadableArguments()
      try requireInstructionSet()
      try parseAndRun()
    } catch let error as RigLError {
      report(error)
      System.exit(error.kind.rawValue)
    } catch is ClosedOutput {
      System.exit(0)
    } catch {
      exit(withError: error)
    }
  }

  private static func parseAndRun() throws {
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch  where exitCode(for: error).isSuccess {
      // Help and version: ArgumentParser would not notice that they could not be written.
      let text = fullMessage(for: error)
      if !text.isEmpty { try Output.standard.write(text + "\n") }
    }
  }

  /// Prints an error: what and where, then what to do, indented.
  static func report(_ error: RigLError) {
    Output.error.tryWrite("rigl: \(error.what)\n")
    for line in (error.hint ?? "").split(separator: "\n") {
      // A key of a setting, a command or a path keeps its letters.
      let isSentence = line.prefix { $0 != " " }.allSatisfy(\.isLetter) && !line.hasPrefix("rigl ")
      let start = isSentence ? line.prefix(1).uppercased() : String(line.prefix(1))
      Output.error.tryWrite("  \(start)\(line.dropFirst())\n")
    }
  }
}

/// How much a command prints, and for whom.
struct PrintingArguments: ParsableArguments {
  @Flag(help: "Print JSON for a program to read.")
  var json = false

  @Flag(
    name: .shortAndLong, help: "Print nothing but errors, damaged samples and what --json asks for."
  )
  var quiet = false

  /// Prints the JSON of a value if that is asked for, else text unless quiet.
  func print(_ value: some Encodable, orText text: @autoclosure () -> String) throws {
    if json {
      try Output.standard.write(try jsonText(value) + "\n")
    } else if !quiet {
      try Output.standard.write(text().printable(keepsLines: true))
    }
  }

  /// Prints remarks that are no results.
  ///
  /// - Parameter evenIfQuiet: whether they are errors, of which the command could do without what
  ///   they are about.
  func warn(_ warnings: [String], evenIfQuiet: Bool = false) {
    guard !quiet || evenIfQuiet else { return }
    for warning in warnings {
      Output.error.tryWrite("rigl: warning: \(warning.printable())\n")
    }
  }

  /// Prints lines that say what a command is about to do: to standard error where --json has the
  /// other for itself.
  func inform(_ line: String) throws {
    guard !quiet else { return }
    try (json ? Output.error : .standard).write(line.printable() + "\n")
  }
}
