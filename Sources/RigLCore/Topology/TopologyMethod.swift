/// When a method's topology update happens.
public enum TopologyTiming: Sendable {
  /// Before a weight step, on a batch of its own; the weights and the step counter do not move.
  case insteadOfWeightStep
  /// After a weight step, on the incremented step counter, with no batch of its own: at the
  /// beginning of the next step, before its batch. What is evaluated and saved between two steps was
  /// trained, and after the last step there is no update.
  case afterWeightStep
  /// Once, before the first weight step, on a batch of its own, when its gradients are complete; the
  /// schedule is not asked.
  case beforeFirstStep
  /// Never: the topology stays as it was drawn.
  case never
}

/// Whether a method changes how many connections layers have.
public enum ConnectionCounts: Sendable {
  /// It never does: what the sparsity distribution gives.
  case constant
  /// They fall and rise from what the distribution gives.
  case variable
  /// They begin with every position of the layers that the distribution makes sparse, and fall.
  case pruned
}

/// Moves connections while the network trains. When is the ``UpdateSchedule``'s business, and of its
/// fraction f(t) how many by default; the method says which, and if it wants to how many.
///
/// An own method is two members, or three:
///
///     struct DropAtRandomScale: TopologyMethod {
///       let timing = TopologyTiming.afterWeightStep
///       func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
///         try layer.dropSmallestMagnitudes(count)
///         try layer.growAtRandom(layer.missing)
///       }
///     }
public protocol TopologyMethod: Sendable {
  /// When the method moves connections.
  var timing: TopologyTiming { get }
  /// Whether it changes how many connections layers have: by default it does not.
  var counts: ConnectionCounts { get }
  /// Whether an update comes before step `step` (t), the previous one having come before step `last`: by
  /// default when the schedule says.
  func isDue(at step: Int, last: Int, _ schedule: UpdateSchedule) -> Bool
  /// What looks at the dense gradient of each layer whose connections can move, in every weight step, to
  /// keep a moment of it for example; what it writes over gradients is lost. By default nil: nobody does,
  /// and no step computes one. It costs a step about as much as a dense layer's gradient.
  var observer: (any GrowthScore)? { get }
  /// Decides how many connections each layer drops and has afterwards, before any layer moves: by default
  /// what the schedule says.
  func plan(_ update: TopologyPlan) throws(RigLError)
  /// Drops `count` (k) connections of a layer, and grows what is then ``LayerUpdate/missing``.
  func move(_ count: Int, in layer: LayerUpdate) throws(RigLError)
}

extension TopologyMethod {
  /// Never, unless the method says otherwise.
  public var counts: ConnectionCounts { .constant }
  /// When the schedule says, unless the method says otherwise.
  public func isDue(at step: Int, last: Int, _ schedule: UpdateSchedule) -> Bool {
    schedule.isDue(step: step, last: last)
  }
  /// Nobody, unless the method says otherwise.
  public var observer: (any GrowthScore)? { nil }
  /// What the schedule says, unless the method says otherwise.
  public func plan(_ update: TopologyPlan) throws(RigLError) {}
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
  /// Never: there are no updates.
  public let timing = TopologyTiming.never

  /// Creates the method.
  public init() {}

  /// Moves nothing, and is never called, as there are no updates.
  public func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {}
}
