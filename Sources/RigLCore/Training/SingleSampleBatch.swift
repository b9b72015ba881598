// Batch-norm has nothing to say of a single value: found out before the first step, not at the end
// of an epoch.

extension Trainer {
  /// Throws a configuration error if a batch of the training has one sample, and a batch-norm
  /// a single value a channel of it. Training leaves out no sample, so an epoch's last batch may be
  /// as small as that.
  func requireSeveralValuesForBatchNorms() throws(RigLError) {
    let (samples, size) = (data.train.count, configuration.batchSize)
    guard min(samples, size) == 1 || samples % size == 1, totalSteps > 0 else { return }
    let single = min(samples, size) == 1 ? 1 : loader.batches(ofSize: size)
    guard step.batches(of: totalSteps) >= Double(single) else { return }
    for norm in model.plan.norms where norm.input.height * norm.input.width == 1 {
      throw RigLError(
        .configuration,
        "layer \(norm.name): batch-norm over a single value a channel: of \(samples) training "
          + "samples in batches of \(size), batch \(single) of each epoch has one sample",
        hint: "Choose a batch_size that leaves no batch of one sample, or other train_samples.")
    }
  }
}

extension TrainingStep {
  /// Batches that a training of `steps` weight steps consumes, topology updates included.
  fileprivate func batches(of steps: Int) -> Double {
    Double(steps) * Double(settings.accumulation) + Double(batchesOfUpdates(of: steps))
  }
}
