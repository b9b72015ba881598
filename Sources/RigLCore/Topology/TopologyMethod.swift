/// When a method's topology update happens.
public enum TopologyTiming: Sendable {
  /// Before a weight step, on a batch of its own; the weights and the step counter do not move.
  case insteadOfWeightStep
  /// After a weight step, on the incremented step counter, with no batch of its own: at the
  /// beginning of the next step, before its batch. What is evaluated and saved between two steps was
  /// trained, and after the last step there is no update.
  case afterWeightStep
  /// Once, before the first weight step, when the gradients of a batch of its own, or with accumulation
  /// of as many as a weight step has, are complete; the schedule is not asked.
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
  /// What the method keeps of the dense gradients of all weight steps, a running mean for example; by
  /// default nil: nothing, and no step computes one.
  var memory: (any GradientMemory)? { get }
  /// Decides how many connections each layer drops and has afterwards, before any layer moves: by default
  /// what the schedule says.
  func plan(_ update: TopologyPlan) throws(RigLError)
  /// Drops `count` (k) connections of a layer, and grows what is then ``LayerUpdate/missing``.
  ///
  /// Where growth looks at several batches, a layer's turn may come more than once in an update: for each
  /// part of its gradient that is in memory, and at the end for all that was found, which is when
  /// connections move. So what the method decides must depend on nothing but what it is given, and not on
  /// how often it was asked.
  func move(_ count: Int, in layer: LayerUpdate) throws(RigLError)
}

extension TopologyMethod {
  /// Never, unless the method says otherwise.
  public var counts: ConnectionCounts { .constant }
  /// When the schedule says, unless the method says otherwise.
  public func isDue(at step: Int, last: Int, _ schedule: UpdateSchedule) -> Bool {
    schedule.isDue(step: step, last: last)
  }
  /// Nothing, unless the method says otherwise.
  public var memory: (any GradientMemory)? { nil }
  /// What the schedule says, unless the method says otherwise.
  public func plan(_ update: TopologyPlan) throws(RigLError) {}
}
