import RigLCore
import Testing

/// Everything that users may bring of their own, as small as it can be, in one training.
@Suite struct ExtensionTests {
  /// An own network, with an own layer and a dense layer among sparse ones.
  struct OwnNetwork: Network {
    func layers(input: SampleShape, classes: Int) -> Sequential {
      Sequential(
        SparseLinear("hidden", inputs: input.count, outputs: 40), Scale(), ReLU(),
        DenseLinear("middle", inputs: 40, outputs: 20), ReLU(),
        SparseLinear("output", inputs: 20, outputs: classes))
    }
  }

  /// An own dataset: which quarter of the circle a point lies in.
  struct OwnDataset: Dataset {
    let count = 200
    let sampleShape = SampleShape(channels: 8)
    let classes = 4

    func label(of sample: Int) -> Int { sample % 4 }

    func write(_ sample: Int, into values: inout MutableSpan<Float>) {
      for index in values.indices {
        let sign: Float = (sample % 4) >> (index % 2) & 1 == 0 ? 1 : -1
        values[index] = sign * (1 + Float(sample * 31 % 17 + index) / 20)
      }
    }
  }

  /// An own method: SET, but only half as many at odd steps.
  struct OwnMethod: TopologyMethod {
    let timing = TopologyTiming.afterWeightStep

    func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
      let moved = layer.step % 2 == 0 ? count : count / 2
      try layer.dropSmallestMagnitudes(moved)
      try layer.growAtRandom(moved)
    }
  }

  /// An own optimizer: momentum of signs.
  struct OwnOptimizer: Optimizer {
    let slotNames = ["mean"]

    func update(
      _ parameter: Parameter, slots: [Slot], range: Range<Int>, settings: StepSettings
    ) {
      let mean = slots[0]
      for index in range {
        mean.buffer[index] = 0.9 * mean.buffer[index] + 0.1 * parameter.gradient[index]
        let sign: Float = mean.buffer[index] == 0 ? 0 : mean.buffer[index] > 0 ? 1 : -1
        parameter.values[index] -= Float(settings.learningRate) * sign
      }
    }
  }

  /// An own callback: stops when the training is good enough.
  final class OwnCallback: TrainingCallback {
    var losses: [Double] = []

    func observe(_ event: TrainingEvent, in trainer: Trainer) -> TrainingDecision {
      if case .epoch(_, let loss?, _, _) = event { losses.append(loss) }
      return (losses.last ?? 1) < 0.05 ? .stop : .proceed
    }
  }

  @Test func aTrainingOfOwnParts() throws {
    var configuration = Configuration()
    configuration.sparsity = 0.6
    configuration.distribution = .uniform
    configuration.firstLayerSparse = true
    configuration.batchSize = 20
    configuration.epochs = 12
    configuration.updateInterval = 5
    configuration.learningRate = 0.01
    configuration.schedule = .constant
    configuration.validation = 0
    let folder = try TemporaryFolder()
    let options = RunOptions(threads: 2, output: folder("run"))
    let data = TrainingData(train: OwnDataset(), test: OwnDataset())
    let trainer = try Trainer(
      configuration, options: options, network: OwnNetwork(), data: data, loss: SquaredError(),
      method: OwnMethod(), optimizer: OwnOptimizer())
    let callback = OwnCallback()
    trainer.callbacks = [callback]
    #expect(trainer.model.sparseLayers.map(\.name) == ["hidden", "output"])
    #expect(trainer.model.weightLayers.map(\.name) == ["hidden", "middle", "output"])
    let before = trainer.model.sparseLayers.map { $0.connectedPositions() }
    let result = try trainer.run()
    let first = try #require(callback.losses.first)
    let last = try #require(callback.losses.last)
    #expect(last < first / 2, "losses \(callback.losses)")
    #expect(trainer.model.sparseLayers.map { $0.connectedPositions() } != before)
    #expect(trainer.model.sparseLayers.map(\.count) == before.map(\.count))
    #expect(result.wasStopped == (last < 0.05))
    if let test = result.test { #expect(test.accuracy > 0.9) }
  }
}

/// Making models, large and small.
@Suite struct ModelTests {
  /// 10^10 positions: the topology is drawn without a dense mask, and memory is a matter of the
  /// connections and widths.
  @Test func aHugeLayerIsDrawnSparsely() throws {
    let width = 100_000
    let count = 200_000
    let layer = SparseLinear("huge", inputs: width, outputs: width, bias: false)
    let model = try makeModel(
      layer, inputs: width, capacity: 1, connections: ["huge": count], isTraining: false)
    model.draw(seed: 1, initializer: Initializer(.heUniform, countsConnections: true))
    let connections = model.sparseLayers[0]
    let positions = connections.connectedPositions()
    #expect(positions.count == count)
    #expect(zip(positions, positions.dropFirst()).allSatisfy { $0 < $1 })
    #expect((positions.last ?? 0) > width * width / 100 * 99)
    #expect(connections.bytes < 40 << 20, "\(connections.bytes) bytes")
    // y = W x of ones is each row's sum.
    let input = model.makeInput([Float](repeating: 1, count: width))
    let pass = Pass(pool: try ThreadPool(threads: 2), seed: 0)
    let output = try model.forward(input, pass).values()
    var sums = [Float](repeating: 0, count: width)
    connections.forEachConnection { _, position, storage in
      sums[position / width] += connections.parameter.values[storage]
    }
    let worst = zip(output, sums).map { ($0 - $1).magnitude }.max() ?? 1
    #expect(worst < 1e-4)
  }

  /// Draws depend on seed and layer alone: the same for any memory layout.
  @Test func drawingIsAFunctionOfTheSeed() throws {
    func draw(_ seed: UInt64, capacity: Int) throws -> [[Float]] {
      let model = try makeModel(
        SparseLinear("a", inputs: 30, outputs: 20), SparseLinear("b", inputs: 20, outputs: 20),
        inputs: 30, capacity: capacity, connections: ["a": 100, "b": 100])
      model.draw(seed: seed, initializer: Initializer(.glorotNormal))
      return model.weightLayers.map { $0.dense($0.weight.values) }
    }
    #expect(try draw(1, capacity: 1) == draw(1, capacity: 64))
    #expect(try draw(1, capacity: 1) != draw(2, capacity: 1))
  }

  /// Variances of the weights, sparse and dense, against the formulas.
  @Test(arguments: Initializer.Distribution.allCases, [false, true])
  func variances(distribution: Initializer.Distribution, countsConnections: Bool) throws {
    let (inputs, outputs, count) = (300, 200, 12_000)
    for connections in [count, inputs * outputs] {
      let layer = SparseLinear("a", inputs: inputs, outputs: outputs)
      let model = try makeModel(layer, inputs: inputs, capacity: 1, connections: ["a": connections])
      model.draw(
        seed: 4, initializer: Initializer(distribution, countsConnections: countsConnections))
      let weights = model.weightLayers[0]
      let degrees =
        weights.connections?.outputDegrees() ?? [Int](repeating: inputs, count: outputs)
      let counts = countsConnections
      let fanOut = counts ? Double(connections) / Double(inputs) : Double(outputs)
      var (sum, normalised, largest) = (0.0, 0.0, 0.0)
      weights.forEachStored { position, storage in
        let fanIn = counts ? Double(degrees[position / inputs]) : Double(inputs)
        let variance =
          switch distribution {
          case .glorotUniform, .glorotNormal: 2 / (fanIn + fanOut)
          case .heUniform, .heNormal: 2 / fanIn
          case .truncatedNormal: 1 / fanIn
          }
        let weight = Double(weights.weight.values[storage])
        sum += weight
        normalised += weight * weight / variance
        largest = max(largest, (weight * weight / variance).squareRoot())
      }
      let n = Double(connections)
      // The fourth moment is 3 for a normal, 9/5 for a uniform distribution.
      #expect((normalised / n - 1).magnitude < 5 * (2 / n).squareRoot())
      #expect((sum / n).magnitude < 5 * (0.1 / n).squareRoot())
      switch distribution {
      case .glorotUniform, .heUniform: #expect(largest <= 3.0.squareRoot() * 1.0001)
      case .glorotNormal, .heNormal: #expect(largest > 3)
      case .truncatedNormal: #expect(largest > 2.2 && largest < 2.274)
      }
      #expect(weights.bias?.values.array() == [Float](repeating: 0, count: outputs))
    }
  }

  /// Two standalone dropouts, one of them in a sequence within the sequence, drop differently.
  @Test func everyDropoutHasItsOwnMask() throws {
    func mask(_ layers: [any Layer]) throws -> [Float] {
      let model = try Model(
        Sequential(layers), input: SampleShape(channels: 50), capacity: 20)
      let pass = Pass(pool: try ThreadPool(threads: 1), seed: 1)
      pass.isTraining = true
      return try model.forward(model.makeInput([Float](repeating: 1, count: 1000)), pass).values()
    }
    func dropped(_ values: [Float]) -> Double {
      Double(values.count { $0 == 0 }) / Double(values.count)
    }
    // Independent masks of one half drop three quarters; the same mask twice would drop one half.
    #expect((dropped(try mask([Dropout(0.5)])) - 0.5).magnitude < 0.06)
    let pairs: [[any Layer]] = [
      [Dropout(0.5), Dropout(0.5)], [Sequential(Dropout(0.5)), Dropout(0.5)],
      [Sequential(Probe(), Dropout(0.5)), Dropout(0.5)],
      [Dropout(0.5), Sequential(Dropout(0.5))],
    ]
    for pair in pairs { #expect((dropped(try mask(pair)) - 0.75).magnitude < 0.06) }
  }

  @Test func mistakesInANetworkAreErrors() throws {
    #expect(throws: RigLError.self) {
      try makeModel(
        SparseLinear("a", inputs: 6, outputs: 5), SparseLinear("a", inputs: 5, outputs: 4),
        inputs: 6, capacity: 1)
    }
    #expect(throws: RigLError.self) {
      try makeModel(
        SparseLinear("a", inputs: 6, outputs: 5), SparseLinear("b", inputs: 4, outputs: 4),
        inputs: 6, capacity: 1)
    }
  }
}
