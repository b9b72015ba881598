import RigLCore

/// What a preset's network takes for samples that it classifies, of its nominal input: forward only,
/// batch-norm folded into the weights, and, one sample at a time, images cut into strips.
public struct EvaluateBench: Sendable {
  /// The preset.
  public var preset = "wrn-22-2"
  /// The share of connections that exist; 1: the dense network; nil: the preset's.
  public var density: Double?
  /// How they are shared out among layers; nil: as the preset does.
  public var distribution: SparsityDistribution.Kind?
  /// Samples in a batch.
  public var batch = 128
  /// Threads.
  public var threads = 1
  /// Batches that are measured.
  public var rounds = 15

  /// WRN-22-2.
  public init() {}

  /// Measures.
  public func run(_ report: (Record) throws -> Void) throws {
    var configuration = try Preset.find(preset).configuration
    configuration.take(density: density, distribution: distribution)
    let published = try NetworkName(configuration.network).published
    let layers = try configuration.makeNetwork().layers(
      input: published.input, classes: published.classes)
    _ = try layers.outputShape(of: published.input)
    var connections: [String: Int] = [:]
    for layer in try configuration.allocate(layers.weightLayers).layers {
      connections[layer.name] = layer.connections
    }
    let model = try Model(
      layers, input: published.input, capacity: batch, connections: connections,
      isTraining: false, usesStrips: batch == 1)
    model.draw(seed: 0, initializer: configuration.weightInitializer)
    model.foldBatchNorms()
    let pass = Pass(pool: try ThreadPool(threads: threads), seed: 0)
    let input = model.makeInput()
    for sample in 0..<batch {
      for index in 0..<published.input.count {
        input[sample, index] = Float((index &* 7919 &+ sample &* 8191) & 1023) / 512 - 1
      }
    }
    for _ in 0..<2 { _ = try model.forward(input, pass) }
    let times = try (0..<rounds).map { _ in
      try seconds { () throws(RigLError) in _ = try model.forward(input, pass) }
    }
    let positions = model.weightLayers.reduce(0) { $0 + $1.inputs * $1.outputs }
    var record = Record("evaluate")
    record.add("case", .text(preset), title: "preset")
    record.add("batch", .integer(batch), title: "batch")
    record.add(
      "density", .number(Double(model.connections) / Double(positions)), title: "density")
    record.add("connections", .integer(model.connections))
    record.add("strips", .integer(model.strips))
    record.add("threads", .integer(threads), title: "threads")
    record.add("batch_ms", .number(median(times) * 1e3), title: "batch ms")
    record.add("least_ms", .number((times.min() ?? 0) * 1e3), title: "least ms")
    record.add(
      "samples_per_second", .number(Double(batch) / median(times)), title: "samples/s")
    record.add("peak_memory_bytes", peakMemoryBytes().map { .integer($0) } ?? .none)
    record.add("rounds", .integer(rounds))
    try report(record)
  }
}

extension Configuration {
  /// Takes a bench's density, 1 of which is the dense network, and distribution.
  mutating func take(density: Double?, distribution: SparsityDistribution.Kind?) {
    if let density {
      if density == 1 {
        method = .dense
      } else {
        sparsity = 1 - density
      }
    }
    if let distribution { self.distribution = distribution }
  }
}
