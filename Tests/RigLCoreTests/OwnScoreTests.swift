import RigLCore
import Testing

/// Methods that score by themselves, worked by hand.
@Suite struct OwnScoreTests {
  private func update(
    _ weights: [Int: Float], of positions: Int, gradient: [Float], fraction: Double,
    method: any TopologyMethod
  ) throws -> [Int] {
    let weight = (0..<positions).map { weights[$0] ?? 0 }
    let result = try SingleUpdate(
      weight: weight, mask: (0..<positions).map { weights[$0] == nil ? 0 : 1 },
      momentum: weight.map { $0 * 10 }, gradient: gradient, inputs: positions / 2,
      fraction: fraction, method: method
    ).run()
    return result.mask.indices.filter { result.mask[$0] != 0 }
  }

  /// |w g| of {0: .5·1, 2: .1·9, 3: .3·2, 5: .05·8, 8: .9·.1} = .5, .9, .6, .4, .09: drops 8 and 5.
  @Test func dropsBySaliency() throws {
    let weights: [Int: Float] = [0: 0.5, 2: -0.1, 3: 0.3, 5: 0.05, 8: -0.9]
    let connected = try update(
      weights, of: 10, gradient: [1, 3, 9, 2, 4, -8, 0, 0, 0.1, 0], fraction: 0.4,
      method: SaliencyDrop())
    // Candidates 1, 4, 5, 6, 7, 8, 9 with 3, 4, 8, 0, 0, .1, 0: grows 5, which had just gone, and 4.
    #expect(connected == [0, 2, 3, 4, 5])
  }

  /// Scores of one's own from momentum and place.
  @Test func dropsByMomentAndPlace() throws {
    struct ByMoment: TopologyMethod {
      let timing = TopologyTiming.insteadOfWeightStep
      func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
        // The momentum is ten times the weight: the largest go, and of row 1 none.
        try layer.dropSmallest(count) { $0.output == 1 ? 1000 : 1 / $0.moment(0) + Float($0.input) }
        try layer.growLargestGradients(layer.missing)
      }
    }
    // Scores of row 0: 0: .2 + 0, 2: .1 + 2, 3: .05 + 3; drops 0 and 2.
    let connected = try update(
      [0: 0.5, 2: 1, 3: 2, 5: 0.1, 8: 0.2], of: 10,
      gradient: [0.1, 9, 0.1, 0, 8, 0, 0.2, 0.3, 0, 0.4], fraction: 0.4, method: ByMoment())
    #expect(connected == [1, 3, 4, 5, 8])
  }

  /// What is pruned starts anew when it is grown in the same update; what is dropped does not.
  @Test func prunedConnectionsStartAnew() throws {
    struct Prune: TopologyMethod {
      let timing = TopologyTiming.insteadOfWeightStep
      func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
        try layer.pruneSmallestMagnitudes(1)
        try layer.dropSmallestMagnitudes(1)
        try layer.growLargestGradients(layer.missing)
      }
    }
    let result = try SingleUpdate(
      weight: [1, 2, 3, 0], mask: [1, 1, 1, 0], momentum: [10, 20, 30, 0],
      gradient: [9, 8, 0, 1], inputs: 2, fraction: 0.5, method: Prune()
    ).run()
    #expect(result.mask == [1, 1, 1, 0])
    #expect(result.weight == [0, 2, 3, 0])
    #expect(result.momentum == [0, 20, 30, 0])
  }

  /// Grows by a score of gradient and place, on several threads and panels.
  @Test(arguments: [1, 2]) func growsByAnOwnScore(threads: Int) throws {
    struct Last: GrowthScore {
      func score(
        _ gradients: inout MutableSpan<Float>, memory: Span<Float>, output: Int,
        inputs: Range<Int>, of layer: SparseWeights
      ) {
        for (place, input) in inputs.enumerated() {
          gradients[place] = gradients[place] * Float(output * layer.inputs + input + 1)
        }
      }
    }
    struct Method: TopologyMethod {
      let timing = TopologyTiming.insteadOfWeightStep
      func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
        try layer.dropSmallestMagnitudes(count)
        try layer.growLargest(layer.missing, by: Last())
      }
    }
    let (outputs, inputs) = (300, 30)
    let count = outputs * inputs
    var single = SingleUpdate(
      weight: [Float](repeating: 0.5, count: count), mask: [UInt8](repeating: 0, count: count),
      momentum: [Float](repeating: 0, count: count),
      gradient: [Float](repeating: -2, count: count), inputs: inputs, fraction: 0.5,
      method: Method())
    for position in stride(from: 1, to: count, by: 2) { single.mask[position] = 1 }
    single.threads = threads
    let mask = try single.run().mask
    // The first 2250 of the odd positions stay; of all others the last 2250 are grown.
    let stay = (0..<2250).map { 2 * $0 + 1 }
    #expect(mask.indices.filter { mask[$0] != 0 } == stay + Array(count - 2250..<count))
  }

  /// Each connection is dropped about as often as any other.
  @Test func dropsAtRandom() throws {
    struct Random: TopologyMethod {
      let timing = TopologyTiming.afterWeightStep
      func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
        try layer.dropAtRandom(count)
        try layer.growAtRandom(layer.missing)
      }
    }
    let model = try makeModel(
      SparseLinear("a", inputs: 10, outputs: 4, bias: false), inputs: 10, capacity: 8,
      connections: ["a": 20])
    model.draw(seed: 1, initializer: Initializer(.heNormal))
    var settings = TrainingStep.Settings()
    settings.method = Random()
    settings.schedule = UpdateSchedule(
      interval: 1, end: nil, initialFraction: 0.25, annealing: .constant)
    let step = TrainingStep(
      model: model, loss: CrossEntropy(), optimizer: SGD(),
      learningRate: LearningRateSchedule(peak: 1e-6), settings: settings,
      pool: try ThreadPool(threads: 1), seed: 5)
    let batch = Batch(for: model)
    batch.inputs.set(randomValues(80, seed: 1))
    batch.labels.count = 8
    var gone = [Int](repeating: 0, count: 40)
    var before = Set(model.sparseLayers[0].connectedPositions())
    let updates = 4000
    for _ in 0...updates {
      _ = try step.train(on: batch)
      let after = Set(model.sparseLayers[0].connectedPositions())
      for position in before.subtracting(after) { gone[position] += 1 }
      before = after
    }
    // Of 20 connections 5 are dropped, and grown again with probability 5 / 25: a position is left
    // in a tenth of the updates. χ² with 39 degrees of freedom is below 73 in 999 of 1000 cases.
    let expected = Double(gone.reduce(0, +)) / 40
    #expect(abs(expected - Double(updates) / 10) < 20)
    let deviation = gone.reduce(0.0) { $0 + pow2(Double($1) - expected) / expected }
    #expect(deviation < 73)
  }

  private func pow2(_ value: Double) -> Double { value * value }

  /// Largest |w| of both layers in one pool; of equal ones those of the first layer, at lower positions.
  @Test func onePoolKeepsTheLargestOfAllLayers() throws {
    final class Kept: @unchecked Sendable { var counts: [[Int]] = [] }
    struct Pool: TopologyMethod {
      let kept: Kept
      let totals: [Int]
      let timing = TopologyTiming.afterWeightStep
      let counts = ConnectionCounts.variable
      func plan(_ update: TopologyPlan) throws(RigLError) {
        for total in totals {
          try update.keepLargest(total) { $0.weight }
          kept.counts.append(update.layers.map(\.target))
        }
      }
      func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
        try layer.dropSmallestMagnitudes(count)
      }
    }
    let model = try makeModel(
      SparseLinear("a", inputs: 4, outputs: 2, bias: false),
      SparseLinear(
        "b", inputs: 2, outputs: 4, bias: false), inputs: 4, capacity: 8,
      connections: ["a": 4, "b": 4], variable: ["a", "b"])
    try model.sparseLayers[0].setConnections(at: [0, 2, 5, 7], weights: [1, -2, 2, 0.5])
    try model.sparseLayers[1].setConnections(at: [1, 2, 3, 6], weights: [2, -3, 1, 4])
    let kept = Kept()
    var settings = TrainingStep.Settings()
    settings.method = Pool(kept: kept, totals: [8, 7, 6, 5, 4, 3, 2, 1, 0, 4])
    settings.schedule = UpdateSchedule(interval: 1, begin: 1, end: 1, annealing: .constant)
    let step = TrainingStep(
      model: model, loss: CrossEntropy(), optimizer: SGD(),
      learningRate: LearningRateSchedule(peak: 0.1), settings: settings,
      pool: try ThreadPool(threads: 1), seed: 5)
    // Of samples that are 0, no weight has a gradient.
    let batch = Batch(for: model)
    batch.labels.count = 8
    for _ in 0..<2 { _ = try step.train(on: batch) }
    // 4, 3 of b; then 2, 2 of a, 2 of b; 1 of a, 1 of b; .5 of a.
    #expect(
      kept.counts == [
        [4, 4], [3, 4], [3, 3], [2, 3], [2, 2], [1, 2], [0, 2], [0, 1], [0, 0], [2, 2],
      ])
    #expect(model.sparseLayers.map { $0.connectedPositions() } == [[2, 5], [2, 6]])
  }
}
