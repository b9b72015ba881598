import Foundation
import RigLCore
import Testing

/// One linear layer without bias, whose dense gradient at each step a test chooses, and whose
/// connections are grown before their steps of birth.
struct ScriptedGrowth {
  /// Grows each position before the step that it is to be born in.
  struct Method: TopologyMethod {
    /// By position; 0: from the start.
    let births: [Int]
    /// Steps with an update that drops so many connections and grows as many.
    let moves: [Int: Int]
    let timing = TopologyTiming.insteadOfWeightStep
    let counts = ConnectionCounts.variable

    func isDue(at step: Int, last: Int, _ schedule: UpdateSchedule) -> Bool {
      last < step && (moves[step] != nil || step > 0 && births.contains(step))
    }

    func plan(_ update: TopologyPlan) {
      let layer = update.layers[0]
      let born = update.step == 0 ? 0 : births.count { $0 == update.step }
      layer.drop = moves[update.step] ?? 0
      layer.target = layer.count + born
    }

    func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
      try layer.dropSmallestMagnitudes(count)
      try layer.growLargestGradients(layer.missing)
    }
  }

  /// A loss of a given gradient.
  private final class Gradient: Loss, @unchecked Sendable {
    /// (samples, logits)
    var values: [Float] = []

    func loss(of logits: Span<Float>, label: Int, gradient: inout MutableSpan<Float>) -> Double {
      0
    }

    func evaluate(
      _ logits: Tensor, labels: Labels, gradient: Tensor?, outcome: BatchPredictions, pass: Pass
    ) throws(RigLError) -> Double {
      try GivenGradient(gradient: values).evaluate(
        logits, labels: labels, gradient: gradient, outcome: outcome, pass: pass)
    }
  }

  let method: Method
  let step: TrainingStep
  let weights: LayerWeights
  private let gradient = Gradient()
  private let batch: Batch

  init(
    births: [Int], outputs: Int, inputs: Int, optimizer: any Optimizer, learningRate: Double,
    moves: [Int: Int] = [:]
  ) throws {
    let model = try makeModel(
      SparseLinear("layer", inputs: inputs, outputs: outputs, bias: false), inputs: inputs,
      capacity: inputs, connections: ["layer": births.count { $0 == 0 }], variable: ["layer"])
    weights = model.weightLayers[0]
    try weights.set(
      dense: randomValues(births.count, seed: 1), mask: births.map { $0 == 0 ? 1 : 0 })
    method = Method(births: births, moves: moves)
    var settings = TrainingStep.Settings()
    settings.method = method
    settings.schedule = UpdateSchedule(interval: 1, end: nil, annealing: .constant)
    step = TrainingStep(
      model: model, loss: gradient, optimizer: optimizer,
      learningRate: LearningRateSchedule(peak: learningRate), settings: settings,
      pool: try ThreadPool(threads: 1), seed: 0)
    // One sample for each input, so that dL/dW is dL/dY turned over.
    batch = Batch(for: model)
    batch.inputs.set((0..<inputs * inputs).map { $0 / inputs == $0 % inputs ? 1 : 0 })
    batch.labels.count = inputs
  }

  private func set(dense: [Float]) {
    let (outputs, inputs) = (weights.outputs, weights.inputs)
    gradient.values = (0..<outputs * inputs).map { dense[$0 % outputs * inputs + $0 / outputs] }
  }

  /// A weight step with a dense gradient, after the update that is due before it.
  ///
  /// - Parameter growing: the dense gradient of that update, if not one by births.
  func train(by dense: [Float], growing: [Float]? = nil) throws {
    let number = step.weightSteps
    if method.isDue(at: number, last: -1, step.settings.schedule) {
      set(dense: growing ?? method.births.map { $0 == number ? 1 : 0 })
      let report = try step.train(on: batch)
      try #require(report.update != nil && !report.movedWeights)
    }
    set(dense: dense)
    let report = try step.train(on: batch)
    try #require(report.movedWeights && report.update == nil)
  }

  /// The weights by position.
  var dense: [Float] { weights.dense(weights.weight.values) }

  /// The ages by position; nil where there is no connection.
  func ages() throws -> [Int?] {
    let layer = try #require(weights.connections)
    var ages = [Int?](repeating: nil, count: layer.positions)
    let kept = try #require(step.optimizer.ages(of: layer))
    for (position, age) in zip(layer.connectedPositions(), kept) { ages[position] = age }
    return ages
  }
}

/// Ages of connections, and Adam's corrections by them.
@Suite struct ConnectionAgeTests {
  /// By hand: under a steady gradient every step of a weight is the learning rate, whenever it was
  /// born; by the training's count, a late one's first is several times as large.
  @Test func aGrownConnectionBeginsAsAnyOther() throws {
    func steps(_ correction: Adam.Correction, born: Int) throws -> [Float] {
      let growth = try ScriptedGrowth(
        births: [0, 0, born, 0], outputs: 2, inputs: 2,
        optimizer: Adam(correction: correction), learningRate: 0.25)
      try growth.weights.set(dense: [1, 1, 0, 1], mask: [1, 1, 0, 1])
      var moves: [Float] = []
      for step in 0..<born + 14 {
        let before = growth.dense
        try growth.train(by: [1, -2, 0.5, 0])
        let after = growth.dense
        #expect(abs(before[0] - after[0] - 0.25) < 1e-5 && abs(after[1] - before[1] - 0.25) < 1e-5)
        #expect(after[3] == 1)
        if step >= born { moves.append(before[2] - after[2]) } else { #expect(after[2] == 0) }
      }
      return moves
    }
    for born in [1, 2, 300] {
      for move in try steps(.connection, born: born) { #expect(abs(move - 0.25) < 1e-5) }
    }
    // (1 − β₁) / √(1 − β₂) = 3.16 of the learning rate, with what is left of the corrections.
    let late = try steps(.global, born: 300)
    let left = Float((1 - pow(0.999, 301)).squareRoot())
    #expect(abs(late[0] / 0.25 - 0.1 / Float(0.001).squareRoot() * left) < 1e-3)
    #expect((late.max() ?? 0) / 0.25 > 3)
  }

  /// A connection that is dropped and grown again in the same update keeps its age, and its bits are
  /// those of a training without the update.
  @Test func whatIsGrownAgainKeepsItsAge() throws {
    func train(_ moves: [Int: Int], growing: [Float]) throws -> ScriptedGrowth {
      let growth = try ScriptedGrowth(
        births: [0, 3, 0, 0, 99, 99], outputs: 2, inputs: 3, optimizer: Adam(), learningRate: 0.01,
        moves: moves)
      try growth.weights.set(dense: [1, 0, 0.5, -1, 0, 0], mask: [1, 0, 1, 1, 0, 0])
      for step in 0..<9 {
        try growth.train(
          by: randomValues(6, seed: UInt64(step)), growing: step == 3 ? nil : growing)
      }
      return growth
    }
    let still = try train([:], growing: [])
    #expect(try still.ages() == [9, 6, 9, 9, nil, nil])
    // The smallest, that of position 1, is dropped at step 6, and grown again.
    let again = try train([6: 1], growing: [0, 5, 0, 0, 1, 1])
    #expect(again.dense == still.dense)
    #expect(try again.ages() == still.ages())
    // Or position 4 in its place.
    let other = try train([6: 1], growing: [0, 1, 0, 0, 5, 1])
    #expect(try other.ages() == [9, nil, 9, 9, 3, nil])
  }

  /// Ages are right through all storages, up and down, for an optimizer without state, too.
  @Test(arguments: [false, true]) func agesFollowChangingCounts(isAdam: Bool) throws {
    let course = VariableConnectionTests.course + [0.5, 1, 0.85, 0.1]
    let model = try makeModel(
      SparseLinear("a", inputs: 60, outputs: 40), ReLU(),
      SparseLinear("b", inputs: 40, outputs: 10), inputs: 60, capacity: 72,
      connections: ["a": 60 * 40], variable: ["a"])
    model.draw(seed: 1, initializer: Initializer(.heNormal))
    var settings = TrainingStep.Settings()
    settings.method = VariableConnectionTests.Densities(densities: course)
    settings.schedule = UpdateSchedule(interval: 1, end: nil, annealing: .constant)
    settings.tracksAges = true
    let step = TrainingStep(
      model: model, loss: CrossEntropy(), optimizer: isAdam ? Adam() : SGD(),
      learningRate: LearningRateSchedule(peak: 0.01), settings: settings,
      pool: try ThreadPool(threads: 2), seed: 3)
    let batch = Batch(for: model)
    batch.labels.count = model.capacity
    for sample in 0..<model.capacity { batch.labels[sample] = sample % 10 }
    let layer = model.sparseLayers[0]
    var births = Dictionary(uniqueKeysWithValues: layer.connectedPositions().map { ($0, 0) })
    var most = 0
    for number in 0..<course.count {
      batch.inputs.set(randomValues(60 * model.capacity, seed: UInt64(number)))
      let report = try step.train(on: batch)
      #expect(report.update != nil)
      let positions = layer.connectedPositions()
      births = Dictionary(
        uniqueKeysWithValues: positions.map { ($0, births[$0] ?? number) })
      most = max(most, Set(births.values).count)
      let ages = try #require(step.optimizer.ages(of: layer))
      #expect(ages == positions.map { number - (births[$0] ?? 0) }, "update \(number)")
      _ = try step.train(on: batch)
      #expect(
        step.optimizer.bytes <= (isAdam ? 12 : 4) * model.parameters.reduce(0) { $0 + $1.count }
          + 4 * layer.positions)
    }
    #expect(most > 2)
  }

  /// Ages take 4 bytes a connection, and none where nobody asks or nothing grows.
  @Test func agesTakeFourBytesAConnection() throws {
    func bytes(_ optimizer: any Optimizer) throws -> Int {
      let growth = try ScriptedGrowth(
        births: [0, 2, 9, 9, 9, 9, 9, 9], outputs: 1, inputs: 8, optimizer: optimizer,
        learningRate: 0.1)
      for _ in 0..<4 { try growth.train(by: [Float](repeating: 1, count: 8)) }
      return growth.step.optimizer.bytes
    }
    #expect(try bytes(Adam()) == 2 * 12)
    #expect(try bytes(Adam(correction: .global)) == 2 * 8)
    #expect(try bytes(SGD()) == 0)
    let trained = { (method: Configuration.Method) throws -> (bytes: Int, numbers: Int) in
      let trainer = try Trainer(
        MethodRunTests.configuration.changing { ($0.method, $0.optimizer) = (method, .adam) })
      for _ in 0..<20 { try trainer.trainNextBatch() }
      return (
        trainer.step.optimizer.bytes, trainer.model.parameters.reduce(0) { $0 + $1.values.count }
      )
    }
    for method in [Configuration.Method.static, .pruning] {
      let (bytes, numbers) = try trained(method)
      #expect(bytes == 8 * numbers)
    }
    let (bytes, numbers) = try trained(.rigl)
    #expect(bytes > 8 * numbers && bytes <= 12 * numbers)
  }

  /// Adam inside of an optimizer of one's own has no tables, and the same bits.
  private struct Wrapped: Optimizer {
    let adam: Adam
    var slotNames: [String] { adam.slotNames }
    var usesAges: Bool { adam.usesAges }
    func update(
      _ parameter: Parameter, slots: [Slot], range: Range<Int>, settings: StepSettings
    ) {
      adam.update(parameter, slots: slots, range: range, settings: settings)
    }
  }

  /// Adam as its formula says it, in double, by the age that a step tells.
  private struct Formula: Optimizer {
    let slotNames = ["m", "s"]
    let usesAges = true
    func update(
      _ parameter: Parameter, slots: [Slot], range: Range<Int>, settings: StepSettings
    ) {
      for index in range {
        let gradient = Double(parameter.gradient[index])
        let mean = 0.9 * Double(slots[0].buffer[index]) + 0.1 * gradient
        let square = 0.99 * Double(slots[1].buffer[index]) + 0.01 * gradient * gradient
        (slots[0].buffer[index], slots[1].buffer[index]) = (Float(mean), Float(square))
        let age = Double(settings.age(of: index))
        let root = (square / (1 - pow(0.99, age))).squareRoot() + 1e-8
        let move = settings.learningRate * mean / (1 - pow(0.9, age)) / root
        parameter.values[index] = Float(Double(parameter.values[index]) - move)
      }
    }
  }

  @Test func ownOptimizersSeeAges() throws {
    func train(_ optimizer: any Optimizer) throws -> [Float] {
      let growth = try ScriptedGrowth(
        births: (0..<60).map { $0 * 7 % 12 }, outputs: 6, inputs: 10, optimizer: optimizer,
        learningRate: 0.01)
      for step in 0..<30 { try growth.train(by: randomValues(60, seed: UInt64(step))) }
      return growth.dense
    }
    let adam = Adam(beta2: 0.99)
    let plain = try train(adam)
    #expect(try train(Wrapped(adam: adam)) == plain)
    let formula = try train(Formula())
    #expect(zip(plain, formula).allSatisfy { abs($0 - $1) < 1e-6 })
    #expect(try train(Adam(beta2: 0.99, correction: .global)) != plain)
  }

  // MARK: - Files

  private func saved(_ folder: TemporaryFolder) throws -> (growth: ScriptedGrowth, path: String) {
    let growth = try makeGrowth()
    for step in 0..<5 { try growth.train(by: randomValues(12, seed: UInt64(step))) }
    try growth.step.save(to: folder("step.safetensors"))
    return (growth, folder("step.safetensors"))
  }

  private func makeGrowth(_ correction: Adam.Correction = .connection) throws -> ScriptedGrowth {
    try ScriptedGrowth(
      births: [0, 1, 0, 2, 4, 0, 0, 99, 3, 3, 0, 1], outputs: 3, inputs: 4,
      optimizer: Adam(correction: correction), learningRate: 0.01)
  }

  /// A step goes on with the ages of a file; of one without, all connections count as old.
  @Test func filesKeepAges() throws {
    let folder = try TemporaryFolder()
    let (growth, path) = try saved(folder)
    let file = try SafetensorsFile(path: path)
    #expect(
      try file.elements("layer.weight.birth", of: Int32.self) == [0, 1, 0, 2, 4, 0, 0, 3, 3, 0, 1])
    let again = try makeGrowth()
    try again.step.load(from: path)
    #expect(try again.ages() == growth.ages())
    let without = try makeGrowth(.global)
    for step in 0..<5 { try without.train(by: randomValues(12, seed: UInt64(step))) }
    try without.step.save(to: folder("without.safetensors"))
    #expect(try SafetensorsFile(path: folder("without.safetensors"))["layer.weight.birth"] == nil)
    try again.step.load(from: folder("without.safetensors"))
    #expect(try again.ages().compactMap { $0 } == [Int](repeating: 5, count: 11))
    // Nor does a step that keeps none mind a file's.
    try without.step.load(from: path)
    #expect(without.step.optimizer.ages(of: try #require(without.weights.connections)) == nil)
  }

  /// A birth that cannot be is an error, and nothing has changed.
  @Test(arguments: [Int32(-1), 6, .max]) func aBirthThatCannotBeIsRefused(birth: Int32) throws {
    let folder = try TemporaryFolder()
    let (growth, path) = try saved(folder)
    let file = try SafetensorsFile(path: path)
    var births = try file.elements("layer.weight.birth", of: Int32.self)
    births[3] = birth
    var writer = try SafetensorsWriter(
      path: folder("broken.safetensors"), tensors: file.tensors,
      metadata: file.metadata.filter { $0.key == "state" })
    for tensor in file.tensors {
      switch tensor.type {
      case .float32:
        try writer.append(try file.elements(tensor.name, of: Float.self), to: tensor.name)
      case .int64:
        try writer.append(try file.elements(tensor.name, of: Int64.self), to: tensor.name)
      default:
        let isBirth = tensor.name == "layer.weight.birth"
        let elements = try file.elements(tensor.name, of: Int32.self)
        try writer.append(isBirth ? births : elements, to: tensor.name)
      }
    }
    try writer.finish()
    let before = growth.dense
    let error = try #require(throws: RigLError.self) {
      try growth.step.load(from: folder("broken.safetensors"))
    }
    #expect(error.kind == .data && error.what.contains("layer.weight.birth"))
    #expect(growth.dense == before)
  }

  // MARK: - Settings

  /// A run of a version without ages goes on with the training's count; a file of settings begins a
  /// new one.
  @Test func earlierRunsKeepTheTrainingsCount() throws {
    let text = "optimizer: adam\nmethod: rigl\n"
    #expect(try Configuration(yaml: text, path: "config.yaml").adamCorrection == .global)
    var settings = try SettingsStack()
    try settings.apply(yaml: text, path: "mine.yaml")
    #expect(try settings.configuration().adamCorrection == .connection)
    for correction in Adam.Correction.allCases {
      let own = Configuration().changing {
        ($0.optimizer, $0.adamCorrection) = (.adamw, correction)
      }
      #expect(try Configuration(yaml: own.yaml(), path: "config.yaml") == own)
    }
    // Where it says nothing, nothing differs.
    let sgd = try Configuration(yaml: "method: rigl\n", path: "config.yaml")
    #expect(sgd.adamCorrection == Configuration().adamCorrection)
  }
}
