import Foundation
import RigLCore
import Testing

/// A run and samples that are not its own.
@Suite struct DataIdentityTests {
  /// Images of 2 × 2 whose brightest pixel is their class; `names` say how classes are numbered.
  private static func images(
    _ count: Int, names: [String]? = nil, classes: [Int] = [0, 1, 2], offset: Int = 0,
    normalization: PixelNormalization? = nil
  ) -> ImageSet {
    let labels = (0..<count).map { classes[$0 % classes.count] }
    let pixels: [UInt8] = labels.enumerated().flatMap { number, label in
      (0..<4).map { UInt8(($0 == label ? 200 : 20) + (number * 7 + $0 * 3 + offset) % 40) }
    }
    let known = names?.count ?? 3
    var set = try! ImageSet(
      bytes: pixels,
      labels: labels.map { UInt8(names == nil ? $0 : classes.firstIndex(of: $0) ?? 0) },
      sampleShape: SampleShape(channels: 1, height: 2, width: 2), classes: known,
      normalization: normalization)
    set.classNames = names
    return set
  }

  private static func trainer(
    _ data: TrainingData, _ folder: TemporaryFolder, epochs: Int = 4
  ) throws -> Trainer {
    var configuration = Configuration()
    configuration.hidden = [8]
    configuration.method = .dense
    configuration.batchSize = 5
    configuration.epochs = epochs
    let options = RunOptions(threads: 1, output: folder("run"))
    return try Trainer(configuration, options: options, data: data)
  }

  /// Has an output more than there are classes.
  private struct Wider: Network {
    func layers(input: SampleShape, classes: Int) -> Sequential {
      Sequential(SparseLinear("output", inputs: input.count, outputs: classes + 1))
    }
  }

  @Test func anOutputMoreIsNoClass() throws {
    let folder = try TemporaryFolder()
    let names = ["ant", "bee", "cat"]
    let data = TrainingData(
      train: Self.images(60, names: names), test: Self.images(30, names: names))
    let options = RunOptions(threads: 1, output: folder("run"))
    let configuration = Configuration().changing { ($0.sparsity, $0.epochs) = (0.1, 1) }
    _ = try Trainer(configuration, options: options, network: Wider(), data: data).run()
    let run = try SavedRun(folder("run"), network: Wider(), threads: 1)
    let evaluation = try run.evaluate(data.test)
    #expect(evaluation.confusion.count == 4 && run.absentClasses(in: evaluation).isEmpty)
  }

  @Test func classesAreMappedByName() throws {
    let folder = try TemporaryFolder()
    let names = ["ant", "bee", "cat"]
    let data = TrainingData(
      train: Self.images(60, names: names), test: Self.images(30, names: names, offset: 5))
    _ = try Self.trainer(data, folder).run()
    let run = try SavedRun(folder("run"), threads: 1)
    #expect(run.classNames == names)
    let all = try run.evaluate(data.test)
    #expect(all.accuracy == 1 && run.absentClasses(in: all).isEmpty)
    // Two of the classes, the other way round, with numbers of their own for pixels.
    let two = Self.images(
      20, names: ["cat", "ant"], classes: [2, 0],
      normalization: PixelNormalization(mean: 0.9, deviation: 0.01))
    let some = try run.evaluate(two)
    #expect(some.accuracy == 1 && some.confusion[0][0] == 10 && some.confusion[2][2] == 10)
    #expect(run.absentClasses(in: some) == ["bee"])

    func refuses(_ words: String, _ dataset: any Dataset) throws {
      let error = try #require(throws: RigLError.self) { try run.evaluate(dataset) }
      #expect(error.kind == .data && error.what.contains(words), "\(error.what)")
    }
    try refuses("does not know: dog", Self.images(20, names: ["ant", "dog"], classes: [0, 1]))
    try refuses(
      "4 classes; the run knows 3",
      try ImageSet(
        bytes: [0, 0, 0, 0], labels: [0], sampleShape: data.test.sampleShape, classes: 4))
    try refuses(
      "shape 1,1,4",
      try ImageSet(
        bytes: [0, 0, 0, 0], labels: [0],
        sampleShape: SampleShape(channels: 1, height: 1, width: 4), classes: 3))
  }

  @Test func changedSamplesAreNamed() throws {
    let folder = try TemporaryFolder()
    func data(train offset: Int = 0, test: ImageSet? = nil) throws -> TrainingData {
      try TrainingData(
        train: Subset(Self.images(60, offset: offset), 0..<50),
        validation: Subset(Self.images(60), 50..<60), test: test ?? Self.images(30))
    }
    _ = try Self.trainer(data(), folder).run()
    func refuses(_ data: TrainingData, _ words: String) throws {
      let error = try #require(throws: RigLError.self) {
        try Self.trainer(data, folder).resume(folder("run"))
      }
      #expect(error.kind == .data && error.what.contains(words), "\(error.what)")
    }
    try refuses(data(train: 1), "the pixels of the training samples have changed")
    try refuses(data(test: Self.images(30, offset: 9)), "the pixels of the test samples have")
    try refuses(
      data(test: Self.images(30, classes: [1, 0, 2])),
      "the labels of the test samples, the pixels of the test samples have changed")
    _ = try Self.trainer(data(), folder).resume(folder("run"))
  }

  /// A network that is imported brings numbers of its own, and is trained on with them.
  @Test func anImportedNetworkKeepsItsNormalization() throws {
    let folder = try TemporaryFolder()
    for (name, offset) in [("a", 0), ("b", 15)] {
      for (part, count) in [("train", 60), ("t10k", 30)] {
        let images = Self.images(count, offset: offset)
        try folder.write([
          "\(name)/\(part)-images-idx3-ubyte": IDXFixture.idx([count, 2, 2], images.bytes),
          "\(name)/\(part)-labels-idx1-ubyte": IDXFixture.idx([count], images.labels),
        ])
      }
    }
    var configuration = Configuration()
    configuration.data = folder("a")
    configuration.validation = 0
    configuration.hidden = [8]
    configuration.batchSize = 5
    configuration.epochs = 2
    var options = RunOptions(threads: 1, output: folder("first"))
    _ = try Trainer(configuration, options: options).run()
    let first = try SavedRun(folder("first"), threads: 1)
    #expect(first.configuration.data == "idx")
    try first.export(to: folder("network.safetensors"), isDense: true)

    options.output = folder("second")
    options.dataFolder = folder("b")
    _ = try NetworkImport(
      folder("network.safetensors"), first.configuration, dataFolder: folder("b")
    ).write(options)
    for isStopped in [true, false] {
      let trainer = try Trainer(first.configuration, options: options)
      if isStopped { trainer.callbacks = [Watcher(stopAt: 5)] }
      let result = try trainer.resume(folder("second"))
      #expect(result.wasStopped == isStopped)
      let second = try SavedRun(folder("second"), threads: 1)
      #expect(second.normalization == first.normalization)
      #expect(trainer.data.normalization == first.normalization)
      #expect(
        try second.evaluate(trainer.data.test).accuracy
          == trainer.evaluate(trainer.data.test).accuracy)
    }
    let own = try Trainer(first.configuration, options: options)
    #expect(own.data.normalization != first.normalization)
  }
}
