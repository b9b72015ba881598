/// Drops the connections of least magnitude and grows those of greatest gradient.
///
/// Of the n connections of a layer, k = trunc(n f(t)) are dropped and k are grown, among all
/// positions not kept, by |dL/dW| on the current batch alone. A new connection starts at zero; one
/// that is dropped and grown in the same update keeps its weight and its optimizer state.
///
/// Reference: Evci et al., *Rigging the Lottery: Making All Tickets Winners*, ICML 2020,
/// Algorithm 1. <https://arxiv.org/abs/1911.11134>
public struct RigL: TopologyMethod {
  /// An update replaces a weight step.
  public let timing = TopologyTiming.insteadOfWeightStep

  /// Creates the method.
  public init() {}

  /// Drops by |w| and grows by |dL/dW|.
  public func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
    try layer.dropSmallestMagnitudes(count)
    try layer.growLargestGradients(count)
  }
}

/// RigL that grows the positions of smallest gradient: an ablation, which shows what growing by gradient
/// is worth.
package struct InvertedRigL: TopologyMethod {
  /// An update replaces a weight step.
  package let timing = TopologyTiming.insteadOfWeightStep

  /// Creates the method.
  package init() {}

  /// Drops by |w| and grows by the smallest |dL/dW|.
  package func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
    try layer.dropSmallestMagnitudes(count)
    try layer.growSmallestGradients(count)
  }
}
