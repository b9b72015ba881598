/// One layer's topology update in progress: what a ``TopologyMethod`` works on.
///
/// First connections are dropped, then as many are grown among all positions not kept; the layer
/// itself changes when the method returns.
@safe
public final class LayerUpdate {
  /// The layer whose connections move.
  public private(set) var weights: SparseWeights
  /// Weight steps taken (t): the update is made before step t.
  public private(set) var step = 0
  /// The key of this update's random numbers: batches consumed so far.
  private var batchesConsumed: UInt64 = 0
  private var layerIndex = 0
  private let seed: UInt64
  private let scratch: TopologyScratch
  /// Nil for methods that do not look at gradients.
  private let gradient: DenseGradient?
  private var hasGradient = false
  private var kept = 0
  /// Of the dropped connections those that are grown again for want of better candidates.
  private var regrown = 0
  private var grown = unsafe UnsafeBufferPointer<Int64>(start: nil, count: 0)
  /// Where positions drawn at random go, unless the gradient's selection has room for them.
  private var ownPositions: AlignedBuffer<Int64>
  private let mostMoved: Int

  init(
    first: SparseWeights, seed: UInt64, scratch: TopologyScratch, gradient: DenseGradient?,
    atMost moved: Int
  ) {
    weights = first
    self.seed = seed
    self.scratch = scratch
    self.gradient = gradient
    ownPositions = AlignedBuffer(count: gradient == nil ? moved : 0)
    mostMoved = moved
  }

  /// Connections of the layer (n_l).
  public var count: Int { weights.count }
  /// Connections dropped so far, those included that are grown again.
  var dropped: Int { weights.count - kept }

  func begin(
    _ weights: SparseWeights, layerIndex: Int, step: Int, batchesConsumed: UInt64,
    gradient source: (any GradientSource)?
  ) {
    self.weights = weights
    self.layerIndex = layerIndex
    self.step = step
    self.batchesConsumed = batchesConsumed
    hasGradient = source != nil && gradient != nil
    if let source {
      gradient?.begin(source)
    }
    kept = weights.count
    regrown = 0
    unsafe grown = UnsafeBufferPointer(start: nil, count: 0)
    let fates = unsafe scratch.fates.base
    for index in 0..<kept { unsafe fates[index] = .kept }
    scratch.invert(weights.csrIndices)
  }

  /// Keeps the connections of largest |w| but for `count`; ties keep the lower position.
  public func dropSmallestMagnitudes(_ count: Int) throws(RigLError) {
    trap(unless: count >= 0 && count <= weights.count, "drop \(count) of \(weights.count)")
    let cut = MagnitudeCut(
      keeping: weights.count - count, of: weights.parameter.values, histogram: scratch.histogram)
    guard let cut else { throw notANumber("a weight") }
    var ties = cut.ties
    let (values, fates) = unsafe (weights.parameter.values.base, scratch.fates.base)
    let storageIndices = unsafe scratch.storageIndices
    for index in 0..<weights.count {
      let magnitude = unsafe values[Int(storageIndices[index])].magnitude
      let keep = cut.includes(magnitude, ties: &ties)
      unsafe fates[index] = keep ? .kept : .dropped
    }
    kept = weights.count - count
    regrown = 0
  }

  /// Grows the `count` positions of largest |dL/dW| on this batch; ties take the lower position.
  ///
  /// A score of 0 says nothing: of these candidates the connections that were just dropped come
  /// first, by their weights' magnitude.
  public func growLargestGradients(_ count: Int) throws(RigLError) {
    try growByGradient(.largest, count)
  }

  /// Grows the `count` positions of smallest |dL/dW| on this batch, an ablation; ties take the
  /// lower position, scores of 0 as in ``growLargestGradients(_:)``.
  public func growSmallestGradients(_ count: Int) throws(RigLError) {
    try growByGradient(.smallest, count)
  }

  private func growByGradient(_ order: TopSelection.Order, _ count: Int) throws(RigLError) {
    guard hasGradient, let gradient else {
      trap("growing by gradient needs a method whose timing is insteadOfWeightStep")
    }
    forgetRegrown()
    let selected = unsafe gradient.select(
      order, count: count, csr: weights.csr, fates: scratch.fates)
    guard let selected = unsafe selected else { throw notANumber("a gradient") }
    unsafe grown = selected.positions
    unsafe try regrow(selected.regrown, of: selected.droppedAtZero)
  }

  /// Grows `count` of the `candidates` dropped connections of score 0 again: those of largest |w|;
  /// ties take the lower position.
  private func regrow(_ count: Int, of candidates: Int) throws(RigLError) {
    guard candidates > 0 else { return }
    let (fates, values) = unsafe (scratch.fates.base, weights.parameter.values.base)
    let storageIndices = unsafe scratch.storageIndices
    func magnitude(_ index: Int) -> Float { unsafe values[Int(storageIndices[index])].magnitude }
    var cut: MagnitudeCut? = MagnitudeCut(magnitude: -1, ties: 0)  // Everything is above it.
    if count < candidates {
      // The old topology's memory is free until the next one is written.
      cut = unsafe scratch.oldColumns.base.withMemoryRebound(to: Float.self, capacity: candidates) {
        magnitudes in
        var found = 0
        for index in 0..<weights.count where unsafe fates[index] == .droppedAtZero {
          unsafe magnitudes[found] = magnitude(index)
          found += 1
        }
        return unsafe MagnitudeCut(
          keeping: count, of: UnsafeBufferPointer(start: magnitudes, count: found),
          histogram: scratch.histogram)
      }
    }
    guard let cut else { throw notANumber("a weight") }
    var ties = cut.ties
    for index in 0..<weights.count where unsafe fates[index] == .droppedAtZero {
      unsafe fates[index] = cut.includes(magnitude(index), ties: &ties) ? .regrown : .dropped
    }
    regrown = count
  }

  /// Takes back what an earlier growth of the same update grew again.
  private func forgetRegrown() {
    guard regrown > 0 else { return }
    let fates = unsafe scratch.fates.base
    for index in 0..<weights.count where unsafe fates[index] == .regrown {
      unsafe fates[index] = .dropped
    }
    regrown = 0
  }

  private func notANumber(_ what: String) -> RigLError {
    RigLError(
      .numerical, "layer \(weights.name), step \(step): \(what) is not a number",
      hint: "lower the learning rate, or clip the gradient (clip_norm)")
  }
}

// MARK: - Random growth

extension LayerUpdate {
  /// Grows `count` positions drawn uniformly at random, without replacement.
  public func growAtRandom(_ count: Int) throws(RigLError) {
    forgetRegrown()
    let candidates = weights.positions - kept
    trap(unless: count <= candidates, "grow \(count) of \(candidates) candidates")
    trap(
      unless: count <= mostMoved,
      "grow \(count) connections at random: the schedule moves at most \(mostMoved)")
    let random = CounterRandom(
      seed: seed, purpose: .growth, layer: layerIndex, stream: batchesConsumed)
    // Ranks among the candidates, ascending; then each rank's position, by walking the kept
    // connections beside them.
    let memory = unsafe gradient?.positions.baseAddress ?? ownPositions.base
    let ranks = unsafe UnsafeMutableBufferPointer(start: memory, count: count)
    var chosen = unsafe MutableSpan(_unsafeElements: ranks)
    random.sampleWithoutReplacement(of: Int64(candidates), into: &chosen)
    var keptIndex = nextKept(after: -1)
    var keptBefore = 0
    var row = 0
    for index in 0..<count {
      var position = unsafe Int(ranks[index]) + keptBefore
      while keptIndex < weights.count {
        while weights.csr.row(row).upperBound <= keptIndex { row += 1 }
        let keptPosition = unsafe row * weights.inputs + Int(weights.csr.columns.base[keptIndex])
        guard keptPosition <= position else { break }
        position += 1
        keptBefore += 1
        keptIndex = nextKept(after: keptIndex)
      }
      unsafe ranks[index] = Int64(position)
    }
    unsafe grown = UnsafeBufferPointer(ranks)
  }

  private func nextKept(after index: Int) -> Int {
    let (count, fates) = unsafe (weights.count, scratch.fates.base)
    var next = index + 1
    while next < count, unsafe fates[next] != .kept { next += 1 }
    return next
  }
}

// MARK: - The change itself

extension LayerUpdate {
  /// Calls `body` with each position that loses or gains its connection in the update, ascending,
  /// before ``commit()``; one that is dropped and grown again does neither.
  func forEachMove(_ body: (_ position: Int64, _ isNew: Bool) -> Void) {
    let grown = unsafe self.grown
    var (grownIndex, row) = (0, 0)
    let (columns, rowOffsets) = unsafe weights.topologyBases
    let (inputs, fates) = unsafe (Int64(weights.inputs), scratch.fates.base)
    for index in 0..<weights.count where unsafe !fates[index].stays {
      while unsafe rowOffsets[row + 1] <= Int64(index) { row += 1 }
      let position = unsafe Int64(row) * inputs + Int64(columns[index])
      while unsafe grownIndex < grown.count && grown[grownIndex] < position {
        unsafe body(grown[grownIndex], true)
        grownIndex += 1
      }
      if unsafe grownIndex < grown.count && grown[grownIndex] == position {
        grownIndex += 1
      } else {
        body(position, false)
      }
    }
    while grownIndex < grown.count {
      unsafe body(grown[grownIndex], true)
      grownIndex += 1
    }
  }

  /// Replaces the layer's topology by the kept and the grown connections, moves the weights, and
  /// rebuilds the kernels' lists.
  ///
  /// - Returns: where each connection came from, for the optimizer's state to follow.
  func commit() -> TopologyChange {
    unsafe trap(
      unless: kept + regrown + grown.count == weights.count,
      unsafe "layer \(weights.name): \(kept) kept, \(regrown + grown.count) grown of \(weights.count)"
    )
    let change = scratch.change
    change.count = weights.count
    change.newConnections = mergeKeptAndGrown()
    weights.topologyDidChange(scratch: scratch)
    // From the order of positions to the order of the arrays.
    let csrIndices = unsafe weights.csrIndices.base
    let (ordered, origins) = unsafe (scratch.origins.base, change.origins.base)
    for storage in 0..<weights.count {
      unsafe origins[storage] = ordered[Int(csrIndices[storage])]
    }
    weights.parameter.values.remap(origins: change.origins, scratch: &scratch.oldColumns)
    return change
  }

  /// Writes the next topology over the old one and each connection's old storage index, or -1,
  /// into `scratch.origins`. Returns the number of new connections.
  private func mergeKeptAndGrown() -> Int {
    weights.saveTopology(in: scratch)
    let (old, oldRows) = unsafe (scratch.oldColumns.base, scratch.oldRowOffsets.base)
    let (columns, rowOffsets) = unsafe weights.topologyBases
    let (origins, fates) = unsafe (scratch.origins.base, scratch.fates.base)
    let storageIndices = unsafe scratch.storageIndices
    let grown = unsafe grown
    var (next, grownIndex, new) = (0, 0, 0)
    for row in 0..<weights.outputs {
      unsafe rowOffsets[row] = Int64(next)
      var index = unsafe Int(oldRows[row])
      let end = unsafe Int(oldRows[row + 1])
      let rowStart = Int64(row) * Int64(weights.inputs)
      let rowEnd = rowStart + Int64(weights.inputs)
      while true {
        let hasGrown = unsafe grownIndex < grown.count && grown[grownIndex] < rowEnd
        guard index < end || hasGrown else { break }
        let oldColumn = unsafe index < end ? old[index] : Int32.max
        let grownColumn = unsafe hasGrown ? Int32(grown[grownIndex] - rowStart) : Int32.max
        if grownColumn <= oldColumn { grownIndex += 1 }
        if grownColumn < oldColumn {
          unsafe columns[next] = grownColumn
          unsafe origins[next] = -1
          (next, new) = (next + 1, new + 1)
          continue
        }
        // Kept, or dropped and grown again.
        if unsafe grownColumn == oldColumn || fates[index].stays {
          unsafe columns[next] = oldColumn
          unsafe origins[next] = storageIndices[index]
          next += 1
        }
        index += 1
      }
    }
    unsafe rowOffsets[weights.outputs] = Int64(next)
    trap(unless: next == weights.count, "layer \(weights.name): \(next) of \(weights.count)")
    return new
  }
}
