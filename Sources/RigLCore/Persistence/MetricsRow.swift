/// One line of a run's `metrics.csv`; what does not apply is nil, an empty cell.
package struct MetricsRow: Hashable, Sendable {
  /// Which samples a row is about.
  package enum Split: String, Hashable, Sendable, CaseIterable {
    /// The training samples, to which weights are fitted.
    case train
    /// The validation samples, held back to choose the best weights by.
    case validation
    /// The test samples, by which nothing is chosen.
    case test
    /// None: the row is about a topology update.
    case update
    /// None: the row has the norm of the training's first gradient.
    case initialisation
    /// None: the row has the norm of the gradient of the first weight step after a topology update.
    case afterUpdate = "after_update"
  }

  /// Weight updates so far (t); of a topology update, and of a gradient's norm, those before it.
  package var step: Int
  /// Batches so far, those of topology updates included.
  package var batchesConsumed: Int
  /// Passes over the data that are complete.
  package var epoch: Int
  /// Which samples loss and accuracy are about.
  package var split: Split
  /// The mean loss.
  package var loss: Double?
  /// The share of samples classified correctly, in 0...1.
  package var accuracy: Double?
  /// The learning rate of the step.
  package var learningRate: Double?
  /// The fraction of each sparse layer's connections that the last topology update dropped and grew
  /// (f(t)).
  package var dropFraction: Double?
  /// Active connections of the network.
  package var connections: Int?
  /// Samples trained on per second since the last such row in the same process, evaluations and
  /// checkpoints not counted.
  package var samplesPerSecond: Double?
  /// Seconds since training began, earlier sittings of a resumed run included.
  package var elapsedSeconds: Double?
  /// The most memory the process had, bytes.
  package var peakMemoryBytes: Int?
  /// The share of samples whose label was among the five largest logits; nil for five classes or
  /// fewer.
  package var top5: Double?
  /// The norm of the last weight step's gradients before clipping, or of the gradient that the row is
  /// about; nil without clipping, unless it is tracked.
  package var gradientNorm: Double?
  /// Connections that a topology update moved: ``TopologyUpdate/moved``.
  package var connectionsMoved: Int?
  /// The moved connections at positions never active before; nil if that is not known.
  package var neverActiveBefore: Int?
  /// The share of all positions that were ever active, after a topology update; nil if it is not
  /// known.
  package var exploredShare: Double?
  /// Units that a path of connections joins to the inputs and to the outputs, after a topology
  /// update: ``LiveUnits/hidden``.
  package var liveUnits: Int?
  /// Inputs and units that such a path joins, after a topology update: ``LiveUnits/widths``; in the file
  /// between hyphens, `408-100-69-10`.
  package var liveWidths: [Int]?
  /// Prunings of a lottery ticket so far: step, batches and epoch are those of the training after it; nil
  /// of a training without rounds.
  package var round: Int?

  /// Creates a row.
  package init(
    step: Int, batchesConsumed: Int, epoch: Int, split: Split, loss: Double? = nil,
    accuracy: Double? = nil, learningRate: Double? = nil, dropFraction: Double? = nil,
    connections: Int? = nil, samplesPerSecond: Double? = nil, elapsedSeconds: Double? = nil,
    peakMemoryBytes: Int? = nil, top5: Double? = nil, gradientNorm: Double? = nil,
    connectionsMoved: Int? = nil, neverActiveBefore: Int? = nil, exploredShare: Double? = nil,
    liveUnits: Int? = nil, liveWidths: [Int]? = nil, round: Int? = nil
  ) {
    self.step = step
    self.batchesConsumed = batchesConsumed
    self.epoch = epoch
    self.split = split
    self.loss = loss
    self.accuracy = accuracy
    self.learningRate = learningRate
    self.dropFraction = dropFraction
    self.connections = connections
    self.samplesPerSecond = samplesPerSecond
    self.elapsedSeconds = elapsedSeconds
    self.peakMemoryBytes = peakMemoryBytes
    self.top5 = top5
    self.gradientNorm = gradientNorm
    self.connectionsMoved = connectionsMoved
    self.neverActiveBefore = neverActiveBefore
    self.exploredShare = exploredShare
    self.liveUnits = liveUnits
    self.liveWidths = liveWidths
    self.round = round
  }

  /// The names of the columns, in their order. Later versions add columns at the end.
  package enum Column: String, CaseIterable {
    /// ``MetricsRow/step``
    case step
    /// ``MetricsRow/batchesConsumed``
    case batchesConsumed = "batches_consumed"
    /// ``MetricsRow/epoch``
    case epoch
    /// ``MetricsRow/split``
    case split
    /// ``MetricsRow/loss``
    case loss
    /// ``MetricsRow/accuracy``
    case accuracy
    /// ``MetricsRow/learningRate``
    case learningRate = "learning_rate"
    /// ``MetricsRow/dropFraction``
    case dropFraction = "drop_fraction"
    /// ``MetricsRow/connections``
    case connections
    /// ``MetricsRow/samplesPerSecond``
    case samplesPerSecond = "samples_per_second"
    /// ``MetricsRow/elapsedSeconds``
    case elapsedSeconds = "elapsed_seconds"
    /// ``MetricsRow/peakMemoryBytes``
    case peakMemoryBytes = "peak_memory_bytes"
    /// ``MetricsRow/top5``
    case top5 = "top5_accuracy"
    /// ``MetricsRow/gradientNorm``
    case gradientNorm = "gradient_norm"
    /// ``MetricsRow/connectionsMoved``
    case connectionsMoved = "connections_moved"
    /// ``MetricsRow/neverActiveBefore``
    case neverActiveBefore = "never_active_before"
    /// ``MetricsRow/exploredShare``
    case exploredShare = "explored_share"
    /// ``MetricsRow/liveUnits``
    case liveUnits = "live_units"
    /// ``MetricsRow/liveWidths``
    case liveWidths = "live_widths"
    /// ``MetricsRow/round``
    case round
  }
}

extension MetricsRow {
  /// How far a training had come: rows come in this order.
  package struct Place: Comparable, Hashable, Sendable {
    /// ``MetricsRow/round``, 0 of a training without rounds.
    package internal(set) var round = 0
    /// ``MetricsRow/batchesConsumed``
    package internal(set) var batchesConsumed = 0

    package static func < (a: Place, b: Place) -> Bool {
      (a.round, a.batchesConsumed) < (b.round, b.batchesConsumed)
    }
  }

  /// How far the training had come.
  package var place: Place { Place(round: round ?? 0, batchesConsumed: batchesConsumed) }

  /// The first line of the file.
  static let header = Column.allCases.map(\.rawValue).joined(separator: ",")

  /// The columns that a first line names: today's, or as many of them as an older version wrote; nil
  /// if it is something else.
  static func columns(of header: String) -> [Column]? {
    let keys = Column.allCases
    let names = header.split(separator: ",", omittingEmptySubsequences: false)
    guard (firstColumns...keys.count).contains(names.count),
      zip(names, keys).allSatisfy({ $0 == $1.rawValue })
    else { return nil }
    return Array(keys.prefix(names.count))
  }

  /// The columns of the first version, up to the peak memory.
  private static let firstColumns = 12

  /// The row as a line, without its end.
  var line: String {
    Column.allCases.map { key in
      switch key {
      case .step: String(step)
      case .batchesConsumed: String(batchesConsumed)
      case .epoch: String(epoch)
      case .split: split.rawValue
      case .loss: loss.map(plainDecimal) ?? ""
      case .accuracy: accuracy.map(plainDecimal) ?? ""
      case .learningRate: learningRate.map(plainDecimal) ?? ""
      case .dropFraction: dropFraction.map(plainDecimal) ?? ""
      case .connections: connections.map { String($0) } ?? ""
      case .samplesPerSecond: samplesPerSecond.map(plainDecimal) ?? ""
      case .elapsedSeconds: elapsedSeconds.map(plainDecimal) ?? ""
      case .peakMemoryBytes: peakMemoryBytes.map { String($0) } ?? ""
      case .top5: top5.map(plainDecimal) ?? ""
      case .gradientNorm: gradientNorm.map(plainDecimal) ?? ""
      case .connectionsMoved: connectionsMoved.map { String($0) } ?? ""
      case .neverActiveBefore: neverActiveBefore.map { String($0) } ?? ""
      case .exploredShare: exploredShare.map(plainDecimal) ?? ""
      case .liveUnits: liveUnits.map { String($0) } ?? ""
      case .liveWidths: liveWidths.map { $0.map(String.init).joined(separator: "-") } ?? ""
      case .round: round.map { String($0) } ?? ""
      }
    }.joined(separator: ",")
  }

  /// Reads a line with some columns.
  init(line: String, columns keys: [Column]) throws(MetricsProblem) {
    let cells = line.split(separator: ",", omittingEmptySubsequences: false).map { String($0) }
    guard cells.count == keys.count else {
      throw MetricsProblem(what: "\(cells.count) cells, expected \(keys.count)")
    }
    let values = Dictionary(uniqueKeysWithValues: zip(keys, cells))

    func cell<Value>(
      _ key: Column, _ parse: (String) -> Value?
    ) throws(MetricsProblem) -> Value? {
      guard let text = values[key], !text.isEmpty else { return nil }
      guard let value = parse(text) else {
        throw MetricsProblem(what: "\(key.rawValue) is '\(text)'")
      }
      return value
    }
    func required<Value>(
      _ key: Column, _ parse: (String) -> Value?
    ) throws(MetricsProblem) -> Value {
      guard let value = try cell(key, parse) else {
        throw MetricsProblem(what: "\(key.rawValue) is empty")
      }
      return value
    }
    func integer(_ text: String) -> Int? { Int(text) }
    func number(_ text: String) -> Double? { Double(text) }
    func integers(_ text: String) -> [Int]? {
      let parts = text.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
      return parts.contains(nil) ? nil : parts.compactMap(\.self)
    }

    self.init(
      step: try required(.step, integer),
      batchesConsumed: try required(.batchesConsumed, integer),
      epoch: try required(.epoch, integer),
      split: try required(.split, Split.init(rawValue:)),
      loss: try cell(.loss, number),
      accuracy: try cell(.accuracy, number),
      learningRate: try cell(.learningRate, number),
      dropFraction: try cell(.dropFraction, number),
      connections: try cell(.connections, integer),
      samplesPerSecond: try cell(.samplesPerSecond, number),
      elapsedSeconds: try cell(.elapsedSeconds, number),
      peakMemoryBytes: try cell(.peakMemoryBytes, integer),
      top5: try cell(.top5, number),
      gradientNorm: try cell(.gradientNorm, number),
      connectionsMoved: try cell(.connectionsMoved, integer),
      neverActiveBefore: try cell(.neverActiveBefore, integer),
      exploredShare: try cell(.exploredShare, number),
      liveUnits: try cell(.liveUnits, integer),
      liveWidths: try cell(.liveWidths, integers),
      round: try cell(.round, integer))
  }
}

/// What is wrong with a line; the log adds the path and the line's number.
struct MetricsProblem: Error {
  let what: String
}

/// A number in decimal digits, as few as give the same number back, never with an exponent:
/// 0.00001, not 1e-05. Numbers that are none are `nan`, `inf` and `-inf`.
func plainDecimal(_ value: Double) -> String {
  let text = value.description
  guard let mark = text.firstIndex(of: "e"), let exponent = Int(text[text.index(after: mark)...])
  else { return text }
  var digits = text[..<mark].filter { $0 != "." && $0 != "-" }
  let fraction = text[..<mark].split(separator: ".").dropFirst().first?.count ?? 0
  // value = digits · 10^scale
  let scale = exponent - fraction
  if scale >= 0 {
    digits += String(repeating: "0", count: scale) + ".0"
  } else {
    let zeros = max(0, 1 - scale - digits.count)
    digits = String(repeating: "0", count: zeros) + digits
    digits.insert(".", at: digits.index(digits.endIndex, offsetBy: scale))
  }
  return (value < 0 ? "-" : "") + digits
}
