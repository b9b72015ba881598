import RigLCore
import Testing

/// A batch of one sample on planes of one pixel leaves batch-norm a single value a channel: an error
/// before the first step, wherever the training would come to such a batch.
@Suite struct SingleSampleBatchTests {
  /// ResNet-18 on 32 × 32 pixels: its last stage works on 1 × 1.
  private func configuration(
    _ samples: Int, batch: Int, accumulation: Int = 1
  ) -> Configuration {
    var configuration = Configuration()
    configuration.data = "synthetic-color"
    configuration.trainSamples = samples
    configuration.testSamples = 4
    configuration.validation = 0
    configuration.network = "resnet-18"
    configuration.widthMultiplier = 0.1
    configuration.batchSize = batch
    configuration.accumulation = accumulation
    configuration.epochs = 1
    configuration.method = .static
    configuration.learningRate = 0.01
    return configuration
  }

  private func trainer(_ configuration: Configuration) throws -> Trainer {
    let options = RunOptions(threads: 1)
    return try Trainer(configuration, options: options)
  }

  private func expectRefused(
    _ configuration: Configuration, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let error = #expect(throws: RigLError.self, sourceLocation: sourceLocation) {
      try trainer(configuration)
    }
    #expect(error?.kind == .configuration, sourceLocation: sourceLocation)
    #expect(
      error?.what.hasPrefix("layer layer4.") == true
        && error?.what.contains("single value") == true
        && error?.hint?.contains("batch_size") == true, "\(error.map { "\($0)" } ?? "none")",
      sourceLocation: sourceLocation)
  }

  /// Trains all steps: nothing is refused that works.
  private func expectTrained(_ configuration: Configuration) throws {
    let trainer = try trainer(configuration)
    while trainer.step.weightSteps < trainer.totalSteps { try trainer.trainNextBatch() }
  }

  @Test(arguments: [(9, 8), (17, 8), (5, 1), (1, 8), (3, 2)])
  func aBatchOfOneSampleIsRefused(samples: Int, batch: Int) throws {
    expectRefused(configuration(samples, batch: batch))
  }

  @Test(arguments: [(8, 8), (10, 8), (18, 8), (4, 2), (7, 8)])
  func largerOnesAreNot(samples: Int, batch: Int) throws {
    try expectTrained(configuration(samples, batch: batch))
  }

  /// The last of three batches, which a step of two or four batches has too.
  @Test(arguments: [2, 3, 4]) func accumulatedBatchesCountOneByOne(accumulation: Int) throws {
    expectRefused(configuration(17, batch: 8, accumulation: accumulation))
    try expectTrained(configuration(18, batch: 8, accumulation: accumulation))
  }

  /// A validation split and a limit of samples are what is left for training.
  @Test func whatIsLeftForTrainingCounts() throws {
    expectRefused(configuration(89, batch: 8).changing { $0.validation = 40 })
    try expectTrained(configuration(90, batch: 8).changing { $0.validation = 40 })
  }

  /// A training that ends before that batch does not meet it; an update consumes one more.
  @Test func onlyBatchesThatAreDrawnCount() throws {
    let short = configuration(17, batch: 8).changing { $0.totalSteps = 2 }
    try expectTrained(short)
    expectRefused(short.changing { $0.totalSteps = 3 })
    expectRefused(short.changing { $0.method = .rigl })
    try expectTrained(
      short.changing {
        $0.method = .rigl
        $0.updateThenStep = true
      })
    try expectTrained(short.changing { $0.method = .set })
  }

  /// More than one pixel, or no batch-norm on planes of one.
  @Test func largerPlanesAreNoMatter() throws {
    try expectTrained(configuration(9, batch: 8).changing { $0.network = "wrn-10-2" })
    try expectTrained(configuration(3, batch: 1).changing { $0.network = "lenet-5" })
    try expectTrained(
      configuration(9, batch: 8).changing {
        $0.network = "mlp"
        $0.hidden = [8]
        $0.widthMultiplier = 1
      })
  }
}
