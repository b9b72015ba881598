import RigLCore
import Testing

/// What a training step must not depend on: dead lanes, how batches are cut, threads.
@Suite struct TrainingStepTests {
  /// A training of a small network whose topology moves at step 0 and every second step.
  struct Training {
    let model: Model
    let step: TrainingStep
    let batch: Batch

    init(
      capacity: Int, method: any TopologyMethod = RigL(), accumulation: Int = 1, dropout: Float = 0
    ) throws {
      var layers: [any Layer] = [SparseLinear("a", inputs: 20, outputs: 30), ReLU()]
      if dropout > 0 { layers.append(Dropout(dropout)) }
      layers += [
        DenseLinear("b", inputs: 30, outputs: 10), ReLU(),
        SparseLinear("c", inputs: 10, outputs: 4),
      ]
      model = try Model(
        Sequential(layers), input: SampleShape(channels: 20), capacity: capacity,
        connections: ["a": 120, "c": 25])
      model.draw(seed: 1, initializer: Initializer(.heUniform))
      var settings = TrainingStep.Settings()
      settings.method = method
      settings.schedule = UpdateSchedule(interval: 2, end: nil, annealing: .constant)
      settings.accumulation = accumulation
      settings.clipNorm = 1
      step = TrainingStep(
        model: model, loss: CrossEntropy(), optimizer: SGD(momentum: 0.9, weightDecay: 1e-3),
        learningRate: LearningRateSchedule(peak: 0.1), settings: settings,
        pool: try ThreadPool(threads: 2), seed: 9)
      batch = Batch(for: model)
    }

    /// Trains on samples of a fixed random set.
    func train(_ samples: Range<Int>, deadLanes: Float = 0) throws -> TrainingStep.Report {
      batch.inputs.set(
        samples.flatMap { randomValues(20, seed: UInt64($0) + 100) })
      batch.inputs.fillDeadLanes(deadLanes)
      batch.labels.count = samples.count
      for (place, sample) in samples.enumerated() { batch.labels[place] = sample * 7 % 4 }
      return try step.train(on: batch)
    }

    /// Every number that training changes, in the order of positions.
    var numbers: [Float] {
      model.weightLayers.flatMap { $0.dense($0.weight.values) + ($0.bias?.values.array() ?? []) }
    }
  }

  /// Bit for bit: inputs of 1e3 in the lanes beyond the samples change nothing, whether the weights
  /// or the topology move.
  @Test(arguments: [1, 7, 8, 9, 31, 32, 33, 65], [RigL(), SET()] as [any TopologyMethod])
  func deadLanesDoNotMatter(samples: Int, method: any TopologyMethod) throws {
    // Room for whole groups, so that the test can write to all lanes; of 8, 16 and 32 lanes.
    for capacity in [samples.roundedUp(to: samples > 16 ? 32 : samples > 8 ? 16 : 8), 96] {
      var results: [[Float]] = []
      for value in [0, 1e3] as [Float] {
        let training = try Training(capacity: capacity, method: method, dropout: 0.2)
        var losses: [Float] = []
        for number in 0..<6 {
          let begin = number * samples
          let report = try training.train(begin..<begin + samples, deadLanes: value)
          losses.append(Float(report.loss))
        }
        results.append(losses + training.numbers)
      }
      #expect(results[0] == results[1], "capacity \(capacity)")
      #expect(results[0].allSatisfy { $0.isFinite })
    }
  }

  /// Rounding apart, two batches of 32 are one of 64.
  @Test func accumulationEqualsALargeBatch() throws {
    let whole = try Training(capacity: 64, method: StaticTopology())
    let halves = try Training(capacity: 32, method: StaticTopology(), accumulation: 2)
    for number in 0..<4 {
      let begin = number * 64
      let report = try whole.train(begin..<begin + 64)
      let first = try halves.train(begin..<begin + 32)
      #expect(!first.movedWeights && halves.step.weightSteps == number)
      let second = try halves.train(begin + 32..<begin + 64)
      #expect(second.movedWeights && halves.step.weightSteps == number + 1)
      #expect(((first.loss + second.loss) / 2 - report.loss).magnitude < 1e-6)
    }
    for (one, other) in zip(whole.numbers, halves.numbers) {
      #expect((one - other).magnitude <= 1e-5, "\(one), \(other)")
    }
  }

  /// What accumulated batches make one step of may differ in size: the gradient is the mean over all
  /// samples, and so is the norm that is clipped.
  @Test(arguments: [[40, 24], [64, 1, 15], [7, 64], [33, 33, 2]])
  func accumulationWeighsSamplesNotBatches(sizes: [Int]) throws {
    let all = sizes.reduce(0, +)
    let whole = try Training(capacity: all, method: StaticTopology())
    let parts = try Training(capacity: 64, method: StaticTopology(), accumulation: sizes.count)
    for number in 0..<4 {
      let report = try whole.train(number * all..<(number + 1) * all)
      var (begin, loss) = (number * all, 0.0)
      for (place, size) in sizes.enumerated() {
        let part = try parts.train(begin..<begin + size)
        #expect(part.movedWeights == (place == sizes.count - 1))
        loss += part.loss * Double(size) / Double(all)
        begin += size
        guard part.movedWeights else { continue }
        let (norm, expected) = (try #require(part.gradientNorm), try #require(report.gradientNorm))
        #expect((norm - expected).magnitude < 1e-5 * expected, "\(norm), \(expected)")
      }
      #expect((loss - report.loss).magnitude < 1e-6)
    }
    for (one, other) in zip(whole.numbers, parts.numbers) {
      #expect((one - other).magnitude <= 1e-5, "\(one), \(other)")
    }
  }

  /// A topology update sees one batch, and never comes in the middle of an accumulation: RigL's is
  /// made in the place of a batch, SET's at the beginning of an accumulated step.
  @Test func updatesComeBetweenAccumulatedSteps() throws {
    func kinds(_ method: any TopologyMethod) throws -> String {
      let training = try Training(capacity: 16, method: method, accumulation: 3)
      let kinds = try (0..<14).map { number in
        let report = try training.train(number * 16..<number * 16 + 16)
        return report.dropFraction != nil ? "u" : report.movedWeights ? "w" : "-"
      }
      #expect(training.step.batchesConsumed == 14)
      return kinds.joined()
    }
    #expect(try kinds(RigL()) == "u--w--wu--w--w")
    #expect(try kinds(SET()) == "--wu-w--wu-w--")
  }

  /// A smaller batch than the model has room for gives the bits that a model of its size gives.
  @Test func roomForMoreSamplesDoesNotMatter() throws {
    let (small, large) = (try Training(capacity: 40), try Training(capacity: 96))
    for number in 0..<5 {
      let (one, other) = (
        try small.train(number * 40..<number * 40 + 40),
        try large.train(number * 40..<number * 40 + 40)
      )
      #expect(one.loss == other.loss)
    }
    #expect(small.numbers == large.numbers)
  }
}

extension Int {
  func roundedUp(to multiple: Int) -> Int { (self + multiple - 1) / multiple * multiple }
}

/// The same bits with any number of threads.
@Suite struct ThreadTests {
  @Test(arguments: [Configuration.Method.rigl, .set], [Configuration.OptimizerKind.sgd, .adam])
  func trainingDoesNotDependOnThreads(
    method: Configuration.Method, optimizer: Configuration.OptimizerKind
  ) throws {
    var configuration = Configuration()
    configuration.method = method
    configuration.optimizer = optimizer
    configuration.hidden = [400, 300]
    configuration.layerSparsities = ["fc3": 0]
    configuration.batchSize = 70
    configuration.updateInterval = 4
    configuration.dropout = 0.2
    configuration.clipNorm = 0.5
    configuration.learningRate = optimizer == .sgd ? 0.1 : 1e-3
    let samples = RandomSamples(count: 400, width: 300, classes: 10)
    var expected: [Float]?
    for (threads, policy) in ThreadTests.pools {
      let options = RunOptions(threads: threads)
      let trainer = try Trainer(
        configuration, options: options, data: TrainingData(train: samples, test: samples))
      trainer.pool.setPolicy(policy)
      var numbers: [Float] = []
      for _ in 0..<(method == .rigl ? 38 : 30) {
        let report = try trainer.trainNextBatch()
        numbers += [Float(report.loss), Float(report.gradientNorm ?? 0)]
      }
      #expect(trainer.step.weightSteps == 30)
      for layer in trainer.model.weightLayers {
        numbers += layer.dense(layer.weight.values) + (layer.bias?.values.array() ?? [])
      }
      if let expected {
        #expect(numbers == expected, "\(threads) threads, \(policy)")
      } else {
        expected = numbers
      }
    }
  }

  /// One thread first; then more, by every way of choosing who runs a job.
  private static let pools: [(threads: Int, policy: ThreadPool.Policy)] =
    [(1, .adaptive)]
    + [2, 3].flatMap { threads in ThreadPool.Policy.allCases.map { (threads, $0) } }

  @Test func convolutionsDoNotDependOnThreads() throws {
    var configuration = Configuration()
    configuration.network = "wrn-10-1"
    configuration.widthMultiplier = 0.5
    configuration.batchSize = 20
    configuration.updateInterval = 3
    let data = RandomSamples(
      count: 60, shape: SampleShape(channels: 1, height: 32, width: 32), classes: 10)
    var expected: [Float]?
    for (threads, policy) in ThreadTests.pools where threads != 3 || policy == .alternating {
      let options = RunOptions(threads: threads)
      let trainer = try Trainer(
        configuration, options: options, data: TrainingData(train: data, test: data))
      trainer.pool.setPolicy(policy)
      var numbers: [Float] = []
      for _ in 0..<8 { numbers.append(Float(try trainer.trainNextBatch().loss)) }
      for parameter in trainer.model.parameters { numbers += parameter.values.array() }
      for average in trainer.model.averages { numbers += average.values.array() }
      #expect(numbers.allSatisfy { $0.isFinite })
      if let expected {
        #expect(numbers == expected, "\(threads) threads, \(policy)")
      } else {
        expected = numbers
      }
    }
  }
}
