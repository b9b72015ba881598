// What can be said of a training before its first step.

extension Trainer {
  /// What the settings will most likely not do as they were meant to, a line each that begins with
  /// the setting's key; a run tells them as warnings when it begins.
  public var warnings: [String] {
    let settings = configuration.warnings(samples: data.train.count, allocation: allocation)
    // Of a network without a sparse layer, the settings may say why.
    let saysDensity = settings.contains { $0.hasPrefix("\(Configuration.Key.sparsity.rawValue):") }
    let movement = saysDensity && model.sparseLayers.isEmpty ? nil : movementWarning
    // Of the network that training starts from: nobody has set these.
    let setsConnections =
      (try? start?.get())?.setsConnections == true || (try? topologyStart?.get()) != nil
    // What the settings alone say of updates, the topology's movement says better.
    let others = settings.filter { warning in
      !(setsConnections && warning.hasPrefix("\(Configuration.Key.sparsity.rawValue):"))
        && (movement == nil
          || ![Configuration.Key.updateBegin, .updateInterval].contains {
            warning.hasPrefix("\($0.rawValue):")
          })
    }
    let starting = (try? start?.get())?.warnings ?? []
    let own = [
      movement, cutWarning, rateWarning, networkWarning, normalizationWarning, data.remark,
    ]
    return others + starting + own.compactMap(\.self)
  }

  /// Of samples whose pixels become values by other numbers than those that are trained on.
  private var normalizationWarning: String? {
    guard let own = data.normalization, !configuration.perImageStandardization else { return nil }
    let parts = [("validation", data.validation), ("test", data.test)]
    let others = parts.filter { $0.1?.pixelNormalization.map { $0 != own } ?? false }.map(\.0)
    guard !others.isEmpty else { return nil }
    return
      "normalization: pixels of the \(others.joined(separator: " and ")) samples become values "
      + "by other numbers than those of the training samples; give all of them the same, as "
      + "test.normalization = train.normalization"
  }

  /// Of linear layers alone on colour pictures.
  private var networkWarning: String? {
    let shape = data.train.sampleShape
    guard isDescribedNetwork, configuration.network == "mlp", shape.channels > 1,
      min(shape.height, shape.width) > 1
    else { return nil }
    let other = max(shape.height, shape.width) > 64 ? "resnet-18" : "wrn-16-2"
    return "network: an mlp takes pictures of \(shape.channels) x \(shape.height) x \(shape.width) "
      + "for \(shape.count) numbers without a place; convolutions suit pictures better, as "
      + "--set network=\(other)"
  }

  /// Of a network that is cut in two: its outputs do not depend on its inputs.
  private var cutWarning: String? {
    let layers = model.weightLayers
    let remedy = "lower sparsity, or make layers wider"
    if let empty = layers.first(where: { $0.count == 0 }) {
      return "sparsity: layer \(empty.name) has no connections; \(remedy)"
    }
    guard layers.count > 1, model.liveHiddenUnits() == 0 else { return nil }
    return
      "sparsity: all hidden units are dead, so that no output depends on the input: no path of "
      + "the \(counted(model.connections, "connection")) leads through all layers; \(remedy)"
  }

  /// Of a topology that hardly moves.
  private var movementWarning: String? {
    let enough = 3
    // Of counts that change, the method itself says what moves.
    guard step.settings.method.counts == .constant, step.settings.method.timing != .beforeFirstStep
    else { return nil }
    guard totalSteps > 0, let topology = step.topology,
      let moves = step.movements(of: totalSteps, atMost: enough), moves < enough
    else { return nil }
    let begin = "the topology will \(["never move", "move only once", "move only twice"][moves]): "
    let schedule = topology.schedule
    guard let most = model.sparseLayers.map(\.count).max() else {
      return "sparsity: \(begin)no layer is sparse; set sparsity, or method: dense"
    }
    guard UpdateSchedule.moved(of: most, fraction: schedule.initialFraction) > 0 else {
      return "drop_fraction: \(begin)a drop_fraction of \(schedule.initialFraction) of a layer's "
        + "\(most) connections at most is less than one; raise it, or set method: static"
    }
    guard let steps = step.updateSteps(of: totalSteps) else {
      return
        "update_begin: \(begin)the training ends at step \(totalSteps), before updates begin at "
        + "step \(schedule.begin); lower update_begin, or train for longer"
    }
    let length = steps.upperBound - steps.lowerBound
    return "update_interval: \(begin)updates come every \(schedule.interval) steps from "
      + "\(steps.lowerBound) to \(steps.upperBound) of \(totalSteps); "
      + (length >= enough
        ? "lower update_interval to \(max(1, length / 10)), say, or train for longer"
        : "train for longer")
  }

  /// Of a learning rate that is another optimizer's.
  private var rateWarning: String? {
    let (rate, kind) = (configuration.learningRate, configuration.optimizer)
    guard step.optimizer.optimizer is Adam, kind != .sgd, rate > 10 * kind.defaultLearningRate
    else { return nil }
    return "learning_rate: \(rate) is high for \(kind.rawValue), whose default is "
      + "\(kind.defaultLearningRate)"
  }
}

extension TrainingStep {
  /// The steps of the first topology update that a training of `steps` weight steps can have, and
  /// of the last; nil if it has none.
  fileprivate func updateSteps(of steps: Int) -> ClosedRange<Int>? {
    guard let topology, steps > 0 else { return nil }
    let (begin, end) = (topology.schedule.begin, topology.schedule.end ?? .max)
    // What follows a weight step does not come before the first one.
    let first = max(begin, settings.method.timing == .afterWeightStep ? 1 : 0)
    let last = min(end, steps - 1)
    return first <= last ? first...last : nil
  }

  /// Topology updates of a training of `steps` weight steps.
  func expectedUpdates(of steps: Int) -> Int {
    guard let topology, steps > 0 else { return 0 }
    let timing = settings.method.timing
    if timing == .beforeFirstStep { return 1 }
    // The method says when. A training that is too long to walk through goes on as it begins.
    let walked = min(steps, 1 << 22)
    var (updates, last) = (0, topology.schedule.initialLast)
    for step in (timing == .afterWeightStep ? 1 : 0)..<max(walked, 1)
    where settings.method.isDue(at: step, last: last, topology.schedule) {
      (updates, last) = (updates + 1, step)
    }
    guard walked < steps, let range = updateSteps(of: steps) else { return updates }
    return max(updates, (range.upperBound - range.lowerBound) / topology.schedule.interval + 1)
  }

  /// Weight steps' batches that updates of a training of `steps` weight steps consume besides.
  func batchesOfUpdates(of steps: Int) -> Int {
    switch settings.method.timing {
    case .insteadOfWeightStep:
      expectedUpdates(of: steps)
        * (settings.updateThenStep
          ? max(0, settings.growthBatches - settings.accumulation) : settings.growthBatches)
    case .beforeFirstStep: steps > 0 ? settings.accumulation : 0
    case .afterWeightStep, .never: 0
    }
  }

  /// How many of the topology updates move a connection at all, counted up to `most`; nil if that
  /// takes too long to say.
  fileprivate func movements(of steps: Int, atMost most: Int) -> Int? {
    guard let topology, let range = updateSteps(of: steps),
      let connections = model.sparseLayers.map(\.count).max()
    else { return 0 }
    let schedule = topology.schedule
    var (moves, looked) = (0, 0)
    for step in stride(from: range.lowerBound, through: range.upperBound, by: schedule.interval) {
      looked += 1
      guard looked <= 100_000 else { return nil }
      let fraction = schedule.fraction(
        at: step, learningRate: learningRate.rate(at: step), peak: learningRate.largestRate)
      if UpdateSchedule.moved(of: connections, fraction: fraction) > 0 { moves += 1 }
      if moves == most { break }
    }
    return moves
  }
}
