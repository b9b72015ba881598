import RigLCore
import Synchronization
import Testing

/// A step over several batches is a step over all their samples, wherever batches are smaller: at
/// the end of an epoch, and where samples are damaged.
@Suite struct AccumulationTests {
  /// Samples of which some cannot be read.
  private struct Damageable: AugmentedDataset {
    let base: RandomSamples
    let damaged: Set<Int>

    var count: Int { base.count }
    var sampleShape: SampleShape { base.sampleShape }
    var classes: Int { base.classes }
    let isReadAhead = false
    func label(of sample: Int) -> Int { base.label(of: sample) }
    func write(
      _ sample: Int, in context: SampleContext, into values: inout MutableSpan<Float>
    ) throws(RigLError) {
      guard !damaged.contains(sample) else { throw RigLError(.data, "sample \(sample) is damaged") }
      base.write(sample, into: &values)
    }
  }

  private func weights(
    _ data: any Dataset, batch: Int, accumulation: Int, steps: Int
  ) throws -> (numbers: [Float], norms: [Double]) {
    var configuration = Configuration()
    configuration.hidden = [30]
    configuration.batchSize = batch
    configuration.accumulation = accumulation
    configuration.method = .static
    configuration.sparsity = 0.5
    configuration.clipNorm = 0.5
    configuration.learningRate = 0.5
    configuration.schedule = .constant
    let options = RunOptions(threads: 1)
    let trainer = try Trainer(
      configuration, options: options, data: TrainingData(train: data, test: data))
    var norms: [Double] = []
    while trainer.step.weightSteps < steps {
      let report = try trainer.trainNextBatch()
      if let norm = report.gradientNorm { norms.append(norm) }
    }
    return (
      trainer.model.weightLayers.flatMap {
        $0.dense($0.weight.values) + ($0.bias?.values.array() ?? [])
      }, norms
    )
  }

  private func compare(_ data: any Dataset, steps: Int) throws {
    // One epoch a step: 24 samples at once, or in batches of 7, 7, 7 and 3.
    let whole = try weights(data, batch: 24, accumulation: 1, steps: steps)
    let parts = try weights(data, batch: 7, accumulation: 4, steps: steps)
    for (one, other) in zip(whole.numbers, parts.numbers) {
      #expect((one - other).magnitude <= 1e-5, "\(one), \(other)")
    }
    for (one, other) in zip(whole.norms, parts.norms) {
      #expect((one - other).magnitude <= 1e-5 * one, "\(one), \(other)")
    }
    #expect(whole.norms.count == steps && parts.norms.count == steps)
  }

  @Test func theLastBatchOfAnEpochIsSmaller() throws {
    try compare(RandomSamples(count: 24, width: 12, classes: 4), steps: 5)
  }

  @Test func damagedSamplesAreLeftOut() throws {
    let samples = RandomSamples(count: 24, width: 12, classes: 4)
    try compare(Damageable(base: samples, damaged: [3, 4, 5, 11, 20]), steps: 5)
  }
}
