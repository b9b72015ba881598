import RigLCore

/// A whole training step of a preset's network on its nominal input: forward, loss, backward,
/// optimizer; and a topology update, which replaces one.
public struct StepBench: Sendable {
  /// The preset.
  public var preset = "wrn-22-2"
  /// The share of connections that exist; 1: the dense network; nil: the preset's.
  public var density: Double?
  /// How they are shared out among layers; nil: as the preset does.
  public var distribution: SparsityDistribution.Kind?
  /// Samples in a batch; nil: the preset's.
  public var batch: Int?
  /// Threads.
  public var threads = 1
  /// Weight steps that are measured.
  public var rounds = 15

  /// WRN-22-2.
  public init() {}

  /// Measures whole steps, and in others, with a clock, where their time goes.
  ///
  /// The first result is the step's with the sums of all stages, then come its layers, the longest
  /// first.
  public func run(_ peaks: Peaks, _ report: (Record) throws -> Void) throws {
    let configuration = try configuration()
    let published = try NetworkName(configuration.network).published
    let data = Noise(
      count: configuration.batchSize, sampleShape: published.input, classes: published.classes)
    var options = RunOptions()
    options.threads = threads
    let trainer = try Trainer(
      configuration, options: options, data: TrainingData(train: data, test: data))
    for _ in 0..<4 { try trainer.trainNextBatch() }
    let (plain, clocked) = try measure(trainer)
    let breakdown = StepBreakdown(
      clocked.clock, steps: clocked.steps, updates: clocked.updates, peaks)

    var record = Record("step")
    record.add("case", .text(preset), title: "preset")
    record.add("batch", .integer(configuration.batchSize), title: "batch")
    let positions = trainer.model.weightLayers.reduce(0) { $0 + $1.inputs * $1.outputs }
    record.add(
      "density", .number(Double(trainer.model.connections) / Double(positions)),
      title: "density")
    record.add("connections", .integer(trainer.model.connections))
    record.add("threads", .integer(threads), title: "threads")
    let step = median(plain.steps)
    record.add("step_ms", .number(step * 1e3), title: "step ms")
    let update = plain.updates.isEmpty ? nil : median(plain.updates)
    record.add("update_ms", update.map { .number($0 * 1e3) } ?? .none, title: "update ms")
    record.add("samples_per_second", .number(Double(configuration.batchSize) / step))
    record.add("peak_memory_bytes", peakMemoryBytes().map { .integer($0) } ?? .none)
    record.add("rounds", .integer(plain.steps.count))
    breakdown.addTotals(to: &record)
    try report(record)
    for stage in breakdown.stageTable { try report(stage) }
    for layer in breakdown.layers { try report(layer) }
  }

  /// Seconds of weight steps and of updates.
  private typealias Times = (steps: [Double], updates: [Double])
  private typealias ClockedTimes = (clock: StageClock, steps: [StageTimes], updates: [StageTimes])

  /// Takes steps without a clock and with one, in turns, three batches at a time: two weight steps,
  /// and an update if there are any.
  private func measure(_ trainer: Trainer) throws(RigLError) -> (Times, ClockedTimes) {
    var plain: Times = ([], [])
    var clocked: ClockedTimes = (StageClock(for: trainer.step), [], [])
    defer { trainer.step.clock = nil }
    while clocked.steps.count < rounds {
      trainer.step.clock = nil
      for _ in 0..<3 {
        var moved = true
        let time = try seconds { () throws(RigLError) in
          moved = try trainer.trainNextBatch().movedWeights
        }
        if moved { plain.steps.append(time) } else { plain.updates.append(time) }
      }
      trainer.step.clock = clocked.clock
      for _ in 0..<3 {
        clocked.clock.start()
        let moved = try trainer.trainNextBatch().movedWeights
        let times = clocked.clock.stop()
        if moved { clocked.steps.append(times) } else { clocked.updates.append(times) }
      }
    }
    return (plain, clocked)
  }

  /// The preset's, with a topology update every third batch.
  func configuration() throws(RigLError) -> Configuration {
    var configuration = try Preset.find(preset).configuration
    configuration.take(density: density, distribution: distribution)
    if let batch { configuration.batchSize = batch }
    configuration.accumulation = 1
    configuration.validation = 0
    (configuration.updateInterval, configuration.updateBegin) = (2, 2)
    configuration.updateForever = true
    configuration.updateEnd = nil
    configuration.annealing = .constant
    return configuration
  }
}

/// Random samples of a shape, a batch of them.
struct Noise: Dataset {
  let count: Int
  let sampleShape: SampleShape
  let classes: Int

  func label(of sample: Int) -> Int { sample % classes }

  func write(_ sample: Int, into values: inout MutableSpan<Float>) {
    // Cheap to make, so that a step is not measured by its data.
    let shift = sample * 8191
    for index in values.indices {
      values[index] = Float((index &* 7919 &+ shift) & 1023) / 512 - 1
    }
  }
}
