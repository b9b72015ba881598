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
