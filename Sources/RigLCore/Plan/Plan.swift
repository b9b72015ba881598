/// A network's stages with all their tensors, in the order in which they run.
///
/// Layers are fused into stages by the ``Fuser``; here each stage gets its tensors. Outputs are kept
/// for the backward pass; in a plan for prediction they share memory as their ``Lifetimes`` allow, and
/// so do gradients of activations in training.
final class Plan {
  /// The stages, by number, as the fuser numbers them.
  let stages: [any Stage]
  let nodes: [PlanNode]
  let blocks: [PlanBlock]
  /// The stages' numbers in the order of a forward pass, of a backward pass, and of the layers as they
  /// are written down.
  let forwardOrder: [Int]
  let backwardOrder: [Int]
  let writtenOrder: [Int]
  /// Stages and batch-norms in the order of the layers.
  private let owners: [Fuser.Run.Owner]
  /// The batch-norms.
  let norms: [Normalization]
  /// The tensors between stages, and those of gradients.
  let values: [Tensor]
  let gradients: [Tensor]
  /// The network's input: shows the memory of whoever's batch it is.
  let input: Tensor
  let output: Tensor
  /// The gradient of the output; as the input.
  let outputGradient: Tensor
  /// Memory for the sums of parts of a gradient, which the stages share.
  let parts = SharedMemory()

  /// Makes the stages of layers for input of a shape.
  ///
  /// - Parameters:
  ///   - capacity: the most samples in a batch; of an image in strips, the strips.
  ///   - connections: how many each weight layer has, by name; a layer not named has all.
  ///   - variable: layers whose number of connections will change, and the density below which they are
  ///     stored sparsely.
  ///   - streams: samples of a step, where a batch is a window of streams.
  init(
    _ layers: Sequential, input: SampleShape, capacity: Int, lanes: Int, strips: Int,
    connections: [String: Int], variable: (names: Set<String>, storageBelow: Double),
    streams: Int?, isTraining: Bool
  ) throws(RigLError) {
    var fuser = try Fuser(layers, input: input, capacity: capacity, strips: strips)
    let shapes = fuser.numberGradients()
    (nodes, blocks) = (fuser.nodes, fuser.blocks)
    let run = fuser.run
    (forwardOrder, backwardOrder, writtenOrder) = (run.forward, run.backward, run.written)
    owners = run.owners
    let norms = fuser.norms.map { Normalization($0.layer, input: $0.input) }
    values = Plan.makeValues(fuser, lanes: lanes, isTraining: isTraining)
    gradients =
      isTraining
      ? Plan.makeGradients(fuser, shapes, lanes: lanes)
      : shapes.map { Tensor(shape: $0.shape, capacity: 0, lanes: lanes) }
    self.norms = norms
    self.input = values[0]
    output = values[run.output]
    outputGradient = gradients[0]
    let maker = StageMaker(
      nodes: nodes, blocks: blocks, norms: norms, values: values, gradients: gradients,
      connections: connections, variable: variable, streams: streams, isTraining: isTraining,
      parts: parts)
    var made = [(any Stage)?](repeating: nil, count: nodes.count)
    for number in run.written {
      made[number] = try maker.makeStage(number, after: made.compactMap(\.self))
    }
    stages = made.compactMap(\.self)
  }

  /// The tensors between stages.
  private static func makeValues(_ fuser: Fuser, lanes: Int, isTraining: Bool) -> [Tensor] {
    var lifetimes = Lifetimes(of: fuser.values.count)
    if !isTraining {
      for (place, number) in fuser.run.forward.enumerated() {
        let node = fuser.nodes[number]
        for value in [node.input, node.output] { lifetimes.use(value, at: place) }
        lifetimes.use(node.addend, at: place)
        if case .sum(let block) = node.operation {
          lifetimes.use(fuser.blocks[block].shortcut, at: place)
        }
      }
      lifetimes.use(fuser.run.output, at: fuser.run.forward.count)
    }
    return makeTensors(fuser.values, lifetimes, external: 0, lanes: lanes) {
      !isTraining || $0 == 0
    }
  }

  /// Gradients of activations, those of a backward pass in turns in the same memory.
  private static func makeGradients(
    _ fuser: Fuser, _ shapes: [PlanValue], lanes: Int
  ) -> [Tensor] {
    var lifetimes = Lifetimes(of: shapes.count)
    for (place, number) in fuser.run.backward.enumerated() {
      let node = fuser.nodes[number]
      for gradient in [node.outputGradient, node.inputGradient] {
        lifetimes.use(gradient, at: place)
      }
      if let block = node.addsGradientOf {
        lifetimes.use(fuser.blocks[block].gradientPast, at: place)
      }
      switch node.operation {
      case .sum(let block):
        lifetimes.use(fuser.blocks[block].mainGradient, at: place)
        lifetimes.use(fuser.blocks[block].shortcutGradient, at: place)
      case .fork(let block): lifetimes.use(fuser.blocks[block].gradientPast, at: place)
      default: break
      }
    }
    return makeTensors(shapes, lifetimes, external: 0, lanes: lanes) { _ in true }
  }

  /// Tensors, those that share memory where their lifetimes allow; the `external` one has none of its
  /// own.
  private static func makeTensors(
    _ values: [PlanValue], _ lifetimes: Lifetimes, external: Int, lanes: Int,
    sharing isShared: (Int) -> Bool
  ) -> [Tensor] {
    let sizes = values.indices.map { value in
      value == external || !isShared(value)
        ? 0
        : Tensor.elements(
          shape: values[value].shape, capacity: values[value].capacity, lanes: lanes)
    }
    let (memories, counts) = lifetimes.share(sizes)
    let storages = counts.map { Tensor.Storage(count: $0) }
    return values.indices.map { value in
      let (one, memory) = (values[value], memories[value].map { storages[$0] })
      if value == external {
        return Tensor(
          showing: one.shape, capacity: one.capacity, lanes: lanes, strips: one.strips)
      }
      // What training alone keeps is not there in prediction.
      let isUnused = isShared(value) && memory == nil
      return Tensor(
        shape: one.shape, capacity: isUnused ? 0 : one.capacity, lanes: lanes,
        storage: isShared(value) ? memory ?? Tensor.Storage(count: 0) : nil, strips: one.strips)
    }
  }

  // MARK: - What a model asks

  /// The weights, in the order of the layers.
  var weights: [LayerWeights] {
    owners.compactMap { owner in
      guard case .stage(let number) = owner else { return nil }
      return stages[number].weights
    }
  }

  /// The parameters, in the order of the layers.
  var parameters: [Parameter] {
    owners.flatMap { owner in
      switch owner {
      case .stage(let number): stages[number].parameters
      case .norm(let number): norms[number].parameters
      }
    }
  }

  /// The running averages, in the order of the layers.
  var averages: [RunningAverage] {
    owners.flatMap { owner in
      switch owner {
      case .stage(let number): stages[number].averages
      case .norm(let number): norms[number].averages
      }
    }
  }

  // MARK: - Passes

  /// The output for the input that is shown.
  func forward(_ pass: Pass) throws(RigLError) {
    // By index: without optimisation, iterating over an array allocates.
    for place in 0..<forwardOrder.count {
      let number = forwardOrder[place]
      pass.pool.clock?.enter(stage: number, isForward: true)
      try stages[number].forward(pass)
    }
  }

  /// The gradients of parameters, from that of the output; `visit` is called with each stage whose
  /// connections can move, when its dense gradient can be asked for.
  func backward(
    _ pass: Pass, _ visit: (any GradientSource) throws(RigLError) -> Void
  ) throws(RigLError) {
    for place in 0..<backwardOrder.count {
      let number = backwardOrder[place]
      pass.pool.clock?.enter(stage: number, isForward: false)
      try stages[number].backward(pass)
      if let source = stages[number].gradientSource { try visit(source) }
    }
  }
}

/// Makes stages of nodes.
private struct StageMaker {
  let nodes: [PlanNode]
  let blocks: [PlanBlock]
  let norms: [Normalization]
  let values: [Tensor]
  let gradients: [Tensor]
  let connections: [String: Int]
  let variable: (names: Set<String>, storageBelow: Double)
  let streams: Int?
  let isTraining: Bool
  let parts: SharedMemory

  func makeStage(_ number: Int, after made: [any Stage]) throws(RigLError) -> any Stage {
    let node = nodes[number]
    var site = self.site(node)
    switch node.operation {
    case .layer(let layer):
      if let shared = layer.planned?.sharedLayer {
        site.sharedWeights = made.lazy.compactMap(\.weights).first { $0.name == shared }
      }
      return try layer.makeStage(site)
    case .normActivation: return NormActivationPass(site)
    case .copy: return CopyPass(site)
    case .fork(let block): return Fork(self.site(blocks[block], kept: nil), site)
    case .sum(let block): return Sum(self.site(blocks[block], kept: node.kept), site)
    }
  }

  private func site(_ node: PlanNode) -> StageSite {
    var (count, storageBelow) = (Int?.none, Double?.none)
    if case .layer(let layer as any WeightLayer) = node.operation {
      count = connections[layer.name] ?? layer.inputs * layer.outputs
      if layer.canBeSparse, variable.names.contains(layer.name) {
        storageBelow = variable.storageBelow
      }
    }
    var site = StageSite(
      number: node.number, input: values[node.input], layerInput: values[node.input].shape,
      output: values[node.output],
      outputGradient: gradients[isTraining ? node.outputGradient ?? 0 : 0],
      inputGradient: isTraining ? node.inputGradient.map { gradients[$0] } : nil,
      isTraining: isTraining, connections: count, storageBelow: storageBelow, parts: parts,
      streams: streams)
    site.epilogue = node.epilogue
    if isTraining { site.epilogue.kept = node.kept.map { values[$0] } }
    site.prologue = reading(node.reading)
    site.leavesPrologue = node.leavesReading
    site.outputNorm = node.outputNorm.map { norms[$0] }
    site.takesNormGradient = node.takesNormGradient
    site.addend = node.addend.map { values[$0] }
    if isTraining, let block = node.addsGradientOf {
      site.gradientAddend = blocks[block].gradientPast.map { gradients[$0] }
    }
    return site
  }

  private func reading(_ reading: PlanNode.Reading) -> Prologue {
    Prologue(norm: reading.norm.map { norms[$0] }, activation: reading.activation)
  }

  private func site(_ block: PlanBlock, kept: Int?) -> BlockSite {
    func gradient(_ number: Int?) -> Tensor? {
      isTraining ? number.map { gradients[$0] } : nil
    }
    return BlockSite(
      main: values[block.main], shortcut: values[block.shortcut],
      mainNorm: block.mainNorm.map { norms[$0] },
      shortcutNorm: block.shortcutNorm.map { norms[$0] }, activation: block.activation,
      kept: isTraining ? kept.map { values[$0] } : nil,
      isWritten: block.isWritten, shared: reading(block.shared), passesBy: block.passesBy,
      isGradientAdded: block.isGradientAdded, mainGradient: gradient(block.mainGradient),
      shortcutGradient: gradient(block.shortcutGradient),
      gradientPast: gradient(block.gradientPast))
  }
}
