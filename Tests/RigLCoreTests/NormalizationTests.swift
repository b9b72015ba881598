import Foundation
import RigLCore
import RigLImages
import Testing

/// What pixels go through, as `normalization` says it.
@Suite struct NormalizationTests {
  typealias Normalization = Configuration.Normalization

  private static let colors = Normalization.numbers(
    mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225])

  private func read(_ value: String) throws -> Normalization {
    var layers = try SettingsStack()
    try layers.set("normalization", to: value)
    let configuration = try layers.configuration()
    try configuration.validate()
    return configuration.normalization
  }

  @Test(
    arguments: [
      ("standard", .standard), ("none", .none), ("imagenet", .imageNet),
      ("{mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225]}", colors),
      ("{deviation: [0.229, 0.224, 0.225], mean: [0.485, 0.456, 0.406]}", colors),
      ("{mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}", colors),
      ("{mean: 0.5, deviation: 0.25}", .numbers(mean: [0.5], deviation: [0.25])),
      ("{mean: [0], std: [1]}", .numbers(mean: [0], deviation: [1])),
    ] as [(String, Normalization)])
  func isReadAndSaved(text: String, expected: Normalization) throws {
    #expect(try read(text) == expected)
    var configuration = Configuration()
    configuration.normalization = expected
    let yaml = try configuration.yaml()
    let line = yaml.split(separator: "\n").first { $0.hasPrefix("normalization: ") }
    #expect(try read(String(try #require(line).dropFirst(15))) == expected, "as --set takes it")
    let again = try Configuration(yaml: yaml, path: "config.yaml")
    #expect(again == configuration)
    #expect(try again.yaml() == yaml)
    let json = try JSONEncoder().encode(configuration)
    #expect(try JSONDecoder().decode(Configuration.self, from: json) == configuration)
    // A file as people write it.
    let file = try Configuration(yaml: "normalization: \(text)\n", path: "c.yaml")
    #expect(file.normalization == expected)
  }

  @Test func runsWithoutItHaveTheStandard() throws {
    let old = try Configuration(yaml: "data: synthetic\n", path: "config.yaml")
    #expect(old.normalization == .standard && old.normalization.pixels == nil)
  }

  @Test(arguments: [
    ("nothing", "not standard, none, imagenet"), ("null", "not standard"), ("0.5", "not standard"),
    ("[0.5, 0.5]", "not standard"), ("{}", "not standard"), ("{mean: 0.5}", "not standard"),
    ("{mean: 0.5, sigma: 0.5}", "not standard"),
    ("{mean: 0.5, std: 0.5, deviation: 0.5}", "not standard"),
    ("{mean:[0.5],deviation:[0.5]}", "not"), ("{mean: [a], deviation: 1}", "not a finite number"),
    ("{mean: .nan, deviation: 1}", "not a finite number"),
    ("{mean: 0, deviation: .inf}", "not a finite number"),
    ("{mean: 0, deviation: [nan]}", "not a finite number"),
    ("{mean: [0.1, 0.2, 0.3], deviation: [0.5]}", "3 means, but 1 deviation"),
    ("{mean: [0.1, 0.2], deviation: [0.5, 1, 1]}", "2 means, but 3 deviations"),
    ("{mean: [], deviation: []}", "0 means, but 0 deviations"),
    ("{mean: 0, deviation: 0}", "a deviation of 0.0"),
    ("{mean: [0, 0], deviation: [1, -1]}", "a deviation of -1.0"),
    ("{mean: 0, deviation: 1e-40}", "a deviation of 1e-40"),
    ("{mean: [123.675, 116.28, 103.53], deviation: [58.395, 57.12, 57.375]}", "a mean of 123.675"),
  ])
  func whatIsNoneIsAnError(text: String, message: String) throws {
    let error = try #require(throws: RigLError.self) { try read(text) }
    #expect(error.kind == .configuration)
    #expect(error.what.hasPrefix("normalization: ") && error.what.contains(message), "\(error)")
    let place = try #require(throws: RigLError.self) {
      try Configuration(yaml: "seed: 1\nnormalization: \(text)\n", path: "c.yaml").validate()
    }
    #expect(place.kind == .configuration, "\(place)")
    // What is no YAML in a file has no key.
    #expect(
      ["normalization: ", "c.yaml, line 2: "].contains { place.what.contains($0) }, "\(place)")
  }

  @Test func otherChannelsAreAnError() throws {
    for (data, normalization, message) in [
      ("synthetic", Normalization.imageNet, "3 channels, but samples have 1"),
      ("synthetic", Self.colors, "3 channels, but samples have 1"),
      (
        "synthetic-color", .numbers(mean: [0, 0], deviation: [1, 1]),
        "2 channels, but samples have 3"
      ),
    ] {
      let error = try #require(throws: RigLError.self) {
        try TrainingData.load(Self.configuration(data, normalization))
      }
      #expect(error.kind == .configuration && error.what.contains(message), "\(error)")
    }
  }

  /// Whoever asks first.
  @Test func numbersOfASettingAreCheckedWhereverTheyAreUsed() throws {
    let configuration = Self.configuration(
      "synthetic", .numbers(mean: [0.5], deviation: [0, 1]))
    let data = TrainingData(
      train: SyntheticImages(trainCount: 20, testCount: 1).load().train,
      test: SyntheticImages(trainCount: 20, testCount: 1).load().train)
    #expect(throws: RigLError.self) { try TrainingData.load(configuration) }
    #expect(throws: RigLError.self) { try TrainingData.loadTest(configuration) }
    #expect(throws: RigLError.self) { try Trainer(configuration, data: data) }
  }

  @Test func itExcludesEachImagesOwn() throws {
    for setting in [Normalization.none, .imageNet] {
      let configuration = Self.configuration("synthetic-color", setting).changing {
        $0.perImageStandardization = true
      }
      let error = try #require(throws: RigLError.self) { try configuration.validate() }
      #expect(error.what.contains("per_image_standardization"), "\(error)")
    }
  }

  /// Samples that are no pixels cannot be what the setting asks for.
  @Test func samplesThatAreNoPixelsAreAnError() throws {
    let samples = RandomSamples(count: 200, width: 10, classes: 4)
    var configuration = Configuration()
    configuration.hidden = [8]
    let data = TrainingData(train: samples, test: samples)
    _ = try Trainer(configuration, data: data)
    configuration.normalization = .none
    let error = try #require(throws: RigLError.self) { try Trainer(configuration, data: data) }
    #expect(error.kind == .configuration && error.what.hasPrefix("normalization: "), "\(error)")
  }

  /// Otherwise they would be evaluated by other numbers than were trained with.
  @Test func noPartIsLeftOut() throws {
    let pixels = SyntheticImages(trainCount: 200, testCount: 1).load().train
    let values = RandomSamples(count: 200, shape: pixels.sampleShape, classes: pixels.classes)
    for data in [
      TrainingData(train: pixels, test: values),
      TrainingData(train: pixels, validation: values, test: pixels),
    ] {
      let configuration = Configuration().changing { $0.normalization = .none }
      let error = try #require(throws: RigLError.self) {
        _ = try Trainer(configuration, data: data)
      }
      #expect(error.kind == .configuration && error.what.hasPrefix("normalization: "), "\(error)")
    }
  }

  @Test func partsOfOtherNumbersAreSaid() throws {
    let train = SyntheticImages(trainCount: 200, testCount: 1).load().train
    var other = train
    other.normalization = PixelNormalization(mean: 0.5, deviation: 0.25)
    func warnings(_ data: TrainingData, _ normalization: Normalization) throws -> [String] {
      let configuration = Configuration().changing { $0.normalization = normalization }
      return try Trainer(configuration, data: data).warnings.filter {
        $0.hasPrefix("normalization: ")
      }
    }
    let data = TrainingData(train: train, validation: train, test: other)
    let warning = try #require(warnings(data, .standard).first)
    #expect(warning.contains("test samples") && !warning.contains("validation"), "\(warning)")
    #expect(try warnings(data, Normalization.none).isEmpty)
    #expect(try warnings(TrainingData(train: train, test: train), .standard).isEmpty)
  }

  // MARK: - What the network sees

  private static func configuration(
    _ data: String, _ normalization: Normalization
  ) -> Configuration {
    Configuration().changing {
      $0.data = data
      $0.trainSamples = 400
      $0.testSamples = 100
      $0.validation = 100
      $0.normalization = normalization
      $0.hidden = [12]
      $0.epochs = 2
      $0.batchSize = 50
    }
  }

  private func values(_ dataset: any Dataset, _ sample: Int) -> [Float] {
    var values = [Float](repeating: 0, count: dataset.sampleShape.count)
    var span = values.mutableSpan
    dataset.write(sample, into: &span)
    return values
  }

  /// Every part, padded or not: (pixel / 255 - mean) / deviation of the padded image.
  @Test(arguments: [
    ("synthetic", Normalization.none), ("synthetic-color", .none), ("synthetic-color", .imageNet),
    ("synthetic", .numbers(mean: [0.5], deviation: [0.25])), ("synthetic-color", colors),
  ])
  func pixelsBecomeTheValuesAskedFor(data: String, normalization: Normalization) throws {
    let numbers = try #require(normalization.pixels)
    for side in [nil, 36] as [Int?] {
      let asked = Self.configuration(data, normalization).changing { $0.padTo = side }
      let plain = asked.changing { $0.normalization = .none }
      let (ours, pixels) = (try TrainingData.load(asked), try TrainingData.load(plain))
      #expect(ours.normalization == numbers)
      for (part, other) in [
        (ours.train, pixels.train), (ours.test, pixels.test),
        (try #require(ours.validation), try #require(pixels.validation)),
        (try TrainingData.loadTest(asked), try TrainingData.loadTest(plain)),
      ] {
        let plane = part.sampleShape.height * part.sampleShape.width
        let (seen, share) = (values(part, 3), values(other, 3))
        #expect(share.allSatisfy { (0...1).contains($0) } && share.max() ?? 0 > 0.3)
        for index in seen.indices {
          let place = numbers.means.count == 1 ? 0 : index / plane
          let expected =
            (Double(share[index]) - numbers.means[place]) / numbers.deviations[place]
          #expect(abs(Double(seen[index]) - expected) < 1e-5, "\(data) \(index)")
        }
        // Black comes before the numbers.
        if side != nil { #expect(share[0] == 0) }
      }
    }
  }

  @Test func photosToo() throws {
    let folder = try TemporaryFolder()
    ImageFormats.register()
    try GeneratedImageFolder(classes: 2, trainPerClass: 6, validationPerClass: 2, side: 24)
      .write(to: folder("photos"))
    func data(_ normalization: Normalization) throws -> TrainingData {
      let configuration = Configuration().changing {
        ($0.data, $0.imageSize, $0.validation) = ("photos", 16, 0)
        $0.normalization = normalization
      }
      return try TrainingData.load(configuration, folder: folder("photos"))
    }
    let (standard, none, same) = (
      try data(.standard), try data(.none), try data(.imageNet)
    )
    #expect(standard.normalization == .imageNet)
    for (a, b, c) in [
      (standard.train, none.train, same.train), (standard.test, none.test, same.test),
    ] {
      let (own, share) = (values(a, 1), values(b, 1))
      #expect(own == values(c, 1))
      for index in stride(from: 0, to: own.count, by: 37) {
        let place = index / 256
        let expected =
          (Double(share[index]) - PixelNormalization.imageNet.means[place])
          / PixelNormalization.imageNet.deviations[place]
        #expect(abs(Double(own[index]) - expected) < 1e-5)
      }
    }
  }

  // MARK: - Runs

  private func trained(_ normalization: Normalization, in folder: TemporaryFolder) throws
    -> SavedRun
  {
    let options = RunOptions(threads: 1, output: folder("run"))
    let configuration = Self.configuration("synthetic", normalization)
    _ = try Trainer(configuration, options: options).run()
    return try SavedRun(folder("run"), threads: 1)
  }

  /// Another program's file: the weights, and not a word on what they were trained with.
  private func strip(_ path: String, to target: String) throws {
    let file = try SafetensorsFile(path: path)
    var writer = try SafetensorsWriter(path: target, tensors: file.tensors)
    for tensor in file.tensors {
      var values = AlignedBuffer<Float>(count: tensor.count)
      try file.readFloats(tensor.name, into: &values)
      try writer.append(values, to: tensor.name)
    }
    try writer.finish()
  }

  /// A network that was trained on other input than the data's standard says the same once imported
  /// with it, and goes on with it.
  @Test(arguments: [Normalization.none, .numbers(mean: [0.3], deviation: [0.7])])
  func importedNetworksAreGivenWhatTheyWereTrainedOn(normalization: Normalization) throws {
    let folder = try TemporaryFolder()
    let run = try trained(normalization, in: folder)
    #expect(run.normalization == normalization.pixels)
    try run.export(to: folder("own.safetensors"), isDense: true)
    try strip(folder("own.safetensors"), to: folder("torch.safetensors"))
    let test = try TrainingData.loadTest(run.configuration)
    let expected = try run.evaluate(test)
    let pixels = SyntheticImages(trainCount: 1, testCount: 20).load().test.bytes
    func logits(_ run: SavedRun) throws -> [[Float]] {
      try run.logits(
        try SampleFile(IDXFixture.idx([20, 28, 28], pixels), name: "images", for: run)
          .samples(0..<20))
    }
    func imported(
      _ file: String, _ name: String, _ configuration: Configuration
    ) throws -> SavedRun {
      var options = RunOptions()
      options.output = folder(name)
      _ = try NetworkImport(folder(file), configuration).write(options)
      return try SavedRun(folder(name), threads: 1)
    }
    for (file, name) in [("torch.safetensors", "a"), ("own.safetensors", "b")] {
      let again = try imported(file, name, run.configuration)
      #expect(again.normalization == normalization.pixels)
      #expect(try logits(again) == logits(run), "\(file)")
      // Whatever data they are shown, of whichever settings.
      let standard = run.configuration.changing { $0.normalization = .standard }
      for data in [test, try TrainingData.loadTest(standard)] {
        #expect(try again.evaluate(data) == expected)
      }
    }
    let standard = run.configuration.changing { $0.normalization = .standard }
    let other = try imported("torch.safetensors", "c", standard)
    #expect(other.normalization != normalization.pixels)
    #expect(try logits(other) != logits(run))
    // Asked for, the settings' numbers count, not the file's.
    let asked = try imported("own.safetensors", "d", standard)
    #expect(asked.normalization == other.normalization)
    // Goes on as it was: from the first step on, with the same input.
    let options = RunOptions(threads: 1)
    let trainer = try Trainer(run.configuration, options: options)
    _ = try trainer.resume(folder("a"))
    #expect(try SavedRun(folder("a"), threads: 1).normalization == normalization.pixels)
    let refused = try #require(throws: RigLError.self) {
      _ = try Trainer(standard, options: options).resume(folder("b"))
    }
    #expect(refused.kind == .configuration && refused.what.hasPrefix("normalization"))
  }

  /// With the input known, no data is needed.
  @Test func anImportNeedsNoDataForInputThatIsSaid() throws {
    let folder = try TemporaryFolder()
    let run = try trained(.none, in: folder)
    try run.export(to: folder("own.safetensors"), isDense: true)
    try strip(folder("own.safetensors"), to: folder("torch.safetensors"))
    var configuration = run.configuration.changing {
      ($0.data, $0.normalization) = ("mnist", .none)
    }
    let shape = SampleShape(channels: 1, height: 28, width: 28)
    let network = try NetworkImport(folder("torch.safetensors"), configuration, input: shape)
    #expect(network.normalization == PixelNormalization(mean: 0, deviation: 1))
    configuration.normalization = .imageNet
    let error = try #require(throws: RigLError.self) {
      try NetworkImport(folder("torch.safetensors"), configuration, input: shape)
    }
    #expect(error.kind == .configuration && error.what.contains("3 channels"), "\(error)")
  }
}
