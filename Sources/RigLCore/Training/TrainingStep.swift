/// One batch of training, from the samples to moved weights or moved connections.
///
///     batch → layers → loss → gradients → weights | connections
///
/// A weight step allocates nothing; an update does where it makes room for connections.
public final class TrainingStep {
  /// The network.
  public let model: Model
  /// The loss that training minimises.
  package let loss: any Loss
  /// The optimizer with its state.
  package let optimizer: OptimizerState
  /// The learning rate at each weight step.
  package let learningRate: LearningRateSchedule
  /// The settings: topology method and schedule, clipping, accumulation.
  package let settings: Settings
  /// Each sample's prediction and rank in the last batch.
  package let outcome: BatchPredictions

  /// Weight steps taken (t).
  public internal(set) var weightSteps = 0
  /// Batches drawn, those that topology updates consumed included.
  package internal(set) var batchesConsumed: UInt64 = 0

  /// Measures where the time of steps goes, if someone wants to know; nil costs nothing. It is the
  /// thread pool's: while it is there, no other step may run on the same pool.
  public var clock: StageClock? {
    get { pass.pool.clock }
    set { pass.pool.clock = newValue }
  }

  let topology: TopologyUpdater?
  /// Which positions were ever active; nil for a method without updates.
  package var explored: ExploredPositions? { topology?.explored }
  let pass: Pass
  let logitsGradient: Tensor
  /// The error for settings that cannot be trained with; nil: there is none.
  private let unusable: RigLError?
  /// Batches whose gradients are summed up so far for the next weight step.
  var accumulated: Int { sum.batches }
  /// Whether no step and no update is in progress.
  var isBetweenSteps: Bool { accumulated == 0 && !isUpdating }
  /// Whether an update has seen some of its batches, but has not moved connections yet.
  var isUpdating: Bool { topology?.sums?.isUpdating == true }
  /// Whether the next batch is one that was seen before.
  var isRepeating: Bool { topology?.sums?.isRepeating == true }
  private var sum = GradientSum()

  /// How steps are taken.
  public struct Settings: Sendable {
    /// Which connections move, and when in a step.
    public var method: any TopologyMethod = StaticTopology()
    /// When connections move, and how many.
    public var schedule = UpdateSchedule(end: nil, annealing: .constant)
    /// The weight that a grown connection starts with.
    public var newWeight = NewConnectionWeight.zero
    /// The largest norm of all gradients together; nil: no clipping.
    public var clipNorm: Double?
    /// Batches of one weight step, whose gradient is the mean over all their samples.
    public var accumulation = 1
    /// Batches whose mean dense gradient growth looks at (n), of a method whose timing is
    /// ``TopologyTiming/insteadOfWeightStep``: each update then consumes so many. Where the gradient of
    /// all layers does not fit in memory, an update sees its batches in several passes: see
    /// ``Report/repeatedBatches``.
    public var growthBatches = 1
    /// Bytes of the buffer that these gradients are summed in, without effect on the result; nil: as many
    /// as the activations of a batch take.
    package var growthBuffer: Int?
    /// Whether an update that would replace a weight step is followed by one on the same batch, as
    /// some reimplementations do: with its gradient at surviving connections, and the dense
    /// gradient's value at new ones.
    public var updateThenStep = false
    /// Whether the ages of connections are kept for an optimizer, too, that does not ask for them.
    package var tracksAges = false
    /// Whether reports have the gradient's norm without clipping too, and that of the first batch.
    package var tracksGradientNorm = false

    /// The defaults: a static topology, no clipping, one batch a step.
    public init() {}
  }

  /// The report of a step: loss, accuracy, learning rate, topology update.
  public struct Report: Sendable {
    /// The mean loss of the batch, before anything moved.
    public let loss: Double
    /// Samples in the batch.
    public let samples: Int
    /// Samples whose largest logit is their label's.
    public let correct: Int
    /// Samples whose label is among the five largest logits; nil for five classes or fewer.
    public let top5: Int?
    /// The learning rate of this weight step.
    public let learningRate: Double
    /// The topology update that was made on this batch, or before it; nil if there was none.
    public let update: TopologyUpdate?
    /// The fraction of each sparse layer's connections that the update dropped and grew (f(t)); nil
    /// without one.
    package var dropFraction: Double? { update?.dropFraction }
    /// The norm of the gradients before clipping; nil without clipping, unless it is tracked, or if no
    /// weights moved.
    public let gradientNorm: Double?
    /// The norm of the first gradient of the training, before anything has moved; nil later, or if it
    /// is not tracked.
    package let initialGradientNorm: Double?
    /// Whether this is the first weight step after a topology update.
    package let followsUpdate: Bool
    /// Whether the weights moved: not in an update that replaces a weight step, nor while gradients
    /// accumulate.
    public let movedWeights: Bool
    /// The number of last batches that an update wants to see again, as they were, next; 0: as a rule.
    public let repeatedBatches: Int
    /// Whether the batch had been seen before by the same update.
    package let wasSeen: Bool
  }

  /// Puts a step together for a model that is made for training.
  public init(
    model: Model, loss: any Loss, optimizer: any Optimizer, learningRate: LearningRateSchedule,
    settings: Settings, pool: ThreadPool, seed: UInt64
  ) {
    trap(unless: settings.accumulation >= 1, "accumulation over \(settings.accumulation) batches")
    self.model = model
    self.loss = loss
    self.learningRate = learningRate
    self.settings = settings
    unusable = settings.problem(loss, optimizer, learningRate, model)
    self.optimizer = OptimizerState(
      optimizer, parameters: model.parameters, tracksAges: settings.tracksAges)
    pass = Pass(pool: pool, seed: seed)
    topology = TopologyUpdater(
      method: settings.method, schedule: settings.schedule, newWeight: settings.newWeight,
      updatesGradients: settings.updateThenStep, accumulates: settings.accumulation > 1,
      growth: (settings.growthBatches, settings.growthBuffer),
      model: model, optimizer: self.optimizer, pool: pool, seed: seed)
    outcome = BatchPredictions(capacity: model.capacity, classes: model.outputs, lanes: model.lanes)
    logitsGradient = Tensor(
      shape: SampleShape(channels: model.outputs), capacity: model.capacity, lanes: model.lanes)
  }

  /// Trains on one batch.
  ///
  /// - Throws: `RigLError` of kind `numerical` if the loss, a gradient that is scored or clipped, or
  ///   a weight that is scored is not a number, `data` if the batch's input is not: weights and
  ///   connections are then as before the batch, but for layers whose connections had already moved,
  ///   and an update that has seen some of its batches (``Settings/growthBatches``) begins anew with the
  ///   next one.
  ///   `data`, too, for a batch that is empty, or has not one label for each sample; `configuration`
  ///   for numbers of settings, schedules, loss or optimizer that cannot be trained with.
  public func train(on batch: Batch) throws(RigLError) -> Report {
    if let unusable { throw unusable }
    do {
      try batch.requireComplete()
      return try take(batch)
    } catch {
      topology?.cancel()
      guard error.kind == .numerical, let broken = batch.inputs.firstBrokenValue() else {
        throw error
      }
      throw RigLError(broken.kind, "step \(weightSteps): \(broken.what)", hint: broken.hint)
    }
  }

  private func take(_ batch: Batch) throws(RigLError) -> Report {
    let rate = learningRate.rate(at: weightSteps)
    if batchesConsumed == 0 { topology?.noteInitialConnections() }
    // weights of the step before → connections
    var update = try makePendingUpdate(rate)
    let wasSeen = isRepeating

    // batch → layers → loss
    batchesConsumed += 1
    pass.isTraining = true
    pass.batchesConsumed = batchesConsumed
    unsafe pass.places = batch.places.base
    pass.accumulatesGradients = accumulated > 0 || isUpdating && topology?.sums?.sum.batches != 0
    pass.isRepeated = isRepeating
    let initialNorm = try measureInitialNorm(before: .insteadOfWeightStep, on: batch)
    let logits = try model.forward(batch.inputs, pass)
    clock?.enter(.loss)
    let loss = try loss.evaluate(
      logits, labels: batch.labels, gradient: logitsGradient, outcome: outcome, pass: pass)
    guard loss.isFinite else { throw notFinite("loss is \(loss.magnitude)") }

    // loss → gradients → connections
    if let topology, isUpdating || isUpdateDue(.insteadOfWeightStep) {
      if !isUpdating { try begin(topology, rate) }
      let (isComplete, repeated) = try move(topology, by: batch)
      guard isComplete else {
        return report(
          loss, batch, rate, initialNorm: initialNorm, repeated: repeated, wasSeen: wasSeen)
      }
      update = topology.report(batchesConsumed: batchesConsumed)
      guard settings.updateThenStep else {
        return report(
          loss, batch, rate, update: update, initialNorm: initialNorm, wasSeen: wasSeen)
      }
      if let sums = topology.sums { sum = sums.sum } else { sum.add(batch.inputs.samples) }
    } else {
      // loss → gradients
      let weight = sum.weight(of: batch.inputs.samples)
      if weight != 1 { logitsGradient.scale(by: weight) }
      let part = sum.part(of: batch.inputs.samples, in: settings.accumulation)
      try model.backward(logitsGradient, pass) { topology?.remember($0, part) }
      sum.add(batch.inputs.samples)
    }
    guard accumulated >= settings.accumulation else {
      return report(
        loss, batch, rate, update: update, initialNorm: initialNorm, wasSeen: wasSeen)
    }

    // gradients → connections, in the place of the first weight step
    if let topology, settings.method.timing == .beforeFirstStep, topology.isDue(at: weightSteps) {
      let mean = sum.mean
      sum = GradientSum()
      let initialNorm = isInitialNormDue ? try gradientNorm(mean: mean) : nil
      try begin(topology, rate, gradientMean: mean)
      defer { model.weightsDidChange() }
      try topology.moveAll()
      return report(
        loss, batch, rate, update: topology.report(batchesConsumed: batchesConsumed),
        initialNorm: initialNorm)
    }

    // gradients → weights
    let mean = sum.mean
    sum = GradientSum()
    let (norm, scale) = try gradientScale(mean: mean)
    let first = initialNorm ?? (isInitialNormDue ? norm : nil)
    optimizer.step(learningRate: rate, gradientScale: scale, pool: pass.pool)
    topology?.clearInactive()
    model.weightsDidChange()
    weightSteps += 1
    return report(
      loss, batch, rate, update: update, norm: norm, initialNorm: first, movedWeights: true,
      wasSeen: wasSeen)
  }

  /// Makes the update that follows the weight step before, if one is due: only now, so that whoever
  /// looked at the weights since then saw trained ones, and that after the last step nothing moves.
  /// It is no state of its own: step and last update say whether it is pending.
  ///
  /// - Returns: what moved; nil without an update.
  private func makePendingUpdate(_ rate: Double) throws(RigLError) -> TopologyUpdate? {
    guard let topology, weightSteps > 0, isUpdateDue(.afterWeightStep) else { return nil }
    try begin(topology, rate)
    defer { model.weightsDidChange() }
    try topology.moveAll()
    return topology.report(batchesConsumed: batchesConsumed)
  }

  /// Moves connections by the gradient of a batch; of an update of several batches, after the last one.
  ///
  /// - Returns: whether they have moved, and how many of the last batches are to come again.
  private func move(
    _ topology: TopologyUpdater, by batch: Batch
  ) throws(RigLError) -> (isComplete: Bool, repeated: Int) {
    guard let sums = topology.sums else {
      // After an error, too: layers that had moved stay moved.
      defer { model.weightsDidChange() }
      // Layer by layer, while what its dense gradient is made of is at hand.
      try model.backward(logitsGradient, pass) { (operands) throws(RigLError) in
        try topology.move(operands)
      }
      return (true, 0)
    }
    let weight = sums.take(samples: batch.inputs.samples)
    if weight != 1 { logitsGradient.scale(by: weight) }
    try model.backward(logitsGradient, pass) { (operands) throws(RigLError) in
      try topology.collect(operands)
    }
    let (isComplete, repeated) = sums.endBatch()
    // The batches to come again have the same random numbers.
    if repeated > 0 { batchesConsumed = topology.batchesConsumed - 1 }
    guard isComplete else { return (false, repeated) }
    defer { model.weightsDidChange() }
    try topology.moveAll()
    return (true, 0)
  }

  /// Whether a method of this timing is to make an update now.
  func isUpdateDue(_ timing: TopologyTiming) -> Bool {
    settings.method.timing == timing && accumulated == 0 && topology?.isDue(at: weightSteps) == true
  }

  /// Starts an update before the weight step that is due.
  ///
  /// - Parameter gradientMean: the factor that makes the weights' gradients means; nil: they are not at
  ///   hand for all layers.
  private func begin(
    _ topology: TopologyUpdater, _ rate: Double, gradientMean: Float? = nil
  ) throws(RigLError) {
    try topology.begin(
      step: weightSteps, batchesConsumed: batchesConsumed, learningRate: rate,
      peak: learningRate.largestRate, gradientMean: gradientMean)
  }

  /// Forgets the gradients of a weight step or an update that is not complete.
  func dropAccumulated() {
    sum = GradientSum()
    topology?.cancel()
  }

  /// Counts a batch of which no sample could be read, so that the random numbers of those to come
  /// are what they would be after it.
  func passOverBatch() { batchesConsumed += 1 }

  /// The mean over all accumulated samples, and clipping to the largest norm.
  private func gradientScale(mean: Float) throws(RigLError) -> (norm: Double?, scale: Float) {
    guard settings.clipNorm != nil || settings.tracksGradientNorm else { return (nil, mean) }
    let norm = try gradientNorm(mean: mean)
    guard let clipNorm = settings.clipNorm else { return (norm, mean) }
    return (norm, mean * GradientClipping.scale(norm: norm, maximum: clipNorm))
  }

  private func report(
    _ loss: Double, _ batch: Batch, _ rate: Double, update: TopologyUpdate? = nil,
    norm: Double? = nil, initialNorm: Double? = nil, movedWeights: Bool = false,
    repeated: Int = 0, wasSeen: Bool = false
  ) -> Report {
    let samples = batch.inputs.samples
    return Report(
      loss: loss, samples: samples, correct: outcome.hits(of: samples, within: 1),
      top5: model.outputs > 5 ? outcome.hits(of: samples, within: 5) : nil, learningRate: rate,
      update: update, gradientNorm: norm, initialGradientNorm: initialNorm,
      followsUpdate: movedWeights && topology?.last == weightSteps - 1,
      movedWeights: movedWeights, repeatedBatches: repeated, wasSeen: wasSeen)
  }

  /// Throws if a weight, a number of the optimizer's state, or the loss on a batch is not finite:
  /// nothing can go on from there.
  func requireFinite(on batch: Batch) throws(RigLError) {
    if firstBroken != nil { throw notFinite("training has diverged") }
    for (parameter, slots) in zip(optimizer.parameters, optimizer.slots) {
      for slot in slots where slot.buffer.largestMagnitude == nil {
        throw notFinite("\(slot.name) of \(parameter.name) is not finite")
      }
    }
    guard batch.labels.count > 0 else { return }  // No batch was drawn yet.
    pass.isTraining = false
    let logits = try model.forward(batch.inputs, pass)
    let loss = try loss.evaluate(
      logits, labels: batch.labels, gradient: nil, outcome: outcome, pass: pass)
    guard loss.isFinite else { throw notFinite("loss is \(loss.magnitude)") }
  }

  /// The first parameter with a value that is not finite.
  private var firstBroken: Parameter? {
    model.parameters.first { $0.values.largestMagnitude == nil }
  }

  /// The error for a number that is not finite: names the first parameter whose values are not, or
  /// whose gradient is not if that was computed, or else the one with the largest value.
  func notFinite(_ what: String, hasGradients: Bool = false) -> RigLError {
    RigLError(
      .numerical, "step \(weightSteps): \(what); \(placeOfTrouble(hasGradients: hasGradients))",
      hint: weightSteps == 0
        ? "No weight has moved yet: look at the loss, the initial weights and the scale of the inputs."
        : "Lower the learning rate (\(learningRate.rate(at: weightSteps)) at this step), add warm-up steps, "
          + "or clip the gradient (clip_norm).")
  }

  private func placeOfTrouble(hasGradients: Bool) -> String {
    if let firstBroken { return "the values of \(firstBroken.name) are not finite" }
    let gradients = hasGradients ? model.parameters : []
    if let broken = gradients.first(where: { $0.gradient.largestMagnitude == nil }) {
      return "the gradient of \(broken.name) is not finite"
    }
    var largest: (magnitude: Float, name: String)?
    for parameter in model.parameters {
      let magnitude = parameter.values.largestMagnitude ?? 0
      if magnitude > largest?.magnitude ?? -1 { largest = (magnitude, parameter.name) }
    }
    return "all weights are finite"
      + (largest.map { ", the largest is \($0.magnitude) in \($0.name)" } ?? "")
  }
}

extension AlignedBuffer where Element == Float {
  /// The largest magnitude, 0 of no elements; nil if an element is infinite or not a number.
  fileprivate var largestMagnitude: Float? {
    withSpan { span in
      var largest: Float = 0
      for index in span.indices {
        let magnitude = span[index].magnitude
        guard magnitude.isFinite else { return nil }
        largest = max(largest, magnitude)
      }
      return largest
    }
  }
}

extension BatchPredictions {
  /// Samples whose label is among the `within` classes of largest logit.
  package func hits(of samples: Int, within top: Int) -> Int {
    var hits = 0
    for sample in 0..<samples where ranks[sample] < Int32(top) { hits += 1 }
    return hits
  }
}
