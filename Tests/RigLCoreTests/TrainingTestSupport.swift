import RigLCore
import Testing

extension RunOptions {
  /// Options of a training with so many threads.
  init(
    threads: Int, dataFolder: String? = nil, output: String? = nil, startFrom: String? = nil
  ) {
    self.init()
    self.threads = threads
    (self.dataFolder, self.output, self.startFrom) = (dataFolder, output, startFrom)
  }
}

/// Remembers what a training tells of, and ends it at a step.
final class Watcher: TrainingCallback {
  private(set) var remarks: [String] = []
  private(set) var warnings: [String] = []
  private let step: Int
  private let decision: TrainingDecision

  init(stopAt step: Int = .max, by decision: TrainingDecision = .stop) {
    (self.step, self.decision) = (step, decision)
  }

  func observe(_ event: TrainingEvent, in trainer: Trainer) -> TrainingDecision {
    if case .remark(let text) = event { remarks.append(text) }
    if case .warning(let text) = event { warnings.append(text) }
    return trainer.step.weightSteps >= step ? decision : .proceed
  }
}

/// Trains a run to a step, where it is left to be resumed, or to its end.
@discardableResult
func trainRun(
  _ configuration: Configuration, _ path: String, threads: Int = 1, until step: Int = .max,
  resuming: Bool = false, method: (any TopologyMethod)? = nil
) throws -> (trainer: Trainer, warnings: [String]) {
  var options = RunOptions(threads: threads, output: resuming ? nil : path)
  (options.checkpointEvery, options.keep) = (3, 99)
  let trainer = try Trainer(configuration, options: options, method: method)
  let watcher = Watcher(stopAt: step, by: .interrupt)
  trainer.callbacks = [watcher]
  _ = try resuming ? trainer.resume(path) : trainer.run()
  return (trainer, watcher.warnings)
}

/// Expects that a training ends with the same checkpoint whether it is one thread's, or is left to other
/// numbers of threads where it is stopped; returns the one without a stop, of the folder's run `whole`.
func expectSameBits(
  _ configuration: Configuration, in folder: TemporaryFolder, method: (any TopologyMethod)? = nil,
  _ name: String, stops: (_ last: Int) -> [Int], sourceLocation: SourceLocation = #_sourceLocation
) throws -> Trainer {
  let whole = try trainRun(configuration, folder("whole"), method: method).trainer
  func last(_ run: String) throws -> [UInt8] {
    try fileBytes(checkpointPath(folder(run), whole.totalSteps, round: whole.rounds))
  }
  let bytes = try last("whole")
  for (index, stop) in stops(whole.totalSteps).enumerated() {
    let (before, after) = [(2, 3), (3, 1), (1, 2)][index % 3]
    let run = "stopped at \(stop)"
    try trainRun(configuration, folder(run), threads: before, until: stop, method: method)
    try trainRun(configuration, folder(run), threads: after, resuming: true, method: method)
    #expect(
      try last(run) == bytes, "\(name), \(before) threads to step \(stop), then \(after)",
      sourceLocation: sourceLocation)
  }
  return whole
}

/// The path of a run's checkpoint at a step, of a lottery ticket in a round.
func checkpointPath(_ run: String, _ step: Int, round: Int = 0) -> String {
  CheckpointStore(folder: "\(run)/checkpoints").path(round: round, step: step)
}

/// The runs of a test.
extension TemporaryFolder {
  /// A run's `config.yaml`.
  func configuration(of run: String) throws -> String {
    try RunFolder.open(self(run)).configuration()
  }

  /// A run's last checkpoint.
  func checkpoint(of run: String) throws -> SafetensorsFile {
    let list = try RunFolder.open(self(run)).checkpoints().list()
    return try SafetensorsFile(path: try #require(list.last).path)
  }

  /// A run's metrics without what depends on time.
  func metrics(of run: String) throws -> [MetricsRow] {
    try MetricsLog.rows(at: self("\(run)/metrics.csv")).map {
      var row = $0
      (row.samplesPerSecond, row.elapsedSeconds, row.peakMemoryBytes) = (nil, nil, nil)
      return row
    }
  }
}

/// The error that `body` throws; nil if it throws none, or another one.
func rigLError(_ body: () throws -> Void) -> RigLError? {
  do {
    try body()
    return nil
  } catch { return error as? RigLError }
}
