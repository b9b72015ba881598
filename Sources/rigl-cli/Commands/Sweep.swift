import ArgumentParser
import Foundation
import RigLCore
import RigLExperiments

/// `rigl sweep`
struct Sweep: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Train the runs of a file of experiments, several at a time.",
    discussion: """
      The file has settings, as a file for rigl train has, and lists of their values:

        settings: {preset: lenet-300-100, schedule: cosine}
        each: {method: [static, rigl], sparsity: [0.9, 0.98], seed: [0, 1, 2]}

      Every combination is a run; with groups: [{settings: …, each: …}, …] there are several such \
      products, and what two of them have in common is trained once. quick: {settings: …, each: …} \
      says what --quick makes of it.

      Below the folder, runs has the runs' folders, results.csv a line for each finished one (a table \
      of another sweep, put there, counts), failures.csv those that failed, logs what they printed. \
      Ctrl-C stops with checkpoints, and the same command goes on: finished runs are not repeated, \
      and diverged ones neither. The first run of each method and sparsity is trained last and \
      with nothing beside it, so that its seconds can be compared. The exit status is 70 if runs have failed.
      """)

  @Argument(help: ArgumentHelp("The file of experiments.", valueName: "sweep.yaml"))
  var file: String

  @Option(help: ArgumentHelp("The folder of the sweep, new or to go on with.", valueName: "dir"))
  var output: String

  @Flag(help: "Train what the file says below quick: less of everything, to see that it works.")
  var quick = false

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("A setting of all runs, on top of the file's.", valueName: "key=value"))
  var assignments: [String] = []

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Runs at a time; as many as processors by their threads.", valueName: "n"))
  var jobs: Int?

  @Option(parsing: .unconditional, help: ArgumentHelp("Threads of each run.", valueName: "n"))
  var threads = 1

  @Flag(help: "Leave those for later whose seconds count, for a time when the machine is idle.")
  var untimed = false

  @Flag(help: "Keep an event file for TensorBoard in each run's folder.")
  var tensorboard = false

  @Flag(help: "Print the runs, and train none.")
  var dryRun = false

  @OptionGroup var printing: PrintingArguments

  func validate() throws {
    guard (1...1024).contains(threads), (1...1024).contains(jobs ?? 1) else {
      throw ValidationError("--jobs and --threads are numbers from 1 to 1024.")
    }
  }

  func run() throws {
    let events = tensorboard ? [(key: "tensorboard", value: "true")] : []
    let overrides =
      try events
      + assignments.map { (assignment) throws(RigLError) in
        let parts = assignment.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else {
          throw RigLError(
            .configuration, "--set \(assignment): not a setting",
            hint: "Write --set KEY=VALUE, for example --set data=synthetic.")
        }
        return (key: String(parts[0]), value: String(parts[1]))
      }
    let plan = try SweepFile(path: file).plan(isQuick: quick, overrides: overrides)
    if dryRun { return try printRuns(of: plan) }
    let runner = try SweepRunner(
      plan, folder: output, binary: try Self.binary(), program: Self.program,
      jobs: jobs ?? max(1, ThreadPool.processors / threads), threads: threads)
    Interruption.watch()
    let watcher = SweepWatcher(printing, total: plan.runs.count)
    let outcome = try runner.run(
      isTimed: !untimed, shouldStop: { Interruption.signal != nil },
      tell: { try watcher.observe($0) })
    watcher.finish()
    try explain(outcome)
  }

  private func printRuns(of plan: SweepPlan) throws {
    let finished = try RunTable(path: SweepFolder(path: output).resultsPath)
    let runs = plan.runs.map { run in
      PlannedRun(
        run: run.name, finished: finished.record(of: run.settings) != nil, settings: run.settings)
    }
    var text = runs.map { "\($0.run)\($0.finished ? "  finished" : "")\n" }.joined()
    text += "\(counted(runs.count, "run")), \(grouped(runs.count { $0.finished })) finished\n"
    try printing.print(runs, orText: text)
  }

  private struct PlannedRun: Encodable {
    let run: String
    let finished: Bool
    let settings: [String: String]
  }

  private func explain(_ outcome: SweepRunner.Outcome) throws {
    var line = "\(counted(outcome.finished, "run")) finished"
    if outcome.failed > 0 { line += ", \(grouped(outcome.failed)) failed" }
    if outcome.left > 0 { line += ", \(grouped(outcome.left)) left" }
    try printing.inform("\(line): \(SweepFolder(path: output).resultsPath)")
    if outcome.failed > 0 {
      printing.warn(
        ["why runs failed is in \(SweepFolder(path: output).failuresPath)"], evenIfQuiet: true)
    }
    if outcome.left > 0, untimed, Interruption.signal == nil {
      try printing.inform("without --untimed, the same command trains what is left")
    }
    if outcome.left > 0, let signal = Interruption.signal {
      Output.error.tryWrite(
        "rigl: stopped by \(Interruption.name(of: signal)); the same command goes on\n")
      throw ExitCode(128 + signal)
    }
    if outcome.failed > 0 { throw ExitCode(RigLError.Kind.numerical.rawValue) }
  }

  /// The path of this program.
  private static func binary() throws(RigLError) -> String {
    guard let path = Bundle.main.executablePath else {
      throw RigLError(.missingFile, "the path of rigl itself is not known")
    }
    return path
  }

  /// The version of this program and, where it was built in a checkout, the commit that is there.
  private static var program: String {
    let place = URL(fileURLWithPath: (try? binary()) ?? ".").deletingLastPathComponent().path
    func git(_ arguments: String...) -> String? {
      let (process, output) = (Process(), Pipe())
      process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      process.arguments = ["git", "-C", place] + arguments
      (process.standardOutput, process.standardError) = (output, FileHandle.nullDevice)
      guard (try? process.run()) != nil else { return nil }
      let data = (try? output.fileHandleForReading.readToEnd()) ?? Data()
      process.waitUntilExit()
      guard process.terminationStatus == 0 else { return nil }
      return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }
    guard let commit = git("rev-parse", "--short", "HEAD"), !commit.isEmpty else {
      return packageVersion
    }
    let isChanged = git("status", "--porcelain", "--untracked-files=no")?.isEmpty == false
    return "\(packageVersion) \(commit)\(isChanged ? "+" : "")"
  }
}
