/// The result of a topology update: its drop fraction, and how many connections moved.
public struct TopologyUpdate: Hashable, Sendable {
  /// The weight step (t) before or after which it happened.
  public let step: Int
  /// Batches drawn by then, that of the update included.
  package let batchesConsumed: UInt64
  /// The fraction of each sparse layer's connections that were dropped, and grown elsewhere or again
  /// (f(t)).
  public let dropFraction: Double
  /// Connections of all layers that are at positions that had none before: those grown, less those that
  /// were grown again where they had just been.
  public let moved: Int
  /// Connections of all sparse layers after the update.
  public let connections: Int
  /// Connections among the moved ones that are at positions never active before; nil if it is not
  /// known which were.
  package let neverActiveBefore: Int?
  /// The share of all positions that were ever active, those of this update and of dense layers
  /// included; nil if it is not known.
  package let exploredShare: Double?
}

/// Brings when, how many and which together: asks the schedule, lets the method move each sparse
/// layer's connections, and lets the optimizer's state follow.
final class TopologyUpdater {
  let method: any TopologyMethod
  let schedule: UpdateSchedule
  /// The step (t) of the last update; -ΔT before the first.
  var last: Int
  /// Whether connections stay whatever the schedule says: in a lottery ticket's rounds before the last
  /// training.
  var rests = false
  /// Which positions were ever active.
  let explored: ExploredPositions

  /// What the method keeps of gradients; nil: nothing.
  let memories: GradientMemories?
  /// The gradients of an update's batches; nil: an update has one batch, or none.
  let sums: GrowthSums?

  private let layers: [SparseWeights]
  private let optimizer: OptimizerState
  private let scratch: TopologyScratch
  private let plan: TopologyPlan
  /// Nil if no layer is sparse: then an update moves nothing, but consumes its batch all the same.
  private let update: LayerUpdate?
  private let newWeight: NewConnectionWeight
  /// The most of a layer's connections that an update moves.
  private let mostMovedFraction: Double
  private let pool: ThreadPool
  /// Whether a weight step follows on the same batch, which then needs the weights' gradients.
  private let updatesGradients: Bool
  private let seed: UInt64
  // Of the update in progress.
  private var step = 0
  /// The step of the update before it.
  private var lastBefore = 0
  /// Batches drawn by the update's first: the key of its random numbers.
  private(set) var batchesConsumed: UInt64 = 0
  private var fraction = 0.0
  private var gradientMean: Float?
  private var moved = 0
  private var neverActiveBefore: Int?

  /// An updater for a model; nil for a method that has no updates.
  init?(
    method: any TopologyMethod, schedule: UpdateSchedule, newWeight: NewConnectionWeight,
    updatesGradients: Bool, accumulates: Bool, growth: (batches: Int, bytes: Int?), model: Model,
    optimizer: OptimizerState, pool: ThreadPool, seed: UInt64
  ) {
    guard method.timing != .never else { return nil }
    self.method = method
    self.schedule = schedule
    self.newWeight = newWeight
    self.updatesGradients = updatesGradients
    self.optimizer = optimizer
    self.pool = pool
    self.seed = seed
    layers = model.sparseLayers
    for layer in layers { layer.onlyLosesConnections = method.counts == .pruned }
    explored = ExploredPositions(model: model)
    last = schedule.initialLast
    scratch = TopologyScratch(layers: layers)
    // What is pruned need not grow, and then all connections have one age.
    if method.counts != .pruned, method.timing != .beforeFirstStep {
      optimizer.reserveAges(of: layers)
    }
    memories = method.memory.map { GradientMemories($0, of: model.sparseLayers, sums: accumulates) }
    let sumsBatches = growth.batches > 1 && method.timing == .insteadOfWeightStep
    sums =
      sumsBatches
      ? GrowthSums(
        batches: growth.batches, layers: layers, bytes: growth.bytes ?? model.plan.activationBytes)
      : nil
    plan = TopologyPlan(
      layers: layers, optimizer: optimizer, memories: memories, scratch: scratch)
    // A method that changes counts may grow a layer to its capacity at once.
    mostMovedFraction = method.counts == .variable ? 1 : schedule.initialFraction
    let mostMoved = TopologyUpdater.mostMoved(of: layers, mostMovedFraction)
    var gradient: DenseGradient?
    if method.timing == .insteadOfWeightStep || memories != nil, !layers.isEmpty {
      gradient = DenseGradient(pool: pool, layers: layers, model: model, selected: mostMoved)
    }
    if let first = layers.first {
      update = LayerUpdate(
        first: first, seed: seed, scratch: scratch, gradient: gradient, atMost: mostMoved)
    } else {
      update = nil
    }
  }

  private static func mostMoved(of layers: [SparseWeights], _ fraction: Double) -> Int {
    var most = 0
    for index in 0..<layers.count {
      most = max(most, UpdateSchedule.moved(of: layers[index].capacity, fraction: fraction))
    }
    return most
  }

  /// Whether an update happens at step t.
  func isDue(at step: Int) -> Bool {
    if rests { return false }
    if method.timing == .beforeFirstStep { return step == 0 && last < 0 }
    return method.isDue(at: step, last: last, schedule)
  }

  /// Starts an update at step t, and has the method decide how many connections layers are to have.
  ///
  /// - Parameter gradientMean: the factor that makes the gradients of all layers' weights means over their
  ///   batches; nil: they are not at hand.
  func begin(
    step: Int, batchesConsumed: UInt64, learningRate: Double, peak: Double, gradientMean: Float?
  ) throws(RigLError) {
    let fraction =
      method.timing == .beforeFirstStep
      ? 0 : schedule.fraction(at: step, learningRate: learningRate, peak: peak)
    try begin(step, batchesConsumed, fraction, gradientMean, by: method)
    guard let sums else { return }
    var moves = false
    for index in 0..<layers.count where isMoving(index, by: method) { moves = true }
    sums.begin(moves: moves)
  }

  private func begin(
    _ step: Int, _ batchesConsumed: UInt64, _ fraction: Double, _ gradientMean: Float?,
    by method: any TopologyMethod
  ) throws(RigLError) {
    self.step = step
    self.batchesConsumed = batchesConsumed
    self.gradientMean = gradientMean
    self.fraction = fraction
    moved = 0
    neverActiveBefore = explored.isKnown ? 0 : nil
    plan.begin(step: step, fraction: fraction, gradientMean: gradientMean)
    try method.plan(plan)
    plan.requirePossible()
    (lastBefore, last) = (last, step)
  }

  /// Makes an update by another method than this training's, whatever the schedule says: one that does
  /// not look at gradients.
  func update(
    by other: any TopologyMethod, step: Int, batchesConsumed: UInt64
  ) throws(RigLError) -> TopologyUpdate {
    try begin(step, batchesConsumed, 0, nil, by: other)
    for index in 0..<layers.count { try move(index, .none, by: other) }
    return report(batchesConsumed: batchesConsumed)
  }

  /// Forgets an update of several batches that is not complete: it is due again.
  func cancel() {
    guard let sums, sums.isUpdating else { return }
    sums.cancel()
    last = lastBefore
  }

  /// Zeroes weights and the optimizer's state where dense storage has no connection: an optimizer need
  /// not leave 0 as it is.
  func clearInactive() {
    for index in 0..<plan.layers.count {
      plan.layers[index].weights.clearInactive(plan.layers[index].slots)
    }
  }

  /// Takes a layer's dense gradient on a batch of a weight step into what the method keeps, if it does.
  func remember(_ source: any GradientSource, _ part: GradientMemories.Part) {
    guard let memories, let update else { return }
    update.remember(source, memories, part)
  }

  /// The result of the last update, by the batches drawn since.
  func report(batchesConsumed: UInt64) -> TopologyUpdate {
    TopologyUpdate(
      step: step, batchesConsumed: batchesConsumed, dropFraction: fraction, moved: moved,
      connections: plan.count, neverActiveBefore: neverActiveBefore, exploredShare: explored.share)
  }

  /// Moves all layers: for a method that does not look at gradients, or has looked at several batches'.
  func moveAll() throws(RigLError) {
    for index in 0..<layers.count {
      try move(index, sums.map { .mean($0, layer: index, slice: nil) } ?? .none, by: method)
    }
  }

  /// Moves one layer while its dense gradient is at hand.
  func move(_ source: any GradientSource) throws(RigLError) {
    for index in 0..<layers.count where layers[index] === source.connections {
      try move(index, .batch(source), by: method)
    }
  }

  /// Adds a layer's dense gradient on a batch to the update's sums; on the last batch of a pass, looks
  /// what would be grown by them.
  func collect(_ source: any GradientSource) throws(RigLError) {
    guard let sums, let update else { return }
    for index in 0..<layers.count
    where layers[index] === source.connections && isMoving(index, by: method) {
      let slices = sums.passes[sums.pass]
      for number in 0..<slices.count where slices[number].layer == index {
        update.add(source, to: sums, slices[number])
        guard sums.isLastBatch else { continue }
        begin(update, index, .mean(sums, layer: index, slice: slices[number]), by: method)
        try method.move(plan.layers[index].drop, in: update)
      }
    }
  }

  /// Whether a layer's connections are to move, or their number to change.
  private func isMoving(_ index: Int, by method: any TopologyMethod) -> Bool {
    let planned = plan.layers[index]
    // A method may move what the schedule says without having planned it.
    let count = max(planned.drop, UpdateSchedule.moved(of: planned.target, fraction: fraction))
    return count > 0 || planned.target != layers[index].count
      || method.timing == .beforeFirstStep
  }

  private func begin(
    _ update: LayerUpdate, _ index: Int, _ gradient: UpdateGradient, by method: any TopologyMethod
  ) {
    update.begin(
      plan.layers[index], of: plan, layerIndex: index, batchesConsumed: batchesConsumed,
      lookingAt: gradient, gradientMean: gradient.mean ?? gradientMean)
  }

  private func move(
    _ index: Int, _ gradient: UpdateGradient, by method: any TopologyMethod
  ) throws(RigLError) {
    guard isMoving(index, by: method), let update else { return }
    let weights = layers[index]
    pool.clock?.enter(weights, .rewiring)
    begin(update, index, gradient, by: method)
    try method.move(plan.layers[index].drop, in: update)
    let room = weights.storedCapacity
    let firsts = explored.follow(update, layer: index)
    neverActiveBefore = firsts.flatMap { firsts in neverActiveBefore.map { $0 + firsts } }
    let change = update.commit(movesGradient: updatesGradients)
    moved += change.newConnections
    newWeight.apply(
      to: weights, change: change,
      random: CounterRandom(
        seed: seed, purpose: .weights, layer: index, stream: batchesConsumed), gradient: gradient)
    optimizer.follow(change, of: weights, scratch: scratch)
    if updatesGradients, gradient.isThere { setNewGradients(of: weights, change, gradient) }
    if weights.storedCapacity != room {
      // The other layers' are still to be grown.
      sums?.found(in: index).shrink(
        to: TopologyUpdater.mostMoved(of: [weights], schedule.initialFraction))
      followCapacity()
    }
  }

  /// Bytes that updates work in, of those whose number goes by connections.
  var connectionBytes: Int {
    scratch.bytes + (update?.bytes ?? 0) + (sums?.foundBytes ?? 0)
  }

  /// Has the memory that updates work in, and what the optimizer is cut into, follow layers that have
  /// memory for more connections, or for fewer, than before.
  private func followCapacity() {
    optimizer.followCapacity()
    scratch.shrink(to: layers)
    update?.shrink(to: TopologyUpdater.mostMoved(of: layers, mostMovedFraction))
  }

  /// New connections take the dense gradient's value; those that survived have kept theirs.
  private func setNewGradients(
    of weights: SparseWeights, _ change: TopologyChange, _ gradient: UpdateGradient
  ) {
    weights.forEachNewConnection(in: change) { storage, row, column in
      unsafe weights.parameter.gradient.base[storage] = gradient.summand(
        output: row, input: column, of: weights)
    }
  }
}

// MARK: - Files

extension TopologyUpdater {
  /// The tensors of a checkpoint, beside the model's: which positions were ever active, and what the
  /// method keeps of gradients.
  func tensors() -> [SafetensorsTensor] { explored.tensors() + (memories?.tensors() ?? []) }

  /// Writes what ``tensors()`` has announced.
  func write(to writer: inout SafetensorsWriter) throws(RigLError) {
    try explored.write(to: &writer)
    try memories?.write(to: &writer)
  }

  /// Throws where a checkpoint lacks what a training cannot go on without.
  func requireAll(of file: SafetensorsFile) throws(RigLError) {
    try memories?.requireAll(of: file)
  }

  /// Connections of each layer at the beginning of the training; nil where their number never changes.
  var initialConnections: [Int]? {
    method.counts == .constant ? nil : plan.layers.map(\.initialCount)
  }

  /// Takes the layers' connections for those that the training begins with.
  func noteInitialConnections() {
    for index in 0..<plan.layers.count {
      plan.layers[index].initialCount = plan.layers[index].count
    }
  }

  private func restoreInitialConnections(
    _ state: TrainingState, path: String
  ) throws(RigLError) {
    guard method.counts != .constant, let counts = state.initialConnections else { return }
    guard counts.count == plan.layers.count,
      zip(counts, plan.layers).allSatisfy({ $0 <= $1.positions })
    else {
      throw RigLError(
        .data, "\(path): the training state in its metadata has other layers' connections")
    }
    for (count, layer) in zip(counts, plan.layers) { layer.initialCount = count }
  }

  /// Takes a checkpoint's; the layers' topology has been read before.
  func restore(_ file: SafetensorsFile, _ state: TrainingState) throws(RigLError) {
    try memories?.requireAll(of: file)
    try restoreInitialConnections(state, path: file.path)
    try memories?.read(from: file)
    followCapacity()
    try explored.read(from: file, hasMoved: (state.lastUpdate ?? -1) >= 0)
    last = state.lastUpdate ?? schedule.initialLast
  }
}
