import Foundation
import RigLCore
import RigLImages
import Testing

// MARK: - A format of one file: from here to the next mark, and one line that registers it.

/// Points around a number of centres, labels and values from a file of text: `LABEL X Y` a line.
private struct Points: Dataset {
  let values: [[Float]]
  let ownLabels: [Int]

  var count: Int { values.count }
  var sampleShape: SampleShape { SampleShape(channels: 2) }
  var classes: Int { 3 }
  func label(of sample: Int) -> Int { ownLabels[sample] }
  func write(_ sample: Int, into values: inout MutableSpan<Float>) {
    for index in 0..<2 { values[index] = self.values[sample][index] }
  }
  var classNames: [String]? { ["north", "south", "east"] }

  init(contentsOf path: String) throws(RigLError) {
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
      throw RigLError(.missingFile, "\(path): there is no such file")
    }
    let rows = text.split(separator: "\n").map { $0.split(separator: " ") }
    ownLabels = rows.map { Int($0[0]) ?? -1 }
    values = rows.map { row in row.dropFirst().map { Float($0) ?? .nan } }
  }
}

extension DatasetFormat {
  fileprivate static let points: DatasetFormat = {
    var format = DatasetFormat("points") { (request) throws(RigLError) in
      let folder = request.folder ?? ""
      return DatasetParts(
        train: try Points(contentsOf: "\(folder)/train.points"),
        test: try Points(contentsOf: "\(folder)/test.points"))
    }
    format.folder = .required(hint: "Name the folder with train.points and test.points.")
    format.recognizes = { FileManager.default.fileExists(atPath: "\($0)/train.points") }
    format.sampleShape = { _ in SampleShape(channels: 2) }
    return format
  }()
}

// MARK: - What it can do without another line anywhere

@Suite(.serialized) struct DatasetFormatTests {
  init() { DatasetFormat.register(.points) }

  private func folder() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    // Folders of folders pass for photos, where nothing else is recognised.
    try folder.write(["points-here/more/README": [10]])
    var draws = SeededGenerator(seed: 5)
    for (name, count) in [("train", 300), ("test", 60)] {
      let lines = (0..<count).map { index in
        let (x, y) = [(0, 1), (0, -1), (1, 0)][index % 3]
        let noise = (0..<2).map { _ in Float.random(in: -0.3...0.3, using: &draws) }
        return "\(index % 3) \(Float(x) + noise[0]) \(Float(y) + noise[1])"
      }
      try folder.write(["points-here/\(name).points": Array(lines.joined(separator: "\n").utf8)])
    }
    return folder
  }

  private func configuration() -> Configuration {
    var configuration = Configuration()
    configuration.data = "points"
    configuration.hidden = [16]
    configuration.epochs = 20
    configuration.batchSize = 20
    configuration.sparsity = 0.5
    configuration.learningRate = 0.1
    return configuration
  }

  @Test func isListedAndRecognised() throws {
    let folder = try folder()
    #expect(DatasetFormat.all.map(\.name).contains("points"))
    #expect(DataSource.names.contains("points"))
    let path = folder("points-here")
    #expect(
      try DataSource(name: path) == DataSource(name: "points", folder: path))
    var layers = try SettingsStack()
    try layers.set(data: path)
    #expect(try layers.configuration().data == "points" && layers.options.dataFolder == path)
    let misspelt = #expect(throws: RigLError.self) { try DataSource(name: "pionts") }
    #expect(misspelt?.hint?.contains("points") == true)
    let nowhere = #expect(throws: RigLError.self) { try DataSource(name: "points") }
    #expect(nowhere?.what == "data points: its folder is not given")
    #expect(nowhere?.hint?.contains("train.points") == true)
  }

  /// Settings that are for images are refused where samples are none.
  @Test func takesNoSettingsOfImages() throws {
    for change in [
      { $0.padTo = 32 }, { $0.imageSize = 16 }, { $0.augmentation = .padCropFlip },
      { $0.augmentation = .randomResizedCrop },
    ] as [(inout Configuration) -> Void] {
      var configuration = configuration()
      try configuration.validate()
      change(&configuration)
      let error = #expect(throws: RigLError.self) { try configuration.validate() }
      #expect(error?.kind == .configuration && error?.what.contains("points") == true)
    }
  }

  @Test func trainsResumesAndNamesItsClasses() throws {
    let folder = try folder()
    var options = RunOptions()
    options.dataFolder = folder("points-here")
    options.output = folder("run")
    let trainer = try Trainer(configuration(), options: options)
    #expect(trainer.data.train.count == 270 && trainer.data.validation?.count == 30)
    let result = try trainer.run()
    #expect(try #require(result.test).accuracy > 0.9)
    let saved = try SavedRun(folder("run"))
    #expect(saved.classNames == ["north", "south", "east"])
    let test = try TrainingData.loadTest(saved.configuration, folder: folder("points-here"))
    #expect(try saved.evaluate(test).accuracy == result.test?.accuracy)
    // A run goes on with its own data alone: another label makes it another's.
    let path = folder("points-here") + "/train.points"
    let text = try String(contentsOfFile: path, encoding: .utf8)
    try Data(("2" + text.dropFirst()).utf8).write(to: URL(fileURLWithPath: path))
    options.output = nil
    let other = try Trainer(configuration(), options: options)
    let error = #expect(throws: RigLError.self) { try other.resume(folder("run")) }
    #expect(error?.kind == .data)
    #expect(error?.what.contains("the labels of the") == true, "\(error?.what ?? "")")
  }

  /// What a file has wrong is an error of data, also before samples are divided.
  @Test(arguments: [nil, 0, 20]) func labelsThatAreNoClassesAreRefused(validation: Int?) throws {
    let folder = try folder()
    let path = folder("points-here") + "/train.points"
    let text = try String(contentsOfFile: path, encoding: .utf8)
    try Data(("7" + text.dropFirst()).utf8).write(to: URL(fileURLWithPath: path))
    var configuration = configuration()
    configuration.validation = validation
    var options = RunOptions()
    options.dataFolder = folder("points-here")
    let error = #expect(throws: RigLError.self) { try Trainer(configuration, options: options) }
    #expect(error?.kind == .data && error?.what.contains("label 7") == true, "\(error?.what ?? "")")
  }

  /// A format of images in memory is padded, cropped and normalised as those of the library are.
  @Test func imagesOfAnOwnFormatGoThroughTheSettings() throws {
    let format = DatasetFormat(
      "stripes",
      images: { (_) throws(RigLError) in
        let shape = SampleShape(channels: 1, height: 4, width: 4)
        let pixels = (0..<480).map { UInt8($0 / 2 % 2 == 0 ? 200 : 40) }
        let images = try ImageSet(
          bytes: pixels, labels: (0..<30).map { UInt8($0 % 3) }, sampleShape: shape, classes: 3)
        return (images, images)
      })
    DatasetFormat.register(format)
    defer { DatasetFormat.unregister(named: "stripes") }
    var configuration = Configuration()
    configuration.data = "stripes"
    (configuration.padTo, configuration.validation) = (8, 6)
    configuration.augmentation = .padCropFlip
    try configuration.validate()
    let data = try TrainingData.load(configuration)
    #expect(data.train.sampleShape == SampleShape(channels: 1, height: 8, width: 8))
    #expect(data.train.count == 24 && data.validation?.count == 6 && data.test.count == 30)
    #expect(data.normalization?.means.count == 1)
    configuration.augmentation = .none
    let numbers = PixelNormalization(mean: 0.5, deviation: 0.25)
    let test = try TrainingData.loadTest(configuration, normalization: numbers)
    var values = [Float](repeating: 0, count: 64)
    var span = values.mutableSpan
    test.write(0, into: &span)
    #expect(values[0] == -2 && abs(values[2 * 8 + 2] - (200 / 255 - 0.5) / 0.25) < 1e-6)
    #expect(try DataSource(name: "stripes").load().train.count == 30)
  }

  /// A name in the table and in a program is the program's, in the table's place.
  @Test func replacesWhatHasItsName() {
    let before = DatasetFormat.all.map(\.name)
    ImageFormats.register()
    ImageFormats.register()
    #expect(DatasetFormat.all.map(\.name) == before)
    #expect(before.count { $0 == "photos" } == 1)
  }

  /// Without what decodes them, photos are one clear error, and settings of them are still checked.
  @Test func photosNeedTheirProduct() throws {
    let photos = try #require(DatasetFormat.builtIn.first { $0.name == "photos" })
    let error = #expect(throws: RigLError.self) {
      try photos.load(DatasetRequest(Configuration(), folder: "/tmp"))
    }
    #expect(error?.kind == .configuration && error?.what.contains("RigLImages") == true)
    #expect(error?.hint?.contains("ImageFormats.register()") == true)
    #expect(error?.hint?.contains(".product(name: \"RigLImages\"") == true)
  }

  @Test func formatsOfTheLibraryHaveNamesOfTheirOwn() {
    let names = DatasetFormat.builtIn.map(\.name)
    #expect(Set(names).count == names.count && !names.contains(Configuration.custom))
    for format in DatasetFormat.builtIn where format.recognizes != nil {
      #expect(format.folder != .unused, "\(format.name)")
    }
  }
}

// MARK: - What datasets say of themselves

/// A dataset of before: five members.
private struct Plain: Dataset {
  var count: Int { 12 }
  var sampleShape: SampleShape { SampleShape(channels: 1) }
  var classes: Int { 3 }
  func label(of sample: Int) -> Int { sample % 3 }
  func write(_ sample: Int, into values: inout MutableSpan<Float>) { values[0] = Float(sample) }
}

/// One that says all it can.
private struct Telling: Dataset {
  var count: Int { 12 }
  var sampleShape: SampleShape { SampleShape(channels: 1) }
  var classes: Int { 3 }
  func label(of sample: Int) -> Int { sample % 3 }
  func write(_ sample: Int, into values: inout MutableSpan<Float>) { values[0] = Float(sample) }
  var classNames: [String]? { ["a", "b", "c"] }
  func key(of sample: Int) -> String? { "key \(sample)" }
  func checksums(of samples: some Sequence<Int>) -> [String: String] {
    ["own": samples.map { "\($0)" }.joined(separator: "-")]
  }
}

@Suite struct DatasetProtocolTests {
  /// A label stands for one class: names that say another in one part are refused.
  @Test func partsHaveTheSameClassNames() throws {
    var (train, test) = SyntheticImages(trainCount: 40, testCount: 20).load()
    func problem() -> RigLError? {
      do throws(RigLError) {
        _ = try Trainer(Configuration(), data: TrainingData(train: train, test: test))
        return nil
      } catch {
        return error
      }
    }
    train.classNames = (0..<10).map { "class \($0)" }
    #expect(problem() == nil)
    test.classNames = train.classNames
    #expect(problem() == nil)
    test.classNames?.swapAt(3, 4)
    #expect(problem()?.kind == .data)
    #expect(
      problem()?.what
        == "class 3 of the test samples is named 'class 4', that of the training samples named "
        + "'class 3'")
    test.classNames?.removeLast(8)
    #expect(problem()?.what.contains("class 2 of the test samples is without a name") == true)
  }

  @Test func whatIsNotSaidHasDefaults() throws {
    let plain = Plain()
    #expect(plain.classNames == nil && plain.key(of: 0) == nil && plain.selection == nil)
    #expect(plain.labels(of: 2..<7) == [2, 0, 1, 2, 0])
    #expect(plain.checksums(of: 0..<12).keys.sorted() == ["labels"])
    #expect(plain.checksums(of: 0..<12) != plain.checksums(of: 1..<12))
    guard case .values = plain.access else { throw RigLError(.data, "not as values") }
  }

  /// A selection says what its dataset does, of its own samples, and so does one of a selection.
  @Test func selectionsForward() throws {
    let list = try Subset(Telling(), indices: [9, 2, 4, 11])
    #expect(list.classNames == ["a", "b", "c"])
    #expect(list.key(of: 1) == "key 2")
    #expect(list.labels(of: 1..<4) == [2, 1, 2])
    #expect(list.checksums(of: 0..<4) == ["own": "9-2-4-11"])
    let range = try Subset(Subset(Telling(), 3..<10), 2..<6)
    #expect(range.labels(of: 0..<4) == [2, 0, 1, 2] && range.labels(of: 2..<2) == [])
    #expect(range.checksums(of: 0..<4) == ["own": "5-6-7-8"])
    #expect(range.selection?.base is Telling)
    let inner = try Subset(list, indices: [3, 0])
    #expect(inner.checksums(of: 0..<2) == ["own": "11-9"] && inner.base is Telling)
  }

  /// Bytes in memory, and what is made of them, have the checksums and names of the bytes.
  @Test func imagesSayTheSameBeforeAndAfterATransform() throws {
    var images = try ImageSet(
      bytes: (0..<48).map { UInt8($0) }, labels: [0, 1, 2],
      sampleShape: SampleShape(channels: 1, height: 4, width: 4), classes: 3)
    images.classNames = ["a", "b", "c"]
    let padded = try TransformedImages(images, SmallImageTransform(padTo: 6))
    #expect(padded.classNames == images.classNames)
    #expect(padded.checksums(of: [0, 2]) == images.checksums(of: [0, 2]))
    #expect(images.checksums(of: [0, 2]).keys.sorted() == ["labels", "pixels"])
    #expect(images.checksums(of: [0, 2]) != images.checksums(of: [2, 0]))
    guard case .bytes = images.access, case .pixels = padded.access else {
      throw RigLError(.data, "images are not taken as bytes")
    }
    let numbers = PixelNormalization(mean: 0.25, deviation: 0.5)
    let subset = try Subset(padded, indices: [2, 1]).normalized(by: numbers)
    guard case .pixels(let pixels) = subset.base.access else {
      throw RigLError(.data, "a selection of images is none")
    }
    #expect(pixels.normalization == numbers && subset.baseIndex(of: 0) == 2)
  }

  /// Samples with keys are held out by these: which ones does not depend on where they lie.
  @Test func partsGoByKeys() throws {
    struct Named: Dataset {
      let names: [String]
      var count: Int { names.count }
      var sampleShape: SampleShape { SampleShape(channels: 1) }
      var classes: Int { 2 }
      func label(of sample: Int) -> Int { names[sample].hasPrefix("b") ? 1 : 0 }
      func write(_ sample: Int, into values: inout MutableSpan<Float>) { values[0] = 0 }
      func key(of sample: Int) -> String? { names[sample] }
    }
    let names = (0..<200).map { "\($0 % 2 == 0 ? "a" : "b")\($0)" }
    func held(_ names: [String]) throws -> Set<String> {
      let dataset = Named(names: names)
      let draw = try SampleDraw(.test, of: dataset, by: .random)
      return Set(try draw.holdingOut(share: 0.1, leaving: 2).held.map { names[$0] })
    }
    let first = try held(names)
    #expect((8...40).contains(first.count))
    #expect(try held(names.reversed()) == first)
    #expect(try held(Array(names.dropFirst(3))).subtracting(first).isEmpty)
  }
}
