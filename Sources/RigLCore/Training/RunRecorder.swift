/// Keeps a training's run folder: configuration, metrics, checkpoints.
final class RunRecorder {
  /// The faults that were found but did not stop the training, a line each.
  private(set) var warnings: [String] = []
  /// What the run starts from, or goes on with other than it was begun.
  private(set) var remarks: [String] = []

  private unowned let trainer: Trainer
  let folder: RunFolder
  /// Nobody else writes in the folder as long as this training lasts.
  private let lock: RunLock
  private let store: CheckpointStore
  private let metrics: MetricsLog
  private let cadence: RunCadence
  /// Sums over training samples since the last line of metrics.
  var interval = TrainingState.Sums()
  private var sums: MetricsSums
  private let started = ContinuousClock.now
  private let earlierSeconds: Double
  /// Seconds of training and samples in this process at the last line on training samples.
  private var lastLine: (seconds: Double, samples: Int)
  private var hasSaidUnexplored = false
  /// The last checkpoint in the folder; nil: there is none.
  private var lastCheckpoint: Checkpoint?
  /// Who is told of what is written; nil: nobody.
  private let follower: (any RunFollower)?
  /// Warnings that come with every checkpoint, each of which is told once.
  private var told: Set<String> = []
  /// The step of the last test result in the metrics: of a run that was finished.
  private var testedStep: Int?

  /// Starts a run in a new folder.
  init(creating trainer: Trainer) throws(RigLError) {
    self.trainer = trainer
    try trainer.takeStart()
    _ = trainer.identity
    var options = trainer.options
    if let step = options.extendedAt.last {
      options.extendedAt = []
      warnings.append(
        "extended_at: the settings are of a run that was made longer at step \(step); this training "
          + "takes all of its \(trainer.totalSteps) steps by one schedule, so its bits differ from "
          + "that run's")
    }
    let text = try trainer.configuration.yaml(options, network: trainer.customNetwork)
    if let path = trainer.options.output {
      folder = try RunFolder.create(at: path, configuration: text, rounds: trainer.rounds)
    } else {
      folder = try RunFolder.create(
        named: "\(trainer.configuration.method.rawValue)", configuration: text,
        rounds: trainer.rounds)
    }
    lock = try folder.lock()
    cadence = trainer.options.cadence
    store = folder.checkpoints(keep: cadence.keep)
    metrics = try MetricsLog.create(at: folder.metricsPath)
    sums = MetricsSums(of: folder)
    earlierSeconds = 0
    lastLine = (0, 0)
    follower = cadence.tensorBoard ? trainer.follower : nil
    remarks = try trainer.startRemarks()
    warnings += trainer.startWarnings
  }

  /// Goes on with a run.
  init(resuming path: String, _ trainer: Trainer) throws(RigLError) {
    self.trainer = trainer
    folder = try RunFolder.open(path)
    lock = try folder.lock()
    try folder.removeStaleTemporaries()
    warnings = try folder.compareRules(with: trainer)
    cadence = try folder.cadence(changedBy: trainer.options)
    store = folder.checkpoints(keep: cadence.keep)
    follower = cadence.tensorBoard ? trainer.follower : nil
    sums = MetricsSums(of: folder)
    let extensions = try folder.extensions(by: trainer)
    if let latest = try folder.latestCheckpoint() {
      warnings += latest.warnings
      let others = trainer.identity.valueWarning(since: latest.file.metadata, path: path)
      if let others { warnings.append(others) }
      remarks = try trainer.restore(latest.file, extensions)
      try folder.noteCustomParts(of: trainer)
      lastCheckpoint = latest.checkpoint
      if let other = latest.file.metadata["instruction_set"], other != instructionSet {
        warnings.append(
          "\(path): was trained with \(other) instructions and goes on with \(instructionSet): "
            + "from here on its bits differ from an unbroken run's")
      }
      interval =
        sums.sums(at: trainer.place)
        ?? TrainingState.interval(inOlder: latest.file.metadata["state"]) ?? interval
    } else {
      let saved = try folder.settings()
      let begun = try trainer.requireSameParts(
        as: try saved.configuration(), saved.customNetwork, nil, path: path)
      try trainer.requireSameStart(as: saved.options)
      try trainer.takeStart()
      if trainer.extending == nil {
        let count = trainer.data.validation?.count ?? 0
        try trainer.configuration.requireSame(as: begun, validating: count)
      }
      remarks = try trainer.startRemarks()
      warnings += ["\(path): no checkpoint yet; starting from the beginning"]
    }
    metrics = try MetricsLog.resume(
      at: folder.metricsPath, batchesConsumed: Int(trainer.step.batchesConsumed),
      round: trainer.round, lastUpdate: trainer.step.topology?.last ?? -1)
    warnings += metrics.warnings
    let lastRow = try MetricsLog.rows(at: folder.metricsPath).last
    earlierSeconds = lastRow?.elapsedSeconds ?? 0
    testedStep = lastRow?.split == .test ? lastRow?.step : nil
    lastLine = (started.secondsToNow, 0)
    // Only now that nothing is in the way: until here, the run is what it was.
    if trainer.extending != nil {
      remarks.insert(try folder.extend(trainer), at: 0)
    }
    if trainer.step.explored?.isKnown == false { warnings.append(sayUnexplored(path)) }
    if !lock.isHeld {
      warnings.append("\(path): this file system has no locks; do not resume the run twice at once")
    }
  }

  /// Tells who follows the run that it begins or goes on.
  func begin() throws(RigLError) {
    if cadence.tensorBoard, follower == nil {
      try trainer.tell(
        .warning(
          "tensorboard: only the rigl command writes event files; rigl tensorboard makes them "
            + "of a run's folder"))
    }
    try follower?.begin(trainer, in: folder, from: lastCheckpoint)
  }

  // MARK: - Metrics

  /// Whether a line of metrics is due at this step.
  var isLineDue: Bool { trainer.step.weightSteps % cadence.logEvery == 0 }

  /// Adds a line on the training samples since the last one.
  ///
  /// - Parameter report: of the weight step that has just been taken.
  func logInterval(_ report: TrainingStep.Report) throws(RigLError) {
    // Neither what an earlier sitting has trained on, nor the seconds that were no training.
    let seconds = started.secondsToNow - trainer.secondsAside
    let samples = trainer.samplesTrained
    var row = row(.train)
    row.loss = interval.meanLoss
    row.accuracy = interval.accuracy
    row.top5 = interval.top5Accuracy
    row.gradientNorm = report.gradientNorm
    row.samplesPerSecond =
      Double(samples - lastLine.samples) / max(seconds - lastLine.seconds, 1e-9)
    try append(row)
    interval = TrainingState.Sums()
    lastLine = (seconds, samples)
  }

  /// Adds a line on a topology update.
  func log(_ update: TopologyUpdate) throws(RigLError) {
    var row = row(.update)
    // The update's own: a weight step may have followed.
    row.step = update.step
    row.batchesConsumed = Int(update.batchesConsumed)
    row.epoch = update.step / trainer.stepsPerEpoch
    row.learningRate = nil
    row.dropFraction = update.dropFraction
    row.connectionsMoved = update.moved
    row.neverActiveBefore = update.neverActiveBefore
    row.exploredShare = update.exploredShare
    let live = trainer.model.liveUnits()
    (row.liveUnits, row.liveWidths) = (live.hidden, live.widths)
    try append(row)
    if update.exploredShare == nil, !hasSaidUnexplored {
      try trainer.tell(.warning(sayUnexplored("step \(update.step)")))
    }
  }

  /// Adds the lines on the gradient that a batch asks for: of the first one before its update's, of the
  /// first weight step after an update after it.
  func log(_ report: TrainingStep.Report) throws(RigLError) {
    if let norm = report.initialGradientNorm {
      try logNorm(norm, .initialisation, report)
    }
    if let update = report.update { try log(update) }
    if report.followsUpdate, let norm = report.gradientNorm, trainer.configuration.trackGradientNorm
    {
      try logNorm(norm, .afterUpdate, report)
    }
  }

  private func logNorm(
    _ norm: Double, _ split: MetricsRow.Split, _ report: TrainingStep.Report
  ) throws(RigLError) {
    var row = row(split)
    row.step -= report.movedWeights ? 1 : 0
    row.epoch = row.step / trainer.stepsPerEpoch
    if split == .initialisation { row.dropFraction = nil }
    row.gradientNorm = norm
    try append(row)
  }

  private func sayUnexplored(_ place: String) -> String {
    hasSaidUnexplored = true
    return "\(place): which positions were ever active is not known (of a checkpoint without them, "
      + "or because they take more than 64 MB); metrics.csv goes on without never_active_before and "
      + "explored_share"
  }

  /// Adds a line on other samples.
  func log(_ split: MetricsRow.Split, _ evaluation: Evaluation) throws(RigLError) {
    var row = row(split)
    row.loss = evaluation.loss
    row.accuracy = evaluation.accuracy
    row.top5 = evaluation.top5
    try append(row)
  }

  /// Adds the line of the test result, once; it is the last one, unless the run is made longer.
  func logTest(_ evaluation: Evaluation) throws(RigLError) {
    if testedStep != trainer.step.weightSteps { try log(.test, evaluation) }
    testedStep = trainer.step.weightSteps
    sums.remove()
    try follower?.end()
  }

  private func append(_ row: MetricsRow) throws(RigLError) {
    try metrics.append(row)
    try follower?.follow(row)
  }

  private func row(_ split: MetricsRow.Split) -> MetricsRow {
    let step = trainer.step
    return MetricsRow(
      step: step.weightSteps, batchesConsumed: Int(step.batchesConsumed),
      epoch: step.weightSteps / trainer.stepsPerEpoch, split: split,
      learningRate: step.learningRate.rate(at: max(step.weightSteps - 1, 0)),
      dropFraction: trainer.state.lastDropFraction, connections: trainer.model.connections,
      elapsedSeconds: earlierSeconds + started.secondsToNow, peakMemoryBytes: peakMemoryBytes(),
      round: trainer.state.round)
  }

  // MARK: - Checkpoints

  /// Whether the options ask for a checkpoint at this step.
  var isCheckpointDue: Bool {
    let step = trainer.step.weightSteps
    guard !hasCheckpoint else { return false }
    let every = cadence.checkpointEvery
    return step % (every > 0 ? every : trainer.stepsPerEpoch) == 0 || step == trainer.totalSteps
  }

  /// Whether the last checkpoint is of this round and step.
  private var hasCheckpoint: Bool {
    lastCheckpoint.map { ($0.round, $0.step) == (trainer.round, trainer.step.weightSteps) } ?? false
  }

  /// Writes a checkpoint, unless there is one of this step.
  func writeCheckpoint() throws(RigLError) {
    let (round, step) = (trainer.round, trainer.step.weightSteps)
    guard !hasCheckpoint else { return }
    try trainer.requireFinite()
    try metrics.synchronize()
    do throws(RigLError) {
      try sums.remember(interval, at: trainer.place)
    } catch {
      // The run can do without; a disk that is full will say so of the checkpoint.
      if told.insert(error.what).inserted { try trainer.tell(.warning(error.what)) }
    }
    let checkpoint = try store.write(
      round: round, step: step, tensors: trainer.step.tensors, metadata: trainer.metadata()
    ) { (writer) throws(RigLError) in try trainer.step.write(to: &writer) }
    lastCheckpoint = checkpoint
    try follower?.follow(checkpoint)
    for warning in checkpoint.warnings where told.insert(warning).inserted {
      try trainer.tell(.warning(warning))
    }
    try trainer.tell(.checkpoint(path: checkpoint.path, step: step))
  }

  /// An error that ended the training, with what is left to go on from.
  func addingCheckpoint(to error: RigLError) -> RigLError {
    guard error.kind == .numerical else { return error }
    let last = (try? store.list())?.last
    let rest =
      last.map { "The last good checkpoint is kept: \($0.path)" } ?? "There is no checkpoint yet."
    return RigLError(error.kind, error.what, hint: error.hint.map { "\($0)\n\(rest)" } ?? rest)
  }

  /// Writes what a lottery ticket's rounds go back to, for good before any later checkpoint.
  func writeRewindPoint() throws(RigLError) {
    try trainer.requireFinite()
    var writer = try SafetensorsWriter(
      path: folder.rewindPath, tensors: trainer.step.tensors, metadata: trainer.metadata(),
      checksummed: true, followsLinks: false)
    try trainer.step.write(to: &writer)
    try writer.finish()
  }

  /// Begins the next training of a lottery ticket: what was summed up for a line of metrics was the
  /// one before's.
  func beginRound() { interval = TrainingState.Sums() }

  /// Writes the weights, best on the validation samples so far.
  func writeBest() throws(RigLError) {
    let model = trainer.model
    var writer = try SafetensorsWriter(
      path: folder.bestPath, tensors: model.tensors(nil), metadata: trainer.metadata(),
      checksummed: true, followsLinks: false)
    try model.write(to: &writer, nil)
    try writer.finish()
  }

  /// The test result of the best weights, which are read back for it; the final ones afterwards.
  ///
  /// A training that is complete does not fail for them: where they are missing or damaged, a
  /// warning says so, and there is no such result.
  func evaluateBest(final: Evaluation) throws(RigLError) -> Evaluation? {
    guard let bestStep = trainer.state.bestStep else { return nil }
    if bestStep == trainer.step.weightSteps { return final }
    do throws(RigLError) {
      let file = try folder.bestWeights(of: bestStep)
      try trainer.model.read(from: file, nil)
    } catch {
      try readFinal()
      try trainer.tell(.warning("the best weights are not tested: \(error.what)"))
      return nil
    }
    let evaluation = try trainer.evaluate(trainer.data.test, called: "test sample")
    try readFinal()
    return evaluation
  }

  /// Reads the weights of the last checkpoint back, and the optimizer's state beside them: where
  /// connections have moved in between, both lie elsewhere in memory.
  private func readFinal() throws(RigLError) {
    do throws(RigLError) {
      if let latest = try folder.latestCheckpoint() {
        try trainer.model.read(from: latest.file, trainer.step.optimizer)
      }
    } catch {
      try trainer.tell(.warning("the final weights cannot be read back: \(error.what)"))
    }
  }
}
