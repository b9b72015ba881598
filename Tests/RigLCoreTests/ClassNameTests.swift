import RigLCore
import Testing

/// The names of classes of data whose files do not have them.
@Suite struct ClassNameTests {
  private static let pixels = (0..<40 * 784).map { UInt8($0 * 7 % 256) }
  private static let labels = (0..<40).map { UInt8($0 % 10) }
  private static let configuration = Configuration().changing {
    ($0.hidden, $0.batchSize, $0.epochs) = ([8], 8, 1)
    $0.validation = 0
  }

  private func images() throws -> ImageSet {
    try ImageSet(
      bytes: Self.pixels, labels: Self.labels,
      sampleShape: SampleShape(channels: 1, height: 28, width: 28), classes: 10)
  }

  private func options(_ folder: TemporaryFolder) -> RunOptions {
    RunOptions(threads: 1, output: folder("run"))
  }

  @Test func thoseOfFashionMNISTAreKnown() throws {
    let folder = try TemporaryFolder()
    for part in ["train", "t10k"] {
      try writeFile(
        IDXFixture.idx([40, 28, 28], Self.pixels), to: folder("\(part)-images-idx3-ubyte"))
      try writeFile(IDXFixture.idx([40], Self.labels), to: folder("\(part)-labels-idx1-ubyte"))
    }
    var options = options(folder)
    options.dataFolder = folder.path
    _ = try Trainer(Self.configuration, options: options).run()
    let run = try SavedRun(folder("run"), threads: 1)
    #expect(run.classNames?.count == 10)
    #expect(run.classNames?.first == "T-shirt/top")
    #expect(run.classNames?.last == "Ankle boot")
    // They are not those of other samples.
    var named = try images()
    named.classNames = (0..<10).map { "thing \($0)" }
    #expect(run.classNames(or: named) == run.classNames)
  }

  /// Also where the configuration's own data would have names.
  @Test func samplesOfOnesOwnHaveTheirOwnOrNone() throws {
    let folder = try TemporaryFolder()
    var images = try images()
    let data = TrainingData(train: images, test: images)
    _ = try Trainer(Self.configuration, options: options(folder), data: data).run()
    let run = try SavedRun(folder("run"), threads: 1)
    #expect(run.classNames == nil)
    #expect(run.classNames(or: images) == nil)
    // Samples with names of their own lend them where the run has none.
    images.classNames = (0..<10).map { "thing \($0)" }
    #expect(run.classNames(or: images) == images.classNames)
  }
}
