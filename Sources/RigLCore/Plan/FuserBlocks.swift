// Residual blocks: who reads the input, who writes the sum, and who adds which gradient.

extension Fuser {
  mutating func add(
    _ layer: Residual, _ item: FusedItem, from input: Int
  ) throws(RigLError) -> Run {
    let number = blocks.count
    var block = PlanBlock(name: layer.nameOfSum, activation: layer.activation, input: input)
    blocks.append(block)
    let (shared, sharedOwners) = try reading(of: layer.before, item.leadingNorm)
    var run = Run(output: input)
    // Where a branch cannot read through batch-norm and activation, they are a pass before both.
    let isReadThrough = shared.isIdentity || layer.branchesReadThrough
    let through = isReadThrough ? shared : PlanNode.Reading()
    if isReadThrough || layer.shortcut.layers.isEmpty { block.shared = shared }
    if !isReadThrough {
      var node = PlanNode(operation: .normActivation, number: item.number, input: input)
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
    sum number: Int, _ block: inout PlanBlock, after main: Run, _ item: FusedItem
  ) throws(RigLError) -> Int {
    var node = PlanNode(operation: .sum(number), number: item.number, input: main.output)
    (node.outputNorm, node.takesNormGradient) = (item.outputNorm, item.takesNormGradient)
    node.output = main.output
    if block.activation == nil, block.mainNorm == nil, block.shortcutNorm == nil,
      let last = main.forward.last,
      nodes[last].fusing.contains(.addsToOutput)
    {
      block.isWritten = true
      nodes[last].addend = block.shortcut
      nodes[last].outputNorm = item.outputNorm
    } else {
      node.output = try addValue(after: nil, main.output)
    }
    if block.activation.needsInput { node.kept = addKeptValue(like: node.output) }
    return add(node)
  }

  /// The batch-norm and activation that both branches read through, and whose parameters these have.
  private func reading(
    of layers: [any Layer], _ norm: Int?
  ) throws(RigLError) -> (PlanNode.Reading, [Run.Owner]) {
    var reading = PlanNode.Reading()
    for layer in layers {
      switch layer {
      case is BatchNorm where reading.isIdentity: reading.norm = norm
      case let layer as any ActivationLayer
      where reading.activation == nil || reading.activation == layer.activation && layer is ReLU:
        reading.activation = layer.activation
      default:
        throw RigLError(
          .configuration, "residual block: \(type(of: layer)) before its branches",
          hint: "Only batch-norm and then an activation can be there.")
      }
    }
    return (reading, norm.map { [.norm($0)] } ?? [])
  }
}

extension Residual {
  /// Whether both branches can read through what they share: the one that reads last applies its
  /// gradient to the sum of both.
  var branchesReadThrough: Bool {
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
