import RigLCore
import Testing

/// Samples with a value that is no number.
@Suite struct BrokenPartTests {
  private struct Broken: Dataset {
    let base = RandomSamples(count: 30, width: 12, classes: 3)
    var count: Int { base.count }
    var sampleShape: SampleShape { base.sampleShape }
    var classes: Int { base.classes }
    func label(of sample: Int) -> Int { base.label(of: sample) }
    func write(_ sample: Int, into values: inout MutableSpan<Float>) {
      base.write(sample, into: &values)
      if sample == 7 { values[2] = .nan }
    }
  }

  @Test func whichPartIsBrokenIsSaid() throws {
    let folder = try TemporaryFolder()
    let good = RandomSamples(count: 40, width: 12, classes: 3)
    let parts = [
      ("training", TrainingData(train: Broken(), test: good)),
      ("validation", TrainingData(train: good, validation: Broken(), test: good)),
      ("test", TrainingData(train: good, validation: good, test: Broken())),
    ]
    for (part, data) in parts {
      let options = RunOptions(threads: 1, output: folder(part))
      let configuration = CustomRunTests.configuration.changing { $0.epochs = 1 }
      let error = #expect(throws: RigLError.self) {
        try Trainer(configuration, options: options, data: data).run()
      }
      #expect(error?.kind == .data)
      #expect(
        error?.what.contains("value 2 of \(part) sample 7 is nan") == true, "\(error as Any)")
      #expect(error?.hint?.contains("before training") == false, "\(error as Any)")
    }
  }
}

/// Samples whose pixels say themselves by which numbers they become values.
@Suite struct NormalizationOfPartsTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  private func images(
    _ count: Int, brighter: Int, normalization: PixelNormalization? = nil
  ) throws -> ImageSet {
    var generator = SeededGenerator(seed: UInt64(count))
    var (bytes, labels): ([UInt8], [UInt8]) = ([], [])
    for sample in 0..<count {
      labels.append(UInt8(sample % 2))
      for pixel in 0..<16 {
        let isLit = (pixel < 8) == (sample % 2 == 0)
        let noise = Int.random(in: 0..<10, using: &generator)
        bytes.append(UInt8((isLit ? 100 : 20) + brighter + noise))
      }
    }
    return try ImageSet(
      bytes: bytes, labels: labels, sampleShape: SampleShape(channels: 1, height: 4, width: 4),
      classes: 2, normalization: normalization)
  }

  private func train(_ run: String, _ data: TrainingData) throws -> (Trainer, Trainer.Result) {
    var configuration = Configuration()
    (configuration.hidden, configuration.sparsity) = ([8], 0.3)
    (configuration.batchSize, configuration.epochs) = (10, 5)
    configuration.updateInterval = 5
    configuration.learningRate = 0.05
    let options = RunOptions(threads: 1, output: folder(run))
    let trainer = try Trainer(configuration, options: options, data: data)
    return (trainer, try trainer.run())
  }

  @Test func aRunAndItsTrainerNormaliseAlike() throws {
    let train = try images(100, brighter: 0)
    for base in [try images(30, brighter: 120), try images(31, brighter: 60)] {
      let name = "run-\(base.count)"
      let data = TrainingData(
        train: train, validation: base, test: try Subset(base, 0..<base.count))
      let (trainer, result) = try self.train(name, data)
      let run = try SavedRun(folder(name))
      for set in [base, try Subset(base, 0..<base.count)] as [any Dataset] {
        #expect(try run.evaluate(set) == result.test)
        #expect(try trainer.evaluate(set) == result.test)
      }
      #expect(trainer.warnings.contains { $0.hasPrefix("normalization:") }, "\(trainer.warnings)")
      // As if they had been given the training set's numbers.
      var given = base
      given.normalization = train.normalization
      let (other, same) = try self.train(
        "\(name)-given", TrainingData(train: train, validation: given, test: given))
      #expect(same.test == result.test && same.best?.step == result.best?.step)
      #expect(!other.warnings.contains { $0.hasPrefix("normalization:") })
      #expect(
        try fileBytes(SavedRun(folder(name)).checkpointPath)
          == fileBytes(SavedRun(folder("\(name)-given")).checkpointPath))
    }
  }
}
