/// A stage as it is fused, before there are nodes: a layer's, or a pass that is put in.
struct FusedItem {
  let operation: PlanNode.Operation
  let number: Int
  /// The place of the layer in its sequence; nil of passes that are put in.
  let place: Int?
  var reading = PlanNode.Reading()
  var outputNorm: Int?
  var takesNormGradient = false
  var canFold = false
  var epilogue = Epilogue()
  /// The batch-norm that a residual block begins with.
  var leadingNorm: Int?

  /// The layer, of a layer's stage.
  var layer: (any Layer)? {
    guard case .layer(let layer) = operation else { return nil }
    return layer
  }

  /// What its stage can do; a block's sum sums statistics.
  var fusing: Fusing {
    switch operation {
    case .layer(let layer): layer is Residual ? [.sumsOutput, .makesPlanes] : layer.fusing
    case .normActivation: [.readsThrough]
    case .copy: [.sumsOutput, .makesPlanes]
    case .fork, .sum: []
    }
  }
}

/// Layers of a sequence while they are fused.
struct FusedSequence {
  private(set) var items: [FusedItem] = []
  /// The batch-norm and activation that the next stage is to apply as it reads.
  private var pending: PlanNode.Reading
  /// Whether the data at this point are planes that a stage here has made.
  private var isOnPlanes: Bool

  init(_ reading: PlanNode.Reading) {
    pending = reading
    isOnPlanes = !reading.isIdentity
  }

  /// Adds a batch-norm; `isAlone`: it directly follows a convolution, whose output nobody else
  /// reads.
  mutating func add(norm: Int, _ number: Int, isAlone: Bool) {
    applyPending(number)
    let writer = findWriter(number)
    items[writer].outputNorm = norm
    items[writer].canFold = isAlone && items[writer].layer is any Conv2d
    pending.norm = norm
    isOnPlanes = true
  }

  /// Adds another layer; `leadingNorm`: the batch-norm that a residual block begins with.
  mutating func add(_ layer: any Layer, _ number: Int, place: Int, leadingNorm: Int?) {
    if let activation = (layer as? any ActivationLayer)?.activation, isOnPlanes {
      // ReLU twice is once; others one after the other are two.
      if let before = pending.activation, !(before == .relu && activation == .relu) {
        applyPending(number)
      }
      pending.activation = activation
      return
    }
    if pending.isIdentity, let last = items.indices.last,
      items[last].fusing.contains(.appliesEpilogue), items[last].epilogue.take(layer, number)
    {
      return
    }
    var item = FusedItem(operation: .layer(layer), number: number, place: place)
    if item.fusing.contains(.readsThrough) {
      item.reading = takePending()
    } else {
      applyPending(number)
      if let leadingNorm {
        let writer = findWriter(number)
        items[writer].outputNorm = leadingNorm
        // Nobody else reads what it writes where both branches read through a pass of its own.
        items[writer].takesNormGradient =
          (layer as? Residual).map { !$0.branchesReadThrough && !$0.shortcut.layers.isEmpty }
          ?? false
      }
      item.leadingNorm = leadingNorm
    }
    // An elementwise layer that nobody takes on applies itself.
    _ = item.epilogue.take(layer, number)
    isOnPlanes = item.fusing.contains(.makesPlanes)
    items.append(item)
  }

  /// Ends the sequence; returns the batch-norm that is left over.
  mutating func finish(leavesTrailingNorm: Bool) -> Int? {
    if leavesTrailingNorm, pending.activation == nil, let norm = pending.norm,
      let last = items.indices.last, items[last].fusing.contains(.sumsOutput)
    {
      items[last].takesNormGradient = true
      return norm
    }
    applyPending(items.last?.number ?? 0)
    return nil
  }

  /// The batch-norm and activation that are pending, for the stage that reads next; none are left.
  private mutating func takePending() -> PlanNode.Reading {
    if pending.norm != nil, let last = items.indices.last,
      items[last].fusing.contains(.sumsOutput)
    {
      items[last].takesNormGradient = true
    }
    defer { pending = PlanNode.Reading() }
    return pending
  }

  /// Has what is pending applied by a pass of its own.
  private mutating func applyPending(_ number: Int) {
    guard !pending.isIdentity else { return }
    var item = FusedItem(operation: .normActivation, number: number, place: nil)
    item.reading = takePending()
    items.append(item)
  }

  /// The stage that wrote what comes next, for its statistics; one that copies, if none did.
  private mutating func findWriter(_ number: Int) -> Int {
    if let last = items.indices.last, items[last].fusing.contains(.sumsOutput),
      items[last].outputNorm == nil
    {
      return last
    }
    items.append(FusedItem(operation: .copy, number: number, place: nil))
    return items.count - 1
  }
}

extension Epilogue {
  /// Takes on an elementwise layer, unless the order would not be the epilogue's.
  fileprivate mutating func take(_ layer: any Layer, _ number: Int) -> Bool {
    switch layer {
    case let layer as any ActivationLayer:
      let isOnceMore = activation == .relu && layer.activation == .relu
      guard activation == nil || isOnceMore else { return false }
      // After dropout some equal themselves before it: kept values are only scaled up.
      guard dropout == 0 || layer.activation.commutesWithDropout else { return false }
      activation = layer.activation
    case let layer as Dropout:
      guard dropout == 0 else { return false }
      (dropout, dropoutLayer) = (layer.probability, number)
    default: return false
    }
    return true
  }
}
