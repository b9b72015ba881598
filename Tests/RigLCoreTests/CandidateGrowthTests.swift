import RigLCore
import Testing

/// Growth by candidates: what is drawn, what is scored, and what is grown.
@Suite struct CandidateGrowthTests {
  /// Draws are independent, with probabilities as the weights: χ² of a table of 3 × 4 pairs.
  @Test func pairsAreDrawnByHowMuchGoesInAndOut() throws {
    let activity = GradientActivity(inputs: [1, 0, 2, 5], outputs: [3, 1, 4])
    var counts = [Int](repeating: 0, count: 12)
    let draws = 8_000
    for number in 0..<draws {
      let random = CounterRandom(seed: 7, purpose: .candidates, stream: UInt64(number))
      let one = CandidateDraws(1, by: activity, inputs: 4, random) { _, _ in }
      try #require(one.positions.count == 1)
      counts[Int(one.positions[0])] += 1
    }
    var deviation = 0.0
    for row in 0..<3 {
      for column in 0..<4 {
        let expected =
          Double(draws) * activity.outputs[row] / 8 * activity.inputs[column] / 8
        let count = counts[row * 4 + column]
        guard expected > 0 else {
          #expect(count == 0)
          continue
        }
        deviation += (Double(count) - expected) * (Double(count) - expected) / expected
      }
    }
    // Eight degrees of freedom: below 26.1 in 999 of 1000 cases.
    #expect(deviation < 26.1)
  }

  /// Within one update draws differ, and the taps of a channel are alike: χ² of many.
  @Test func tapsAreAlike() {
    let activity = GradientActivity(inputs: [1, 3], outputs: [1])
    var counts = [Int](repeating: 0, count: 18)
    for stream in 0..<8_000 {
      let random = CounterRandom(seed: 1, purpose: .candidates, stream: UInt64(stream))
      for position in CandidateDraws(1, by: activity, inputs: 18, random, keptColumns: { _, _ in })
        .positions
      {
        counts[Int(position)] += 1
      }
    }
    var deviation = 0.0
    for (position, count) in counts.enumerated() {
      let expected = 8_000 / 9.0 * (position < 9 ? 0.25 : 0.75)
      deviation += (Double(count) - expected) * (Double(count) - expected) / expected
    }
    #expect(deviation < 40.8, "17 degrees of freedom")
  }

  /// Kept connections and repetitions are left out; nothing is drawn of sums that are 0.
  @Test func candidatesAscendWithoutKeptConnections() {
    let activity = GradientActivity(
      inputs: (0..<50).map { Double($0 % 7) }, outputs: (0..<20).map { Double($0 % 3) })
    let kept = (0..<20).map { row in (0..<50).filter { ($0 + row) % 4 == 0 } }
    let random = CounterRandom(seed: 3, purpose: .candidates)
    let drawn = CandidateDraws(3000, by: activity, inputs: 50, random) { row, body in
      for column in kept[row] { body(column) }
    }.positions
    #expect(zip(drawn, drawn.dropFirst()).allSatisfy(<) && drawn.count > 200)
    for position in drawn {
      let (row, column) = Int(position).quotientAndRemainder(dividingBy: 50)
      #expect(!kept[row].contains(column) && column % 7 != 0 && row % 3 != 0)
    }
    for none in [
      GradientActivity(inputs: [0, 0], outputs: [1]), GradientActivity(inputs: [1], outputs: [0]),
    ] {
      #expect(CandidateDraws(9, by: none, inputs: 2, random) { _, _ in }.positions.isEmpty)
    }
  }

  /// Without candidates everything is grown at random, as by SET; with them what is grown is where most
  /// goes in and out.
  @Test(arguments: [0.0, 0.05, 1, 20]) func tooFewCandidatesAreFilledUpAtRandom(
    factor: Double
  ) throws {
    let configuration = MethodRunTests.configuration.changing {
      ($0.method, $0.candidates, $0.updateForever, $0.annealing) = (.gse, factor, true, .constant)
    }
    let trainer = try Trainer(configuration)
    let counts = trainer.model.sparseLayers.map(\.count)
    var moved = 0
    while trainer.step.weightSteps < 30 {
      let report = try trainer.trainNextBatch()
      guard let update = report.update else { continue }
      moved += update.moved
      for (layer, count) in zip(trainer.model.sparseLayers, counts) {
        let positions = layer.connectedPositions()
        #expect(layer.count == count && Set(positions).count == count)
        #expect(positions.allSatisfy { (0..<layer.positions).contains($0) })
      }
    }
    #expect(moved > counts.reduce(0, +) / 2)
  }

  /// Networks whose every kind of layer can be grown.
  static let networks = ["linear", "wide", "convolution", "strided", "residual"]

  func makeModel(_ name: String, _ activation: Activation = .relu) throws -> Model {
    let activate = activation.layer
    switch name {
    case "linear":
      return try RigLCoreTests.makeModel(
        SparseLinear("a", inputs: 30, outputs: 20), activate,
        SparseLinear("b", inputs: 20, outputs: 10), inputs: 30, capacity: 9,
        connections: ["a": 100, "b": 40])
    case "wide":
      return try RigLCoreTests.makeModel(
        SparseLinear("a", inputs: 40, outputs: 33), inputs: 40, capacity: 70,
        connections: ["a": 200])
    case "convolution", "strided":
      let stride = name == "strided" ? 2 : 1
      return try Model(
        Sequential(
          SparseConv2d("a", inputs: 3, outputs: 8, kernel: 3, stride: stride, padding: 1),
          activate, GlobalAveragePool(), SparseLinear("b", inputs: 8, outputs: 4)),
        input: SampleShape(channels: 3, height: 9, width: 7), capacity: 10,
        connections: ["a": 60, "b": 16])
    default:
      let network = WRN(depth: 10, width: 1, multiplier: 0.5, activation: activation)
      let layers = network.layers(
        input: SampleShape(channels: 3, height: 8, width: 8), classes: 4)
      var connections: [String: Int] = [:]
      for layer in layers.weightLayers {
        connections[layer.name] = max(4, layer.inputs * layer.outputs / 4)
      }
      return try Model(
        layers, input: SampleShape(channels: 3, height: 8, width: 8), capacity: 9,
        connections: connections)
    }
  }

  /// Gradients at candidates are those of the dense gradient, and activities those of a loop.
  @Test(arguments: networks, Configuration.ActivationKind.allCases) func gradientsAreTheDenseOnes(
    name: String, activation: Configuration.ActivationKind
  ) throws {
    for threads in [1, 2] { try check(name, activation.activation, threads: threads) }
  }

  private func check(_ name: String, _ activation: Activation, threads: Int) throws {
    let model = try makeModel(name, activation)
    model.draw(seed: 1, initializer: Initializer(.heNormal))
    let pass = Pass(pool: try ThreadPool(threads: threads), seed: 1)
    pass.isTraining = true
    let batch = Batch(for: model)
    batch.inputs.set(randomValues(model.inputShape.count * (model.capacity - 1), seed: 2))
    let logits = try model.forward(batch.inputs, pass)
    let gradient = Tensor(
      shape: model.outputShape, capacity: model.capacity, lanes: model.lanes)
    gradient.set(randomValues(model.outputShape.count * (model.capacity - 1), seed: 3))
    #expect(gradient.samples == logits.samples)
    let dense = try model.denseGradients(gradient, pass)
    _ = try model.forward(batch.inputs, pass)
    gradient.set(randomValues(model.outputShape.count * (model.capacity - 1), seed: 3))
    var checked = 0
    try model.backward(gradient, pass) { source in
      guard
        let index = model.sparseLayers.firstIndex(where: { $0 === source.connections })
      else { return }
      let (layer, expected) = (model.sparseLayers[index], dense[index])
      let positions = (0..<layer.positions).filter { $0 % 3 != 1 }.map(Int64.init)
      let found = source.gradients(at: positions, pass.pool)
      let largest = expected.map(\.magnitude).max() ?? 0
      #expect(found.count == positions.count)
      for (position, value) in zip(positions, found) {
        #expect(
          (value - expected[Int(position)]).magnitude <= 1e-5 * largest,
          "\(name), \(layer.name) at \(position)")
      }
      #expect(source.gradients(at: [], pass.pool).isEmpty)
      let activity = source.activity(pass.pool)
      #expect(layer.inputs % activity.inputs.count == 0)
      #expect(activity.outputs.count == layer.outputs)
      if name == "wide" {
        let inputs = batch.inputs.values()
        for input in 0..<40 {
          let sum = (0..<69).reduce(0.0) { $0 + Double(inputs[$1 * 40 + input].magnitude) }
          #expect(abs(sum - activity.inputs[input]) < 1e-3)
        }
      }
      checked += 1
    }
    #expect(checked == model.sparseLayers.count)
  }
}
