import RigLCore
import Testing

/// Mistakes of a program end it with a sentence. (Whether release builds keep the sentence,
/// `scripts/dependency-test` says.)
@Suite struct TrapTests {
  /// Expects a sentence on the standard error of a process that has failed.
  private func expect(
    _ result: ExitTest.Result?, says words: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let result = try #require(result, sourceLocation: sourceLocation)
    let text = String(decoding: result.standardErrorContent, as: UTF8.self)
    #expect(text.contains(words), "\(text.suffix(500))", sourceLocation: sourceLocation)
  }

  @Test func aValueThatATensorDoesNotHave() async throws {
    let result = await #expect(
      processExitsWith: .failure, observing: [\.standardErrorContent]
    ) {
      let tensor = Tensor(shape: SampleShape(channels: 3), capacity: 4, lanes: 8)
      tensor[1, 3] = 0
    }
    try expect(result, says: "RigLCore/Tensor.swift")
    try expect(result, says: "value 3 of 3")
  }

  @Test func anElementThatABufferDoesNotHave() async throws {
    let result = await #expect(
      processExitsWith: .failure, observing: [\.standardErrorContent]
    ) {
      let labels = Labels(capacity: 4)
      labels[4] = 1
    }
    try expect(result, says: "index 4 of 4 elements")
  }

  @Test func moreSamplesThanThereIsRoomFor() async throws {
    let result = await #expect(
      processExitsWith: .failure, observing: [\.standardErrorContent]
    ) {
      let tensor = Tensor(shape: SampleShape(channels: 3), capacity: 4, lanes: 8)
      tensor.samples = 5
    }
    try expect(result, says: "5 of 4 samples")
  }

  @Test func aLayerWithoutInputs() async throws {
    let result = await #expect(
      processExitsWith: .failure, observing: [\.standardErrorContent]
    ) {
      _ = SparseLinear("hidden", inputs: 0, outputs: 5)
    }
    try expect(result, says: "layer hidden: 0 inputs, 5 outputs; it needs at least one of each")
  }

  @Test func weightsThatAreNotAsManyAsConnections() async throws {
    let result = await #expect(
      processExitsWith: .failure, observing: [\.standardErrorContent]
    ) {
      let model = try makeModel(
        SparseLinear("hidden", inputs: 6, outputs: 5), inputs: 6, capacity: 4,
        connections: ["hidden": 12])
      model.sparseLayers.first?.setWeights(AlignedBuffer(count: 3))
    }
    try expect(result, says: "layer hidden: 3 values for 12 connections")
  }

  @Test func slotsOfOneName() async throws {
    struct Twice: Optimizer {
      let slotNames = ["a", "a"]
      func update(
        _ parameter: Parameter, slots: [Slot], range: Range<Int>, settings: StepSettings
      ) {}
    }
    let result = await #expect(
      processExitsWith: .failure, observing: [\.standardErrorContent]
    ) {
      _ = OptimizerState(Twice(), parameters: [])
    }
    try expect(result, says: "optimizer Twice: the slot 'a' is there twice")
  }

  /// Applies what follows it to a tensor of its own of which its place does not know.
  private struct Elsewhere: Layer {
    var fusing: Fusing { .appliesEpilogue }
    func makeStage(_ site: StageSite) throws(RigLError) -> any Stage { ElsewhereStage(site) }
  }

  private final class ElsewhereStage: Stage {
    private let site: StageSite
    private let other: Tensor

    init(_ site: StageSite) {
      self.site = site
      other = Tensor(
        shape: SampleShape(channels: site.output.shape.count + 1), capacity: site.capacity,
        lanes: site.lanes)
    }

    func forward(_ pass: Pass) {
      other.samples = site.input.samples
      site.epilogue.apply(to: other, bias: nil, pass)
    }

    func backward(_ pass: Pass) {}
  }

  @Test func anEpilogueOfAnotherTensor() async throws {
    let result = await #expect(
      processExitsWith: .failure, observing: [\.standardErrorContent]
    ) {
      let model = try makeModel(
        SparseLinear("hidden", inputs: 6, outputs: 5), Elsewhere(), GELU(), inputs: 6, capacity: 4,
        connections: ["hidden": 12])
      model.draw(seed: 1, initializer: Initializer(.heNormal))
      let pass = Pass(pool: try ThreadPool(threads: 1), seed: 0)
      pass.isTraining = true
      _ = try model.forward(model.makeInput(randomValues(24, seed: 1)), pass)
    }
    try expect(result, says: "Epilogue: an output of 6 values, but the site's is of 5")
  }

  @Test func aModelForPredictionThatIsTrained() async throws {
    let result = await #expect(
      processExitsWith: .failure, observing: [\.standardErrorContent]
    ) {
      let model = try makeModel(
        SparseLinear("output", inputs: 6, outputs: 3), inputs: 6, capacity: 4, isTraining: false)
      let step = TrainingStep(
        model: model, loss: CrossEntropy(), optimizer: SGD(),
        learningRate: LearningRateSchedule(peak: 0.1), settings: TrainingStep.Settings(),
        pool: try ThreadPool(threads: 1), seed: 0)
      let batch = Batch(for: model)
      batch.labels.count = 4
      _ = try step.train(on: batch)
    }
    try expect(result, says: "a training pass of a model for prediction")
  }
}
