import RigLCore
import Testing

/// Mistakes in samples, labels and connections of one's own are errors that say what, where and what
/// to do: no traps.
@Suite struct OwnDataErrorTests {
  /// A dataset of one's own, of which everything can be wrong.
  private struct Own: Dataset {
    var count = 20
    var sampleShape = SampleShape(channels: 6)
    var classes = 3
    var labels: [Int: Int] = [:]
    var values: [Int: [Int: Float]] = [:]

    func label(of sample: Int) -> Int { labels[sample] ?? sample % 3 }
    func write(_ sample: Int, into span: inout MutableSpan<Float>) {
      for index in span.indices {
        span[index] = values[sample]?[index] ?? (index % 3 == label(of: sample) ? 1 : -1)
      }
    }
  }

  private static func trainer(
    _ data: TrainingData, network: (any Network)? = nil,
    _ change: (inout Configuration) -> Void = { _ in }
  ) throws -> Trainer {
    var configuration = Configuration()
    configuration.hidden = [8]
    configuration.sparsity = 0.5
    configuration.batchSize = 5
    configuration.epochs = 3
    change(&configuration)
    let options = RunOptions(threads: 2)
    return try Trainer(configuration, options: options, network: network, data: data)
  }

  /// Expects an error of a kind, with words in its first line and a hint.
  private func expect(
    _ kind: RigLError.Kind, _ words: String, sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () throws -> Void
  ) throws {
    let error = try #require(
      throws: RigLError.self, sourceLocation: sourceLocation, performing: body)
    #expect(
      error.kind == kind && error.what.contains(words), "\(error)", sourceLocation: sourceLocation)
  }

  // MARK: - Data of a training

  @Test(arguments: [3, -1, Int.max, Int.min])
  func aLabelThatIsNoClass(label: Int) throws {
    let (good, bad) = (Own(), Own(labels: [7: label]))
    let words = "sample 7, expected 0..<3"
    try expect(.data, "label \(label) of training \(words)") {
      _ = try Self.trainer(TrainingData(train: bad, test: good))
    }
    try expect(.data, "label \(label) of test \(words)") {
      _ = try Self.trainer(TrainingData(train: good, test: bad))
    }
    try expect(.data, "label \(label) of validation \(words)") {
      _ = try Self.trainer(TrainingData(train: good, validation: bad, test: good))
    }
    let trainer = try Self.trainer(TrainingData(train: good, test: good))
    try expect(.data, "label \(label) of \(words)") { _ = try trainer.evaluate(bad) }
  }

  @Test func partsOfDifferentShape() throws {
    let other = Own(sampleShape: SampleShape(channels: 1, height: 2, width: 3))
    try expect(.data, "the test samples have shape 1,2,3, the training samples 6,1,1") {
      _ = try Self.trainer(TrainingData(train: Own(), test: other))
    }
    try expect(.data, "the validation samples have shape 1,2,3") {
      _ = try Self.trainer(TrainingData(train: Own(), validation: other, test: Own()))
    }
    try expect(.data, "the test samples have 4 classes, the training samples 3") {
      _ = try Self.trainer(TrainingData(train: Own(), test: Own(classes: 4)))
    }
    let trainer = try Self.trainer(TrainingData(train: Own(), test: Own()))
    try expect(.data, "samples of shape 7,1,1; the network takes 6,1,1") {
      _ = try trainer.evaluate(Own(sampleShape: SampleShape(channels: 7)))
    }
    try expect(.data, "samples of 4 classes; the network has 3 outputs") {
      _ = try trainer.evaluate(Own(classes: 4))
    }
  }

  @Test(arguments: [0, -1])
  func noSamples(count: Int) throws {
    for (part, data) in [
      ("training", TrainingData(train: Own(count: count), test: Own())),
      ("test", TrainingData(train: Own(), test: Own(count: count))),
      ("validation", TrainingData(train: Own(), validation: Own(count: count), test: Own())),
    ] {
      try expect(.data, "there are \(count) \(part) samples") { _ = try Self.trainer(data) }
    }
    try expect(.data, "\(count) samples to draw") { _ = try EpochCursor(count: count, seed: 0) }
    let trainer = try Self.trainer(TrainingData(train: Own(), test: Own()))
    if count == 0 {
      try expect(.data, "there are no samples") { _ = try trainer.evaluate(Own(count: 0)) }
    }
  }

  @Test(arguments: [0, -2, Int.max])
  func impossibleShapesAndClasses(size: Int) throws {
    let shape = Own(sampleShape: SampleShape(channels: 2, height: size, width: 3))
    try expect(.data, "the training samples: a shape of 2,\(size),3") {
      _ = try Self.trainer(TrainingData(train: shape, test: shape))
    }
    guard size < 1 else { return }
    let classes = Own(classes: size)
    try expect(.data, "the training samples have \(size) classes") {
      _ = try Self.trainer(TrainingData(train: classes, test: classes))
    }
  }

  private struct Narrow: Network {
    func layers(input: SampleShape, classes: Int) -> Sequential {
      Sequential(SparseLinear("output", inputs: input.count, outputs: classes - 1))
    }
  }

  @Test func aNetworkWithFewerOutputsThanClasses() throws {
    try expect(.data, "samples of 3 classes; the network has 2 outputs") {
      _ = try Self.trainer(
        TrainingData(train: Own(), test: Own()), network: Narrow()
      ) { $0.sparsity = 0.1 }
    }
  }

  @Test func classNamesForOthers() throws {
    let shape = SampleShape(channels: 6)
    var set = try ImageSet(
      bytes: [UInt8](repeating: 1, count: 12), labels: [0, 1], sampleShape: shape, classes: 3)
    let trainer = try Self.trainer(TrainingData(train: set, test: set))
    set.classNames = ["ant", "bee"]
    try expect(.data, "2 class names for 3 classes") {
      _ = try Self.trainer(TrainingData(train: set, test: set))
    }
    try expect(.data, "2 class names for 3 classes") { _ = try trainer.evaluate(set) }
  }

  // MARK: - Sets in memory

  @Test func imagesThatDoNotFit() throws {
    let shape = SampleShape(channels: 1, height: 2, width: 2)
    func set(
      bytes: Int = 8, labels: [UInt8] = [0, 1], shape: SampleShape = shape, classes: Int = 2,
      normalization: PixelNormalization? = nil
    ) throws {
      _ = try ImageSet(
        bytes: [UInt8](repeating: 1, count: bytes), labels: labels, sampleShape: shape,
        classes: classes, normalization: normalization)
    }
    try set()
    try expect(.data, "7 bytes for 2 labels, expected 4 for each image of shape 1,2,2") {
      try set(bytes: 7)
    }
    try expect(.data, "label 2 of sample 1, expected 0..<2") { try set(labels: [0, 2]) }
    try expect(.data, "0 classes, expected 1...256") { try set(classes: 0) }
    try expect(.data, "257 classes") { try set(classes: 257) }
    try expect(.data, "a shape of 0,2,2") {
      try set(bytes: 0, labels: [], shape: SampleShape(channels: 0, height: 2, width: 2))
    }
    try expect(.data, "a normalization of 3 channels, but the images have 1") {
      try set(normalization: .cifar10)
    }
  }

  @Test func subsetsOfWhatThereIsNot() throws {
    let own = Own()
    try expect(.configuration, "samples 5..<21 asked for; there are 20") {
      _ = try Subset(own, 5..<21)
    }
    try expect(.configuration, "samples -1..<3 asked for") { _ = try Subset(own, -1..<3) }
    try expect(.configuration, "sample 20 asked for at place 1; there are 20") {
      _ = try Subset(own, indices: [3, 20])
    }
    let part = try Subset(own, 2..<4)
    try expect(.configuration, "sample 2 asked for at place 0; there are 2") {
      _ = try Subset(part, indices: [2])
    }
  }

  /// Fewer bytes than a dataset of one's own says.
  private struct Short: ByteDataset {
    let count = 4
    let sampleShape = SampleShape(channels: 6)
    let classes = 3
    let bytes = [UInt8](repeating: 0, count: 23)
    var normalization = PixelNormalization(mean: 0, deviation: 1)
    func label(of sample: Int) -> Int { 0 }
  }

  @Test func fewerBytesThanSamples() throws {
    try expect(.data, "4 samples in 23 bytes, expected 24") {
      _ = try BatchPacker(Short(), capacity: 4)
    }
    try expect(.data, "4 samples in 23 bytes, expected 24") {
      _ = try TransformedImages(Short(), SmallImageTransform(flips: true))
    }
    try expect(.data, "4 samples in 23 bytes, expected 24") {
      _ = try Self.trainer(TrainingData(train: Short(), test: Short()))
    }
  }

  // MARK: - Models

  private static func layers() -> Sequential {
    Sequential(
      SparseLinear("fc1", inputs: 6, outputs: 5), ReLU(), SparseLinear("fc2", inputs: 5, outputs: 3)
    )
  }

  private static func model(_ connections: [String: Int] = ["fc1": 12]) throws -> Model {
    try Model(
      layers(), input: SampleShape(channels: 6), capacity: 4, connections: connections)
  }

  @Test func connectionsOfAnUnknownLayer() throws {
    let error = try #require(throws: RigLError.self) { try Self.model(["fc_1": 12, "fc2": 5]) }
    #expect(error.kind == .configuration)
    #expect(error.what == "unknown layer in a model's connections: 'fc_1' (nearest: 'fc1')")
    #expect(error.hint == "valid names: fc1, fc2")
  }

  @Test(arguments: [-1, 31, Int.max])
  func connectionsThatALayerCannotHave(count: Int) throws {
    try expect(.configuration, "layer fc1: \(count) connections, expected 0...30") {
      _ = try Self.model(["fc1": count])
    }
  }

  @Test func connectionsOfALayerThatHasAll() throws {
    try expect(.configuration, "layer dense: 4 connections; it cannot be sparse, and has 18") {
      _ = try makeModel(
        DenseLinear("dense", inputs: 6, outputs: 3), inputs: 6, capacity: 4,
        connections: ["dense": 4])
    }
  }

  @Test func aModelForNoSamples() throws {
    try expect(.configuration, "batches of 0 samples") {
      _ = try Model(Self.layers(), input: SampleShape(channels: 6), capacity: 0)
    }
  }

  @Test func positionsThatAreNone() throws {
    let model = try Self.model(["fc1": 3])
    let connections = try #require(model.weightLayers[0].connections)
    try connections.setConnections(at: [0, 7, 29], weights: [1, 2, 3])
    for (positions, words) in [
      ([0, 7], "2 positions and 3 weights for 3 connections"),
      ([0, 9, 7], "position 7 of connection 2 comes after 9"),
      ([0, 7, 7], "position 7 of connection 2 is that of the connection before"),
      ([0, 7, 30], "position 30 of connection 2, expected 0..<30"),
      ([-1, 7, 9], "position -1 of connection 0, expected 0..<30"),
    ] {
      try expect(.data, "layer fc1: \(words)") {
        try connections.setConnections(at: positions, weights: [1, 2, 3])
      }
    }
    #expect(connections.connectedPositions() == [0, 7, 29], "an error changes nothing")
  }

  @Test func batchesThatDoNotFit() throws {
    let model = try Self.model()
    model.draw(seed: 0, initializer: Initializer(.glorotUniform))
    let step = TrainingStep(
      model: model, loss: CrossEntropy(), optimizer: SGD(),
      learningRate: LearningRateSchedule(peak: 0.1), settings: TrainingStep.Settings(),
      pool: try ThreadPool(threads: 2), seed: 0)
    let batch = Batch(for: model)
    batch.inputs.samples = 3
    for labels in [0, 2, 4] {
      batch.labels.count = labels
      try expect(.data, "a batch of 3 samples and \(labels) labels") {
        _ = try step.train(on: batch)
      }
    }
    batch.inputs.samples = 0
    batch.labels.count = 0
    try expect(.data, "a batch of 0 samples") { _ = try step.train(on: batch) }
    let other = try makeModel(SparseLinear("a", inputs: 7, outputs: 3), inputs: 7, capacity: 4)
    let strange = Batch(for: other)
    strange.labels.count = 4
    try expect(.data, "4 samples of shape 7,1,1") { _ = try step.train(on: strange) }
    #expect(step.weightSteps == 0)
    batch.inputs.samples = 3
    batch.labels.count = 3
    batch.labels[1] = 5_000_000_000
    try expect(.data, "the network has 3 outputs") { _ = try step.train(on: batch) }
  }
}
