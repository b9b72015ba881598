/// Prunes gradually as ``MagnitudePruning``, and in the same updates moves connections as ``RigL``, so
/// that what was pruned too early can grow again.
///
/// The k = trunc(n f(t)) that are dropped and grown are counted of what pruning leaves. A connection that
/// is pruned and grown in the same update starts new; one that is dropped and grown keeps its weight and
/// its optimizer state.
///
/// Reference: Liu et al., *Sparse Training via Boosting Pruning Plasticity with Neuroregeneration*,
/// NeurIPS 2021. <https://arxiv.org/abs/2106.10404>. Its code moves connections after a weight step by
/// that step's gradient; here an update has its own batch, as RigL's.
package struct GraNet: TopologyMethod {
  private let schedule: PruningSchedule
  /// An update replaces a weight step.
  package let timing = TopologyTiming.insteadOfWeightStep
  /// They fall.
  package let counts = ConnectionCounts.pruned

  /// Creates the method.
  package init(_ schedule: PruningSchedule) { self.schedule = schedule }

  /// Keeps as many as the schedule leaves.
  package func plan(_ update: TopologyPlan) throws(RigLError) { try schedule.plan(update) }

  /// Prunes by |w|, drops by |w|, and grows by |dL/dW|.
  package func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
    try layer.pruneSmallestMagnitudes(count)
    try layer.dropSmallestMagnitudes(
      UpdateSchedule.moved(of: layer.target, fraction: layer.dropFraction))
    try layer.growLargestGradients(layer.missing)
  }
}
