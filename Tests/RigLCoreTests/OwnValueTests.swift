import RigLCore
import Testing

/// Values of samples of one's own, of which a run knows a few.
@Suite struct OwnValueTests {
  /// Samples whose labels stay and whose values are others.
  private struct Scaled: Dataset {
    let base: RandomSamples
    var scale: Float = 1
    /// The sample that differs; nil: every one.
    var only: Int?

    var count: Int { base.count }
    var sampleShape: SampleShape { base.sampleShape }
    var classes: Int { base.classes }
    func label(of sample: Int) -> Int { base.label(of: sample) }
    func write(_ sample: Int, into values: inout MutableSpan<Float>) {
      base.write(sample, into: &values)
      guard only == nil || only == sample else { return }
      for index in values.indices { values[index] *= scale }
    }
  }

  /// Samples that are never the same twice.
  private struct Noisy: Dataset {
    let base: RandomSamples
    var count: Int { base.count }
    var sampleShape: SampleShape { base.sampleShape }
    var classes: Int { base.classes }
    func label(of sample: Int) -> Int { base.label(of: sample) }
    func write(_ sample: Int, into values: inout MutableSpan<Float>) {
      base.write(sample, into: &values)
      for index in values.indices { values[index] += Float.random(in: 0..<0.1) }
    }
  }

  private let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  private func data(_ scale: Float = 1, only: Int? = nil, test: Float = 1) -> TrainingData {
    TrainingData(
      train: Scaled(
        base: RandomSamples(count: 200, width: 12, classes: 3), scale: scale, only: only),
      test: Scaled(base: RandomSamples(count: 60, width: 12, classes: 3, seed: 2), scale: test))
  }

  private func trainer(_ data: TrainingData) throws -> Trainer {
    let options = RunOptions(threads: 1, output: folder("run"))
    return try Trainer(CustomRunTests.configuration, options: options, data: data)
  }

  private func begin(_ data: TrainingData) throws {
    let trainer = try trainer(data)
    trainer.callbacks = [Watcher(stopAt: 13)]
    _ = try trainer.run()
  }

  /// What is said of the values where a run goes on.
  private func said(_ data: TrainingData) throws -> [String] {
    let trainer = try trainer(data)
    let watcher = Watcher(stopAt: 0)
    trainer.callbacks = [watcher]
    _ = try trainer.resume(folder("run"))
    return watcher.warnings.filter { $0.contains("values of") }
  }

  @Test func otherValuesAreSaid() throws {
    try begin(data())
    #expect(try said(data()).isEmpty)
    let all = try said(data(-3, test: 2))
    #expect(all.count == 1 && all[0].contains("the training and test samples are others"), "\(all)")
    for sample in [0, 199] {
      let one = try said(data(2, only: sample))
      #expect(one.count == 1 && one[0].contains("the training samples are others"), "\(one)")
    }
    #expect(try said(data(test: 2)).first?.contains("of the test samples") == true)
  }

  /// Of a run of an earlier version, and of values that are random, nothing is known.
  @Test func whatIsNotKnownIsNotSaid() throws {
    try begin(data())
    let latest = try RunFolder.open(folder("run")).checkpoints().list().last
    let file = try SafetensorsFile(path: try #require(latest).path)
    #expect(file.metadata["value_checksums"] != nil)
    try changeMetadata(of: file) { $0["value_checksums"] = nil }
    #expect(try said(data(-3)).isEmpty)
  }

  @Test func valuesThatAreNeverTheSameAreNotCompared() throws {
    let noisy = Noisy(base: RandomSamples(count: 200, width: 12, classes: 3))
    let data = TrainingData(train: noisy, test: noisy)
    try begin(data)
    #expect(try said(data).isEmpty)
  }

  /// Pixels are compared whole: a run of them has no such checksum.
  @Test func imagesHaveNone() throws {
    let images = SyntheticImages(trainCount: 64, testCount: 32).load()
    let trainer = try trainer(TrainingData(train: images.train, test: images.test))
    trainer.callbacks = [Watcher(stopAt: 1)]
    _ = try trainer.run()
    let latest = try RunFolder.open(folder("run")).checkpoints().list().last
    let file = try SafetensorsFile(path: try #require(latest).path)
    #expect(file.metadata["value_checksums"] == nil && file.metadata["data_checksums"] != nil)
  }
}
