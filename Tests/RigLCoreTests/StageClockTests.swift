import Foundation
import RigLCore
import Testing

/// Where the time of a step goes: stages add up, and belong to whom they should.
@Suite struct StageClockTests {
  /// A wide ResNet of a block a stage, whose last two have a projection.
  private static func trainer(
    threads: Int = 1, _ change: (inout Configuration) -> Void = { _ in }
  ) throws -> Trainer {
    var configuration = Configuration()
    configuration.batchSize = 12
    configuration.sparsity = 0.9
    configuration.updateInterval = 2
    configuration.epochs = 10
    configuration.validation = 0
    change(&configuration)
    let options = RunOptions(threads: threads)
    let images = SyntheticImages(trainCount: 60, testCount: 1).load().train
    return try Trainer(
      configuration, options: options, network: WRN(depth: 10, width: 1),
      data: TrainingData(train: images, test: images))
  }

  /// Takes steps with a clock until there are a weight step and an update.
  private static func measure(
    _ trainer: Trainer
  ) throws -> (clock: StageClock, step: StageTimes, update: StageTimes) {
    let clock = StageClock(for: trainer.step)
    trainer.step.clock = clock
    defer { trainer.step.clock = nil }
    var (step, update): (StageTimes?, StageTimes?) = (nil, nil)
    for _ in 0..<4 {
      clock.start()
      let moved = try trainer.trainNextBatch().movedWeights
      if moved { step = clock.stop() } else { update = clock.stop() }
    }
    return (clock, try #require(step), try #require(update))
  }

  @Test(arguments: [1, 2, 3]) func stagesAddUpToTheStep(threads: Int) throws {
    let trainer = try Self.trainer(threads: threads)
    let clock = StageClock(for: trainer.step)
    trainer.step.clock = clock
    var waits: [Double] = []
    for _ in 0..<4 {
      let begin = ContinuousClock.now
      clock.start()
      try trainer.trainNextBatch()
      let times = clock.stop()
      let outside = (ContinuousClock.now - begin) / .seconds(1)
      #expect(times.total > 0 && times.total <= outside)
      let byStage = StepStage.allCases.reduce(0) { $0 + times.sum(of: $1) }
      let byPart = (0..<times.parts).reduce(0) { $0 + times.sum(of: $1) }
      #expect((byStage - times.total).magnitude < 1e-9 * Double(threads))
      #expect((byPart - times.total).magnitude < 1e-9 * Double(threads))
      for part in 0..<times.parts {
        for stage in StepStage.allCases {
          #expect(times[part, stage] >= -1e-9, "\(clock.parts[part].name) \(stage)")
        }
      }
      waits.append(times.sum(of: .waiting) / times.total)
    }
    // One thread never waits, but for going from one chunk to the next, and where another process
    // takes its core just there.
    if threads == 1 { #expect(try #require(waits.min()) < 0.05) }
  }

  @Test func everyLayerHasItsStages() throws {
    let trainer = try Self.trainer()
    let (clock, step, update) = try Self.measure(trainer)
    #expect(
      clock.parts.map(\.name) == [
        "conv1", "layer1.0.conv1", "layer1.0.conv2", "layer1.0 sum", "layer2.0.conv1",
        "layer2.0.conv2", "layer2.0.downsample", "layer2.0 sum", "layer3.0.conv1",
        "layer3.0.conv2", "layer3.0.downsample", "layer3.0 sum", "global-pool", "fc", "batch",
        "loss", "parameters", "rest",
      ])
    let inBands: [StepStage] = [
      .forwardPack, .forwardKernel, .forwardUnpack, .backwardPack, .backwardKernel, .backwardUnpack,
    ]
    for (part, layer) in clock.parts.enumerated() {
      let isConvolution = layer.shape?.count == 4
      let isSparse = trainer.model.sparseLayers.contains { $0.name == layer.name }
      let isFirst = layer.name == "conv1"
      for stage in inBands {
        let isKernel = stage == .forwardKernel || stage == .backwardKernel
        let has =
          isConvolution ? !(isFirst && stage == .backwardUnpack) : layer.name == "fc" && isKernel
        #expect((step[part, stage] > 0) == has, "\(layer.name) \(stage)")
      }
      #expect(step[part, .growth] == 0)
      #expect((update[part, .growth] > 0) == isSparse, "\(layer.name)")
      #expect((update[part, .rewiring] > 0) == isSparse, "\(layer.name)")
      #expect((step[part, .optimizer] > 0) == (layer.shape != nil || layer.name == "parameters"))
      #expect(update[part, .optimizer] == 0)
      #expect((step[part, .pooling] > 0) == (layer.name == "global-pool"))
      #expect((step[part, .join] > 0) == layer.name.hasSuffix(" sum"))
      #expect((step[part, .loss] > 0) == (layer.name == "loss"))
      #expect((step[part, .batch] > 0) == (layer.name == "batch"))
    }
  }

  /// SET moves connections at the beginning of a step, when no layer is at work yet.
  @Test func randomGrowthBelongsToItsLayer() throws {
    let trainer = try Self.trainer { $0.method = .set }
    let clock = StageClock(for: trainer.step)
    trainer.step.clock = clock
    var rewired = Set<String>()
    for _ in 0..<4 {
      clock.start()
      try trainer.trainNextBatch()
      let times = clock.stop()
      #expect(times.sum(of: .growth) == 0)
      for (part, layer) in clock.parts.enumerated() where times[part, .rewiring] > 0 {
        rewired.insert(layer.name)
      }
    }
    #expect(rewired == Set(trainer.model.sparseLayers.map(\.name)))
  }

  /// Bytes and operations by hand: batch 12 is two groups of 8 lanes.
  @Test func workIsCountedFromShapes() throws {
    let trainer = try Self.trainer()
    let parts = StageClock(for: trainer.step).parts
    func part(_ name: String) throws -> StepPart {
      try #require(parts.first { $0.name == name })
    }
    let side = trainer.model.inputShape.height
    // 16 → 16 channels, read and written by both directions.
    let conv = try part("layer1.0.conv1")
    let n = Double(try #require(conv.connections))
    let plane = Double(4 * 16 * 16 * side * side)
    #expect(conv.pixels == side * side)
    #expect(conv.work[.forwardPack]?.bytes == plane)
    #expect(conv.work[.forwardKernel]?.flops == 2 * n * Double(12 * side * side))
    #expect(conv.work[.forwardKernel]?.bytes == 8 * n)
    #expect(conv.work[.forwardUnpack]?.bytes == plane)
    // The gradient, the raw output for batch-norm's gradient, and the input.
    #expect(conv.work[.backwardPack]?.bytes == 3 * plane)
    #expect(conv.work[.backwardKernel]?.flops == 4 * n * Double(12 * side * side))
    #expect(conv.work[.backwardUnpack]?.bytes == plane)
    #expect(conv.work[.growth]?.flops == 2 * Double(144 * 16 * 12 * side * side))
    // SGD with momentum: value and velocity read and written, gradient read.
    #expect(conv.work[.optimizer]?.bytes == 20 * n)
    // The second writes the block's sum, which reads the shortcut, and has no batch-norm after it
    // but the next block's.
    let second = try part("layer1.0.conv2")
    #expect(second.work[.forwardUnpack]?.bytes == 2 * plane)
    // A dense first layer: no gradient of the images.
    let first = try part("conv1")
    #expect(first.work[.backwardUnpack] == nil)
    #expect(first.work[.growth] == nil)
    #expect(first.work[.backwardKernel]?.flops == first.work[.forwardKernel]?.flops)
    // A projection with stride 2 and one tap reads every second row.
    let projection = try part("layer2.0.downsample")
    #expect(projection.work[.forwardPack]?.bytes == plane / 2)
  }

  @Test func meansAddUp() throws {
    let (_, step, update) = try Self.measure(try Self.trainer(threads: 2))
    let mean = StageTimes.mean(of: [step, update])
    #expect((mean.total - (step.total + update.total) / 2).magnitude < 1e-12)
    #expect((mean.sum(of: .growth) - update.sum(of: .growth) / 2).magnitude < 1e-12)
  }

  /// The clock looks on: weights are the same with it.
  @Test func aClockChangesNothing() throws {
    let (plain, clocked) = (try Self.trainer(threads: 2), try Self.trainer(threads: 2))
    _ = try Self.measure(clocked)
    for _ in 0..<4 { try plain.trainNextBatch() }
    for (one, other) in zip(plain.model.parameters, clocked.model.parameters) {
      #expect((0..<one.count).allSatisfy { one.values[$0] == other.values[$0] }, "\(one.name)")
    }
  }
}
