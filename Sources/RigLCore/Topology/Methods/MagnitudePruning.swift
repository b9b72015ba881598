/// Prunes a network that begins dense, or less sparse than it ends, of its connections of least
/// magnitude, gradually; what is pruned does not return.
///
/// Layers go over from dense to sparse storage on the way: memory and time of a step fall.
///
/// Reference: Zhu & Gupta, *To prune, or not to prune: exploring the efficacy of pruning for model
/// compression*, 2017. <https://arxiv.org/abs/1710.01878>
package struct MagnitudePruning: TopologyMethod {
  private let schedule: PruningSchedule
  /// An update follows a weight step.
  package let timing = TopologyTiming.afterWeightStep
  /// They fall.
  package let counts = ConnectionCounts.pruned

  /// Creates the method.
  package init(_ schedule: PruningSchedule) { self.schedule = schedule }

  /// From t0 on every ΔT steps, and at t1 itself.
  package func isDue(at step: Int, last: Int, _ updates: UpdateSchedule) -> Bool {
    guard schedule.begin <= step, step <= schedule.end, last < step else { return false }
    return step == schedule.end || (step - schedule.begin) % updates.interval == 0
  }

  /// Keeps as many as the schedule leaves.
  package func plan(_ update: TopologyPlan) throws(RigLError) { try schedule.plan(update) }

  /// Drops by |w|.
  package func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
    try layer.dropSmallestMagnitudes(count)
  }
}
