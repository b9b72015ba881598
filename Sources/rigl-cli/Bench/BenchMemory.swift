// `rigl bench memory`: every case in a process of its own.

import ArgumentParser
import Foundation
import RigLBench
import RigLCore

extension Bench {
  /// `rigl bench memory`
  struct MemoryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "memory",
      abstract: "The most memory that training takes.",
      discussion: """
        huge: one layer 200000-200000 with 4 million connections, from drawing them to moving \
        them; mlp: 4096-4096-4096-10 at 95 %, with RigL; mlp-static: the same without updates; \
        pruning: 2048-2048-2048 from dense to 90 %, its resident memory and step time on the way \
        and at the end, beside those of the same network that sparse from the start. Each runs in a \
        process of its own.
        """)

    @OptionGroup var arguments: BenchArguments

    @Option(help: "Threads; each has scratch of its own.")
    var threads = MemoryBench().threads

    @Option(
      parsing: .upToNextOption,
      help: ArgumentHelp("What to train: huge, mlp, mlp-static, pruning.", valueName: "case"))
    var cases: [MemoryBench.Case] = []

    @Option(help: ArgumentHelp("One case, in this process.", visibility: .hidden))
    var here: MemoryBench.Case?

    func run() throws {
      let printer = BenchPrinter(json: arguments.json)
      if let here {
        var bench = MemoryBench()
        bench.threads = threads
        try bench.run(here) { try printer.print($0) }
        return
      }
      _ = try arguments.begin(printer, threads: threads)
      for which in cases.isEmpty ? MemoryBench.Case.allCases : cases { try runAlone(which) }
    }

    /// Runs a case in a new process, which prints the result.
    private func runAlone(_ which: MemoryBench.Case) throws {
      guard let program = Bundle.main.executableURL else {
        throw RigLError(.missingFile, "bench memory: this program cannot find its own file")
      }
      let process = Process()
      process.executableURL = program
      process.arguments = [
        "bench", "memory", "--here", which.rawValue, "--threads", "\(threads)",
      ]
      if arguments.json { process.arguments?.append("--json") }
      do {
        try process.run()
      } catch {
        throw RigLError(.missingFile, "bench memory: \(program.path) cannot be started: \(error)")
      }
      process.waitUntilExit()
      guard process.terminationReason == .exit else {
        throw RigLError(
          .configuration, "bench memory: case \(which.rawValue) was killed",
          hint: "is there enough memory?")
      }
      // The other process has said what is wrong.
      if process.terminationStatus != 0 { throw ExitCode(process.terminationStatus) }
    }
  }
}

extension MemoryBench.Case: ExpressibleByArgument {}
