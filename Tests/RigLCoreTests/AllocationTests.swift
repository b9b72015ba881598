import AllocationCounter
import Foundation
import RigLCore
import RigLImages
import Synchronization
import Testing

/// A training step allocates nothing, nor does what brings it its batch: all memory is made with
/// the model. Counted on the threads of the test alone; nothing is counted under sanitizers and
/// where malloc cannot be replaced.
@Suite(.serialized, .enabled(if: allocation_counter_is_available()))
struct AllocationTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var threads: Int
    var change: @Sendable (inout Configuration) -> Void

    init(_ name: String, threads: Int, _ change: @escaping @Sendable (inout Configuration) -> Void)
    {
      testDescription = "\(name), \(threads) threads"
      self.threads = threads
      self.change = change
    }
  }

  static let cases = [1, 2].flatMap { threads in
    [
      Case("RigL", threads: threads) { _ in },
      Case("RigL, fresh weights", threads: threads) { $0.newWeights = .fresh },
      Case("SET", threads: threads) { $0.method = .set },
      Case("SET, Adam", threads: threads) {
        $0.method = .set
        $0.optimizer = .adam
      },
      Case("RigL, very sparse", threads: threads) { $0.sparsity = 0.99 },
      Case("RigL, norms tracked, no clipping", threads: threads) {
        ($0.trackGradientNorm, $0.clipNorm) = (true, nil)
      },
      Case("static", threads: threads) { $0.method = .static },
      Case("dense", threads: threads) { $0.method = .dense },
      Case("RigL, AdamW, accumulation, cosine", threads: threads) {
        $0.optimizer = .adamw
        $0.accumulation = 2
        $0.schedule = .warmRestarts
        $0.labelSmoothing = 0.1
      },
      Case("RigL, steps, plain SGD", threads: threads) {
        $0.momentum = 0
        $0.clipNorm = nil
        $0.schedule = .step
        $0.milestones = [1, 2]
        $0.dropout = 0
      },
    ]
  }

  /// Several groups, a last batch of another size, several slabs, and a layer with all connections.
  static func configuration() -> Configuration {
    var configuration = Configuration()
    configuration.batchSize = 72
    configuration.hidden = [200, 150]
    configuration.dropout = 0.2
    configuration.clipNorm = 1
    configuration.sparsity = 0.9
    configuration.layerSparsities = ["fc3": 0]
    configuration.updateInterval = 2
    configuration.epochs = 10
    configuration.validation = 0
    return configuration
  }

  /// A training with that configuration, changed.
  private static func trainer(
    threads: Int, on samples: any Dataset, network: (any Network)? = nil,
    _ change: (inout Configuration) -> Void = { _ in }
  ) throws -> Trainer {
    let options = RunOptions(threads: threads)
    return try Trainer(
      configuration().changing(change), options: options, network: network,
      data: TrainingData(train: samples, test: samples))
  }

  @Test(arguments: cases)
  func aStepAllocatesNothing(_ one: Case) throws {
    let samples = RandomSamples(count: 300, width: 300, classes: 10)
    let trainer = try Self.trainer(threads: one.threads, on: samples, one.change)
    // A weight step and an update: what the runtime makes once is made on every thread.
    let steps = 2 * trainer.configuration.accumulation + 2
    try expectNoAllocation(on: trainer.pool, after: steps) { try trainer.trainNextBatch() }
  }

  /// Samples of which all values but five are 0: so many scores are 0 that of the dropped
  /// connections some are grown again.
  private struct MostlyZero: Dataset {
    let base = RandomSamples(count: 300, width: 300, classes: 10)
    var count: Int { base.count }
    var sampleShape: SampleShape { base.sampleShape }
    var classes: Int { base.classes }
    func label(of sample: Int) -> Int { base.label(of: sample) }
    func write(_ sample: Int, into values: inout MutableSpan<Float>) {
      base.write(sample, into: &values)
      for index in values.indices where index >= 5 { values[index] = 0 }
    }
  }

  @Test(arguments: [1, 2]) func scoresOfZeroAllocateNothing(threads: Int) throws {
    let trainer = try Self.trainer(threads: threads, on: MostlyZero())
    try expectNoAllocation(on: trainer.pool) { try trainer.trainNextBatch() }
  }

  /// Nor one with any activation, of which some keep their input.
  @Test(arguments: Configuration.ActivationKind.allCases, ["mlp", "wrn-10-1", "resnet-18"])
  func aStepWithAnyActivationAllocatesNothing(
    activation: Configuration.ActivationKind, network: String
  ) throws {
    let images = SyntheticImages(trainCount: 200, testCount: 1).load().train
    let trainer = try Self.trainer(threads: 2, on: images) {
      ($0.activation, $0.network, $0.layerSparsities, $0.batchSize) = (activation, network, [:], 40)
      if network != "mlp" { ($0.dropout, $0.widthMultiplier) = (0, 0.25) }
    }
    try expectNoAllocation(on: trainer.pool, steps: 6) { try trainer.trainNextBatch() }
  }

  /// Nor does one of a network on planes, with a clock or without.
  @Test(arguments: [1, 2], [false, true])
  func aStepOfConvolutionsAllocatesNothing(threads: Int, hasClock: Bool) throws {
    let images = SyntheticImages(trainCount: 200, testCount: 1).load().train
    let network = WRN(depth: 10, width: 1)
    let trainer = try Self.trainer(threads: threads, on: images, network: network) {
      ($0.layerSparsities, $0.batchSize) = ([:], 40)
    }
    if hasClock { trainer.step.clock = StageClock(for: trainer.step) }
    try expectNoAllocation(on: trainer.pool, after: 6) {
      trainer.step.clock?.start()
      try trainer.trainNextBatch()
    }
  }

  /// Nor does one of a recurrent network on tokens, its update included.
  @Test(arguments: [1, 2], [false, true])
  func aStepThroughTimeAllocatesNothing(threads: Int, isLSTM: Bool) throws {
    let training = try RecurrentTrainingTests.Training(RigL(), threads: threads, isLSTM: isLSTM)
    _ = try training.train(window: 0)
    try expectNoAllocation(on: training.pool, after: 8) {
      _ = try training.step.train(on: training.batch)
    }
  }

  /// Bytes are packed from where they are.
  @Test(arguments: [1, 2]) func packingBytesAllocatesNothing(threads: Int) throws {
    let images = SyntheticImages(trainCount: 300, testCount: 1).load().train
    let trainer = try Self.trainer(threads: threads, on: images) {
      ($0.layerSparsities, $0.hidden) = ([:], [64])
    }
    try expectNoAllocation(on: trainer.pool) { try trainer.trainNextBatch() }
  }

  /// Images are cropped, mirrored and standardised in the packer's memory.
  @Test(arguments: [1, 2], CropPaddingMode.allCases)
  func augmentingSmallImagesAllocatesNothing(threads: Int, mode: CropPaddingMode) throws {
    let train = try TransformedImages(
      SyntheticImages(trainCount: 300, testCount: 1).load().train,
      SmallImageTransform(
        padTo: 32, cropPadding: 4, cropPaddingMode: mode, flips: true, standardizes: true))
    let trainer = try Self.trainer(threads: threads, on: train) {
      ($0.layerSparsities, $0.hidden) = ([:], [64])
    }
    try expectNoAllocation(on: trainer.pool) { try trainer.trainNextBatch() }
  }

  /// Of photos, the threads that train allocate nothing; reading a file and decoding it does.
  @Test func trainingOnPhotosAllocatesNothingOnItsThreads() throws {
    let folder = try TemporaryFolder()
    try PhotoTrainingTests.generate(folder)
    var configuration = PhotoTrainingTests.configuration()
    configuration.epochs = 10
    let options = RunOptions(threads: 2, dataFolder: folder("photos"))
    let trainer = try Trainer(configuration, options: options)
    for _ in 0..<4 { try trainer.trainNextBatch() }
    // Long enough for what is read ahead to be ready: no decoding is left to this thread.
    Thread.sleep(forTimeInterval: 0.5)
    try expectNoAllocation(on: trainer.pool, after: 0, steps: 1) { try trainer.trainNextBatch() }
  }

  /// The counter counts at all, on every thread of a pool.
  @Test func countsEveryThread() throws {
    let pool = try ThreadPool(threads: 2)
    let count = allocation_counter_begin()
    watchThreads(of: pool, count)
    defer { watchThreads(of: pool, -1) }
    onEveryThread(of: pool) { _ = AlignedBuffer<Float>(count: 100) }
    let allocations = allocation_counter_total(count)
    #expect(allocations >= 2)
    // Much memory is no allocator's.
    _ = AlignedBuffer<Float>(count: 1 << 20)
    #expect(allocation_counter_total(count) > allocations)
    // Another test's are not among them.
    let other = allocation_counter_begin()
    allocation_counter_watch_thread(other)
    let before = allocation_counter_total(count)
    _ = AlignedBuffer<Float>(count: 100)
    #expect(allocation_counter_total(other) > 0 && allocation_counter_total(count) == before)
  }
}

/// Expects that steps allocate nothing on a pool's threads, after some for what the runtime makes
/// once.
func expectNoAllocation(
  on pool: ThreadPool, after first: Int = 4, steps: Int = 12,
  sourceLocation: SourceLocation = #_sourceLocation, _ step: () throws -> Void
) rethrows {
  for _ in 0..<first { try step() }
  let count = allocation_counter_begin()
  watchThreads(of: pool, count)
  defer { watchThreads(of: pool, -1) }
  let before = allocation_counter_total(count)
  for _ in 0..<steps { try step() }
  let allocations = allocation_counter_total(count) - before
  #expect(allocations == 0, sourceLocation: sourceLocation)
}

/// Has the allocations of a pool's threads, the caller's included, go into a count; -1: into none.
private func watchThreads(of pool: ThreadPool, _ count: Int32) {
  onEveryThread(of: pool) { allocation_counter_watch_thread(count) }
}

/// Calls `body` once on each thread: no chunk ends before all have begun.
private func onEveryThread(of pool: ThreadPool, _ body: @Sendable () -> Void) {
  let begun = Atomic(0)
  pool.setPolicy(.always)
  defer { pool.setPolicy(.adaptive) }
  pool.run(chunks: pool.threads) { _, _ in
    begun.add(1, ordering: .sequentiallyConsistent)
    while begun.load(ordering: .sequentiallyConsistent) < pool.threads {}
    body()
  }
}
