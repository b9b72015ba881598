import RigLCore

/// What a preset's network takes for samples that it classifies, of its nominal input: forward only,
/// batch-norm folded into the weights, and, one sample at a time, images cut into strips.
package struct EvaluateBench: Sendable {
  /// The network, its batch, and threads.
  package var network = PresetNetwork("wrn-22-2", batch: 128)
  /// Batches that are measured.
  package var rounds = 15

  /// WRN-22-2.
  package init() {}

  /// Measures.
  package func run(_ report: (Record) throws -> Void) throws {
    let (configuration, sample, classes) = try network.settings()
    let batch = configuration.batchSize
    let layers = try configuration.makeNetwork().layers(input: sample, classes: classes)
    var connections: [String: Int] = [:]
    for layer in try configuration.allocate(layers.weightLayers).layers {
      connections[layer.name] = layer.connections
    }
    let model = try Model(
      layers, input: sample, capacity: batch, connections: connections,
      isTraining: false, usesStrips: batch == 1)
    model.draw(seed: 0, initializer: configuration.weightInitializer)
    model.foldBatchNorms()
    let pass = Pass(pool: try ThreadPool(threads: network.threads), seed: 0)
    let input = model.makeInput()
    for number in 0..<batch {
      for index in 0..<sample.count { input[number, index] = Noise.value(number, index) }
    }
    for _ in 0..<2 { _ = try model.forward(input, pass) }
    let times = try (0..<rounds).map { _ in
      try seconds { () throws(RigLError) in _ = try model.forward(input, pass) }
    }
    let positions = model.weightLayers.reduce(0) { $0 + $1.inputs * $1.outputs }
    var record = Record("evaluate")
    record.add("case", .text(network.preset), title: "preset")
    record.add("batch", .integer(batch), title: "batch")
    record.add(
      "density", .number(Double(model.connections) / Double(positions)), title: "density")
    record.add("connections", .integer(model.connections))
    record.add("strips", .integer(model.strips))
    record.add("threads", .integer(network.threads), title: "threads")
    record.add("batch_ms", .number(median(times) * 1e3), title: "batch ms")
    record.add("least_ms", .number((times.min() ?? 0) * 1e3), title: "least ms")
    record.add(
      "samples_per_second", .number(Double(batch) / median(times)), title: "samples/s")
    record.add("peak_memory_bytes", peakMemoryBytes().map { .integer($0) } ?? .none)
    record.add("rounds", .integer(rounds))
    try report(record)
  }
}
