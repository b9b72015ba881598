/// Keeps, before the first step, the connections of a dense network whose |g · w| on a batch is largest,
/// and changes nothing afterwards.
///
/// Reference: Lee et al., *SNIP: Single-shot Network Pruning based on Connection Sensitivity*, ICLR 2019.
/// <https://arxiv.org/abs/1810.02340>
package struct SNIP: TopologyMethod {
  private let sparsities: LayerSparsities
  private let scope: TopologyScope
  private let layerMinimum: Int
  /// Before the first weight step.
  package let timing = TopologyTiming.beforeFirstStep
  /// They begin with all.
  package let counts = ConnectionCounts.pruned

  /// Creates the method.
  ///
  /// - Parameters:
  ///   - sparsities: what layers are to have.
  ///   - scope: whether each layer keeps N − floor(s N) of its own, or all layers together keep their
  ///     sum.
  ///   - layerMinimum: connections that each layer keeps in one pool.
  package init(_ sparsities: LayerSparsities, scope: TopologyScope = .layer, layerMinimum: Int = 0)
  {
    (self.sparsities, self.scope, self.layerMinimum) = (sparsities, scope, layerMinimum)
  }

  /// Keeps the largest |g · w|.
  ///
  /// - Throws: `RigLError(.numerical)` if a score is not a number, or all of a layer's are 0.
  package func plan(_ update: TopologyPlan) throws(RigLError) {
    var total = 0
    for layer in update.layers {
      try requireScores(layer)
      let kept =
        layer.positions
        - inactivePositions(of: layer.positions, sparsity: sparsities.sparsity(of: layer))
      layer.target = min(kept, layer.count)
      layer.drop = layer.count - layer.target
      total += layer.target
    }
    guard scope == .global else { return }
    try update.keepLargest(total, minimum: layerMinimum) { $0.weight * $0.summedGradient }
  }

  private func requireScores(_ layer: TopologyPlan.Layer) throws(RigLError) {
    var hasScore = false
    layer.forEachConnection { hasScore = hasScore || !($0.weight * $0.summedGradient == 0) }
    guard !hasScore else { return }
    throw RigLError(
      .numerical,
      "layer \(layer.name): every weight times its gradient is 0, and SNIP has nothing to "
        + "choose by",
      hint:
        "Nothing after it lets gradients through: a batch-norm whose scale starts at 0, or dead "
        + "units. Choose another method, or other initial weights.")
  }

  /// Drops by |g · w|.
  package func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
    try layer.dropSmallest(count) { $0.weight * $0.summedGradient }
  }
}
