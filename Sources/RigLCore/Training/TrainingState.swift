import Foundation

/// Where a training stands, apart from the numbers of its model: what a checkpoint's metadata says.
struct TrainingState: Codable, Hashable {
  /// Weight steps taken (t).
  var step = 0
  /// Batches drawn.
  var batchesConsumed: UInt64 = 0
  /// The step of the last topology update; nil if there are none.
  var lastUpdate: Int?
  /// Where the next batch begins.
  var position = BatchLoader.Position()
  /// Sums since the last line of metrics, and since the last epoch's end.
  var interval = Sums()
  var epoch = Sums()
  /// The best validation accuracy so far, and its step.
  var bestAccuracy: Double?
  var bestStep: Int?
  /// The fraction of the last topology update.
  var lastDropFraction: Double?
  /// Samples drawn that could not be read; nil: none.
  var damaged: Int?

  /// Sums over samples.
  struct Sums: Codable, Hashable {
    var loss = 0.0
    var correct = 0
    var samples = 0

    mutating func add(_ report: TrainingStep.Report) {
      loss += report.loss * Double(report.samples)
      correct += report.correct
      samples += report.samples
    }

    var meanLoss: Double? { samples == 0 ? nil : loss / Double(samples) }
    var accuracy: Double? { samples == 0 ? nil : Double(correct) / Double(samples) }
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

  /// Reads a state.
  static func decode(_ text: String?, path: String) throws(RigLError) -> TrainingState {
    do {
      return try JSONDecoder().decode(TrainingState.self, from: Data((text ?? "").utf8))
    } catch {
      throw RigLError(.data, "\(path): the training state in its metadata cannot be read")
    }
  }
}
