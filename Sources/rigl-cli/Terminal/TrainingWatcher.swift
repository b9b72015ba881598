import RigLCore
import RigLImages

/// Shows a training while it runs: a bar on a terminal, plain lines elsewhere. Stops it when a
/// signal asks for it, or nobody reads the lines any more.
final class TrainingWatcher: TrainingCallback {
  /// The error that kept a line from being written; nil: none.
  private(set) var outputError: (any Error)?

  private let printing: PrintingArguments
  private let isResuming: Bool
  private let output: Output
  private let showsBar: Bool
  private var bar = ProgressBar(.standardError)
  private var state = ProgressBar.State()
  private var pacer = Pacer()
  /// When the command began to train, and steps of all rounds by then.
  private var begin: (time: ContinuousClock.Instant, step: Int) = (.now, 0)
  private var lastDrawn: ContinuousClock.Instant?
  private var lastLine = ContinuousClock.now
  /// Where the rate of samples is measured from.
  private var mark: (time: ContinuousClock.Instant, samples: Int) = (.now, 0)
  private var samples = 0
  private var loss = MovingMean()
  private var accuracy = MovingMean()

  init(_ printing: PrintingArguments, isResuming: Bool) {
    self.printing = printing
    self.isResuming = isResuming
    // With --json, standard output is for the lines of JSON alone.
    output = printing.json ? .error : .standard
    showsBar = !printing.quiet && Terminal.standardError.isInteractive
  }

  /// Takes the bar away.
  func finish() { bar.clear() }

  func observe(_ event: TrainingEvent, in trainer: Trainer) throws(RigLError) -> TrainingDecision {
    switch event {
    case .started(let step, let total):
      let (taken, all) = trainer.stepsOfAllRounds
      begin = (.now, taken)
      mark = (.now, 0)
      (state.done, state.total) = (taken, all)
      state.epochs = total.epochs(of: trainer.stepsPerEpoch)
      printHeader(trainer, step: step, of: total)
    case .batch(let report):
      samples += report.samples
      loss.add(report.loss)
      accuracy.add(Double(report.correct) / Double(max(report.samples, 1)))
      if let now = pacer.tick() { update(trainer, now) }
    case .epoch(let number, let loss, let accuracy, let validation):
      printEpoch(number, loss: loss, accuracy: accuracy, validation: validation, trainer)
      if printing.json {
        writeEpoch(number, loss: loss, accuracy: accuracy, validation: validation, trainer)
      }
      // The rate is that of training alone.
      mark = (.now, samples)
    case .checkpoint: break
    case .damaged(let sample, _):
      bar.clear()
      printing.warn(["left out: \(sample.error.what)"], evenIfQuiet: true)
    case .remark(let text): printLine(text)
    case .warning(let text):
      bar.clear()
      printing.warn([text])
    }
    return Interruption.signal != nil || outputError != nil ? .interrupt : .proceed
  }

  // MARK: - What is shown

  private func printHeader(_ trainer: Trainer, step: Int, of total: Int) {
    let (configuration, allocation) = (trainer.configuration, trainer.allocation)
    let run = trainer.folder?.path ?? ""
    if isResuming, trainer.isComplete {
      let longer = trainer.rounds > 0 ? "" : "; --extend EPOCHS makes it longer"
      printLine(
        "\(run) is finished already: step \(grouped(step)) of \(grouped(total))\(longer)")
      return
    }
    let now = trainer.model.connections
    let first = now == allocation.connections ? "" : "\(grouped(now)), in the end "
    printLine(
      "\(configuration.method.rawValue): \(first)\(grouped(allocation.connections)) of "
        + "\(grouped(allocation.positions)) connections, \(percent(allocation.sparsity, 1)) sparse")
    printLine(
      "\(configuration.data): \(grouped(trainer.data.train.count)) training samples, "
        + "\(grouped(total)) steps\(trainings(trainer)), \(trainer.options.threads) threads")
    printLine(purposes(of: trainer.data, configuration))
    let reading = PhotoReading(trainer.data)
    if let summary = reading.summary { printLine(summary) }
    printing.warn(reading.remarks)
    let round = trainer.round > 0 ? "round \(trainer.round), " : ""
    let from =
      step > 0 || trainer.round > 0 ? ", going on from \(round)step \(grouped(step))" : ""
    printLine("in \(run)\(from)")
  }

  /// How many trainings a lottery ticket takes, if it is one.
  private func trainings(_ trainer: Trainer) -> String {
    trainer.rounds == 0
      ? ""
      : " in each of \(trainer.rounds + 1) trainings, \(grouped(trainer.stepsOfAllRounds.of)) in all"
  }

  private func printEpoch(
    _ number: Int, loss: Double?, accuracy: Double?, validation: Evaluation?, _ trainer: Trainer
  ) {
    let width = String(state.epochs).count
    let padded = String(repeating: " ", count: max(0, width - String(number).count)) + "\(number)"
    var text = "epoch \(padded)/\(state.epochs)"
    if trainer.rounds > 0 { text = "training \(trainer.round + 1)/\(trainer.rounds + 1)  \(text)" }
    if let loss { text += "  loss \(fixed(loss, 4))" }
    if let accuracy { text += "  accuracy \(percent(accuracy, 1))" }
    if let validation { text += "  validation \(percent(validation.accuracy, 1))" }
    printLine(text)
  }

  /// Writes an epoch for a program to read.
  private func writeEpoch(
    _ number: Int, loss: Double?, accuracy: Double?, validation: Evaluation?, _ trainer: Trainer
  ) {
    guard outputError == nil else { return }
    let step = trainer.step
    let line = EpochLine(
      epoch: number, epochs: state.epochs, step: step.weightSteps,
      totalSteps: trainer.totalSteps,
      round: trainer.rounds > 0 ? trainer.round : nil,
      rounds: trainer.rounds > 0 ? trainer.rounds : nil, loss: loss,
      accuracy: accuracy, validationLoss: validation?.loss,
      validationAccuracy: validation?.accuracy, validationTop5Accuracy: validation?.top5,
      learningRate: step.learningRate.rate(at: max(step.weightSteps - 1, 0)),
      connections: trainer.model.connections, seconds: (ContinuousClock.now - begin.time).seconds)
    bar.clear()
    do {
      try Output.standard.write(try jsonText(line, onOneLine: true) + "\n")
    } catch {
      outputError = error
    }
  }

  /// Draws the bar, or now and then a line, if it is time.
  private func update(_ trainer: Trainer, _ now: ContinuousClock.Instant) {
    guard !printing.quiet else { return }
    let isDue = showsBar && lastDrawn.map { now - $0 >= .milliseconds(100) } ?? true
    let needsLine = !showsBar && now - lastLine >= .seconds(30)
    guard isDue || needsLine else { return }
    refreshState(trainer, now)
    if showsBar {
      bar.draw(state)
      lastDrawn = now
    } else if needsLine {
      printLine(progressLine())
    }
  }

  private func refreshState(_ trainer: Trainer, _ now: ContinuousClock.Instant) {
    state.done = trainer.stepsOfAllRounds.taken
    state.epoch = min(trainer.step.weightSteps / trainer.stepsPerEpoch + 1, state.epochs)
    (state.loss, state.accuracy) = (loss.value, accuracy.value)
    let sinceMark = (now - mark.time).seconds
    if sinceMark > 0.2 { state.samplesPerSecond = Double(samples - mark.samples) / sinceMark }
    // A rate of long ago is none.
    if sinceMark > 10 { mark = (now, samples) }
    let (seconds, steps) = ((now - begin.time).seconds, state.done - begin.step)
    if seconds > 0.5, steps > 0 {
      state.secondsLeft = seconds / Double(steps) * Double(state.total - state.done)
    }
  }

  private func progressLine() -> String {
    var text = "step \(grouped(state.done)) of \(grouped(state.total))"
    if let loss = state.loss { text += "  loss \(fixed(loss, 3))" }
    if let rate = state.samplesPerSecond { text += "  \(metric(rate)) samples/s" }
    if let left = state.secondsLeft { text += "  \(duration(left)) left" }
    return text
  }

  /// Prints a line that stays.
  private func printLine(_ text: String) {
    lastLine = .now
    guard !printing.quiet, outputError == nil else { return }
    bar.clear()
    let text = text.printable()
    do {
      let terminal = printing.json ? Terminal.standardError : .standardOutput
      let shown =
        terminal.isInteractive ? wrapped(text, width: terminal.columns, indent: "  ") : text
      try output.write(shown + "\n")
    } catch {
      outputError = error
    }
  }
}

/// What the samples that are not trained on are for.
func purposes(of data: TrainingData, _ configuration: Configuration) -> String {
  func samples(_ dataset: any Dataset, _ kind: String) -> String {
    "\(grouped(dataset.count)) \(kind) \(dataset.count == 1 ? "sample" : "samples")"
  }
  let test = samples(data.test, "test")
  if configuration.validateOnTest {
    return "the \(test) choose the best weights after each epoch, as validate_on_test says"
  }
  let end = "the \(test) are looked at once, at the end"
  guard let validation = data.validation else { return "no validation samples; \(end)" }
  return "\(samples(validation, "validation")) choose the best weights after each epoch; \(end)"
}

/// How many photos may turn out to be damaged, which a training only learns as it reads them.
func damageLimit(of data: TrainingData) -> String {
  let held = [(data.validation, "validation"), (data.test, "test")].compactMap { dataset, kind in
    dataset.map { "\($0.count / 100) of the \(grouped($0.count)) \(kind) samples" }
  }
  return "photos that cannot be read are left out: at most one in a hundred of those trained on, "
    + held.joined(separator: " and ")
}

/// A mean that forgets: of the last fifty numbers or so.
private struct MovingMean {
  private(set) var value: Double?

  mutating func add(_ number: Double) {
    value = value.map { $0 + (number - $0) * 0.02 } ?? number
  }
}

extension Duration {
  /// As a number.
  fileprivate var seconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }
}

extension Int {
  /// This many steps in epochs, the last one begun counted as one.
  fileprivate func epochs(of stepsPerEpoch: Int) -> Int {
    Swift.max(1, (self + stepsPerEpoch - 1) / stepsPerEpoch)
  }
}
