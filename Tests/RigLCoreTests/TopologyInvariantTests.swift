import RigLCore
import Testing

/// What every update of every layer keeps true, on random shapes over many updates.
@Suite struct TopologyInvariantTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var seed: UInt64
    var isRigL: Bool
    var usesAdam: Bool
    var testDescription: String {
      "seed \(seed), \(isRigL ? "RigL" : "SET"), \(usesAdam ? "Adam" : "SGD")"
    }
  }

  static let cases = (1...6).flatMap { seed in
    [(true, true), (true, false), (false, true), (false, false)].map {
      Case(seed: seed, isRigL: $0.0, usesAdam: $0.1)
    }
  }

  @Test(arguments: cases) func updatesKeepWhatTheyMust(_ one: Case) throws {
    var generator = SeededGenerator(seed: one.seed)
    let widths = (0..<3).map { _ in Int.random(in: 1...40, using: &generator) }
    let connections = (0..<2).map {
      Int.random(in: 1...widths[$0] * widths[$0 + 1], using: &generator)
    }
    let watch = Probe()
    let model = try makeModel(
      watch, SparseLinear("a", inputs: widths[0], outputs: widths[1]), ReLU(),
      SparseLinear("b", inputs: widths[1], outputs: widths[2]), inputs: widths[0], capacity: 40,
      connections: ["a": connections[0], "b": connections[1]])
    model.draw(seed: one.seed, initializer: Initializer(.heNormal))
    let log = UpdateLog()
    var settings = TrainingStep.Settings()
    settings.method =
      one.isRigL ? Observed(method: RigL(), log: log) : Observed(method: SET(), log: log)
    settings.schedule = UpdateSchedule(
      interval: Int.random(in: 1...3, using: &generator), end: nil,
      initialFraction: Double.random(in: 0.1...1, using: &generator), annealing: .constant)
    let step = TrainingStep(
      model: model, loss: CrossEntropy(),
      optimizer: one.usesAdam ? Adam() : SGD(momentum: 0.9),
      learningRate: LearningRateSchedule(peak: 0.01), settings: settings,
      pool: try ThreadPool(threads: 2), seed: one.seed)
    log.optimizer = step.optimizer
    func layers() -> [Snapshot] { log.before.map { Snapshot($0.weights, step.optimizer) } }
    // SET's update comes before the forward pass, and a weight step after it.
    var updated: [Snapshot] = []
    watch.watch.onForward = { updated = layers() }
    // It holds the step, whose model holds the watch.
    defer { watch.watch.onForward = {} }

    let batch = Batch(for: model)
    for number in 0..<30 {
      log.before = []
      batch.inputs.set(randomValues(widths[0] * 40, seed: one.seed * 1000 + UInt64(number)))
      batch.labels.count = 40
      for sample in 0..<40 { batch.labels[sample] = sample % widths[2] }
      let report = try step.train(on: batch)
      #expect(report.dropFraction != nil || log.before.isEmpty)
      for (before, after) in zip(log.before, one.isRigL ? layers() : updated) {
        try check(before, after, fraction: report.dropFraction)
      }
      #expect(one.isRigL || updated.count == log.before.count)
    }
    try #require(log.updates > 0 || connections.allSatisfy { $0 <= 10 })
    for layer in model.weightLayers { try compareWithFreshLayer(layer) }
  }

  /// Counts, order, and where weights and slots went.
  private func check(_ before: Snapshot, _ after: Snapshot, fraction: Double?) throws {
    let weights = before.weights
    #expect(after.positions.count == weights.count, "the number of connections never changes")
    #expect(
      zip(after.positions, after.positions.dropFirst()).allSatisfy { $0 < $1 },
      "positions increase")
    #expect(after.positions.allSatisfy { 0 <= $0 && $0 < weights.positions })
    #expect(weights.outputDegrees().reduce(0, +) == weights.count)
    #expect(weights.inputDegrees().reduce(0, +) == weights.count)
    for (position, numbers) in after.numbers {
      let expected = before.numbers[position] ?? numbers.map { _ in 0 }
      #expect(
        numbers == expected,
        """
        position \(position): \(numbers), expected \(expected): a new connection starts at zero, \
        any other keeps its weight and slots
        """)
    }
    // Whatever was dropped and not grown again had no larger magnitude than what was kept.
    let moved = UpdateSchedule.moved(of: weights.count, fraction: try #require(fraction))
    let ranked = before.numbers.sorted { first, second in
      let (one, other) = (first.value[0].magnitude, second.value[0].magnitude)
      return one != other ? one > other : first.key < second.key
    }
    for (position, _) in ranked.prefix(weights.count - moved) {
      #expect(after.numbers[position] != nil, "position \(position) is among the largest: kept")
    }
  }

  /// The lists that updates have rebuilt in place are those of a new layer.
  private func compareWithFreshLayer(_ layer: LayerWeights) throws {
    guard let connections = layer.connections else { return }
    let positions = connections.connectedPositions()
    let fresh = SparseLinear("fresh", inputs: layer.inputs, outputs: layer.outputs, bias: false)
    let old = SparseLinear("old", inputs: layer.inputs, outputs: layer.outputs, bias: false)
    var outputs: [[Float]] = []
    let values = connections.inPositionOrder(layer.weight.values).array()
    for copy in [fresh, old] {
      let model = try makeModel(
        copy, inputs: layer.inputs, capacity: 33, connections: [copy.name: positions.count])
      let own = try #require(model.sparseLayers.first)
      if copy.name == "old" {  // another topology first
        try own.setConnections(at: Array(0..<positions.count), weights: values)
      }
      try own.setConnections(at: positions, weights: values)
      #expect(own.connectedPositions() == positions)
      let pass = Pass(pool: try ThreadPool(threads: 1), seed: 0)
      let input = model.makeInput(randomValues(layer.inputs * 33, seed: 3))
      outputs.append(try model.forward(input, pass).values())
      #expect(own.inPositionOrder(own.parameter.values).array() == values)
      // The same arrays in memory too: storage order is a function of the topology.
      #expect(own.parameter.values.array() == layer.weight.values.array())
    }
    #expect(outputs[0] == outputs[1])
  }
}

/// A layer's connections: each position's weight and slots.
struct Snapshot {
  let weights: SparseWeights
  let positions: [Int]
  let numbers: [Int: [Float]]

  init(_ weights: SparseWeights, _ optimizer: OptimizerState) {
    self.weights = weights
    positions = weights.connectedPositions()
    let slots =
      zip(optimizer.parameters, optimizer.slots)
      .first { $0.0 === weights.parameter }?.1 ?? []
    let arrays =
      [weights.inPositionOrder(weights.parameter.values).array()]
      + slots.map { weights.inPositionOrder($0.buffer).array() }
    var numbers: [Int: [Float]] = [:]
    for (index, position) in positions.enumerated() {
      numbers[position] = arrays.map { $0[index] }
    }
    self.numbers = numbers
  }
}

/// The layers as they were before each update of the last batch.
final class UpdateLog: @unchecked Sendable {
  var optimizer: OptimizerState?
  var before: [Snapshot] = []
  var updates = 0
}

/// A topology method that looks at a layer before another moves it.
struct Observed<Method: TopologyMethod>: TopologyMethod {
  let method: Method
  let log: UpdateLog

  var timing: TopologyTiming { method.timing }

  func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
    guard let optimizer = log.optimizer else { preconditionFailure("Observed: no optimizer") }
    log.before.append(Snapshot(layer.weights, optimizer))
    log.updates += 1
    try method.move(count, in: layer)
  }
}
