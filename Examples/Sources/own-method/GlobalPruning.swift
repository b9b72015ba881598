import RigLCore

/// Gradual magnitude pruning (Zhu and Gupta, 2017) in one pool: a network that begins dense keeps the
/// largest |w| of all layers together, ever fewer of them.
///
/// Layers go over to sparse storage by themselves, and steps become faster as they are pruned.
struct GlobalPruning: TopologyMethod {
  /// The share of positions without a connection at the beginning and at the end (s_i, s_f).
  var initialSparsity = 0.0
  var sparsity = 0.9
  /// The steps of the first and the last update (t0, t1), and steps between updates (ΔT).
  var begin: Int
  var end: Int
  var interval = 100

  let timing = TopologyTiming.afterWeightStep
  let counts = ConnectionCounts.pruned

  func isDue(at step: Int, last: Int, _ schedule: UpdateSchedule) -> Bool {
    guard begin <= step, step <= end, last < step else { return false }
    return step == end || (step - begin) % interval == 0
  }

  func plan(_ update: TopologyPlan) throws(RigLError) {
    let left = 1 - Double(update.step - begin) / Double(end - begin)
    let sparsity = sparsity + (initialSparsity - sparsity) * left * left * left
    let kept = Int(Double(update.positions) * (1 - sparsity) + 0.5)
    try update.keepLargest(min(max(kept, 1), update.count)) { $0.weight }
  }

  func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
    try layer.dropSmallestMagnitudes(count)
  }
}
