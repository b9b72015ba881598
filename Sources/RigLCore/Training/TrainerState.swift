// What a checkpoint says of a training, and how a training takes it up again.

extension Trainer {
  /// What a checkpoint says besides the model: no thread count, path or time.
  func metadata() throws(RigLError) -> [String: String] {
    state.weightSteps = step.weightSteps
    state.batchesConsumed = step.batchesConsumed
    state.lastUpdate = step.topology?.last
    state.initialConnections = step.topology?.initialConnections
    state.position = loader.position
    var metadata = try state.metadata(configuration, identity, data.normalization)
    metadata[Model.activationsKey] = model.layers.activationNames
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
    let state = try TrainingState.decode(file.metadata["state"], path: file.path)
    try requireRound(of: state, path: file.path)
    let drawn = state.position.epoch.multipliedReportingOverflow(by: loader.count)
    guard state.weightSteps <= totalSteps, !drawn.overflow, drawn.partialValue <= 1 << 50 else {
      throw RigLError(
        .data,
        "\(file.path): is of step \(state.weightSteps), epoch \(state.position.epoch), which a "
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
    self.state = state
    step.topology?.rests = !isLastRound
    hasSavedWeights = true
    try loader.resume(at: state.position)
    return try lengthRemarks(saved, extensions)
  }
}

extension Trainer {
  /// Throws as soon as an epoch ends with too many damaged samples, not after days.
  func checkDamage() throws(RigLError) {
    let drawn = loader.position.epoch * loader.count + loader.position.index
    do throws(RigLError) {
      try DamageLimit.check(state.damaged ?? 0, of: drawn, first: nil)
    } catch {
      throw RigLError(
        error.kind, "epoch \(drawn / max(loader.count, 1)): of those drawn so far, \(error.what)",
        hint: damageHint(error.hint))
    }
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
    // And a drop fraction that is now the method's.
    if firstDropFraction == saved.firstDropFraction { own.dropFraction = saved.dropFraction }
    guard let key = try own.firstDifference(from: saved) else { return }
    throw RigLError(
      .configuration,
      "\(key.name): the run was started with \(key.other), and cannot go on with \(key.own)",
      hint: "Only threads, logging and the data folder may differ on resume.\n"
        + "To train for longer, add --extend EPOCHS. With other settings, a new run goes on from its "
        + "network by --start-from in the place of --resume.")
  }
}
