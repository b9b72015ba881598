import RigLCore
import Testing

/// Single updates, worked by hand.
@Suite struct TopologyUpdateTests {
  /// The worked example: kept {8, 0, 3}, dropped {5, 2}, grown {2, 7}.
  @Test func workedExample() throws {
    let weights: [Int: Float] = [0: 0.5, 2: -0.1, 3: 0.3, 5: 0.05, 8: -0.9]
    let result = try update(
      weights, of: 10, gradient: [9, 0.2, 0.7, 8, 0.1, 0, 0.6, 0.65, 10, 0.3], fraction: 0.4)
    #expect(connected(result) == [0, 2, 3, 7, 8])
    #expect(result.weight == [0.5, 0, -0.1, 0.3, 0, 0, 0, 0, -0.9, 0])
    #expect(result.momentum == [5, 0, -1, 3, 0, 0, 0, 0, -9, 0])
  }

  /// Of equal magnitudes, whatever their sign, the lower positions are kept and grown; -0 is 0.
  @Test func tiesGoToLowerPositions() throws {
    let weights: [Int: Float] = [0: 0.1, 2: -0.2, 4: 0.2, 5: -0.2, 7: 0.2, 8: 0.3]
    // Keeps 8 and, of four equal ones, 2 and 4; drops 0, 5, 7.
    let gradient: [Float] = [-0.0, 3, 9, 0, 9, -3, 0, 3, 9, -3]
    // Candidates 0 1 3 5 6 7 9: four magnitudes of 3, at 1, 5, 7, 9.
    let result = try update(weights, of: 10, gradient: gradient, fraction: 0.5)
    #expect(connected(result) == [1, 2, 4, 5, 7, 8])
    #expect(result.weight == [0, 0, -0.2, 0, 0.2, -0.2, 0, 0.2, 0.3, 0])
    // All candidates equal, but not zero.
    let equal = try update(
      weights, of: 10, gradient: [1, -1, 1, -1, 1, 1, -1, 1, 1, 1], fraction: 0.5)
    #expect(connected(equal) == [0, 1, 2, 3, 4, 8])
  }

  /// The same with ties across rows of the weight.
  @Test(arguments: [1, 2, 3]) func tiesAcrossRows(threads: Int) throws {
    let (outputs, inputs) = (300, 30)  // several panels of rows
    let count = outputs * inputs
    var single = SingleUpdate(
      weight: [Float](repeating: 0.5, count: count), mask: [UInt8](repeating: 0, count: count),
      momentum: [Float](repeating: 0, count: count),
      gradient: [Float](repeating: -2, count: count), inputs: inputs, fraction: 0.5)
    for position in stride(from: 1, to: count, by: 2) { single.mask[position] = 1 }
    single.threads = threads
    let result = try single.run()
    // The first 2250 of 4500 odd positions stay; the first 2250 others are grown: all even ones
    // before 4500.
    #expect(connected(result) == Array(0..<4500))
  }

  /// k is computed in single precision: .29 of 100 connections is 29, not 28.
  @Test func countsInSinglePrecision() throws {
    var weights: [Int: Float] = [:]
    for position in 0..<100 { weights[position] = Float(position + 1) }
    let gradient = (0..<200).map { Float($0) }
    let result = try update(weights, of: 200, gradient: gradient, fraction: 0.29)
    #expect(connected(result) == Array(29..<100) + Array(171..<200))
  }

  /// More candidates than exist cannot be asked for: all connections dropped, the best grown.
  @Test func everythingMayMove() throws {
    let result = try update(
      [0: 1, 1: 2, 2: 3], of: 4, gradient: [4, 3, 2, 1], fraction: 1)
    #expect(connected(result) == [0, 1, 2])
    #expect(result.weight == [1, 2, 3, 0])  // dropped and grown again: kept as they were
  }

  /// A fraction that moves nothing: the batch is consumed all the same.
  @Test func tooFewConnectionsToMove() throws {
    let result = try update([1: 1, 2: 2], of: 6, gradient: [9, 9, 9, 9, 9, 9], fraction: 0.3)
    #expect(result.weight == [0, 1, 2, 0, 0, 0])
    #expect(result.momentum == [0, 10, 20, 0, 0, 0])
  }

  /// Growth by the smallest gradients, an ablation.
  @Test func smallestGradients() throws {
    struct Inverted: TopologyMethod {
      let timing = TopologyTiming.insteadOfWeightStep
      func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
        try layer.dropSmallestMagnitudes(count)
        try layer.growSmallestGradients(count)
      }
    }
    let weights: [Int: Float] = [0: 0.5, 2: -0.1, 3: 0.3, 5: 0.05, 8: -0.9]
    let result = try update(
      weights, of: 10, gradient: [9, 0.2, 0.7, 8, 0.1, 0.4, 0.6, 0.2, 0, 0.3], fraction: 0.4,
      method: Inverted())
    #expect(connected(result) == [0, 1, 3, 4, 8])
  }

  /// Updates one layer of two outputs; the momentum of a connection is ten times its weight.
  private func update(
    _ weights: [Int: Float], of positions: Int, gradient: [Float], fraction: Double,
    method: any TopologyMethod = RigL()
  ) throws -> SingleUpdate.Result {
    let weight = (0..<positions).map { weights[$0] ?? 0 }
    return try SingleUpdate(
      weight: weight, mask: (0..<positions).map { weights[$0] == nil ? 0 : 1 },
      momentum: weight.map { ($0 * 10).rounded() }, gradient: gradient, inputs: positions / 2,
      fraction: fraction, method: method
    ).run()
  }

  private func connected(_ result: SingleUpdate.Result) -> [Int] {
    result.mask.indices.filter { result.mask[$0] != 0 }
  }
}

/// When updates happen in a training, and what they consume.
@Suite struct TopologyTimingTests {
  private func kinds(
    _ method: any TopologyMethod, batches: Int, connections: Int = 20, interval: Int = 3
  ) throws -> String {
    let model = try makeModel(
      SparseLinear("a", inputs: 8, outputs: 6), inputs: 8, capacity: 8,
      connections: ["a": connections])
    model.draw(seed: 1, initializer: Initializer(.glorotUniform))
    var settings = TrainingStep.Settings()
    settings.method = method
    settings.schedule = UpdateSchedule(interval: interval, end: 7, annealing: .cosine)
    let step = TrainingStep(
      model: model, loss: CrossEntropy(), optimizer: SGD(),
      learningRate: LearningRateSchedule(peak: 0.1), settings: settings,
      pool: try ThreadPool(threads: 1), seed: 1)
    let batch = Batch(for: model)
    batch.inputs.set(randomValues(64, seed: 1))
    batch.labels.count = 8
    return try (0..<batches).map { number in
      let before = (step.weightSteps, model.weightLayers[0].weight.values.array())
      let report = try step.train(on: batch)
      #expect(step.batchesConsumed == UInt64(number + 1))
      #expect(report.movedWeights == (step.weightSteps == before.0 + 1))
      if !report.movedWeights && connections < 48 {
        let weights = model.weightLayers[0].weight.values.array()
        let old = Set(before.1)
        #expect(weights.allSatisfy { $0 == 0 || old.contains($0) }, "weights only change places")
      }
      switch (report.dropFraction != nil, report.movedWeights) {
      case (true, true): return "b"
      case (true, false): return "u"
      case (false, true): return "w"
      case (false, false): return "-"
      }
    }.joined()
  }

  /// At steps 0, 3 and 6, each on a batch of its own, until step 7.
  @Test func rigLReplacesAWeightStep() throws {
    #expect(try kinds(RigL(), batches: 13) == "uwwwuwwwuwwww")
  }

  /// At the beginning of steps 1, 4 and 7, before their weight steps.
  @Test func setBeginsAWeightStep() throws {
    #expect(try kinds(SET(), batches: 10) == "wbwwbwwbww")
  }

  /// Two connections are too few for .3 of them to be one; a layer with all connections has none
  /// to move: updates still take their batches.
  @Test(arguments: [2, 48]) func updatesThatMoveNothingConsumeTheirBatch(connections: Int) throws {
    #expect(try kinds(RigL(), batches: 9, connections: connections) == "uwwwuwwwu")
  }

  @Test func staticNeverMoves() throws {
    #expect(try kinds(StaticTopology(), batches: 5) == "wwwww")
  }
}

/// SET's random growth.
@Suite struct RandomGrowthTests {
  /// Every position that is not kept is equally likely, the just-dropped ones and other neurons'
  /// included: χ² over many updates of the same layer.
  @Test func everyCandidateIsEquallyLikely() throws {
    let (outputs, inputs) = (8, 15)
    let layer = SparseLinear("a", inputs: inputs, outputs: outputs, bias: false)
    let model = try makeModel(layer, inputs: inputs, capacity: 1, connections: ["a": 40])
    var settings = TrainingStep.Settings()
    settings.method = SET()
    settings.schedule = UpdateSchedule(
      interval: 1, end: nil, initialFraction: 0.5, annealing: .constant)
    let step = TrainingStep(
      model: model, loss: GivenGradient(gradient: [Float](repeating: 0, count: outputs)),
      optimizer: SGD(), learningRate: LearningRateSchedule(peak: 0.1), settings: settings,
      pool: try ThreadPool(threads: 1), seed: 11)
    // Every third position; the first 20 are the larger ones, all in the upper half.
    let positions = (0..<40).map { $0 * 3 }
    let weights = (0..<40).map { Float(100 - $0) }
    let kept = Set(positions.prefix(20))
    let connections = model.sparseLayers[0]
    let batch = Batch(for: model)
    batch.labels.count = 1
    try connections.setConnections(at: positions, weights: weights)
    _ = try step.train(on: batch)  // Step 0 has no update.
    let updates = 4000
    var counts = [Int](repeating: 0, count: outputs * inputs)
    for _ in 0..<updates {
      try connections.setConnections(at: positions, weights: weights)
      _ = try step.train(on: batch)
      for position in connections.connectedPositions() { counts[position] += 1 }
    }
    #expect(kept.allSatisfy { counts[$0] == updates }, "what is kept stays")
    let candidates = (0..<counts.count).filter { !kept.contains($0) }.map { Double(counts[$0]) }
    #expect(candidates.reduce(0, +) == Double(updates * 20))
    // 20 of 100 without replacement: a count's variance is p (1 - p), and counts are bound to their
    // sum, so Σ (count - mean)² / (variance · M / (M - 1)) is χ² of M - 1 = 99.
    let share = 20.0 / 100
    let mean = share * Double(updates)
    let variance = mean * (1 - share) * 100 / 99
    let statistic = candidates.reduce(0) { $0 + ($1 - mean) * ($1 - mean) / variance }
    #expect((statistic - 99).magnitude < 4 * (2.0 * 99).squareRoot(), "χ² = \(statistic)")
  }

  /// Connections move between neurons: not row by row.
  @Test func degreesChange() throws {
    let layer = SparseLinear("a", inputs: 30, outputs: 20, bias: false)
    let model = try makeModel(layer, inputs: 30, capacity: 1, connections: ["a": 100])
    model.draw(seed: 1, initializer: Initializer(.heUniform))
    let connections = model.sparseLayers[0]
    var settings = TrainingStep.Settings()
    settings.method = SET()
    settings.schedule = UpdateSchedule(interval: 1, end: nil, annealing: .constant)
    let step = TrainingStep(
      model: model, loss: GivenGradient(gradient: [Float](repeating: 0, count: 20)),
      optimizer: SGD(), learningRate: LearningRateSchedule(peak: 0.1), settings: settings,
      pool: try ThreadPool(threads: 1), seed: 11)
    let (outputs, inputs) = (connections.outputDegrees(), connections.inputDegrees())
    let batch = Batch(for: model)
    batch.labels.count = 1
    _ = try step.train(on: batch)  // Step 0 has no update.
    #expect(connections.outputDegrees() == outputs)
    _ = try step.train(on: batch)
    #expect(connections.outputDegrees() != outputs)
    #expect(connections.inputDegrees() != inputs)
  }
}
