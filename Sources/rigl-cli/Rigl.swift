import ArgumentParser
import RigLCore

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
      Train.self, Evaluate.self, Predict.self, Inspect.self, Export.self, Import.self, Presets.self,
      Flops.self,
      Bench.self,
    ])

  /// Parses, runs, and turns every error into a few lines and its exit status.
  static func main() {
    System.openStandardStreams()
    System.prepareSignals()
    do {
      try System.requireReadableArguments()
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
    Output.error.tryWrite("rigl: \(printable(error.what))\n")
    for line in (error.hint ?? "").split(separator: "\n") {
      let sentence = printable(String(line))
      Output.error.tryWrite("  \(sentence.prefix(1).uppercased())\(sentence.dropFirst())\n")
    }
  }

  /// A text from anywhere, on one line and without what would command a terminal.
  static func printable(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
      return text
    }
    return text.unicodeScalars.reduce(into: "") { text, scalar in
      text +=
        scalar.properties.generalCategory == .control
        ? scalar.escaped(asASCII: true) : String(scalar)
    }
  }
}

/// How much a command prints, and for whom.
struct PrintingArguments: ParsableArguments {
  @Flag(help: "Print JSON for a program to read.")
  var json = false

  @Flag(name: .shortAndLong, help: "Print nothing but errors, and what --json asks for.")
  var quiet = false

  /// Prints the JSON of a value if that is asked for, else text unless quiet.
  func print(_ value: some Encodable, orText text: @autoclosure () -> String) throws {
    if json {
      try Output.standard.write(try jsonText(value) + "\n")
    } else if !quiet {
      try Output.standard.write(text())
    }
  }

  /// Prints a remark that is no result.
  func warn(_ warnings: [String]) {
    guard !quiet else { return }
    for warning in warnings {
      Output.error.tryWrite("rigl: warning: \(Rigl.printable(warning))\n")
    }
  }
}
