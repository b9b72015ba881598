import RigLCore
import Testing

/// What a stripped network is made of, on networks small enough to be worked out by hand.
@Suite struct StripTests {
  /// A layer's connections, each position and weight, and its bias.
  typealias Weights = (connections: [(Int, Float)], bias: [Float])

  private func model(
    _ layers: [any Layer], channels: Int, side: Int = 1, _ weights: [String: Weights],
    norms: [String: (beta: [Float], mean: [Float], variance: [Float])] = [:]
  ) throws -> Model {
    let described = Sequential(layers).weightLayers
    let counts = described.filter(\.canBeSparse).map {
      ($0.name, weights[$0.name]?.connections.count ?? 0)
    }
    let model = try Model(
      Sequential(layers), input: SampleShape(channels: channels, height: side, width: side),
      capacity: 2, connections: Dictionary(uniqueKeysWithValues: counts), isTraining: false)
    for layer in model.weightLayers {
      guard let own = weights[layer.name] else { continue }
      if let sparse = layer.connections {
        try sparse.setConnections(
          at: own.connections.map(\.0), weights: own.connections.map(\.1))
      } else {
        for (position, weight) in own.connections {
          layer.weight.values[layer.place(of: position)] = weight
        }
      }
      layer.setBias(own.bias)
    }
    for norm in model.normalizations {
      guard let own = norms[norm.layer.name] else { continue }
      for channel in own.beta.indices {
        norm.beta.values[channel] = own.beta[channel]
        norm.runningMean.values[channel] = own.mean[channel]
        norm.runningVariance.values[channel] = own.variance[channel]
      }
    }
    model.weightsDidChange()
    return model
  }

  /// Strips a model, and again what comes of it; logits are compared on random samples.
  private func strip(_ model: Model) throws -> StrippedNetwork {
    let stripped = try StrippedNetwork(of: model)
    try expectSameLogits(model, stripped.model)
    let again = try StrippedNetwork(of: stripped.model)
    #expect(again.report.isAsBefore)
    #expect(again.report.layers.map(\.shape) == stripped.report.layers.map(\.shape))
    try expectSameLogits(stripped.model, again.model)
    return stripped
  }

  private func shapes(_ stripped: StrippedNetwork) -> [[Int]] {
    stripped.report.layers.map(\.shape)
  }

  private func bias(_ name: String, _ stripped: StrippedNetwork) throws -> [Float]? {
    let layer = try #require(stripped.model.weightLayers.first { $0.name == name })
    return layer.bias.map { bias in (0..<bias.count).map { bias.values[$0] } }
  }

  // MARK: - Linear layers

  @Test func aChainOfDeadUnitsGoes() throws {
    let model = try model(
      [
        SparseLinear("a", inputs: 4, outputs: 3), ReLU(),
        SparseLinear("b", inputs: 3, outputs: 3), ReLU(), SparseLinear("c", inputs: 3, outputs: 2),
      ], channels: 4,
      [
        // Unit 0 of input 0, unit 1 of input 1, unit 2 of nothing: it is 0.5.
        "a": ([(0, 2), (5, 1)], [0.1, 0.2, 0.5]),
        // Unit 0 of 0, unit 1 of 1, unit 2 of 2: it is 3 − 4 · 0.5 = 1.
        "b": ([(0, 1), (4, 3), (8, -4)], [0.3, 0, 3]),
        // Nothing reads unit 1 of b, so nothing reads unit 1 of a, nor input 1.
        "c": ([(0, 1), (2, 5), (5, 2)], [0.25, -1]),
      ])
    let stripped = try strip(model)
    #expect(stripped.report.before.widths == "4-3-3")
    #expect(stripped.report.after.widths == "1-1-1")
    #expect(shapes(stripped) == [[1, 1], [1, 1], [2, 1]])
    #expect(stripped.report.layers.map(\.connections) == [1, 1, 1])
    // Class 0: 0.25 + 5 · 1; class 1: −1 + 2 · 1.
    #expect(try bias("c", stripped) == [5.25, 1])
    #expect(try bias("a", stripped) == [0.1])
    #expect(stripped.report.deadUnitsLeft == 0)
    #expect((stripped.model.layers.layers.first as? InputSelection)?.used == [0])
    // Three connections and four biases of 4 bytes; 1 + 1 + 2 positions, each a byte's at the least.
    #expect((stripped.report.after.flops, stripped.report.after.bytes) == (6, 12 + 16 + 3))
  }

  @Test func aNegativeConstantIsZeroAfterReLU() throws {
    let model = try model(
      [
        SparseLinear("a", inputs: 2, outputs: 2), ReLU(),
        SparseLinear("b", inputs: 2, outputs: 1, bias: false),
      ], channels: 2, ["a": ([(1, 1)], [0, -3]), "b": ([(1, 7)], [])])
    // b reads the constant alone, which is 0: no bias is needed, and no input.
    let stripped = try strip(model)
    #expect(shapes(stripped) == [[1, 1], [1, 1]])
    #expect(stripped.report.after.connections == 0)
    #expect(try bias("b", stripped) == nil)
    #expect(stripped.report.deadUnitsLeft == 1)
  }

  /// A unit without inputs is the function of its bias, which need not be 0 where that is.
  @Test(arguments: [
    (Activation.sigmoid, [Float(0.5), 0.017_986_21]), (.tanh, [0, -0.999_329_3]),
    (.leakyReLU(slope: 0.25), [0, -1]),
  ])
  func aConstantIsTheFunctionOfItsBias(activation: Activation, values: [Float]) throws {
    let model = try model(
      [
        SparseLinear("a", inputs: 2, outputs: 3), activation.layer,
        SparseLinear("b", inputs: 3, outputs: 1),
      ], channels: 2, ["a": ([(1, 1)], [0, 0, -4]), "b": ([(0, 1), (1, 6), (2, 2)], [1])])
    let stripped = try strip(model)
    #expect(shapes(stripped) == [[1, 1], [1, 1]])
    // Unit 1 is the function of 0, unit 2 that of −4.
    let expected = 1 + 6 * values[0] + 2 * values[1]
    let found = try #require(try bias("b", stripped))
    #expect(found.count == 1 && abs(found[0] - expected) <= 1e-6)
  }

  @Test func aLayerWithoutBiasesGetsThemForConstants() throws {
    let model = try model(
      [
        SparseLinear("a", inputs: 3, outputs: 2), ReLU(),
        SparseLinear("b", inputs: 2, outputs: 2, bias: false),
      ], channels: 3, ["a": ([(1, 1)], [0, 3]), "b": ([(0, 2), (3, 7)], [])])
    let stripped = try strip(model)
    #expect(try bias("b", stripped) == [0, 21])
    #expect(stripped.report.before.biases == 2 && stripped.report.after.biases == 3)
    #expect((stripped.model.layers.layers.first as? InputSelection)?.used == [1])
  }

  @Test func aNetworkThatIsCutInTwoIsItsConstants() throws {
    let model = try model(
      [
        SparseLinear("a", inputs: 5, outputs: 4), ReLU(), SparseLinear("b", inputs: 4, outputs: 3),
        ReLU(), SparseLinear("c", inputs: 3, outputs: 2),
      ], channels: 5,
      [
        "a": ([(0, 1), (6, 1)], [1, 1, 1, 1]), "b": ([], [2, -2, 0.5]),
        "c": ([(0, 1), (1, 1), (5, 4)], [0.5, 0]),
      ])
    let stripped = try strip(model)
    #expect(stripped.report.after.widths == "1-1-1")
    #expect(stripped.report.after.connections == 0)
    #expect(try bias("c", stripped) == [2.5, 2])
    #expect(stripped.model.liveUnits().widths == [0, 0, 0, 0])
  }

  @Test func whatIsWholeStaysAsItIs() throws {
    let model = try model(
      [SparseLinear("a", inputs: 2, outputs: 2), ReLU(), SparseLinear("b", inputs: 2, outputs: 2)],
      channels: 2, ["a": ([(0, 1), (3, 2)], [1, 1]), "b": ([(1, 1), (2, 1)], [0, 0])])
    let stripped = try strip(model)
    #expect(stripped.report.isAsBefore)
    #expect(!(stripped.model.layers.layers.first is InputSelection))
    for (layer, old) in zip(stripped.model.weightLayers, model.weightLayers) {
      #expect(layer.dense(layer.weight.values) == old.dense(old.weight.values))
    }
  }

  /// The published network: 408-100-69, 12.6 KFLOPs, 31 914 bytes.
  @Test func sizesAreCountedAsPublished() throws {
    let model = try Model(
      MLP(hidden: [100, 69]).layers(input: SampleShape(channels: 408), classes: 10),
      input: SampleShape(channels: 408), capacity: 1,
      connections: ["fc1": 4080, "fc2": 1517, "fc3": 690], isTraining: false)
    model.draw(seed: 1, initializer: Initializer(.heNormal))
    let size = try StrippedNetwork(of: model).report.before
    #expect(size.widths == "408-100-69")
    #expect((size.connections, size.biases) == (6287, 179))
    #expect((size.flops, size.bytes) == (12_574, 31_914))
  }

  // MARK: - Convolutions

  /// A channel without connections, of a constant, that a convolution reads.
  private func constantChannel(
    bias: Float, kernel: Int, stride: Int = 1, padding: Int
  ) throws -> Model {
    let taps = kernel * kernel
    // Channel 0 of b reads all of channel 1, and a tap of channel 0; channel 1 of b the latter.
    var second: [(Int, Float)] = [(0, 1)]
    for tap in 0..<taps { second.append((taps + tap, Float(tap + 1) / 8)) }
    second.append((2 * taps, -2))
    return try model(
      [
        SparseConv2d("a", inputs: 1, outputs: 2, kernel: 1, bias: true), ReLU(),
        SparseConv2d(
          "b", inputs: 2, outputs: 2, kernel: kernel, stride: stride, padding: padding),
        ReLU(), GlobalAveragePool(), SparseLinear("c", inputs: 2, outputs: 2),
      ], channels: 1, side: 5,
      ["a": ([(0, 1.5)], [0, bias]), "b": (second, []), "c": ([(0, 1), (3, 1)], [0, 0])])
  }

  @Test func aConstantStaysBeforeZerosAroundIt() throws {
    let stripped = try strip(try constantChannel(bias: 0.75, kernel: 3, padding: 1))
    #expect(shapes(stripped)[0] == [2, 1, 1, 1])
    #expect(stripped.report.isAsBefore)
    #expect(stripped.report.deadUnitsLeft == 1)
    // By the rule it is dead all the same.
    #expect(stripped.model.liveUnits().layers[0].outputs == 1)
  }

  @Test(arguments: [(3, 1), (3, 2), (1, 1), (1, 2)])
  func aConstantGoesIntoTheBiasWithoutZeros(kernel: Int, stride: Int) throws {
    let stripped = try strip(
      try constantChannel(bias: 0.75, kernel: kernel, stride: stride, padding: 0))
    #expect(shapes(stripped).prefix(2) == [[1, 1, 1, 1], [2, 1, kernel, kernel]])
    // The taps weigh 1/8, 2/8, … .
    let taps = kernel * kernel
    #expect(try bias("b", stripped) == [0.75 * Float(taps * (taps + 1) / 2) / 8, 0])
    #expect(stripped.report.deadUnitsLeft == 0)
  }

  @Test(arguments: [Float(-0.75), 0]) func zeroGoesBeforeZeros(bias: Float) throws {
    let stripped = try strip(try constantChannel(bias: bias, kernel: 3, padding: 1))
    #expect(shapes(stripped).prefix(2) == [[1, 1, 1, 1], [2, 1, 3, 3]])
    #expect(try self.bias("b", stripped) == nil)
  }

  @Test func batchNormMakesAConstantOfNothing() throws {
    let model = try model(
      [
        SparseConv2d("a", inputs: 3, outputs: 2, kernel: 3),
        BatchNorm("n", channels: 2, epsilon: 0),
        ReLU(), Pool2d(.maximum, kernel: 2), SparseConv2d("b", inputs: 2, outputs: 2, kernel: 1),
        BatchNorm("m", channels: 2, epsilon: 0), ReLU(), Flatten(),
        SparseLinear("c", inputs: 8, outputs: 2),
      ], channels: 3, side: 4,
      // Channel 1 of a has no connection: 0, and (0 + 2) / 4 + 0.25 = 0.75 after n.
      [
        "a": ([(4, 1), (18 + 3, -1)], []), "b": ([(0, 1), (1, 2), (3, 8)], []),
        "c": ([(0, 1), (7, 0.5), (10, 2), (12, 3)], [0, 0]),
      ],
      norms: [
        "n": ([0, 0.25], [0, -2], [1, 16]),
        // b's channel 1 is 8 · 0.75 = 6, and (6 − 2) / 2 + 1 = 3 after m.
        "m": ([0, 1], [0, 2], [1, 4]),
      ])
    let stripped = try strip(model)
    #expect(shapes(stripped) == [[1, 2, 3, 3], [1, 1, 1, 1], [2, 4]])
    #expect(try bias("b", stripped) == [1.5])
    // Values 4…7 of c were those of the constant channel: 0.5 · 3 for class 0, 3 · 3 for class 1.
    #expect(try bias("c", stripped) == [1.5, 9])
    #expect(stripped.report.after.inputs == 2)
    #expect((stripped.model.layers.layers.first as? InputSelection)?.used == [0, 2])
    #expect(stripped.model.normalizations.map(\.layer.channels) == [1, 1])
  }

  @Test(arguments: [0, 1]) func depthwiseChannelsFollowTheirOwn(padding: Int) throws {
    var (kernels, classes): ([(Int, Float)], [(Int, Float)]) = ([], [])
    for position in 0..<27 { kernels.append((position, Float(position % 5) - 1.5)) }
    for position in 0..<4 { classes.append((position, Float(position + 1))) }
    let model = try model(
      [
        SparseConv2d("a", inputs: 1, outputs: 3, kernel: 1, bias: true),
        DepthwiseConv2d("d", channels: 3, kernel: 3, padding: padding),
        BatchNorm("n", channels: 3), ReLU(),
        SparseConv2d("b", inputs: 3, outputs: 2, kernel: 1), GlobalAveragePool(),
        DenseLinear("c", inputs: 2, outputs: 2),
      ], channels: 1, side: 4,
      // Channel 0 depends on the input, 1 is a constant, 2 is 0.
      [
        "a": ([(0, 1)], [0, 0.5, 0]), "d": (kernels, []),
        "b": ([(0, 1), (4, 2), (5, 3)], []), "c": (classes, [0, 1]),
      ], norms: ["n": ([0, 0.25, 0.5], [0.5, 0, 0], [1, 2, 3])])
    let stripped = try strip(model)
    // Zeros around a constant make it none.
    let channels = padding == 0 ? 1 : 2
    #expect(
      shapes(stripped) == [
        [channels, 1, 1, 1], [channels, 1, 3, 3], [padding == 0 ? 1 : 2, channels, 1, 1],
        [2, padding == 0 ? 1 : 2],
      ])
  }

  // MARK: - Residual blocks

  /// A stem, a block whose shortcut is its input, and a classifier; all kernels 1×1.
  private func block(
    stem: [(Int, Float)], first: [(Int, Float)], second: [(Int, Float)], classes: [(Int, Float)],
    kernel: Int = 1
  ) throws -> Model {
    try model(
      [
        SparseConv2d("stem", inputs: 1, outputs: 2, kernel: 1, bias: true),
        Residual(
          main: [
            SparseConv2d("first", inputs: 2, outputs: 3, kernel: kernel), ReLU(),
            SparseConv2d("second", inputs: 3, outputs: 2, kernel: 1),
          ], activation: .relu),
        GlobalAveragePool(), SparseLinear("fc", inputs: 2, outputs: 2),
      ], channels: 1, side: 3,
      [
        "stem": (stem, [0.5, 0.25]), "first": (first, []), "second": (second, []),
        "fc": (classes, [0, 0]),
      ])
  }

  @Test func aChannelOfASumGoesWhereNothingNeedsIt() throws {
    // Channel 1 is 0.25 from the stem, and nothing is added: constant, and read by all.
    let constant = try strip(
      try block(
        stem: [(0, 1)], first: [(0, 1), (1, 2), (3, 1)], second: [(0, 1)],
        classes: [(0, 1), (3, 2)]))
    // first: unit 0 of both channels, unit 1 of channel 1 alone, which nothing reads.
    #expect(shapes(constant) == [[1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1], [2, 1]])
    #expect(try bias("first", constant) == [0.5])
    #expect(try bias("fc", constant) == [0, 0.5])
    // The same before zeros: the stem's constant has to stay, and with it the channel.
    let padded = try strip(
      try block(
        stem: [(0, 1)], first: [(0, 1), (9, 2), (27, 1)], second: [(0, 1)],
        classes: [(0, 1), (3, 2)], kernel: 3))
    #expect(shapes(padded) == [[2, 1, 1, 1], [1, 2, 3, 3], [2, 1, 1, 1], [2, 2]])
    // After the sum it is a constant that the classifier has in its bias.
    #expect(try bias("fc", padded) == [0, 0.5])
    #expect(padded.report.layers.map(\.connections) == [1, 2, 1, 1])
    // Unread after the sum and in the block, but made: it goes with all that makes it.
    let unread = try strip(
      try block(
        stem: [(0, 1), (1, 1)], first: [(0, 1), (2, 1)], second: [(0, 1), (4, 1)],
        classes: [(0, 1), (2, 1)]))
    #expect(shapes(unread) == [[1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1], [2, 1]])
  }

  @Test func aChannelOfASumStaysWhereOnePartIsNeeded() throws {
    // The block reads channel 1 of its input; nothing reads it after the sum.
    let before = try strip(
      try block(
        stem: [(0, 1), (1, 1)], first: [(1, 1)], second: [(0, 1), (3, 1)], classes: [(0, 1)]))
    #expect(shapes(before) == [[2, 1, 1, 1], [1, 2, 1, 1], [2, 1, 1, 1], [2, 2]])
    // What is added to it there is not needed, and goes.
    #expect(before.report.layers.map(\.connections) == [2, 1, 1, 1])
    // The classifier reads channel 1, which the block's second convolution makes.
    let after = try strip(
      try block(
        stem: [(0, 1)], first: [(0, 1)], second: [(3, 1)], classes: [(0, 1), (3, 1)]))
    #expect(shapes(after) == [[2, 1, 1, 1], [1, 2, 1, 1], [2, 1, 1, 1], [2, 2]])
    #expect(after.report.before.inputs == 1)
  }

  @Test func ownLayersAreRefused() throws {
    let model = try model(
      [Probe(), SparseLinear("a", inputs: 2, outputs: 2)], channels: 2, ["a": ([(0, 1)], [0, 0])])
    let error = rigLError { _ = try StrippedNetwork(of: model) }
    #expect(error?.kind == .configuration)
    #expect(error?.what.contains("Probe") == true)
  }
}

/// The largest distance of two models' logits on random samples, and the largest logit.
private func difference(_ one: Model, _ other: Model) throws -> (distance: Float, largest: Float) {
  var generator = SeededGenerator(seed: 3)
  let pass = Pass(pool: try ThreadPool(threads: 1), seed: 0)
  var (distance, largest) = (Float(0), Float(0))
  for _ in 0..<4 {
    let sample = (0..<one.inputShape.count).map { _ in Float.random(in: -1...2, using: &generator) }
    let logits = try [one, other].map { model in
      let input = model.makeInput()
      input.samples = 1
      input.set(sample)
      return try model.forward(input, pass).values(of: 0)
    }
    #expect(logits[0].count == logits[1].count)
    for (a, b) in zip(logits[0], logits[1]) {
      #expect(a.isFinite && b.isFinite)
      (distance, largest) = (max(distance, abs(a - b)), max(largest, abs(a)))
    }
  }
  return (distance, largest)
}

/// Expects the same logits, within 1e-5 of the largest.
func expectSameLogits(_ one: Model, _ other: Model) throws {
  let (distance, largest) = try difference(one, other)
  #expect(distance <= 1e-5 * largest, "\(distance) of \(largest)")
}
