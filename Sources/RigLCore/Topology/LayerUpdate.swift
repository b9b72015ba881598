/// A layer's topology update in progress, on which a ``TopologyMethod`` works.
///
/// First connections are dropped, then others are grown among all positions not kept, until the layer
/// has ``target``; the layer itself changes when the method returns.
@safe
public final class LayerUpdate {
  /// The layer whose connections move.
  public private(set) var weights: SparseWeights
  /// Weight steps taken (t): the update is made before step t.
  public private(set) var step = 0
  /// The fraction of connections that the schedule moves at this step (f(t)).
  public private(set) var dropFraction = 0.0
  /// Connections that the layer is to have after the update; as many as before, unless the method's
  /// ``TopologyMethod/plan(_:)`` says otherwise.
  public private(set) var target = 0
  /// The key of this update's random numbers: batches consumed so far.
  private(set) var batchesConsumed: UInt64 = 0
  private(set) var layerIndex = 0
  let seed: UInt64
  let scratch: TopologyScratch
  /// Nil for methods that do not look at gradients.
  let gradient: DenseGradient?
  /// The dense gradient that is at hand.
  private(set) var lookedAt = UpdateGradient.none
  /// Whether a dense gradient is at hand, and those of the connections are.
  var hasGradient: Bool { lookedAt.isThere && gradient != nil }
  /// The factor that makes the weights' gradients means; nil: they are not at hand.
  private var gradientMean: Float?
  /// The optimizer's state beside the weights.
  private(set) var slots: [Slot] = []
  /// What the method keeps of gradients; nil: nothing.
  private(set) var memory: GradientMemories.Layer?
  /// Connections that are not dropped.
  fileprivate(set) var kept = 0
  /// Of the dropped connections those that are grown again for want of better candidates.
  var regrown = 0
  var grown = unsafe UnsafeBufferPointer<Int64>(start: nil, count: 0)
  /// Where positions drawn at random go, unless the gradient's selection has room for them.
  var ownPositions: AlignedBuffer<Int64>

  init(
    first: SparseWeights, seed: UInt64, scratch: TopologyScratch, gradient: DenseGradient?,
    atMost moved: Int
  ) {
    weights = first
    self.seed = seed
    self.scratch = scratch
    self.gradient = gradient
    ownPositions = AlignedBuffer(count: gradient == nil ? moved : 0)
  }

  /// Connections of the layer before the update (n_l).
  public var count: Int { weights.count }
  /// Connections that are still to be grown for ``target``.
  public var missing: Int { unsafe target - kept - regrown - grown.count }
  /// Connections dropped so far, those included that are grown again.
  var dropped: Int { weights.count - kept }

  func begin(
    _ planned: TopologyPlan.Layer, of plan: TopologyPlan, layerIndex: Int, batchesConsumed: UInt64,
    lookingAt lookedAt: UpdateGradient, gradientMean: Float?
  ) {
    weights = planned.weights
    target = planned.target
    (slots, memory) = (planned.slots, planned.memory)
    self.layerIndex = layerIndex
    (step, dropFraction) = (plan.step, plan.dropFraction)
    self.batchesConsumed = batchesConsumed
    self.lookedAt = lookedAt
    self.gradientMean = gradientMean
    switch lookedAt {
    case .none: break
    case .batch(let source): gradient?.begin(source, memory)
    case .mean(let sums, let layer, let slice):
      gradient?.begin(weights, (sums, layer, slice), memory)
    }
    kept = weights.count
    regrown = 0
    unsafe grown = UnsafeBufferPointer(start: nil, count: 0)
    scratch.makeRoom(for: weights, next: target)
    let fates = unsafe scratch.fates.base
    for index in 0..<kept { unsafe fates[index] = .kept }
    unsafe weights.writePlaces(into: scratch.storageIndices)
  }

  /// Bytes of the positions that are chosen.
  var bytes: Int { 8 * ownPositions.capacity + (gradient?.selectionBytes ?? 0) }

  /// Gives memory back of which updates that move up to `count` connections need much less.
  func shrink(to count: Int) {
    unsafe grown = UnsafeBufferPointer(start: nil, count: 0)
    gradient?.shrink(to: count)
    ownPositions.shrink(to: count)
  }

  func notANumber(_ what: String) -> RigLError {
    LayerUpdate.notANumber(what, layer: weights.name, step: step)
  }

  static func notANumber(_ what: String, layer: String, step: Int) -> RigLError {
    RigLError(
      .numerical, "layer \(layer), step \(step): \(what) is not a number",
      hint: "lower the learning rate, or clip the gradient (clip_norm)")
  }
}

// MARK: - Dropping

extension LayerUpdate {
  /// Drops `count` connections of smallest |w|; of equal ones, those at lower positions stay.
  public func dropSmallestMagnitudes(_ count: Int) throws(RigLError) {
    try leaveOut(count, as: .dropped)
  }

  /// Drops `count` connections whose score is of smallest magnitude; of equal ones, those at lower
  /// positions stay.
  ///
  ///     struct DropBySaliency: TopologyMethod {
  ///       let timing = TopologyTiming.insteadOfWeightStep
  ///       func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
  ///         try layer.dropSmallest(count) { $0.weight * $0.gradient }
  ///         try layer.growLargestGradients(layer.missing)
  ///       }
  ///     }
  ///
  /// - Parameters:
  ///   - count: how many connections are dropped.
  ///   - score: a connection's score, from its weight, gradient, moments and place; a pure function of
  ///     these.
  /// - Throws: `RigLError(.numerical)` if a score is not a number.
  public func dropSmallest(
    _ count: Int, by score: (Connection) -> Float
  ) throws(RigLError) {
    try leaveOut(count, as: .dropped, by: score)
  }

  /// As ``dropSmallestMagnitudes(_:)``; but connections that are pruned start anew, from 0, if they are
  /// grown again in the same update.
  public func pruneSmallestMagnitudes(_ count: Int) throws(RigLError) {
    try leaveOut(count, as: .pruned)
  }

  /// Drops `count` connections drawn uniformly at random.
  public func dropAtRandom(_ count: Int) throws(RigLError) {
    requireDroppable(count)
    let random = CounterRandom(
      seed: seed, purpose: .dropping, layer: layerIndex, stream: batchesConsumed)
    let memory = unsafe positionsMemory(count)
    var chosen = unsafe MutableSpan(_unsafeElements: memory)
    random.sampleWithoutReplacement(of: Int64(kept), into: &chosen)
    // Ranks among the kept connections, ascending.
    let fates = unsafe scratch.fates.base
    var (rank, next) = (0, 0)
    for index in 0..<weights.count where unsafe next < count && fates[index] == .kept {
      if unsafe Int64(rank) == memory[next] {
        unsafe fates[index] = .dropped
        next += 1
      }
      rank += 1
    }
    kept -= count
  }

  private func requireDroppable(_ count: Int) {
    unsafe trap(
      unless: grown.count == 0 && regrown == 0,
      "layer \(weights.name): connections are dropped before others are grown, not after")
    trap(
      unless: count >= 0 && count <= kept,
      "layer \(weights.name): drop \(count) of \(kept) connections")
  }

  private func leaveOut(
    _ count: Int, as fate: ConnectionFate, by score: (Connection) -> Float
  ) throws(RigLError) {
    let places = unsafe scratch.storageIndices
    let (weights, slots, memory) = (self.weights, self.slots, self.memory)
    let gradientMean = self.gradientMean
    try leaveOut(count, as: fate, "a score") { index in
      score(
        Connection(
          weights: weights, slots: slots, memory: memory, index: index,
          place: unsafe Int(places[index]), gradientMean: gradientMean))
    }
  }

  private func leaveOut(_ count: Int, as fate: ConnectionFate) throws(RigLError) {
    let places = unsafe scratch.storageIndices
    let values = unsafe weights.parameter.values.base
    // All stored values, in whatever order, unless they are others', too.
    guard weights.storage == .sparse, kept == weights.count else {
      return try leaveOut(count, as: fate, "a weight") { unsafe values[Int(places[$0])] }
    }
    requireDroppable(count)
    let cut = MagnitudeCut(
      keeping: kept - count, of: weights.parameter.values, histogram: scratch.histogram)
    guard let cut else { throw notANumber("a weight") }
    keep(cut, otherwise: fate, dropping: count) { unsafe values[Int(places[$0])] }
  }

  /// Leaves out `count` of the kept connections, by the scores of connections in the order of positions.
  private func leaveOut(
    _ count: Int, as fate: ConnectionFate, _ what: String, _ score: (Int) -> Float
  ) throws(RigLError) {
    requireDroppable(count)
    let (fates, total) = unsafe (scratch.fates.base, kept)
    // The old topology's memory is free until the next one is written.
    let cut = unsafe scratch.oldColumns.base.withMemoryRebound(to: Float.self, capacity: total) {
      scores in
      var number = 0
      for index in 0..<weights.count where unsafe fates[index] == .kept {
        unsafe scores[number] = score(index)
        number += 1
      }
      return unsafe MagnitudeCut(
        keeping: total - count, of: UnsafeBufferPointer(start: scores, count: total),
        histogram: scratch.histogram)
    }
    guard let cut else { throw notANumber(what) }
    unsafe scratch.oldColumns.base.withMemoryRebound(to: Float.self, capacity: total) { scores in
      var number = 0
      keep(cut, otherwise: fate, dropping: count) { _ in
        defer { number += 1 }
        return unsafe scores[number]
      }
    }
  }

  /// Keeps of the kept connections what a cut includes.
  private func keep(
    _ cut: MagnitudeCut, otherwise fate: ConnectionFate, dropping count: Int,
    _ score: (Int) -> Float
  ) {
    var ties = cut.ties
    let fates = unsafe scratch.fates.base
    for index in 0..<weights.count where unsafe fates[index] == .kept {
      if !cut.includes(score(index).magnitude, ties: &ties) { unsafe fates[index] = fate }
    }
    kept -= count
  }
}
