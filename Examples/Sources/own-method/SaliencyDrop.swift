import RigLCore

/// RigL that drops by what a connection does to the loss, |w · dL/dw|, instead of by |w|.
struct SaliencyDrop: TopologyMethod {
  let timing = TopologyTiming.insteadOfWeightStep

  func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
    try layer.dropSmallest(count) { $0.weight * $0.gradient }
    try layer.growLargestGradients(layer.missing)
  }
}
