import RigLCore
import Testing

/// Scores of exactly 0 carry no information: of these candidates the connections that were just
/// dropped come first, larger weights before smaller ones and then by position, and after them the
/// others by position.
@Suite struct ZeroScoreTests {
  /// Growth by the smallest gradients, an ablation.
  struct Inverted: TopologyMethod {
    let timing = TopologyTiming.insteadOfWeightStep
    func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
      try layer.dropSmallestMagnitudes(count)
      try layer.growSmallestGradients(count)
    }
  }

  // MARK: - By hand

  /// Two outputs of five inputs; connections at 1, 3, 6, 8, 9, of which 3, 6 and 8 are dropped.
  static let weights: [Int: Float] = [1: 0.9, 3: -0.2, 6: 0.1, 8: 0.2, 9: -0.8]

  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let gradient: [Float]
    let connected: [Int]
    var inverted: Bool = false
  }

  static let cases = [
    Case(
      testDescription: "all zero: nothing moves",
      gradient: [0, 0, -0.0, 0, 0, -0.0, 0, 0, 0, 0], connected: [1, 3, 6, 8, 9]),
    Case(
      testDescription: "two scores: of the dropped the larger weight at the lower position",
      gradient: [0, 9, 0, -0.0, 5, 0, 0, 5, 0, 9], connected: [1, 3, 4, 7, 9]),
    Case(
      testDescription: "one score: both larger weights",
      gradient: [0, 0, 5, 0, 0, 0, 0, 0, -0.0, 0], connected: [1, 2, 3, 8, 9]),
    Case(
      testDescription: "a dropped one has a score, and the other two are before lower positions",
      gradient: [0, 0, 0, 0, 0, 0, -.leastNonzeroMagnitude, 0, 0, 0], connected: [1, 3, 6, 8, 9]),
    Case(
      testDescription: "a dropped one with a score loses to greater ones",
      gradient: [2, 0, 2, 1, 2, 0, 0, 0, 0, 0], connected: [0, 1, 2, 4, 9]),
    Case(
      testDescription: "k scores: zeros do not count",
      gradient: [1, 0, 0, 0, 0, 1, 0, 1, 0, 0], connected: [0, 1, 5, 7, 9]),
    Case(
      testDescription: "smallest, all zero: nothing moves",
      gradient: [0, 0, -0.0, 0, 0, -0.0, 0, 0, 0, 0], connected: [1, 3, 6, 8, 9], inverted: true),
    Case(
      testDescription: "smallest: a dropped one of 0, then the others of 0 by position",
      gradient: [0, 0, 0, 4, 0, 0, -0.0, 0, 4, 0], connected: [0, 1, 2, 6, 9], inverted: true),
    Case(
      testDescription: "smallest: dropped ones of 0, then the smallest scores",
      gradient: [3, 0, 2, 0, 1, 3, 1, 3, 0, 0], connected: [1, 3, 4, 8, 9], inverted: true),
    Case(
      testDescription: "smallest, none is 0: ties to lower positions",
      gradient: [1, 0, 1, 1, 1, 1, 1, 1, 1, 0], connected: [0, 1, 2, 3, 9], inverted: true),
  ]

  @Test(arguments: cases) func workedByHand(_ one: Case) throws {
    let weight = (0..<10).map { Self.weights[$0] ?? 0 }
    let single = SingleUpdate(
      weight: weight, mask: (0..<10).map { Self.weights[$0] == nil ? 0 : 1 },
      momentum: weight.map { $0 * 10 }, gradient: one.gradient, inputs: 5, fraction: 0.6,
      method: one.inverted ? Inverted() : RigL())
    for threads in 1...3 {
      var single = single
      single.threads = threads
      let result = try single.run()
      #expect(result.mask.indices.filter { result.mask[$0] != 0 } == one.connected)
      for position in one.connected {
        let kept = Self.weights[position] ?? 0
        #expect(result.weight[position] == kept, "position \(position)")
        #expect(result.momentum[position] == kept * 10, "position \(position)")
      }
    }
  }

  // MARK: - Against a sort of everything

  /// The topology after an update, by sorting all candidates.
  static func expected(
    weights: [Int: Float], gradient: [Float], moved: Int, inverted: Bool
  ) -> [Int] {
    let ranked = weights.sorted {
      let (one, other) = ($0.value.magnitude, $1.value.magnitude)
      return one != other ? one > other : $0.key < $1.key
    }
    let kept = Set(ranked.prefix(weights.count - moved).map(\.key))
    let candidates = gradient.indices.filter { !kept.contains($0) }.sorted {
      let (one, other) = (gradient[$0].magnitude, gradient[$1].magnitude)
      if one != other { return inverted ? one < other : one > other }
      guard one == 0 else { return $0 < $1 }
      switch (weights[$0]?.magnitude, weights[$1]?.magnitude) {
      case (let first?, let second?): return first != second ? first > second : $0 < $1
      case (nil, nil): return $0 < $1
      case (let first, _): return first != nil
      }
    }
    return (kept + candidates.prefix(moved)).sorted()
  }

  @Test(arguments: 0..<40 as Range<UInt64>) func linearLayersAsASortDoes(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    // Up to several panels in both directions.
    let outputs = Int.random(in: 1...300, using: &generator)
    let inputs = Int.random(in: 1...(seed % 4 == 0 ? 1300 : 60), using: &generator)
    let count = outputs * inputs
    let share = [0, 0.001, 0.02, 0.3, 1][Int.random(in: 0..<5, using: &generator)]
    let gradient = (0..<count).map { _ -> Float in
      let sign: Float = Bool.random(using: &generator) ? 1 : -1
      guard Double.random(in: 0..<1, using: &generator) < share else { return sign * 0 }
      return sign * Float(Int.random(in: 0..<9, using: &generator))
    }
    var weights: [Int: Float] = [:]
    for position in 0..<count where Int.random(in: 0..<8, using: &generator) == 0 {
      // Few distinct weights, zeros among them, so that there are ties.
      weights[position] = Float(Int.random(in: -6...6, using: &generator)) / 8
    }
    let fraction = Double.random(in: 0...1, using: &generator)
    let inverted = seed % 2 == 1
    var single = SingleUpdate(
      weight: (0..<count).map { weights[$0] ?? 0 },
      mask: (0..<count).map { weights[$0] == nil ? 0 : 1 },
      momentum: (0..<count).map { weights[$0] == nil ? 0 : Float($0 + 1) }, gradient: gradient,
      inputs: inputs, fraction: fraction, method: inverted ? Inverted() : RigL())
    let connected = Self.expected(
      weights: weights, gradient: gradient,
      moved: UpdateSchedule.moved(of: weights.count, fraction: fraction), inverted: inverted)
    for threads in [1, 2, 5] {
      single.threads = threads
      let result = try single.run()
      try #require(result.mask.indices.filter { result.mask[$0] != 0 } == connected)
      for position in connected {
        #expect(result.weight[position] == weights[position] ?? 0)
        #expect(result.momentum[position] == (weights[position] == nil ? 0 : Float(position + 1)))
      }
    }
  }

  @Test(arguments: 0..<24 as Range<UInt64>) func convolutionsAsASortDoes(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed + 100)
    let (inputs, outputs) = (
      Int.random(in: 1...20, using: &generator), Int.random(in: 2...70, using: &generator)
    )
    let kernel = [1, 3, 5][Int.random(in: 0..<3, using: &generator)]
    let (samples, side) = (Int.random(in: 1...9, using: &generator), 6)
    let layer = SparseConv2d("layer", inputs: inputs, outputs: outputs, kernel: kernel)
    let positions = outputs * inputs * kernel * kernel
    let connections = Int.random(in: 1...positions, using: &generator)
    let shape = SampleShape(channels: inputs, height: side, width: side)
    // Input channels and output channels without a gradient.
    let deadInputs = (0..<inputs).map { _ in Bool.random(using: &generator) }
    let deadOutputs = (0..<outputs).map { _ in Int.random(in: 0..<4, using: &generator) > 0 }
    let values = randomValues(samples * shape.count, seed: seed)
    let slopes = randomValues(samples * outputs, seed: seed + 1)
    let outputGradient = slopes.indices.map { deadOutputs[$0 % outputs] ? 0 : slopes[$0] }
    let fraction = Double.random(in: 0...1, using: &generator)
    let inverted = seed % 2 == 1
    var drawn: [Int: Float] = [:]
    for position in Array(0..<positions).shuffled(using: &generator).prefix(connections) {
      drawn[position] = Float(Int.random(in: -6...6, using: &generator)) / 8
    }
    for threads in [1, 3] {
      let pool = try ThreadPool(threads: threads)
      let model = try Model(
        Sequential(layer, GlobalAveragePool()), input: shape, capacity: samples,
        connections: ["layer": connections])
      try model.sparseLayers.first?.setConnections(
        at: drawn.keys.sorted(), weights: drawn.sorted { $0.key < $1.key }.map(\.value))
      let batch = Batch(for: model)
      batch.inputs.samples = samples
      for (index, value) in values.enumerated() {
        let (sample, place) = (index / shape.count, index % shape.count)
        // A tensor on planes holds row by row, in each row channel by channel.
        batch.inputs[sample, place] = deadInputs[place / side % inputs] ? 0 : value
      }
      batch.labels.count = samples
      let pass = Pass(pool: pool, seed: 0)
      pass.isTraining = true
      _ = try model.forward(batch.inputs, pass)
      let gradient = try model.denseGradients(model.makeOutputGradient(outputGradient), pass)[0]
      var settings = TrainingStep.Settings()
      settings.method = inverted ? Inverted() : RigL()
      settings.schedule = UpdateSchedule(end: nil, initialFraction: fraction, annealing: .constant)
      let step = TrainingStep(
        model: model, loss: GivenGradient(gradient: outputGradient), optimizer: SGD(momentum: 0.9),
        learningRate: LearningRateSchedule(peak: 0.1), settings: settings, pool: pool, seed: 1)
      _ = try step.train(on: batch)
      let connected = Self.expected(
        weights: drawn, gradient: gradient,
        moved: UpdateSchedule.moved(of: connections, fraction: fraction), inverted: inverted)
      let own = try #require(model.sparseLayers.first)
      #expect(own.connectedPositions() == connected, "\(threads) threads")
      let weights = own.dense(own.parameter.values)
      for position in connected { #expect(weights[position] == drawn[position] ?? 0) }
    }
  }

  // MARK: - A residual network

  /// The last batch-norm of each block starts at γ = 0, so that no gradient reaches its branch: the
  /// update at step 0 leaves these layers as they were drawn, and moves the others.
  @Test func blocksWithoutAGradientStayAsTheyWereDrawn() throws {
    var configuration = Configuration()
    configuration.data = "synthetic-color"
    configuration.trainSamples = 32
    configuration.testSamples = 8
    configuration.validation = 0
    configuration.network = "resnet-18"
    configuration.widthMultiplier = 0.25
    configuration.batchSize = 16
    configuration.sparsity = 0.8
    let options = RunOptions(threads: 2)
    let trainer = try Trainer(configuration, options: options)
    let before = trainer.model.sparseLayers.map { $0.connectedPositions() }
    let weights = trainer.model.sparseLayers.map { $0.dense($0.parameter.values) }
    #expect(try trainer.trainNextBatch().dropFraction == 0.3)
    var branches = 0
    for (index, layer) in trainer.model.sparseLayers.enumerated() {
      let isInBranch = layer.name.hasPrefix("layer") && layer.name.contains(".conv")
      branches += isInBranch ? 1 : 0
      #expect((layer.connectedPositions() == before[index]) == isInBranch, "\(layer.name)")
      if isInBranch { #expect(layer.dense(layer.parameter.values) == weights[index]) }
    }
    #expect(branches > 8)
  }
}
