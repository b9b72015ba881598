extension Configuration {
  /// Counts what a configuration's network costs, and its training by every method; loads no data.
  ///
  /// - Parameters:
  ///   - input: the shape of a sample; by default MNIST's and Fashion-MNIST's.
  ///   - classes: the number of classes.
  ///   - samples: training samples, which say how long the training is; by default MNIST's.
  /// - Throws: `RigLError(.configuration)` for a configuration that cannot be used.
  public func accountingReport(
    _ accounting: Accounting = .real,
    input: SampleShape = SampleShape(channels: 1, height: 28, width: 28), classes: Int = 10,
    samples: Int = 60_000
  ) throws(RigLError) -> AccountingReport {
    try validate()
    let layers = try makeNetwork().layers(input: input, classes: classes).weightLayers
    let allocation = try allocate(layers)
    let accounted = zip(layers, allocation.layers).map { $0.accounted.sparsified($1) }
    let held = trainSamples ?? samples
    return accounting.report(
      accounted, interval: updateInterval,
      pruning: TrainingMethodCost.Pruning(steps: max(steps(samples: held), 1)),
      trainingMultiplier: multiplier)
  }
}
