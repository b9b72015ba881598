import RigLCore
import Testing

/// The norms of the gradient that `track_gradient_norm` keeps: what they are, and that they take no part
/// in the result.
@Suite struct GradientFlowTests {
  static let configuration = MethodRunTests.configuration.changing {
    ($0.clipNorm, $0.trackGradientNorm, $0.lastLayerDense) = (nil, true, true)
  }

  private func norms(_ rows: [MetricsRow], _ split: MetricsRow.Split) -> [MetricsRow] {
    rows.filter { $0.split == split }
  }

  /// What a training has seen, batch by batch.
  private final class Norms: TrainingCallback {
    /// √Σ g² of all parameters after each weight step, by the steps before it.
    var expected: [Int: Double] = [:]
    /// Weight steps before each update.
    var updates: [Int] = []

    func observe(_ event: TrainingEvent, in trainer: Trainer) -> TrainingDecision {
      guard case .batch(let report) = event else { return .proceed }
      if let update = report.update { updates.append(update.step) }
      if report.movedWeights {
        // The optimizer leaves gradients as they were.
        let sum = trainer.model.parameters.reduce(0.0) { sum, parameter in
          parameter.gradient.array().reduce(sum) { $0 + Double($1) * Double($1) }
        }
        expected[trainer.step.weightSteps - 1] = sum.squareRoot()
      }
      return .proceed
    }
  }

  @Test(arguments: [
    Configuration.Method.static, .set, .rigl, .riglInverted, .snfs, .snip, .pruning, .granet, .gse,
  ])
  func rowsHaveTheNormOfTheFirstStepAfterEachUpdate(method: Configuration.Method) throws {
    let folder = try TemporaryFolder()
    let configuration = Self.configuration.changing { $0.method = method }
    var options = RunOptions(threads: 2, output: folder("run"))
    options.logEvery = 5
    let trainer = try Trainer(configuration, options: options)
    let watcher = Norms()
    trainer.callbacks = [watcher]
    _ = try trainer.run()
    let rows = try folder.metrics(of: "run")
    let after = norms(rows, .afterUpdate)
    #expect(after.map(\.step) == watcher.updates)
    for row in after {
      let (norm, expected) = (
        try #require(row.gradientNorm), try #require(watcher.expected[row.step])
      )
      #expect(abs(norm - expected) <= 1e-9 * expected, "\(row.step): \(norm), \(expected)")
    }
    #expect([.static, .snip].contains(method) || after.count > 3)
    let train = norms(rows, .train)
    #expect(!train.isEmpty && train.allSatisfy { $0.gradientNorm ?? 0 > 0 })
  }

  /// Before anything has moved, methods that begin with the same connections have the same gradient:
  /// whether the first batch is an update's or a weight step's.
  @Test(arguments: ["mlp", "wrn-10-1"])
  func theFirstGradientIsThatOfTheInitialisation(network: String) throws {
    var first: Double?
    for method in [Configuration.Method.static, .set, .rigl, .snfs] {
      let folder = try TemporaryFolder()
      let configuration = Self.configuration.changing {
        ($0.method, $0.network) = (method, network)
        if network != "mlp" { ($0.hidden, $0.padTo) = (Configuration().hidden, 32) }
        ($0.epochs, $0.distribution) = (1, .uniform)
      }
      _ = try Trainer(
        configuration, options: RunOptions(threads: 1, output: folder("run"))
      ).run()
      let rows = try folder.metrics(of: "run")
      let initial = norms(rows, .initialisation)
      #expect(initial.count == 1 && initial[0].step == 0 && initial[0].batchesConsumed == 1)
      let norm = try #require(initial.first?.gradientNorm)
      #expect(norm > 0 && norm == first ?? norm, "\(method)")
      first = norm
      // Its line comes before that of the update.
      let firsts = rows.filter { $0.split != .train }.map(\.split).prefix(2)
      if method == .rigl { #expect(Array(firsts) == [.initialisation, .update]) }
    }
  }

  /// A training with norms has the bits of one without; batch-norm's averages too.
  @Test(arguments: [
    (Configuration.Method.rigl, "wrn-10-1", 1), (.rigl, "mlp", 2), (.set, "mlp", 1),
    (.snip, "mlp", 1),
  ])
  func tensorsAreAsWithout(method: Configuration.Method, network: String, batches: Int) throws {
    let folder = try TemporaryFolder()
    for (name, tracks) in [("with", true), ("without", false)] {
      let configuration = Self.configuration.changing {
        ($0.method, $0.network, $0.trackGradientNorm) = (method, network, tracks)
        ($0.epochs, $0.growthBatches) = (1, batches)
        if network != "mlp" { ($0.hidden, $0.padTo) = (Configuration().hidden, 32) }
      }
      _ = try Trainer(
        configuration, options: RunOptions(threads: 2, output: folder(name))
      ).run()
    }
    let (with, without) = (
      try folder.checkpoint(of: "with"), try folder.checkpoint(of: "without")
    )
    #expect(with.tensors.map(\.name) == without.tensors.map(\.name))
    for tensor in with.tensors {
      let (one, other) = (try with.bytes(tensor.name), try without.bytes(tensor.name))
      #expect(one == other, "\(tensor.name)")
    }
    #expect(with.metadata["state"] == without.metadata["state"])
    let rows = try folder.metrics(of: "without")
    #expect(rows.allSatisfy { $0.gradientNorm == nil })
    #expect(norms(rows, .initialisation) + norms(rows, .afterUpdate) == [])
  }

  @Test(arguments: [Configuration.Method.rigl, .set, .snip, .granet, .lottery])
  func rowsAreTheSameForAnyThreadsAndAcrossStops(method: Configuration.Method) throws {
    let folder = try TemporaryFolder()
    let configuration = Self.configuration.changing {
      $0.method = method
      if method == .lottery { ($0.lotteryRounds, $0.updateInterval) = (2, 100) }
    }
    let stops = [1, 4, 5]
    _ = try expectSameBits(configuration, in: folder, "\(method)") { _ in stops }
    func rows(_ run: String) throws -> [MetricsRow] {
      try folder.metrics(of: run).filter { $0.gradientNorm != nil }
    }
    let whole = try rows("whole")
    #expect(norms(whole, .initialisation).count == (method == .lottery ? 3 : 1))
    for stop in stops { #expect(try rows("stopped at \(stop)") == whole, "\(stop)") }
  }

  @Test func aNormThatIsNoneSaysSo() throws {
    var settings = TrainingStep.Settings()
    settings.tracksGradientNorm = true
    let model = try Model(
      Sequential(SparseLinear("output", inputs: 2, outputs: 2)), input: SampleShape(channels: 2),
      capacity: 8)
    model.draw(seed: 1, initializer: Initializer(.glorotUniform))
    let step = TrainingStep(
      model: model, loss: BrokenGradient(), optimizer: SGD(),
      learningRate: LearningRateSchedule(peak: 0.1), settings: settings,
      pool: try ThreadPool(threads: 1), seed: 1)
    let batch = Batch(for: model)
    (batch.inputs.samples, batch.labels.count) = (1, 1)
    try batch.inputs.setValues([1, 1], of: 0)
    let error = rigLError { _ = try step.train(on: batch) }
    #expect(error?.kind == .numerical && error?.what.contains("norm is") == true)
  }

  private struct BrokenGradient: Loss {
    func loss(of logits: Span<Float>, label: Int, gradient: inout MutableSpan<Float>) -> Double {
      for index in gradient.indices { gradient[index] = .infinity }
      return 1
    }
  }
}
