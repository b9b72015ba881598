extension Configuration {
  /// Counts what a configuration's network costs, and its training by every method; loads no data.
  ///
  /// Without `input`, `classes` and `samples`, those that the network was published for, whatever
  /// the configuration trains on; see ``NetworkName/published``. By ``Accounting/paper`` the network
  /// is counted as its published figures were: a stem's or strided layers' inputs are padded first
  /// (``AccountedLayer/paperInputSize``), and MobileNet's stem is within the budget of the
  /// Erdős–Rényi distributions, where in training it is dense.
  ///
  /// - Parameters:
  ///   - accounting: the rules by which operations are counted.
  ///   - input: the shape of a sample.
  ///   - classes: the number of classes.
  ///   - samples: training samples, which say how long the training is.
  /// - Throws: `RigLError(.configuration)` for a configuration that cannot be used.
  package func accountingReport(
    _ accounting: Accounting = .real, input: SampleShape? = nil, classes: Int? = nil,
    samples: Int? = nil
  ) throws(RigLError) -> AccountingReport {
    try validate()
    let published = try NetworkName(network).published
    var matched = self
    _ = try matched.matchWidth(
      input: input ?? published.input, classes: classes ?? published.classes)
    var network = try matched.makeNetwork()
    let counted = accounting == .paper ? (network as? any PublishedNetwork)?.asPublished : nil
    if let counted { network = counted }
    let layers = network.layers(
      input: input ?? published.input, classes: classes ?? published.classes)
    let sample = input ?? published.input
    let dense = try layers.accounted(
      input: layers.takesPlanes ? sample : SampleShape(channels: sample.count))
    let allocation = try allocate(layers.weightLayers)
    let accounted = zip(dense, allocation.layers).map { layer, sparsity in
      let layer = layer.sparsified(sparsity)
      return counted.map { layer.withPaperInputSize($0.paperInputSize(of: layer)) } ?? layer
    }
    let held = trainSamples ?? samples ?? published.samples
    let initial = try allocateInitially(layers.weightLayers).map { start in
      zip(accounted, start.layers).map { $0.sparsified($1) }
    }
    let batches = growthBatches == 0 ? 1 : Double(growthBatches) / Double(accumulation)
    return accounting.report(
      accounted, interval: updateInterval, growthBatches: batches,
      pruning: try pruningCost(.pruning, samples: held),
      granet: try pruningCost(.granet, samples: held), initial: initial,
      lottery: lotteryCost(samples: held, growthBatches: batches),
      trainingMultiplier: multiplier)
  }

  /// The trainings of a lottery ticket, as the settings say whatever the method is.
  ///
  /// - Parameter batches: weight steps' batches of an update.
  private func lotteryCost(samples: Int, growthBatches batches: Double) -> LotteryCost {
    let steps = max(steps(samples: samples), 1)
    let rewound = Double(scaledStep(rewindStep, by: multiplier)) / Double(steps)
    return LotteryCost(
      rounds: lotteryRounds, rewound: min(rewound, Double(1).nextDown),
      ticket: ticketMethod == .rigl ? .rigl(interval: updateInterval, batches: batches) : .static)
  }

  /// When a method prunes: as the settings say if it is theirs, or else by its defaults.
  private func pruningCost(
    _ method: Method, samples: Int
  ) throws(RigLError) -> TrainingMethodCost.Pruning {
    var own = self
    own.method = method
    if self.method != method { (own.pruneBegin, own.pruneEnd) = (nil, nil) }
    let steps = max(steps(samples: samples), 1)
    guard steps > 1 else { return TrainingMethodCost.Pruning(steps: steps) }
    let (begin, end) = try own.pruningSteps(samples: samples)
    return TrainingMethodCost.Pruning(steps: steps, begin: begin, end: end)
  }
}
