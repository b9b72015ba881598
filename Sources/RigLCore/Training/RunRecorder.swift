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
  private var lastCheckpoint: Int
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
      folder = try RunFolder.create(at: path, configuration: text)
    } else {
      folder = try RunFolder.create(
        named: "\(trainer.configuration.method.rawValue)", configuration: text)
    }
    lock = try folder.lock()
    cadence = trainer.options.cadence
    store = folder.checkpoints(keep: cadence.keep)
    metrics = try MetricsLog.create(at: folder.metricsPath)
    sums = MetricsSums(of: folder)
    earlierSeconds = 0
    lastLine = (0, 0)
    lastCheckpoint = -1
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
    sums = MetricsSums(of: folder)
    let extensions = try folder.extensions(by: trainer)
    if let latest = try folder.latestCheckpoint() {
      warnings += latest.warnings
      let others = trainer.identity.valueWarning(since: latest.file.metadata, path: path)
      if let others { warnings.append(others) }
      remarks = try trainer.restore(latest.file, extensions)
      try folder.noteCustomParts(of: trainer)
      lastCheckpoint = latest.checkpoint.step
      if let other = latest.file.metadata["instruction_set"], other != instructionSet {
        warnings.append(
          "\(path): was trained with \(other) instructions and goes on with \(instructionSet): "
            + "from here on its bits differ from an unbroken run's")
      }
      interval =
        sums.sums(at: Int(trainer.step.batchesConsumed))
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
      lastCheckpoint = -1
    }
    metrics = try MetricsLog.resume(
      at: folder.metricsPath, batchesConsumed: Int(trainer.step.batchesConsumed),
      lastUpdate: trainer.step.topology?.last ?? -1)
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

  // MARK: - Metrics

  /// Whether a line of metrics is due at this step.
  var isLineDue: Bool { trainer.step.step % cadence.logEvery == 0 }

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
    try metrics.append(row)
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
    row.liveUnits = trainer.model.liveHiddenUnits()
    try metrics.append(row)
    if update.exploredShare == nil, !hasSaidUnexplored {
      try trainer.tell(.warning(sayUnexplored("step \(update.step)")))
    }
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
    try metrics.append(row)
  }

  /// Adds the line of the test result, once; it is the last one, unless the run is made longer.
  func logTest(_ evaluation: Evaluation) throws(RigLError) {
    if testedStep != trainer.step.step { try log(.test, evaluation) }
    testedStep = trainer.step.step
    sums.remove()
  }

  private func row(_ split: MetricsRow.Split) -> MetricsRow {
    let step = trainer.step
    return MetricsRow(
      step: step.step, batchesConsumed: Int(step.batchesConsumed),
      epoch: step.step / trainer.stepsPerEpoch, split: split,
      learningRate: step.learningRate.rate(at: max(step.step - 1, 0)),
      dropFraction: trainer.state.lastDropFraction, connections: trainer.model.connections,
      elapsedSeconds: earlierSeconds + started.secondsToNow, peakMemoryBytes: peakMemoryBytes())
  }

  // MARK: - Checkpoints

  /// Whether the options ask for a checkpoint at this step.
  var isCheckpointDue: Bool {
    let step = trainer.step.step
    guard step != lastCheckpoint else { return false }
    let every = cadence.checkpointEvery
    return step % (every > 0 ? every : trainer.stepsPerEpoch) == 0 || step == trainer.totalSteps
  }

  /// Writes a checkpoint, unless there is one of this step.
  func writeCheckpoint() throws(RigLError) {
    let step = trainer.step.step
    guard step != lastCheckpoint else { return }
    try trainer.requireFinite()
    try metrics.synchronize()
    do throws(RigLError) {
      try sums.remember(interval, at: Int(trainer.step.batchesConsumed))
    } catch {
      // The run can do without; a disk that is full will say so of the checkpoint.
      if told.insert(error.what).inserted { try trainer.tell(.warning(error.what)) }
    }
    let (model, optimizer) = (trainer.model, trainer.step.optimizer)
    let explored = trainer.step.explored
    let checkpoint = try store.write(
      step: step, tensors: model.tensors(optimizer) + (explored?.tensors() ?? []),
      metadata: trainer.metadata()
    ) { (writer) throws(RigLError) in
      try model.write(to: &writer, optimizer)
      try explored?.write(to: &writer)
    }
    lastCheckpoint = step
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
    if bestStep == trainer.step.step { return final }
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

extension Trainer {
  /// What a checkpoint says besides the model: no thread count, path or time.
  func metadata() throws(RigLError) -> [String: String] {
    state.step = step.step
    state.batchesConsumed = step.batchesConsumed
    state.lastUpdate = step.topology?.last
    state.position = loader.position
    var metadata = try state.metadata(configuration, identity, data.normalization)
    metadata["instruction_set"] = instructionSet
    metadata[NetworkDescription.key] = customNetwork?.json
    return metadata
  }

  /// Takes a checkpoint's state.
  ///
  /// - Parameter extensions: the steps at which the run was made longer.
  /// - Returns: what a user should know of schedules that are another length's.
  /// - Throws: a configuration error that names the first key in which this training differs from
  ///   the checkpoint's, in its length only where the run was not made longer.
  func restore(_ file: SafetensorsFile, _ extensions: [Int]) throws(RigLError) -> [String] {
    let saved = try requireSameParts(
      as: try Configuration(yaml: file.metadata["configuration"] ?? "", path: file.path),
      try NetworkDescription(in: file.metadata, path: file.path), file, path: file.path)
    let isLonger = extending != nil || !extensions.isEmpty
    try (isLonger ? configuration.withLength(of: saved) : configuration)
      .requireSame(as: saved, validating: data.validation?.count ?? 0)
    try identity.requireSame(as: file.metadata, path: file.path)
    // Of a network that was imported with numbers of its own.
    if let own = data.normalization,
      let saved = try SavedRun.normalization(of: file, channels: data.train.sampleShape.channels),
      saved != own
    {
      try normalize(by: saved)
    }
    state = try TrainingState.decode(file.metadata["state"], path: file.path)
    let drawn = state.position.epoch.multipliedReportingOverflow(by: loader.count)
    guard state.step <= totalSteps, !drawn.overflow, drawn.partialValue <= 1 << 50 else {
      throw RigLError(
        .data,
        "\(file.path): is of step \(state.step), epoch \(state.position.epoch), which a "
          + "training of \(totalSteps) steps does not reach")
    }
    let batches =
      state.position.epoch * loader.batches(ofSize: configuration.batchSize)
      + state.position.index.dividedUp(by: configuration.batchSize)
    guard state.batchesConsumed <= UInt64(batches) else {
      throw RigLError(
        .data,
        "\(file.path): has drawn \(state.batchesConsumed) batches, but up to epoch "
          + "\(state.position.epoch), sample \(state.position.index) there are \(batches)")
    }
    try step.restore(file, state)
    hasSavedWeights = true
    try loader.resume(at: state.position)
    return try lengthRemarks(saved, extensions)
  }
}

extension RunFolder {
  /// Throws a configuration error that names the first key in which a configuration differs from
  /// the run's: so that one need not wait for the data to hear of it.
  ///
  /// - Parameter butUpdateEnd: whether the end of topology updates may be another.
  package func requireSame(
    _ configuration: Configuration, butUpdateEnd: Bool = false
  ) throws(RigLError) {
    let saved = try Configuration(yaml: try self.configuration(), path: configurationPath)
    var own = configuration
    if butUpdateEnd {
      (own.updateEnd, own.updateForever) = (saved.updateEnd, saved.updateForever)
    }
    try own.requireSame(as: saved)
  }
}

extension Configuration {
  /// Throws where a run of another configuration cannot go on with this one.
  ///
  /// - Parameter count: the samples that are held out for validation; nil: not known yet.
  func requireSame(
    as saved: Configuration, validating count: Int? = nil
  ) throws(RigLError) {
    var own = self
    // Earlier versions saved the number of samples that now need not be asked for.
    if (validation == nil) != (saved.validation == nil),
      count == nil || count == validation ?? saved.validation
    {
      own.validation = saved.validation
    }
    guard let key = try own.firstDifference(from: saved) else { return }
    throw RigLError(
      .configuration,
      "\(key.name): the run was started with \(key.other), and cannot go on with \(key.own)",
      hint: "Only threads, logging and the data folder may differ on resume.\n"
        + "To train for longer, add --extend EPOCHS. With other settings, a new run goes on from its "
        + "network by --start-from in the place of --resume.")
  }
}
