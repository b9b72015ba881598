import RigLCore
import Testing

/// Starting from a dense model, and the option to take a weight step with each update.
@Suite struct StartAndStepTests {
  private static func configuration(_ method: Configuration.Method) -> Configuration {
    var configuration = Configuration()
    configuration.data = "synthetic"
    configuration.trainSamples = 320
    configuration.testSamples = 64
    configuration.validation = 0
    configuration.hidden = [24]
    configuration.batchSize = 32
    configuration.epochs = 1
    configuration.method = method
    configuration.sparsity = 0.9
    configuration.distribution = .uniform
    configuration.firstLayerSparse = true
    return configuration
  }

  @Test func aSparseTrainingStartsFromTheLargestWeightsOfADenseOne() throws {
    let folder = try TemporaryFolder()
    var options = RunOptions(threads: 1, output: folder("dense"))
    _ = try Trainer(Self.configuration(.dense), options: options).run()
    let dense = try SavedRun(folder("dense"))
    let weights = dense.model.weightLayers[0].weight.values.array()

    var configuration = Self.configuration(.static)
    configuration.epochs = 0  // As it starts.
    options.output = folder("sparse")
    options.startFrom = folder("dense")
    _ = try Trainer(configuration, options: options).run()
    let sparse = try SavedRun(folder("sparse"))
    let connections = try #require(sparse.model.sparseLayers.first)
    let largest = weights.indices.sorted {
      (weights[$1].magnitude, $0) < (weights[$0].magnitude, $1)
    }.prefix(connections.count).sorted()
    #expect(connections.connectedPositions() == largest)
    let kept = connections.dense(connections.parameter.values)
    #expect(largest.allSatisfy { kept[$0] == weights[$0] })

    // A sparse run has no more connections than it has.
    options.output = folder("again")
    options.startFrom = folder("sparse")
    configuration.sparsity = 0.5
    #expect(throws: RigLError.self) { try Trainer(configuration, options: options).run() }
  }

  @Test(arguments: [false, true])
  func anUpdateIsFollowedByAWeightStepOnlyIfAsked(follows: Bool) throws {
    var configuration = Self.configuration(.rigl)
    configuration.updateThenStep = follows
    configuration.momentum = 0
    configuration.nesterov = false
    configuration.weightDecay = 0
    let options = RunOptions(threads: 1)
    let trainer = try Trainer(configuration, options: options)
    let layer = try #require(trainer.model.sparseLayers.first)
    let before = Set(layer.connectedPositions())
    let report = try trainer.trainNextBatch()
    #expect(report.dropFraction != nil)
    #expect(report.movedWeights == follows)
    #expect(trainer.step.weightSteps == (follows ? 1 : 0))
    let values = layer.dense(layer.parameter.values)
    let gradients = layer.dense(layer.parameter.gradient)
    let grown = layer.connectedPositions().filter { !before.contains($0) }
    #expect(!grown.isEmpty)
    for position in grown {
      // A new connection starts at 0; with a step, it has taken one along its gradient.
      let expected = follows ? -Float(report.learningRate) * gradients[position] : 0
      #expect((values[position] - expected).magnitude <= 1e-6 * expected.magnitude)
      #expect(!follows || gradients[position] != 0)
    }
  }
}
