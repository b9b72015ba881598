import RigLCore
import Synchronization
import Testing

/// Samples for which there is no memory are not damaged: they end what asked for them.
@Suite struct SampleMemoryTests {
  /// Samples of which one finds no memory the first few times that it is asked for.
  private final class Starved: AugmentedDataset {
    let base = RandomSamples(count: 24, width: 8, classes: 3)
    let isReadAhead: Bool
    private let failures: Atomic<Int>

    init(isReadAhead: Bool, failures: Int) {
      self.isReadAhead = isReadAhead
      self.failures = Atomic(failures)
    }

    var count: Int { base.count }
    var sampleShape: SampleShape { base.sampleShape }
    var classes: Int { base.classes }
    func label(of sample: Int) -> Int { base.label(of: sample) }
    func write(
      _ sample: Int, in context: SampleContext, into values: inout MutableSpan<Float>
    ) throws(RigLError) {
      if sample == 5, failures.subtract(1, ordering: .relaxed).newValue >= 0 {
        throw RigLError(.memory, "sample 5: out of memory")
      }
      if sample == 6 { throw RigLError(.data, "sample 6 is damaged") }
      base.write(sample, into: &values)
    }
  }

  private func trainer(_ data: any Dataset) throws -> Trainer {
    var configuration = Configuration()
    configuration.hidden = [6]
    configuration.batchSize = 8
    configuration.method = .dense
    let options = RunOptions(threads: 2)
    return try Trainer(configuration, options: options, data: TrainingData(train: data, test: data))
  }

  private func weights(_ trainer: Trainer) -> [Float] {
    trainer.model.weightLayers.flatMap { $0.dense($0.weight.values) }
  }

  /// The batch is made again if it is asked for again, as if nothing had happened.
  @Test(arguments: [false, true]) func endsATrainingStep(isReadAhead: Bool) throws {
    func train(failures: Int) throws -> (errors: [RigLError], values: [Float]) {
      let trainer = try trainer(Starved(isReadAhead: isReadAhead, failures: failures))
      var errors: [RigLError] = []
      while trainer.step.weightSteps < 6 {
        do { try trainer.trainNextBatch() } catch { errors.append(error) }
      }
      return (errors, weights(trainer))
    }
    let (none, expected) = try train(failures: 0)
    let (errors, values) = try train(failures: 2)
    #expect(none.isEmpty && errors.map(\.kind) == [.memory, .memory])
    #expect(errors.allSatisfy { $0.what.contains("sample 5") } && values == expected)
  }

  @Test func endsAnEvaluation() throws {
    let model = try trainer(Starved(isReadAhead: false, failures: 0)).model
    let evaluator = try Evaluator(
      model: model, loss: CrossEntropy(), dataset: Starved(isReadAhead: false, failures: 1),
      pool: try ThreadPool(threads: 2))
    let error = #expect(throws: RigLError.self) { try evaluator.evaluate() }
    #expect(error?.kind == .memory)
    // One of 24 is damaged; which is more than may be.
    #expect(throws: RigLError.self) { try evaluator.evaluate() }
    #expect(evaluator.damaged.map(\.sample) == [6])
  }
}
