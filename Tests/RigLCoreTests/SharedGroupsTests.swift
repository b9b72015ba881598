import Testing

@testable import RigLCore

/// Threads that share out a batch's groups instead of the connections: of large batches, and of
/// smaller ones where the connections are the smaller part of what is read.
@Suite struct SharedGroupsTests {
  static let (inputs, outputs) = (1500, 1100)

  /// Gradients of a layer, ReLU after it, by `threads` threads: a batch's, added up twice.
  private func gradients(samples: Int, threads: Int) throws -> (
    model: Model, weight: [Float], bias: [Float], input: [Float]
  ) {
    let probe = Probe()
    let model = try Model(
      Sequential(
        probe, SparseLinear("a", inputs: Self.inputs, outputs: Self.outputs),
        ReLU()), input: SampleShape(channels: Self.inputs), capacity: samples,
      connections: ["a": 4000])
    model.draw(seed: 3, initializer: Initializer(.heNormal))
    let pass = Pass(pool: try ThreadPool(threads: threads), seed: 5)
    pass.isTraining = true
    _ = try model.forward(model.makeInput(Self.values(Self.inputs, samples)), pass)
    try model.backward(model.makeOutputGradient(Self.values(Self.outputs, samples)), pass)
    pass.accumulatesGradients = true
    _ = try model.forward(model.makeInput(Self.values(Self.inputs, samples)), pass)
    try model.backward(model.makeOutputGradient(Self.values(Self.outputs, samples)), pass)
    let layer = model.weightLayers[0]
    return (
      model, layer.weight.gradient.array(), layer.bias?.gradient.array() ?? [], probe.gradient
    )
  }

  private static func values(_ width: Int, _ samples: Int) -> [Float] {
    randomValues(width * samples, seed: UInt64(width))
  }

  @Test(arguments: [600, 128, 100])
  func sumsAreRightAndTheSameForAnyNumberOfThreads(samples: Int) throws {
    let (model, weight, bias, input) = try gradients(samples: samples, threads: 1)
    for threads in [2, 3] {
      let others = try gradients(samples: samples, threads: threads)
      #expect(
        others.weight == weight && others.bias == bias && others.input == input,
        "\(threads) threads")
    }
    let (x, dy) = (Self.values(Self.inputs, samples), Self.values(Self.outputs, samples))
    let layer = try #require(model.sparseLayers.first)
    // Which units are active, by the weights alone: biases are 0.
    var products = [Double](repeating: 0, count: samples * Self.outputs)
    layer.forEachConnection { _, position, storage in
      let (output, input) = (position / Self.inputs, position % Self.inputs)
      for sample in 0..<samples {
        products[sample * Self.outputs + output] +=
          Double(layer.parameter.values[storage]) * Double(x[sample * Self.inputs + input])
      }
    }
    func gradient(_ sample: Int, _ output: Int) -> Double {
      let place = sample * Self.outputs + output
      return products[place] > 0 ? Double(dy[place]) : 0
    }
    // Twice the batch; each of its terms rounds a few times on the way through its additions.
    let tolerance = 2 * Double(samples) * 6e-8 * 4
    var inputGradient = [Double](repeating: 0, count: samples * Self.inputs)
    layer.forEachConnection { _, position, storage in
      let (output, input) = (position / Self.inputs, position % Self.inputs)
      let value = Double(layer.parameter.values[storage])
      for sample in 0..<samples {
        inputGradient[sample * Self.inputs + input] += value * gradient(sample, output)
      }
      var (sum, scale) = (0.0, 0.0)
      for sample in 0..<samples {
        let term = 2 * gradient(sample, output) * Double(x[sample * Self.inputs + input])
        (sum, scale) = (sum + term, scale + term.magnitude)
      }
      #expect(
        (Double(weight[storage]) - sum).magnitude <= tolerance * max(scale / Double(samples), 1))
    }
    let error = zip(inputGradient, input).map { ($0 - Double($1)).magnitude }.max() ?? 1
    #expect(error <= 1e-5)
    for output in 0..<Self.outputs {
      let sum = (0..<samples).reduce(0.0) { $0 + 2 * gradient($1, output) }
      #expect((Double(bias[output]) - sum).magnitude <= tolerance)
    }
  }

  /// A smaller batch's groups are shared out only if that saves reading.
  @Test func connectionsAreSharedWhereTheyAreTheLargerPart() {
    func areShared(groups: Int, connections: Int) -> Bool {
      GroupBands(groups: groups, lanes: 32, channels: 2048, connections: connections).areShared
    }
    // Four groups of 1024 inputs are 512 KB: 65 536 connections, by 8 bytes each.
    #expect(areShared(groups: 4, connections: 65_535))
    #expect(!areShared(groups: 4, connections: 65_536))
    // Too few shares; enough of them whatever the connections.
    #expect(!areShared(groups: 3, connections: 100))
    #expect(areShared(groups: 64, connections: 1 << 20))
    for groups in [4, 5, 9, 15, 64] {
      let bands = GroupBands(groups: groups, lanes: 32, channels: 2048, connections: 100)
      let parts = (0..<bands.parts).map { bands.part($0) }
      #expect(parts.allSatisfy { !$0.isEmpty }, "\(groups) groups")
      #expect(parts.flatMap { $0 }.flatMap { bands[$0] } == Array(0..<groups))
    }
  }
}
