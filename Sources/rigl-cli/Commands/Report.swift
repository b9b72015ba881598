import ArgumentParser
import RigLCore
import RigLExperiments

/// `rigl report`
struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Write a page about runs: what was reached, at which cost, and how they differ.",
    discussion: """
      Each path is a run, the folder of a sweep, a folder of either, or a sweep's results.csv. The page \
      is one HTML file that needs neither network nor scripts: accuracy against sparsity, operations, \
      bytes and seconds, with 95 % intervals over seeds (Student's t); paired differences; learning \
      curves, moving connections, densities, dead units, and where inputs are used, of those runs whose \
      folders are there; the loss along the paths that rigl landscape has measured there.
      """)

  @Argument(help: ArgumentHelp("Runs, folders of runs, or tables.", valueName: "path"))
  var paths: [String]

  @Option(help: ArgumentHelp("The page; an older one is replaced.", valueName: "file.html"))
  var output = "report.html"

  @Option(help: ArgumentHelp("The title of the page.", valueName: "text"))
  var title: String?

  @Option(
    help: ArgumentHelp(
      "A file of rigl landscape that is in none of the runs' folders; may be repeated.",
      valueName: "file.csv"))
  var landscape: [String] = []

  @OptionGroup var printing: PrintingArguments

  private struct Result: Encodable {
    let report: String
    let runs: Int
    let finished: Int
    let bytes: Int
  }

  func run() throws {
    try requireNoRunsFile()
    let (runs, faults) = try RunCollection.read(paths, hasHistory: true)
    let (landscapes, unread) = try LandscapeFile.collect(in: paths, landscape)
    printing.warn((faults + unread).map(\.sentence), evenIfQuiet: true)
    let page = try Report.html(
      of: runs, landscapes: landscapes,
      title: title ?? (paths.count == 1 ? "Runs of \(paths[0])" : "Runs"))
    try AtomicFile.write(page, to: output)
    let result = Result(
      report: output, runs: runs.count, finished: runs.count { $0.state == .finished },
      bytes: page.utf8.count)
    try printing.print(
      result, orText: "\(output): \(counted(runs.count, "run")), \(byteCount(result.bytes))\n")
  }

  /// A page must not take the place of a run's own files.
  private func requireNoRunsFile() throws(RigLError) {
    guard RunFolder.owns(output) else { return }
    throw RigLError(
      .configuration, "--output \(output): a file of the run itself", hint: "Choose another name.")
  }
}
