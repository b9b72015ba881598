import RigLCore

/// One line on a terminal that shows how far a training is, drawn at most ten times a second.
struct ProgressBar {
  /// The figures that the line shows.
  struct State {
    var done = 0
    var total = 1
    var epoch = 0
    var epochs = 1
    var loss: Double?
    var accuracy: Double?
    var samplesPerSecond: Double?
    var secondsLeft: Double?
  }

  private let terminal: Terminal
  private var isShown = false

  init(_ terminal: Terminal) { self.terminal = terminal }

  /// Draws the line over itself, in one write, so that nothing is ever seen half drawn.
  mutating func draw(_ state: State) {
    // Room for the ^C that a terminal shows, without which it would begin another line.
    let line = ProgressBar.line(
      state, width: terminal.columns - 3, unicode: terminal.showsUnicode,
      colours: terminal.showsColours)
    Output.error.tryWrite("\r\(line)\u{1B}[K")
    isShown = true
  }

  /// Takes the line away, for other text or for good.
  mutating func clear() {
    if isShown { Output.error.tryWrite("\r\u{1B}[K") }
    isShown = false
  }

  /// The line, in at most `width` columns: the less room, the fewer figures.
  static func line(_ state: State, width: Int, unicode: Bool, colours: Bool) -> String {
    let share = min(1, Double(state.done) / Double(max(state.total, 1)))
    let start = pad("\(Int(share * 100)) %", to: 5)
    // The most important first.
    let figures: [(rank: Int, text: String?)] = [
      (3, "epoch \(state.epoch)/\(state.epochs)"),
      (1, state.loss.map { "loss " + fixed(min($0, 9999), 3) }),
      (2, state.accuracy.map { "acc " + percent($0, 1) }),
      (4, state.samplesPerSecond.map { metric($0) + " samples/s" }),
      (0, state.secondsLeft.map { duration($0) + " left" }),
    ]
    let least = 8
    var shown = figures.filter { $0.text != nil }
    func length() -> Int { start.count + shown.reduce(0) { $0 + 2 + ($1.text ?? "").count } }
    while length() + 1 + least > width, !shown.isEmpty {
      let last = shown.map(\.rank).max()
      shown.removeAll { $0.rank == last }
    }
    let room = min(width - length() - 1, 30)
    let bar = room < 1 ? "" : " " + bar(share, cells: room, unicode: unicode, colours: colours)
    let text = start + bar + shown.map { "  " + ($0.text ?? "") }.joined()
    return room < 1 ? String(text.prefix(max(width, 0))) : text
  }

  private static func bar(_ share: Double, cells: Int, unicode: Bool, colours: Bool) -> String {
    let full = Int(share * Double(cells))
    let done = String(repeating: unicode ? "█" : "#", count: full)
    let rest = String(repeating: unicode ? "░" : ".", count: cells - full)
    return colours ? "\u{1B}[32m\(done)\u{1B}[0m\u{1B}[2m\(rest)\u{1B}[0m" : done + rest
  }

  private static func pad(_ text: String, to width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
  }
}

/// Says when it is time to look at the clock again: often enough for what is due, and otherwise not,
/// since steps may take microseconds.
struct Pacer {
  private var batches = 0
  private var batchesToNextLook = 1
  private var lastLook = ContinuousClock.now

  /// Whether to look at the clock after this batch; the time, if so.
  mutating func tick() -> ContinuousClock.Instant? {
    batches += 1
    guard batches >= batchesToNextLook else { return nil }
    let now = ContinuousClock.now
    // Between 20 and 50 milliseconds from one look to the next.
    let passed = now - lastLook
    if passed < .milliseconds(20) {
      batchesToNextLook = min(2 * batchesToNextLook, 1 << 16)
    } else if passed > .milliseconds(50) {
      batchesToNextLook = max(batchesToNextLook / 2, 1)
    }
    (batches, lastLook) = (0, now)
    return now
  }
}
