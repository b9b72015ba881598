// What a configuration says that will not do what it seems to.

extension Configuration {
  /// Settings without the effect that they seem to have in a training on `samples` samples: each a
  /// line that begins with the key and says what to set. None of them is an error.
  package func warnings(samples: Int) -> [String] {
    let steps = steps(samples: samples)
    guard steps > 0 else { return [] }
    return updateWarnings(samples, steps) + rateWarnings(samples, steps) + unusedSettings(samples)
      + methodWarnings + learningWarnings(samples)
  }

  /// The same, with what only the network's layers tell.
  package func warnings(samples: Int, allocation: SparsityAllocation) -> [String] {
    warnings(samples: samples) + layerWarnings(allocation)
  }

  /// Whether the method has updates of the topology.
  var movesConnections: Bool { method.movesConnections }

  /// Updates that the training does not come to.
  private func updateWarnings(_ samples: Int, _ steps: Int) -> [String] {
    guard movesConnections, let schedule = try? updateSchedule(samples: samples) else { return [] }
    let begin = schedule.begin
    if begin >= steps {
      return [
        "update_begin: connections would first move at step \(begin), but the training has "
          + "\(steps) steps; set update_begin to less, or train longer"
      ]
    }
    var warnings: [String] = []
    if let end = schedule.end, end > steps {
      warnings.append(
        "update_end: updates end at step \(end), but the training has \(steps) steps; set "
          + "update_end: null to end them after three quarters of the training")
    }
    let last = min(schedule.end ?? .max, steps - 1)
    if begin + schedule.interval > last, steps > 1 {
      let remedy =
        last > begin ? "set update_interval to \(last - begin) or less" : "train longer"
      warnings.append(
        "update_interval: connections move only once, before step \(begin): the last step that may "
          + "have an update is \(last); \(remedy)")
    }
    return warnings
  }

  /// Changes of the learning rate that the training does not come to.
  private func rateWarnings(_ samples: Int, _ steps: Int) -> [String] {
    guard let schedule = try? learningRateSchedule(samples: samples) else { return [] }
    var warnings: [String] = []
    let length = "the training has \(steps) steps, \(stepsPerEpoch(samples: samples)) an epoch"
    if schedule.warmUp >= steps {
      warnings.append(
        "warmup_epochs: the rate rises to the end of the training; \(length): set warmup_epochs to "
          + "less")
    }
    switch schedule.shape {
    case .step(let places, _):
      let missed = zip(milestones, places).filter { $0.1 >= steps }.map { "\($0.0)" }
      if !missed.isEmpty {
        warnings.append(
          "milestones: epoch \(missed.joined(separator: ", ")) is never reached; \(length): set "
            + "milestones that fit")
      } else if places.isEmpty {
        warnings.append("schedule: step changes nothing without milestones; set milestones")
      }
    case .cosineWarmRestarts(let firstCycle, _, _) where firstCycle > steps:
      warnings.append(
        "first_cycle: the rate never restarts; \(length): set first_cycle to less, or schedule: "
          + "cosine")
    default: break
    }
    return warnings
  }

  /// Settings that say something about what other settings, or parts given in Swift, leave out.
  private func unusedSettings(_ samples: Int) -> [String] {
    let replaced = replacedSettings(samples)
    let others = settingsForOthers.filter { other in
      !replaced.contains { $0.key == other.key }
    }
    return replaced.map { "\($0.key.rawValue): has no effect; \($0.reason) given in Swift" }
      + others.map { "\($0.key.rawValue): has no effect; it is for \($0.user)" }
  }

  /// Settings of what was given in Swift, as far as they are not what they are anyway.
  private func replacedSettings(_ samples: Int) -> [(key: Key, reason: String)] {
    let usual = Configuration()
    let groups: [(isGiven: Bool, reason: String, settings: [(key: Key, isSet: Bool)])] = [
      (
        hasCustomData, "the samples were",
        [
          (.trainSamples, trainSamples != nil && trainSamples != samples),
          (.testSamples, testSamples != nil), (.validation, validation ?? 0 != 0),
          (.validateOnTest, validateOnTest), (.augmentation, augmentation != .none),
          (.cropPadding, cropPadding != usual.cropPadding),
          (.cropPaddingMode, cropPaddingMode != usual.cropPaddingMode), (.padTo, padTo != nil),
          (.imageSize, imageSize != nil), (.perImageStandardization, perImageStandardization),
        ]
      ),
      (
        hasCustomNetwork, "the network was",
        [
          (.hidden, hidden != usual.hidden),
          (.widthMultiplier, widthMultiplier != usual.widthMultiplier), (.dropout, dropout != 0),
        ]
      ),
      (customRules.loss != nil, "the loss was", [(.labelSmoothing, labelSmoothing != 0)]),
      (
        customRules.method != nil, "the topology method was",
        [(.method, method != .rigl && method != .dense)]
      ),
      (
        customRules.optimizer != nil, "the optimizer was",
        [
          (.optimizer, optimizer != usual.optimizer), (.momentum, momentum != usual.momentum),
          (.nesterov, nesterov != usual.nesterov), (.weightDecay, weightDecay != usual.weightDecay),
          (.decoupledWeightDecay, decoupledWeightDecay != usual.decoupledWeightDecay),
          (.beta1, beta1 != usual.beta1), (.beta2, beta2 != usual.beta2),
          (.epsilon, epsilon != usual.epsilon),
        ]
      ),
    ]
    return groups.filter(\.isGiven).flatMap { group in
      group.settings.filter(\.isSet).map { ($0.key, group.reason) }
    }
  }

  /// Settings that say something about what other settings leave out.
  private var settingsForOthers: [(key: Key, user: String)] {
    let usual = Configuration()
    let settings: [(key: Key, isUnused: Bool, user: String)] = [
      (.milestones, !milestones.isEmpty && schedule != .step, "schedule: step"),
      (
        .firstCycle, firstCycle != usual.firstCycle && schedule != .warmRestarts,
        "schedule: warm_restarts"
      ),
      (
        .cycleMultiplier, cycleMultiplier != usual.cycleMultiplier && schedule != .warmRestarts,
        "schedule: warm_restarts"
      ),
      (
        .minLearningRate,
        minLearningRate != usual.minLearningRate && [.constant, .step].contains(schedule),
        "schedule: cosine, linear or warm_restarts"
      ),
      (
        .annealingPower, annealingPower != usual.annealingPower && annealing != .inversePower,
        "annealing: inverse_power"
      ),
      (.hidden, hidden != usual.hidden && network != "mlp", "network: mlp"),
      (
        .cropPadding, cropPadding != usual.cropPadding && augmentation != .padCropFlip,
        "augmentation: pad_crop_flip"
      ),
      (.factor, factor != usual.factor && schedule != .step, "schedule: step"),
      (.momentum, momentum != usual.momentum && optimizer != .sgd, "optimizer: sgd"),
      (.beta1, beta1 != usual.beta1 && optimizer == .sgd, "optimizer: adam or adamw"),
      (.beta2, beta2 != usual.beta2 && optimizer == .sgd, "optimizer: adam or adamw"),
      (.epsilon, epsilon != usual.epsilon && optimizer == .sgd, "optimizer: adam or adamw"),
      (.firstLayerSparse, firstLayerSparse && distribution != .uniform, "distribution: uniform"),
      (.validation, validateOnTest && validation ?? 0 > 0, "validate_on_test: false"),
      (
        .weightDecay,
        optimizer == .adamw && decoupledWeightDecay != 0 && weightDecay != usual.weightDecay,
        "decoupled_weight_decay: 0, as adamw takes the latter where both are set"
      ),
      (
        .topologyScope, topologyScope != nil && !method.hasScope,
        Method.list { $0.hasScope }.replacing("method ", with: "method: ")
      ),
      (
        .layerMinimum,
        layerMinimum != 0 && !(method.hasScope && topologyScope ?? method.scope == .global),
        "topology_scope: global"
      ),
      (.initialSparsity, initialSparsity != 0 && !method.prunes, "method: pruning or granet"),
      (.pruneBegin, pruneBegin != nil && !method.prunes, "method: pruning or granet"),
      (.pruneEnd, pruneEnd != nil && !method.prunes, "method: pruning or granet"),
      (.momentDecay, momentDecay != usual.momentDecay && method != .snfs, "method: snfs"),
      (.redistribution, redistribution && method != .snfs, "method: snfs"),
      (
        .updateThenStep, updateThenStep && method.movesConnections && !method.seesGradient,
        Method.list { $0.seesGradient }.replacing("method ", with: "method: ")
      ),
      (
        .newWeightDivisor, newWeightDivisor != usual.newWeightDivisor && newWeights == .zero,
        "other new_weights than zero"
      ),
    ]
    return settings.filter(\.isUnused).map { ($0.key, $0.user) }
  }

  /// Settings of connections, and of updates that move them, which the method has no use for; in
  /// one line, as a preset may have them all.
  private var methodWarnings: [String] {
    let usual = Configuration()
    var keys: [Key] = []
    func add(_ key: Key, _ isSet: Bool) { if isSet { keys.append(key) } }
    if method == .dense {
      add(.sparsity, sparsity != usual.sparsity)
      add(.distribution, distribution != usual.distribution)
      add(.layerSparsities, !layerSparsities.isEmpty)
      add(.layerSparsityFactors, !layerSparsityFactors.isEmpty)
      add(.lastLayerDense, lastLayerDense)
    }
    if !movesConnections {
      add(.updateInterval, updateInterval != usual.updateInterval && method != .pruning)
      add(.updateBegin, updateBegin != usual.updateBegin)
      add(.updateEnd, updateEnd != nil)
      add(.updateForever, updateForever)
      add(.dropFraction, dropFraction != usual.dropFraction)
      add(.annealing, annealing != usual.annealing)
      add(.newWeights, newWeights != usual.newWeights)
      add(.updateThenStep, updateThenStep)
    }
    guard let first = keys.first else { return [] }
    let others = keys.dropFirst().map(\.rawValue).joined(separator: ", ")
    return [
      "\(first.rawValue): has no effect with method: \(method.rawValue)"
        + (others.isEmpty ? "" : ", nor have \(others)")
    ]
  }

  /// Settings with which hardly anything can be learned.
  private func learningWarnings(_ samples: Int) -> [String] {
    var warnings: [String] = []
    if labelSmoothing >= 1 {
      warnings.append(
        "label_smoothing: with 1 all classes have the same share of each target, and nothing is "
          + "learned; set it to 0.1, say")
    }
    let decay: (key: Key, value: Float) =
      optimizer == .adam || decoupledWeightDecay != 0
      ? (.decoupledWeightDecay, decoupledWeightDecay) : (.weightDecay, weightDecay)
    let share = learningRate * Double(decay.value)
    if share >= 0.1 {
      warnings.append(
        "\(decay.key.rawValue): \(decay.value) times a learning_rate of \(learningRate) takes "
          + "\(Int((100 * min(share, 1)).rounded())) % off every weight at each step; set it to less"
      )
    }
    let batches = samples.dividedUp(by: batchSize)
    if accumulation > batches, accumulation > 1 {
      warnings.append(
        "accumulation: a weight step takes \(accumulation) batches, but an epoch has \(batches); set "
          + "accumulation to less")
    }
    if batchSize > samples, batchSize != Configuration().batchSize {
      warnings.append(
        "batch_size: \(batchSize) is more than all \(samples) training samples; set batch_size to less"
      )
    }
    return warnings
  }

  /// A sparsity that no layer has.
  private func layerWarnings(_ allocation: SparsityAllocation) -> [String] {
    var warnings: [String] = []
    let named = allocation.layers.filter { layerSparsities[$0.name] != nil }
    let others = allocation.layers.filter { layerSparsities[$0.name] == nil }
    if method != .dense, !named.isEmpty, others.allSatisfy({ $0.sparsity == 0 }),
      !named.contains(where: { $0.sparsity == sparsity })
    {
      warnings.append(
        "sparsity: \(sparsity) has no effect: layer_sparsities says that of every layer; set "
          + "layer_sparsities: {}, or layer_sparsity_factors")
    }
    let unnamed = others.filter { layerSparsityFactors[$0.name] == nil }
    return warnings + [densityWarning(of: unnamed, in: allocation)].compactMap { $0 }
  }

  /// Layers that stay dense, beside which the sparsity of the others hardly counts.
  ///
  /// - Parameter layers: those of which no setting speaks by name.
  private func densityWarning(of layers: [LayerSparsity], in allocation: SparsityAllocation)
    -> String?
  {
    guard method != .dense, sparsity > 0 else { return nil }
    let positions = layers.reduce(0) { $0 + $1.positions }
    let kept = layers.reduce(0) { $0 + $1.connections }
    let asked = layers.reduce(0) {
      $0 + $1.positions - inactivePositions(of: $1.positions, sparsity: sparsity)
    }
    let isShort = Double(positions - kept) < 0.8 * Double(positions - asked)
    guard isShort || Double(kept) > 1.5 * Double(asked) else { return nil }
    // What the distribution itself makes dense, the others pay for.
    let dense = layers.filter { $0.sparsity == 0 && !allocation.denseSet.contains($0.name) }
    guard let largest = dense.max(by: { $0.positions < $1.positions }) else { return nil }
    let (reason, remedy) = reasonForDense(largest, in: allocation)
    return "sparsity: \(sparsity) would leave \(asked) of \(positions) connections, but there are "
      + "\(kept): \(largest.name) stays dense, \(reason); \(remedy)"
  }

  /// Why a layer has all its connections, and what to set.
  private func reasonForDense(
    _ layer: LayerSparsity, in allocation: SparsityAllocation
  ) -> (reason: String, remedy: String) {
    let isFirst = layer.name == allocation.layers.first?.name
    let isLast = layer.name == allocation.layers.last?.name
    if isLast, lastLayerDense {
      return ("the last layer, as last_layer_dense says", "set last_layer_dense: false")
    }
    if isFirst, distribution == .uniform, !firstLayerSparse {
      return (
        "the first layer, as distribution: uniform leaves it",
        "set first_layer_sparse: true, or distribution: erk"
      )
    }
    return ("which its kind always does", "raise sparsity for the others")
  }
}
