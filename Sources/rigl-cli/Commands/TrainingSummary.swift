import RigLCore

/// The outcome of a training, to print.
struct TrainingSummary: Encodable {
  let event = "end"
  let run: String
  let step: Int
  let totalSteps: Int
  /// Prunings of a lottery ticket so far, and in all, and weight steps of all its trainings; nil of a
  /// training without rounds. Steps are those of the training after the last pruning.
  let round: Int?
  let rounds: Int?
  let stepsOfAllRounds: Int?
  let stopped: Bool
  let testAccuracy: Double?
  let testLoss: Double?
  /// The weights that were best on the validation samples.
  let bestStep: Int?
  let bestValidationAccuracy: Double?
  let bestTestAccuracy: Double?
  let bestTestLoss: Double?
  /// Whether the validation samples were the test samples.
  let validatedOnTest: Bool
  /// Training samples drawn that could not be read.
  let damaged: Int
  let seconds: Double
  let samplesPerSecond: Double?
  let peakMemoryBytes: Int?
  let connections: Int
  let positions: Int
  let sparsity: Double
  /// The share of positions that had a connection at some time; nil where it is not known, or nothing
  /// moves.
  let exploredShare: Double?
  /// Units of all layers but the last, and those of them that are live: LiveUnits.
  let hiddenUnits: Int
  let liveUnits: Int
  /// Inputs of the network; of images, channels.
  let inputs: Int
  let liveInputs: Int
  /// Live inputs, then live units of each layer.
  let liveWidths: [Int]

  init(_ result: Trainer.Result, _ trainer: Trainer) {
    run = trainer.folder?.path ?? ""
    step = result.steps
    totalSteps = trainer.totalSteps
    let hasRounds = trainer.rounds > 0
    round = hasRounds ? trainer.round : nil
    rounds = hasRounds ? trainer.rounds : nil
    stepsOfAllRounds = hasRounds ? trainer.stepsOfAllRounds.taken : nil
    stopped = result.wasStopped
    testAccuracy = result.test?.accuracy
    testLoss = result.test?.loss
    bestStep = result.best?.step
    bestValidationAccuracy = result.best?.accuracy
    bestTestAccuracy = result.bestTest?.accuracy
    bestTestLoss = result.bestTest?.loss
    validatedOnTest = trainer.configuration.validateOnTest
    damaged = result.damaged
    seconds = result.seconds
    samplesPerSecond = result.samplesPerSecond
    peakMemoryBytes = RigLCore.peakMemoryBytes()
    connections = trainer.model.connections
    positions = trainer.allocation.positions
    exploredShare = trainer.step.explored?.share
    let live = trainer.model.liveUnits()
    hiddenUnits = trainer.model.weightLayers.dropLast().reduce(0) { $0 + $1.shape[0] }
    (liveUnits, liveWidths) = (live.hidden, live.widths)
    (inputs, liveInputs) = (live.allInputs, live.inputs)
    sparsity = 1 - Double(connections) / Double(max(positions, 1))
  }

  /// A short table for people.
  func text(width: Int) -> String {
    var results = Table([
      .word("weights"), .number("step", rank: 1), .number("test accuracy", rank: 3),
      .number("test loss", rank: 0), .number("validation", rank: 2),
    ])
    results.add([
      "final", grouped(step), testAccuracy.map { percent($0) } ?? "-",
      testLoss.map { fixed($0, 4) } ?? "-", "",
    ])
    if let bestStep, let bestTestAccuracy {
      results.add([
        "best on validation", grouped(bestStep), percent(bestTestAccuracy),
        bestTestLoss.map { fixed($0, 4) } ?? "-", bestValidationAccuracy.map { percent($0) } ?? "-",
      ])
    }
    var text = "\n" + results.text(width: width)
    if validatedOnTest {
      text +=
        "The validation samples were the test samples: the best weights' accuracy is not one\n"
      text += "on unseen data.\n"
    }
    if damaged > 0 {
      text +=
        "Damaged training samples were left out "
        + (damaged == 1 ? "once" : "\(grouped(damaged)) times") + ".\n"
    }
    var figures = "Took \(duration(seconds))"
    if let samplesPerSecond { figures += " at \(metric(samplesPerSecond)) samples/s" }
    if let peakMemoryBytes { figures += ", with \(byteCount(peakMemoryBytes)) of memory at most" }
    figures +=
      "; \(grouped(connections)) of \(grouped(positions)) connections, \(percent(sparsity, 1)) sparse."
    if let exploredShare, exploredShare > 1 - sparsity {
      figures += " \(percent(exploredShare, 1)) of all positions had one at some time."
    }
    if let stepsOfAllRounds, let rounds {
      figures += " The ticket took \(grouped(stepsOfAllRounds)) steps, in \(rounds + 1) trainings."
    }
    if liveUnits < hiddenUnits || liveInputs < inputs {
      figures +=
        " Live are \(grouped(liveUnits)) of \(grouped(hiddenUnits)) hidden units and "
        + "\(grouped(liveInputs)) of \(counted(inputs, "input")); rigl strip removes what can go of the others."
    }
    text += "\n" + wrapped(figures, width: width) + "\n"
    return text + "The run is in \(run)\n"
  }
}
