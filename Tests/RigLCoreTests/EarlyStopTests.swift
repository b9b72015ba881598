import RigLCore
import Testing

/// Trainings that a callback ends.
@Suite struct EarlyStopTests {
  private func trainer(_ path: String? = nil, _ callback: Watcher?) throws -> Trainer {
    let options = RunOptions(threads: 1, output: path)
    let trainer = try Trainer(
      CustomRunTests.configuration.changing { $0.hidden = [20] }, options: options,
      data: CustomRunTests.samples)
    trainer.callbacks = callback.map { [$0] } ?? []
    return trainer
  }

  @Test(arguments: [10, 13, 20]) func aStoppedTrainingHasItsFigures(step: Int) throws {
    let folder = try TemporaryFolder()
    let stopped = try trainer(folder("run"), Watcher(stopAt: step))
    let result = try stopped.run()
    #expect(result.wasStopped && result.steps == step)
    let run = try SavedRun(folder("run"))
    #expect(try result.test == run.evaluate(CustomRunTests.samples.test))
    let best = try SavedRun(folder("run"), best: true)
    #expect(try result.bestTest == best.evaluate(CustomRunTests.samples.test))
    #expect(result.best?.step == best.step)
    // The trainer holds the weights that it stopped with, and the run goes on as if nothing was.
    #expect(try stopped.evaluate(CustomRunTests.samples.test) == result.test)
    #expect(try !MetricsLog.rows(at: folder("run/metrics.csv")).contains { $0.split == .test })
    _ = try trainer(nil, nil).resume(folder("run"))
    _ = try trainer(folder("whole"), nil).run()
    let store = CheckpointStore(folder: folder("run/checkpoints"))
    let whole = CheckpointStore(folder: folder("whole/checkpoints"))
    #expect(try fileBytes(store.path(step: 30)) == fileBytes(whole.path(step: 30)))
  }

  /// Batches that are trained on by hand afterwards go on from there, bit for bit.
  @Test func theTrainerGoesOnByHand() throws {
    let folder = try TemporaryFolder()
    let stopped = try trainer(folder("run"), Watcher(stopAt: 17))
    _ = try stopped.run()
    let whole = try trainer(nil, nil)
    while whole.step.weightSteps < 17 { try whole.trainNextBatch() }
    for trainer in [stopped, whole] {
      while trainer.step.weightSteps < 29 { try trainer.trainNextBatch() }
    }
    #expect(
      try stopped.evaluate(CustomRunTests.samples.test)
        == whole.evaluate(CustomRunTests.samples.test))
  }

  @Test func anInterruptedOneHasNone() throws {
    let folder = try TemporaryFolder()
    let result = try trainer(folder("run"), Watcher(stopAt: 13, by: .interrupt)).run()
    #expect(result.wasStopped && result.test == nil && result.bestTest == nil && result.best == nil)
  }

  @Test func withoutAnEpochThereIsNoBest() throws {
    let folder = try TemporaryFolder()
    let result = try trainer(folder("run"), Watcher(stopAt: 0)).run()
    #expect(result.steps == 0 && result.test != nil && result.bestTest == nil && result.best == nil)
  }
}
