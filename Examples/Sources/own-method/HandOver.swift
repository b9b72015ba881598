import RigLCore

/// RigL whose layers hand connections over to each other: what all layers drop is grown where the
/// weights are large, in proportion to each layer's mean |w|.
struct HandOver: TopologyMethod {
  let timing = TopologyTiming.insteadOfWeightStep
  let counts = ConnectionCounts.variable

  func plan(_ update: TopologyPlan) {
    let means = update.layers.map { layer in
      var sum = 0.0
      layer.forEachConnection { sum += Double($0.weight.magnitude) }
      return layer.count == 0 ? 0 : sum / Double(layer.count)
    }
    let (dropped, total) = (update.layers.reduce(0) { $0 + $1.drop }, means.reduce(0, +))
    guard total > 0 else { return }
    var left = dropped
    for (layer, mean) in zip(update.layers, means) {
      let kept = layer.count - layer.drop
      let share = min(Int(Double(dropped) * mean / total), layer.positions - kept)
      layer.target = kept + share
      left -= share
    }
    // What rounding and full layers leave goes to the first with room.
    for layer in update.layers {
      let more = min(left, layer.positions - layer.target)
      layer.target += more
      left -= more
    }
  }

  func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
    try layer.dropSmallestMagnitudes(count)
    try layer.growLargestGradients(layer.missing)
  }
}
