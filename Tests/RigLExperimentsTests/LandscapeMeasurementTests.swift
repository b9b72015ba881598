import Foundation
import RigLCore
import RigLExperiments
import Testing

/// Paths between networks that are trained here.
@Suite struct LandscapeMeasurementTests {
  private let folder: String

  init() throws {
    folder = FileManager.default.temporaryDirectory.path + "/landscape-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  }

  private func train(
    _ name: String, seed: UInt64, _ change: (inout Configuration) -> Void = { _ in }
  ) throws {
    var configuration = Configuration()
    (configuration.data, configuration.seed) = ("synthetic", seed)
    (configuration.trainSamples, configuration.testSamples) = (600, 200)
    (configuration.validation, configuration.batchSize) = (0, 50)
    (configuration.hidden, configuration.sparsity, configuration.epochs) = ([40, 30], 0.8, 4)
    configuration.updateInterval = 10
    change(&configuration)
    var options = RunOptions()
    (options.threads, options.output) = (2, "\(folder)/\(name)")
    _ = try Trainer(configuration, options: options).run()
  }

  /// A residual network with batch-norm on small images.
  private func shrink(_ configuration: inout Configuration) {
    (configuration.network, configuration.hidden) = ("wrn-10-1", Configuration().hidden)
    (configuration.data, configuration.imageSize) = ("synthetic-color", 8)
    (configuration.trainSamples, configuration.testSamples) = (200, 100)
    configuration.epochs = 2
  }

  private func options(_ change: (inout LandscapeOptions) -> Void = { _ in }) -> LandscapeOptions {
    var options = LandscapeOptions()
    (options.points, options.steps, options.threads) = (5, 30, 2)
    change(&options)
    return options
  }

  private func measure(_ options: LandscapeOptions) throws -> Landscape {
    try LandscapeMeasurement("\(folder)/a", "\(folder)/b", options).measure()
  }

  /// The evaluation of a run as `rigl evaluate` makes it.
  private func evaluation(_ name: String, onTraining: Bool = false) throws -> Evaluation {
    let saved = try SavedRun("\(folder)/\(name)", threads: 1)
    let data = try TrainingData.load(saved.configuration)
    return try saved.evaluate(onTraining ? data.train : data.test)
  }

  @Test(arguments: ["mlp", "one dense", "batch-norm"])
  func theEndsAreTheRuns(kind: String) throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    for (index, name) in ["a", "b"].enumerated() {
      try train(name, seed: UInt64(index + 3)) {
        if kind == "batch-norm" { shrink(&$0) }
        // Its layers have every position, the other's do not.
        if kind == "one dense", index == 1 { $0.method = .dense }
      }
    }
    let landscape = try measure(options())
    #expect(landscape.curves.map(\.path) == [.linear, .bezier])
    #expect([landscape.first, landscape.second] == ["a", "b"])
    for curve in landscape.curves {
      #expect(curve.points.map(\.t) == [0, 0.25, 0.5, 0.75, 1])
      for (point, name) in [(curve.points[0], "a"), (curve.points[4], "b")] {
        let test = try evaluation(name)
        let train = try evaluation(name, onTraining: true)
        #expect(abs(point.testLoss - test.loss) < 1e-6, "\(name): \(point.testLoss), \(test.loss)")
        #expect(abs(point.trainLoss - train.loss) < 1e-6)
        #expect(point.testAccuracy == test.accuracy && point.trainAccuracy == train.accuracy)
      }
    }
    // Along the way they are others.
    let curves = landscape.curves
    #expect(curves[0].points[2].trainLoss > curves[0].points[0].trainLoss)
    #expect(curves[1].points[2] != curves[0].points[2])
  }

  @Test(arguments: [false, true]) func bitsDependOnTheSeedAlone(hasBatchNorm: Bool) throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    for (name, seed) in [("a", UInt64(1)), ("b", 2)] {
      try train(name, seed: seed) {
        if hasBatchNorm { shrink(&$0) }
      }
    }
    let one = try measure(options { ($0.threads, $0.samples) = (1, 150) })
    for threads in [2, 3] {
      #expect(try measure(options { ($0.threads, $0.samples) = (threads, 150) }) == one)
    }
    let other = try measure(options { ($0.seed, $0.samples) = (1, 150) })
    #expect(other.curves[1] != one.curves[1])
    let whole = try measure(options())
    #expect(whole.curves[0].points[0] != one.curves[0].points[0])
  }

  /// A trained curve is lower than the straight line, and the more it is trained.
  @Test func trainingTheControlPointLowersTheCurve() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try train("a", seed: 1)
    try train("b", seed: 2)
    let measurement = try LandscapeMeasurement(
      "\(folder)/a", "\(folder)/b", options { $0.steps = 400 })
    #expect(measurement.connections.union > measurement.connections.first)
    #expect(
      measurement.connections.union
        <= measurement.connections.first + measurement.connections.second)
    #expect(measurement.samples == (600, 200))
    var calls: [Int] = []
    measurement.progress = { done, all in
      calls.append(done)
      #expect(all == 14)
    }
    let landscape = try measurement.measure()
    #expect(calls == Array(1...14))
    func mean(_ index: Int) -> Double {
      landscape.curves[index].points.reduce(0) { $0 + $1.trainLoss } / 5
    }
    #expect(mean(1) < 0.7 * mean(0), "\(mean(1)), \(mean(0))")
    let (line, curve) = (landscape.curves[0], landscape.curves[1])
    #expect(curve.barrier(\.trainLoss) < 0.3 * line.barrier(\.trainLoss))
  }

  /// The gradient by the control point, 2 t (1 − t) times that by the weights, is that of the loss on the
  /// curve, by finite differences.
  @Test(arguments: [0.3, 0.6]) func theControlPointsGradientIsThatOfTheNetwork(t: Double) throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    for (name, seed) in [("a", UInt64(1)), ("b", 2)] {
      try train(name, seed: seed) { ($0.activation, $0.epochs) = (.tanh, 1) }
    }
    let (a, b) = (try SavedRun("\(folder)/a"), try SavedRun("\(folder)/b"))
    let path = try PathModel(a, b, capacity: 50)
    let model = path.model
    let batch = Batch(for: model)
    try batch.fill(from: try TrainingData.load(a.configuration).train, 0..<50)
    let pass = Pass(pool: try ThreadPool(threads: 1), seed: 0)
    pass.isTraining = true
    let gradient = Tensor(shape: model.outputShape, capacity: 50, lanes: model.lanes)
    let outcome = BatchPredictions(capacity: 50, classes: model.outputs, lanes: model.lanes)
    func loss() throws -> Double {
      path.set(to: LandscapePath.bezier.mixture(at: t))
      return try CrossEntropy().evaluate(
        try model.forward(batch.inputs, pass), labels: batch.labels, gradient: gradient,
        outcome: outcome, pass: pass)
    }
    _ = try loss()
    try model.backward(gradient, pass)
    let slope = LandscapePath.controlSlope(at: t)
    var checked = 0
    for (parameter, control) in zip(model.parameters, path.controls) {
      let gradients = parameter.gradient.array()
      for index in stride(from: 0, to: control.count, by: max(control.count / 5, 1)) {
        let before = control.values[index]
        var losses: [Double] = []
        for step in [Float(0.02), -0.02] {
          control.values[index] = before + step
          losses.append(try loss())
        }
        control.values[index] = before
        let difference = (losses[0] - losses[1]) / 0.04
        let expected = slope * Double(gradients[index])
        #expect(abs(difference - expected) < 2e-3 * max(1, abs(expected)), "\(parameter.name)")
        if abs(expected) > 1e-3 { checked += 1 }
      }
    }
    #expect(checked > 5)
  }

  /// Between the ends batch-norm's averages are the means over a pass, whatever they were before.
  @Test func averagesAreThoseOfTheSamples() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    for (name, seed) in [("a", UInt64(1)), ("b", 1)] { try train(name, seed: seed, shrink) }
    // Between a run and itself lies the run, but for its averages.
    let line = try measure(options { $0.paths = [.linear] }).curves[0]
    let losses = line.points.map(\.trainLoss)
    #expect(losses[0] == losses[4])
    #expect(abs(losses[1] - losses[2]) < 1e-4 && abs(losses[2] - losses[3]) < 1e-4)
    #expect(losses[0] != losses[2])
  }

  @Test func runsThatCannotBeMixedSayWhy() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try train("a", seed: 1) { $0.epochs = 1 }
    for (expected, change) in [
      ("other networks: layer 3", { $0.hidden = [40, 20] }),
      ("other networks: layer 6 is none, and ReLU", { $0.hidden = [40, 30, 10] }),
      ("other losses", { $0.labelSmoothing = 0.1 }),
      ("other samples", { $0.trainSamples = 300 }),
      ("other samples", { $0.normalization = .none }),
    ] as [(String, (inout Configuration) -> Void)] {
      try? FileManager.default.removeItem(atPath: "\(folder)/b")
      try train("b", seed: 1) {
        $0.epochs = 1
        change(&$0)
      }
      let error = #expect(throws: RigLError.self) { try measure(options()) }
      #expect(error?.kind == .configuration, "\(expected): \(String(describing: error))")
      #expect(error?.what.contains("\(folder)/a and \(folder)/b") == true)
      #expect(error?.what.contains(expected) == true, "\(error?.what ?? "")")
    }
    for change in [
      { $0.points = 1 }, { $0.steps = 0 }, { $0.samples = 0 }, { $0.batchSize = 1 },
      { $0.learningRate = 0 }, { $0.learningRate = .nan },
    ] as [(inout LandscapeOptions) -> Void] {
      let error = #expect(throws: RigLError.self) { try measure(options(change)) }
      #expect(error?.kind == .configuration && error?.what.hasPrefix("--") == true)
    }
    let error = #expect(throws: RigLError.self) {
      try LandscapeMeasurement("\(folder)/a", "\(folder)/a", options { $0.learningRate = 1e5 })
        .measure()
    }
    #expect(error?.kind == .numerical && error?.hint?.contains("--learning-rate") == true)
  }
}
