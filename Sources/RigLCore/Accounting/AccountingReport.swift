/// A network's costs, ready to print: as JSON its keys are snake_case.
package struct AccountingReport: Hashable, Sendable, Codable {
  /// The figures of one layer.
  package struct Layer: Hashable, Sendable, Codable {
    /// The layer's name.
    package let name: String
    /// The weights' dense shape: OIHW, or (out, in) for a linear layer.
    package let shape: [Int]
    /// Its sparsity (s_l).
    package let sparsity: Double
    /// Its active connections.
    package let connections: Int
    /// FLOPs of its forward pass on one sample.
    package let flops: Double
    /// Its bytes in storage.
    package let bytes: Double
  }

  /// Training FLOPs relative to the dense network's, by method.
  package struct TrainMultiplier: Hashable, Sendable, Codable {
    /// 1, or the training multiplier M.
    package let dense: Double
    /// A random topology that stays.
    package let `static`: Double
    /// A topology chosen before the first step.
    package let snip: Double
    /// Random growth.
    package let set: Double
    /// Growth by dense momentum.
    package let snfs: Double
    /// Growth by the dense gradient every ΔT steps.
    package let rigl: Double
    /// Gradual pruning.
    package let pruning: Double
    /// Gradual pruning with growth by the dense gradient.
    package let granet: Double
    /// Growth among candidates.
    package let gse: Double
    /// A lottery ticket, all its trainings.
    package let lottery: Double
  }

  /// How it was counted.
  package let accounting: Accounting
  /// The overall sparsity: inactive positions over positions, of all layers.
  package let sparsity: Double
  /// FLOPs of the forward pass on one sample (f_S).
  package let flops: Double
  /// Bytes in storage.
  package let sizeBytes: Double
  /// FLOPs of the dense network's forward pass on one sample (f_D).
  package let denseFlops: Double
  /// Bytes of the dense network.
  package let denseSizeBytes: Double
  /// Training FLOPs by method.
  package let trainMultiplier: TrainMultiplier
  /// One entry for each layer, in the network's order.
  package let layers: [Layer]

  private enum CodingKeys: String, CodingKey {
    case accounting, sparsity, flops, layers
    case sizeBytes = "size_bytes"
    case denseFlops = "dense_flops"
    case denseSizeBytes = "dense_size_bytes"
    case trainMultiplier = "train_multiplier"
  }
}

extension Accounting {
  /// Counts a network.
  ///
  /// - Parameters:
  ///   - layers: all layers with weights, at least one, in the network's order.
  ///   - interval: steps between RigL's topology updates (ΔT).
  ///   - growthBatches: weight steps' batches of such an update (n).
  ///   - pruning: when the pruning method prunes, in which training.
  ///   - granet: when GraNet does; nil: from the first step to half of the training.
  ///   - initial: the layers with the connections that pruning begins with; nil: with all.
  ///   - lottery: the trainings of a lottery ticket.
  ///   - trainingMultiplier: how many times longer than normal the training is (M); it scales every
  ///     multiplier of the report.
  package func report(
    _ layers: [AccountedLayer], interval: Int, growthBatches: Double = 1,
    pruning: TrainingMethodCost.Pruning, granet: TrainingMethodCost.Pruning? = nil,
    initial: [AccountedLayer]? = nil,
    lottery: LotteryCost = LotteryCost(rounds: Configuration().lotteryRounds),
    trainingMultiplier: Double = 1
  ) -> AccountingReport {
    trap(unless: !layers.isEmpty, "report: a network without layers")
    let sparse = cost(of: layers)
    let dense = cost(of: layers.map(\.dense))
    let start = initial.map { cost(of: $0).flops }
    func multiplier(_ method: TrainingMethodCost) -> Double {
      method.multiplier(
        sparse: sparse.flops, dense: dense.flops, initial: start,
        trainingMultiplier: trainingMultiplier)
    }
    let regenerated =
      granet
      ?? TrainingMethodCost.Pruning(steps: pruning.steps, begin: 0, end: pruning.steps / 2)
    let positions = layers.reduce(0) { $0 + $1.positions }
    let connections = layers.reduce(0) { $0 + $1.connections }
    return AccountingReport(
      accounting: self,
      sparsity: Double(positions - connections) / Double(positions),
      flops: sparse.flops, sizeBytes: sparse.bytes,
      denseFlops: dense.flops, denseSizeBytes: dense.bytes,
      trainMultiplier: AccountingReport.TrainMultiplier(
        dense: multiplier(.dense), static: multiplier(.static), snip: multiplier(.snip),
        set: multiplier(.set), snfs: multiplier(.snfs),
        rigl: multiplier(.rigl(interval: interval, batches: growthBatches)),
        pruning: multiplier(.pruning(pruning)),
        granet: multiplier(.granet(regenerated, interval: interval, batches: growthBatches)),
        gse: multiplier(.gse),
        lottery: trainingMultiplier * self.multiplier(lottery, of: layers)),
      layers: layers.map { layer in
        let cost = cost(of: layer)
        return AccountingReport.Layer(
          name: layer.name, shape: layer.shape, sparsity: layer.sparsity,
          connections: layer.connections, flops: cost.flops, bytes: cost.bytes)
      })
  }
}
