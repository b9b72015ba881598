import RigLCore
import Testing

/// Folders of CIFAR's binary files, written here, against what they were written from.
@Suite struct CIFARTests {
  /// Records in each file: few, and different numbers of them.
  private static let records = 3

  private static func pixel(_ file: Int, _ record: Int, _ index: Int) -> UInt8 {
    UInt8((file * 31 + record * 7 + index * 13 + index / 1024 * 50) % 256)
  }

  private static func label(_ file: Int, _ record: Int, of classes: Int) -> UInt8 {
    UInt8((file * 5 + record * 3) % classes)
  }

  private func file(_ number: Int, _ kind: CIFARFolder.Kind) -> [UInt8] {
    (0..<Self.records).flatMap { record in
      let labels =
        kind == .cifar10
        ? [Self.label(number, record, of: 10)]
        : [Self.label(number, record, of: 20), Self.label(number, record, of: 100)]
      return labels + (0..<3072).map { Self.pixel(number, record, $0) }
    }
  }

  private func names(_ kind: CIFARFolder.Kind) -> [String] {
    kind == .cifar10
      ? (1...5).map { "data_batch_\($0).bin" } + ["test_batch.bin"] : ["train.bin", "test.bin"]
  }

  private func write(_ kind: CIFARFolder.Kind, to folder: TemporaryFolder) throws {
    for (number, name) in names(kind).enumerated() {
      try writeFile(file(number, kind), to: folder(name))
    }
  }

  @Test(arguments: CIFARFolder.Kind.allCases)
  func readsWhatWasWritten(kind: CIFARFolder.Kind) throws {
    let folder = try TemporaryFolder()
    try write(kind, to: folder)
    let (train, test) = try CIFARFolder(path: folder.path, kind: kind).load()
    let files = names(kind).count
    #expect(train.count == (files - 1) * Self.records && test.count == Self.records)
    #expect(train.sampleShape == SampleShape(channels: 3, height: 32, width: 32))
    #expect(train.classes == kind.classes && test.classes == kind.classes)
    for (set, first) in [(train, 0), (test, files - 1)] {
      for sample in 0..<set.count {
        let (number, record) = (first + sample / Self.records, sample % Self.records)
        #expect(set.label(of: sample) == Int(Self.label(number, record, of: kind.classes)))
        #expect(
          set.bytes[(sample * 3072)..<((sample + 1) * 3072)]
            .elementsEqual((0..<3072).map { Self.pixel(number, record, $0) }))
      }
    }
    #expect(train.normalization == (kind == .cifar10 ? .cifar10 : .cifar100))
    #expect(test.normalization == train.normalization)
  }

  @Test func normalisesByChannel() throws {
    let folder = try TemporaryFolder()
    try write(.cifar10, to: folder)
    let (train, _) = try CIFARFolder(path: folder.path, kind: .cifar10).load()
    var values = AlignedBuffer<Float>(count: 3072)
    values.withMutableSpan { train.write(1, into: &$0) }
    let (means, deviations) = ([0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616])
    for index in 0..<3072 {
      let byte = Double(Self.pixel(0, 1, index)) / 255
      let expected = (byte - means[index / 1024]) / deviations[index / 1024]
      #expect(abs(Double(values[index]) - expected) < 1e-5)
    }
  }

  @Test func isRecognised() throws {
    for kind in [CIFARFolder.Kind.cifar10, .cifar100] {
      let folder = try TemporaryFolder()
      try write(kind, to: folder)
      #expect(CIFARFolder.kind(at: folder.path) == kind)
      let named = try DataSource(name: kind.rawValue, folder: folder.path)
      #expect(try DataSource(name: folder.path) == named)
      var layers = try SettingsStack()
      try layers.set(data: folder.path)
      #expect(try layers.configuration().data == kind.rawValue)
      #expect(layers.options.dataFolder == folder.path)
    }
    for name in ["cifar-10", "cifar-100"] {
      let error = #expect(throws: RigLError.self) { try DataSource(name: name) }
      #expect(error?.kind == .configuration && error?.what.contains("folder") == true)
    }
  }

  @Test(arguments: [-1, 1, -3073, 3072, -3 * 3073])
  func refusesOtherLengths(change: Int) throws {
    let folder = try TemporaryFolder()
    try write(.cifar10, to: folder)
    var bytes = file(3, .cifar10)
    if change < 0 {
      bytes.removeLast(-change)
    } else {
      bytes += [UInt8](repeating: 0, count: change)
    }
    try writeFile(bytes, to: folder("data_batch_4.bin"))
    let load = { try CIFARFolder(path: folder.path, kind: .cifar10).load() }
    if change == -3073 {  // a whole record less
      #expect(try load().train.count == 5 * Self.records - 1)
      return
    }
    let error = #expect(throws: RigLError.self) { try load() }
    #expect(error?.kind == .data)
    #expect(error?.what.contains("data_batch_4.bin: \(bytes.count) bytes") == true)
  }

  @Test func refusesLabelsOutOfRange() throws {
    let folder = try TemporaryFolder()
    try write(.cifar100, to: folder)
    for (place, label, text) in [
      (0, 20, "label 20 of record 1, expected 0..<20"),
      (1, 100, "label 100 of record 1, expected 0..<100"),
    ] {
      var bytes = file(0, .cifar100)
      bytes[3074 + place] = UInt8(label)
      try writeFile(bytes, to: folder("train.bin"))
      let error = #expect(throws: RigLError.self) {
        try CIFARFolder(path: folder.path, kind: .cifar100).load()
      }
      #expect(error?.kind == .data && error?.what.contains(text) == true, "\(error?.what ?? "")")
    }
  }

  @Test func namesMissingFiles() throws {
    let folder = try TemporaryFolder()
    try writeFile(file(0, .cifar10), to: folder("data_batch_1.bin"))
    let error = #expect(throws: RigLError.self) {
      try CIFARFolder(path: folder.path, kind: .cifar10).load()
    }
    #expect(error?.kind == .missingFile && error?.what.contains("data_batch_2.bin") == true)
    #expect(throws: RigLError.self) {
      try CIFARFolder(path: "/nowhere/at/all", kind: .cifar10).load()
    }
  }

  /// To evaluate, a run's own numbers and the test file are enough; to train, they are not.
  @Test(arguments: [CIFARFolder.Kind.cifar10, .cifar100])
  func readsTheTestFileAlone(kind: CIFARFolder.Kind) throws {
    let folder = try TemporaryFolder()
    let number = names(kind).count - 1
    try writeFile(file(number, kind), to: folder(names(kind)[number]))
    var configuration = Configuration()
    configuration.data = folder.path
    let normalization = PixelNormalization(mean: 0.25, deviation: 0.5)
    let test = try #require(
      try TrainingData.loadTest(configuration, normalization: normalization) as? ImageSet)
    #expect(test.count == Self.records && test.classes == kind.classes)
    #expect(test.normalization == normalization)
    let error = #expect(throws: RigLError.self) { try TrainingData.load(configuration) }
    #expect(error?.kind == .missingFile && error?.what.contains(names(kind)[0]) == true)
  }

  @Test func readsClassNames() throws {
    let folder = try TemporaryFolder()
    let cifar = CIFARFolder(path: folder.path, kind: .cifar10)
    #expect(try cifar.classNames() == nil)
    let names = (0..<10).map { "class\($0)" }
    try writeFile(names.joined(separator: "\n") + "\n\n", to: folder("batches.meta.txt"))
    #expect(try cifar.classNames() == names)
    // Both sets have them, and so has a checkpoint.
    try write(.cifar10, to: folder)
    let (train, test) = try cifar.load()
    #expect(train.classNames == names && test.classNames == names)
    try writeFile("airplane\n", to: folder("batches.meta.txt"))
    let error = #expect(throws: RigLError.self) { try cifar.classNames() }
    #expect(error?.kind == .data)
  }
}
