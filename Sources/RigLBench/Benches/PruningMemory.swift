import RigLCore

/// Resident memory and step time of a network that is pruned from dense, beside those of the same
/// network that is as sparse from the start.
///
/// After the last update the pruned network takes at most 8/7 of what the static one takes, and besides
/// it what updates work in (for each connection of the largest layer, of 8/7 as many, 13 bytes), a bit
/// for each position that says whether it was ever active, and 5 MiB of panels that the library of dense
/// products keeps for itself.
package struct PruningMemory: Sendable {
  /// Features of the input and of both layers.
  package var width = 2048
  /// Samples in a batch.
  package var batch = 256
  /// The share of connections that are left.
  package var density = 0.1
  /// Weight steps between updates, of which there are ten.
  package var interval = 5
  /// Threads.
  package var threads = ThreadPool.processors

  /// Two layers of 2048, to 90 %, batch 256.
  package init() {}

  private static let updates = 10

  /// What was measured of a training with some number of connections.
  private struct Phase {
    var connections = 0
    var times: [Double] = []
    var resident = 0
  }

  /// Measures, the static network first, whose memory goes back to the system before the other's is
  /// taken.
  package func run(_ report: (Record) throws -> Void) throws {
    let pool = try ThreadPool(threads: threads)
    let still = try train(StaticTopology(), connections: count, steps: 2 * interval, pool)
    let schedule = PruningSchedule(
      to: LayerSparsities(1 - density), begin: interval,
      end: (1 + PruningMemory.updates) * interval)
    let pruned = try train(
      MagnitudePruning(schedule), connections: width * width,
      steps: (3 + PruningMemory.updates) * interval, pool)
    guard let last = still.last, let first = pruned.first, let end = pruned.last,
      let half = pruned.first(where: { 2 * $0.connections <= first.connections })
    else { trap("PruningMemory: nothing was measured") }
    for (name, phase) in [("static", last), ("dense", first), ("half", half), ("pruned", end)] {
      try report(record(name, phase, bound: name == "pruned" ? bound(beside: last) : nil))
    }
  }

  /// A layer's connections at the end.
  private var count: Int { Int(Double(width * width) * density + 0.5) }

  /// Bytes that the pruned network takes at most.
  private func bound(beside still: Phase) -> Int {
    // A layer's counts were such that up to an eighth of its memory lies idle.
    8 * (still.resident + 13 * count) / 7 + 2 * width * width / 8 + (5 << 20)
  }

  private func record(_ name: String, _ phase: Phase, bound: Int?) -> Record {
    var record = Record("memory")
    record.add("case", .text("pruning"))
    record.add("phase", .text(name), title: "pruning")
    record.add("layers", .text("\(width)-\(width)-\(width)"))
    record.add("batch", .integer(batch))
    record.add("threads", .integer(threads))
    record.add("connections", .integer(phase.connections), title: "connections")
    record.add(
      "density", .number(Double(phase.connections) / Double(2 * width * width)), title: "density")
    record.add("resident_bytes", .integer(phase.resident))
    record.add("resident_mb", .number(Double(phase.resident) / 1e6), title: "resident MB")
    record.add("step_ms", .number(median(phase.times) * 1e3), title: "step ms")
    if let bound {
      record.add("allowance_bytes", .integer(bound))
      record.add("within_allowance", .flag(phase.resident <= bound))
    }
    return record
  }

  /// Trains, and measures each stretch of steps with the same number of connections: resident memory at
  /// its end.
  private func train(
    _ method: any TopologyMethod, connections: Int, steps: Int, _ pool: ThreadPool
  ) throws(RigLError) -> [Phase] {
    let before = currentMemoryBytes() ?? 0
    let names: Set = ["fc1", "fc2"]
    let model = try Model(
      MLP(hidden: [width]).layers(input: SampleShape(channels: width), classes: width),
      input: SampleShape(channels: width), capacity: batch,
      connections: ["fc1": connections, "fc2": connections],
      variable: method.counts == .constant ? [] : names)
    model.draw(seed: 1, initializer: Initializer(.glorotUniform))
    var settings = TrainingStep.Settings()
    settings.method = method
    settings.schedule = UpdateSchedule(interval: interval, end: nil, annealing: .constant)
    let step = TrainingStep(
      model: model, loss: CrossEntropy(), optimizer: SGD(momentum: 0.9, nesterov: true),
      learningRate: LearningRateSchedule(peak: 0.01), settings: settings, pool: pool, seed: 1)
    let batches = (0..<2).map { Batch.random(for: model, number: $0) }
    var phases: [Phase] = []
    for number in 0..<steps {
      var update: TopologyUpdate?
      let time = try seconds { () throws(RigLError) in
        update = try step.train(on: batches[number % batches.count]).update
      }
      if phases.last?.connections != model.connections {
        phases.append(Phase(connections: model.connections))
      }
      // An update comes before the step that reports it.
      if update == nil { phases[phases.count - 1].times.append(time) }
      phases[phases.count - 1].resident = (currentMemoryBytes() ?? 0) - before
    }
    return phases
  }
}
