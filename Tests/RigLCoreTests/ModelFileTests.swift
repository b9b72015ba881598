import Foundation
import RigLCore
import Testing

/// Models and training steps of a loop of one's own, saved and loaded.
@Suite struct ModelFileTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  private static let methods = [RigL(), SET()] as [any TopologyMethod]

  private static func layers(norm: Bool = true) -> Sequential {
    var layers: [any Layer] = [SparseConv2d("conv", inputs: 2, outputs: 8, kernel: 3)]
    if norm { layers.append(BatchNorm("norm", channels: 8)) }
    return Sequential(
      layers + [ReLU(), GlobalAveragePool(), SparseLinear("output", inputs: 8, outputs: 4)])
  }

  private static let images = RandomSamples(
    count: 60, shape: SampleShape(channels: 2, height: 6, width: 6), classes: 4)

  private static func model(_ connections: Int = 60, capacity: Int = 16) throws -> Model {
    let model = try Model(
      layers(), input: images.sampleShape, capacity: capacity,
      connections: ["conv": connections, "output": 20])
    model.draw(seed: 3, initializer: Initializer(.heUniform))
    return model
  }

  private static func step(
    _ method: any TopologyMethod = RigL(), _ optimizer: any Optimizer = Adam(),
    accumulation: Int = 1
  ) throws -> TrainingStep {
    var settings = TrainingStep.Settings()
    settings.method = method
    settings.schedule = UpdateSchedule(interval: 3, end: nil, annealing: .constant)
    settings.accumulation = accumulation
    return TrainingStep(
      model: try model(), loss: CrossEntropy(), optimizer: optimizer,
      learningRate: LearningRateSchedule(peak: 0.01), settings: settings,
      pool: try ThreadPool(threads: 2), seed: 9)
  }

  /// Trains on the batches of a range.
  private func train(_ step: TrainingStep, _ batches: Range<Int>) throws {
    let batch = Batch(for: step.model)
    for number in batches {
      try batch.fill(from: Self.images, indices: (0..<16).map { (number * 7 + $0 * 3) % 60 })
      _ = try step.train(on: batch)
    }
  }

  private func bytes(_ step: TrainingStep) throws -> [UInt8] {
    try step.save(to: folder("compared.safetensors"))
    return try fileBytes(folder("compared.safetensors"))
  }

  @Test(arguments: methods) func aStepGoesOnWithTheSameBits(method: any TopologyMethod) throws {
    for optimizer in [Adam(), SGD(momentum: 0.9)] as [any Optimizer] {
      for middle in [0, 1, 6, 9] {
        let whole = try Self.step(method, optimizer)
        try train(whole, 0..<middle)
        try whole.save(to: folder("step.safetensors"), metadata: ["batch": "\(middle)"])
        try train(whole, middle..<14)
        let again = try Self.step(method, optimizer)
        // Whatever it has done before.
        try train(again, 30..<34)
        try again.load(from: folder("step.safetensors"))
        #expect(
          try SafetensorsFile(path: folder("step.safetensors")).metadata["batch"] == "\(middle)")
        try train(again, middle..<14)
        #expect(try bytes(again) == bytes(whole))
        #expect(again.weightSteps == whole.weightSteps)
        #expect(again.batchesConsumed == whole.batchesConsumed)
      }
    }
  }

  /// A file that says nothing of updates is of a step that has had none.
  @Test(arguments: methods)
  func aStepThatWasUsedIsAsANewOneOnceItIsLoaded(method: any TopologyMethod) throws {
    let fixed = try Self.step(StaticTopology())
    try train(fixed, 0..<2)
    try fixed.save(to: folder("fixed.safetensors"))
    let (used, new) = (try Self.step(method), try Self.step(method))
    try train(used, 30..<36)
    for step in [used, new] {
      try step.load(from: folder("fixed.safetensors"))
      try train(step, 2..<9)
    }
    #expect(try bytes(used) == bytes(new))
  }

  @Test func aModelIsSavedExactly() throws {
    let step = try Self.step()
    try train(step, 0..<7)
    let model = step.model
    try model.save(to: folder("a.safetensors"))
    let again = try Model(
      Self.layers(), savedAt: folder("a.safetensors"), capacity: 3, isTraining: false)
    try again.save(to: folder("b.safetensors"))
    #expect(try fileBytes(folder("a.safetensors")) == fileBytes(folder("b.safetensors")))
    #expect(
      again.sparseLayers.map { $0.connectedPositions() }
        == model.sparseLayers.map { $0.connectedPositions() })
    #expect(
      zip(again.averages, model.averages).allSatisfy { $0.values.array() == $1.values.array() })
    // With its optimizer, in a loop without a TrainingStep.
    try model.save(to: folder("c.safetensors"), optimizer: step.optimizer)
    let other = try Self.model()
    let optimizer = OptimizerState(Adam(), parameters: other.parameters)
    try other.load(from: folder("c.safetensors"), optimizer: optimizer)
    #expect(optimizer.weightSteps == step.optimizer.weightSteps)
    try other.save(to: folder("d.safetensors"), optimizer: optimizer)
    #expect(try fileBytes(folder("c.safetensors")) == fileBytes(folder("d.safetensors")))
    // It is a network for the rest of the library, too.
    var options = RunOptions()
    options.output = folder("run")
    struct Own: Network {
      func layers(input: SampleShape, classes: Int) -> Sequential { ModelFileTests.layers() }
    }
    let imported = try NetworkImport(
      folder("a.safetensors"), Configuration(), network: Own(), input: Self.images.sampleShape)
    #expect(imported.model.connections == model.connections)
    // And so is a run's checkpoint for a model.
    let run = try imported.write(options)
    try other.load(from: try #require(try run.checkpoints().list().last).path)
  }

  @Test func otherFilesAreRefusedAndChangeNothing() throws {
    let step = try Self.step()
    try train(step, 0..<5)
    let before = try bytes(step)
    let good = folder("good.safetensors")
    try step.save(to: good)
    func refuse(
      _ part: String, _ kind: RigLError.Kind = .data, _ body: () throws -> Void
    ) throws {
      let error = #expect(throws: RigLError.self, performing: body)
      #expect(error?.kind == kind && error?.what.contains(part) == true, "\(error as Any)")
      #expect(try bytes(step) == before)
    }
    let other = folder("other.safetensors")
    try refuse("cannot be read", .missingFile) { try step.load(from: folder("none.safetensors")) }
    try writeFile("no tensors", to: other)
    try refuse("not a readable safetensors file") { try step.load(from: other) }
    // Every byte counts: damage in numbers, and in the header.
    let contents = try fileBytes(good)
    let end = contents.count
    for place in [end - 1, end / 2, end - 4000, 200] where place > 0 {
      var damaged = contents
      damaged[place] ^= 0x10
      try writeFile(damaged, to: other)
      let error = #expect(throws: RigLError.self) { try step.load(from: other) }
      #expect(error?.kind == .data)
      #expect(try bytes(step) == before)
    }
    try writeFile(Array(contents.dropLast(8)), to: other)
    try refuse("safetensors") { try step.load(from: other) }
    // Other connections, layers, optimizers.
    try Self.model(59).save(to: other)
    try refuse("59 connections, the model's 60") { try step.model.load(from: other) }
    try makeModel(SparseLinear("x", inputs: 3, outputs: 2), inputs: 3, capacity: 1).save(to: other)
    try refuse("conv.weight") { try step.model.load(from: other) }
    try refuse("conv.weight") {
      _ = try Model(Self.layers(), savedAt: other, input: Self.images.sampleShape, capacity: 1)
    }
    try refuse("no place for norm") {
      try Model(
        Self.layers(norm: false), input: Self.images.sampleShape, capacity: 1,
        connections: ["conv": 60, "output": 20]
      ).load(from: good)
    }
    try Self.model().save(to: other)
    try refuse("first_moment") { try step.load(from: other) }
    try Self.model().save(to: other, optimizer: nil)
    let optimizer = OptimizerState(SGD(), parameters: step.model.parameters)
    try refuse("training state") { try step.model.load(from: other, optimizer: optimizer) }
  }

  @Test func whatIsThereStaysUnlessAllIsWritten() throws {
    let model = try Self.model()
    try FileManager.default.createDirectory(
      atPath: folder("run/checkpoints"), withIntermediateDirectories: true)
    try writeFile("network: mlp\n", to: folder("run/config.yaml"))
    for path in ["run/config.yaml", "run/checkpoints/step-000000001.safetensors"] {
      let error = #expect(throws: RigLError.self) { try model.save(to: folder(path)) }
      #expect(error?.kind == .configuration)
    }
    let missing = #expect(throws: RigLError.self) { try model.save(to: folder("no/such/file")) }
    #expect(missing?.kind == .write)
    for key in ["format", "state", "input_shape"] {
      #expect(throws: RigLError.self) {
        try model.save(to: folder("x.safetensors"), metadata: [key: "1"])
      }
    }
    #expect(try folder.names() == ["run"])
    let accumulating = try Self.step(accumulation: 3)
    try train(accumulating, 0..<2)
    let error = #expect(throws: RigLError.self) {
      try accumulating.save(to: folder("x.safetensors"))
    }
    #expect(error?.what.contains("summed up") == true)
  }
}
