/// Decides which of a sequence's layers run by themselves, and which are applied by the layers next
/// to them: see ``Epilogue`` for layers on vectors, ``PlaneReader`` and ``PlaneWriter`` for planes.
struct Stager {
  /// The layers that run, each with its number in the network.
  private(set) var stages: [(layer: any Layer, index: Int)] = []
  /// What the next layer is to apply to its input.
  private var pending: Prologue
  /// Whether a batch-norm at the end is left to whom asked for the stages.
  private let leavesTrailingNorm: Bool
  /// Whether the data at this point are planes that a layer here has made.
  private var isOnPlanes: Bool

  init(prologue: Prologue, leavesTrailingNorm: Bool) {
    pending = prologue
    self.leavesTrailingNorm = leavesTrailingNorm
    isOnPlanes = !prologue.isIdentity
  }

  /// Adds the next layer.
  mutating func add(_ layer: any Layer, index: Int) throws(RigLError) {
    if let norm = layer as? BatchNorm {
      apply(index)
      writer(index).outputNorm = norm
      pending.norm = norm
      isOnPlanes = true
    } else if layer is ReLU, isOnPlanes {
      // Twice is once.
      pending.relu = true
    } else if let elementwise = layer as? any ElementwiseLayer, pending.isIdentity,
      let previous = stages.last?.layer as? any EpilogueLayer,
      elementwise.join(&previous.epilogue, index: index)
    {
      return
    } else {
      if let reader = layer as? any PlaneReader {
        hand(to: reader)
      } else {
        apply(index)
        let leading = (layer as? Residual)?.leadingNorm
        if let leading { writer(index).outputNorm = leading }
      }
      stages.append((layer, index))
      isOnPlanes = layer is any PlaneWriter || (layer is Pool2d)
    }
  }

  /// Ends the sequence; returns the batch-norm that is left over.
  mutating func finish() -> BatchNorm? {
    if leavesTrailingNorm, !pending.relu, let norm = pending.norm,
      let last = stages.last?.layer as? any PlaneWriter
    {
      last.foldsNorm = true
      return norm
    }
    apply(stages.last?.index ?? 0)
    return nil
  }

  /// Has what is pending applied by the layer that reads next.
  private mutating func hand(to reader: any PlaneReader) {
    if pending.norm != nil, let last = stages.last?.layer as? any PlaneWriter {
      last.foldsNorm = true
    }
    reader.prologue = pending
    pending = Prologue()
  }

  /// Has what is pending applied by a pass of its own.
  private mutating func apply(_ index: Int) {
    guard !pending.isIdentity else { return }
    let layer = PlaneApply()
    hand(to: layer)
    stages.append((layer, index))
  }

  /// The layer that wrote what comes next, for its statistics; one that copies, if none did.
  private mutating func writer(_ index: Int) -> any PlaneWriter {
    if let last = stages.last?.layer as? any PlaneWriter, last.outputNorm == nil { return last }
    let copy = PlaneCopy()
    stages.append((copy, index))
    return copy
  }
}
