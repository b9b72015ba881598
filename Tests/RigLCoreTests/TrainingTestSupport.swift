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
