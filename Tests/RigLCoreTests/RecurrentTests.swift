import RigLCore
import Testing

/// Windows of streams: what goes on from one to the next, and what a window's cut changes.
@Suite struct RecurrentTests {
  private static let inputs = 6
  private static let streams = 8

  private static func model(
    _ layer: any Layer, steps: Int, isTraining: Bool = true, variable: Set<String> = [],
    connections: [String: Int] = ["a.ih": 40, "a.hh": 31], storageBelow: Double = 0.75
  ) throws -> Model {
    let model = try Model(
      Sequential(layer), input: SampleShape(channels: inputs), capacity: steps * streams,
      connections: connections, variable: variable, storageBelow: storageBelow,
      isTraining: isTraining, streams: streams)
    model.draw(seed: 3, initializer: Initializer(.heNormal))
    for parameter in model.parameters where !parameter.decays {
      for index in 0..<parameter.count { parameter.values[index] = Float(index % 5) / 10 - 0.2 }
    }
    return model
  }

  private static func pass(threads: Int = 2, isTraining: Bool = true) throws -> Pass {
    let pass = Pass(pool: try ThreadPool(threads: threads), seed: 0)
    pass.pool.setPolicy(.always)
    pass.isTraining = isTraining
    return pass
  }

  /// The outputs for a window.
  private static func outputs(_ model: Model, _ values: [Float], _ pass: Pass) throws -> [Float] {
    try model.forward(model.makeInput(values), pass).values()
  }

  static let layers: [@Sendable () -> any Layer] = [
    { SparseGRU("a", inputs: inputs, hidden: 5) }, { SparseLSTM("a", inputs: inputs, hidden: 5) },
  ]

  /// One window of eight steps is windows of three, one and four, to the last bit.
  @Test(arguments: 0..<2, [true, false])
  func statesGoOnFromWindowToWindow(layer: Int, isTraining: Bool) throws {
    let pass = try Self.pass(isTraining: isTraining)
    let model = try Self.model(Self.layers[layer](), steps: 8, isTraining: isTraining)
    let length = Self.streams * Self.inputs
    let values = randomValues(8 * length, seed: 1)
    let whole = try Self.outputs(model, values, pass)
    model.resetStates()
    var parts: [Float] = []
    for window in [0..<3, 3..<4, 4..<8] {
      parts += try Self.outputs(
        model, Array(values[window.lowerBound * length..<window.upperBound * length]), pass)
    }
    #expect(parts == whole)
    // Without a new beginning it is another result.
    #expect(try Self.outputs(model, values, pass) != whole)
    model.resetStates()
    #expect(try Self.outputs(model, values, pass) == whole)
  }

  @Test(arguments: 0..<2) func aModelForPredictionHasTheSameBits(layer: Int) throws {
    let values = randomValues(4 * Self.streams * Self.inputs, seed: 1)
    let trained = try Self.outputs(
      Self.model(Self.layers[layer](), steps: 4), values, Self.pass())
    let predicted = try Self.outputs(
      Self.model(Self.layers[layer](), steps: 4, isTraining: false), values,
      Self.pass(isTraining: false))
    #expect(trained == predicted)
  }

  /// Streams do not see each other.
  @Test(arguments: 0..<2) func eachStreamIsByItself(layer: Int) throws {
    let pass = try Self.pass()
    let model = try Self.model(Self.layers[layer](), steps: 4)
    let values = randomValues(4 * Self.streams * Self.inputs, seed: 1)
    let whole = try Self.outputs(model, values, pass)
    var changed = values
    for step in 0..<4 {
      for stream in 0..<Self.streams where stream != 3 {
        for feature in 0..<Self.inputs {
          changed[(step * Self.streams + stream) * Self.inputs + feature] *= -1
        }
      }
    }
    model.resetStates()
    let other = try Self.outputs(model, changed, pass)
    for index in whole.indices {
      let isOwn = index / 5 % Self.streams == 3
      if isOwn { #expect(whole[index] == other[index]) }
    }
    #expect(whole != other)
  }

  /// Gradients have the same bits for any number of threads, and add up over batches.
  @Test(arguments: 0..<2) func gradientsDoNotDependOnThreads(layer: Int) throws {
    let values = randomValues(4 * Self.streams * Self.inputs, seed: 1)
    let weights = randomValues(4 * Self.streams * 5, seed: 2)
    func gradients(threads: Int, accumulates: Bool = false) throws -> [[Float]] {
      let pass = try Self.pass(threads: threads)
      let model = try Self.model(
        Self.layers[layer](), steps: 4, connections: ["a.ih": 40, "a.hh": 31])
      for round in 0..<(accumulates ? 2 : 1) {
        pass.accumulatesGradients = round > 0
        model.setStates()
        _ = try Self.outputs(model, values, pass)
        try model.backward(model.makeOutputGradient(weights), pass)
      }
      return model.parameters.map { $0.gradient.array() }
    }
    let one = try gradients(threads: 1)
    #expect(try gradients(threads: 3) == one)
    for (single, double) in zip(one, try gradients(threads: 2, accumulates: true)) {
      for (a, b) in zip(single, double) {
        #expect((2 * a - b).magnitude <= 1e-5 * (1 + b.magnitude))
      }
    }
  }

  /// Many connections in many slabs: those of a layer that is stored densely are those of a sparse one.
  @Test(arguments: 0..<2) func storagesAgree(layer: Int) throws {
    let (hidden, gates) = (130, layer == 0 ? 3 : 4)
    let make: () -> any Layer = {
      layer == 0
        ? SparseGRU("a", inputs: Self.inputs, hidden: hidden)
        : SparseLSTM("a", inputs: Self.inputs, hidden: hidden)
    }
    let count = gates * hidden * hidden * 9 / 10
    func run(variable: Set<String>, storageBelow: Double) throws -> [[Float]] {
      let model = try Self.model(
        make(), steps: 3, variable: variable, connections: ["a.hh": count],
        storageBelow: storageBelow)
      let values = randomValues(3 * Self.streams * Self.inputs, seed: 1)
      let outputs = try Self.outputs(model, values, Self.pass())
      try model.backward(
        model.makeOutputGradient(randomValues(outputs.count, seed: 2)), Self.pass())
      let weights = model.weightLayers[1]
      // Also what is stored where there is no connection: 0.
      let stored = weights.weight.gradient.array().reduce(0.0) { $0 + Double($1.magnitude) }
      return [
        [Float(stored)],
        outputs, weights.dense(weights.weight.gradient),
        try #require(weights.bias).gradient.array(),
      ]
    }
    let sparse = try run(variable: [], storageBelow: 0.75)
    for (a, b) in zip(sparse, try run(variable: ["a.hh"], storageBelow: 0.5)) {
      let scale = a.reduce(0) { max($0, $1.magnitude) }
      #expect(zip(a, b).allSatisfy { ($0 - $1).magnitude <= 1e-5 * scale })
    }
    for (a, b) in zip(sparse, try run(variable: ["a.hh"], storageBelow: 0.95)) { #expect(a == b) }
  }

  // MARK: - What a batch must be

  @Test(arguments: [(12, 24), (8, 20), (0, 8)])
  func streamsMustFitABatch(streams: Int, capacity: Int) throws {
    let error = try #require(throws: RigLError.self) {
      try Model(
        Sequential(SparseGRU("a", inputs: 6, hidden: 5)), input: SampleShape(channels: 6),
        capacity: capacity, streams: streams)
    }
    #expect(error.kind == .configuration && error.what.contains("\(streams) streams"))
  }

  @Test func aBatchHasWholeSteps() throws {
    let model = try Self.model(Self.layers[0](), steps: 4)
    let error = try #require(throws: RigLError.self) {
      try Self.outputs(model, randomValues(12 * Self.inputs, seed: 1), Self.pass())
    }
    #expect(error.kind == .data)
    #expect(error.what.contains("12 samples are not whole steps of 8 streams"))
  }
}
