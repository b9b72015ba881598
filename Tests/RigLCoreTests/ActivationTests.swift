import RigLCore
import Testing

/// Activation functions as layers: their values, where they are applied, what they keep. (Kernels are
/// tested in C, gradients in ``LayerGradientTests``.)
@Suite struct ActivationTests {
  static let all: [Activation] = [.relu, .leakyReLU(slope: 0.2)] + ActivationCases.smooth

  private func model(
    _ layers: [any Layer], input: SampleShape = SampleShape(channels: 20), samples: Int = 70,
    isTraining: Bool = true
  ) throws -> Model {
    let layers = Sequential(layers)
    var connections: [String: Int] = [:]
    for layer in layers.weightLayers where layer.canBeSparse {
      connections[layer.name] = layer.inputs * layer.outputs / 2
    }
    let model = try Model(
      layers, input: input, capacity: samples, connections: connections, isTraining: isTraining)
    model.draw(seed: 3, initializer: Initializer(.heNormal))
    return model
  }

  private func logits(_ model: Model, isTraining: Bool = false, threads: Int = 1) throws -> [Float]
  {
    let pass = Pass(pool: try ThreadPool(threads: threads), seed: 1)
    pass.isTraining = isTraining
    let values = randomValues(model.inputShape.count * model.capacity, seed: 5).map { 3 * $0 }
    return try model.forward(model.makeInput(values), pass).values()
  }

  /// The values are those of the function at what the layer before makes, fused or not, in training or
  /// not.
  @Test(arguments: all, [false, true]) func values(f: Activation, isTraining: Bool) throws {
    let products: [any Layer] = [
      SparseLinear("a", inputs: 20, outputs: 30), DenseLinear("a", inputs: 20, outputs: 30),
    ]
    for product in products {
      let before = try logits(try model([product]))
      let after = try logits(try model([product, f.layer]), isTraining: isTraining)
      try #require(before.count == after.count && before.contains { $0 < 0 })
      for (x, y) in zip(before, after) {
        let expected = f.exact(Double(x))
        #expect(abs(Double(y) - expected) <= 1e-6 * max(1e-3, abs(expected)), "\(f.name) of \(x)")
      }
      // By itself, too.
      let own = try logits(try model([product, Sequential(Scale(), f.layer)]))
      #expect(own == after)
    }
  }

  /// One stage with its activation and dropout, whatever the function.
  @Test(arguments: all) func isPartOfTheStageBefore(f: Activation) throws {
    var name = f.name
    if case .leakyReLU(let slope) = f { name += " \(slope)" }
    let lines = try model([
      SparseLinear("a", inputs: 20, outputs: 30), f.layer, Dropout(0.5),
      SparseLinear("b", inputs: 30, outputs: 4),
    ]).stageLines
    #expect(lines.count == 2)
    #expect(lines[0].contains("; \(name); dropout 0.5"), "\(lines[0])")
    let image = SampleShape(channels: 3, height: 8, width: 8)
    let planes = try model(
      [
        SparseConv2d("a", inputs: 3, outputs: 4, kernel: 3), BatchNorm("n", channels: 4), f.layer,
        SparseConv2d("b", inputs: 4, outputs: 4, kernel: 3), f.layer, GlobalAveragePool(),
      ], input: image, samples: 4
    ).stageLines
    #expect(planes.count == 3)
    #expect(planes[1].contains("; reads through n, \(name)"), "\(planes[1])")
    #expect(planes[2].contains("; reads through \(name)"), "\(planes[2])")
  }

  /// GELU and SiLU keep what they are applied to, in training alone and where nothing else does; reports
  /// count it.
  @Test(arguments: all) func memoryIsCounted(f: Activation) throws {
    let keeps = f == .gelu || f == .silu
    func layers(_ f: Activation) -> [any Layer] {
      [
        SparseLinear("a", inputs: 20, outputs: 30), f.layer,
        SparseLinear("b", inputs: 30, outputs: 4),
      ]
    }
    // 70 samples are three groups of 32.
    let kept = keeps ? 4 * 30 * 96 : 0
    let (own, relu) = (try model(layers(f)), try model(layers(.relu)))
    #expect(own.tensorBytes - relu.tensorBytes == kept)
    let bytes = { (model: Model) in model.stageDescriptions[0].outputBytes }
    #expect(bytes(own) - bytes(relu) == kept)
    let predictions = try [f, .relu].map { try model(layers($0), isTraining: false).tensorBytes }
    #expect(predictions[0] == predictions[1])
    func planes(_ f: Activation) throws -> Int {
      try model(
        [
          SparseConv2d("a", inputs: 3, outputs: 4, kernel: 3), f.layer,
          SparseConv2d("b", inputs: 4, outputs: 4, kernel: 3), f.layer, GlobalAveragePool(),
        ], input: SampleShape(channels: 3, height: 8, width: 8), samples: 4
      ).tensorBytes
    }
    let onPlanes = try [f, .relu].map(planes)
    #expect(onPlanes[0] == onPlanes[1])
  }

  /// The same weights after some steps, whatever the number of threads; and they move.
  @Test(arguments: all) func trainingDoesNotDependOnThreads(f: Activation) throws {
    func weights(threads: Int) throws -> [[Float]] {
      var configuration = Configuration()
      configuration.batchSize = 72
      configuration.sparsity = 0.9
      configuration.updateInterval = 2
      configuration.epochs = 10
      configuration.validation = 0
      var options = RunOptions()
      options.threads = threads
      let samples = RandomSamples(count: 300, width: 60, classes: 10)
      let trainer = try Trainer(
        configuration, options: options,
        network: MLP(hidden: [80, 50], dropout: 0.2, activation: f),
        data: TrainingData(train: samples, test: samples))
      var all = trainer.model.parameters.map { $0.values.array() }
      for _ in 0..<6 { try trainer.trainNextBatch() }
      let after = trainer.model.parameters.map { $0.values.array() }
      #expect(after != all)
      all = after
      let areFinite = all.joined().allSatisfy { $0.isFinite }
      #expect(areFinite)
      return all
    }
    let all = try (1...3).map(weights)
    #expect(all[1] == all[0] && all[2] == all[0])
  }

  /// Networks of each function differ.
  @Test func functionsDiffer() throws {
    let shape = SampleShape(channels: 20)
    var outputs = Set<[Float]>()
    for f in Self.all {
      let network = MLP(hidden: [30], activation: f)
      outputs.insert(try logits(try model(network.layers(input: shape, classes: 4).layers)))
    }
    #expect(outputs.count == Self.all.count)
  }

  @Test func aSlopeThatIsNoneEndsTheProgram() async {
    await #expect(processExitsWith: .failure) { _ = LeakyReLU(-0.1) }
    await #expect(processExitsWith: .failure) { _ = LeakyReLU(.infinity) }
  }

  @Test func names() {
    #expect(
      Self.all.map(\.name) == ["relu", "leaky-relu", "gelu", "silu", "tanh", "sigmoid"])
    #expect(LeakyReLU(0.3).kind == "LeakyReLU(0.3)" && GELU().kind == "GELU")
    #expect(Residual(main: [], activation: .gelu).kind == "Residual(GELU)")
    #expect(Residual(main: [], activation: .relu).kind == "Residual(ReLU)")
    #expect(Residual(main: []).kind == "Residual")
  }
}
