import RigLCore

/// A whole training step of a preset's network on its nominal input: forward, loss, backward,
/// optimizer; and a topology update, which replaces one.
package struct StepBench: Sendable {
  /// The network, its batch, and threads.
  package var network = PresetNetwork("wrn-22-2")
  /// The method whose updates are measured; nil: the preset's.
  package var method: Configuration.Method?
  /// Weight steps that are measured.
  package var rounds = 15

  /// WRN-22-2.
  package init() {}

  /// Measures whole steps, and in others, with a clock, where their time goes.
  ///
  /// The first result is the step's with the sums of all stages, then come its layers, the longest
  /// first.
  package func run(_ peaks: Peaks, _ report: (Record) throws -> Void) throws {
    let (configuration, input, classes) = try settings()
    let data = Noise(count: configuration.batchSize, sampleShape: input, classes: classes)
    var options = RunOptions()
    options.threads = network.threads
    let trainer = try Trainer(
      configuration, options: options, data: TrainingData(train: data, test: data))
    for _ in 0..<4 { try trainer.trainNextBatch() }
    let (plain, clocked) = try measure(trainer)
    let breakdown = StepBreakdown(
      clocked.clock, steps: clocked.steps, updates: clocked.updates, peaks)

    var record = Record("step")
    record.add("case", .text(network.preset), title: "preset")
    record.add("batch", .integer(configuration.batchSize), title: "batch")
    let positions = trainer.model.weightLayers.reduce(0) { $0 + $1.inputs * $1.outputs }
    record.add(
      "density", .number(Double(trainer.model.connections) / Double(positions)),
      title: "density")
    record.add("connections", .integer(trainer.model.connections))
    record.add("threads", .integer(network.threads), title: "threads")
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

  /// The network's, with a topology update every third batch.
  private func settings() throws(RigLError) -> (
    configuration: Configuration, input: SampleShape, classes: Int
  ) {
    var settings = try network.settings()
    if let method { settings.configuration.method = method }
    (settings.configuration.updateInterval, settings.configuration.updateBegin) = (2, 2)
    settings.configuration.updateForever = true
    settings.configuration.updateEnd = nil
    settings.configuration.annealing = .constant
    return settings
  }
}
