import Foundation
import RigLCore
import Testing

/// Memory follows the number of connections, down and up: whatever an update leaves, as much is held as
/// by a network that began with it.
@Suite struct PruningMemoryTests {
  private typealias Densities = VariableConnectionTests.Densities

  /// Prunes without looking at gradients.
  private struct Magnitudes: TopologyMethod {
    var densities: [Double]
    let counts = ConnectionCounts.pruned
    let timing = TopologyTiming.afterWeightStep

    func plan(_ update: TopologyPlan) {
      Densities(densities: densities).plan(update)
      for layer in update.layers { layer.drop = layer.count - layer.target }
    }

    func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
      try layer.dropSmallestMagnitudes(count)
    }
  }

  enum Network: CaseIterable { case linear, manyGroups, convolutional }

  /// Layers of some density, all of which may change.
  private func model(_ network: Network, density: Double) throws -> Model {
    func count(_ positions: Int) -> Int { Int(Double(positions) * density) }
    if network == .convolutional {
      let input = SampleShape(channels: 16, height: 8, width: 8)
      return try Model(
        Sequential(
          SparseConv2d("a", inputs: 16, outputs: 64, kernel: 3), ReLU(),
          SparseConv2d("b", inputs: 64, outputs: 64, kernel: 3), GlobalAveragePool()),
        input: input, capacity: 16,
        connections: ["a": count(16 * 64 * 9), "b": count(64 * 64 * 9)], variable: ["a", "b"])
    }
    return try Model(
      Sequential(
        SparseLinear("a", inputs: 300, outputs: 400), ReLU(),
        SparseLinear("b", inputs: 400, outputs: 200)),
      input: SampleShape(channels: 300), capacity: network == .manyGroups ? 1024 : 64,
      connections: ["a": count(300 * 400), "b": count(400 * 200)], variable: ["a", "b"])
  }

  /// Trains through a course of densities, an update before each weight step but the first.
  private func train(
    _ network: Network, _ densities: [Double], from density: Double, _ method: any TopologyMethod,
    growthBatches: Int = 1
  ) throws -> TrainingStep {
    let cases = VariableConnectionTests()
    let model = try model(network, density: density)
    model.draw(seed: 1, initializer: Initializer(.heNormal))
    let step = try cases.step(
      model, method, optimizer: Adam(), updateThenStep: false, growthBatches: growthBatches)
    let batch = cases.batch(model, seed: 1)
    while step.weightSteps <= densities.count { _ = try step.train(on: batch) }
    return step
  }

  /// - Parameter batches: those whose gradients growth looks at; 0: it does not grow.
  @Test(arguments: Network.allCases, [0, 1, 2])
  func whatIsHeldIsThatOfTheConnections(network: Network, batches: Int) throws {
    func train(_ densities: [Double], from density: Double) throws -> TrainingStep {
      let method: any TopologyMethod =
        batches > 0 ? Densities(densities: densities) : Magnitudes(densities: densities)
      return try self.train(
        network, densities, from: density, method, growthBatches: max(batches, 1))
    }
    let dense = try train([1], from: 1).connectionBytes
    for course in [[1, 0.8, 0.5, 0.25, 0.1], [1, 0.1], [0.9, 0.7, 0.4, 0.2, 0.12, 0.105, 0.1]] {
      let pruned = try train(course, from: 1)
      let sparse = try train([0.1], from: 0.1)
      #expect(pruned.model.connections == sparse.model.connections)
      let (held, needed) = (pruned.connectionBytes, sparse.connectionBytes)
      #expect(7 * held <= 8 * needed, "\(held) bytes held, \(needed) needed, course \(course)")
      #expect(3 * held < dense)
    }
  }

  /// A run that goes on after it was pruned holds no more than it did.
  @Test func aFileIsReadIntoAsMuch() throws {
    let folder = try TemporaryFolder()
    let course = [1, 0.4, 0.1]
    let step = try train(.linear, course, from: 1, Densities(densities: course))
    try step.save(to: folder("step.safetensors"))
    let again = try VariableConnectionTests().step(
      model(.linear, density: 1), Densities(densities: course), optimizer: Adam(),
      updateThenStep: false)
    let dense = again.connectionBytes
    try again.load(from: folder("step.safetensors"))
    #expect(again.model.connections == step.model.connections)
    #expect(again.connectionBytes <= step.connectionBytes && again.connectionBytes * 3 < dense)
  }

  /// What rises again is given room again, and what never changes holds what it did.
  @Test(arguments: Network.allCases) func memoryComesBack(network: Network) throws {
    let course = [0.1, 0.2, 0.6, 0.95]
    let step = try train(network, course, from: 1, Densities(densities: course, counts: .variable))
    let dense = try train(
      network, [0.95], from: 0.95, Densities(densities: [0.95], counts: .variable))
    #expect(step.connectionBytes >= dense.connectionBytes * 3 / 4)
    #expect(step.model.connections == dense.model.connections)
  }
}

extension AllocationTests {
  /// Capacities change in updates: the weight steps after them allocate nothing.
  @Test(arguments: [1, 2], [false, true])
  func weightStepsAfterOtherCapacitiesAllocateNothing(threads: Int, isConvolutional: Bool) throws {
    let cases = VariableConnectionTests()
    let model = try isConvolutional ? cases.convolutional() : cases.linear()
    model.draw(seed: 1, initializer: Initializer(.heNormal))
    let course = [1, 0.9, 0.6, 0.6, 0.3, 0.1, 0.5, 0.9, 0.2, 0.05]
    let pool = try ThreadPool(threads: threads)
    let step = try cases.step(
      model, VariableConnectionTests.Densities(densities: course, counts: .variable), pool: pool,
      optimizer: Adam(), updateThenStep: false)
    let batch = cases.batch(model, seed: 1)
    // Each number of connections once, for what the runtime makes the first time.
    for _ in 0..<2 { while try !step.train(on: batch).movedWeights {} }
    var capacities: Set<Int> = []
    while step.weightSteps < course.count {
      let update = try step.train(on: batch).update
      #expect(update != nil)
      capacities.insert(step.connectionBytes)
      try expectNoAllocation(on: pool, after: 0, steps: 1) { _ = try step.train(on: batch) }
    }
    #expect(capacities.count > 4)
  }
}
