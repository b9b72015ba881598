/// Drops the connections of least magnitude and grows those of greatest gradient among candidates that
/// are drawn by how much goes in and out of them: work and memory of an update are those of the
/// connections, whatever the layer's dense form would take.
///
/// Reference: Heddes et al., *Always-Sparse Training by Growing Connections with Guided Stochastic
/// Exploration*, 2024. <https://arxiv.org/abs/2401.06898>
package struct GSE: TopologyMethod {
  private let candidates: Double
  /// An update replaces a weight step.
  package let timing = TopologyTiming.insteadOfWeightStep

  /// Creates the method.
  ///
  /// - Parameter candidates: draws for each connection of a layer (γ).
  package init(candidates: Double = 1) {
    trap(
      unless: candidates >= 0 && candidates.isFinite, "GSE: \(candidates) candidates a connection")
    self.candidates = candidates
  }

  /// Drops by |w|, and grows by |dL/dW| at the candidates.
  package func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
    try layer.dropSmallestMagnitudes(count)
    let draws = Int((candidates * Double(layer.count) + 0.5).rounded(.down))
    try layer.growLargestOfCandidates(layer.missing, draws: draws)
  }
}
