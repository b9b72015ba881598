import Foundation

/// What the next line of a run's metrics will be about, as far as it had come at each checkpoint.
///
/// It lies beside the metrics and not in checkpoints, whose bytes do not depend on how often lines
/// are written; with it a run that was killed and goes on writes the lines of an unbroken one.
/// Without it, the first line covers what comes after the checkpoint. It is gone when a training is
/// complete.
struct MetricsSums {
  private struct Entry: Codable {
    /// Of a lottery ticket's rounds after its first training.
    let round: Int?
    let batchesConsumed: Int
    let sums: TrainingState.Sums

    var place: MetricsRow.Place {
      MetricsRow.Place(round: round ?? 0, batchesConsumed: batchesConsumed)
    }

    private enum CodingKeys: String, CodingKey {
      case batchesConsumed = "batches_consumed"
      case round, sums
    }
  }

  /// Checkpoints that are remembered, the last ones: as many as can be damaged at once, and more.
  private static let most = 16

  private let path: String
  private var entries: [Entry] = []

  /// Those that a run folder has. A file that is damaged is none.
  init(of folder: RunFolder) {
    path = "\(folder.path)/metrics-sums.json"
    guard let bytes = try? FileSystem.contents(of: path, limit: 1 << 20) else { return }
    entries = (try? JSONDecoder().decode([Entry].self, from: Data(bytes))) ?? []
  }

  /// The sums of a checkpoint; nil where there are none.
  func sums(at place: MetricsRow.Place) -> TrainingState.Sums? {
    entries.last { $0.place == place && $0.sums.isSound }?.sums
  }

  /// Remembers the sums of a checkpoint, before it is written; forgets those of later ones.
  ///
  /// - Throws: `RigLError(.write)`.
  mutating func remember(
    _ sums: TrainingState.Sums, at place: MetricsRow.Place
  ) throws(RigLError) {
    let before = entries.count
    entries.removeAll { $0.place >= place }
    let isChanged = entries.count != before
    if sums.samples > 0 {
      entries.append(
        Entry(
          round: place.round == 0 ? nil : place.round, batchesConsumed: place.batchesConsumed,
          sums: sums))
      entries = entries.suffix(MetricsSums.most)
    } else if !isChanged {
      return
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    let json = (try? encoder.encode(entries)) ?? Data()
    try AtomicFile.write([UInt8](json), to: path, followsLinks: false)
  }

  /// Forgets all, once no line will come any more.
  mutating func remove() {
    entries = []
    try? FileSystem.remove(file: path)
  }
}
