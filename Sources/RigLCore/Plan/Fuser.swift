/// Turns layers into the stages that run: decides which of them run by themselves, which are applied
/// by the stages next to them, and in which order stages run forward and backward.
///
/// It is the only place that asks which layer stands where. Elementwise layers after a product become
/// its epilogue; batch-norm and ReLU between stages on planes are applied by the one that reads next,
/// and their statistics are summed by the one that writes before; the sum of a residual block is
/// written by the main branch's last stage where that is all there is to it.
struct Fuser {
  private(set) var nodes: [PlanNode] = []
  private(set) var blocks: [PlanBlock] = []
  /// The batch-norms, each with the shape of its input.
  private(set) var norms: [(layer: BatchNorm, input: SampleShape)] = []
  /// The tensors between stages; the first is the network's input.
  private(set) var values: [PlanValue] = []
  private let numbers = LayerNumbers()
  private let strips: Int

  /// What a run of layers came to.
  struct Run {
    /// The value that the last stage writes.
    var output: Int
    /// The batch-norm at the end that is left to whoever asked.
    var trailingNorm: Int?
    /// The stages, by number, in the order of a forward pass, and of a backward pass.
    var forward: [Int] = []
    var backward: [Int] = []
    /// The stages in the order in which layers are written down: the main branch before the shortcut.
    var written: [Int] = []
    /// Stages and batch-norms in that order, for their parameters.
    var owners: [Owner] = []

    /// What has parameters.
    enum Owner {
      case stage(Int)
      case norm(Int)
    }

    init(output: Int, trailingNorm: Int? = nil) {
      (self.output, self.trailingNorm) = (output, trailingNorm)
    }

    /// A single stage.
    init(single node: Int, output: Int) {
      self.output = output
      (forward, backward, written, owners) = ([node], [node], [node], [.stage(node)])
    }

    mutating func append(_ other: Run) {
      forward += other.forward
      backward = other.backward + backward
      written += other.written
      owners += other.owners
      output = other.output
    }
  }

  /// What layers are fused into, before there are nodes: one of them or several.
  private struct Item {
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
      case .normReLU: [.readsThrough]
      case .copy: [.sumsOutput, .makesPlanes]
      case .fork, .sum: []
      }
    }
  }

  /// Fuses a network's layers, for input of a shape, in so many strips.
  ///
  /// - Throws: `RigLError(.configuration)` where layers do not fit together.
  init(
    _ layers: Sequential, input: SampleShape, capacity: Int, strips: Int
  ) throws(RigLError) {
    self.strips = strips
    values = [PlanValue(shape: input, capacity: capacity, strips: strips)]
    run = Run(output: 0)
    run = try add(
      layers.layers, of: 0, from: 0, through: PlanNode.Reading(), leavesTrailingNorm: false)
  }

  /// The whole network's stages.
  private(set) var run: Run

  // MARK: - A sequence

  /// Adds the stages of layers one after the other, which read `input` through what is given.
  private mutating func add(
    _ layers: [any Layer], of whole: Int, from input: Int, through reading: PlanNode.Reading,
    leavesTrailingNorm: Bool
  ) throws(RigLError) -> Run {
    let (items, owned, trailing) = try fuse(
      layers, of: whole, from: input, through: reading, leavesTrailingNorm: leavesTrailingNorm)
    var run = Run(output: input, trailingNorm: trailing)
    var owners = owned.map { $0.map { [Run.Owner.norm($0)] } ?? [] }
    for item in items {
      let part = try add(item, from: run.output)
      run.append(part)
      if let place = item.place { owners[place] = part.owners }
    }
    run.owners = owners.flatMap(\.self)
    return run
  }

  /// Decides who applies what.
  ///
  /// - Returns: what runs; for each layer, the batch-norm that it is, if it is one; and the
  ///   batch-norm that is left over.
  private mutating func fuse(
    _ layers: [any Layer], of whole: Int, from input: Int, through reading: PlanNode.Reading,
    leavesTrailingNorm: Bool
  ) throws(RigLError) -> (items: [Item], norms: [Int?], trailing: Int?) {
    var sequence = FusedSequence(reading)
    var (shape, norms) = (values[input].shape, [Int?](repeating: nil, count: layers.count))
    for (place, layer) in layers.enumerated() {
      // Every layer's, whether it is fused or not.
      let number = numbers.number(ofPart: place + 1, of: whole)
      if let norm = layer as? BatchNorm {
        norms[place] = add(norm, shape)
        let isAlone = place > 0 && layers[place - 1] is any Conv2d
        sequence.add(norm: self.norms.count - 1, number, isAlone: isAlone)
      } else {
        var leading: Int?
        if let block = layer as? Residual, let norm = block.before.first as? BatchNorm {
          leading = add(norm, shape)
        }
        sequence.add(layer, number, place: place, leadingNorm: leading)
      }
      shape = try layer.outputShape(of: shape)
    }
    let trailing = sequence.finish(leavesTrailingNorm: leavesTrailingNorm)
    return (sequence.items, norms, trailing)
  }

  private mutating func add(_ norm: BatchNorm, _ input: SampleShape) -> Int {
    norms.append((norm, input))
    return norms.count - 1
  }

  /// Layers of a sequence while they are fused.
  private struct FusedSequence {
    private(set) var items: [Item] = []
    /// What the next stage is to read through.
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
      if layer is ReLU, isOnPlanes {
        pending.relu = true  // Twice is once.
        return
      }
      if pending.isIdentity, let last = items.indices.last,
        items[last].fusing.contains(.appliesEpilogue), items[last].epilogue.take(layer, number)
      {
        return
      }
      var item = Item(operation: .layer(layer), number: number, place: place)
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
      if leavesTrailingNorm, !pending.relu, let norm = pending.norm,
        let last = items.indices.last, items[last].fusing.contains(.sumsOutput)
      {
        items[last].takesNormGradient = true
        return norm
      }
      applyPending(items.last?.number ?? 0)
      return nil
    }

    /// What is pending, which the stage that reads next applies.
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
      var item = Item(operation: .normReLU, number: number, place: nil)
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
      items.append(Item(operation: .copy, number: number, place: nil))
      return items.count - 1
    }
  }

  // MARK: - One item

  private mutating func add(_ item: Item, from input: Int) throws(RigLError) -> Run {
    if let sequence = item.layer as? Sequential {
      return try add(
        sequence.layers, of: item.number, from: input, through: PlanNode.Reading(),
        leavesTrailingNorm: false)
    }
    if let block = item.layer as? Residual { return try add(block, item, from: input) }
    var node = PlanNode(operation: item.operation, number: item.number)
    (node.input, node.output) = (input, try addValue(after: item.layer, input))
    (node.reading, node.epilogue) = (item.reading, item.epilogue)
    (node.outputNorm, node.takesNormGradient) = (item.outputNorm, item.takesNormGradient)
    node.canFold = item.canFold
    return Run(single: add(node), output: node.output)
  }

  private mutating func add(_ node: PlanNode) -> Int {
    nodes.append(node)
    return nodes.count - 1
  }

  /// A value for a layer's output.
  private mutating func addValue(after layer: (any Layer)?, _ input: Int) throws(RigLError) -> Int {
    let from = values[input]
    let gathers = from.strips > 1 && layer?.gathersStrips == true
    values.append(
      PlanValue(
        shape: try layer?.outputShape(of: from.shape) ?? from.shape,
        capacity: gathers ? from.capacity / from.strips : from.capacity,
        strips: gathers ? 1 : from.strips))
    return values.count - 1
  }

  // MARK: - A residual block

  private mutating func add(
    _ layer: Residual, _ item: Item, from input: Int
  ) throws(RigLError) -> Run {
    let number = blocks.count
    var block = PlanBlock(name: layer.nameOfSum, relu: layer.relu, input: input)
    blocks.append(block)
    let (shared, sharedOwners) = try reading(of: layer.before, item.leadingNorm)
    var run = Run(output: input)
    // Where a branch cannot read through batch-norm and ReLU, they are a pass before both.
    let isReadThrough = shared.isIdentity || layer.branchesReadThrough
    let through = isReadThrough ? shared : PlanNode.Reading()
    if isReadThrough || layer.shortcut.layers.isEmpty { block.shared = shared }
    if !isReadThrough {
      var node = PlanNode(operation: .normReLU, number: item.number, input: input)
      (node.reading, node.output) = (shared, try addValue(after: nil, input))
      run.append(Run(single: add(node), output: node.output))
    }
    let numbers = [1, 2].map { self.numbers.number(ofPart: $0, of: item.number) }
    let main = try add(
      layer.main.layers, of: numbers[0], from: run.output, through: through,
      leavesTrailingNorm: true)
    var shortcut = Run(output: run.output)
    if layer.shortcut.layers.isEmpty {
      // What passes by is the input as it is.
      shortcut.output = input
      block.passesBy = !shared.isIdentity
    } else {
      shortcut = try add(
        layer.shortcut.layers, of: numbers[1], from: run.output, through: through,
        leavesTrailingNorm: true)
      if let first = shortcut.forward.first, nodes[first].fusing.contains(.addsToGradient) {
        nodes[first].leavesReading = true
      }
    }
    if let first = main.forward.first, nodes[first].fusing.contains(.addsToGradient),
      !block.passesBy
    {
      nodes[first].addsGradientOf = number
      block.isGradientAdded = true
    }
    (block.main, block.shortcut) = (main.output, shortcut.output)
    (block.mainNorm, block.shortcutNorm) = (main.trailingNorm, shortcut.trailingNorm)
    (block.mainLast, block.shortcutLast) = (main.forward.last, shortcut.forward.last)
    block.shortcutFirst = shortcut.forward.first
    let sum = try add(sum: number, &block, after: main, item)
    blocks[number] = block

    // What passes by joins the input as it is, else what both branches read.
    let (before, passesBy) = (run, block.passesBy)
    let fork = add(
      PlanNode(
        operation: .fork(number), number: item.number, input: passesBy ? input : run.output))
    run.forward =
      (passesBy ? [fork] + before.forward : before.forward + [fork])
      + shortcut.forward + main.forward + [sum]
    run.backward =
      [sum] + shortcut.backward + main.backward
      + (passesBy ? before.backward + [fork] : [fork] + before.backward)
    run.written = before.written + main.written + shortcut.written + [fork, sum]
    run.owners = sharedOwners + main.owners + shortcut.owners
    run.output = nodes[sum].output
    return run
  }

  /// The stage that a block ends with, unless the main branch's last one writes the sum.
  private mutating func add(
    sum number: Int, _ block: inout PlanBlock, after main: Run, _ item: Item
  ) throws(RigLError) -> Int {
    var node = PlanNode(operation: .sum(number), number: item.number, input: main.output)
    (node.outputNorm, node.takesNormGradient) = (item.outputNorm, item.takesNormGradient)
    node.output = main.output
    if !block.relu, block.mainNorm == nil, block.shortcutNorm == nil, let last = main.forward.last,
      nodes[last].fusing.contains(.addsToOutput)
    {
      block.isWritten = true
      nodes[last].addend = block.shortcut
      nodes[last].outputNorm = item.outputNorm
    } else {
      node.output = try addValue(after: nil, main.output)
    }
    return add(node)
  }

  /// What branches read through, and its batch-norm for its parameters.
  private func reading(
    of layers: [any Layer], _ norm: Int?
  ) throws(RigLError) -> (PlanNode.Reading, [Run.Owner]) {
    var reading = PlanNode.Reading()
    for layer in layers {
      switch layer {
      case is BatchNorm where reading.isIdentity: reading.norm = norm
      case is ReLU: reading.relu = true
      default:
        throw RigLError(
          .configuration, "residual block: \(type(of: layer)) before its branches",
          hint: "Only batch-norm and then ReLU can be there.")
      }
    }
    return (reading, norm.map { [.norm($0)] } ?? [])
  }
}

extension Residual {
  /// Whether both branches can read through what they share: the one that reads last applies its
  /// gradient to the sum of both.
  fileprivate var branchesReadThrough: Bool {
    func reads(_ branch: Sequential) -> Bool {
      branch.layers.first?.fusing.isSuperset(of: [.readsThrough, .addsToGradient]) ?? false
    }
    return reads(main) && (shortcut.layers.isEmpty || reads(shortcut))
  }

  /// "layer1.0 sum": what the names of a block's layers begin with.
  fileprivate var nameOfSum: String {
    let names = (main.weightLayers + shortcut.weightLayers).map(\.name)
    guard let first = names.first else { return "sum" }
    let common = names.dropFirst().reduce(first) { $0.commonPrefix(with: $1) }
    guard let dot = common.lastIndex(of: ".") else { return "sum" }
    return "\(common[..<dot]) sum"
  }
}

extension String {
  /// The characters that both begin with.
  fileprivate func commonPrefix(with other: String) -> String {
    String(zip(self, other).prefix { $0 == $1 }.map(\.0))
  }
}

extension Epilogue {
  /// Takes on an elementwise layer, unless the order would not be the epilogue's.
  fileprivate mutating func take(_ layer: any Layer, _ number: Int) -> Bool {
    switch layer {
    case is ReLU:
      // ReLU after dropout equals ReLU before it: kept values are only scaled up.
      relu = true
    case let layer as Dropout:
      guard dropout == 0 else { return false }
      (dropout, dropoutLayer) = (layer.probability, number)
    default: return false
    }
    return true
  }
}

// MARK: - Gradients

extension Fuser {
  /// Numbers the gradients that a backward pass writes; 0 is that of the network's output.
  ///
  /// - Returns: how many there are, and the shape of each.
  mutating func numberGradients() -> [PlanValue] {
    var gradients = [values[run.output]]
    func make(like value: Int) -> Int {
      gradients.append(values[value])
      return gradients.count - 1
    }
    var ofValue: [Int: Int] = [run.output: 0]
    for place in run.backward {
      var node = nodes[place]
      switch node.operation {
      case .sum(let number):
        node.outputGradient = ofValue[node.output]
        let (block, gradient) = (blocks[number], node.outputGradient)
        (ofValue[block.main], ofValue[block.shortcut]) = (gradient, gradient)
        // A branch gets a copy if it would change what the other one has not read yet.
        if block.shortcutFirst == nil {
          blocks[number].gradientPast = gradient
          if let last = block.mainLast, !keepsGradient(nodes[last]) {
            blocks[number].mainGradient = make(like: block.main)
            ofValue[block.main] = blocks[number].mainGradient
          }
        } else if let last = block.shortcutLast, !keepsGradient(nodes[last]) {
          blocks[number].shortcutGradient = make(like: block.shortcut)
          ofValue[block.shortcut] = blocks[number].shortcutGradient
        }
      case .fork:
        node.inputGradient = ofValue[node.input]
      case .layer, .normReLU, .copy:
        node.outputGradient = ofValue[node.output]
        if node.input != 0 || node.reading.norm != nil {
          node.inputGradient =
            node.fusing.contains(.isInPlace) ? node.outputGradient : make(like: node.input)
          ofValue[node.input] = node.inputGradient
        }
      }
      nodes[place] = node
      if let block = blocks.firstIndex(where: { $0.shortcutFirst == place }) {
        blocks[block].gradientPast = node.inputGradient
      }
    }
    return gradients
  }

  /// Whether a stage's backward pass leaves the gradient of its output as it was.
  private func keepsGradient(_ node: PlanNode) -> Bool {
    guard case .sum(let number) = node.operation else {
      return node.fusing.contains(.keepsGradient)
    }
    let block = blocks[number]
    return !node.takesNormGradient && !block.relu && block.mainNorm == nil
      && block.shortcutNorm == nil
  }
}
