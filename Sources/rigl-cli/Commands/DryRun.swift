import RigLCore

/// The output of `rigl train --dry-run`.
struct DryRun: Encodable {
  /// A layer as the training would start with it.
  struct Layer: Encodable {
    let name: String
    let shape: [Int]
    let sparsity: Double
    let connections: Int
  }

  let configuration: Configuration
  /// The keys of settings that have no value.
  let unset: [String]
  let layers: [Layer]
  let connections: Int
  let positions: Int
  let sparsity: Double
  let trainingSamples: Int
  let validationSamples: Int
  let testSamples: Int
  let threads: Int
  let rehearsal: TrainingEstimate
  let warnings: [String]
  /// How updates look at the gradients of several batches, if they do.
  let growth: String?
  /// The stages that run, if they are asked for.
  let plan: PlanTable?
  private let yaml: String

  private enum CodingKeys: String, CodingKey {
    case configuration, unset, layers, connections, positions, sparsity, threads, rehearsal
    case trainingSamples, validationSamples, testSamples, warnings, growth, plan
  }

  /// Trains for a moment.
  init(_ trainer: Trainer, showsPlan: Bool) throws(RigLError) {
    plan = showsPlan ? PlanTable(trainer.model) : nil
    configuration = trainer.configuration
    unset = try configuration.unset().map(\.rawValue)
    yaml = try configuration.listing(trainer.options)
    warnings = trainer.warnings
    growth = trainer.growthRemark
    let allocation = trainer.allocation
    layers = zip(trainer.model.weightLayers, allocation.layers).map { layer, sparsity in
      Layer(
        name: layer.name, shape: layer.shape, sparsity: sparsity.sparsity,
        connections: sparsity.connections)
    }
    connections = allocation.connections
    positions = allocation.positions
    sparsity = allocation.sparsity
    trainingSamples = trainer.data.train.count
    validationSamples = trainer.data.validation?.count ?? 0
    testSamples = trainer.data.test.count
    threads = trainer.options.threads
    rehearsal = try trainer.estimate()
  }

  func print(_ printing: PrintingArguments) throws {
    try printing.print(self, orText: text(width: Terminal.standardOutput.columns))
    printing.warn(warnings)
  }

  private func text(width: Int) -> String {
    var table = Table([
      .word("layer"), .word("shape", rank: 0), .number("sparsity", rank: 1),
      .number("connections", rank: 2),
    ])
    for layer in layers {
      table.add([
        layer.name, shapeText(layer.shape), percent(layer.sparsity), grouped(layer.connections),
      ])
    }
    table.addTotal(["total", "", percent(sparsity), grouped(connections)])
    let lines = [
      "Memory: \(rehearsal.peakMemoryBytes.map(byteCount) ?? "unknown") in all, of which the "
        + "network \(byteCount(rehearsal.modelBytes)), the optimizer "
        + "\(byteCount(rehearsal.optimizerBytes)), and outputs and gradients of a batch "
        + "\(byteCount(rehearsal.activationBytes)).",
      "Time: about \(duration(rehearsal.estimatedSeconds)) for \(grouped(rehearsal.steps)) steps"
        + (rehearsal.trainings > 1 ? " in \(rehearsal.trainings) trainings" : "")
        + (rehearsal.updates > 0
          ? " and \(grouped(rehearsal.updates)) topology \(rehearsal.updates == 1 ? "update" : "updates")"
          : "")
        + " on \(threads) \(threads == 1 ? "thread" : "threads"), at "
        + "\(metric(rehearsal.samplesPerSecond)) samples/s; measured on \(rehearsal.batches) batches.",
      growth.map { "Updates: \($0)." } ?? "",
      "Nothing was written.",
    ].filter { !$0.isEmpty }
    return yaml + "\n" + table.text(width: width) + "\n"
      + (plan.map { $0.text(width: width) + "\n" } ?? "")
      + lines.map { wrapped($0, width: width) + "\n" }.joined()
  }
}

/// A shape as people write it: "300 x 784".
func shapeText(_ shape: [Int]) -> String { shape.map { String($0) }.joined(separator: "x") }
