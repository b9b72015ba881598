/// Keeps the topology that was drawn at the start: the baseline, and the whole of dense training.
package struct StaticTopology: TopologyMethod {
  /// Never: there are no updates.
  package let timing = TopologyTiming.never

  /// Creates the method.
  package init() {}

  /// Moves nothing, and is never called, as there are no updates.
  package func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {}
}
