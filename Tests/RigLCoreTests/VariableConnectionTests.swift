import Foundation
import RigLCore
import Testing

/// Layers whose number of connections changes while they train.
@Suite struct VariableConnectionTests {
  /// Sets counts as it is told: of its i-th update, densities[i] of the positions.
  struct Densities: TopologyMethod {
    var densities: [Double]
    var counts = ConnectionCounts.pruned
    let timing = TopologyTiming.insteadOfWeightStep

    func plan(_ update: TopologyPlan) {
      let density = densities[min(update.step, densities.count - 1)]
      // By index: without optimisation, iterating over an array allocates.
      for index in 0..<update.layers.count {
        let layer = update.layers[index]
        layer.target = Int(Double(layer.positions) * density)
        // A few move, too.
        layer.drop = max(layer.count - layer.target, layer.count / 10)
      }
    }

    func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
      try layer.dropSmallestMagnitudes(count)
      try layer.growLargestGradients(layer.missing)
    }
  }

  func step(
    _ model: Model, _ method: any TopologyMethod, threads: Int = 2, pool: ThreadPool? = nil,
    optimizer: any Optimizer = SGD(momentum: 0.9, weightDecay: 0.01), updateThenStep: Bool = true,
    growthBatches: Int = 1
  ) throws -> TrainingStep {
    var settings = TrainingStep.Settings()
    settings.method = method
    settings.schedule = UpdateSchedule(
      interval: 1, end: nil, initialFraction: 0.1, annealing: .constant)
    settings.clipNorm = 1
    settings.updateThenStep = updateThenStep
    settings.growthBatches = growthBatches
    return TrainingStep(
      model: model, loss: CrossEntropy(), optimizer: optimizer,
      learningRate: LearningRateSchedule(peak: 0.05), settings: settings,
      pool: try pool ?? ThreadPool(threads: threads), seed: 3)
  }

  func batch(_ model: Model, seed: UInt64) -> Batch {
    let batch = Batch(for: model)
    batch.inputs.set(randomValues(model.inputShape.count * model.capacity, seed: seed))
    batch.labels.count = model.capacity
    for sample in 0..<model.capacity { batch.labels[sample] = sample % model.outputs }
    return batch
  }

  func linear(_ connections: Int = 60 * 40) throws -> Model {
    try makeModel(
      SparseLinear("a", inputs: 60, outputs: 40), ReLU(),
      SparseLinear("b", inputs: 40, outputs: 10), inputs: 60, capacity: 72,
      connections: ["a": connections, "b": 400], variable: ["a"])
  }

  func convolutional(_ connections: [String: Int] = [:]) throws -> Model {
    let input = SampleShape(channels: 3, height: 9, width: 7)
    return try Model(
      Sequential(
        SparseConv2d("first", inputs: 3, outputs: 12, kernel: 3), BatchNorm("bn", channels: 12),
        ReLU(), SparseConv2d("second", inputs: 12, outputs: 10, kernel: 3, stride: 2, bias: true),
        GlobalAveragePool()),
      input: input, capacity: 40, connections: connections, variable: ["first", "second"])
  }

  /// Down from all positions, across the border between storages both ways, and to very few.
  static let course = [1, 0.95, 0.8, 0.8, 0.6, 0.3, 0.05, 0.4, 0.9, 0.7, 0.02]

  @Test(arguments: [(false, 1, true), (false, 2, false), (true, 1, false), (true, 2, true)])
  func everyStorageIsTheSameNetwork(
    isConvolutional: Bool, threads: Int, updatesThenSteps: Bool
  ) throws {
    let model = try isConvolutional ? convolutional() : linear()
    model.draw(seed: 1, initializer: Initializer(.heNormal))
    let step = try step(
      model, Densities(densities: Self.course), threads: threads, updateThenStep: updatesThenSteps)
    let layer = model.sparseLayers[0]
    for number in 0..<Self.course.count {
      let batch = batch(model, seed: UInt64(number))
      let report = try step.train(on: batch)
      #expect(report.movedWeights == updatesThenSteps)
      #expect(report.update?.connections == model.connections - rest(model))
      if !updatesThenSteps {
        try compareWithFile(model, batch)
        let next = try step.train(on: batch)
        #expect(next.movedWeights && next.update == nil)
      }
      #expect(layer.count == Int(Double(layer.positions) * Self.course[number]))
      #expect((layer.storage == .dense) == (layer.density >= 0.75))
      #expect(layer.parameter.count == (layer.storage == .dense ? layer.positions : layer.count))
      try checkInactive(layer, step)
      try compareWithFile(model, batch)
    }
  }

  /// Connections of layers that are not sparse.
  private func rest(_ model: Model) -> Int {
    model.weightLayers.reduce(0) { $0 + ($1.connections == nil ? $1.count : 0) }
  }

  /// Weights and slots are exactly 0 where there is no connection.
  private func checkInactive(_ layer: SparseWeights, _ step: TrainingStep) throws {
    let index = try #require(step.optimizer.parameters.firstIndex { $0 === layer.parameter })
    var connected = Set<Int>()
    layer.forEachConnection { _, _, place in connected.insert(place) }
    #expect(connected.count == layer.count)
    for slot in step.optimizer.slots[index] {
      #expect(slot.buffer.count == layer.parameter.count)
    }
    for place in 0..<layer.parameter.count where !connected.contains(place) {
      #expect(layer.parameter.values[place] == 0)
      #expect(layer.parameter.gradient[place] == 0)
      for slot in step.optimizer.slots[index] { #expect(slot.buffer[place] == 0) }
    }
  }

  /// What a file of the model predicts, which is stored sparse, is what the model does.
  private func compareWithFile(_ model: Model, _ batch: Batch) throws {
    let folder = try TemporaryFolder()
    try model.save(to: folder("m.safetensors"))
    let copy = try Model(
      model.layers, savedAt: folder("m.safetensors"), input: model.inputShape,
      capacity: model.capacity)
    let pass = Pass(pool: try ThreadPool(threads: 1), seed: 0)
    let expected = try model.forward(batch.inputs, pass).values()
    let actual = try copy.forward(batch.inputs, pass).values()
    let largest = expected.map(\.magnitude).max() ?? 0
    let error = zip(actual, expected).map { abs($0 - $1) }.max() ?? 0
    #expect(error <= 1e-5 * largest)
  }

  /// The gradients of a layer that is nearly dense are those of the same connections stored sparse.
  @Test(arguments: [false, true]) func gradientsAgreeAcrossTheBorder(isConvolutional: Bool) throws {
    func train(_ density: Double, _ other: Double) throws -> [Float] {
      let model = try isConvolutional ? convolutional() : linear()
      model.draw(seed: 1, initializer: Initializer(.heNormal))
      let step = try step(
        model, Densities(densities: [density, other]), optimizer: SGD(), updateThenStep: false)
      _ = try step.train(on: batch(model, seed: 1))
      return model.sparseLayers[0].dense(model.sparseLayers[0].parameter.values)
    }
    // The same positions go whether it ends in dense storage or not: of those left in both, the
    // weights agree.
    let (above, below) = (try train(0.76, 0.76), try train(0.74, 0.74))
    for (one, other) in zip(above, below) where one != 0 && other != 0 { #expect(one == other) }
    #expect(above.count { $0 != 0 } > below.count { $0 != 0 })
  }

  // MARK: - Mistakes

  /// Sets densities, but fails in a layer's move.
  struct Failing: TopologyMethod {
    let timing = TopologyTiming.insteadOfWeightStep
    let counts = ConnectionCounts.variable

    func plan(_ update: TopologyPlan) {
      for layer in update.layers { (layer.drop, layer.target) = (0, layer.positions * 9 / 10) }
    }

    func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
      let isFirst = layer.weights.name == "first"
      try layer.dropSmallest(0) { isFirst ? Float.nan : $0.weight }
      try layer.growLargestGradients(layer.missing)
    }
  }

  /// After an error in the middle of an update, layers that had moved work with their new connections.
  @Test(arguments: [1, 2]) func anErrorLeavesWorkingLayers(threads: Int) throws {
    let model = try convolutional(["first": 32, "second": 108])
    model.draw(seed: 1, initializer: Initializer(.heNormal))
    let step = try step(model, Failing(), threads: threads, updateThenStep: false)
    let batch = batch(model, seed: 1)
    let error = try #require(throws: RigLError.self) { _ = try step.train(on: batch) }
    #expect(error.kind == .numerical && error.what.contains("layer first"))
    #expect(model.sparseLayers.map(\.count) == [32, 972])
    #expect(model.sparseLayers[1].storage == .dense)
    try compareWithFile(model, batch)
    // The update is over; what follows is a weight step.
    let report = try step.train(on: batch)
    #expect(report.movedWeights)
    try compareWithFile(model, batch)
  }

  /// Weights that are set from outside are those of the next pass, in any storage.
  @Test(arguments: [nil, 108]) func weightsThatAreSetCount(connections: Int?) throws {
    let model = try convolutional(connections.map { ["second": $0] } ?? [:])
    model.draw(seed: 1, initializer: Initializer(.heNormal))
    let batch = batch(model, seed: 1)
    let pass = Pass(pool: try ThreadPool(threads: 1), seed: 0)
    let before = try model.forward(batch.inputs, pass).values()
    let layer = model.sparseLayers[1]
    layer.setWeights(AlignedBuffer(count: layer.count))
    let after = try model.forward(batch.inputs, pass).values()
    #expect(before != after && Set(after) == [0])
  }

  /// A model's weights that were read beside its optimizer begin with a new state, all of them trained.
  @Test(arguments: [600, 1700]) func readingOtherCountsBeginsAnew(other: Int) throws {
    let folder = try TemporaryFolder()
    let source = try linear(other)
    source.draw(seed: 2, initializer: Initializer(.heNormal))
    try source.save(to: folder("m.safetensors"))
    let model = try linear(1200)
    model.draw(seed: 1, initializer: Initializer(.heNormal))
    let step = try step(model, StaticTopology(), optimizer: Adam())
    let batch = batch(model, seed: 1)
    for _ in 0..<3 { _ = try step.train(on: batch) }
    try model.load(from: folder("m.safetensors"))
    let layer = model.sparseLayers[0]
    let before = layer.dense(layer.parameter.values)
    let positions = layer.connectedPositions()
    _ = try step.train(on: batch)
    let after = layer.dense(layer.parameter.values)
    #expect(layer.connectedPositions() == positions && positions.count == other)
    #expect(positions.count { before[$0] != after[$0] } > other * 9 / 10)
    for _ in 0..<3 { _ = try step.train(on: batch) }
  }

  @Test func whatAMethodNeedsIsSaid() throws {
    let fixed = try makeModel(
      SparseLinear("a", inputs: 60, outputs: 10), inputs: 60, capacity: 8,
      connections: ["a": 100])
    fixed.draw(seed: 1, initializer: Initializer(.heNormal))
    let one = try step(fixed, HandOver())
    let error = try #require(throws: RigLError.self) {
      _ = try one.train(on: batch(fixed, seed: 1))
    }
    #expect(error.kind == .configuration && error.what.contains("layer a"))
    #expect(error.hint?.contains("variable") == true)
    let dense = try makeModel(
      SparseLinear("a", inputs: 60, outputs: 10), inputs: 60, capacity: 8)
    dense.draw(seed: 1, initializer: Initializer(.heNormal))
    #expect(throws: RigLError.self) {
      _ = try step(dense, GlobalPruning(begin: 0, end: 3)).train(on: batch(dense, seed: 1))
    }
  }

  // MARK: - Runs

  static let configuration = ResumeTests.configuration.changing {
    $0.hidden = [32, 24]
    $0.epochs = 2
    $0.clipNorm = 1
    $0.optimizer = .adam
    $0.learningRate = 0.003
  }

  static let methods: [(String, any TopologyMethod)] = [
    ("pruning", GlobalPruning(sparsity: 0.9, begin: 2, end: 20, interval: 3)),
    ("hand over", HandOver()), ("saliency", SaliencyDrop()),
    (
      "GraNet",
      GraNet(PruningSchedule(to: LayerSparsities(0.9), begin: 0, end: 20, scope: .global))
    ),
    (
      "SNIP",
      SNIP(LayerSparsities(["fc1": 0.8, "fc2": 0.7]))
    ),
  ]

  @Test(arguments: 0..<methods.count)
  func runsAreTheSameForAnyThreadsAndAcrossAStop(number: Int) throws {
    let (name, method) = Self.methods[number]
    let folder = try TemporaryFolder()
    let whole = try expectSameBits(
      Self.configuration, in: folder, method: method, name
    ) { _ in [1, 3, 8, 14, 21] }
    let rows = try MetricsLog.rows(at: folder("whole/metrics.csv"))
    #expect(rows.last { $0.connections != nil }?.connections == whole.model.connections)
  }

  /// Pruning ends with as many connections as it is to, in less memory than it began with.
  @Test func pruningGivesMemoryBack() throws {
    let folder = try TemporaryFolder()
    let whole = try trainRun(Self.configuration, folder("run"), method: Self.methods[0].1).trainer
    let (layers, model) = (whole.model.sparseLayers, whole.model)
    let positions = layers.reduce(0) { $0 + $1.positions }
    #expect(layers.reduce(0) { $0 + $1.count } == Int(Double(positions) * 0.1 + 0.5))
    let dense = try Model(model.layers, input: model.inputShape, capacity: model.capacity)
    #expect(model.bytes * 2 < dense.bytes)
    #expect(whole.step.optimizer.bytes * 3 < 8 * positions)
    // It evaluates as any other run.
    let saved = try SavedRun(folder("run"))
    #expect(saved.model.connections == model.connections)
  }
}

extension AllocationTests {
  /// Within its capacity, a layer's number changes without allocation.
  @Test(arguments: [1, 2])
  func changesWithinTheCapacityAllocateNothing(threads: Int) throws {
    let cases = VariableConnectionTests()
    let model = try cases.linear(1200)
    model.draw(seed: 1, initializer: Initializer(.heNormal))
    var course = [0.5, 0.45]
    for _ in 0..<10 { course += [0.4, 0.5, 0.3, 0.47] }
    let method = VariableConnectionTests.Densities(densities: course, counts: .variable)
    let pool = try ThreadPool(threads: threads)
    let step = try cases.step(model, method, pool: pool, optimizer: Adam())
    let batch = cases.batch(model, seed: 1)
    try expectNoAllocation(on: pool, after: 2, steps: 30) { _ = try step.train(on: batch) }
    #expect(step.weightSteps == 32)
  }
}
