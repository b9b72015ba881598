import Foundation

/// Where a training stands, apart from the numbers of its model: what a checkpoint's metadata says.
struct TrainingState: Codable, Hashable {
  /// Weight steps taken (t).
  var weightSteps = 0
  /// Prunings of a lottery ticket so far; nil of a training without rounds. Steps, batches and place are
  /// those of the round's training.
  var round: Int?
  /// Batches drawn.
  var batchesConsumed: UInt64 = 0
  /// The step of the last topology update; nil if there are none.
  var lastUpdate: Int?
  /// Where the next batch begins.
  var position = EpochCursor.Position()
  /// Sums since the last epoch's end.
  var epoch = Sums()
  /// The best validation accuracy so far, and its step.
  var bestAccuracy: Double?
  var bestStep: Int?
  /// The fraction of the last topology update.
  var lastDropFraction: Double?
  /// Samples drawn that could not be read; nil: none.
  var damaged: Int?
  /// Connections of each sparse layer at the beginning, in the order of the network; nil where their
  /// number does not change.
  var initialConnections: [Int]?

  /// The keys in files.
  private enum CodingKeys: String, CodingKey {
    case weightSteps = "step"
    case batchesConsumed, lastUpdate, position, epoch, bestAccuracy, bestStep, lastDropFraction
    case damaged, initialConnections, round
  }

  /// Sums over samples.
  struct Sums: Codable, Hashable {
    var loss = 0.0
    var correct = 0
    var samples = 0
    /// Nil for five classes or fewer, and in sums that an older version has begun.
    var top5: Int? = 0

    mutating func add(_ report: TrainingStep.Report) {
      loss += report.loss * Double(report.samples)
      correct += report.correct
      samples += report.samples
      top5 = report.top5.flatMap { hits in top5.map { $0 + hits } }
    }

    var meanLoss: Double? { samples == 0 ? nil : loss / Double(samples) }
    var accuracy: Double? { samples == 0 ? nil : Double(correct) / Double(samples) }
    var top5Accuracy: Double? { samples == 0 ? nil : top5.map { Double($0) / Double(samples) } }
  }

  /// The state as one line of JSON with sorted keys; numbers read back are the same bits.
  func encoded() -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    let data = (try? encoder.encode(self)) ?? Data()
    return String(decoding: data, as: UTF8.self)
  }

  /// What a checkpoint says besides its tensors.
  func metadata(
    _ configuration: Configuration, _ data: DataIdentity, _ normalization: PixelNormalization?
  ) throws(RigLError) -> [String: String] {
    var metadata = data.metadata
    metadata["format"] = "swift-rigl checkpoint 1"
    metadata["configuration"] = try configuration.yaml()
    metadata["state"] = encoded()
    metadata["normalization"] = normalization?.written
    return metadata
  }

  /// Reads a state: the one place where a file's is checked, whoever asks for it.
  ///
  /// - Throws: `RigLError(.data)` if it cannot be read, or no training can be in such a state.
  static func decode(_ text: String?, path: String) throws(RigLError) -> TrainingState {
    let state: TrainingState
    do {
      state = try JSONDecoder().decode(TrainingState.self, from: Data((text ?? "").utf8))
    } catch {
      throw RigLError(.data, "\(path): the training state in its metadata cannot be read")
    }
    if let problem = state.problem {
      throw RigLError(.data, "\(path): the training state in its metadata has \(problem)")
    }
    return state
  }

  /// The sums since the last line of metrics that checkpoints held before ``MetricsSums`` did.
  static func interval(inOlder text: String?) -> Sums? {
    struct Older: Decodable {
      let interval: Sums?
    }
    let older = try? JSONDecoder().decode(Older.self, from: Data((text ?? "").utf8))
    return older?.interval.flatMap { $0.isSound ? $0 : nil }
  }

  /// Counts are never larger, so that they can be calculated with.
  fileprivate static let most = 1 << 50

  /// What is impossible in the state; nil: nothing.
  private var problem: String? {
    let most = TrainingState.most
    let counts = [
      ("a step", weightSteps), ("a round", round ?? 0), ("an epoch", position.epoch),
      ("a place in an epoch", position.index),
      ("a number of damaged samples", damaged ?? 0),
      ("a number of batches", Int(clamping: batchesConsumed)), ("samples", epoch.samples),
    ]
    if let (name, count) = counts.first(where: { !(0...most).contains($0.1) }) {
      return "\(name) of \(count)"
    }
    // Before the first update, it is -ΔT.
    if let lastUpdate, !(-most...weightSteps).contains(lastUpdate) {
      return "a last update at step \(lastUpdate)"
    }
    if let bestStep, !(0...weightSteps).contains(bestStep) { return "a best step of \(bestStep)" }
    if (bestStep == nil) != (bestAccuracy == nil) { return "half of the best weights' record" }
    if let bestAccuracy, !(0...1).contains(bestAccuracy) {
      return "a best accuracy of \(bestAccuracy)"
    }
    if let lastDropFraction, !(0...1).contains(lastDropFraction) {
      return "a drop fraction of \(lastDropFraction)"
    }
    if !epoch.isSound { return "sums over an epoch that cannot be" }
    if let broken = initialConnections?.first(where: { $0 < 0 }) {
      return "\(broken) connections at the beginning"
    }
    return nil
  }
}

extension TrainingState.Sums {
  /// Whether these can be sums over samples.
  var isSound: Bool {
    loss.magnitude <= 1e300 && (0...TrainingState.most).contains(samples)
      && (0...samples).contains(correct) && (0...samples).contains(top5 ?? 0)
  }
}

extension RunFolder {
  /// The newest checkpoint that a training can go on from, as ``CheckpointStore/latest(checking:)``:
  /// one whose state can be, and of the round and step that its name says.
  func latestCheckpoint() throws(RigLError) -> CheckpointStore.Latest? {
    let store = checkpoints()
    return try store.latest { (file) throws(RigLError) in
      let state = try TrainingState.decode(file.metadata["state"], path: file.path)
      guard store.path(round: state.round ?? 0, step: state.weightSteps) == file.path else {
        throw RigLError(
          .data,
          "\(file.path): is of \(state.round.map { "round \($0), " } ?? "")step "
            + "\(state.weightSteps), whatever its name says")
      }
    }
  }
}
