import Foundation
import RigLCore
import Testing

/// An update that follows a weight step is made at the beginning of the next one: whoever looks at
/// the weights between two steps sees trained ones, and after the last step nothing moves.
@Suite struct PendingUpdateTests {
  /// What a method was asked to move.
  final class Log: @unchecked Sendable {
    var steps: [Int] = []
  }

  /// SET that says when.
  struct LoggedSET: TopologyMethod {
    let log: Log
    let timing = TopologyTiming.afterWeightStep
    func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
      log.steps.append(layer.step)
      try SET().move(count, in: layer)
    }
  }

  /// Looks at a training whenever it says something, and stops it at a step.
  private final class Watcher: TrainingCallback {
    let log: Log
    let end: Int
    var losses: [Double] = []
    /// Whether the step at which something was looked at had been updated already.
    var early: [Int] = []

    init(_ log: Log, end: Int = .max) {
      self.log = log
      self.end = end
    }

    func observe(_ event: TrainingEvent, in trainer: Trainer) -> TrainingDecision {
      let step = trainer.step.weightSteps
      switch event {
      case .batch(let report): losses.append(report.loss)
      case .epoch, .checkpoint: if log.steps.contains(step) { early.append(step) }
      default: break
      }
      return step >= end ? .stop : .proceed
    }
  }

  /// Four steps an epoch, twelve in all; updates are due at 4, 8 and 12.
  private static func configuration() -> Configuration {
    var configuration = Configuration()
    configuration.data = "synthetic"
    configuration.trainSamples = 60 + 20
    configuration.testSamples = 40
    configuration.validation = 20
    configuration.hidden = [30]
    configuration.batchSize = 16
    configuration.epochs = 3
    configuration.method = .set
    configuration.sparsity = 0.8
    configuration.layerSparsities = ["fc2": 0]
    configuration.updateBegin = 4
    configuration.updateInterval = 4
    configuration.updateForever = true
    configuration.annealing = .constant
    configuration.dropout = 0.1
    return configuration
  }

  private func trainer(
    _ configuration: Configuration, _ log: Log, output: String
  ) throws -> Trainer {
    var options = RunOptions(threads: 2, output: output)
    options.keep = 20
    return try Trainer(configuration, options: options, method: LoggedSET(log: log))
  }

  @Test func nothingMovesBeforeAnEvaluationNorAfterTheLastStep() throws {
    let folder = try TemporaryFolder()
    let log = Log()
    let watcher = Watcher(log)
    let trainer = try trainer(Self.configuration(), log, output: folder("run"))
    trainer.callbacks = [watcher]
    let result = try trainer.run()
    #expect(result.steps == 12)
    #expect(log.steps == [4, 8], "due at 4, 8 and 12, which is the end")
    #expect(
      watcher.early.isEmpty, "at \(watcher.early) connections had moved before they were seen")
    #expect(try trainer.evaluate(trainer.data.test) == result.test)
  }

  /// At step 4 and 8 an update is pending, at the others none is.
  @Test(arguments: [3, 4, 5, 8, 11]) func aKillIsWithoutEffect(end: Int) throws {
    let folder = try TemporaryFolder()
    let log = Log()
    let whole = Watcher(log)
    var trainer = try trainer(Self.configuration(), log, output: folder("whole"))
    trainer.callbacks = [whole]
    let expected = try trainer.run()

    let parts = Log()
    let (before, after) = (Watcher(parts, end: end), Watcher(parts))
    trainer = try self.trainer(Self.configuration(), parts, output: folder("parts"))
    trainer.callbacks = [before]
    #expect(try trainer.run().wasStopped)
    trainer = try self.trainer(Self.configuration(), parts, output: folder("parts"))
    trainer.callbacks = [after]
    let result = try trainer.resume(folder("parts"))
    #expect(parts.steps == log.steps)
    #expect(before.losses + after.losses == whole.losses)
    #expect(result.test == expected.test)
    let last = CheckpointStore(folder: "checkpoints").path(step: 12)
    #expect(
      try fileBytes(folder("whole/\(last)")) == fileBytes(folder("parts/\(last)")))
  }

  /// In a checkpoint of an earlier version the update at its step was made already: `lastUpdate`
  /// says so, and a resume does not make it twice.
  @Test func anUpdateThatACheckpointHasIsNotMadeAgain() throws {
    let folder = try TemporaryFolder()
    let log = Log()
    var trainer = try trainer(Self.configuration(), log, output: folder("run"))
    trainer.callbacks = [Watcher(log, end: 4)]
    _ = try trainer.run()
    let path = CheckpointStore(folder: folder("run/checkpoints")).path(step: 4)
    let file = try SafetensorsFile(path: path)
    var metadata = file.metadata.filter { $0.key != "rigl.crc32" }
    let state = try #require(metadata["state"])
    #expect(state.contains("\"lastUpdate\":-4"), "\(state)")
    metadata["state"] = state.replacingOccurrences(
      of: "\"lastUpdate\":-4", with: "\"lastUpdate\":4")
    let contents = try file.tensors.map { ($0.name, try file.bytes($0.name)) }
    var writer = try SafetensorsWriter(
      path: path, tensors: file.tensors, metadata: metadata, checksummed: true)
    for (name, bytes) in contents { try writer.append(bytes: unsafe bytes.span.bytes, to: name) }
    try writer.finish()

    log.steps = []
    trainer = try self.trainer(Self.configuration(), log, output: folder("run"))
    _ = try trainer.resume(folder("run"))
    #expect(log.steps == [8])
  }

  // MARK: - Keys

  /// Which positions are grown: those that the random numbers of the batches consumed before the
  /// step say, of all that are not kept; how many: by the learning rate of the step that begins.
  @Test(arguments: [1, 3]) func keysAreThoseOfTheStepThatBegins(accumulation: Int) throws {
    let (inputs, outputs, connections) = (20, 15, 60)
    let layer = SparseLinear("a", inputs: inputs, outputs: outputs)
    let model = try makeModel(layer, inputs: inputs, capacity: 8, connections: ["a": connections])
    model.draw(seed: 4, initializer: Initializer(.heUniform))
    var settings = TrainingStep.Settings()
    settings.method = SET()
    settings.schedule = UpdateSchedule(
      interval: 2, begin: 2, end: nil, initialFraction: 0.5, annealing: .learningRate)
    settings.accumulation = accumulation
    // The rate falls at every update.
    let rates = LearningRateSchedule(
      peak: 0.1, shape: .step(milestones: [2, 4, 6], factor: 0.5))
    let step = TrainingStep(
      model: model, loss: CrossEntropy(), optimizer: SGD(), learningRate: rates,
      settings: settings, pool: try ThreadPool(threads: 1), seed: 77)
    let batch = Batch(for: model)
    batch.inputs.set(randomValues(8 * inputs, seed: 2))
    batch.labels.count = 8
    let own = model.sparseLayers[0]
    var updates = 0
    for number in 0..<8 * accumulation {
      let (t, begins) = (step.weightSteps, number % accumulation == 0)
      let before = own.connectedPositions()
      let weights = own.dense(own.parameter.values)
      let report = try step.train(on: batch)
      guard begins, t >= 2, t % 2 == 0 else {
        #expect(report.dropFraction == nil && own.connectedPositions() == before)
        continue
      }
      updates += 1
      let fraction = 0.5 * rates.rate(at: t) / 0.1
      #expect(report.dropFraction == fraction, "step \(t)")
      let moved = UpdateSchedule.moved(of: connections, fraction: fraction)
      let kept = before.sorted {
        let (one, other) = (weights[$0].magnitude, weights[$1].magnitude)
        return one != other ? one > other : $0 < $1
      }.prefix(connections - moved)
      let candidates = (0..<inputs * outputs).filter { !kept.contains($0) }
      let random = CounterRandom(seed: 77, purpose: .growth, layer: 0, stream: UInt64(number))
      let ranks = random.sampleWithoutReplacement(count: moved, of: Int64(candidates.count))
      #expect(own.connectedPositions() == (kept + ranks.map { candidates[Int($0)] }).sorted())
    }
    #expect(updates == 3)
  }
}
