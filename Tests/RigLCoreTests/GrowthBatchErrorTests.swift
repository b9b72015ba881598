import Testing

@testable import RigLCore

/// Errors in the middle of an update of several batches, and what methods see of their gradients.
extension GrowthBatchTests {
  /// A gradient that is not a number ends the update; a step that goes on begins another one.
  @Test func anErrorForgetsTheUpdate() throws {
    let step = try makeStep("linear", bytes: 1)
    let batch = Batch(for: step.model)
    fill(batch, 0)
    _ = try step.train(on: batch)
    #expect(step.isUpdating)
    #expect(rigLError { try step.save(to: "nowhere") }?.what.contains("3 batches") == true)
    batch.inputs.set([Float](repeating: .nan, count: step.model.inputShape.count * 3))
    batch.labels.count = 3
    #expect(throws: RigLError.self) { try step.train(on: batch) }
    #expect(!step.isUpdating)
    #expect(try update(step).update?.step == 0, "it is still due")
  }

  /// Whatever batch of whichever pass is none, no update is lost.
  @Test(arguments: 0..<6) func aBatchThatIsNoneLosesNoUpdate(number: Int) throws {
    let step = try makeStep("linear", bytes: 1) { $0.schedule.interval = 100 }
    let batch = Batch(for: step.model)
    for index in 0..<number {
      fill(batch, index % 3)
      _ = try step.train(on: batch)
    }
    batch.labels.count = 0
    #expect(rigLError { _ = try step.train(on: batch) }?.kind == .data)
    #expect(!step.isUpdating && step.weightSteps == 0)
    let connections = step.model.sparseLayers.map { $0.connectedPositions() }
    let made = try #require(try update(step).update)
    #expect(made.step == 0 && made.moved > 0)
    #expect(step.model.sparseLayers.map { $0.connectedPositions() } != connections)
    fill(batch, 1)
    #expect(try step.train(on: batch).movedWeights, "the next one is due at step 100")
  }

  /// A file that is taken in the middle of an update says when the last one was.
  @Test func aFileEndsAnUpdate() throws {
    let folder = try TemporaryFolder()
    let saved = try makeStep("linear") { $0.schedule.interval = 100 }
    try update(saved)
    try saved.save(to: folder("step"))
    let step = try makeStep("linear") { $0.schedule.interval = 100 }
    let batch = Batch(for: step.model)
    fill(batch, 0)
    _ = try step.train(on: batch)
    #expect(step.isUpdating)
    try step.load(from: folder("step"))
    #expect(try step.train(on: batch).movedWeights)
  }

  /// Mixes what has the scale of a weight with what has that of a gradient.
  private struct MixedScore: TopologyMethod {
    var timing = TopologyTiming.insteadOfWeightStep
    func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
      try layer.dropSmallest(layer.count / 2) { $0.weight - 3 * $0.gradient }
      try layer.growAtRandom(layer.missing)
    }
  }

  /// A connection's gradient is the mean over the batches: that of one, if all are the same.
  @Test func connectionsHaveMeanGradients() throws {
    func positions(_ batches: Int, _ method: any TopologyMethod, accumulation: Int = 1) throws
      -> [[Int]]
    {
      let step = try makeStep("linear", method: method, batches: batches, bytes: 300) {
        $0.accumulation = accumulation
      }
      let batch = Batch(for: step.model)
      fill(batch, 0)
      while try step.train(on: batch).update == nil {}
      return step.model.sparseLayers.map { $0.connectedPositions() }
    }
    let one = try positions(1, MixedScore())
    #expect(try positions(2, MixedScore()) == one)
    #expect(try positions(4, MixedScore()) == one)
    // Of more batches the random numbers are others: what is kept is the gradient's doing.
    let before = MixedScore(timing: .beforeFirstStep)
    let alone = try positions(1, before)
    for (one, several) in zip(alone, try positions(1, before, accumulation: 4)) {
      #expect(Set(one).intersection(several).count >= one.count / 2)
    }
  }
}
