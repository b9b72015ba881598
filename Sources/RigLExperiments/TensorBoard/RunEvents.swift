import Foundation
import RigLCore

/// What TensorBoard is told of a run: its settings, each row of its metrics as scalars, and what its
/// checkpoints have as histograms.
///
/// All of it has a tag and a step that nothing else has: so of a file that a killed process has left, it
/// can be seen what is in it.
struct RunEvents {
  /// The file; its records can be taken out as they come.
  private(set) var file: EventFile
  /// Seconds since 1970 at which the run began; times in the file are these and the run's own.
  let began: Double
  /// The time of the last row.
  private var last: Double

  /// The events of a run, its settings to begin with.
  ///
  /// - Parameters:
  ///   - settings: as ``RunRecord/settings``.
  ///   - began: seconds since 1970 at which the run began.
  init(settings: [String: String], began: Double) {
    (self.began, last) = (began, began)
    file = EventFile(wallTime: began)
    file.text(Self.settingsTag, Self.table(of: settings), step: 0)
    file.hyperparameters(settings.mapValues(Self.setting), wallTime: began)
  }

  /// The events that a file of a run lacks.
  ///
  /// - Parameters:
  ///   - bytes: the file, or what is left of it; empty: there is none.
  ///   - settings: as ``RunRecord/settings``.
  ///   - rows: the rows of the run's metrics.
  ///   - checkpoints: those that are there.
  ///   - place: the last checkpoint that counts: histograms of later ones do not. Nil: there is none.
  ///   - began: seconds since 1970 at which the run began, unless the file says so.
  /// - Returns: the length of the file's beginning that is right, and the events that are missing
  ///   behind it.
  /// - Throws: as ``SafetensorsFile/init(path:)``.
  static func continuing(
    _ bytes: [UInt8], settings: [String: String], rows: [MetricsRow], checkpoints: [Checkpoint],
    upTo place: Place?, began: Double
  ) throws(RigLError) -> (kept: Int, events: RunEvents) {
    var records = EventRecords(bytes)
    let first = records.next().flatMap { $0.isVersion && 0..<1e10 ~= $0.wallTime ? $0 : nil }
    var events = RunEvents(settings: settings, began: first?.wallTime ?? began)
    // Tags and steps of the beginning, and of each row.
    let header = Set(EventRecords(events.file.bytes).compactMap { Label($0) })
    var expected = header
    for row in rows {
      for (tag, _) in scalars(of: row) { expected.insert(Label(tag: tag, step: row.step)) }
    }
    var (kept, found) = (0, Set<Label>())
    while first != nil, let event = records.next(), let label = Label(event), !found.contains(label)
    {
      guard expected.contains(label) || label.isHistogram(upTo: place) else { break }
      (kept, _) = (event.end, found.insert(label))
    }
    if header.isSubset(of: found) {
      _ = events.takeBytes()
    } else {
      (kept, found) = (0, [])
    }
    for row in rows { events.add(row, except: found) }
    for checkpoint in checkpoints where place.map({ Place(checkpoint) <= $0 }) ?? false {
      try events.add(checkpoint, except: found)
    }
    return (kept, events)
  }

  /// Takes the records out, to be appended to what has been taken before.
  mutating func takeBytes() -> [UInt8] { file.takeBytes() }

  /// Adds a row of the metrics.
  mutating func add(_ row: MetricsRow) { add(row, except: []) }

  /// Adds the weights of a checkpoint's active connections, and their ages where it has them.
  ///
  /// - Throws: as ``SafetensorsFile/init(path:)``.
  mutating func add(_ checkpoint: Checkpoint) throws(RigLError) {
    try add(checkpoint, except: [])
  }

  /// Adds that the training is complete.
  mutating func end() { file.end(.success, wallTime: last) }

  // MARK: - Places

  /// How far a training had come: rounds of a lottery ticket follow each other.
  struct Place: Comparable {
    var round: Int
    var step: Int

    init(round: Int, step: Int) { (self.round, self.step) = (round, step) }
    init(_ checkpoint: Checkpoint) { (round, step) = (checkpoint.round, checkpoint.step) }

    static func < (a: Place, b: Place) -> Bool { (a.round, a.step) < (b.round, b.step) }
  }

  /// What tells an event from others.
  private struct Label: Hashable {
    var tag: String
    var step: Int

    init(tag: String, step: Int) { (self.tag, self.step) = (tag, step) }
    init?(_ event: EventRecords.Event) {
      guard let tag = event.tag else { return nil }
      (self.tag, step) = (tag, event.step)
    }

    /// Whether it is a histogram of a checkpoint that counts.
    func isHistogram(upTo place: Place?) -> Bool {
      guard let place, tag.hasPrefix("weights/") || tag.hasPrefix("ages/") else { return false }
      let round = tag.range(of: RunEvents.roundMark, options: .backwards)
        .flatMap { Int(tag[$0.upperBound...]) }
      return Place(round: round ?? 0, step: step) <= place
    }
  }

  private static let roundMark = "/round-"

  /// A tag; each round of a lottery ticket after the first training has steps of its own, and so tags.
  private static func tag(_ tag: String, round: Int) -> String {
    round > 0 ? "\(tag)\(roundMark)\(round)" : tag
  }

  // MARK: - Settings

  private static let settingsTag = "settings"

  private static func table(of settings: [String: String]) -> String {
    let rows = settings.sorted { $0.key < $1.key }.map { key, value in
      "| \(key) | \(value.map { $0 == "|" ? "\\|" : String($0) }.joined()) |\n"
    }
    return "| setting | value |\n| --- | --- |\n" + rows.joined()
  }

  private static func setting(_ text: String) -> EventFile.Setting {
    switch text {
    case "true": .flag(true)
    case "false": .flag(false)
    default: Double(text).map { .number($0) } ?? .text(text)
    }
  }

  // MARK: - Scalars and histograms

  private mutating func add(_ row: MetricsRow, except known: Set<Label>) {
    last = began + (row.elapsedSeconds ?? 0)
    for (tag, value) in Self.scalars(of: row)
    where !known.contains(Label(tag: tag, step: row.step)) {
      file.scalar(tag, value, step: row.step, wallTime: last)
    }
  }

  private static func scalars(of row: MetricsRow) -> [(tag: String, value: Double)] {
    let split = row.split.rawValue
    var values: [(String, Double?)] = [
      ("loss/\(split)", row.loss), ("accuracy/\(split)", row.accuracy),
      ("top5_accuracy/\(split)", row.top5),
    ]
    if row.split == .train {
      values += [
        ("training/learning_rate", row.learningRate),
        ("training/gradient_norm", row.gradientNorm),
        ("training/samples_per_second", row.samplesPerSecond),
      ]
    }
    if GradientFlow.splits.contains(row.split) {
      values = [("gradient_norm/\(split)", row.gradientNorm)]
    }
    if row.split == .update {
      values += [
        ("topology/connections", row.connections.map(Double.init)),
        ("topology/connections_moved", row.connectionsMoved.map(Double.init)),
        ("topology/never_active_before", row.neverActiveBefore.map(Double.init)),
        ("topology/explored_share", row.exploredShare),
        ("topology/drop_fraction", row.dropFraction),
        ("topology/live_units", row.liveUnits.map(Double.init)),
      ]
    }
    return values.compactMap { tag, value in
      value.map { (Self.tag(tag, round: row.round ?? 0), $0) }
    }
  }

  private mutating func add(
    _ checkpoint: Checkpoint, except known: Set<Label>
  ) throws(RigLError) {
    // Of a run that goes on meanwhile it may be gone.
    guard FileSystem.item(checkpoint.path) != .nothing else { return }
    let tensors = try SafetensorsFile(path: checkpoint.path)
    for name in tensors.tensors.map(\.name) {
      // A layer's weight is one tensor if it has all connections, and else its parts.
      let (weight, ages) = (".weight", ".weight.\(Parameter.birth)")
      guard let end = [weight, "\(weight).values", ages].first(where: name.hasSuffix) else {
        continue
      }
      let group = end == ages ? "ages" : "weights"
      let tag = Self.tag("\(group)/\(name.dropLast(end.count))", round: checkpoint.round)
      guard !known.contains(Label(tag: tag, step: checkpoint.step)) else { continue }
      let values =
        end == ages
        ? Histogram(of: try tensors.int32(name).lazy.map { Double(checkpoint.step - Int($0)) })
        : Histogram(of: try tensors.float32(name).lazy.map(Double.init))
      file.histogram(tag, values, step: checkpoint.step, wallTime: last)
    }
  }
}
