// What is said of a training whose numbers are no longer finite: that the samples were not to begin
// with, or which learning rate does better.

extension Trainer {
  /// An error that ended the training, with what is found out about its cause.
  func explaining(_ error: RigLError) -> RigLError {
    guard error.kind == .numerical || hasBrokenInput else { return error }
    if let broken = data.train.firstBrokenValue(called: "training sample") {
      return RigLError(broken.kind, "step \(step.weightSteps): \(broken.what)", hint: broken.hint)
    }
    // Before the first weight step no rate has had an effect.
    guard error.kind == .numerical, step.weightSteps > 0 else { return error }
    return RigLError(error.kind, error.what, hint: adviceOnRate())
  }

  /// Says which learning rate to take: one that has been tried, if that does not take long.
  private func adviceOnRate() -> String {
    let rate = configuration.learningRate
    let isDefault = rate == configuration.optimizer.defaultLearningRate
    let name =
      "learning_rate \(rate)" + (isDefault ? ", the default of \(configuration.optimizer)," : "")
    let others =
      "Warm-up (warmup_epochs) and clipping the gradient (clip_norm) let higher rates do."
    var tried: [Double] = []
    if canTryRates {
      let steps = min(max(2 * step.weightSteps, 20), totalSteps)
      let deadline = ContinuousClock.now + .seconds(20)
      for divisor in [10.0, 100, 1000] {
        let lower = (rate / divisor).rounded(toDigits: 6)
        guard let goesWell = goesWell(at: lower, for: steps, until: deadline) else { break }
        if goesWell {
          return "\(name) is too high: with \(lower), which was tried, the first \(steps) steps go "
            + "well. Start another run with --set learning_rate=\(lower). \(others)"
        }
        tried.append(lower)
      }
    }
    if tried.count > 1 {
      let rates = tried.map { "\($0)" }.joined(separator: ", ")
      return "A lower learning rate does not help (tried: \(rates)): look at the scale of the "
        + "inputs and at the loss, or clip the gradient (clip_norm)."
    }
    let next = ((tried.last ?? rate) / 10).rounded(toDigits: 6)
    return "\(name) may be too high: start another run with a tenth, --set learning_rate=\(next). "
      + others
  }

  /// Whether the first steps can be trained once more: they are few, they begin with drawn weights,
  /// and a second network is small; where there is no memory even for that, the trial is given up.
  private var canTryRates: Bool {
    step.weightSteps <= 200 && options.startFrom == nil && !hasSavedWeights
      && model.bytes + step.optimizer.bytes < 64 << 20
  }

  /// Whether the first steps of the same training at another rate end with finite numbers, and a loss
  /// that is no more than twice the first; nil where that takes too long.
  private func goesWell(
    at rate: Double, for steps: Int, until deadline: ContinuousClock.Instant
  ) -> Bool? {
    var configuration = configuration
    configuration.learningRate = rate
    configuration.minLearningRate = min(configuration.minLearningRate, rate)
    do throws(RigLError) {
      let trial = try Trainer(
        configuration, options: options, network: network, data: data, loss: step.loss,
        method: ticket == nil ? step.settings.method : nil, optimizer: step.optimizer.optimizer)
      var losses: (first: Double, last: Double)?
      while trial.step.weightSteps < steps {
        guard ContinuousClock.now < deadline else { return nil }
        let loss = try trial.trainNextBatch().loss
        losses = (losses?.first ?? loss, loss)
      }
      try trial.requireFinite()
      return losses.map { $0.last <= 2 * $0.first }
    } catch {
      return error.kind == .numerical ? false : nil
    }
  }
}
