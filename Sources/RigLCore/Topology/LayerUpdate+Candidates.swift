// Growth by the gradient at candidates alone.

extension LayerUpdate {
  /// Grows the `count` of candidates of largest |dL/dW| on this batch; ties take the lower position,
  /// scores of 0 as in ``growLargestGradients(_:)``. Where there are fewer candidates, the rest is grown
  /// at random among all positions not kept.
  ///
  /// - Parameters:
  ///   - count: connections to grow.
  ///   - draws: pairs of an input and an output that are drawn, independently, by ``GradientSource/activity(_:)``;
  ///     those that repeat or have a kept connection are left out.
  /// - Throws: `RigLError(.numerical)` if a gradient is not a number.
  package func growLargestOfCandidates(_ count: Int, draws: Int) throws(RigLError) {
    guard let source = lookedAt.source, let gradient else {
      trap(
        "layer \(weights.name): growing among candidates needs a method whose timing is "
          + "insteadOfWeightStep, and looks at a single batch (growthBatches 1)")
    }
    requireGrowable(count)
    forgetRegrown()
    let pool = gradient.pool
    let (inputs, outputs) = pool.timed(StepStage.growth) { source.activity(pool) }
    let activity = GradientActivity(inputs: inputs, outputs: outputs)
    guard activity.isFinite else { throw notANumber("a gradient") }
    let positions = pool.timed(StepStage.growth) { candidates(draws, activity) }
    let scores = pool.timed(StepStage.growth) { source.gradients(at: positions, pool) }
    try choose(count, positions, scores)
  }

  private func candidates(_ draws: Int, _ activity: GradientActivity) -> [Int64] {
    let random = CounterRandom(
      seed: seed, purpose: .candidates, layer: layerIndex, stream: batchesConsumed)
    let fates = unsafe scratch.fates.base
    let columns = unsafe weights.csr.columns.base
    return CandidateDraws(
      draws, by: activity, inputs: weights.inputs, random
    ) { row, body in
      for index in weights.csr.row(row) where unsafe fates[index] == .kept {
        unsafe body(Int(columns[index]))
      }
    }.positions
  }

  /// Grows the candidates of largest score, and what is missing at random.
  private func choose(
    _ count: Int, _ positions: [Int64], _ scores: [Float]
  ) throws(RigLError) {
    let memory = unsafe positionsMemory(count)
    let cut = unsafe scores.withUnsafeBufferPointer {
      unsafe MagnitudeCut(
        keeping: min(count, scores.count), of: $0, histogram: scratch.histogram)
    }
    guard let cut else { throw notANumber("a gradient") }
    // Of score 0 what was just dropped comes first, by its weight.
    var zeros = 0
    if cut.magnitude == 0, cut.ties > 0 {
      zeros = markDroppedZeros(positions, scores)
      regrown = min(zeros, cut.ties)
    }
    var (found, ties) = (0, cut.ties - regrown)
    for index in 0..<positions.count where found < count - regrown {
      if zeros > 0, scores[index] == 0, isDroppedAtZero(positions[index]) { continue }
      guard cut.includes(scores[index].magnitude, ties: &ties) else { continue }
      unsafe memory[found] = positions[index]
      found += 1
    }
    try regrow(regrown, of: zeros)
    let missing = count - regrown - found
    unsafe grown = UnsafeBufferPointer(start: memory.baseAddress, count: found)
    if missing > 0 { unsafe fill(memory, found, missing) }
    unsafe grown = UnsafeBufferPointer(start: memory.baseAddress, count: found + missing)
  }

  /// Marks the dropped connections among candidates of score 0, and counts them.
  private func markDroppedZeros(_ positions: [Int64], _ scores: [Float]) -> Int {
    var zeros = 0
    for index in 0..<positions.count where scores[index] == 0 {
      guard let place = connection(at: positions[index]) else { continue }
      let fates = unsafe scratch.fates.base
      guard unsafe fates[place] == .dropped else { continue }
      unsafe fates[place] = .droppedAtZero
      zeros += 1
    }
    return zeros
  }

  private func isDroppedAtZero(_ position: Int64) -> Bool {
    guard let place = connection(at: position) else { return false }
    let fate = unsafe scratch.fates.base[place]
    return fate == .droppedAtZero
  }

  /// The index of the connection at a position before the update; nil if there is none.
  private func connection(at position: Int64) -> Int? {
    let (row, column) = Int(position).quotientAndRemainder(dividingBy: weights.inputs)
    let range = weights.csr.row(row)
    var (low, high) = (range.lowerBound, range.upperBound)
    let columns = unsafe weights.csr.columns.base
    while low < high {
      let middle = (low + high) / 2
      if unsafe Int(columns[middle]) < column { low = middle + 1 } else { high = middle }
    }
    return unsafe low < range.upperBound && Int(columns[low]) == column ? low : nil
  }

  /// Adds `missing` positions drawn at random among all that are neither kept nor grown already, in the
  /// order of positions.
  private func fill(
    _ memory: UnsafeMutableBufferPointer<Int64>, _ found: Int, _ missing: Int
  ) {
    let random = CounterRandom(
      seed: seed, purpose: .growth, layer: layerIndex, stream: batchesConsumed)
    var ranks = [Int64](repeating: 0, count: missing)
    let free = weights.positions - kept - regrown - found
    unsafe ranks.withUnsafeMutableBufferPointer {
      var span = unsafe MutableSpan(_unsafeElements: $0)
      random.sampleWithoutReplacement(of: Int64(free), into: &span)
    }
    // From ranks among the free positions to positions, by walking beside what is taken.
    let (columns, fates) = unsafe (weights.csr.columns.base, scratch.fates.base)
    var (index, row, own, before) = (0, 0, 0, Int64(0))
    func nextTaken() -> Int64 {
      while index < weights.count, unsafe !fates[index].stays { index += 1 }
      var next = Int64.max
      if index < weights.count {
        while weights.csr.row(row).upperBound <= index { row += 1 }
        next = unsafe Int64(row) * Int64(weights.inputs) + Int64(columns[index])
      }
      return own < found ? unsafe min(next, memory[own]) : next
    }
    for place in 0..<missing {
      while true {
        let taken = nextTaken()
        guard taken <= ranks[place] + before else { break }
        before += 1
        if own < found, unsafe memory[own] == taken { own += 1 } else { index += 1 }
      }
      ranks[place] += before
    }
    // Both ascend: merged from behind, in place.
    var (last, drawn, target) = (found - 1, missing - 1, found + missing - 1)
    while drawn >= 0 {
      if last >= 0, unsafe memory[last] > ranks[drawn] {
        unsafe memory[target] = memory[last]
        last -= 1
      } else {
        unsafe memory[target] = ranks[drawn]
        drawn -= 1
      }
      target -= 1
    }
  }
}
