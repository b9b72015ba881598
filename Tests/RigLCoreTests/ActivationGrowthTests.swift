import RigLCore
import Testing

/// The gradients that connections are grown by, under every activation.
@Suite struct ActivationGrowthTests {
  /// What RigL grows by: gradients at every position of an MLP, against a replay in double precision.
  @Test(arguments: Configuration.ActivationKind.allCases)
  func growthSeesTheGradientOfTheDenseNetwork(kind: Configuration.ActivationKind) throws {
    let (f, samples, widths) = (kind.activation, 37, [12, 15, 11, 5])
    let layers = MLP(hidden: [15, 11], activation: f).layers(
      input: SampleShape(channels: 12), classes: 5)
    let model = try Model(
      layers, input: SampleShape(channels: 12), capacity: samples,
      connections: ["fc1": 60, "fc2": 50, "fc3": 20])
    model.draw(seed: 3, initializer: Initializer(.heNormal))
    for layer in model.weightLayers {
      layer.setBias(randomValues(layer.outputs, seed: 8).map { 0.3 * $0 })
    }
    let inputs = randomValues(samples * 12, seed: 1).map { 2 * $0 }
    let given = randomValues(samples * 5, seed: 2)
    let pass = Pass(pool: try ThreadPool(threads: 2), seed: 5)
    pass.isTraining = true
    _ = try model.forward(model.makeInput(inputs), pass)
    let found = try model.denseGradients(model.makeOutputGradient(given), pass)

    let weights = model.weightLayers.map { $0.dense($0.weight.values).map(Double.init) }
    let biases = model.weightLayers.map { $0.bias?.values.array().map(Double.init) ?? [] }
    var expected = zip(widths, widths.dropFirst()).map { [Double](repeating: 0, count: $0 * $1) }
    for sample in 0..<samples {
      var (values, sums) = (
        [inputs[sample * 12..<(sample + 1) * 12].map(Double.init)], [[Double]]()
      )
      for layer in 0..<3 {
        sums.append(
          (0..<widths[layer + 1]).map { row in
            (0..<widths[layer]).reduce(biases[layer][row]) {
              $0 + weights[layer][row * widths[layer] + $1] * values[layer][$1]
            }
          })
        values.append(sums[layer].map { layer < 2 ? f.exact($0) : $0 })
      }
      var delta = given[sample * 5..<(sample + 1) * 5].map(Double.init)
      for layer in [2, 1, 0] {
        let width = widths[layer]
        for (row, d) in delta.enumerated() {
          for column in 0..<width {
            expected[layer][row * width + column] += d * values[layer][column]
          }
        }
        guard layer > 0 else { continue }
        delta = (0..<width).map { column in
          let sum = delta.enumerated().reduce(0) {
            $0 + $1.element * weights[layer][$1.offset * width + column]
          }
          return sum * f.exactSlope(sums[layer - 1][column])
        }
      }
    }
    for (layer, (own, exact)) in zip(found, expected).enumerated() {
      let largest = exact.map(\.magnitude).max() ?? 0
      #expect(own.count == exact.count && largest > 0.1)
      for (position, (value, right)) in zip(own, exact).enumerated() {
        #expect(
          (Double(value) - right).magnitude <= 1e-5 * largest, "layer \(layer) at \(position)")
      }
    }
  }

  /// The same of convolutions, against the weights' gradients of the network with every connection.
  @Test(arguments: Configuration.ActivationKind.allCases, ["wrn", "resnet"])
  func growthOfConvolutionsSeesTheDenseGradient(
    kind: Configuration.ActivationKind, network: String
  ) throws {
    let f = kind.activation
    let built: any Network =
      network == "wrn"
      ? WRN(depth: 10, width: 1, multiplier: 0.5, activation: f)
      : ResNet(depth: 18, multiplier: 0.0625, activation: f)
    let input = SampleShape(channels: 3, height: 16, width: 16)
    let layers = built.layers(input: input, classes: 4)
    let counts = Dictionary(
      uniqueKeysWithValues: layers.weightLayers.map {
        ($0.name, max(4, $0.inputs * $0.outputs / 3))
      })
    let sparse = try Model(layers, input: input, capacity: 6, connections: counts)
    sparse.draw(seed: 1, initializer: Initializer(.heNormal))
    let whole = try Model(
      built.layers(input: input, classes: 4), input: input, capacity: 6)
    whole.draw(seed: 1, initializer: Initializer(.heNormal))
    for (one, other) in zip(sparse.weightLayers, whole.weightLayers) {
      try other.set(dense: one.dense(one.weight.values))
    }
    whole.weightsDidChange()
    let pass = Pass(pool: try ThreadPool(threads: 2), seed: 1)
    pass.isTraining = true
    let (values, given) = (randomValues(6 * input.count, seed: 4), randomValues(24, seed: 5))
    _ = try sparse.forward(sparse.makeInput(values), pass)
    let found = try sparse.denseGradients(sparse.makeOutputGradient(given), pass)
    _ = try whole.forward(whole.makeInput(values), pass)
    try whole.backward(whole.makeOutputGradient(given), pass)
    for (own, layer) in zip(found, whole.weightLayers) {
      let exact = layer.dense(layer.weight.gradient)
      let largest = exact.map(\.magnitude).max() ?? 0
      #expect(own.count == exact.count)
      for (position, (value, right)) in zip(own, exact).enumerated() {
        #expect(
          (value - right).magnitude <= 2e-5 * max(largest, 1e-3), "\(layer.name) at \(position)")
      }
    }
  }

  /// How much goes into a convolution is counted after its activation.
  @Test(arguments: Configuration.ActivationKind.allCases) func activityIsOfWhatIsRead(
    kind: Configuration.ActivationKind
  ) throws {
    let input = SampleShape(channels: 3, height: 7, width: 6)
    func layers() -> [any Layer] {
      [SparseConv2d("a", inputs: 3, outputs: 5, kernel: 3, padding: 1), kind.activation.layer]
    }
    let connections = ["a": 40, "b": 30]
    let model = try Model(
      Sequential(
        layers() + [SparseConv2d("b", inputs: 5, outputs: 2, kernel: 3), GlobalAveragePool()]),
      input: input, capacity: 9, connections: connections)
    model.draw(seed: 2, initializer: Initializer(.heNormal))
    let first = try Model(
      Sequential(layers()), input: input, capacity: 9, connections: ["a": 40], isTraining: false)
    first.draw(seed: 2, initializer: Initializer(.heNormal))
    let pass = Pass(pool: try ThreadPool(threads: 1), seed: 1)
    let values = randomValues(9 * input.count, seed: 3)
    let read = try first.forward(first.makeInput(values), pass).values()
    pass.isTraining = true
    _ = try model.forward(model.makeInput(values), pass)
    try model.backward(model.makeOutputGradient(randomValues(18, seed: 4)), pass) { source in
      guard source.connections.name == "b" else { return }
      for (channel, sum) in source.activity(pass.pool).inputs.enumerated() {
        let own = (0..<9 * 42).map { read[($0 / 42 * 5 + channel) * 42 + $0 % 42] }
        let expected = own.reduce(0.0) { $0 + Double($1.magnitude) }
        #expect(abs(sum - expected) <= 1e-5 * expected, "channel \(channel)")
      }
    }
  }
}
