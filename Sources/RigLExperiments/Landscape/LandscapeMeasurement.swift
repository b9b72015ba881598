import RigLCore

/// Measures the loss along paths between two runs' last weights, on the union of their connections.
package final class LandscapeMeasurement {
  /// Samples that losses are means over.
  package let samples: (train: Int, test: Int)
  /// Connections of the first run, of the second, and of either.
  package let connections: (first: Int, second: Int, union: Int)
  /// Called with the work that is done and all of it, a unit for each point and each 100 steps.
  package var progress: (_ done: Int, _ all: Int) throws -> Void = { _, _ in }

  private let options: LandscapeOptions
  private let names: (String, String)
  private let path: PathModel
  private let loss: CrossEntropy
  private let pool: ThreadPool
  private let pass: Pass
  private let batch: Batch
  private let outcome: BatchPredictions
  /// The batches that running averages are estimated by: nil without batch-norm.
  private let averaging: BatchPacker?
  /// The batches that the control point is trained on.
  private let training: BatchPacker
  private let evaluators: (train: Evaluator, test: Evaluator)
  private var done = 0

  /// Opens two runs.
  ///
  /// - Throws: `RigLError(.configuration)` for options that cannot be used, and for runs of other
  ///   networks, losses or samples; `.data` and `.missingFile` for runs and samples that cannot be read.
  package init(
    _ first: String, _ second: String, _ options: LandscapeOptions
  ) throws(RigLError) {
    try options.validate()
    self.options = options
    names = (LandscapeMeasurement.name(of: first), LandscapeMeasurement.name(of: second))
    // Small batches: nothing is predicted by these models.
    let one = try SavedRun(first, batch: 8, threads: 1)
    let other = try SavedRun(second, batch: 8, threads: 1)
    try one.requireSameTask(as: other, (first, second))
    var folder = options.dataFolder
    if folder == nil {
      var settings = try SettingsStack()
      try settings.apply(file: try RunFolder.open(first).configurationPath, isSaved: true)
      folder = settings.options.dataFolder
    }
    let data = try one.loadSamples(folder: folder)
    let size = options.batchSize ?? max(one.configuration.batchSize, 2)
    // Batches are no larger than all samples; but groups of samples are as those of a full batch.
    path = try PathModel(one, other, capacity: min(size, max(data.train.count, 32)))
    let model = path.model
    connections = (one.model.connections, other.model.connections, model.connections)
    loss = CrossEntropy(labelSmoothing: one.configuration.labelSmoothing)
    pool = try ThreadPool(threads: options.threads)
    pass = Pass(pool: pool, seed: options.seed)
    batch = Batch(for: model)
    outcome = BatchPredictions(capacity: model.capacity, classes: model.outputs, lanes: model.lanes)
    training = try BatchPacker(data.augmented, for: model)
    let (train, test) = (try options.some(of: data.train), try options.some(of: data.test))
    samples = (train.count, test.count)
    averaging =
      model.averages.isEmpty
      ? nil : try BatchPacker(try options.some(of: data.augmented), for: model)
    evaluators = (
      try Evaluator(model: model, loss: loss, dataset: train, pool: pool),
      try Evaluator(model: model, loss: loss, dataset: test, pool: pool)
    )
  }

  /// The name of a run, by its folder.
  package static func name(of run: String) -> String {
    FileSystem.split(FileSystem.real(RunFolder.trimmed(run))).name
  }

  /// Measures all paths; the same seed gives the same bits, by any number of threads.
  ///
  /// - Throws: `RigLError(.numerical)` where a loss is no number.
  package func measure() throws -> Landscape {
    done = 0
    var curves: [Landscape.Curve] = []
    for kind in options.paths {
      if kind == .bezier { try trainControlPoint() }
      var points: [Landscape.Point] = []
      for t in LandscapePath.places(options.points) {
        points.append(try measure(kind, at: t))
        try advance()
      }
      curves.append(Landscape.Curve(path: kind, points: points))
    }
    return Landscape(first: names.0, second: names.1, curves: curves)
  }

  private func advance() throws {
    done += 1
    let training = options.paths.contains(.bezier) ? options.steps / 100 : 0
    try progress(done, options.paths.count * options.points + training)
  }

  // MARK: - A point

  private func measure(_ kind: LandscapePath, at t: Double) throws(RigLError) -> Landscape.Point {
    path.set(to: kind.mixture(at: t))
    do throws(RigLError) {
      // The ends are the runs as they are.
      if t == 0 || t == 1 {
        path.takeAverages(ofFirst: t == 0)
      } else {
        try estimateAverages()
      }
      let (train, test) = (try evaluators.train.evaluate(), try evaluators.test.evaluate())
      return Landscape.Point(
        t: t, trainLoss: train.loss, trainAccuracy: train.accuracy, testLoss: test.loss,
        testAccuracy: test.accuracy)
    } catch {
      guard error.kind == .numerical else { throw error }
      throw RigLError(
        .numerical, "the \(kind.rawValue) path at t = \(t): \(error.what)",
        hint: kind == .bezier
          ? "Lower --learning-rate." : "Both runs' weights are finite, but too large between them.")
    }
  }

  /// Replaces batch-norm's running averages by the means over the batches of one pass.
  private func estimateAverages() throws(RigLError) {
    guard let averaging else { return }
    let cursor = try EpochCursor(count: averaging.dataset.count, seed: options.seed)
    var seen = 0
    for _ in 0..<cursor.batches(ofSize: path.model.capacity) {
      guard try fill(from: averaging, cursor) else { continue }
      let share = Double(seen) / Double(seen + batch.inputs.samples)
      (pass.isTraining, pass.averageShare, pass.batchesConsumed) = (true, share, 0)
      _ = try path.model.forward(batch.inputs, pass)
      seen += batch.inputs.samples
    }
    pass.averageShare = nil
  }

  /// Takes the next batch of a pass over samples.
  ///
  /// - Returns: whether it has several samples, without which batch-norm has no variance.
  private func fill(
    from packer: BatchPacker, _ cursor: EpochCursor
  ) throws(RigLError) -> Bool {
    let context = SampleContext(seed: options.seed, epoch: cursor.position.epoch)
    try cursor.next(path.model.capacity) { (places) throws(RigLError) in
      try packer.take(places, in: context)
    }
    try batch.fill(from: packer, pool: pool)
    return packer.samples > 1
  }

  // MARK: - The curve

  /// Trains the control point to a low mean loss along the curve: SGD, each step on one batch and at one
  /// t that is drawn uniformly.
  private func trainControlPoint() throws {
    let model = path.model
    let cursor = try EpochCursor(count: training.dataset.count, seed: options.seed)
    let random = CounterRandom(seed: options.seed, purpose: .curve)
    let rates = LearningRateSchedule(
      peak: options.learningRate, shape: .cosine(steps: options.steps, minimum: 0))
    // Without decay: what counts is the loss alone.
    let optimizer = OptimizerState(
      SGD(momentum: 0.9, nesterov: true), parameters: path.controls)
    let gradient = Tensor(
      shape: model.outputShape, capacity: model.capacity, lanes: model.lanes)
    for step in 0..<options.steps {
      if try fill(from: training, cursor) {
        let t = Double(random.uniform(UInt64(step)))
        path.set(to: LandscapePath.bezier.mixture(at: t))
        (pass.isTraining, pass.batchesConsumed) = (true, UInt64(step) + 1)
        let logits = try model.forward(batch.inputs, pass)
        let mean = try loss.evaluate(
          logits, labels: batch.labels, gradient: gradient, outcome: outcome, pass: pass)
        guard mean.isFinite else { throw diverged(step, mean) }
        try model.backward(gradient, pass)
        for (control, parameter) in zip(path.controls, model.parameters) {
          control.gradient.copy(from: parameter.gradient)
        }
        optimizer.step(
          learningRate: rates.rate(at: step),
          gradientScale: Float(LandscapePath.controlSlope(at: t)), pool: pool)
      }
      if (step + 1).isMultiple(of: 100) { try advance() }
    }
  }

  private func diverged(_ step: Int, _ loss: Double) -> RigLError {
    RigLError(
      .numerical, "step \(step) of the curve's control point: the loss is \(loss.magnitude)",
      hint: "Lower --learning-rate.")
  }
}

extension LandscapeOptions {
  /// As many samples as are asked for, drawn by the seed; all, where there are no more.
  fileprivate func some(of dataset: any Dataset) throws(RigLError) -> any Dataset {
    guard let samples, samples < dataset.count else { return dataset }
    return try dataset.split(validation: samples, choice: .random(seed: seed)).validation ?? dataset
  }
}
