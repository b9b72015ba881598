import Foundation
import RigLCore
import Testing

/// A sparse layer outside the library, the convolution of Examples/Sources/own-layer, is like any
/// other: its numbers are those of plain loops, it grows, allocates nothing, is counted, timed,
/// resumed and exported. Its finite differences are in ``LayerGradientTests``.
@Suite struct OwnLayerTests {
  struct OwnNetwork: Network {
    func layers(input: SampleShape, classes: Int) -> Sequential {
      Sequential(
        SparseConv1d("conv1", channels: input.channels, outputs: 8, kernel: 5), ReLU(),
        SparseConv1d("conv2", channels: 8, outputs: 6, kernel: 3), ReLU(), Dropout(0.2),
        SparseLinear("output", inputs: 6 * input.width, outputs: classes))
    }
  }

  static let shape = SampleShape(channels: 2, height: 1, width: 12)

  static func trainer(
    threads: Int = 1, output: String? = nil, _ change: (inout Configuration) -> Void = { _ in }
  ) throws -> Trainer {
    var configuration = Configuration()
    configuration.batchSize = 40
    configuration.sparsity = 0.7
    configuration.distribution = .erdosRenyiKernel
    configuration.firstLayerSparse = true
    configuration.updateInterval = 2
    configuration.epochs = 4
    configuration.validation = 0
    configuration.learningRate = 0.05
    change(&configuration)
    let options = RunOptions(threads: threads, output: output)
    let samples = RandomSamples(count: 230, shape: shape, classes: 5)
    return try Trainer(
      configuration, options: options, network: OwnNetwork(),
      data: TrainingData(train: samples, test: samples))
  }

  /// A layer with all of its connections is written as a plain tensor, and read again.
  @Test func aWholeLayerIsReadAgain() throws {
    let folder = try TemporaryFolder()
    let whole = try Self.trainer(output: folder("run")) {
      $0.firstLayerSparse = false
      $0.distribution = .uniform
      $0.epochs = 1
    }
    #expect(whole.model.sparseLayers[0].density == 1)
    _ = try whole.run()
    let saved = try SavedRun(folder("run"), network: OwnNetwork())
    #expect(saved.model.connections == whole.model.connections)
    let again = try Self.trainer {
      $0.firstLayerSparse = false
      $0.distribution = .uniform
      $0.epochs = 1
    }
    _ = try again.resume(folder("run"))
    for (one, other) in zip(whole.model.parameters, again.model.parameters) {
      #expect(one.values.array() == other.values.array())
    }
  }

  // MARK: - Numbers

  /// Forward, and the dense gradient at every position, of a convolution between probes.
  @Test(arguments: [3, 16, 141]) func numbersAreThoseOfPlainLoops(samples: Int) throws {
    let (input, outputs, kernel) = (SampleShape(channels: 3, height: 1, width: 9), 4, 5)
    let layer = SparseConv1d("a", channels: 3, outputs: outputs, kernel: kernel)
    let model = try Model(
      Sequential(layer), input: input, capacity: samples, connections: ["a": 23])
    model.draw(seed: 2, initializer: Initializer(.heNormal))
    let weights = model.weightLayers[0]
    weights.setBias([0.5, -0.25, 0, 1])
    let (x, dy) = (
      randomValues(input.count * samples, seed: 1),
      randomValues(model.outputs * samples, seed: 2)
    )
    let pass = Pass(pool: try ThreadPool(threads: 2), seed: 1)
    pass.isTraining = true
    let y = try model.forward(model.makeInput(x), pass).values()
    let dense = weights.dense(weights.weight.values)
    let bias: [Double] = [0.5, -0.25, 0, 1]
    var gradient = [Double](repeating: 0, count: outputs * 3 * kernel)
    var expected = [Double](repeating: 0, count: samples * outputs * input.width)
    for sample in 0..<samples {
      for output in 0..<outputs {
        for place in 0..<input.width {
          let index = (sample * outputs + output) * input.width + place
          expected[index] += bias[output]
          for channel in 0..<3 {
            for tap in 0..<kernel {
              let column = place + tap - kernel / 2
              guard column >= 0, column < input.width else { continue }
              let value = Double(x[(sample * 3 + channel) * input.width + column])
              let position = (output * 3 + channel) * kernel + tap
              expected[index] += Double(dense[position]) * value
              gradient[position] += Double(dy[index]) * value
            }
          }
        }
      }
    }
    #expect(zip(y, expected).allSatisfy { (Double($0) - $1).magnitude < 1e-5 })
    let found = try model.denseGradients(model.makeOutputGradient(dy), pass)[0]
    let scale = Double(samples).squareRoot()
    #expect(zip(found, gradient).allSatisfy { (Double($0) - $1).magnitude < 2e-6 * 30 * scale })
    // At connections, the backward pass's own sums.
    let own = weights.dense(weights.weight.gradient)
    for position in weights.connections?.connectedPositions() ?? [] {
      #expect((Double(own[position]) - gradient[position]).magnitude < 2e-6 * 30 * scale)
    }
  }

  /// The same of a locally connected layer, whose outputs read windows of their own.
  @Test(arguments: [3, 70]) func windowsAreThoseOfPlainLoops(samples: Int) throws {
    let layer = LocallyConnected("a", channels: 2, width: 12, outputs: 3, kernel: 4, stride: 2)
    let model = try Model(
      Sequential(layer), input: Self.shape, capacity: samples, connections: ["a": 50])
    model.draw(seed: 2, initializer: Initializer(.heNormal))
    let (x, dy) = (
      randomValues(24 * samples, seed: 1), randomValues(model.outputs * samples, seed: 2)
    )
    let pass = Pass(pool: try ThreadPool(threads: 2), seed: 1)
    pass.isTraining = true
    let y = try model.forward(model.makeInput(x), pass).values()
    let weights = model.weightLayers[0]
    let dense = weights.dense(weights.weight.values)
    let found = try model.denseGradients(model.makeOutputGradient(dy), pass)[0]
    let own = weights.dense(weights.weight.gradient)
    let mask = weights.mask()
    for output in 0..<layer.outputs {
      for sample in 0..<samples {
        let expected = (0..<layer.inputs).reduce(0.0) {
          let value = x[sample * 24 + layer.value(output: output, input: $1)]
          return $0 + Double(dense[output * layer.inputs + $1]) * Double(value)
        }
        #expect((Double(y[sample * layer.outputs + output]) - expected).magnitude < 1e-5)
      }
      for input in 0..<layer.inputs {
        let gradient = (0..<samples).reduce(0.0) {
          let value = x[$1 * 24 + layer.value(output: output, input: input)]
          return $0 + Double(dy[$1 * layer.outputs + output]) * Double(value)
        }
        let position = output * layer.inputs + input
        #expect((Double(found[position]) - gradient).magnitude < 1e-4)
        if mask[position] != 0 { #expect((Double(own[position]) - gradient).magnitude < 1e-4) }
      }
    }
  }

  /// Gradients of two batches add up, the bias's included.
  @Test func gradientsAccumulate() throws {
    let layer = SparseConv1d("a", channels: 2, outputs: 3, kernel: 3)
    let model = try Model(
      Sequential(layer, ReLU()), input: Self.shape, capacity: 20, connections: ["a": 10])
    model.draw(seed: 2, initializer: Initializer(.heNormal))
    let pass = Pass(pool: try ThreadPool(threads: 1), seed: 1)
    pass.isTraining = true
    func gradients(_ seed: UInt64) throws -> [[Float]] {
      _ = try model.forward(
        model.makeInput(randomValues(Self.shape.count * 20, seed: seed)), pass)
      let dy = randomValues(model.outputs * 20, seed: seed + 1)
      try model.backward(model.makeOutputGradient(dy), pass)
      return model.parameters.map { $0.gradient.array() }
    }
    let (one, other) = (try gradients(1), try gradients(5))
    _ = try gradients(1)
    pass.accumulatesGradients = true
    for (sum, parts) in zip(try gradients(5), zip(one, other)) {
      for (value, part) in zip(sum, zip(parts.0, parts.1)) {
        #expect((value - part.0 - part.1).magnitude < 1e-4)
      }
    }
  }

  // MARK: - Growth

  /// Grows by a given gradient of the logits; returns where connections are before and after, and the
  /// dense gradient that decides.
  private func grow(
    _ layer: some WeightLayer, threads: Int, newWeight: NewConnectionWeight = .zero
  ) throws -> (before: [Int], after: [Int], gradient: [Float], weights: [Float]) {
    let samples = 37
    let model = try Model(
      Sequential(layer, ReLU()), input: Self.shape, capacity: samples, connections: ["a": 20])
    model.draw(seed: 4, initializer: Initializer(.heNormal))
    let (x, dy) = (
      randomValues(Self.shape.count * samples, seed: 8),
      randomValues(model.outputs * samples, seed: 9)
    )
    let pool = try ThreadPool(threads: threads)
    pool.setPolicy(.always)
    let pass = Pass(pool: pool, seed: 1)
    pass.isTraining = true
    _ = try model.forward(model.makeInput(x), pass)
    let gradient = try model.denseGradients(model.makeOutputGradient(dy), pass)[0]
    let before = model.sparseLayers[0].connectedPositions()
    var settings = TrainingStep.Settings()
    settings.method = RigL()
    settings.schedule = UpdateSchedule(
      interval: 1, end: 10, initialFraction: 0.4, annealing: .constant)
    settings.newWeight = newWeight
    let step = TrainingStep(
      model: model, loss: GivenGradient(gradient: dy), optimizer: SGD(),
      learningRate: LearningRateSchedule(peak: 0.1), settings: settings, pool: pool, seed: 1)
    let batch = Batch(for: model)
    batch.inputs.set(x)
    batch.labels.count = samples
    let old = model.weightLayers[0].dense(model.weightLayers[0].weight.values)
    let report = try step.train(on: batch)
    #expect(report.dropFraction != nil)
    #expect(old.count == gradient.count)
    let new = model.weightLayers[0].dense(model.weightLayers[0].weight.values)
    return (before, model.sparseLayers[0].connectedPositions(), gradient, new)
  }

  /// What is grown has the largest gradients of all that was not kept, whoever writes them.
  @Test(arguments: [1, 2]) func growthIsByTheDenseGradient(threads: Int) throws {
    let layer = SparseConv1d("a", channels: 2, outputs: 6, kernel: 5)
    let one = try grow(layer, threads: threads)
    let (before, after) = (Set(one.before), Set(one.after))
    let (grown, dropped) = (after.subtracting(before), before.subtracting(after))
    #expect(one.after.count == 20 && !grown.isEmpty)
    let least = grown.map { one.gradient[$0].magnitude }.min() ?? 0
    let others = Set(one.gradient.indices).subtracting(after)
    #expect(others.isSuperset(of: dropped))
    #expect(others.allSatisfy { one.gradient[$0].magnitude <= least })
    let other = try grow(LoopedGrowth(layer: layer), threads: threads)
    #expect(other.after == one.after)
  }

  /// New connections whose weight begins with the gradient take that of their position.
  @Test(
    arguments: [
      SparseConv1d("a", channels: 2, outputs: 6, kernel: 5),
      LocallyConnected("a", channels: 2, width: 12, outputs: 1, kernel: 4, stride: 2),
    ] as [any WeightLayer])
  func newWeightsAreGradients(layer: any WeightLayer) throws {
    let one = try grow(layer, threads: 1, newWeight: .gradient(divisor: 2))
    #expect(one.after != one.before)
    for position in Set(one.after).subtracting(one.before) {
      let expected = one.gradient[position] / 2
      #expect((one.weights[position] - expected).magnitude < 1e-4 * max(1, expected.magnitude))
    }
  }

  // MARK: - Trainings

  @Test func bitsDependNeitherOnThreadsNorOnInterruptions() throws {
    let folder = try TemporaryFolder()
    func weights(_ trainer: Trainer) -> [[Float]] {
      trainer.model.parameters.map { $0.values.array() }
    }
    let one = try Self.trainer()
    let before = one.model.sparseLayers.map { $0.connectedPositions() }
    _ = try one.run()
    #expect(one.model.sparseLayers.map(\.name) == ["conv1", "conv2", "output"])
    for (layer, old) in zip(one.model.sparseLayers, before) {
      #expect(layer.connectedPositions() != old && layer.count == old.count)
    }
    let two = try Self.trainer(threads: 2)
    two.pool.setPolicy(.always)
    _ = try two.run()
    #expect(weights(two) == weights(one))
    let stopped = try Self.trainer(output: folder("run"))
    stopped.callbacks = [Watcher(stopAt: 9, by: .interrupt)]
    _ = try stopped.run()
    #expect(weights(stopped) != weights(one))
    let resumed = try Self.trainer(threads: 2)
    _ = try resumed.resume(folder("run"))
    #expect(weights(resumed) == weights(one))
  }

  // MARK: - Reports

  @Test func stagesAreTimed() throws {
    let trainer = try Self.trainer()
    let clock = StageClock(for: trainer.step)
    trainer.step.clock = clock
    var seconds: [StepStage: Double] = [:]
    let part = try #require(clock.parts.firstIndex { $0.name == "conv2" })
    for _ in 0..<4 {
      clock.start()
      try trainer.trainNextBatch()
      let times = clock.stop()
      for kind in StepStage.allCases { seconds[kind, default: 0] += times[part, kind] }
    }
    let kinds: Set<StepStage> = [
      .forwardWeights, .forwardPack, .forwardKernel, .backwardPack, .backwardKernel,
      .backwardUnpack, .growth, .rewiring,
    ]
    for kind in kinds { #expect(seconds[kind, default: 0] > 0, "\(kind.name)") }
    let work = clock.parts[part].work
    for kind in kinds where kind != .rewiring { #expect(work[kind] != nil, "\(kind.name)") }
    // 40 samples of 12 columns.
    let connections = Double(try #require(clock.parts[part].connections))
    #expect(work[.forwardKernel]?.flops == 2 * connections * 40 * 12)
    #expect(work[.growth]?.flops == 2 * Double(6 * 8 * 3) * 40 * 12)
    #expect(clock.parts[part].shape == [6, 8, 3])
  }

  @Test func operationsAreCountedAtEveryPlace() throws {
    let model = try Self.trainer().model
    let layer = model.weightLayers[0].accounted
    #expect(layer.shape == [8, 2, 5] && layer.positions == 80)
    let sparse = layer.withConnections(30)
    #expect(Accounting.real.cost(of: sparse).flops == Double(12 * (2 * 30 + 8)))
    #expect(Accounting.real.cost(of: layer).bytes == Double(4 * (80 + 8)))
    #expect(Accounting.paper.cost(of: layer).flops == Double(12 * 8 * (2 * 10 + 1)))
  }

  @Test func filesHaveItsNameAndShape() throws {
    let folder = try TemporaryFolder()
    let trainer = try Self.trainer(output: folder("run"))
    _ = try trainer.run()
    let run = try SavedRun(folder("run"), network: OwnNetwork())
    try run.export(to: folder("dense.safetensors"), isDense: true)
    let file = try SafetensorsFile(path: folder("dense.safetensors"))
    for layer in trainer.model.weightLayers {
      let weight = try file.float32("\(layer.name).weight", shape: layer.shape)
      #expect(weight == layer.dense(layer.weight.values))
    }
    #expect(try file.float32("conv1.bias", shape: [8]).contains { $0 != 0 })
    let model = try Model(
      OwnNetwork().layers(input: Self.shape, classes: 5), input: Self.shape, capacity: 1,
      connections: Dictionary(
        uniqueKeysWithValues: trainer.model.sparseLayers.map { ($0.name, $0.count) }),
      isTraining: false)
    try run.export(to: folder("sparse.safetensors"), isDense: false)
    try model.load(from: folder("sparse.safetensors"))
    let values = randomValues(Self.shape.count, seed: 3)
    let pass = Pass(pool: try ThreadPool(threads: 1), seed: 1)
    let own = try model.forward(model.makeInput(values), pass).values()
    #expect(try run.logits([values])[0] == own)
  }
}

extension AllocationTests {
  /// Nor does one of a network with an own sparse layer.
  @Test(arguments: [1, 2]) func aStepOfAnOwnLayerAllocatesNothing(threads: Int) throws {
    let trainer = try OwnLayerTests.trainer(threads: threads) { $0.epochs = 20 }
    trainer.step.clock = StageClock(for: trainer.step)
    try expectNoAllocation(on: trainer.pool, after: 6) {
      trainer.step.clock?.start()
      try trainer.trainNextBatch()
    }
  }
}
