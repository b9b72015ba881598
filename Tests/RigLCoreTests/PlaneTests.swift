import RigLCore
import Testing

/// What convolutions promise beyond single cases: what they equal, and that neither threads nor
/// dead lanes reach the result.
@Suite struct PlaneTests {
  private func pass(threads: Int) throws -> Pass {
    let pass = Pass(pool: try ThreadPool(threads: threads), seed: 0)
    pass.isTraining = true
    return pass
  }

  // MARK: - What a convolution equals

  /// The product with its Toeplitz matrix, for batches on both sides of a group, odd sides at stride
  /// 2, and a kernel of 5 without padding.
  @Test(arguments: [8, 9, 19], [(3, 1, 1), (3, 2, 1), (5, 1, 0), (1, 2, 0), (5, 3, 2), (2, 2, 0)])
  func equalsItsToeplitzMatrix(samples: Int, sizes: (kernel: Int, stride: Int, padding: Int)) throws
  {
    let shape = SampleShape(channels: 5, height: 7, width: 9)
    let layer = SparseConv2d(
      "a", inputs: 5, outputs: 6, kernel: sizes.kernel, stride: sizes.stride,
      padding: sizes.padding)
    let model = try Model(
      Sequential(layer), input: shape, capacity: samples,
      connections: ["a": layer.inputs * layer.outputs / 3])
    model.draw(seed: 1, initializer: Initializer(.heNormal))
    let values = randomValues(shape.count * samples, seed: 2)
    let result = try model.forward(model.makeInput(values), pass(threads: 2)).values()
    let output = model.outputShape
    let weights = model.sparseLayers[0].dense(model.sparseLayers[0].parameter.values)
    var index = 0
    for sample in 0..<samples {
      for o in 0..<output.channels {
        for y in 0..<output.height {
          for x in 0..<output.width {
            // A row of the matrix: a weight wherever an input pixel is seen.
            var sum = 0.0
            for c in 0..<5 {
              for ky in 0..<sizes.kernel {
                for kx in 0..<sizes.kernel {
                  let (iy, ix) = (
                    y * sizes.stride - sizes.padding + ky, x * sizes.stride - sizes.padding + kx
                  )
                  guard iy >= 0, iy < 7, ix >= 0, ix < 9 else { continue }
                  let weight = weights[((o * 5 + c) * sizes.kernel + ky) * sizes.kernel + kx]
                  sum +=
                    Double(weight) * Double(values[sample * shape.count + (c * 7 + iy) * 9 + ix])
                }
              }
            }
            #expect((Double(result[index]) - sum).magnitude <= 1e-5 * max(1, sum.magnitude))
            index += 1
          }
        }
      }
    }
  }

  /// A dense convolution's output and gradients are those of a sparse one that has all its
  /// connections but one, on both sides of eight and sixteen channels, where kernels change.
  @Test(arguments: [
    (3, 1, 1, 8), (3, 1, 1, 9), (3, 2, 1, 17), (5, 3, 2, 33), (2, 2, 0, 16), (1, 2, 0, 20),
    (1, 1, 2, 12), (3, 1, 4, 12), (4, 3, 1, 10),
  ])
  func denseIsSparseWithAllConnections(
    kernel: Int, stride: Int, padding: Int, inputs: Int
  ) throws {
    let shape = SampleShape(channels: inputs, height: 9, width: 7)
    let positions = inputs * kernel * kernel * 13
    func results(_ layer: Conv2d, connections: Int) throws -> [Float] {
      // The layer before asks for the input's gradient.
      let first = DenseConv2d("z", inputs: inputs, outputs: inputs, kernel: 1)
      let model = try Model(
        Sequential(first, layer), input: shape, capacity: 11, connections: ["a": connections])
      for layer in model.weightLayers {
        let weights = randomValues(layer.inputs * layer.outputs, seed: 3)
        if let sparse = layer.connections {
          try sparse.setConnections(
            at: Array(0..<connections), weights: Array(weights.prefix(connections)))
        } else {
          for position in weights.indices {
            let isLeftOut = layer.name == "a" && position == positions - 1
            layer.weight.values[layer.place(of: position)] = isLeftOut ? 0 : weights[position]
          }
        }
      }
      model.weightsDidChange()
      let pass = try pass(threads: 2)
      let input = model.makeInput(randomValues(shape.count * 11, seed: 4))
      let output = try model.forward(input, pass)
      var results = output.values()
      let gradient = Tensor(shape: output.shape, capacity: 11, lanes: output.lanes)
      let values = randomValues(output.shape.count * 11, seed: 5)
      for sample in 0..<11 {
        for index in 0..<output.shape.count {
          gradient[sample, index] = values[sample * output.shape.count + index]
        }
      }
      try model.backward(gradient, pass)
      for layer in model.weightLayers {
        let all = layer.dense(layer.weight.gradient)
        results += layer.name == "a" ? Array(all.dropLast()) : all
      }
      return results
    }
    let (size, bias) = (13, true)
    let dense = try results(
      DenseConv2d(
        "a", inputs: inputs, outputs: size, kernel: kernel, stride: stride, padding: padding,
        bias: bias), connections: positions)
    let sparse = try results(
      SparseConv2d(
        "a", inputs: inputs, outputs: size, kernel: kernel, stride: stride, padding: padding,
        bias: bias), connections: positions - 1)
    #expect(dense.count == sparse.count)
    let largest = sparse.reduce(0) { max($0, $1.magnitude) }
    // Sums of up to 9 · 7 · 11 and 33 · 25 products in other orders.
    let apart = zip(dense, sparse).reduce(0) { max($0, ($1.0 - $1.1).magnitude) }
    #expect(apart <= 1e-5 * largest, "\(apart / largest)")
  }

  /// A depthwise convolution followed by a 1×1 is one convolution with the composed (CP) kernel.
  @Test(arguments: [1, 2]) func depthwiseAndPointwiseCompose(stride: Int) throws {
    let shape = SampleShape(channels: 6, height: 9, width: 8)
    let depthwise = DepthwiseConv2d("d", channels: 6, kernel: 3, stride: stride)
    let pointwise = SparseConv2d("p", inputs: 6, outputs: 7, kernel: 1)
    let two = try Model(
      Sequential(depthwise, pointwise), input: shape, capacity: 11, connections: ["p": 20])
    two.draw(seed: 1, initializer: Initializer(.heNormal))
    let composed = SparseConv2d("c", inputs: 6, outputs: 7, kernel: 3, stride: stride)
    let one = try Model(
      Sequential(composed), input: shape, capacity: 11, connections: ["c": 20 * 9])
    let weights = two.weightLayers
    let mixing = weights[1].dense(weights[1].weight.values)
    let mask = weights[1].mask().flatMap { [UInt8](repeating: $0, count: 9) }
    let kernel = weights[0].dense(weights[0].weight.values)
    try one.weightLayers[0].set(
      dense: (0..<7 * 6 * 9).map { mixing[$0 / 9] * kernel[$0 / 9 % 6 * 9 + $0 % 9] }, mask: mask)
    let values = randomValues(shape.count * 11, seed: 2)
    let pass = try pass(threads: 2)
    let expected = try two.forward(two.makeInput(values), pass).values()
    let result = try one.forward(one.makeInput(values), pass).values()
    let error = zip(expected, result).map { ($0 - $1).magnitude }.max() ?? 1
    #expect(error <= 1e-5)
  }

  // MARK: - What does not reach the result

  static let networks: [any Network] = [
    WRN(depth: 10, width: 1), MobileNetV1(multiplier: 0.125), ResNet(depth: 18, multiplier: 0.125),
    LeNet5(),
  ]

  /// Parameters and running averages after some steps with topology updates.
  private func train(_ network: any Network, threads: Int, dirty: Bool = false) throws -> [[Float]]
  {
    let shape = SampleShape(channels: 2, height: 32, width: 32)
    let layers = network.layers(input: shape, classes: 4)
    var connections: [String: Int] = [:]
    for layer in layers.weightLayers.dropFirst().dropLast() where layer.canBeSparse {
      connections[layer.name] = layer.inputs * layer.outputs / 5
    }
    let model = try Model(layers, input: shape, capacity: 24, connections: connections)
    model.draw(seed: 3, initializer: Initializer(.heNormal))
    var settings = TrainingStep.Settings()
    settings.method = RigL()
    settings.schedule = UpdateSchedule(
      interval: 2, begin: 2, end: nil, initialFraction: 0.3, annealing: .constant)
    let step = TrainingStep(
      model: model, loss: CrossEntropy(), optimizer: SGD(momentum: 0.9),
      learningRate: LearningRateSchedule(peak: 0.02, shape: .constant), settings: settings,
      pool: try ThreadPool(threads: threads), seed: 5)
    let batch = Batch(for: model)
    let samples = 19
    for number in 0..<5 {
      batch.inputs.samples = 24
      if dirty { for s in 0..<24 { for i in 0..<shape.count { batch.inputs[s, i] = 1e3 } } }
      batch.inputs.set(randomValues(shape.count * samples, seed: UInt64(number)))
      batch.labels.count = samples
      for sample in 0..<samples { batch.labels[sample] = (sample + number) % 4 }
      _ = try step.train(on: batch)
    }
    return model.parameters.map { $0.values.array() } + model.averages.map { $0.values.array() }
  }

  @Test(arguments: networks.indices) func threadsDoNotReachTheResult(index: Int) throws {
    let expected = try train(Self.networks[index], threads: 1)
    #expect(expected.allSatisfy { $0.allSatisfy(\.isFinite) })
    for threads in [2, 3] {
      let result = try train(Self.networks[index], threads: threads)
      #expect(result == expected, "\(Self.networks[index]), \(threads) threads")
    }
  }

  @Test(arguments: networks.indices) func deadLanesDoNotReachTheResult(index: Int) throws {
    let clean = try train(Self.networks[index], threads: 2)
    let dirty = try train(Self.networks[index], threads: 2, dirty: true)
    #expect(clean == dirty, "\(Self.networks[index])")
  }

  @Test func aSingleValueAChannelIsAnError() throws {
    let model = try Model(
      Sequential(
        SparseConv2d("a", inputs: 1, outputs: 2, kernel: 3, padding: 0),
        BatchNorm("n", channels: 2)), input: SampleShape(channels: 1, height: 3, width: 3),
      capacity: 1)
    #expect(throws: RigLError.self) { try model.forward(model.makeInput(), pass(threads: 1)) }
  }
}
