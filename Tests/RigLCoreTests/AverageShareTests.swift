import RigLCore
import Testing

/// Batch-norm's running averages as a training pass changes them.
@Suite struct AverageShareTests {
  /// By a share of the samples seen before they are means over all batches, whatever they were.
  @Test func sharesMakeMeansOverBatches() throws {
    let shape = SampleShape(channels: 2, height: 4, width: 4)
    let model = try Model(
      Sequential(
        SparseConv2d("conv", inputs: 2, outputs: 3, kernel: 3), BatchNorm("norm", channels: 3),
        ReLU(),
        GlobalAveragePool(), SparseLinear("output", inputs: 3, outputs: 2)),
      input: shape, capacity: 24)
    model.draw(seed: 1, initializer: Initializer(.glorotUniform))
    let pass = Pass(pool: try ThreadPool(threads: 2), seed: 0)
    pass.isTraining = true
    let input = model.makeInput()
    /// The averages after a pass over a batch that is always the same for its number.
    func averages(_ number: Int, samples: Int, share: Double?) throws -> [Double] {
      input.samples = samples
      for sample in 0..<samples {
        try input.setValues(
          (0..<shape.count).map { Float(($0 * 7 + sample * 5 + number * 11) % 13) - 4 }, of: sample)
      }
      pass.averageShare = share
      _ = try model.forward(input, pass)
      return model.averages.flatMap { $0.values.array().map(Double.init) }
    }
    let first = try averages(1, samples: 24, share: 0)
    let second = try averages(2, samples: 8, share: 0)
    #expect(first != second)
    #expect(try averages(1, samples: 24, share: 0) == first)
    let both = try averages(2, samples: 8, share: 0.75)
    for (index, mean) in both.enumerated() {
      let expected = 0.75 * first[index] + 0.25 * second[index]
      #expect(abs(mean - expected) <= 1e-6 * max(1, abs(expected)))
    }
    // Without a share, they go by their own momentum.
    let own = try averages(1, samples: 24, share: nil)
    for (index, mean) in own.enumerated() {
      let momentum = BatchNorm("norm", channels: 3).momentum
      let expected = momentum * both[index] + (1 - momentum) * first[index]
      #expect(abs(mean - expected) <= 1e-6 * max(1, abs(expected)))
    }
  }
}
