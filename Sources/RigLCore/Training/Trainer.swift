import Foundation

/// A training from its configuration to its result: the loop around ``TrainingStep``.
///
///     var configuration = Configuration()
///     configuration.data = "synthetic"
///     configuration.epochs = 2
///     let trainer = try Trainer(configuration)
///     let result = try trainer.run()
///     print("accuracy", result.test?.accuracy ?? 0, "in", trainer.folder?.path ?? "")
public final class Trainer {
  /// What determines the result; ``Configuration/network`` and ``Configuration/data`` are `custom`
  /// where they were given as arguments and are not what the configuration names.
  public let configuration: Configuration
  /// What the run's files say of a custom network.
  let customNetwork: NetworkDescription?
  /// How the run is carried out.
  package let options: RunOptions
  /// The samples.
  public private(set) var data: TrainingData
  /// The network's description, which the model was made of.
  let network: any Network
  /// The network.
  public let model: Model
  /// The step: one batch of training.
  public let step: TrainingStep
  /// Connections of each layer.
  package let allocation: SparsityAllocation
  /// Weight steps of the whole training (T).
  public let totalSteps: Int
  /// Weight steps of a pass over the training samples.
  package let stepsPerEpoch: Int
  /// The threads.
  package let pool: ThreadPool
  /// Whether the network is the one that the configuration names.
  let isDescribedNetwork: Bool
  /// The run's folder, once the run has begun.
  public private(set) var folder: RunFolder?
  /// The callbacks, told of every event in this order.
  public var callbacks: [any TrainingCallback] = []

  /// Who is told of what the run writes into its folder.
  package var follower: (any RunFollower)?

  /// What is taken of the network that the options name to start from, or why it cannot be: a run
  /// that goes on does without.
  let start: Swift.Result<NetworkStart.Plan, RigLError>?
  /// What files give of the topology, or why they cannot; nil: there are none.
  let topologyStart: Swift.Result<TopologyStart, RigLError>?
  /// The width that was matched; nil: none was.
  let widthMatch: WidthMatch?
  /// Whether the training goes on with weights of a run's checkpoint: not with those that it drew.
  var hasSavedWeights = false
  /// The rounds of a lottery ticket; nil of a training without them.
  let ticket: TicketRounds?
  /// The run that this training makes longer; nil: none.
  let extending: RunExtension?
  let loader: EpochCursor
  private var feeder: BatchSource
  /// What a checkpoint says of the samples; listed and summed up when a run begins.
  lazy var identity = DataIdentity(data)
  private let batch: Batch
  var state = TrainingState()
  /// Where the batches begin that an update may want to see again.
  private var beginningOfUpdate = EpochCursor.Position()
  private var stopRequested = false
  private var isInterrupted = false
  /// Samples trained on in this process.
  private(set) var samplesTrained = 0
  /// Damaged samples and empty layers that callbacks have been told of.
  var named: Set<String> = []
  /// Seconds of the loop that were not training: evaluations and checkpoints.
  private(set) var secondsAside = 0.0

  /// Puts a training together: loads data unless given, draws topology and weights.
  ///
  /// - Parameters:
  ///   - configuration: what determines the result.
  ///   - options: how the training is carried out, and where its folder is.
  ///   - network: a network of one's own; nil: the configuration's.
  ///   - data: samples of one's own; nil: the configuration's.
  ///   - loss: a loss of one's own; nil: cross-entropy with the configuration's label smoothing.
  ///   - method: a topology method of one's own; nil: the configuration's.
  ///   - optimizer: an optimizer of one's own; nil: the configuration's.
  /// - Throws: `RigLError` for a configuration that cannot be used, or data that cannot be read.
  public convenience init(
    _ configuration: Configuration, options: RunOptions = RunOptions(),
    network: (any Network)? = nil, data: TrainingData? = nil, loss: (any Loss)? = nil,
    method: (any TopologyMethod)? = nil, optimizer: (any Optimizer)? = nil
  ) throws(RigLError) {
    try self.init(
      configuration, options: options, network: network, data: data, loss: loss, method: method,
      optimizer: optimizer, extending: nil)
  }

  /// Puts a training together that perhaps makes a run longer.
  package init(
    _ configuration: Configuration, options: RunOptions, network: (any Network)? = nil,
    data: TrainingData? = nil, loss: (any Loss)? = nil, method: (any TopologyMethod)? = nil,
    optimizer: (any Optimizer)? = nil, extending: RunExtension?
  ) throws(RigLError) {
    // What is given takes the place of settings, which are then not looked at.
    try configuration.validate(exceptNetwork: network != nil, exceptData: data != nil)
    var (configuration, options) = (configuration, options)
    try configuration.requireGiven(network: network != nil, data: data != nil)
    try configuration.take(
      loss: loss, method: method, optimizer: optimizer, path: extending?.path)
    try optimizer?.requireUsableSlots()
    if let data {
      configuration.take(data, &options)
    } else {
      (configuration, options.dataFolder) = try configuration.namingData(folder: options.dataFolder)
    }
    self.options = options
    pool = try ThreadPool(threads: options.threads)
    var samples: TrainingData
    MemoryUse.current = .data
    defer { MemoryUse.current = .work }
    if let data {
      samples = try data.normalized(by: configuration.normalization)
    } else {
      samples = try TrainingData.load(configuration, folder: options.dataFolder)
    }
    try samples.validate()
    samples = samples.normalizedAlike()
    self.data = samples
    if let extending {
      configuration = try configuration.extended(
        by: extending, samples: samples.train.count, method: method)
    }
    self.extending = extending
    widthMatch = try configuration.matchWidth(to: samples.train, isOwn: network != nil)
    let named = try configuration.namedNetwork(unlessGiven: network)
    guard let used = network ?? named else { throw Configuration.needsNetwork("network: custom") }
    isDescribedNetwork = network == nil
    self.network = used
    let (shape, classes) = (samples.train.sampleShape, samples.train.classes)
    let layers = used.layers(input: shape, classes: classes)
    let (isOwn, given, samplesOfStart) = (!isDescribedNetwork, configuration, samples)
    start = options.startFrom.map { path in
      Swift.Result { () throws(RigLError) in
        try NetworkStart(path).plan(
          given, used, isOwn: isOwn, layers.weightLayers, samplesOfStart)
      }
    }
    if case .success(let plan)? = start { configuration = plan.configuration }
    topologyStart = options.topologyStart(given, layers)
    if case .success(let plan)? = topologyStart { configuration = plan.configuration }
    allocation = try configuration.allocate(layers.weightLayers)
    let initial = try configuration.allocateInitially(layers.weightLayers)
    let startCounts = (try? start?.get().counts) ?? (try? topologyStart?.get().counts)
    let described = try configuration.makeMethod(
      allocation, from: initial, samples: samples.train.count)
    let method = method ?? described
    ticket = try configuration.ticketRounds(of: method, samples: samples.train.count)
    try configuration.requireMemory(for: method, allocation)
    let (connections, variable) = allocation.connections(
      under: method.counts, from: initial, given: startCounts)
    MemoryUse.current = .network
    // Batches are no larger than all samples; but groups of samples are as those of a full batch.
    let counts = [samples.train.count, samples.validation?.count ?? 0, samples.test.count]
    let capacity = min(configuration.batchSize, max(counts.max() ?? 0, Tensor.mostLanes))
    model = try Model(
      layers, input: shape, capacity: capacity, connections: connections, variable: variable,
      storageBelow: configuration.storageBelow, isTraining: true)
    try model.requireFitting(samples.train)
    customNetwork = try network.flatMap { (network) throws(RigLError) in
      try configuration.take(network, layers, named: named, input: shape, classes: classes)
    }
    self.configuration = configuration
    model.draw(seed: configuration.seed, initializer: configuration.weightInitializer)
    let count = samples.train.count
    stepsPerEpoch = configuration.stepsPerEpoch(samples: count)
    totalSteps = configuration.steps(samples: count)
    var settings = TrainingStep.Settings()
    settings.method = method
    settings.schedule = try configuration.updateSchedule(samples: count)
    settings.newWeight = configuration.newConnectionWeight
    settings.updateThenStep = configuration.updateThenStep
    settings.growthBatches = configuration.batchesOfGrowth(method)
    settings.growthBuffer = options.growthBuffer.map { $0 << 20 }
    settings.clipNorm = configuration.clipNorm
    settings.accumulation = configuration.accumulation
    settings.tracksAges = configuration.trackAges
    settings.tracksGradientNorm = configuration.trackGradientNorm
    MemoryUse.current = .optimizer
    step = TrainingStep(
      model: model, loss: loss ?? CrossEntropy(labelSmoothing: configuration.labelSmoothing),
      optimizer: optimizer ?? configuration.makeOptimizer(),
      learningRate: try configuration.learningRateSchedule(samples: count), settings: settings,
      pool: pool, seed: configuration.seed)
    loader = try EpochCursor(count: count, seed: configuration.seed)
    MemoryUse.current = .batch
    feeder = try BatchSource(
      samples.train, size: capacity, layout: model.inputLayout,
      seed: configuration.seed, threads: options.threads)
    batch = Batch(for: model)
    beginRounds()
    try requireSeveralValuesForBatchNorms()
  }

  /// Has pixels become values by other numbers than their own: those of a run that goes on.
  func normalize(by normalization: PixelNormalization) throws(RigLError) {
    data = data.normalized(by: normalization)
    feeder = try BatchSource(
      data.train, size: model.capacity, layout: model.inputLayout,
      seed: configuration.seed, threads: options.threads)
  }

  /// Trains on the next batch of the stream. Allocates nothing, unless samples are damaged, or connections
  /// move.
  ///
  /// - Throws: `RigLError`, `.data` if no sample can be read at all.
  @discardableResult
  public func trainNextBatch() throws(RigLError) -> TrainingStep.Report {
    for _ in 0..<loader.batches(ofSize: configuration.batchSize) {
      if !step.isUpdating { beginningOfUpdate = loader.position }
      let damaged = try feeder.next(loader, into: batch, pool: pool)
      if !damaged.isEmpty, !step.isRepeating {
        state.damaged = (state.damaged ?? 0) + damaged.count
        try tell(of: damaged)
      }
      // There is nothing to be learned from a batch of which nothing is left.
      if batch.inputs.samples > 0 {
        let report = try step.train(on: batch)
        if report.repeatedBatches > 0 { try loader.resume(at: beginningOfUpdate) }
        if report.update != nil { try tellOfEmptyLayers() }
        return report
      }
      step.passOverBatch()
    }
    throw RigLError(
      .data,
      "step \(step.weightSteps): no sample can be read"
        + (named.min().map { "; one of them: \($0)" } ?? ""))
  }

  /// Whether the last batch's input is not finite.
  var hasBrokenInput: Bool { batch.inputs.firstBrokenValue() != nil }

  /// Throws if training has diverged, as far as weights and the last batch show.
  func requireFinite() throws(RigLError) { try step.requireFinite(on: batch) }

  // MARK: - The loop

  /// Trains to the end, in a new run folder; of a training that makes a run longer, in that run's,
  /// on from its last checkpoint. After batches that ``trainNextBatch()`` was asked for, it goes on
  /// from there. The rounds of a lottery ticket are all in it: the test figures and the best weights are
  /// those of the ticket's own training, and a callback that stops a training stops them all.
  ///
  /// - Throws: `RigLError`, of ``RigLError/Kind`` as what it was: `.configuration` for a folder that
  ///   exists; `.numerical` if training diverges; `.data` for samples that are not numbers, or too many
  ///   that cannot be read; `.write` if the disk is full.
  public func run() throws(RigLError) -> Result {
    if let extending { return try resume(extending.path) }
    try requireRewindable()
    let recorder = try RunRecorder(creating: self)
    return try run(recorder)
  }

  /// Goes on with a run from its last complete checkpoint.
  ///
  /// The samples must be those of the run. Of images and of files their contents are compared; of
  /// photos paths and sizes; of samples of one's own shape, classes, number and labels, and of a few
  /// their values, which are a warning if they differ: whether all are the same is for the caller to
  /// see to. Network, loss, topology method and optimizer of one's own must be given again.
  ///
  /// - Throws: a configuration error that names the key if the run was started with another
  ///   configuration or without parts of one's own that it has, or the folder if another training is
  ///   writing there; `.data` if it was trained on other samples.
  public func resume(_ path: String) throws(RigLError) -> Result {
    let recorder = try RunRecorder(resuming: path, self)
    return try run(recorder)
  }

  private func run(_ recorder: RunRecorder) throws(RigLError) -> Result {
    let started = ContinuousClock.now
    folder = recorder.folder
    for remark in recorder.remarks + [growthRemark].compactMap(\.self) { try tell(.remark(remark)) }
    // Who goes on has read these.
    for warning in recorder.warnings + (step.batchesConsumed == 0 ? warnings : []) {
      try tell(.warning(warning))
    }
    try tell(.started(step: step.weightSteps, of: totalSteps))
    try recorder.begin()
    do throws(RigLError) {
      // What it started from may be gone when it has to begin again.
      if start != nil || topologyStart != nil, step.batchesConsumed == 0 {
        try writeCheckpoint(recorder)
      }
      try prepareRewinding(recorder)
      try train(recorder)
      while step.weightSteps >= totalSteps, !isLastRound, !stopRequested {
        try endRound(recorder)
        try train(recorder)
      }
    } catch {
      throw recorder.addingCheckpoint(to: explaining(error))
    }
    let training = started.secondsToNow - secondsAside
    let rate = samplesTrained == 0 ? nil : Double(samplesTrained) / max(training, 1e-9)
    var (final, best): (Evaluation?, Evaluation?)
    if isComplete || !isInterrupted {
      let evaluation = try evaluate(data.test, called: "test sample")
      // The metrics of a run that may go on are those of an unbroken one.
      if isComplete { try recorder.logTest(evaluation) }
      (final, best) = (evaluation, try recorder.evaluateBest(final: evaluation))
    }
    return Result(
      test: final, bestTest: best,
      best: final == nil
        ? nil : state.bestAccuracy.map { ($0, state.bestStep ?? step.weightSteps) },
      steps: step.weightSteps, seconds: started.secondsToNow, samplesPerSecond: rate,
      damaged: state.damaged ?? 0, wasStopped: !isComplete)
  }

  /// Trains to the end, or until someone asks to stop; the last checkpoint is then of this step.
  private func train(_ recorder: RunRecorder) throws(RigLError) {
    // Gradients of a step or an update that is not complete are in no checkpoint: a stop waits for it.
    while step.weightSteps < totalSteps && !(stopRequested && step.isBetweenSteps) {
      let report = try trainNextBatch()
      if !report.wasSeen {
        samplesTrained += report.samples
        recorder.interval.add(report)
        state.epoch.add(report)
      }
      state.lastDropFraction = report.dropFraction ?? state.lastDropFraction
      try recorder.log(report)
      try tell(.batch(report))
      guard report.movedWeights else { continue }
      if recorder.isLineDue { try recorder.logInterval(report) }
      if step.weightSteps % stepsPerEpoch == 0 || step.weightSteps == totalSteps {
        try endEpoch(recorder)
      }
      try keepRewindPoint(recorder)
      if recorder.isCheckpointDue { try writeCheckpoint(recorder) }
    }
    try writeCheckpoint(recorder)
  }

  func writeCheckpoint(_ recorder: RunRecorder) throws(RigLError) {
    let begin = ContinuousClock.now
    defer { secondsAside += begin.secondsToNow }
    try recorder.writeCheckpoint()
  }

  private func endEpoch(_ recorder: RunRecorder) throws(RigLError) {
    let begin = ContinuousClock.now
    defer { secondsAside += begin.secondsToNow }
    try checkDamage()
    let validation = try data.validation.map { (data) throws(RigLError) in
      try evaluate(data, called: "validation sample")
    }
    let (loss, accuracy) = (state.epoch.meanLoss, state.epoch.accuracy)
    state.epoch = TrainingState.Sums()
    if let validation {
      try recorder.log(.validation, validation)
      // Of a lottery ticket those of its own training are what counts.
      if isLastRound, validation.accuracy > state.bestAccuracy ?? -1 {
        state.bestAccuracy = validation.accuracy
        state.bestStep = step.weightSteps
        try recorder.writeBest()
      }
    }
    let number = step.weightSteps.dividedUp(by: stepsPerEpoch)
    try tell(.epoch(number, loss: loss, accuracy: accuracy, validation: validation))
  }

  func tell(_ event: TrainingEvent) throws(RigLError) {
    for callback in callbacks {
      let decision = try callback.observe(event, in: self)
      if decision != .proceed { stopRequested = true }
      if decision == .interrupt { isInterrupted = true }
    }
  }
}
