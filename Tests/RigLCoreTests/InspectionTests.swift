import RigLCore
import Testing

/// Live and dead units, on networks small enough to be drawn by hand.
@Suite struct InspectionTests {
  private func model(
    _ layers: [any Layer], channels: Int, side: Int, connections: [String: Int]
  ) throws -> Model {
    try Model(
      Sequential(layers), input: SampleShape(channels: channels, height: side, width: side),
      capacity: 2, connections: connections, isTraining: false)
  }

  private func set(_ model: Model, _ positions: [String: [Int]]) throws {
    for layer in model.sparseLayers {
      let places = positions[layer.name] ?? []
      try layer.setConnections(at: places, weights: places.map { _ in 1 })
    }
  }

  @Test func aChannelIsDeadWithoutAPathOnEitherSide() throws {
    // 2 channels, to 3 by 3×3 (18 positions a row), to 4 by 1×1 (3 a row), to 5 classes.
    let model = try model(
      [
        SparseConv2d("a", inputs: 2, outputs: 3, kernel: 3), BatchNorm("bn", channels: 3), ReLU(),
        SparseConv2d("b", inputs: 3, outputs: 4, kernel: 1), ReLU(), GlobalAveragePool(),
        SparseLinear("c", inputs: 4, outputs: 5),
      ], channels: 2, side: 4, connections: ["a": 3, "b": 3, "c": 2])
    // a: channel 0 from input 0, channels 1 and 2 from input 0 too; nothing reads input 1.
    // b: reads channels 0 and 1, not 2; its channel 3 has nothing. c: reads channels 0 and 3 of b.
    try set(model, ["a": [4, 18, 36 + 8], "b": [0, 4, 6], "c": [0, 4 + 3]])
    let inspection = model.inspect()
    #expect(inspection.layers.map(\.shape) == [[3, 2, 3, 3], [4, 3, 1, 1], [5, 4]])
    // Channel 1 of a is read by one of b that nothing reads, and class 1 reads one that nothing makes:
    // a 0, b 0 and class 0 are what is left.
    #expect(inspection.layers.map(\.liveInputs) == [1, 1, 1])
    #expect(inspection.layers.map(\.liveUnits) == [1, 1, 1])
    #expect(inspection.layers.map(\.deadUnits) == [2, 3, 4])
    #expect((inspection.liveInputs, inspection.deadInputs) == (1, 1))
    #expect(inspection.connections == 8)
    #expect(inspection.layers[0].bytes == 3 * 8 + 4 * 8)
    #expect(inspection.layers[0].denseBytes == 4 * 54)
    #expect(model.liveHiddenUnits() == 2)
    #expect(model.liveUnits().widths == [1, 1, 1, 1])
  }

  @Test func aFlattenedChannelIsReadIfAnyOfItsPixelsIs() throws {
    let model = try model(
      [
        SparseConv2d("a", inputs: 1, outputs: 3, kernel: 1), Flatten(),
        SparseLinear("b", inputs: 12, outputs: 2),
      ], channels: 1, side: 2, connections: ["a": 2, "b": 2])
    // b reads pixel 3 of channel 0 and pixel 0 of channel 2, which has no connection.
    try set(model, ["a": [0, 1], "b": [3, 12 + 8]])
    #expect(model.inspect().layers.map(\.liveInputs) == [1, 1])
    #expect(model.inspect().layers.map(\.liveUnits) == [1, 1])
    #expect(model.liveHiddenUnits() == 1)
    try set(model, ["a": [0, 2], "b": [3, 12 + 8]])
    #expect(model.liveHiddenUnits() == 2)
  }

  @Test func unitsThatGoIntoASumAreReadByOthers() throws {
    let model = try model(
      [
        SparseConv2d("stem", inputs: 1, outputs: 2, kernel: 1),
        Residual(
          before: [BatchNorm("bn1", channels: 2), ReLU()],
          main: [
            SparseConv2d("conv1", inputs: 2, outputs: 2, kernel: 1), BatchNorm("bn2", channels: 2),
            ReLU(), SparseConv2d("conv2", inputs: 2, outputs: 2, kernel: 1),
          ], shortcut: [SparseConv2d("past", inputs: 2, outputs: 2, kernel: 1)]),
        BatchNorm("bn", channels: 2), ReLU(), GlobalAveragePool(),
        SparseLinear("fc", inputs: 2, outputs: 2),
      ], channels: 1, side: 2,
      connections: ["stem": 1, "conv1": 2, "conv2": 1, "past": 1, "fc": 1])
    // stem makes channel 1 only, which conv1 does not read but the shortcut does; conv1's channel 1
    // is not read by conv2; conv2 and the shortcut make channel 0, fc reads channel 1.
    try set(model, ["stem": [1], "conv1": [0, 2], "conv2": [0], "past": [1], "fc": [1]])
    let inspection = model.inspect()
    #expect(inspection.layers.map(\.name) == ["stem", "conv1", "conv2", "past", "fc"])
    #expect(inspection.layers.map(\.liveUnits) == [0, 0, 0, 0, 0])
    // Channel 0 of the sums is made and not read, channel 1 is read and not made.
    #expect(model.liveHiddenUnits() == 0)
    try set(model, ["stem": [1], "conv1": [0, 2], "conv2": [0], "past": [1], "fc": [0]])
    // stem 1 → past 0 → fc: nothing leads from the stem to conv1's channels.
    #expect(model.liveHiddenUnits() == 2)
    try set(model, ["stem": [1], "conv1": [1, 2], "conv2": [0], "past": [1], "fc": [0]])
    // And stem 1 → conv1 0 → conv2 0 → fc.
    #expect(model.liveHiddenUnits() == 4)
    #expect(model.inspect().layers.map(\.liveUnits) == [1, 1, 1, 1, 1])
    #expect(model.inspect().layers.map(\.liveInputs) == [1, 1, 1, 1, 1])
    // Without the shortcut's reading it, the stem's channel is dead.
    try set(model, ["stem": [1], "conv1": [0, 2], "conv2": [0], "past": [0], "fc": [1]])
    #expect(model.inspect().layers[0].liveUnits == 0)
  }

  /// A depthwise convolution joins each channel to itself alone.
  @Test func depthwiseChannelsAreLiveWithTheirOwn() throws {
    let model = try model(
      [
        SparseConv2d("a", inputs: 1, outputs: 3, kernel: 1),
        DepthwiseConv2d("b", channels: 3, kernel: 3), ReLU(),
        SparseConv2d("c", inputs: 3, outputs: 2, kernel: 1), ReLU(), GlobalAveragePool(),
        DenseLinear("d", inputs: 2, outputs: 2),
      ], channels: 1, side: 3, connections: ["a": 2, "c": 2])
    // a makes channels 0 and 1; c reads 1 into channel 0, and 2, which is not made, into channel 1.
    try set(model, ["a": [0, 1], "c": [1, 3 + 2]])
    #expect(model.liveHiddenUnits() == 3)
  }

  /// An own layer with weights is followed by its connections; one without, channel by channel if it
  /// says that it keeps them, and else every channel of its input is taken to be read.
  @Test(arguments: [true, false]) func ownLayersAreFollowed(keepsChannels: Bool) throws {
    let layers = Sequential(
      SparseConv1d("a", channels: 2, outputs: 3, kernel: 3), ReLU(),
      OwnPass(keepsChannels: keepsChannels), SparseConv1d("b", channels: 3, outputs: 4, kernel: 1),
      Flatten(), SparseLinear("c", inputs: 20, outputs: 2))
    let model = try Model(
      layers, input: SampleShape(channels: 2, height: 1, width: 5), capacity: 2,
      connections: ["a": 3, "b": 3, "c": 2], isTraining: false)
    // a: channels 0 and 1 of input 0, channel 2 of input 1. b: reads channels 0 and 1, its channel 2
    // has nothing. c: reads channels 0 and 2 of b.
    try set(model, ["a": [1, 6, 12 + 3], "b": [0, 4, 9], "c": [3, 20 + 11]])
    let live = model.liveUnits()
    #expect((live.inputs, live.allInputs) == (keepsChannels ? 1 : 2, 2))
    // Of a those that b's channel 0 reads; without a word on channels, all.
    #expect(live.layers.map(\.inputs) == [keepsChannels ? 1 : 2, 1, 1])
    #expect(live.layers.map(\.outputs) == [keepsChannels ? 1 : 3, 1, 1])
  }

  /// In random networks: as many as are left when units are removed one by one.
  @Test(arguments: 0..<20) func liveUnitsAreWhatIsLeft(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let widths = (0..<5).map { _ in Int.random(in: 2...9, using: &generator) }
    let layers = (0..<4).map {
      SparseLinear("\($0)", inputs: widths[$0], outputs: widths[$0 + 1], bias: false)
    }
    let connections = Dictionary(
      uniqueKeysWithValues: layers.map {
        ($0.name, Int.random(in: 1...max(1, $0.inputs * $0.outputs / 3), using: &generator))
      })
    let model = try Model(
      Sequential(layers), input: SampleShape(channels: widths[0]), capacity: 2,
      connections: connections, isTraining: false)
    model.draw(seed: seed, initializer: Initializer(.heNormal))
    var edges = model.sparseLayers.map { layer in
      layer.connectedPositions().map { ($0 / layer.inputs, $0 % layer.inputs) }
    }
    var live = widths.dropFirst().dropLast().map { [Bool](repeating: true, count: $0) }
    var changes = true
    while changes {
      changes = false
      for layer in live.indices {
        for unit in live[layer].indices where live[layer][unit] {
          let isJoined =
            edges[layer].contains { $0.0 == unit } && edges[layer + 1].contains { $0.1 == unit }
          guard !isJoined else { continue }
          live[layer][unit] = false
          edges[layer].removeAll { $0.0 == unit }
          edges[layer + 1].removeAll { $0.1 == unit }
          changes = true
        }
      }
    }
    #expect(model.liveHiddenUnits() == live.joined().count { $0 })
    let found = model.inspect()
    #expect(found.layers.dropLast().map(\.liveUnits) == live.map { $0.count { $0 } })
    #expect(found.layers.dropFirst().map(\.liveInputs) == live.map { $0.count { $0 } })
    let isReached = live.last.map { $0.contains(true) } ?? false
    #expect(found.liveInputs == (isReached ? Set(edges[0].map { $0.1 }).count : 0))
    #expect(found.layers[0].liveInputs == found.liveInputs)
    #expect(found.layers[3].liveUnits == Set(edges[3].map { $0.0 }).count)
  }

  @Test func aWholeNetworkCanBeLookedAt() throws {
    let network = WRN(depth: 10, width: 1, multiplier: 0.5)
    let input = SampleShape(channels: 3, height: 8, width: 8)
    let layers = network.layers(input: input, classes: 10)
    let allocation = try Configuration().changing { $0.sparsity = 0.9 }.allocate(
      layers.weightLayers)
    let counts = Dictionary(
      uniqueKeysWithValues: allocation.layers.map { ($0.name, $0.connections) })
    let model = try Model(
      layers, input: input, capacity: 1, connections: counts, isTraining: false)
    model.draw(seed: 1, initializer: Initializer(.glorotUniform))
    let inspection = model.inspect()
    #expect(inspection.connections == allocation.connections)
    #expect(inspection.positions == allocation.positions)
    for layer in inspection.layers {
      #expect(layer.liveUnits + layer.deadUnits == layer.shape[0])
      #expect(layer.shape.count == (layer.name == "fc" ? 2 : 4))
    }
  }
}

/// Hands its input on.
private struct OwnPass: Layer {
  let keepsChannels: Bool
  var takesPlanes: Bool { true }
  var fusing: Fusing { keepsChannels ? .keepsChannels : [] }

  func makeStage(_ site: StageSite) throws(RigLError) -> any Stage { try Probe().makeStage(site) }
}
