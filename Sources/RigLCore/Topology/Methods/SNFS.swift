/// Drops the connections of least magnitude and grows those at which a running mean of the dense gradient
/// is largest; perhaps it hands connections over to layers whose mean is larger.
///
/// The mean E ← μE + (1 − μ) g is dense: its memory is that of dense weights, and each step costs a dense
/// layer's gradient more.
///
/// Reference: Dettmers & Zettlemoyer, *Sparse Networks from Scratch: Faster Training without Losing
/// Performance*, 2019. <https://arxiv.org/abs/1907.04840>
package struct SNFS: TopologyMethod {
  private let decay: Float
  private let redistributes: Bool
  /// An update follows a weight step.
  package let timing = TopologyTiming.afterWeightStep
  /// They change where connections are handed over between layers.
  package var counts: ConnectionCounts { redistributes ? .variable : .constant }
  /// The running mean.
  package var memory: (any GradientMemory)? { GradientMean(decay: decay) }

  /// Creates the method.
  ///
  /// - Parameters:
  ///   - decay: the share of the old mean that stays (μ), in [0, 1).
  ///   - redistributes: whether what is dropped is grown in layers by their mean |E| of connections.
  package init(decay: Float = 0.9, redistributes: Bool = false) {
    (self.decay, self.redistributes) = (decay, redistributes)
  }

  /// Shares out what all layers drop: K mₗ / Σm to each, mₗ the mean |E| of its connections.
  package func plan(_ update: TopologyPlan) throws(RigLError) {
    guard redistributes else { return }
    let means = update.layers.map { layer in
      var sum = 0.0
      layer.forEachConnection { sum += Double($0.remembered.magnitude) }
      return layer.count == 0 ? 0 : sum / Double(layer.count)
    }
    if let index = means.firstIndex(where: { !$0.isFinite }) {
      throw LayerUpdate.notANumber(
        "the mean gradient", layer: update.layers[index].name, step: update.step)
    }
    let grown = Shares.of(
      update.layers.reduce(0) { $0 + $1.drop }, by: means,
      atMost: update.layers.map { $0.positions - ($0.count - $0.drop) })
    for (layer, count) in zip(update.layers, grown) {
      layer.target = layer.count - layer.drop + count
    }
  }

  /// Drops by |w| and grows by |E|.
  package func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
    try layer.dropSmallestMagnitudes(count)
    try layer.growLargestMemories(layer.missing)
  }
}

/// Whole numbers of something in proportion.
package enum Shares {
  /// Shares out `total` in proportion to weights, by largest remainders: each share is rounded down, and
  /// what is left goes one by one to the largest fractional parts, of equal ones to the first. What
  /// exceeds a limit goes round again among the others. Weights that are all 0 are equal.
  ///
  /// - Parameters:
  ///   - total: at most the sum of limits.
  ///   - weights: 0 or more.
  ///   - limits: the largest shares.
  package static func of(_ total: Int, by weights: [Double], atMost limits: [Int]) -> [Int] {
    trap(
      unless: total <= limits.reduce(0, +), "Shares: \(total) of \(limits.reduce(0, +))")
    var (counts, left) = (weights.map { _ in 0 }, total)
    while left > 0 {
      let open = weights.indices.filter { counts[$0] < limits[$0] }
      let sum = open.reduce(0) { $0 + weights[$1] }
      let exact = open.map {
        Double(left) * (sum > 0 ? weights[$0] / sum : 1 / Double(open.count))
      }
      var given = exact.map { Int($0.rounded(.down)) }
      let order = open.indices.sorted {
        let (one, other) = (exact[$0] - Double(given[$0]), exact[$1] - Double(given[$1]))
        return one != other ? one > other : $0 < $1
      }
      for place in order.prefix(left - given.reduce(0, +)) { given[place] += 1 }
      left = 0
      for (place, layer) in open.enumerated() {
        let room = limits[layer] - counts[layer]
        counts[layer] += min(given[place], room)
        left += max(given[place] - room, 0)
      }
    }
    return counts
  }
}
