/// Keeps the topology that was drawn at the start: the baseline, and the whole of dense training.
public struct StaticTopology: TopologyMethod {
  /// Never: there are no updates.
  public let timing = TopologyTiming.never

  /// Creates the method.
  public init() {}

  /// Moves nothing, and is never called, as there are no updates.
  public func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {}
}
