/// What a topology update did.
public struct TopologyUpdate: Hashable, Sendable {
  /// The weight step (t) before or after which it happened.
  public let step: Int
  /// Batches drawn by then, that of the update included.
  public let batchesConsumed: UInt64
  /// The fraction of each sparse layer's connections that were dropped, and grown elsewhere or again
  /// (f(t)).
  public let dropFraction: Double
  /// Connections of all layers that are at another position than before: those dropped, less those
  /// that were grown again where they had just been.
  public let moved: Int
  /// Connections among the moved ones that are at positions never active before; nil if it is not
  /// known which were.
  public let neverActiveBefore: Int?
  /// The share of all positions that were ever active, those of this update and of dense layers
  /// included; nil if it is not known.
  public let exploredShare: Double?
}

/// Brings when, how many and which together: asks the schedule, lets the method move each sparse
/// layer's connections, and lets the optimizer's state follow.
final class TopologyUpdater {
  let method: any TopologyMethod
  let schedule: UpdateSchedule
  /// The step (t) of the last update; -ΔT before the first.
  var last: Int
  /// Which positions were ever active.
  let explored: ExploredPositions

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
  private var moved = 0
  private var neverActiveBefore: Int?

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
    explored = ExploredPositions(model: model)
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

  /// Starts an update at step t.
  func begin(step: Int, batchesConsumed: UInt64, learningRate: Double, peak: Double) {
    self.step = step
    self.batchesConsumed = batchesConsumed
    fraction = schedule.fraction(at: step, learningRate: learningRate, peak: peak)
    last = step
    moved = 0
    neverActiveBefore = explored.isKnown ? 0 : nil
  }

  /// What the last update did.
  var report: TopologyUpdate {
    TopologyUpdate(
      step: step, batchesConsumed: batchesConsumed, dropFraction: fraction, moved: moved,
      neverActiveBefore: neverActiveBefore, exploredShare: explored.share)
  }

  /// Moves all layers, for a method that does not look at gradients.
  func moveAll() throws(RigLError) {
    for index in 0..<layers.count { try move(index, source: nil) }
  }

  /// Moves one layer while its dense gradient is at hand.
  func move(_ source: any GradientSource) throws(RigLError) {
    for index in 0..<layers.count where layers[index] === source.connections {
      try move(index, source: source)
    }
  }

  private func move(
    _ index: Int, source: (any GradientSource)?
  ) throws(RigLError) {
    let weights = layers[index]
    let count = UpdateSchedule.moved(of: weights.count, fraction: fraction)
    guard count > 0, let update else { return }
    pool.clock?.enter(weights, .rewiring)
    update.begin(
      weights, layerIndex: index, step: step, batchesConsumed: batchesConsumed, gradient: source)
    try method.move(count, in: update)
    let firsts = explored.follow(update, layer: index)
    neverActiveBefore = firsts.flatMap { firsts in neverActiveBefore.map { $0 + firsts } }
    let change = update.commit()
    moved += change.newConnections
    newWeight.apply(
      to: weights, change: change,
      random: CounterRandom(
        seed: seed, purpose: .weights, layer: index, stream: batchesConsumed), gradient: source)
    optimizer.follow(change, of: weights.parameter, scratch: scratch)
    if updatesGradients, let source { moveGradient(of: weights, change, source) }
  }

  /// Surviving connections keep their gradient; new ones take the dense gradient's value.
  private func moveGradient(
    of weights: SparseWeights, _ change: TopologyChange, _ source: any GradientSource
  ) {
    weights.parameter.gradient.remap(origins: change.origins, scratch: &scratch.oldColumns)
    weights.forEachNewConnection(in: change) { storage, row, column in
      unsafe weights.parameter.gradient.base[storage] = source.gradient(output: row, input: column)
    }
  }
}
