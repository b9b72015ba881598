import Testing

@testable import RigLCore

/// Growth by the mean gradient of several batches.
@Suite struct GrowthBatchTests {
  // MARK: - Slices

  @Test func layersShareABufferAndLargeOnesGoInSlices() {
    func passes(_ layers: [(rows: Int, columns: Int)], _ floats: Int) -> [[[Int]]] {
      GrowthSums.passes(of: layers, floats: floats).map { slices in
        slices.map { [$0.layer, $0.rows.lowerBound, $0.rows.upperBound, $0.offset] }
      }
    }
    let small = [(rows: 2, columns: 3), (rows: 4, columns: 1), (rows: 1, columns: 5)]
    #expect(passes(small, 15) == [[[0, 0, 2, 0], [1, 0, 4, 6], [2, 0, 1, 10]]])
    #expect(passes(small, 10) == [[[0, 0, 2, 0], [1, 0, 4, 6]], [[2, 0, 1, 0]]])
    // Five rows of four: two beside the first layer, then three alone with what follows.
    #expect(
      passes([(rows: 1, columns: 4), (rows: 5, columns: 4), (rows: 1, columns: 3)], 15)
        == [[[0, 0, 1, 0], [1, 0, 2, 4]], [[1, 2, 5, 0], [2, 0, 1, 12]]])
    // Whole panels of rows, as far as they fit.
    #expect(
      passes([(rows: 300, columns: 1)], 150)
        == [[[0, 0, 128, 0]], [[0, 128, 256, 0]], [[0, 256, 300, 0]]])
    // What is left of a buffer that has room for a panel takes whole ones alone.
    #expect(
      passes([(rows: 1, columns: 15), (rows: 200, columns: 1)], 150)
        == [[[0, 0, 1, 0], [1, 0, 128, 15]], [[1, 128, 200, 0]]])
    #expect(
      passes([(rows: 1, columns: 130), (rows: 200, columns: 1)], 150)
        == [[[0, 0, 1, 0]], [[1, 0, 128, 0]], [[1, 128, 200, 0]]])
    #expect(
      passes([(rows: 1, columns: 130), (rows: 20, columns: 1)], 150)
        == [[[0, 0, 1, 0], [1, 0, 20, 130]]])
    // A row that does not fit is taken all the same.
    #expect(passes([(rows: 2, columns: 9)], 4) == [[[0, 0, 1, 0]], [[0, 1, 2, 0]]])
    #expect(passes([], 4) == [[]])
  }

  // MARK: - What is grown

  static let samples = [7, 9, 4]

  func fill(_ batch: Batch, _ number: Int) {
    let count = min(Self.samples[number], batch.inputs.capacity)
    var values = randomValues(batch.inputs.shape.count * count, seed: UInt64(10 + number))
    // Inputs that are always 0 have gradients of exactly 0.
    for index in values.indices where index % batch.inputs.shape.count % 3 == 1 {
      values[index] = 0
    }
    batch.inputs.set(values)
    batch.labels.count = count
    for sample in 0..<count { batch.labels[sample] = (sample + number) % 4 }
  }

  func makeStep(
    _ name: String, method: any TopologyMethod = RigL(), batches: Int = 3, bytes: Int? = nil,
    threads: Int = 1, change: (inout TrainingStep.Settings) -> Void = { _ in }
  ) throws -> TrainingStep {
    let model = try CandidateGrowthTests().makeModel(name)
    model.draw(seed: 1, initializer: Initializer(.heNormal))
    var settings = TrainingStep.Settings()
    settings.method = method
    settings.schedule = UpdateSchedule(
      interval: 2, end: nil, initialFraction: 0.5, annealing: .constant)
    (settings.growthBatches, settings.growthBuffer) = (batches, bytes)
    change(&settings)
    return TrainingStep(
      model: model, loss: CrossEntropy(), optimizer: SGD(momentum: 0.9),
      learningRate: LearningRateSchedule(peak: 0.1), settings: settings,
      pool: try ThreadPool(threads: threads), seed: 5)
  }

  private func values(of layer: SparseWeights) -> [Float] {
    layer.inPositionOrder(layer.parameter.values).array()
  }

  /// Gives the step the batches of an update, as often as it asks for them.
  @discardableResult
  func update(_ step: TrainingStep) throws -> TrainingStep.Report {
    let batch = Batch(for: step.model)
    var (number, seen) = (0, 0)
    while true {
      fill(batch, number)
      let report = try step.train(on: batch)
      #expect(report.wasSeen == (seen >= Self.samples.count))
      seen += 1
      if report.update != nil { return report }
      number = report.repeatedBatches > 0 ? 0 : number + 1
      #expect(report.repeatedBatches == 0 || report.repeatedBatches == 3)
      #expect(!report.movedWeights && step.weightSteps == 0)
    }
  }

  /// The mean dense gradients of a step's layers, from one backward pass a batch.
  private func meanGradients(_ step: TrainingStep) throws -> [[Double]] {
    let (model, batch) = (step.model, Batch(for: step.model))
    let pass = Pass(pool: try ThreadPool(threads: 1), seed: 5)
    pass.isTraining = true
    var means = model.sparseLayers.map { [Double](repeating: 0, count: $0.positions) }
    let total = Double(Self.samples.reduce(0) { $0 + min($1, model.capacity) })
    for number in Self.samples.indices {
      fill(batch, number)
      let gradient = Tensor(
        shape: model.outputShape, capacity: model.capacity, lanes: model.lanes)
      let logits = try model.forward(batch.inputs, pass)
      _ = try CrossEntropy().evaluate(
        logits, labels: batch.labels, gradient: gradient, outcome: step.outcome, pass: pass)
      let weight = Double(batch.inputs.samples) / total
      for (layer, values) in try model.denseGradients(gradient, pass).enumerated() {
        for (position, value) in values.enumerated() {
          means[layer][position] += weight * Double(value)
        }
      }
    }
    return means
  }

  /// The connections of largest mean gradient are grown, whatever the buffer holds at a time; where
  /// gradients are 0, those first that were just dropped.
  @Test(arguments: CandidateGrowthTests.networks, [1, 300, 2000, 1 << 20])
  func largestMeansAreGrown(name: String, bytes: Int) throws {
    let means = try meanGradients(try makeStep(name))
    let step = try makeStep(name, bytes: bytes, threads: 2)
    let before = step.model.sparseLayers.map { layer in
      Dictionary(
        uniqueKeysWithValues: zip(layer.connectedPositions(), values(of: layer)))
    }
    if name == "linear", bytes < 2000 { #expect(step.passesOfGrowth > 2) }
    try update(step)
    for (index, layer) in step.model.sparseLayers.enumerated() {
      let (old, mean) = (before[index], means[index])
      let moved = old.count / 2
      let ordered = old.keys.sorted { one, other in
        let (first, second) = (abs(old[one] ?? 0), abs(old[other] ?? 0))
        return first != second ? first > second : one < other
      }
      let kept = Set(ordered.prefix(old.count - moved))
      let after = Set(layer.connectedPositions())
      #expect(after.count == old.count && kept.isSubset(of: after))
      let grown = after.subtracting(kept)
      let candidates = (0..<layer.positions).filter { !kept.contains($0) }
      let cut = candidates.map { abs(mean[$0]) }.sorted(by: >)[moved - 1]
      let (above, below) = (cut * (1 + 1e-4) + 1e-12, cut * (1 - 1e-4) - 1e-12)
      for position in candidates {
        let score = abs(mean[position])
        if score > above { #expect(grown.contains(position), "\(layer.name) \(position)") }
        if score < below { #expect(!grown.contains(position), "\(layer.name) \(position)") }
      }
      // At a cut of 0 the dropped connections of score 0 come before positions that were none.
      let zeros = grown.filter { mean[$0] == 0 }
      if let other = zeros.first(where: { old[$0] == nil }) {
        let dropped = old.keys.filter { !kept.contains($0) && mean[$0] == 0 }
        #expect(dropped.allSatisfy { zeros.contains($0) }, "\(layer.name): \(other)")
      }
      for (position, value) in zip(layer.connectedPositions(), values(of: layer)) {
        #expect(value == old[position] ?? 0)
      }
    }
  }

  private struct Smallest: TopologyMethod {
    let timing = TopologyTiming.insteadOfWeightStep
    func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
      try layer.dropSmallest(count) { $0.weight * $0.gradient }
      try layer.growSmallestGradients(count)
    }
  }

  /// Twice its gradient in even columns.
  private struct OwnScore: TopologyMethod, GrowthScore {
    let timing = TopologyTiming.insteadOfWeightStep
    func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
      try layer.dropSmallestMagnitudes(count)
      try layer.growLargest(layer.missing, by: self)
    }
    func score(
      _ gradients: inout MutableSpan<Float>, memory: Span<Float>, output: Int, inputs: Range<Int>,
      of layer: SparseWeights
    ) {
      for index in gradients.indices where (inputs.lowerBound + index) % 2 == 0 {
        gradients[index] *= 2
      }
    }
  }

  /// All bits of a step's files are the same for any buffer and any number of threads, of every method.
  @Test(arguments: CandidateGrowthTests.networks) func sameBitsForAnyBuffer(name: String) throws {
    let folder = try TemporaryFolder()
    let methods: [any TopologyMethod] = [RigL(), InvertedRigL(), Smallest(), OwnScore()]
    for (number, method) in methods.enumerated() {
      for weight in [NewConnectionWeight.zero, .gradient(divisor: -2)] {
        for accumulation in [1, 3] {
          let then = accumulation == 3
          func bytes(_ buffer: Int, _ threads: Int) throws -> [UInt8] {
            let step = try makeStep(name, method: method, bytes: buffer, threads: threads) {
              ($0.newWeight, $0.accumulation, $0.updateThenStep) = (weight, accumulation, then)
            }
            let report = try update(step)
            #expect(report.movedWeights == then)
            #expect(step.batchesConsumed == 3 && report.update?.batchesConsumed == 3)
            try step.save(to: folder("step"))
            return try fileBytes(folder("step"))
          }
          let expected = try bytes(1 << 20, 1)
          #expect(try bytes(1, 1) == expected, "\(number), \(weight)")
          #expect(try bytes(600, 2) == expected, "\(number), \(weight)")
        }
      }
    }
  }

  /// An update of as many batches as a weight step has, and the step on them: connections that stay take
  /// the step that they would take without the update, new ones one along the mean gradient.
  @Test(arguments: ["linear", "residual"]) func theStepAfterItIsOnTheSameBatches(
    name: String
  ) throws {
    let means = try meanGradients(try makeStep(name))
    func step(_ method: any TopologyMethod, bytes: Int) throws -> TrainingStep {
      try makeStep(name, method: method, bytes: bytes) {
        ($0.accumulation, $0.updateThenStep) = (3, true)
      }
    }
    let still = try step(StaticTopology(), bytes: 1)
    let batch = Batch(for: still.model)
    for number in Self.samples.indices {
      fill(batch, number)
      #expect(try still.train(on: batch).movedWeights == (number == 2))
    }
    let moved = try step(RigL(), bytes: 800)
    #expect(moved.passesOfGrowth > 1)
    try update(moved)
    #expect(moved.weightSteps == 1)
    for (index, (one, other)) in zip(still.model.sparseLayers, moved.model.sparseLayers)
      .enumerated()
    {
      let old = Dictionary(
        uniqueKeysWithValues: zip(one.connectedPositions(), values(of: one)))
      for (position, value) in zip(other.connectedPositions(), values(of: other)) {
        if let before = old[position] {
          #expect(value == before)
        } else {
          #expect(abs(Double(value) + 0.1 * means[index][position]) < 1e-6)
        }
      }
    }
    for (one, other) in zip(still.model.averages, moved.model.averages) {
      #expect(one.values.array() == other.values.array(), "seen once: \(one.name)")
    }
  }

  // MARK: - Whole trainings

  static let configuration = MethodRunTests.configuration.changing {
    ($0.accumulation, $0.growthBatches, $0.dropout) = (2, 3, 0.2)
    ($0.batchSize, $0.updateInterval, $0.updateForever, $0.annealing) = (16, 2, true, .constant)
    ($0.trainSamples, $0.epochs) = (330, 1)
  }

  private func train(
    _ configuration: Configuration, _ path: String, buffer: Int?, threads: Int = 1,
    until step: Int = .max, resuming: Bool = false
  ) throws -> Watcher {
    var options = RunOptions(threads: threads)
    (options.checkpointEvery, options.keep, options.growthBuffer) = (2, 99, buffer)
    if !resuming { options.output = path }
    let trainer = try Trainer(configuration, options: options)
    let watcher = Watcher(stopAt: step, by: .interrupt)
    trainer.callbacks = [watcher]
    _ = try resuming ? trainer.resume(path) : trainer.run()
    return watcher
  }

  /// Runs differ in nothing whatever the buffer, the threads, and where they stop.
  @Test(arguments: [(Configuration.Method.rigl, 0), (.riglInverted, 3), (.granet, 3)])
  func runsAreTheSame(method: Configuration.Method, batches: Int) throws {
    let folder = try TemporaryFolder()
    let configuration = Self.configuration.changing {
      ($0.method, $0.growthBatches) = (method, batches)
      if method == .granet { $0.initialSparsity = 0.5 }
    }
    let watcher = try train(configuration, folder("whole"), buffer: 1)
    let remark = try #require(watcher.remarks.first { $0.contains("mean gradient of") })
    #expect(remark.contains("\(batches == 0 ? 2 : 3) batches") && remark.contains("1 pass over"))
    let last = try folder.checkpoint(of: "whole")
    // By default as large as the activations, which takes several passes.
    let small = try train(configuration, folder("small"), buffer: nil, threads: 2)
    #expect(small.remarks.contains { $0.contains("passes over") }, "\(small.remarks)")
    #expect(
      try fileBytes(folder.checkpoint(of: "small").path) == fileBytes(last.path))
    #expect(try folder.metrics(of: "small") == folder.metrics(of: "whole"))
    for stop in [1, 3] {
      _ = try train(configuration, folder("\(stop)"), buffer: nil, until: stop)
      _ = try train(configuration, folder("\(stop)"), buffer: 1, resuming: true)
      #expect(try fileBytes(folder.checkpoint(of: "\(stop)").path) == fileBytes(last.path))
    }
  }

  /// Settings that cannot be, or do nothing.
  @Test func settingsAreChecked() throws {
    let base = MethodRunTests.configuration
    #expect(
      rigLError { try base.changing { $0.growthBatches = -1 }.validate() }?.what
        .contains("growth_batches") == true)
    let then = base.changing { ($0.updateThenStep, $0.accumulation) = (true, 2) }
    #expect(rigLError { try then.validate() }?.hint?.contains("growth_batches: 0") == true)
    try then.changing { $0.growthBatches = 0 }.validate()
    for method in [Configuration.Method.gse, .set] {
      var layers = try SettingsStack()
      try layers.set("method", to: method.rawValue)
      try layers.set("growth_batches", to: "4")
      let warnings = try layers.configuration().warnings(samples: 1000)
      #expect(warnings.contains { $0.hasPrefix("growth_batches: has no effect") })
    }
    for preset in ["resnet-50", "mobilenet-v1"] {
      let configuration = try Preset.find(preset).configuration
      #expect(configuration.batchesOfGrowth(RigL()) == 32)
      #expect(configuration.batchSize * configuration.accumulation == 4096)
      #expect(configuration.changing { $0.method = .gse }.batchesOfGrowth(GSE()) == 1)
    }
  }

  /// An epoch's steps are counted without the batches of updates, whose number the dry run knows.
  @Test func batchesOfUpdatesAreCounted() throws {
    let trainer = try Trainer(Self.configuration.changing { $0.growthBatches = 5 })
    let updates = trainer.step.expectedUpdates(of: trainer.totalSteps)
    #expect(updates > 2)
    #expect(trainer.step.batchesOfUpdates(of: trainer.totalSteps) == 5 * updates)
    let estimate = try trainer.estimate(seconds: 0)
    #expect(estimate.secondsPerUpdate ?? 0 > 0 && estimate.updates == updates)
  }
}
