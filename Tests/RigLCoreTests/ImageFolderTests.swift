import Foundation
import RigLCore
import Testing

@Suite struct ImageFolderTests {
  /// The four files of a tiny set: 3 and 2 images of 2 × 2.
  static let files: [(name: String, contents: [UInt8])] = [
    ("train-images-idx3-ubyte", IDXFixture.idx([3, 2, 2], [0, 0, 255, 255] + Array(1...8))),
    ("train-labels-idx1-ubyte", IDXFixture.idx([3], [2, 0, 1])),
    ("t10k-images-idx3-ubyte", IDXFixture.idx([2, 2, 2], Array(11...18))),
    ("t10k-labels-idx1-ubyte", IDXFixture.idx([2], [1, 1])),
  ]

  /// Calls `body` with a folder of the files after `change`; nil leaves a file out.
  private func withFolder(
    _ change: (inout [String: [UInt8]]) -> Void = { _ in }, _ body: (String) throws -> Void
  ) throws {
    var files = Dictionary(uniqueKeysWithValues: Self.files.map { ($0.name, $0.contents) })
    change(&files)
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    for (name, contents) in files {
      try Data(contents).write(to: folder.appendingPathComponent(name))
    }
    try body(folder.path)
  }

  private func refuses(
    _ kind: RigLError.Kind, containing text: String,
    sourceLocation: SourceLocation = #_sourceLocation,
    _ change: (inout [String: [UInt8]]) -> Void
  ) throws {
    try withFolder(change) { path in
      let error = #expect(throws: RigLError.self, sourceLocation: sourceLocation) {
        try IDXFolder(path: path).load()
      }
      #expect(error?.kind == kind, sourceLocation: sourceLocation)
      #expect(
        error?.what.contains(text) == true, "\(error?.what ?? "")", sourceLocation: sourceLocation)
      #expect(error?.what.contains(path) == true, sourceLocation: sourceLocation)
    }
  }

  /// Numbers for three channels are none for these images: a run of such ones is refused for its
  /// shape, when it comes to that.
  @Test func numbersForOtherChannelsAreLeftOut() throws {
    try withFolder { path in
      var configuration = Configuration()
      (configuration.data, configuration.validation) = ("idx", 0)
      let test = try TrainingData.loadTest(
        configuration, folder: path, normalization: .cifar10, classes: 10)
      #expect(test.sampleShape == SampleShape(channels: 1, height: 2, width: 2))
    }
  }

  @Test(arguments: ["plain", "gzip", "dot", "dot and gzip"])
  func readsEverySpelling(spelling: String) throws {
    func rename(_ files: inout [String: [UInt8]]) {
      files = Dictionary(
        uniqueKeysWithValues: files.map { name, contents in
          var (name, contents) = (name, contents)
          if spelling.contains("dot") {
            name = name.replacingOccurrences(of: "s-idx", with: "s.idx")
          }
          if spelling.contains("gzip") {
            (name, contents) = (name + ".gz", IDXFixture.gzip(contents))
          }
          return (name, contents)
        })
    }
    try withFolder(rename) { path in
      let (train, test) = try IDXFolder(path: path).load()
      #expect(train.sampleShape == SampleShape(channels: 1, height: 2, width: 2))
      #expect(train.count == 3 && test.count == 2)
      #expect(train.labels == [2, 0, 1] && test.labels == [1, 1])
      #expect(train.classes == 3 && test.classes == 3)
      #expect(test.bytes == Array(11...18))
      #expect(train.normalization == PixelNormalization(of: train.bytes))
      #expect(test.normalization == train.normalization)
      #expect(try DataSource(name: path).load().train.bytes == train.bytes)
      #expect(try DataSource(name: "mnist", folder: path).load().train.classes == 10)
    }
  }

  @Test func normalises() throws {
    // Mean and deviation of [0, 0, 255, 255] are a half each.
    let set = try ImageSet(
      bytes: [0, 0, 255, 255], labels: [0, 0], sampleShape: SampleShape(channels: 2), classes: 1)
    #expect(set.normalization == PixelNormalization(mean: 0.5, deviation: 0.5))
    var values = AlignedBuffer<Float>(count: 2)
    values.withMutableSpan { set.write(1, into: &$0) }
    #expect(values.array() == [1, 1])
    values.withMutableSpan { set.write(0, into: &$0) }
    #expect(values.array() == [-1, -1])
    #expect(PixelNormalization(of: [9, 9]).deviations == [1])
  }

  @Test(arguments: files.map(\.name))
  func namesTheMissingFile(name: String) throws {
    try refuses(.missingFile, containing: name) { $0[name] = nil }
  }

  @Test func refusesLabelsOutOfRange() throws {
    try refuses(.data, containing: "label 3 of sample 1, expected 0..<3") {
      $0["t10k-labels-idx1-ubyte"] = IDXFixture.idx([2], [0, 3])
    }
  }

  @Test func refusesCountsThatDiffer() throws {
    try refuses(.data, containing: "3 images, but 4 labels") {
      $0["train-labels-idx1-ubyte"] = IDXFixture.idx([4], [0, 1, 2, 0])
    }
  }

  @Test func refusesSizesThatDiffer() throws {
    try refuses(.data, containing: "images of 1 × 4") {
      $0["t10k-images-idx3-ubyte"] = IDXFixture.idx([2, 1, 4], Array(1...8))
    }
  }

  @Test func refusesFoldersAsFiles() throws {
    try withFolder({ $0["train-images-idx3-ubyte"] = nil }) { path in
      let file = path + "/train-images-idx3-ubyte"
      try FileManager.default.createDirectory(atPath: file, withIntermediateDirectories: false)
      #expect(throws: RigLError.self) { try IDXFolder(path: path).load() }
      let error = #expect(throws: RigLError.self) { try IDXArray(contentsOf: file, rank: 3) }
      #expect(error?.kind == .missingFile)
    }
  }

  @Test func refusesWhatIsNoFile() {
    for path in ["/nowhere/at/all", "/dev/zero", ""] {
      let error = #expect(throws: RigLError.self) { try IDXArray(contentsOf: path, rank: 1) }
      #expect(error?.kind == .missingFile, "\(path)")
    }
  }

  @Test func saysHowToGetFashionMNIST() throws {
    #expect(
      IDXFolder.fashionMNIST().hint?.contains("apt-get install dataset-fashion-mnist") == true)
    var folder = IDXFolder.fashionMNIST()
    folder.path = "/nowhere"
    let error = #expect(throws: RigLError.self) { try folder.load() }
    #expect(error?.kind == .missingFile)
    #expect(error?.description.contains("/nowhere: ") == true)
    #expect(error?.description.contains("apt-get install dataset-fashion-mnist") == true)
  }

  @Test func knowsItsSources() throws {
    for name in ["fashion-mnist", "synthetic"] {
      let source = try DataSource(name: name)
      #expect(source.format.name == name && source.folder == nil)
    }
    for (name, folder, kind) in [
      ("fashion", nil, RigLError.Kind.configuration), ("mnist", nil, .configuration),
      ("synthetic", "/tmp", .configuration), ("/nowhere/at/all", nil, .missingFile),
    ] as [(String, String?, RigLError.Kind)] {
      let error = #expect(throws: RigLError.self) { try DataSource(name: name, folder: folder) }
      #expect(error?.kind == kind, "\(name)")
    }
  }

  static let fashionMNISTIsHere = FileManager.default.fileExists(
    atPath: IDXFolder.fashionMNIST().path)

  @Test(.enabled(if: fashionMNISTIsHere, "needs the package dataset-fashion-mnist"))
  func readsFashionMNIST() throws {
    let (train, test) = try DataSource(name: "fashion-mnist").load()
    #expect(train.count == 60_000 && test.count == 10_000)
    #expect(train.sampleShape == SampleShape(channels: 1, height: 28, width: 28))
    for label in 0..<10 as Range<UInt8> {
      #expect(train.labels.count { $0 == label } == 6000)
      #expect(test.labels.count { $0 == label } == 1000)
    }
    #expect(train.labels.prefix(5) == [9, 0, 0, 3, 0])
    #expect(train.normalization == .fashionMNIST && test.normalization == .fashionMNIST)
    // All 60 000 give .28604 and .35302; a build without optimisation takes a minute for them.
    let computed = PixelNormalization(of: Array(train.bytes[..<(2000 * 784)]))
    #expect(abs(computed.means[0] - 0.2860) < 5e-3 && abs(computed.deviations[0] - 0.3530) < 5e-3)
  }
}
