import Foundation
import RigLCore
import RigLImages
import Testing

/// Which samples `validation`, `train_samples` and `test_samples` take.
@Suite struct SampleDrawTests {
  /// A folder of IDX files of 2 × 2 images, each with its number as its pixels.
  private static func write(_ labels: [UInt8], test: [UInt8], to folder: TemporaryFolder) throws {
    for (name, labels) in [("train", labels), ("t10k", test)] {
      let pixels: [UInt8] = labels.indices.flatMap { [UInt8($0 / 256), UInt8($0 % 256), 0, 255] }
      try folder.write([
        "\(name)-images-idx3-ubyte": IDXFixture.idx([labels.count, 2, 2], pixels),
        "\(name)-labels-idx1-ubyte": IDXFixture.idx([labels.count], labels),
      ])
    }
  }

  /// 600 and 200 samples of 10 classes, one class after the other.
  private static func sorted() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    try write(
      (0..<600).map { UInt8($0 / 60) }, test: (0..<200).map { UInt8($0 / 20) }, to: folder)
    return folder
  }

  private static func load(
    _ folder: TemporaryFolder, _ change: (inout Configuration) -> Void
  ) throws -> TrainingData {
    var configuration = Configuration()
    configuration.data = "idx"
    configuration.validation = 0
    change(&configuration)
    return try TrainingData.load(configuration, folder: folder.path)
  }

  /// The numbers of samples in their set.
  private func numbers(_ dataset: (any Dataset)?) throws -> [Int] {
    let dataset = try #require(dataset)
    let subset = dataset as? Subset
    return (0..<dataset.count).map { subset?.baseIndex(of: $0) ?? $0 }
  }

  private func classes(_ dataset: (any Dataset)?) throws -> Set<Int> {
    let dataset = try #require(dataset)
    return Set((0..<dataset.count).map(dataset.label))
  }

  @Test func sortedSetsLoseNoClass() throws {
    let folder = try Self.sorted()
    for seed: UInt64 in [0, 7] {
      let data = try Self.load(folder) {
        $0.validation = 50
        $0.trainSamples = 150
        $0.testSamples = 40
        $0.seed = seed
      }
      #expect(data.train.count == 100 && data.validation?.count == 50 && data.test.count == 40)
      for part in [data.train, data.validation, data.test] {
        #expect(try classes(part).count == 10)
      }
      let (train, validation) = try (numbers(data.train), numbers(data.validation))
      #expect(Set(train + validation).count == 150)
      #expect(train == train.sorted() && validation == validation.sorted())
      // The rule itself: other machines, seeds and versions take the same.
      #expect(validation.prefix(5) == [3, 4, 6, 14, 21])
      #expect(try numbers(data.test).prefix(5) == [10, 15, 19, 31, 34])
    }
  }

  /// As few as there are classes are enough, of all that a class has one stays to train on, and where
  /// that cannot be, an error says so.
  @Test func missingClassesAreErrors() throws {
    let folder = try Self.sorted()
    for count in [10, 11, 590] {
      let data = try Self.load(folder) { $0.validation = count }
      #expect(try classes(data.validation).count == 10 && classes(data.train).count == 10)
      #expect(data.validation?.count == count)
      let some = try Self.load(folder) { $0.trainSamples = count }
      #expect(try classes(some.train).count == 10 && some.train.count == count)
    }
    func refuses(_ words: String..., change: @escaping (inout Configuration) -> Void) throws {
      let error = try #require(throws: RigLError.self) { try Self.load(folder, change) }
      #expect(error.kind == .configuration)
      for word in words { #expect(error.description.contains(word), "\(error)") }
    }
    try refuses("validation: class", "no sample among the 9 validation", "10 or more") {
      $0.validation = 9
    }
    try refuses("validation: class", "left to train on") { $0.validation = 591 }
    try refuses("train_samples: class", "10 or more") { $0.trainSamples = 9 }
    try refuses("test_samples: class", "10 or more") { $0.testSamples = 9 }
    try refuses("validation: class 0", "last ones", "split: random") {
      $0.validation = 50
      $0.split = .sequential
    }
    try refuses("train_samples: class 2", "first ones") {
      $0.trainSamples = 100
      $0.split = .sequential
    }
    try refuses("test_samples: 201 samples asked for") { $0.testSamples = 201 }
    // Of the one sample that a class has, none can be held out.
    try Self.write([0, 0, 0, 1, 1, 1, 2], test: [0, 1, 2], to: folder)
    try refuses("validation: class 2", "single sample") { $0.validation = 3 }
    // Labels that no sample has are no classes of the set.
    try Self.write([0, 0, 0, 2, 2, 2], test: [0, 2], to: folder)
    #expect(try Self.load(folder) { $0.validation = 2 }.validation?.count == 2)
  }

  /// Where no number is given, a tenth is held out, at most 5000, and of each class one.
  @Test func aTenthIsHeldOutUnlessSaid() throws {
    let folder = try Self.sorted()
    var data = try Self.load(folder) { $0.validation = nil }
    #expect(data.validation?.count == 60 && data.train.count == 540)
    #expect(try classes(data.validation).count == 10 && classes(data.train).count == 10)
    #expect(try Set(numbers(data.train) + numbers(data.validation)).count == 600)
    // Of what is taken.
    data = try Self.load(folder) { ($0.validation, $0.trainSamples) = (nil, 200) }
    #expect(data.validation?.count == 20 && data.train.count == 180)
    // More than a tenth where there are so few of each class.
    try Self.write((0..<40).map { UInt8($0 % 10) }, test: Array(0..<10), to: folder)
    data = try Self.load(folder) { $0.validation = nil }
    #expect(data.validation?.count == 10 && data.train.count == 30)
    #expect(try classes(data.validation).count == 10 && classes(data.train).count == 10)
    let onTest = try Self.load(folder) { ($0.validation, $0.validateOnTest) = (nil, true) }
    #expect(onTest.train.count == 40 && onTest.validation?.count == 10)
    #expect(Configuration().validation == nil)
  }

  /// Of sets as large as the published ones, the same samples as earlier versions held out.
  @Test func largeSetsKeepTheirValidationSamples() throws {
    let folder = try TemporaryFolder()
    for (count, expected) in [(60_000, 5000), (50_000, 5000), (49_990, 4999)] {
      try Self.write((0..<count).map { UInt8($0 % 10) }, test: Array(0..<10), to: folder)
      for split in Configuration.Split.allCases {
        let data = try Self.load(folder) { ($0.validation, $0.split) = (nil, split) }
        let asked = try Self.load(folder) { ($0.validation, $0.split) = (expected, split) }
        #expect(try numbers(data.validation) == numbers(asked.validation))
        #expect(data.validation?.count == expected)
      }
    }
  }

  @Test func aClassOfOneLeavesNothingToHoldOut() throws {
    let folder = try TemporaryFolder()
    try Self.write([0, 0, 0, 1, 1, 1, 2], test: [0, 1, 2], to: folder)
    var configuration = Configuration()
    (configuration.data, configuration.hidden, configuration.epochs) = ("idx", [4], 1)
    (configuration.batchSize, configuration.method) = (1, .dense)
    var options = RunOptions()
    options.dataFolder = folder.path
    var trainer = try Trainer(configuration, options: options)
    #expect(trainer.data.validation == nil && trainer.data.train.count == 7)
    #expect(trainer.warnings.count == 1)
    #expect(trainer.warnings.first?.hasPrefix("validation: no samples are held out") == true)
    #expect(trainer.warnings.first?.contains("class 2 has a single sample") == true)
    configuration.validation = 0
    trainer = try Trainer(configuration, options: options)
    #expect(trainer.warnings.isEmpty, "nothing was asked for")
    try Self.write([0, 0, 1, 1, 2, 2], test: [0, 1, 2], to: folder)
    configuration.validation = nil
    trainer = try Trainer(configuration, options: options)
    #expect(trainer.data.validation?.count == 3 && trainer.warnings.isEmpty)
  }

  @Test func publishedSplitsAreSequential() throws {
    let folder = try TemporaryFolder()
    try Self.write(
      (0..<60).map { UInt8($0 % 3) }, test: (0..<30).map { UInt8($0 % 3) }, to: folder)
    let data = try Self.load(folder) {
      $0.split = .sequential
      $0.trainSamples = 50
      $0.validation = 10
      $0.testSamples = 20
    }
    #expect(try numbers(data.train) == Array(0..<40))
    #expect(try numbers(data.validation) == Array(40..<50))
    #expect(try numbers(data.test) == Array(0..<20))
    let protocolOfSET = try #require(Preset.named("mlp-1000x3")).configuration
    #expect(protocolOfSET.split == .sequential)
    #expect(try protocolOfSET.yaml().contains("split: sequential\n"))
    for name in ["lenet-300-100", "lenet-300-100-paper"] {
      let preset = try #require(Preset.named(name)).configuration
      #expect(preset.validation == 0 && preset.trainSamples == nil && preset.testSamples == nil)
    }
  }

  /// What a run of an earlier version says nothing of was taken sequentially; a user's file means
  /// the default.
  @Test func savedRunsKeepTheirSplit() throws {
    let yaml = try Configuration().yaml()
    #expect(try Configuration(yaml: yaml, path: "x").split == .random)
    let earlier = yaml.replacing("split: random\n", with: "")
    #expect(earlier != yaml)
    #expect(try Configuration(yaml: earlier, path: "x").split == .sequential)
    var layers = try SettingsStack()
    try layers.apply(yaml: earlier, path: "x")
    #expect(try layers.configuration().split == .random)
  }

  /// A number that an earlier version saved stays one; without one, the file has none.
  @Test func savedRunsKeepTheirValidation() throws {
    let yaml = try Configuration().yaml()
    #expect(!yaml.contains("validation:"))
    #expect(try Configuration(yaml: yaml, path: "x").validation == nil)
    let earlier = try Configuration(yaml: yaml + "validation: 5000\n", path: "x")
    #expect(earlier.validation == 5000)
    var layers = try SettingsStack(earlier)
    try layers.set("validation", to: "null")
    #expect(try layers.configuration().validation == nil)
  }

  // MARK: - Photos

  @Test func aTenthOfPhotosIsHeldOut() throws {
    let folder = try TemporaryFolder()
    func write(_ part: String, _ numbers: Range<Int>) throws {
      for label in ["a", "b"] {
        for number in numbers {
          try folder.write(["\(part)\(label)/\(number).png": PhotoFolderTests.png])
        }
      }
    }
    func load(_ path: String) throws -> TrainingData {
      var configuration = Configuration()
      configuration.data = "photos"
      ImageFormats.register()
      return try TrainingData.load(configuration, folder: folder(path))
    }
    try write("three/", 0..<3)
    let three = try load("three")
    #expect(three.train.count == 2 && three.validation?.count == 2 && three.test.count == 2)
    try write("two/", 0..<2)
    let two = try load("two")
    #expect(two.train.count == 2 && two.validation == nil && two.test.count == 2)

    try write("parts/train/", 0..<150)
    try write("parts/test/", 0..<1)
    let parts = try load("parts")
    let held = try #require(parts.validation?.count)
    #expect((10...50).contains(held) && parts.train.count + held == 300)
    // None of them changes its part when others come.
    func paths(_ dataset: (any Dataset)?) throws -> Set<String> {
      let subset = try #require(dataset as? Subset)
      let photos = try #require(subset.base as? PhotoSet)
      return Set((0..<subset.count).map { photos.path(of: subset.baseIndex(of: $0)) })
    }
    try write("parts/train/", 150..<170)
    let more = try load("parts")
    #expect(try paths(parts.validation).isSubset(of: paths(more.validation)))
    #expect(try paths(parts.train).isSubset(of: paths(more.train)))
    // A folder of its own is all that is validated on.
    try write("parts/val/", 0..<4)
    let own = try load("parts")
    #expect(own.validation?.count == 8 && own.train.count == 340)
  }

  @Test func photosAreDrawnByTheirPaths() throws {
    let folder = try TemporaryFolder()
    for (part, count) in [("train", 40), ("val", 20)] {
      for label in ["a", "b"] {
        for number in 0..<count {
          try folder.write(["\(part)/\(label)/\(number).png": PhotoFolderTests.png])
        }
      }
    }
    var configuration = Configuration()
    configuration.data = "photos"
    ImageFormats.register()
    configuration.validation = 20
    configuration.testSamples = 9
    func paths(_ dataset: (any Dataset)?) throws -> Set<String> {
      let subset = try #require(dataset as? Subset)
      let photos = try #require(subset.base as? PhotoSet)
      return Set((0..<subset.count).map { photos.path(of: subset.baseIndex(of: $0)) })
    }
    let data = try TrainingData.load(configuration, folder: folder.path)
    let held = try paths(data.validation)
    // A quarter, drawn.
    #expect((8...32).contains(held.count) && data.train.count + held.count == 80)
    #expect(data.test.count == 9)
    configuration.seed = 3
    try folder.write(["train/a/new.png": PhotoFolderTests.png])
    let more = try TrainingData.load(configuration, folder: folder.path)
    #expect(
      try paths(more.validation).symmetricDifference(held).isSubset(of: [
        folder("train/a/new.png")
      ]))
    #expect(try paths(more.test) == paths(data.test))

    // As earlier versions drew them, nobody can any more; what is not drawn is no matter.
    configuration.split = .sequential
    func refuses() throws {
      let error = try #require(throws: RigLError.self) {
        try TrainingData.load(configuration, folder: folder.path)
      }
      #expect(error.kind == .configuration && error.what.hasPrefix("split: sequential"))
      #expect(error.what.contains("by the run's seed") && !error.what.contains("\n"))
    }
    try refuses()
    configuration.testSamples = nil
    try refuses()
    #expect(try TrainingData.loadTest(configuration, folder: folder.path).count == 40)
    configuration.validation = 0
    #expect(try TrainingData.load(configuration, folder: folder.path).train.count == 81)
    try FileManager.default.moveItem(atPath: folder("train"), toPath: folder("x"))
    try FileManager.default.removeItem(atPath: folder("val"))
    var inner = configuration
    inner.data = folder("x")
    let error = try #require(throws: RigLError.self) { try TrainingData.loadTest(inner) }
    #expect(error.what.hasPrefix("split: sequential"))
    inner.split = .random
    #expect(try TrainingData.load(inner).test.count > 0)
  }
}
