import RigLCore
import Testing

/// The names of classes of data whose files do not have them.
@Suite struct ClassNameTests {
  /// Fashion-MNIST's are known; other images in its place, by the same settings, have none.
  @Test(arguments: [true, false]) func namesAreThoseOfTheData(isFashion: Bool) throws {
    let folder = try TemporaryFolder()
    let shape = SampleShape(channels: 1, height: 4, width: 4)
    let images = try ImageSet(
      bytes: (0..<40 * 16).map { UInt8($0 * 7 % 256) }, labels: (0..<40).map { UInt8($0 % 10) },
      sampleShape: shape, classes: 10, normalization: isFashion ? .fashionMNIST : nil)
    var configuration = Configuration()
    (configuration.hidden, configuration.batchSize, configuration.epochs) = ([8], 8, 1)
    var options = RunOptions()
    (options.output, options.threads) = (folder("run"), 1)
    _ = try Trainer(
      configuration, options: options, data: TrainingData(train: images, test: images)
    ).run()
    let run = try SavedRun(folder("run"), threads: 1)
    #expect(run.classNames?.count == (isFashion ? 10 : nil))
    #expect(run.classNames?.first == (isFashion ? "T-shirt/top" : nil))
    #expect(run.classNames?.last == (isFashion ? "Ankle boot" : nil))
    // Samples with names of their own lend them where the run has none.
    var named = images
    named.classNames = (0..<10).map { "thing \($0)" }
    #expect(run.classNames(or: named) == (isFashion ? run.classNames : named.classNames))
    #expect(run.classNames(or: images) == run.classNames)
  }
}
