import RigLCore
import RigLExperiments

/// Shows a sweep while it runs: a line that is drawn over itself on a terminal, and a line for each run
/// that ends.
final class SweepWatcher {
  private let printing: PrintingArguments
  private let total: Int
  private let showsBar: Bool
  private let output: Output
  private var isShown = false
  private var lastDrawn: ContinuousClock.Instant?
  private var done = 0

  init(_ printing: PrintingArguments, total: Int) {
    self.printing = printing
    self.total = total
    output = printing.json ? .error : .standard
    showsBar = !printing.quiet && Terminal.standardError.isInteractive
  }

  /// Shows what happens.
  func observe(_ event: SweepRunner.Event) throws {
    switch event {
    case .finished(let record):
      let accuracy = record.figures.testAccuracy.map { ", test accuracy \(percent($0))" } ?? ""
      let seconds = record.figures.seconds.map { " in \(duration($0))" } ?? ""
      try printLine("\(record.name): finished\(seconds)\(accuracy)")
      if printing.json {
        clear()
        try Output.standard.write(try jsonText(RunLine(record), onOneLine: true) + "\n")
      }
    case .failed(let failure):
      clear()
      printing.warn(["\(failure.run) failed: \(failure.error)"], evenIfQuiet: true)
    case .progress(let progress): draw(progress)
    }
  }

  /// Takes the line away.
  func finish() { clear() }

  private func printLine(_ text: String) throws {
    guard !printing.quiet else { return }
    clear()
    try output.write(
      wrapped(text.printable(), width: Terminal.standardOutput.columns, indent: "  ") + "\n")
  }

  private func draw(_ progress: SweepProgress) {
    let now = ContinuousClock.now
    guard showsBar, lastDrawn.map({ now - $0 >= .milliseconds(200) }) ?? true else { return }
    lastDrawn = now
    let terminal = Terminal.standardError
    var parts = ["\(grouped(progress.done)) of \(grouped(progress.total)) runs"]
    if progress.failed > 0 { parts.append("\(grouped(progress.failed)) failed") }
    if let left = progress.secondsLeft { parts.append("\(duration(left)) left") }
    for run in progress.running { parts.append("\(run.name) \(percent(run.share, 0))") }
    var line = ""
    for part in parts where line.count + part.count + 2 < terminal.columns - 3 {
      line += line.isEmpty ? part : ", \(part)"
    }
    // Over the last one, and what of it was longer is erased.
    Output.error.tryWrite("\r\(line.printable())\u{1B}[K")
    isShown = true
  }

  private func clear() {
    if isShown { Output.error.tryWrite("\r\u{1B}[K") }
    isShown = false
  }
}
