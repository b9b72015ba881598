// What a configuration's settings stand for: networks, distributions, schedules.

extension Configuration {
  /// The network that ``network`` names.
  ///
  /// - Throws: a configuration error for an unknown name.
  public func makeNetwork() throws(RigLError) -> any Network {
    if hasCustomNetwork { throw Configuration.needsNetwork("network: custom") }
    let name = try NetworkName(network)
    guard (0.01...100).contains(widthMultiplier) else {
      throw RigLError(
        .configuration, "width_multiplier: \(widthMultiplier) is not in 0.01...100")
    }
    guard WidthMatch.widths.contains(layerWidth) || matchedWidth == nil else {
      throw RigLError(
        .configuration,
        "matched_width: \(layerWidth) is not in \(WidthMatch.widths.lowerBound)...1000")
    }
    guard dropout >= 0, dropout < 1 else {
      throw RigLError(.configuration, "dropout: \(dropout) is outside [0, 1)")
    }
    guard dropout == 0 || name.hasDropout else {
      throw RigLError(
        .configuration, "dropout: \(network) has no place for it", hint: "Set it to 0.")
    }
    let activation = activation.activation
    return switch name {
    case .mlp: try makeMLP()
    case .wrn(let depth, let width):
      WRN(
        depth: depth, width: width, dropout: dropout, multiplier: layerWidth, activation: activation
      )
    case .resNet(let depth): ResNet(depth: depth, multiplier: layerWidth, activation: activation)
    case .mobileNetV1: MobileNetV1(multiplier: layerWidth, activation: activation)
    case .vgg16: VGG16(dropout: dropout, multiplier: layerWidth, activation: activation)
    case .leNet5: LeNet5(multiplier: layerWidth, activation: activation)
    }
  }

  /// How many times wider layers are than the network's name says, or ``hidden``.
  private var layerWidth: Double { matchedWidth ?? widthMultiplier }

  /// The network that ``network`` names; nil where it names none, or one that a given network
  /// replaces and that there is not.
  func namedNetwork(unlessGiven given: (any Network)?) throws(RigLError) -> (any Network)? {
    if hasCustomNetwork { return nil }
    return given == nil ? try makeNetwork() : try? makeNetwork()
  }

  private func makeMLP() throws(RigLError) -> MLP {
    let hidden = hidden.map { width in
      (1...Configuration.widestLayer).contains(width)
        ? scaledWidth(width, by: layerWidth) : width
    }
    for width in hidden where width < 1 || width > Configuration.widestLayer {
      throw RigLError(
        .configuration, "hidden: a layer cannot be \(width) wide",
        hint: "Widths lie in 1...\(Configuration.widestLayer).")
    }
    guard hidden.count <= 10_000 else {
      throw RigLError(.configuration, "hidden: \(hidden.count) layers; at most 10000")
    }
    // Already biases of such layers do not fit, which are made before anything else; how large
    // batches are, the data will say.
    try RigLCore.requireMemory(hidden.reduce(0) { $0 + Double($1) * 8 }, for: "the network's units")
    return MLP(hidden: hidden, dropout: dropout, activation: activation.activation)
  }

  /// How connections are shared out; nil for a dense network.
  package var sparsityDistribution: SparsityDistribution? {
    method.isDense ? nil : distribution(of: sparsity)
  }

  func distribution(of sparsity: Double) -> SparsityDistribution {
    SparsityDistribution(
      distribution, sparsity: sparsity, firstLayerSparse: firstLayerSparse,
      lastLayerDense: lastLayerDense,
      overrides: layerSparsityFactors.mapValues { $0 * sparsity }.merging(layerSparsities) { $1 })
  }

  /// The number of connections of each weight layer; of methods that change it the last one.
  package func allocate(_ layers: [any WeightLayer]) throws(RigLError) -> SparsityAllocation {
    try allocate(layers, sparsityDistribution)
  }

  /// The number of connections that each weight layer begins with under a method that prunes from an
  /// ``initialSparsity``; nil: with what another rule says.
  func allocateInitially(
    _ layers: [any WeightLayer]
  ) throws(RigLError) -> SparsityAllocation? {
    guard method.prunes, initialSparsity > 0 else { return nil }
    let (first, last) = (
      try allocate(layers, distribution(of: initialSparsity)), try allocate(layers)
    )
    // A layer that is to be less sparse in the end, as its own setting says, begins so.
    let layers = zip(first.layers, last.layers).map {
      LayerSparsity(
        name: $0.name, positions: $0.positions, sparsity: min($0.sparsity, $1.sparsity))
    }
    return SparsityAllocation(layers: layers, epsilon: first.epsilon, denseSet: first.denseSet)
  }

  func allocate(
    _ layers: [any WeightLayer], _ distribution: SparsityDistribution?
  ) throws(RigLError) -> SparsityAllocation {
    try Model.requireOwnNames(layers)
    try requireCountable(layers)
    let described = layers.enumerated().map { index, layer in
      SparsifiableLayer(
        name: layer.name, shape: layer.shape, isFirst: index == 0,
        isLast: index == layers.count - 1, canBeSparse: layer.canBeSparse)
    }
    guard let distribution else {
      return SparsityAllocation(
        layers: described.map {
          LayerSparsity(name: $0.name, positions: $0.positions, sparsity: 0)
        }, epsilon: nil, denseSet: described.map(\.name))
    }
    return try distribution.allocate(over: described)
  }

  /// Throws where positions are too many to be numbered: a layer's for random numbers, all together
  /// for integers.
  private func requireCountable(_ layers: [any WeightLayer]) throws(RigLError) {
    var positions = 0.0
    for layer in layers {
      let own = layer.shape.reduce(1) { $0 * Double($1) }
      positions += own
      guard own <= Double(CounterRandom.indexLimit), positions <= 0x1p62 else {
        throw RigLError(
          .configuration, "layer \(layer.name): too large, \(layer.shape) positions",
          hint: "A layer has at most 2^56.")
      }
    }
  }

  /// Weight steps of the whole training (T) over `samples` training samples:
  /// epochs · ceil(N / (B · accumulation)) · M, or steps · M.
  package func steps(samples: Int) -> Int {
    Int((Double(unscaledSteps(samples: samples)) * multiplier).rounded())
  }

  /// Weight steps of a training of normal length.
  func unscaledSteps(samples: Int) -> Int {
    totalSteps ?? epochs * stepsPerEpoch(samples: samples)
  }

  /// Weight steps of a pass over `samples` training samples.
  package func stepsPerEpoch(samples: Int) -> Int {
    samples.dividedUp(by: batchSize).dividedUp(by: accumulation)
  }

  /// The learning rate at each weight step.
  package func learningRateSchedule(samples: Int) throws(RigLError) -> LearningRateSchedule {
    let epoch = Double(stepsPerEpoch(samples: samples))
    func steps(_ epochs: Double) -> Int { Int((epochs * epoch).rounded()) }
    let shape: LearningRateSchedule.Shape =
      switch schedule {
      case .constant: .constant
      case .step: .step(milestones: milestones.map(steps), factor: factor)
      case .cosine:
        .cosine(steps: max(unscaledSteps(samples: samples), 1), minimum: minLearningRate)
      case .linear:
        .linear(steps: max(unscaledSteps(samples: samples), 1), minimum: minLearningRate)
      case .warmRestarts:
        .cosineWarmRestarts(
          firstCycle: steps(firstCycle), cycleMultiplier: cycleMultiplier,
          minimum: minLearningRate)
      }
    let schedule = LearningRateSchedule(
      peak: learningRate, shape: shape, warmUp: steps(warmupEpochs))
    try schedule.validate()
    return schedule.scaled(by: multiplier)
  }

  /// The fraction of connections that the first update moves: what is set, or the method's own.
  package var firstDropFraction: Double { dropFraction ?? method.dropFraction }

  /// When connections move, and how many.
  package func updateSchedule(samples: Int) throws(RigLError) -> UpdateSchedule {
    let steps = unscaledSteps(samples: samples)
    if method == .pruning {
      let (begin, end) = try pruningSteps(samples: samples)
      // How many go, the sparsity says.
      return UpdateSchedule(
        interval: updateInterval, begin: begin, end: end, initialFraction: 0, annealing: .constant)
    }
    // A ticket whose connections stay has no updates.
    if method == .lottery, ticketMethod == .static {
      return UpdateSchedule(
        interval: updateInterval, end: steps, initialFraction: 0, annealing: .constant)
    }
    let end = updateForever ? nil : updateEnd ?? UpdateSchedule.defaultEnd(steps: steps)
    if updateForever && updateEnd != nil {
      throw RigLError(
        .configuration, "update_end and update_forever are both set", hint: "remove one of them")
    }
    let schedule = UpdateSchedule(
      interval: updateInterval, begin: updateBegin, end: end, initialFraction: firstDropFraction,
      annealing: annealing, power: annealingPower)
    try schedule.validate()
    return schedule.scaled(by: multiplier)
  }

  /// The optimizer that the settings describe.
  package func makeOptimizer() -> any Optimizer {
    switch optimizer {
    case .sgd:
      SGD(
        momentum: momentum, nesterov: nesterov && momentum > 0, weightDecay: weightDecay,
        decoupledWeightDecay: decoupledWeightDecay)
    case .adam:
      Adam(
        beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: weightDecay,
        decoupledWeightDecay: decoupledWeightDecay, correction: adamCorrection)
    case .adamw:
      Adam(
        beta1: beta1, beta2: beta2, epsilon: epsilon,
        decoupledWeightDecay: decoupledWeightDecay == 0 ? weightDecay : decoupledWeightDecay,
        correction: adamCorrection)
    }
  }

  /// Which connections move.
  ///
  /// - Parameters:
  ///   - allocation: the connections that layers end with.
  ///   - initial: those that they begin with, where a sparsity says so; nil: as they do.
  ///   - samples: training samples.
  func makeMethod(
    _ allocation: SparsityAllocation, from initial: SparsityAllocation?, samples: Int
  ) throws(RigLError) -> any TopologyMethod {
    let scope = topologyScope ?? method.scope
    func pruning() throws(RigLError) -> PruningSchedule {
      let (begin, end) = try pruningSteps(samples: samples)
      return PruningSchedule(
        to: LayerSparsities(allocation), from: initial.map { LayerSparsities($0) }, begin: begin,
        end: end, scope: scope, layerMinimum: layerMinimum)
    }
    switch method {
    case .rigl: return RigL()
    case .riglInverted: return InvertedRigL()
    case .set: return SET()
    case .snfs: return SNFS(decay: momentDecay, redistributes: redistribution)
    case .snip:
      return SNIP(LayerSparsities(allocation), scope: scope, layerMinimum: layerMinimum)
    case .pruning: return MagnitudePruning(try pruning())
    case .granet:
      let schedule = try pruning()
      try requireUpdate(after: schedule, samples: samples)
      return GraNet(schedule)
    case .gse: return GSE(candidates: candidates)
    case .lottery:
      let ticket: any TopologyMethod = ticketMethod == .rigl ? RigL() : StaticTopology()
      return LotteryTicket(
        LayerSparsities(allocation), rounds: lotteryRounds, scope: scope,
        layerMinimum: layerMinimum, ticket: ticket)
    case .static, .dense, .smallDense: return StaticTopology()
    }
  }

  /// The type of method that ``makeMethod(_:from:samples:)`` makes.
  var methodType: any TopologyMethod.Type {
    switch method {
    case .rigl: RigL.self
    case .riglInverted: InvertedRigL.self
    case .set: SET.self
    case .snfs: SNFS.self
    case .snip: SNIP.self
    case .pruning: MagnitudePruning.self
    case .granet: GraNet.self
    case .gse: GSE.self
    case .lottery: LotteryTicket.self
    case .static, .dense, .smallDense: StaticTopology.self
    }
  }

  /// Batches of an update whose gradients growth looks at (n).
  func batchesOfGrowth(_ method: any TopologyMethod) -> Int {
    let looks = customRules.method == nil ? growsByGradient : true
    guard looks, method.timing == .insteadOfWeightStep else { return 1 }
    return growthBatches == 0 ? accumulation : growthBatches
  }

  /// Throws where what a method keeps of gradients is certain not to fit.
  func requireMemory(
    for method: any TopologyMethod, _ allocation: SparsityAllocation
  ) throws(RigLError) {
    guard method.memory != nil else { return }
    let positions = allocation.layers.reduce(0) {
      $0 + ($1.connections < $1.positions ? $1.positions : 0)
    }
    let name = customRules.method ?? self.method.rawValue
    try GradientMemories.requireMemory(
      positions: positions, sums: accumulation > 1, method: "\(name)")
  }

  /// The first step of pruning (t0), and that of the final sparsity (t1).
  func pruningSteps(samples: Int) throws(RigLError) -> (begin: Int, end: Int) {
    let steps = unscaledSteps(samples: samples)
    let isPruning = method == .pruning
    let begin = pruneBegin ?? (isPruning ? steps / 5 : 0)
    let end = pruneEnd ?? (isPruning ? UpdateSchedule.defaultEnd(steps: steps) : steps / 2)
    let scaled = (scaledStep(begin, by: multiplier), scaledStep(end, by: multiplier))
    // Of a training of no steps nothing is pruned.
    guard self.steps(samples: samples) > 0 else { return (scaled.0, max(scaled.1, scaled.0 + 1)) }
    guard scaled.0 < scaled.1 else {
      throw RigLError(
        .configuration,
        "prune_end: pruning ends at step \(scaled.1), but begins at step \(scaled.0)",
        hint: "Set prune_begin to less, prune_end to more, or train for longer.")
    }
    guard scaled.1 < self.steps(samples: samples) else {
      throw RigLError(
        .configuration,
        "prune_end: pruning ends at step \(scaled.1), but the training has "
          + "\(self.steps(samples: samples)) steps",
        hint: "Set prune_end to less, or train for longer.")
    }
    return scaled
  }

  /// Throws where GraNet has no update at which the sparsity is the final one.
  private func requireUpdate(after pruning: PruningSchedule, samples: Int) throws(RigLError) {
    let updates = try updateSchedule(samples: samples)
    guard steps(samples: samples) > 0 else { return }
    let last = min(updates.end ?? .max, steps(samples: samples) - 1)
    let rounds = max(0, pruning.end - updates.begin).dividedUp(by: updates.interval)
    let first = updates.begin + rounds * updates.interval
    guard first > last else { return }
    throw RigLError(
      .configuration,
      "prune_end: the sparsity is to be the final one from step \(pruning.end) on, but updates, every "
        + "\(updates.interval) steps from \(updates.begin), end at step \(last) before there is one",
      hint: "Set prune_end to less, or update_end to \(first) or more.")
  }

  /// The weight that a grown connection starts with.
  package var newConnectionWeight: NewConnectionWeight {
    let divisor = Float(newWeightDivisor)
    return switch newWeights {
    case .zero: .zero
    case .fresh: .fresh(weightInitializer, divisor: divisor)
    case .normal: .normal(divisor: divisor)
    case .uniform: .uniform(divisor: divisor)
    case .gradient: .gradient(divisor: divisor)
    case .gradientSign: .gradientSign(divisor: divisor)
    }
  }

  /// How weights start.
  package var weightInitializer: Initializer {
    Initializer(
      initializer, countsConnections: initializerCountsConnections,
      linearDeviation: linearDeviation)
  }

  /// Inputs are numbered by 32 bits.
  private static let widestLayer = Int(Int32.max)
}
