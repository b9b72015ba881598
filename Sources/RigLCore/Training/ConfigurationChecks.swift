// Which numbers a configuration accepts.

extension Configuration {
  /// Throws a configuration error for a number out of range, or settings that exclude each other.
  ///
  /// Whatever passes can be calculated with: products of steps stay far below the largest integer.
  package func validate() throws(RigLError) {
    try validate(exceptNetwork: false, exceptData: false)
  }

  /// The same but for settings of a network, or of data, that what was given in Swift replaces.
  func validate(exceptNetwork: Bool, exceptData: Bool = false) throws(RigLError) {
    try validateLengths()
    try validateNumbers()
    try validateGrowth()
    try validateImages(exceptData: exceptData || hasCustomData)
    if !hasCustomNetwork, !exceptNetwork { _ = try makeNetwork() }
    try validateSparsities()
    // As of a training with long epochs: how many steps they have, the data will say.
    let samples = batchSize * accumulation * 1_000_000
    if totalSteps ?? epochs > 0 {
      var long = self
      // Whether a begin is before the default end, the data will say.
      if updateEnd == nil, totalSteps == nil { long.updateBegin = 0 }
      _ = try long.updateSchedule(samples: samples)
    }
    guard zip(milestones, milestones.dropFirst()).allSatisfy(<) else {
      throw problem(
        .milestones, "[\(milestones.map { "\($0)" }.joined(separator: ", "))]", "increasing")
    }
    _ = try learningRateSchedule(samples: samples)
  }

  /// Epochs, steps and samples.
  private func validateLengths() throws(RigLError) {
    try require(.epochs, in: 0...1_000_000, epochs)
    if let totalSteps { try require(.totalSteps, in: 0...Configuration.mostSteps, totalSteps) }
    try require(.batchSize, in: 1...1 << 20, batchSize)
    try require(.accumulation, in: 1...65536, accumulation)
    try require(.multiplier, in: 1e-6...1000, multiplier)
    if let validation { try require(.validation, in: 0...Int.max, validation) }
    if let trainSamples { try require(.trainSamples, in: 1...1 << 32, trainSamples) }
    if let testSamples { try require(.testSamples, in: 1...Int.max, testSamples) }
    try require(.updateInterval, in: 1...Configuration.mostSteps, updateInterval)
    try require(.updateBegin, in: 0...Configuration.mostSteps, updateBegin)
    if let updateEnd { try require(.updateEnd, in: 0...Configuration.mostSteps, updateEnd) }
    if let pruneBegin { try require(.pruneBegin, in: 0...Configuration.mostSteps, pruneBegin) }
    if let pruneEnd { try require(.pruneEnd, in: 0...Configuration.mostSteps, pruneEnd) }
    if let pruneBegin, let pruneEnd, pruneEnd <= pruneBegin, method.prunes {
      throw problem(.pruneEnd, "\(pruneEnd)", "more than prune_begin (\(pruneBegin))")
    }
    try require(.lotteryRounds, in: 1...1000, lotteryRounds)
    try require(.rewindStep, in: 0...Configuration.mostSteps, rewindStep)
    try require(.layerMinimum, in: 0...Int.max, layerMinimum)
    for milestone in milestones { try require(.milestones, in: 0...1e6, milestone) }
    try require(.warmupEpochs, in: 0...1e6, warmupEpochs)
    try require(.firstCycle, in: 0...1e6, firstCycle)
    try require(.cycleMultiplier, in: 1...1000, cycleMultiplier)
  }

  private static let mostSteps = 1 << 50

  /// Rates, probabilities and the like.
  private func validateNumbers() throws(RigLError) {
    try require(.labelSmoothing, in: 0...1, labelSmoothing)
    try require(.dropout, below: 1, dropout)
    if let linearDeviation { try require(.linearDeviation, below: .infinity, linearDeviation) }
    try require(.momentum, below: 1, momentum)
    try require(.beta1, below: 1, beta1)
    try require(.beta2, below: 1, beta2)
    try require(.weightDecay, below: .infinity, weightDecay)
    try require(.decoupledWeightDecay, below: .infinity, decoupledWeightDecay)
    if let dropFraction { try require(.dropFraction, in: 0...1, dropFraction) }
    try require(.momentDecay, below: 1, momentDecay)
    try require(.candidates, in: 0...1000, candidates)
    try require(.growthBatches, in: 0...1_000_000, growthBatches)
    try require(.storageBelow, in: 0...1, storageBelow)
    guard epsilon > 0, epsilon.isFinite else { throw problem(.epsilon, "\(epsilon)", "positive") }
    if let clipNorm, !(clipNorm > 0) { throw problem(.clipNorm, "\(clipNorm)", "positive") }
    guard learningRate > 0, learningRate.isFinite else {
      throw problem(.learningRate, "\(learningRate)", "positive")
    }
    guard factor > 0, factor.isFinite else { throw problem(.factor, "\(factor)", "positive") }
    guard minLearningRate >= 0, minLearningRate <= learningRate else {
      throw problem(
        .minLearningRate, "\(minLearningRate)", "in [0, learning_rate (\(learningRate))]")
    }
  }

  /// Sparsities, those of single layers too.
  private func validateSparsities() throws(RigLError) {
    for (name, factor) in layerSparsityFactors.sorted(by: { $0.key < $1.key })
    where !(factor >= 0 && factor * sparsity < 1) {
      throw RigLError(
        .configuration,
        "layer_sparsity_factors: \(shortened(name)): \(factor) times a sparsity of \(sparsity) is "
          + "outside [0, 1)", hint: "Sparsity 0.9 and factor 1.1 make 0.99.")
    }
    try sparsityDistribution?.validate()
    if method == .smallDense { try distribution(of: sparsity).validate() }
    guard !bigSparse || !method.isDense else {
      throw RigLError(
        .configuration, "big_sparse: method \(method.rawValue) has no sparse network to widen",
        hint: "Choose a sparse method, or set big_sparse: false.")
    }
    try require(.initialSparsity, below: 1, initialSparsity)
    guard rewindStep == 0 || ticketControl != .fresh || method != .lottery else {
      throw RigLError(
        .configuration,
        "ticket_control: fresh weights have no step \(rewindStep) of their own, to which rewind_step "
          + "goes back",
        hint: "Set rewind_step to 0, or ticket_control to rewound or shuffled.")
    }
    guard initialSparsity <= sparsity || !method.prunes else {
      throw problem(.initialSparsity, "\(initialSparsity)", "at most sparsity (\(sparsity))")
    }
  }

  /// What images go through.
  private func validateImages(exceptData: Bool) throws(RigLError) {
    try require(.cropPadding, in: 1...1024, cropPadding)
    if let padTo { try require(.padTo, in: 1...4096, padTo) }
    if let imageSize { try require(.imageSize, in: 8...4096, imageSize) }
    try normalization.validate()
    if perImageStandardization, normalization != .standard {
      throw RigLError(
        .configuration,
        "normalization: has no effect with per_image_standardization, which takes each image's own "
          + "numbers", hint: "Set per_image_standardization to false, or leave normalization out.")
    }
    // Whatever these samples are, they are not made by settings.
    if exceptData { return }
    guard let format = dataFormat else { return }
    if format.preparation != .padded, augmentation == .padCropFlip {
      throw RigLError(
        .configuration, "augmentation: pad_crop_flip is for small images, not for \(format.name)",
        hint: "choose \(format.preparation == .resized ? "random_resized_crop or none" : "none")")
    }
    if format.preparation != .resized, augmentation == .randomResizedCrop {
      throw RigLError(
        .configuration,
        "augmentation: random_resized_crop is for photos, not for \(shortened(data))",
        hint: "choose \(format.preparation == .padded ? "pad_crop_flip or none" : "none")")
    }
    if format.preparation != .padded, padTo != nil {
      let isResized = format.preparation == .resized
      throw RigLError(
        .configuration,
        "pad_to: \(format.name) are \(isResized ? "resized, not padded" : "no images to pad")",
        hint: isResized ? "set image_size instead" : "leave it out")
    }
    if imageSize != nil, !format.takesImageSize {
      throw RigLError(
        .configuration, "image_size: images of \(shortened(data)) are not resized",
        hint: format.preparation == .padded
          ? "set pad_to to put them on a larger square" : "leave it out")
    }
  }

  /// What grown connections start with, and whether the method has what that needs.
  private func validateGrowth() throws(RigLError) {
    // Weights are of single precision.
    let divisor = Float(newWeightDivisor)
    guard divisor != 0, divisor.isFinite else {
      throw problem(
        .newWeightDivisor, "\(newWeightDivisor)", "a number other than 0 and below 1e38")
    }
    if newConnectionWeight.usesGradient && (method == .set || method == .snfs) {
      throw RigLError(
        .configuration,
        "new_weights: \(method.rawValue) sees no gradient at new positions",
        hint: "choose zero, fresh, normal or uniform")
    }
    let ofGrowth = growthBatches == 0 ? accumulation : growthBatches
    if updateThenStep && seesGradient, accumulation > (growsByGradient ? ofGrowth : 1) {
      throw RigLError(
        .configuration,
        "update_then_step: an update has fewer batches than a weight step (accumulation: "
          + "\(accumulation))",
        hint: growsByGradient
          ? "Set growth_batches: 0, and it has as many." : "Set accumulation to 1.")
    }
  }

  // Written so that NaN fails.
  private func require<Number: Comparable>(
    _ key: Key, in range: ClosedRange<Number>, _ value: Number
  ) throws(RigLError) {
    guard range.contains(value) else {
      let end = "\(range.upperBound)" == "\(Int.max)" ? "" : "\(range.upperBound)"
      throw problem(key, "\(value)", "in \(range.lowerBound)...\(end)")
    }
  }

  private func require<Number: BinaryFloatingPoint>(
    _ key: Key, below bound: Number, _ value: Number
  ) throws(RigLError) {
    guard value >= 0, value < bound else {
      throw problem(key, "\(value)", bound.isFinite ? "in [0, \(bound))" : "0 or more")
    }
  }

  private func problem(_ key: Key, _ value: String, _ expected: String) -> RigLError {
    RigLError(.configuration, "\(key.rawValue): \(value) is not \(expected)")
  }
}
