import Foundation
import RigLCore

/// Carries out the runs of a sweep that are not finished, several at a time, each in a process of its
/// own. Whatever ends it, the next one on the same folder goes on: finished runs are in the table, and
/// others from their last checkpoint.
package final class SweepRunner {
  /// What happens, to be shown.
  package enum Event {
    /// A run has ended well.
    case finished(RunRecord)
    /// A run has failed.
    case failed(SweepFailures.Failure)
    /// Some time has passed.
    case progress(SweepProgress)
  }

  /// How it ended.
  package struct Outcome: Hashable, Sendable {
    package var finished = 0
    package var failed = 0
    /// Runs that have yet to be trained, because it was stopped.
    package var left = 0
  }

  private let plan: SweepPlan
  private let folder: SweepFolder
  private let binary: String
  private let program: String
  private let jobs: Int
  private let threads: Int
  private var table: RunTable
  private var failures: SweepFailures
  private let lock: OpenFile
  private var children: [(run: SweepPlan.Run, process: ChildProcess, isNew: Bool)] = []
  private var progress: SweepProgress
  private var isStopping = false

  /// Opens the folder, which must not be another sweep's at the same time.
  ///
  /// - Parameters:
  ///   - plan: the runs.
  ///   - folder: the path of the folder.
  ///   - binary: the path of the `rigl` command.
  ///   - program: the version and commit that the table names.
  ///   - jobs: runs at a time.
  ///   - threads: threads of each.
  package init(
    _ plan: SweepPlan, folder: String, binary: String, program: String, jobs: Int, threads: Int
  ) throws(RigLError) {
    self.plan = plan
    self.folder = SweepFolder(path: folder)
    (self.binary, self.program) = (binary, program)
    (self.jobs, self.threads) = (jobs, threads)
    lock = try self.folder.lock()
    table = try RunTable(path: self.folder.resultsPath)
    failures = try SweepFailures(path: self.folder.failuresPath)
    progress = SweepProgress(total: plan.runs.count)
  }

  /// Trains what is not finished.
  ///
  /// - Parameters:
  ///   - isTimed: whether those are trained, too, whose seconds count: not on a machine that has other
  ///     work.
  ///   - shouldStop: asked some ten times a second; true: runs stop with a checkpoint.
  ///   - tell: told what happens.
  /// - Throws: `RigLError(.write)` where a result cannot be written; what runs is then stopped.
  package func run(
    isTimed: Bool = true, shouldStop: () -> Bool, tell: (Event) throws -> Void
  ) throws -> Outcome {
    let alone = plan.alone.map(\.name)
    let open = plan.runs.filter { table.record(of: $0.settings) == nil && !isLost($0) }
    progress.failed = plan.runs.count(where: isLost)
    progress.begin(done: plan.runs.count - open.count - progress.failed)
    defer { stopAll() }
    try train(open.filter { !alone.contains($0.name) }, atOnce: jobs, shouldStop, tell)
    // Those whose seconds count, one by one.
    if isTimed { try train(open.filter { alone.contains($0.name) }, atOnce: 1, shouldStop, tell) }
    var outcome = Outcome()
    outcome.finished = plan.runs.count { table.record(of: $0.settings) != nil }
    outcome.failed = plan.runs.count { failures[$0.name] != nil }
    outcome.left = plan.runs.count - outcome.finished - outcome.failed
    return outcome
  }

  /// Whether a run has failed and would again.
  private func isLost(_ run: SweepPlan.Run) -> Bool { failures[run.name]?.isForGood == true }

  private func train(
    _ runs: [SweepPlan.Run], atOnce: Int, _ shouldStop: () -> Bool, _ tell: (Event) throws -> Void
  ) throws {
    var waiting = runs[...]
    while !waiting.isEmpty && !isStopping || !children.isEmpty {
      while !isStopping, children.count < atOnce, let run = waiting.popFirst() {
        children.append(try start(run))
      }
      Thread.sleep(forTimeInterval: 0.05)
      for index in children.indices.reversed() where !children[index].process.isRunning {
        let child = children.remove(at: index)
        if child.isNew, !isStopping, wasBegunByAnother(child.run, child.process) {
          waiting.append(child.run)
        } else {
          try end(child.run, child.process, tell)
        }
      }
      if shouldStop(), !isStopping {
        isStopping = true
        for child in children { child.process.stop() }
      }
      progress.running = children.map { child in
        let line = child.process.lastLine
        let share = Double(line?.step ?? 0) / Double(max(line?.totalSteps ?? 1, 1))
        return (child.run.name, min(share, 1))
      }
      try tell(.progress(progress))
    }
  }

  /// Whether a run could not be begun because another process has begun it in the meantime: what a
  /// killed sweep had just started. It goes on from there.
  private func wasBegunByAnother(_ run: SweepPlan.Run, _ process: ChildProcess) -> Bool {
    process.status == RigLError.Kind.configuration.rawValue
      && FileSystem.item("\(folder.run(run.name))/config.yaml") == .file
  }

  /// Starts the process of a run, which goes on if it has been begun.
  private func start(
    _ run: SweepPlan.Run
  ) throws -> (run: SweepPlan.Run, process: ChildProcess, isNew: Bool) {
    let path = folder.run(run.name)
    let common = ["--quiet", "--json", "--attached", "--threads", "\(threads)"]
    if FileSystem.item("\(path)/config.yaml") == .file {
      try awaitWriter(of: path)
      // What is asked for now counts, and not what the run was begun with.
      let events = run.options.tensorBoard.map { ["--set", "tensorboard=\($0)"] } ?? []
      let process = try ChildProcess(
        binary, ["train", "--resume", path] + events + common, logs: folder.logs(run.name))
      return (run, process, false)
    }
    let settings = folder.logs(run.name) + ".yaml"
    try AtomicFile.write(try run.yaml(), to: settings)
    let process = try ChildProcess(
      binary, ["train", settings, "--output", path, "--keep", "1"] + common,
      logs: folder.logs(run.name))
    return (run, process, true)
  }

  /// Waits until nobody writes in a run's folder: what a killed sweep has left running stops by
  /// itself, with a checkpoint. Who still does after some time says so in an error of the run.
  private func awaitWriter(of path: String) throws(RigLError) {
    let run = try RunFolder.open(path)
    for _ in 0..<300 {
      if (try? run.lock()) != nil { return }
      Thread.sleep(forTimeInterval: 0.1)
    }
  }

  private func end(
    _ run: SweepPlan.Run, _ process: ChildProcess, _ tell: (Event) throws -> Void
  ) throws {
    let line = process.lastLine
    guard process.status == 0 else {
      // It was asked to, and goes on the next time.
      if isStopping, process.status > 128 { return }
      let failure = SweepFailures.Failure(
        run: run.name, status: process.status,
        error: line?.error
          ?? (process.lastError.isEmpty
            ? "ended with status \(process.status)" : process.lastError))
      try failures.set(failure, of: run.name)
      progress.failed += 1
      return try tell(.failed(failure))
    }
    var record = try RunReader.record(folder.run(run.name))
    record.settings = run.settings
    record.program = program
    record.figures.bestTestAccuracy = line?.bestTestAccuracy
    record.figures.wasAlone = plan.alone.contains { $0.name == run.name }
    try table.add(record)
    try failures.set(nil, of: run.name)
    progress.done += 1
    try tell(.finished(record))
  }

  private func stopAll() {
    for child in children { child.process.stop() }
    while children.contains(where: { $0.process.isRunning }) { Thread.sleep(forTimeInterval: 0.05) }
    children = []
  }
}

/// How far a sweep is.
package struct SweepProgress {
  package let total: Int
  /// Runs that are finished, earlier ones included.
  package internal(set) var done = 0
  package internal(set) var failed = 0
  /// What runs now, and the share of its steps that is done.
  package internal(set) var running: [(name: String, share: Double)] = []
  private var start = (time: ContinuousClock.now, share: 0.0)

  init(total: Int) { self.total = total }

  mutating func begin(done: Int) {
    self.done = done
    start = (.now, share)
  }

  /// The share of all that is done, running ones by their steps.
  package var share: Double {
    (Double(done + failed) + running.reduce(0) { $0 + $1.share }) / Double(max(total, 1))
  }

  /// Seconds that the rest will take if it goes on as since the beginning; nil: too early to say.
  package var secondsLeft: Double? {
    let gained = share - start.share
    let seconds = start.time.duration(to: .now) / .seconds(1)
    guard gained > 0.005, seconds > 2 else { return nil }
    return seconds * (1 - share) / gained
  }
}
