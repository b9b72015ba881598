/// Where a method that ranks connections takes those that it ranks together from.
public enum TopologyScope: String, Hashable, Sendable, Codable, CaseIterable {
  /// Each layer's own, which keeps its own share.
  case layer
  /// All layers' in one pool; layers may end up with any number, 0 included.
  case global
}

/// The sparsity that layers are to have: one for all, or each its own.
package struct LayerSparsities: Hashable, Sendable {
  private let all: Double
  private let own: [String: Double]?

  /// One sparsity for all layers, in [0, 1).
  package init(_ sparsity: Double) { (all, own) = (sparsity, nil) }

  /// Each layer's own by name, as a distribution shares it out.
  package init(_ allocation: SparsityAllocation) {
    self.init(
      Dictionary(allocation.layers.map { ($0.name, $0.sparsity) }, uniquingKeysWith: { $1 }))
  }

  /// Each layer's own by name; of those without one 0.
  package init(_ sparsities: [String: Double]) { (all, own) = (0, sparsities) }

  /// A layer's.
  func sparsity(of layer: TopologyPlan.Layer) -> Double { own.map { $0[layer.name] ?? 0 } ?? all }

  /// That of all layers in one pool: of layers with one each Σ floor(s_l N_l) / Σ N_l.
  func sparsity(of update: TopologyPlan) -> Double {
    guard own != nil else { return all }
    let inactive = update.layers.reduce(0) {
      $0 + inactivePositions(of: $1.positions, sparsity: sparsity(of: $1))
    }
    return Double(inactive) / Double(max(update.positions, 1))
  }
}

/// Gradual pruning's sparsity as a function of the step: s_t = s_f + (s_i − s_f)(1 − x)³ with
/// x = (t − t0) / (t1 − t0), cut to 0...1.
///
/// Reference: Zhu & Gupta, *To prune, or not to prune: exploring the efficacy of pruning for model
/// compression*, 2017. <https://arxiv.org/abs/1710.01878>
package struct PruningSchedule: Hashable, Sendable {
  /// The first step of pruning (t0), and the one from which on the sparsity is the final one (t1).
  package let begin: Int
  package let end: Int
  private let initial: LayerSparsities?
  private let final: LayerSparsities
  private let scope: TopologyScope
  private let layerMinimum: Int

  /// Creates a schedule.
  ///
  /// - Parameters:
  ///   - final: the sparsity to end with (s_f).
  ///   - initial: the sparsity to begin with (s_i); nil: what layers began the training with.
  ///   - begin: the first step of pruning (t0).
  ///   - end: the step of the final sparsity (t1), after `begin`.
  ///   - scope: whether each layer has its own share, or all are one pool.
  ///   - layerMinimum: connections that each layer keeps in one pool, as far as it has them.
  package init(
    to final: LayerSparsities, from initial: LayerSparsities? = nil, begin: Int, end: Int,
    scope: TopologyScope = .layer, layerMinimum: Int = 0
  ) {
    trap(
      unless: begin >= 0 && end > begin && layerMinimum >= 0,
      "PruningSchedule: from step \(begin) to \(end), at least \(layerMinimum) a layer")
    (self.final, self.initial, self.begin, self.end) = (final, initial, begin, end)
    (self.scope, self.layerMinimum) = (scope, layerMinimum)
  }

  /// The same schedule in one pool, or not.
  func scoped(_ scope: TopologyScope) -> PruningSchedule {
    PruningSchedule(
      to: final, from: initial, begin: begin, end: end, scope: scope, layerMinimum: layerMinimum)
  }

  /// Sets how many connections each layer keeps at the update's step, of largest |w|.
  func plan(_ update: TopologyPlan) throws(RigLError) {
    switch scope {
    case .global:
      let start =
        drawn(of: update)
        ?? 1 - Double(update.initialCount) / Double(max(update.positions, 1))
      let kept = kept(
        of: update.positions, from: start, to: final.sparsity(of: update), at: update.step)
      try update.keepLargest(min(kept, update.count), minimum: layerMinimum) { $0.weight }
    case .layer:
      for layer in update.layers {
        let start =
          drawn(of: layer) ?? 1 - Double(layer.initialCount) / Double(layer.positions)
        let kept = kept(
          of: layer.positions, from: start, to: final.sparsity(of: layer), at: update.step)
        layer.target = min(kept, layer.count)
        layer.drop = layer.count - layer.target
      }
    }
  }

  /// The sparsity that a layer was drawn with; nil: none says how it began, or it began with connections
  /// that were given.
  private func drawn(of layer: TopologyPlan.Layer) -> Double? {
    initial.map { $0.sparsity(of: layer) }.flatMap {
      layer.initialCount == layer.positions - inactivePositions(of: layer.positions, sparsity: $0)
        ? $0 : nil
    }
  }

  /// That of all layers; nil: one of them has none.
  private func drawn(of update: TopologyPlan) -> Double? {
    update.layers.allSatisfy { drawn(of: $0) != nil } ? initial?.sparsity(of: update) : nil
  }

  /// Connections that stay: round(N (1 − s_t)), half up, at least 1.
  private func kept(of positions: Int, from start: Double, to end: Double, at step: Int) -> Int {
    let left = 1 - min(max(Double(step - begin) / Double(self.end - begin), 0), 1)
    let sparsity = end + (start - end) * left * left * left
    return keptPositions(of: positions, density: 1 - sparsity)
  }
}
