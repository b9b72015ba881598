import Foundation

/// The time and memory that a training will take, measured on its first steps.
package struct TrainingEstimate: Hashable, Sendable, Encodable {
  /// Batches that were timed.
  package let batches: Int
  /// Seconds a weight step takes.
  package let secondsPerStep: Double
  /// Seconds a topology update takes; nil if there are none.
  package let secondsPerUpdate: Double?
  /// Samples trained on in a second, topology updates not counted.
  package let samplesPerSecond: Double
  /// Topology updates of the whole training.
  package let updates: Int
  /// Weight steps of the whole training, of a lottery ticket those of all rounds.
  package let steps: Int
  /// Trainings that these are, more than one for a lottery ticket.
  package let trainings: Int
  /// Seconds that the training will take, evaluations included.
  package let estimatedSeconds: Double
  /// Bytes of weights, connections and biases, with the lists that kernels walk and the gradients.
  package let modelBytes: Int
  /// Bytes of the optimizer's state.
  package let optimizerBytes: Int
  /// Bytes of outputs and their gradients for a batch, with what the gradients of activations need.
  package let activationBytes: Int
  /// The most memory this process has had: model, optimizer, activations and data; nil where the
  /// system does not say.
  package let peakMemoryBytes: Int?
}

extension Trainer {
  /// Trains for a moment, without a run folder, to say what the whole training will take. The
  /// trainer is of no use for a run afterwards.
  ///
  /// - Parameter seconds: how long to measure, roughly.
  /// - Throws: `RigLError(.numerical)` if training diverges at once, `.data` if a sample has a value
  ///   that is not finite.
  package func estimate(seconds: Double = 1) throws(RigLError) -> TrainingEstimate {
    let first = try pace(seconds: ticket == nil ? seconds : seconds / 2)
    let (modelBytes, optimizerBytes) = (model.bytes, step.optimizer.bytes)
    let steps = stepsOfAllRounds.of
    var last = first
    if let ticket {
      step.dropAccumulated()
      _ = try step.prune(by: ticket.method.pruning(rounds))
      (state.round, step.weightSteps) = (rounds, 0)
      if let topology = step.topology {
        (topology.rests, topology.last) = (false, topology.schedule.initialLast)
      }
      last = try pace(seconds: seconds / 2)
    }
    let accumulation = Double(configuration.accumulation)
    let updates = step.expectedUpdates(of: totalSteps)
    // An update that was not seen takes as long as two batches for each that it looks at, more or less.
    let looks = Double(step.settings.growthBatches * step.passesOfGrowth)
    let perUpdate = last.perUpdate ?? 2 * last.perBatch * looks
    // One that comes with a weight step was timed together with it.
    let hasOwnBatch = step.batchesOfUpdates(of: totalSteps) > 0
    let extra = hasOwnBatch ? perUpdate : max(0, perUpdate - last.perBatch)
    let evaluation = try secondsPerEvaluatedSample()
    let epochs = Double(totalSteps.dividedUp(by: stepsPerEpoch) * (rounds + 1))
    let evaluated = epochs * Double(data.validation?.count ?? 0) + Double(data.test.count)
    return TrainingEstimate(
      batches: first.batches + (ticket == nil ? 0 : last.batches),
      secondsPerStep: first.perBatch * accumulation, secondsPerUpdate: updates == 0 ? nil : extra,
      samplesPerSecond: first.perBatch > 0 ? Double(configuration.batchSize) / first.perBatch : 0,
      updates: updates, steps: steps, trainings: rounds + 1,
      estimatedSeconds: fullBatches(first, last) * accumulation + Double(updates) * extra
        + evaluated * evaluation,
      modelBytes: modelBytes, optimizerBytes: optimizerBytes, activationBytes: model.tensorBytes,
      peakMemoryBytes: RigLCore.peakMemoryBytes())
  }

  /// The pace of a training: seconds of a batch and of an update that was seen, connections.
  private struct Pace {
    let batches: Int
    let perBatch: Double
    let perUpdate: Double?
    let connections: Double
  }

  /// Trains for a moment.
  private func pace(seconds: Double) throws(RigLError) -> Pace {
    let started = ContinuousClock.now
    var weightBatches: [Double] = []
    var updateBatches: [Double] = []
    // Of an update that is not complete.
    var partly = 0.0
    while step.weightSteps < totalSteps, weightBatches.count < 3 || started.secondsToNow < seconds {
      let begin = ContinuousClock.now
      let report: TrainingStep.Report
      do {
        report = try trainNextBatch()
      } catch {
        throw explaining(error)
      }
      if step.isUpdating {
        partly += begin.secondsToNow
      } else if report.dropFraction == nil {
        weightBatches.append(begin.secondsToNow)
      } else {
        updateBatches.append(partly + begin.secondsToNow)
        partly = 0
      }
    }
    return Pace(
      batches: weightBatches.count + updateBatches.count, perBatch: median(weightBatches),
      perUpdate: updateBatches.isEmpty ? nil : median(updateBatches),
      connections: Double(model.connections))
  }

  /// Seconds of one batch of each weight step of all rounds: of a lottery ticket's, the trainings between
  /// the first and the last are as much quicker as they have fewer connections.
  private func fullBatches(_ first: Pace, _ last: Pace) -> Double {
    var seconds = Double(totalSteps) * first.perBatch
    guard let ticket else { return seconds }
    let (most, least) = (first.connections, max(last.connections, 1))
    for round in 1...rounds {
      let connections = most * pow(least / most, Double(round) / Double(rounds))
      let share = most > least ? (connections - least) / (most - least) : 0
      seconds +=
        Double(totalSteps - ticket.rewindStep)
        * (last.perBatch + share * (first.perBatch - last.perBatch))
    }
    return seconds
  }

  private func secondsPerEvaluatedSample() throws(RigLError) -> Double {
    let count = min(data.test.count, 8 * configuration.batchSize)
    let some = try data.test.first(count)
    let begin = ContinuousClock.now
    _ = try evaluate(some)
    return begin.secondsToNow / Double(count)
  }

  /// The middle one, which a disturbed measurement does not move.
  private func median(_ values: [Double]) -> Double {
    values.isEmpty ? 0 : values.sorted()[values.count / 2]
  }
}

extension Model {
  /// Bytes of parameters, connections and their lists, and gradients; not of activations.
  package var bytes: Int {
    let numbers = parameters.reduce(0) { $0 + $1.capacity + $1.gradient.capacity }
    let topology = sparseLayers.reduce(0) { $0 + $1.bytes - $1.parameter.capacity * 8 }
    return numbers * MemoryLayout<Float>.stride + topology
  }
}

extension OptimizerState {
  /// Bytes of the slots, and of the connections' ages.
  package var bytes: Int {
    slots.joined().reduce(0) { $0 + $1.buffer.capacity * MemoryLayout<Float>.stride }
      + ages.reduce(0) { $0 + $1.bytes }
  }
}
