// Runs that are made longer than they were begun.

/// A run that is to be made longer, and by how much.
package struct RunExtension: Sendable {
  /// The run's folder.
  package let path: String
  /// Epochs to add, as ``Configuration/epochs`` counts them.
  package let epochs: Int
  /// Whether topology updates end where the configuration says: otherwise they end where they did.
  package let setsUpdateEnd: Bool

  /// Makes the run at a path longer by some epochs.
  ///
  /// - Throws: a configuration error if the number of epochs is not in 1...1000000.
  package init(_ path: String, by epochs: Int, setsUpdateEnd: Bool) throws(RigLError) {
    guard (1...1_000_000).contains(epochs) else {
      throw RigLError(.configuration, "extend: \(epochs) epochs; from 1 to 1000000 can be added")
    }
    (self.path, self.epochs, self.setsUpdateEnd) = (path, epochs, setsUpdateEnd)
  }
}

extension Configuration {
  /// The configuration of the longer run: schedules are its, but topology updates end where they
  /// did.
  ///
  /// - Parameter method: a method of one's own; nil: this configuration's.
  func extended(
    by more: RunExtension, samples: Int, method: (any TopologyMethod)?
  ) throws(RigLError) -> Configuration {
    try requireOneTraining()
    let steps = unscaledSteps(samples: samples)
    var longer = self
    if totalSteps != nil {
      longer.totalSteps = steps + more.epochs * stepsPerEpoch(samples: samples)
    } else {
      longer.epochs += more.epochs
    }
    // A run of no steps had no end of updates.
    let moves = method.map { $0.timing != .never } ?? self.method.hasUpdates
    if !more.setsUpdateEnd, moves, !updateForever, steps > 0 {
      longer.updateEnd = updateEnd ?? UpdateSchedule.defaultEnd(steps: steps)
    }
    try longer.validate()
    return longer
  }

  /// The configuration with the length of another one, and its end of topology updates.
  func withLength(of other: Configuration) -> Configuration {
    var copy = self
    (copy.epochs, copy.totalSteps) = (other.epochs, other.totalSteps)
    (copy.updateEnd, copy.updateForever) = (other.updateEnd, other.updateForever)
    return copy
  }

  /// The length as settings have it: "5 epochs".
  fileprivate var length: String {
    totalSteps.map { counted($0, "step") } ?? counted(epochs, "epoch")
  }
}

extension RunFolder {
  /// The steps at which the run was made longer so far, where a training is the one that its
  /// `config.yaml` says, or is about to make it longer; empty where it is another.
  ///
  /// Only for whoever has the run's lock.
  ///
  /// - Throws: a configuration error where the training would make another run longer than this.
  func extensions(by trainer: Trainer) throws(RigLError) -> [Int] {
    let saved = try settings()
    let own = trainer.configuration
    // Whether parts given in Swift are the run's, its checkpoint says.
    let configuration = try saved.configuration().withCustomParts(of: own)
    if trainer.extending != nil {
      try own.withLength(of: configuration).requireSame(as: configuration)
      return saved.options.extendedAt
    }
    return try own.firstDifference(from: configuration) == nil ? saved.options.extendedAt : []
  }

  /// Makes the run as long as a training is: `config.yaml` says so from now on, whole or not at all.
  /// Only for whoever has the run's lock.
  ///
  /// - Returns: a line on it.
  func extend(_ trainer: Trainer) throws(RigLError) -> String {
    let saved = try settings()
    var options = saved.options
    let (before, after) = (try saved.configuration(), trainer.configuration)
    if options.extendedAt.last != trainer.step.weightSteps {
      options.extendedAt.append(trainer.step.weightSteps)
    }
    try AtomicFile.write(
      try after.yaml(options, network: trainer.customNetwork), to: configurationPath,
      followsLinks: false)
    var end = ""
    if let last = trainer.step.topology?.schedule.end {
      end = trainer.extending?.setsUpdateEnd == true ? "" : "; topology updates still"
      end = (end.isEmpty ? "; topology updates" : end) + " end at step \(last)"
    }
    return "the run is made longer, from \(before.length) to \(after.length): step "
      + "\(trainer.step.weightSteps) of \(trainer.totalSteps)\(end)"
  }
}

extension Trainer {
  /// What changes with schedules that are another length's than those of a checkpoint's
  /// configuration: a line on a jump of the learning rate, if there is one.
  func lengthRemarks(
    _ saved: Configuration, _ extensions: [Int]
  ) throws(RigLError) -> [String] {
    let now = step.weightSteps
    guard now > 0, saved != configuration else { return [] }
    var remarks: [String] = []
    if let last = extensions.last, now < last {
      remarks.append(
        "the run was made longer at step \(last), but goes on from step \(now), by the longer run's "
          + "schedules: its bits differ from the run's that was not interrupted")
    }
    let before = try saved.learningRateSchedule(samples: data.train.count).rate(at: now - 1)
    // What the longer run has had there: it does not jump then.
    guard step.learningRate.rate(at: now - 1) != before else { return remarks }
    let after = step.learningRate.rate(at: now)
    let (from, to) = (digits(before), digits(after))
    if from != to {
      remarks.append(
        "the learning rate jumps from \(from) at step \(now) to \(to) at step \(now + 1), as the "
          + "longer run's schedule (\(configuration.schedule.rawValue)) has it")
    }
    return remarks
  }

  private func digits(_ rate: Double) -> String { significant(rate, digits: 4) }
}
