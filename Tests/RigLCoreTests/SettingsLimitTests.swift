import Foundation
import RigLCore
import Testing

/// Settings at the borders of what works: none may reach a trap.
@Suite struct SettingsLimitTests {
  /// Trains a few batches on random samples.
  @discardableResult
  private func train(
    _ configuration: Configuration, steps: Int = 4, network: (any Network)? = nil
  ) throws -> Trainer {
    var configuration = configuration
    configuration.batchSize = 8
    let samples = RandomSamples(count: 40, width: 12, classes: 3)
    let trainer = try Trainer(
      configuration, network: network, data: TrainingData(train: samples, test: samples))
    for _ in 0..<steps { try trainer.trainNextBatch() }
    return trainer
  }

  // MARK: - Deep networks

  @Test(arguments: [(85, 0.5), (128, 0), (300, 0.25)])
  func anyNumberOfHiddenLayersTrains(depth: Int, dropout: Float) throws {
    var configuration = Configuration()
    configuration.hidden = Array(repeating: 4, count: depth)
    configuration.dropout = dropout
    configuration.sparsity = 0.2
    configuration.distribution = .uniform
    try configuration.validate()
    let trainer = try train(configuration)
    #expect(trainer.model.weightLayers.count == depth + 1)
  }

  @Test func deepWideResNetsAreMade() throws {
    for depth in [508, 1000] {
      var configuration = Configuration()
      configuration.network = "wrn-\(depth)-1"
      configuration.widthMultiplier = 0.0625
      configuration.dropout = 0.1
      try configuration.validate()
      let shape = SampleShape(channels: 1, height: 8, width: 8)
      let layers = try configuration.makeNetwork().layers(input: shape, classes: 2)
      let model = try Model(layers, input: shape, capacity: 1, isTraining: true)
      #expect(model.weightLayers.count >= depth - 2)
    }
  }

  private struct Nested: Network {
    let levels: Int

    func layers(input: SampleShape, classes: Int) -> Sequential {
      var inner = Sequential(Dropout(0.5))
      for _ in 1..<levels { inner = Sequential(inner, Dropout(0.5)) }
      return Sequential(
        inner, SparseLinear("fc", inputs: input.count, outputs: classes))
    }
  }

  @Test(arguments: [4, 5, 40])
  func dropoutTrainsAtAnyDepth(levels: Int) throws {
    try train(Configuration(), network: Nested(levels: levels))
  }

  // MARK: - Schedules

  @Test func annealingByAGrowingRateStaysWithinItsFraction() throws {
    var configuration = Configuration()
    configuration.annealing = .learningRate
    configuration.schedule = .step
    configuration.milestones = [0.2, 0.4, 0.6]
    configuration.factor = 2
    configuration.learningRate = 0.001
    configuration.dropFraction = 0.5
    configuration.updateInterval = 1
    configuration.updateForever = true
    configuration.hidden = [8]
    configuration.sparsity = 0.5
    let trainer = try train(configuration, steps: 20)
    #expect(trainer.step.weightSteps > 4)

    let rates = LearningRateSchedule(peak: 0.5, shape: .step(milestones: [10, 20], factor: 2))
    #expect(rates.largestRate == 2)
    let updates = UpdateSchedule(end: nil, initialFraction: 0.4, annealing: .learningRate)
    let fractions = [0, 10, 20].map {
      updates.fraction(at: $0, learningRate: rates.rate(at: $0), peak: rates.largestRate)
    }
    #expect(fractions == [0.1, 0.2, 0.4])
    let shrinking = LearningRateSchedule(peak: 0.5, shape: .step(milestones: [10], factor: 0.1))
    #expect(shrinking.largestRate == 0.5)
    let endless = LearningRateSchedule(
      peak: 1, shape: .step(milestones: [1, 2], factor: 1e300))
    #expect(throws: RigLError.self) { try endless.validate() }
  }

  @Test(arguments: [Configuration.ScheduleKind.cosine, .warmRestarts, .step, .constant])
  func aMultiplierLeavesEverySchedule(schedule: Configuration.ScheduleKind) throws {
    for multiplier in [1e-6, 0.01, 0.1] {
      var configuration = Configuration()
      configuration.schedule = schedule
      configuration.firstCycle = 1
      configuration.milestones = [1, 2]
      configuration.multiplier = multiplier
      configuration.hidden = [8]
      try configuration.validate()
      let rates = try configuration.learningRateSchedule(samples: 40)
      // Milestones at less than half a step are those of the first one.
      #expect(rates.rate(at: 0) <= 0.1)
      let folder = try TemporaryFolder()
      var options = RunOptions()
      options.output = folder("run")
      let samples = RandomSamples(count: 40, width: 12, classes: 3)
      let data = TrainingData(train: samples, test: samples)
      let result = try Trainer(configuration, options: options, data: data).run()
      #expect(result.steps == configuration.steps(samples: 40))
    }
  }

  // MARK: - Sizes

  @Test func whatCannotBeCountedIsAnError() throws {
    // 2^28.5 · 2^28.5 positions are more than random numbers have indices.
    let wide = MLP(hidden: [400_000_000, 400_000_000])
    let layers = wide.layers(input: SampleShape(channels: 4), classes: 2).weightLayers
    let error = #expect(throws: RigLError.self) { try Configuration().allocate(layers) }
    #expect(error?.what.contains("layer fc2: too large") == true)

    var configuration = Configuration()
    configuration.trainSamples = .max
    #expect(throws: RigLError.self) { try configuration.validate() }
    configuration.trainSamples = 1 << 32
    configuration.epochs = 1_000_000
    configuration.batchSize = 1
    configuration.multiplier = 1000
    try configuration.validate()
    #expect(configuration.steps(samples: 1 << 32) > 0)
  }

  @Test func theHighestSparsityLeavesAConnection() throws {
    let wide = MLP(hidden: [100_000_000, 100_000_000])
    let layers = wide.layers(input: SampleShape(channels: 4), classes: 2).weightLayers
    for distribution in SparsityDistribution.Kind.allCases {
      var configuration = Configuration()
      configuration.distribution = distribution
      configuration.sparsity = Double(1).nextDown
      let allocation = try configuration.allocate(layers)
      #expect(allocation.layers.allSatisfy { $0.connections >= 1 && $0.sparsity < 1 })
    }
  }

  @Test func activationsThatCannotFitAreRefused() throws {
    let shape = SampleShape(channels: 1, height: 4096, width: 4096)
    let layers = WRN(depth: 10, width: 10).layers(input: shape, classes: 10)
    let error = #expect(throws: RigLError.self) {
      try Model(layers, input: shape, capacity: 1 << 20, isTraining: true)
    }
    #expect(error?.what.contains("this machine has") == true)
  }

  @Test func divisorsAreOfSinglePrecision() throws {
    for divisor in [0, 1e-46, 1e39, .infinity, .nan] {
      var configuration = Configuration()
      configuration.newWeightDivisor = divisor
      #expect(throws: RigLError.self) { try configuration.validate() }
    }
  }

  /// Against the sum over all steps.
  @Test func thePruningsMeanIsThatOfItsSteps() {
    for (steps, begin, end) in [
      (10, 2, 7), (10, 0, 0), (5, 2, 20), (100, 20, 75), (5, 9, 20), (7, 3, 3), (1, 0, 0),
      (8, 5, 6), (5, 5, 6), (32_000, 6400, 24_000),
    ] {
      let pruning = TrainingMethodCost.Pruning(steps: steps, begin: begin, end: end)
      let sum = (0..<steps).reduce(0.0) { $0 + pruning.progress(at: $1) }
      #expect(abs(pruning.meanProgress - sum / Double(steps)) < 1e-12)
    }
    let long = TrainingMethodCost.Pruning(steps: 1 << 60)
    #expect(abs(long.meanProgress - 0.6625) < 1e-6)
  }
}
