import Testing

@testable import RigLCore

/// Bias and ReLU of a sparse layer: on the sums' way out of the product, or afterwards.
@Suite struct RowEpilogueTests {
  /// The layer's output for `samples` samples, and relu(W x + b) in double.
  private func outputs(inputs: Int, samples: Int, isLarge: Bool) throws -> (
    layer: [Float], expected: [Double]
  ) {
    let outputs = 1100
    let layer = SparseLinear("a", inputs: inputs, outputs: outputs)
    let model = try Model(
      Sequential(layer, ReLU()), input: SampleShape(channels: inputs), capacity: samples,
      connections: ["a": inputs * outputs / 20])
    model.draw(seed: 3, initializer: Initializer(.heNormal))
    let bias = try #require(model.weightLayers[0].bias)
    for (index, value) in randomValues(outputs, seed: 4).enumerated() { bias.values[index] = value }
    let weights = model.sparseLayers[0]
    #expect(weights.forward.appliesEpilogues == (inputs < 1000))
    let x = randomValues(inputs * samples, seed: 5)
    let y = try model.forward(model.makeInput(x), Pass(pool: try ThreadPool(threads: 2), seed: 1))
    #expect(y.outgrowsCaches == isLarge)
    var sums = (0..<samples * outputs).map { Double(bias.values[$0 % outputs]) }
    weights.forEachConnection { _, position, storage in
      let (output, input) = (position / inputs, position % inputs)
      let value = Double(weights.parameter.values[storage])
      for sample in 0..<samples {
        sums[sample * outputs + output] += value * Double(x[sample * inputs + input])
      }
    }
    var result: [Float] = []
    for sample in 0..<samples {
      for output in 0..<outputs { result.append(y[sample, output]) }
    }
    return (result, sums.map { max($0, 0) })
  }

  /// Rows whose sums are complete at once, and rows in several blocks; outputs that caches hold, and
  /// outputs that are written past them.
  @Test(arguments: [(300, 70, false), (300, 1000, true), (1500, 70, false), (1500, 1000, true)])
  func outputIsTheEpilogueOfTheSum(inputs: Int, samples: Int, isLarge: Bool) throws {
    let (layer, expected) = try outputs(inputs: inputs, samples: samples, isLarge: isLarge)
    let error = zip(layer, expected).map { (Double($0) - $1).magnitude }.max() ?? 1
    #expect(error <= 1e-5)
    #expect(layer.contains(0) && layer.contains { $0 > 0 })
  }
}
