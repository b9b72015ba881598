// What a configuration says that will not do what it seems to.

extension Configuration {
  /// Settings without the effect that they seem to have in a training on `samples` samples: each a
  /// line that begins with the key and says what to set. None of them is an error, and of what a
  /// preset or another run says none is of no use: who trains has not set it.
  package func warnings(samples: Int) -> [String] {
    let steps = steps(samples: samples)
    guard steps > 0 else { return [] }
    let chosen = chosen
    return updateWarnings(samples, steps) + rateWarnings(samples, steps)
      + unusedSettings(samples, chosen) + methodWarnings(chosen) + learningWarnings(samples)
  }

  /// The same, with what only the network's layers tell.
  package func warnings(samples: Int, allocation: SparsityAllocation) -> [String] {
    warnings(samples: samples) + layerWarnings(allocation)
  }

  /// Whether the method has updates that move connections.
  var movesConnections: Bool { method.movesConnections || ticketMoves }

  /// Whether updates have the gradient of a batch at hand.
  var seesGradient: Bool { method.seesGradient || ticketMoves }

  /// Whether connections grow by the dense gradient of updates' own batches.
  var growsByGradient: Bool { method.growsByGradient || ticketMoves }

  private var ticketMoves: Bool { method == .lottery && ticketMethod == .rigl }

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
    let rewound = method == .lottery ? scaledStep(rewindStep, by: multiplier) : 0
    if let end = schedule.end, end < rewound {
      return [
        "update_end: updates end at step \(end), before the ticket's own training begins at step "
          + "\(rewound), so that its connections never move; set update_end to more, or rewind_step to "
          + "less"
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
  private func unusedSettings(_ samples: Int, _ chosen: Set<Key>) -> [String] {
    let replaced = replacedSettings(samples).filter { chosen.contains($0.key) }
    let others = settingsForOthers.filter { other in
      other.isUnused && chosen.contains(other.key)
        && !replaced.contains { $0.key == other.key }
    }
    return replaced.map { "\($0.key.rawValue): has no effect; \($0.reason) given in Swift" }
      + others.map { "\($0.key.rawValue): has no effect; it is for \($0.user)" }
  }

  /// Settings of what was given in Swift, as far as they are not what that is anyway.
  private func replacedSettings(_ samples: Int) -> [(key: Key, reason: String)] {
    let ofSamples: [Key] =
      (trainSamples == samples ? [] : [.trainSamples]) + [.testSamples]
      + (validation == 0 ? [] : [.validation]) + [
        .validateOnTest, .augmentation, .cropPadding, .cropPaddingMode, .padTo, .imageSize,
        .perImageStandardization,
      ]
    let groups: [(isGiven: Bool, reason: String, keys: [Key])] = [
      (hasCustomData, "the samples were", ofSamples),
      (
        hasCustomNetwork, "the network was",
        [.hidden, .widthMultiplier, .match, .activation, .dropout]
      ),
      (customRules.loss != nil, "the loss was", [.labelSmoothing]),
      (
        customRules.method != nil, "the topology method was",
        method == .rigl || method.isDense ? [] : [.method]
      ),
      (
        customRules.optimizer != nil, "the optimizer was",
        [
          .optimizer, .momentum, .nesterov, .weightDecay, .decoupledWeightDecay, .beta1, .beta2,
          .epsilon, .adamCorrection,
        ]
      ),
    ]
    return groups.filter(\.isGiven).flatMap { group in group.keys.map { ($0, group.reason) } }
  }

  /// Settings that say something about what other settings may leave out.
  private var settingsForOthers: [(key: Key, isUnused: Bool, user: String)] {
    [
      (.milestones, schedule != .step, "schedule: step"),
      (.firstCycle, schedule != .warmRestarts, "schedule: warm_restarts"),
      (.cycleMultiplier, schedule != .warmRestarts, "schedule: warm_restarts"),
      (
        .minLearningRate, [.constant, .step].contains(schedule),
        "schedule: cosine, linear or warm_restarts"
      ),
      (.annealingPower, annealing != .inversePower, "annealing: inverse_power"),
      (.hidden, network != "mlp", "network: mlp"),
      (.activation, network == "mlp" && hidden.isEmpty, "networks with hidden layers"),
      (.cropPadding, augmentation != .padCropFlip, "augmentation: pad_crop_flip"),
      (.factor, schedule != .step, "schedule: step"),
      (.momentum, optimizer != .sgd, "optimizer: sgd"),
      (.beta1, optimizer == .sgd, "optimizer: adam or adamw"),
      (.beta2, optimizer == .sgd, "optimizer: adam or adamw"),
      (.epsilon, optimizer == .sgd, "optimizer: adam or adamw"),
      (.adamCorrection, movesConnections && optimizer == .sgd, "optimizer: adam or adamw"),
      (.firstLayerSparse, distribution != .uniform, "distribution: uniform"),
      (.validation, validateOnTest && validation ?? 0 > 0, "validate_on_test: false"),
      (
        .weightDecay, optimizer == .adamw && decoupledWeightDecay != 0,
        "decoupled_weight_decay: 0, as adamw takes the latter where both are set"
      ),
      (.newWeightDivisor, newWeights == .zero, "other new_weights than zero"),
      (.topologyScope, !method.hasScope, methods { $0.hasScope }),
      (
        .layerMinimum, !method.hasScope || topologyScope ?? method.scope == .layer,
        "topology_scope: global"
      ),
      (.initialSparsity, !method.prunes, methods { $0.prunes }),
      (.pruneBegin, !method.prunes, methods { $0.prunes }),
      (.pruneEnd, !method.prunes, methods { $0.prunes }),
      (.lotteryRounds, method != .lottery, "method: lottery"),
      (.rewindStep, method != .lottery, "method: lottery"),
      (.ticketControl, method != .lottery, "method: lottery"),
      (.ticketMethod, method != .lottery, "method: lottery"),
      (.momentDecay, method != .snfs, "method: snfs"),
      (.redistribution, method != .snfs, "method: snfs"),
      (.growthBatches, !growsByGradient, methods { $0.growsByGradient }),
      (.candidates, method != .gse, "method: gse"),
      (.match, !matchesWidth, "method: small-dense or big_sparse: true"),
      (.updateThenStep, movesConnections && !seesGradient, methods { $0.seesGradient }),
    ]
  }

  private func methods(where isMeant: (Method) -> Bool) -> String {
    "method: " + Method.names(where: isMeant)
  }

  /// Settings of connections, and of updates that move them, which the method has no use for; in
  /// one line.
  private func methodWarnings(_ chosen: Set<Key>) -> [String] {
    let ofConnections: [Key] = [
      .sparsity, .distribution, .layerSparsities, .layerSparsityFactors, .lastLayerDense,
    ]
    let ofUpdates: [Key] = [
      .updateInterval, .updateBegin, .updateEnd, .updateForever, .dropFraction, .annealing,
      .newWeights, .updateThenStep, .adamCorrection, .trackAges,
    ]
    let unmoved = ofUpdates.filter { method != .pruning || $0 != .updateInterval }
    let keys = (method == .dense ? ofConnections : []) + (movesConnections ? [] : unmoved)
    let unused = keys.filter(chosen.contains).map(\.rawValue)
    guard let first = unused.first else { return [] }
    let others = unused.dropFirst().joined(separator: ", ")
    return [
      "\(first): has no effect with method: \(method.rawValue)"
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
    if !method.isDense, chosen.contains(.sparsity), !named.isEmpty,
      others.allSatisfy({ $0.sparsity == 0 }), !named.contains(where: { $0.sparsity == sparsity })
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
    guard !method.isDense, sparsity > 0 else { return nil }
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
