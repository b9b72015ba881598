/// When a method's topology update happens.
public enum TopologyTiming: Sendable {
  /// Before a weight step, on a batch of its own; the weights and the step counter do not move.
  case insteadOfWeightStep
  /// After a weight step, on the incremented step counter, with no batch of its own: at the
  /// beginning of the next step, before its batch. What is evaluated and saved between two steps was
  /// trained, and after the last step there is no update.
  case afterWeightStep
  /// Never: the topology stays as it was drawn.
  case never
}

/// Moves a layer's connections while the network trains. When and how many is
/// ``UpdateSchedule``'s business; the method says which.
///
/// An own method is these two members:
///
///     struct DropAtRandomScale: TopologyMethod {
///       let timing = TopologyTiming.afterWeightStep
///       func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
///         try layer.dropSmallestMagnitudes(count)
///         try layer.growAtRandom(count)
///       }
///     }
public protocol TopologyMethod: Sendable {
  /// When the method moves connections.
  var timing: TopologyTiming { get }
  /// Drops `count` (k) connections of a layer and grows as many.
  func move(_ count: Int, in layer: LayerUpdate) throws(RigLError)
}

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

/// Drops the connections of least magnitude and grows as many at random.
///
/// Reference: Mocanu et al., *Scalable training of artificial neural networks with adaptive sparse
/// connectivity inspired by network science*, Nature Communications 2018.
public struct SET: TopologyMethod {
  /// An update follows a weight step, at the beginning of the next one.
  public let timing = TopologyTiming.afterWeightStep

  /// Creates the method.
  public init() {}

  /// Drops by |w| and grows uniformly at random among all positions not kept.
  public func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
    try layer.dropSmallestMagnitudes(count)
    try layer.growAtRandom(count)
  }
}

/// Keeps the topology that was drawn at the start: the baseline, and the whole of dense training.
public struct StaticTopology: TopologyMethod {
  /// No updates.
  public let timing = TopologyTiming.never

  /// Creates the method.
  public init() {}

  /// Never called.
  public func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {}
}
