import RigLCore
import Testing

/// Batches of so many groups that threads share out the batch instead of the connections.
@Suite struct LargeBatchGradientTests {
  static let (inputs, outputs, samples) = (1500, 1100, 600)

  /// Gradients of a layer, ReLU after it, by `threads` threads: a batch's, added up twice.
  private func gradients(threads: Int) throws -> (
    model: Model, weight: [Float], bias: [Float], input: [Float]
  ) {
    let probe = Probe()
    let model = try Model(
      Sequential(
        probe, SparseLinear("a", inputs: Self.inputs, outputs: Self.outputs),
        ReLU()), input: SampleShape(channels: Self.inputs), capacity: Self.samples,
      connections: ["a": 4000])
    model.draw(seed: 3, initializer: Initializer(.heNormal))
    let pass = Pass(pool: try ThreadPool(threads: threads), seed: 5)
    pass.isTraining = true
    _ = try model.forward(model.makeInput(Self.values(Self.inputs)), pass)
    try model.backward(model.makeOutputGradient(Self.values(Self.outputs)), pass)
    pass.accumulatesGradients = true
    _ = try model.forward(model.makeInput(Self.values(Self.inputs)), pass)
    try model.backward(model.makeOutputGradient(Self.values(Self.outputs)), pass)
    let layer = model.weightLayers[0]
    return (
      model, layer.weight.gradient.array(), layer.bias?.gradient.array() ?? [], probe.gradient
    )
  }

  private static func values(_ width: Int) -> [Float] {
    randomValues(width * samples, seed: UInt64(width))
  }

  @Test func sumsAreRightAndTheSameForAnyNumberOfThreads() throws {
    let (model, weight, bias, input) = try gradients(threads: 1)
    for threads in [2, 3] {
      let others = try gradients(threads: threads)
      #expect(
        others.weight == weight && others.bias == bias && others.input == input,
        "\(threads) threads")
    }
    let (x, dy) = (Self.values(Self.inputs), Self.values(Self.outputs))
    let layer = try #require(model.sparseLayers.first)
    // Which units are active, by the weights alone: biases are 0.
    var products = [Double](repeating: 0, count: Self.samples * Self.outputs)
    layer.forEachConnection { _, position, storage in
      let (output, input) = (position / Self.inputs, position % Self.inputs)
      for sample in 0..<Self.samples {
        products[sample * Self.outputs + output] +=
          Double(layer.parameter.values[storage]) * Double(x[sample * Self.inputs + input])
      }
    }
    func gradient(_ sample: Int, _ output: Int) -> Double {
      let place = sample * Self.outputs + output
      return products[place] > 0 ? Double(dy[place]) : 0
    }
    // Twice the batch; each of its terms rounds a few times on the way through 600 additions.
    let tolerance = 1200 * 6e-8 * 4.0
    var inputGradient = [Double](repeating: 0, count: Self.samples * Self.inputs)
    layer.forEachConnection { _, position, storage in
      let (output, input) = (position / Self.inputs, position % Self.inputs)
      let value = Double(layer.parameter.values[storage])
      for sample in 0..<Self.samples {
        inputGradient[sample * Self.inputs + input] += value * gradient(sample, output)
      }
      var (sum, scale) = (0.0, 0.0)
      for sample in 0..<Self.samples {
        let term = 2 * gradient(sample, output) * Double(x[sample * Self.inputs + input])
        (sum, scale) = (sum + term, scale + term.magnitude)
      }
      #expect((Double(weight[storage]) - sum).magnitude <= tolerance * max(scale / 600, 1))
    }
    let error = zip(inputGradient, input).map { ($0 - Double($1)).magnitude }.max() ?? 1
    #expect(error <= 1e-5)
    for output in 0..<Self.outputs {
      let sum = (0..<Self.samples).reduce(0.0) { $0 + 2 * gradient($1, output) }
      #expect((Double(bias[output]) - sum).magnitude <= tolerance)
    }
  }
}
