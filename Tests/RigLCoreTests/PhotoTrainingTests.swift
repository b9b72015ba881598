import Foundation
import RigLCore
import RigLImages
import Testing

/// Trainings on photos: the same for any number of threads and after an interruption; damaged
/// photos are left out and counted.
@Suite(.serialized) struct PhotoTrainingTests {
  static func configuration() -> Configuration {
    ImageFormats.register()
    var configuration = Configuration()
    configuration.data = "photos"
    configuration.augmentation = .randomResizedCrop
    configuration.imageSize = 16
    configuration.validation = 0
    configuration.hidden = [24]
    configuration.batchSize = 6
    configuration.epochs = 3
    configuration.method = .static
    configuration.sparsity = 0.8
    configuration.learningRate = 0.01
    return configuration
  }

  static func generate(_ folder: TemporaryFolder, trainPerClass: Int = 8) throws {
    try GeneratedImageFolder(
      classes: 3, trainPerClass: trainPerClass, validationPerClass: 4, side: 24
    ).write(to: folder("photos"))
  }

  private func trainer(
    _ configuration: Configuration, _ folder: TemporaryFolder, threads: Int, output: String
  ) throws -> Trainer {
    let options = RunOptions(threads: threads, dataFolder: folder("photos"), output: folder(output))
    return try Trainer(configuration, options: options)
  }

  /// Keeps what a training tells, and stops it at a step.
  private final class Watcher: TrainingCallback {
    var losses: [Double] = []
    var damaged: [(sample: DamagedSample, count: Int)] = []
    let end: Int

    init(end: Int = .max) { self.end = end }

    func observe(_ event: TrainingEvent, in trainer: Trainer) -> TrainingDecision {
      if case .batch(let report) = event { losses.append(report.loss) }
      if case .damaged(let sample, let count) = event { damaged.append((sample, count)) }
      return trainer.step.weightSteps >= end ? .stop : .proceed
    }
  }

  @Test func anyNumberOfThreadsGivesTheSame() throws {
    let folder = try TemporaryFolder()
    try Self.generate(folder)
    var first: [Double]?
    var configuration = Self.configuration()
    configuration.method = .rigl
    configuration.updateInterval = 3
    for threads in 1...3 {
      let watcher = Watcher()
      let trainer = try trainer(
        configuration, folder, threads: threads, output: "run\(threads)")
      trainer.callbacks = [watcher]
      _ = try trainer.run()
      #expect(watcher.losses.count > 12 && Set(watcher.losses).count == watcher.losses.count)
      #expect(watcher.losses == first ?? watcher.losses)
      first = watcher.losses
    }
  }

  @Test(arguments: [1, 3, 4, 7]) func resumesAnywhere(end: Int) throws {
    let folder = try TemporaryFolder()
    try Self.generate(folder)
    let whole = Watcher()
    var trainer = try trainer(Self.configuration(), folder, threads: 2, output: "whole")
    trainer.callbacks = [whole]
    let expected = try trainer.run()
    let (before, after) = (Watcher(end: end), Watcher())
    trainer = try self.trainer(Self.configuration(), folder, threads: 2, output: "parts")
    trainer.callbacks = [before]
    #expect(try trainer.run().wasStopped)
    trainer = try self.trainer(Self.configuration(), folder, threads: 1, output: "parts")
    trainer.callbacks = [after]
    let result = try trainer.resume(folder("parts"))
    #expect(before.losses + after.losses == whole.losses)
    #expect(result.test == expected.test)
  }

  @Test func learns() throws {
    let folder = try TemporaryFolder()
    try Self.generate(folder, trainPerClass: 24)
    var configuration = Self.configuration()
    configuration.augmentation = .none
    configuration.epochs = 12
    configuration.sparsity = 0.5
    let trainer = try trainer(configuration, folder, threads: 2, output: "run")
    let watcher = Watcher()
    trainer.callbacks = [watcher]
    _ = try trainer.run()
    let begin: Double = watcher.losses.prefix(12).reduce(0, +)
    let end: Double = watcher.losses.suffix(12).reduce(0, +)
    #expect(end < 0.8 * begin)
  }

  // MARK: - Damage

  /// Cuts a file in half.
  func damage(_ path: String) throws {
    let bytes = try fileBytes(path)
    try writeFile(Array(bytes[..<(bytes.count / 2)]), to: path)
  }

  @Test func damagedPhotosAreLeftOut() throws {
    let folder = try TemporaryFolder()
    try Self.generate(folder, trainPerClass: 40)
    var configuration = Self.configuration()
    configuration.epochs = 2
    let (sound, broken) = (Watcher(), Watcher())
    var trainer = try trainer(configuration, folder, threads: 2, output: "sound")
    trainer.callbacks = [sound]
    let soundResult = try trainer.run()
    #expect(soundResult.damaged == 0 && sound.damaged.isEmpty)

    let path = folder("photos/train/disc/00004.jpg")
    try damage(path)
    trainer = try self.trainer(configuration, folder, threads: 2, output: "broken")
    trainer.callbacks = [broken]
    // Classes are in the order of their names: cross, disc, square. One of 120 in each epoch: fewer than one in a hundred.
    let result = try trainer.run()
    #expect(result.damaged == 2)
    #expect(broken.damaged.count == 1)
    #expect(broken.damaged.first?.sample.error.what.contains(path) == true)
    #expect(broken.damaged.first?.sample.sample == 44 && broken.damaged.first?.count == 1)
    // Nothing shifts: as many batches, the same up to the one that lacks a sample.
    #expect(broken.losses.count == sound.losses.count)
    let same = zip(broken.losses, sound.losses).prefix { $0 == $1 }.count
    let order = EpochPlace(of: 44, count: 120, seed: configuration.seed)
    #expect(same == order.place / 6)
  }

  /// Where an epoch's order has a sample.
  private struct EpochPlace {
    let place: Int

    init(of sample: Int64, count: Int, seed: UInt64) {
      var order = EpochOrder(count: count, seed: seed)
      order.shuffle(epoch: 0)
      place = order.withSamples(0..<count) { samples in
        samples.indices.first { samples[$0] == sample } ?? -1
      }
    }
  }

  @Test func tooMuchDamageFails() throws {
    let folder = try TemporaryFolder()
    try Self.generate(folder)
    for name in ["00000.jpg", "00003.png"] { try damage(folder("photos/train/square/\(name)")) }
    let trainer = try trainer(Self.configuration(), folder, threads: 2, output: "run")
    let watcher = Watcher()
    trainer.callbacks = [watcher]
    let error = #expect(throws: RigLError.self) { try trainer.run() }
    #expect(error?.kind == .data && error?.kind.rawValue == 65)
    // At the end of the first of three epochs.
    #expect(error?.what.contains("2 of 24 samples were damaged") == true, "\(error?.what ?? "")")
    #expect(watcher.damaged.count == 2)
  }

  // MARK: - Other photos

  /// Neither a resumed training nor an evaluation takes one class for another, or goes on with other
  /// samples.
  @Test func otherPhotosAreNoticed() throws {
    let folder = try TemporaryFolder()
    try Self.generate(folder)
    var configuration = Self.configuration()
    configuration.epochs = 1
    let first = try trainer(configuration, folder, threads: 1, output: "run")
    _ = try first.run()
    let run = try SavedRun(folder("run"), threads: 1)
    #expect(run.classNames == (first.data.test as? PhotoSet)?.classNames)
    #expect(run.classNames?.count == run.classes)
    let evaluation = try run.evaluate(first.data.test)
    #expect(run.damaged.isEmpty && evaluation.samples == first.data.test.count)

    func refuses(_ words: String...) throws {
      let again = try trainer(configuration, folder, threads: 1, output: "run")
      let error = try #require(throws: RigLError.self) { try again.resume(folder("run")) }
      #expect(error.kind == .data)
      for word in words { #expect(error.what.contains(word), "\(error.what)") }
    }
    try FileManager.default.removeItem(atPath: folder("photos/train/square/00000.jpg"))
    try refuses("samples", "24", "23")
    for part in ["train", "val"] {
      try FileManager.default.moveItem(
        atPath: folder("photos/\(part)/square"), toPath: folder("photos/\(part)/zebra"))
    }
    try refuses("square", "zebra")
    let renamed = try trainer(configuration, folder, threads: 1, output: "other").data.test
    let error = try #require(throws: RigLError.self) { try run.evaluate(renamed) }
    #expect(error.kind == .data && error.what.contains("zebra"))
    try FileManager.default.removeItem(atPath: folder("photos/val/zebra"))
    for name in try FileManager.default.contentsOfDirectory(atPath: folder("photos/train/zebra")) {
      try FileManager.default.removeItem(atPath: folder("photos/train/zebra/\(name)"))
    }
    let empty = try #require(throws: RigLError.self) {
      try trainer(configuration, folder, threads: 1, output: "other")
    }
    #expect(empty.what.contains("photos/train/zebra: a class, but there are no images"))
  }

  @Test func namesOfPicturesPromisePictures() throws {
    let folder = try TemporaryFolder()
    try Self.generate(folder)
    var configuration = Self.configuration()
    configuration.epochs = 0
    _ = try trainer(configuration, folder, threads: 1, output: "run").run()
    let run = try SavedRun(folder("run"), threads: 1)
    for bytes in [[], Array("GIF89a, or so".utf8)] as [[UInt8]] {
      let error = try #require(throws: RigLError.self) {
        try SampleFile(bytes, name: "cat.JPG", for: run)
      }
      #expect(error.kind == .data && error.what.contains("cat.JPG: neither a JPEG nor"))
    }
  }

  @Test func nothingButDamageFails() throws {
    let folder = try TemporaryFolder()
    try Self.generate(folder)
    for file in FileManager.default.enumerator(atPath: folder("photos/train"))!.allObjects {
      guard let name = file as? String, name.hasSuffix("g") else { continue }
      try damage(folder("photos/train/\(name)"))
    }
    let trainer = try trainer(Self.configuration(), folder, threads: 2, output: "run")
    let error = #expect(throws: RigLError.self) { try trainer.run() }
    #expect(error?.kind == .data && error?.what.contains("no sample can be read") == true)
  }

  @Test func damagedTestPhotosFailTheEvaluation() throws {
    let folder = try TemporaryFolder()
    try Self.generate(folder)
    try damage(folder("photos/val/disc/00001.jpg"))
    let trainer = try trainer(Self.configuration(), folder, threads: 2, output: "run")
    let error = #expect(throws: RigLError.self) { try trainer.evaluate(trainer.data.test) }
    #expect(error?.kind == .data && error?.what.contains("1 of 12 samples") == true)
  }
}

/// A run on padded and standardised images knows what to do with images that are neither.
@Suite struct TransformedRunTests {
  @Test func savedRunsTransformTheirInput() throws {
    let folder = try TemporaryFolder()
    var configuration = Configuration()
    configuration.data = "synthetic"
    configuration.trainSamples = 200
    configuration.testSamples = 20
    configuration.validation = 0
    configuration.epochs = 1
    configuration.hidden = [16]
    configuration.padTo = 32
    configuration.augmentation = .padCropFlip
    configuration.perImageStandardization = true
    var options = RunOptions()
    options.output = folder("run")
    let trainer = try Trainer(configuration, options: options)
    _ = try trainer.run()
    let run = try SavedRun(folder("run"))
    #expect(run.sampleShape == SampleShape(channels: 1, height: 32, width: 32))
    let images = SyntheticImages(trainCount: 1, testCount: 20).load().test
    let file = try SampleFile(IDXFixture.idx([20, 28, 28], images.bytes), name: "images", for: run)
    let samples = try file.samples(0..<20)
    for sample in 0..<20 {
      var expected = [Float](repeating: 0, count: 1024)
      var span = expected.mutableSpan
      trainer.data.test.write(sample, into: &span)
      #expect(zip(samples[sample], expected).allSatisfy { abs($0 - $1) < 1e-5 })
    }
    #expect(try run.evaluate(trainer.data.test) == trainer.evaluate(trainer.data.test))
    #expect(throws: RigLError.self) {
      try SampleFile(IDXFixture.idx([1, 33, 28], Array(images.bytes[..<924])), name: "i", for: run)
    }
  }
}

/// What the keys of image data accept.
@Suite struct ImageConfigurationTests {
  @Test func keysAreCheckedSavedAndCompared() throws {
    var layers = try SettingsStack()
    try layers.set("data", to: "cifar-10")
    try layers.set("augmentation", to: "pad_crop_flip")
    try layers.set("pad_to", to: "36")
    try layers.set("crop_padding", to: "2")
    try layers.set("crop_padding_mode", to: "reflect")
    try layers.set("per_image_standardization", to: "true")
    let configuration = try layers.configuration()
    try configuration.validate()
    #expect(
      configuration.smallImageTransform
        == SmallImageTransform(
          padTo: 36, cropPadding: 2, cropPaddingMode: .reflect, flips: true, standardizes: true))
    #expect(try Configuration(yaml: try configuration.yaml(), path: "x") == configuration)
    let difference = try configuration.firstDifference(from: Configuration())
    #expect(difference?.name == "data")
    for (key, value, text) in [
      ("augmentation", "flip", "pad_crop_flip"), ("augmentaton", "none", "augmentation"),
      ("image_size", "big", "whole number"), ("crop_padding_mode", "mirror", "reflect"),
    ] {
      var layers = try SettingsStack()
      let error = #expect(throws: RigLError.self) { try layers.set(key, to: value) }
      #expect(
        error?.kind == .configuration && error?.description.contains(text) == true, "\(error!)")
    }
  }

  @Test func refusesWhatDoesNotFit() throws {
    func refuses(_ text: String, _ change: (inout Configuration) -> Void) {
      var configuration = Configuration()
      change(&configuration)
      let error = #expect(throws: RigLError.self) { try configuration.validate() }
      #expect(error?.kind == .configuration && error?.what.hasPrefix(text) == true)
    }
    refuses("augmentation") { $0.augmentation = .randomResizedCrop }
    refuses("augmentation") { ($0.data, $0.augmentation) = ("photos", .padCropFlip) }
    refuses("pad_to") { ($0.data, $0.padTo) = ("photos", 32) }
    refuses("image_size") { $0.imageSize = 32 }
    refuses("image_size") { ($0.data, $0.imageSize) = ("photos", 4) }
    refuses("crop_padding") { $0.cropPadding = 0 }
  }

  @Test func generatesColor() throws {
    var configuration = Configuration()
    configuration.data = "synthetic-color"
    configuration.imageSize = 20
    configuration.trainSamples = 50
    configuration.testSamples = 10
    configuration.validation = 0
    let data = try TrainingData.load(configuration)
    #expect(data.train.sampleShape == SampleShape(channels: 3, height: 20, width: 20))
    #expect(data.train.count == 50 && data.test.count == 10)
  }
}
