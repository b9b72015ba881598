// What is grown in an update: by gradient, by a score of one's own, or at random.

/// Scores of candidates for growth, from their gradients.
public protocol GrowthScore: Sendable {
  /// Turns the gradients dL/dW of some positions of a row into scores, in place: candidates whose score
  /// is of largest magnitude are grown.
  ///
  /// Called on several threads, for pieces of rows of any length down to a single position, for positions
  /// that have a connection, too, and more than once for some where growth looks at several batches: so a
  /// position's score must depend on nothing but what is known of that position.
  ///
  /// - Parameters:
  ///   - gradients: of the row's positions `inputs`.
  ///   - memory: what the method keeps of gradients there (``TopologyMethod/memory``); empty if nothing.
  ///   - output: the row.
  ///   - inputs: the columns.
  ///   - layer: whose they are.
  func score(
    _ gradients: inout MutableSpan<Float>, memory: Span<Float>, output: Int, inputs: Range<Int>,
    of layer: SparseWeights)
}

/// Scores by what the method keeps of gradients.
private struct MemoryScore: GrowthScore {
  func score(
    _ gradients: inout MutableSpan<Float>, memory: Span<Float>, output: Int, inputs: Range<Int>,
    of layer: SparseWeights
  ) {
    for index in memory.indices { gradients[index] = memory[index] }
  }
}

extension LayerUpdate {
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

  /// Grows the `count` positions whose score is of largest magnitude; ties take the lower position,
  /// scores of 0 as in ``growLargestGradients(_:)``.
  ///
  /// In an update after a weight step there are no gradients: those that the score is given are 0, and
  /// it goes by what the method keeps of earlier ones (``TopologyMethod/memory``).
  ///
  /// - Throws: `RigLError(.numerical)` if a score is not a number.
  public func growLargest(_ count: Int, by score: any GrowthScore) throws(RigLError) {
    try growByGradient(.largest, count, score)
  }

  /// Grows the `count` positions at which what the method keeps of gradients (``TopologyMethod/memory``)
  /// is of largest magnitude; ties take the lower position, scores of 0 as in
  /// ``growLargestGradients(_:)``.
  ///
  /// - Throws: `RigLError(.numerical)` if a number is not one.
  public func growLargestMemories(_ count: Int) throws(RigLError) {
    trap(
      unless: memory != nil, "layer \(weights.name): growLargestMemories of a method without memory"
    )
    try growByGradient(.largest, count, MemoryScore())
  }

  /// Adds a layer's dense gradient on a batch to the sums of several.
  func add(_ source: any GradientSource, to sums: GrowthSums, _ slice: GrowthSums.Slice) {
    gradient?.begin(source, nil)
    gradient?.add(to: sums, slice)
  }

  /// Takes a layer's dense gradient into what the method keeps.
  func remember(
    _ source: any GradientSource, _ memories: GradientMemories, _ part: GradientMemories.Part
  ) {
    gradient?.begin(source, memories[source.connections])
    gradient?.remember(by: memories.rule, part)
  }

  private func growByGradient(
    _ order: TopSelection.Order, _ count: Int, _ score: (any GrowthScore)? = nil
  ) throws(RigLError) {
    guard let gradient, hasGradient || score != nil && memory != nil else {
      trap(
        "layer \(weights.name): growing by gradient needs a method whose timing is "
          + "insteadOfWeightStep; by a score alone, one that has a memory")
    }
    if !hasGradient { gradient.begin(without: weights, memory) }
    requireGrowable(count)
    forgetRegrown()
    let selected = unsafe gradient.select(
      order, count: count, csr: weights.csr, fates: scratch.fates, score: score)
    guard let selected = unsafe selected else {
      throw notANumber(score == nil ? "a gradient" : "a score")
    }
    unsafe grown = selected.positions
    unsafe try regrow(selected.regrown, of: selected.droppedAtZero)
  }

  /// Grows `count` of the `candidates` dropped connections of score 0 again: those of largest |w|;
  /// ties take the lower position.
  func regrow(_ count: Int, of candidates: Int) throws(RigLError) {
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
  func forgetRegrown() {
    guard regrown > 0 else { return }
    let fates = unsafe scratch.fates.base
    for index in 0..<weights.count where unsafe fates[index] == .regrown {
      unsafe fates[index] = .dropped
    }
    regrown = 0
  }
}

// MARK: - Random growth

extension LayerUpdate {
  /// Grows `count` positions drawn uniformly at random, without replacement.
  public func growAtRandom(_ count: Int) throws(RigLError) {
    requireGrowable(count)
    forgetRegrown()
    let candidates = weights.positions - kept
    let random = CounterRandom(
      seed: seed, purpose: .growth, layer: layerIndex, stream: batchesConsumed)
    // Ranks among the candidates, ascending; then each rank's position, by walking the kept
    // connections beside them.
    let ranks = unsafe positionsMemory(count)
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

  /// Memory for `count` positions.
  @unsafe
  func positionsMemory(_ count: Int) -> UnsafeMutableBufferPointer<Int64> {
    if let gradient { return unsafe gradient.positions(count) }
    if ownPositions.count < count { ownPositions.makeRoom(count) }
    return unsafe UnsafeMutableBufferPointer(start: ownPositions.base, count: count)
  }

  func requireGrowable(_ count: Int) {
    let candidates = weights.positions - kept
    trap(
      unless: count >= 0 && count <= candidates,
      "layer \(weights.name): grow \(count) of \(candidates) candidates")
  }

  private func nextKept(after index: Int) -> Int {
    let (count, fates) = unsafe (weights.count, scratch.fates.base)
    var next = index + 1
    while next < count, unsafe fates[next] != .kept { next += 1 }
    return next
  }
}
