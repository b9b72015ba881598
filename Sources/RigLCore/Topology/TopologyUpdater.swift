/// Brings when, how many and which together: asks the schedule, lets the method move each sparse
/// layer's connections, and lets the optimizer's state follow.
final class TopologyUpdater: ConnectionMover {
  let method: any TopologyMethod
  let schedule: UpdateSchedule
  /// The step (t) of the last update; -ΔT before the first.
  var last: Int
  /// New connections of all layers in the last update.
  private(set) var newConnections = 0

  private let layers: [SparseWeights]
  private let optimizer: OptimizerState
  private let scratch: TopologyScratch
  /// Nil if no layer is sparse: then an update moves nothing, but consumes its batch all the same.
  private let update: LayerUpdate?
  private let newWeight: NewConnectionWeight
  private let pool: ThreadPool
  /// Whether a weight step follows on the same batch, which then needs the weights' gradients.
  private let updatesGradients: Bool
  private let seed: UInt64
  // Of the update in progress.
  private var step = 0
  private var batchesConsumed: UInt64 = 0
  private var fraction = 0.0

  /// An updater for a model; nil for a method that has no updates.
  init?(
    method: any TopologyMethod, schedule: UpdateSchedule, newWeight: NewConnectionWeight,
    updatesGradients: Bool, model: Model, optimizer: OptimizerState, pool: ThreadPool, seed: UInt64
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
    last = schedule.initialLast
    scratch = TopologyScratch(layers: layers)
    let mostMoved =
      layers.map { UpdateSchedule.moved(of: $0.count, fraction: schedule.initialFraction) }.max()
      ?? 0
    var gradient: DenseGradient?
    if method.timing == .insteadOfWeightStep, !layers.isEmpty {
      gradient = DenseGradient(pool: pool, layers: layers, model: model, selected: mostMoved)
    }
    if let first = layers.first {
      update = LayerUpdate(
        first: first, seed: seed, scratch: scratch, gradient: gradient, atMost: mostMoved)
    } else {
      update = nil
    }
  }

  /// Whether an update happens at step t.
  func isDue(at step: Int) -> Bool { schedule.isDue(step: step, last: last) }

  /// Starts an update at step t; returns the fraction of connections it moves.
  func begin(step: Int, batchesConsumed: UInt64, learningRate: Double, peak: Double) -> Double {
    self.step = step
    self.batchesConsumed = batchesConsumed
    fraction = schedule.fraction(at: step, learningRate: learningRate, peak: peak)
    last = step
    newConnections = 0
    return fraction
  }

  /// Moves all layers, for a method that does not look at gradients.
  func moveAll() throws(RigLError) {
    for index in 0..<layers.count { try move(index, operands: nil) }
  }

  /// Moves one layer while its operands are at hand.
  func move(_ weights: SparseWeights, _ operands: GradientOperands) throws(RigLError) {
    for index in 0..<layers.count where layers[index] === weights {
      try move(index, operands: operands)
    }
  }

  private func move(
    _ index: Int, operands: GradientOperands?
  ) throws(RigLError) {
    let weights = layers[index]
    let count = UpdateSchedule.moved(of: weights.count, fraction: fraction)
    guard count > 0, let update else { return }
    pool.clock?.enter(weights, .rewiring)
    update.begin(
      weights, layerIndex: index, step: step, batchesConsumed: batchesConsumed, gradient: operands)
    try method.move(count, in: update)
    let change = update.commit()
    newConnections += change.newConnections
    let gradient = operands.map { PositionGradient($0) }
    newWeight.apply(
      to: weights, change: change,
      random: CounterRandom(
        seed: seed, purpose: .weights, layer: index, stream: batchesConsumed), gradient: gradient)
    optimizer.follow(change, of: weights.parameter, scratch: scratch)
    if updatesGradients, let gradient { moveGradient(of: weights, change, gradient) }
  }

  /// Surviving connections keep their gradient; new ones take the dense gradient's value.
  private func moveGradient(
    of weights: SparseWeights, _ change: TopologyChange, _ gradient: PositionGradient
  ) {
    weights.parameter.gradient.remap(origins: change.origins, scratch: &scratch.oldColumns)
    weights.forEachNewConnection(in: change) { storage, row, column in
      unsafe weights.parameter.gradient.base[storage] = gradient.value(row: row, column: column)
    }
  }
}
