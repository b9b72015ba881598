import RigLCore
import Testing

/// What a loop of one's own gets wrong most easily.
@Suite struct OwnLoopMistakeTests {
  private static let samples = RandomSamples(count: 40, width: 12, classes: 3)

  private func step(
    draws: Bool = true, sparse: Bool = true, loss: any Loss = CrossEntropy(),
    optimizer: any Optimizer = SGD(momentum: 0.9),
    rate: LearningRateSchedule = LearningRateSchedule(peak: 0.1),
    _ change: (inout TrainingStep.Settings) -> Void = { _ in }
  ) throws -> TrainingStep {
    let model = try Model(
      Sequential(
        SparseLinear("one", inputs: 12, outputs: 20), ReLU(),
        SparseLinear("two", inputs: 20, outputs: 3)), input: SampleShape(channels: 12),
      capacity: 20, connections: sparse ? ["one": 60] : [:])
    if draws { model.draw(seed: 1, initializer: Initializer(.glorotUniform)) }
    var settings = TrainingStep.Settings()
    change(&settings)
    return TrainingStep(
      model: model, loss: loss, optimizer: optimizer, learningRate: rate, settings: settings,
      pool: try ThreadPool(threads: 1), seed: 1)
  }

  @discardableResult
  private func train(_ step: TrainingStep) throws -> TrainingStep.Report {
    let (batch, packer) = (Batch(for: step.model), try BatchPacker(Self.samples, for: step.model))
    try packer.take(0..<20)
    try batch.fill(from: packer)
    return try step.train(on: batch)
  }

  // MARK: - A model that was never drawn

  @Test func aModelThatWasNeverDrawnIsAnError() throws {
    let folder = try TemporaryFolder()
    let words = "layer one has no connections yet: draw(seed:initializer:), setConnections or load"
    for method in [StaticTopology(), RigL(), SET()] as [any TopologyMethod] {
      let step = try step(draws: false) {
        ($0.method, $0.schedule) = (
          method, UpdateSchedule(interval: 1, end: nil, annealing: .constant)
        )
      }
      let trained = rigLError { try train(step) }
      #expect(trained?.kind == .configuration && trained?.what == words, "\(trained as Any)")
      #expect(rigLError { try step.save(to: folder("step.safetensors")) }?.what == words)
      #expect(rigLError { try step.model.save(to: folder("model.safetensors")) }?.what == words)
      let pass = Pass(pool: try ThreadPool(threads: 1), seed: 0)
      let input = step.model.makeInput()
      input.samples = 2
      #expect(rigLError { _ = try step.model.forward(input, pass) }?.what == words)
      let evaluator = try Evaluator(
        model: step.model, loss: CrossEntropy(), dataset: Self.samples,
        pool: try ThreadPool(threads: 1))
      #expect(rigLError { _ = try evaluator.evaluate() }?.what == words)
      // Nothing is lost: drawn, it trains.
      step.model.draw(seed: 1, initializer: Initializer(.glorotUniform))
      #expect(try train(step).loss.isFinite)
    }
  }

  @Test func connectionsThatWereSetOrReadAreThere() throws {
    let folder = try TemporaryFolder()
    let set = try step(draws: false)
    try set.model.sparseLayers[0].setConnections(
      at: Array(0..<60), weights: [Float](repeating: 0.1, count: 60))
    #expect(try train(set).loss.isFinite)
    try set.model.save(to: folder("model.safetensors"))
    let read = try step(draws: false)
    try read.model.load(from: folder("model.safetensors"))
    #expect(try train(read).loss.isFinite)
    // All connections of a layer, and none of one.
    #expect(try train(step(draws: false, sparse: false)).loss.isFinite)
    let empty = try Model(
      Sequential(SparseLinear("none", inputs: 12, outputs: 3)), input: SampleShape(channels: 12),
      capacity: 4, connections: ["none": 0])
    let pass = Pass(pool: try ThreadPool(threads: 1), seed: 0)
    let input = empty.makeInput()
    input.samples = 1
    _ = try empty.forward(input, pass)
  }

  // MARK: - Settings of a step

  @Test func settingsThatCannotBeAreErrorsOfTheFirstStep() throws {
    func refused(_ step: TrainingStep) -> RigLError? { rigLError { try train(step) } }
    let cosine = refused(
      try step {
        $0.method = RigL()
        $0.schedule = UpdateSchedule(end: nil)
      })
    #expect(cosine?.kind == .configuration && cosine?.what.contains("without an end") == true)
    let never = refused(
      try step {
        $0.method = SET()
        $0.schedule = UpdateSchedule(interval: 0, end: 10)
      })
    #expect(never?.what.contains("every 0 steps") == true, "\(never as Any)")
    // Of a method that moves nothing, the schedule does not matter.
    #expect(refused(try step { $0.schedule = UpdateSchedule(end: nil) }) == nil)
    let others: [(TrainingStep, String)] = [
      (try step(rate: LearningRateSchedule(peak: -1)), "peak is -1.0"),
      (try step(loss: CrossEntropy(labelSmoothing: 3)), "label smoothing of 3.0"),
      (try step(optimizer: SGD(momentum: 5)), "momentum of 5.0"),
      (try step(optimizer: Adam(beta1: 1)), "beta1 of 1.0"),
      (try step(optimizer: Adam(beta2: .nan)), "beta2 of nan"),
      (try step(optimizer: Adam(epsilon: -1)), "epsilon of -1.0"),
      (try step { $0.clipNorm = 0 }, "norm of 0.0"),
    ]
    for (step, words) in others {
      let error = refused(step)
      #expect(error?.kind == .configuration, "\(words): \(error as Any)")
      #expect(error?.what.contains(words) == true, "\(words): \(error as Any)")
    }
  }

  // MARK: - Files of another model

  @Test func aFileOfADenseOrSparseModelSaysSo() throws {
    let folder = try TemporaryFolder()
    try step().model.save(to: folder("sparse.safetensors"))
    try step(sparse: false).model.save(to: folder("dense.safetensors"))
    let dense = rigLError { try step(sparse: false).model.load(from: folder("sparse.safetensors")) }
    #expect(dense?.what.contains("one is sparse there, dense here") == true, "\(dense as Any)")
    let sparse = rigLError { try step().model.load(from: folder("dense.safetensors")) }
    #expect(sparse?.what.contains("not there as a sparse weight") == true, "\(sparse as Any)")
    let state = rigLError { try step().load(from: folder("sparse.safetensors")) }
    #expect(state?.what.contains("without the optimizer's state") == true, "\(state as Any)")
    #expect(state?.hint?.contains("Model.load(from:)") == true)
  }
}
