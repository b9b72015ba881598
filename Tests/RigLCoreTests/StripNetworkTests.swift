import RigLCore
import Testing

/// Stripped networks compute what the whole ones do: drawn ones, and each kind of network after some
/// training.
@Suite struct StripNetworkTests {
  /// In random networks of linear layers what is left are the live units, one a layer at the least.
  @Test(arguments: 0..<24) func liveUnitsAreLeft(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let widths = (0..<5).map { _ in Int.random(in: 2...12, using: &generator) }
    var layers: [any Layer] = []
    var connections: [String: Int] = [:]
    for index in 0..<4 {
      let layer = SparseLinear("\(index)", inputs: widths[index], outputs: widths[index + 1])
      layers += [layer, ReLU()]
      connections[layer.name] = Int.random(
        in: 1...max(1, layer.inputs * layer.outputs / 3), using: &generator)
    }
    let model = try Model(
      Sequential(layers.dropLast()), input: SampleShape(channels: widths[0]), capacity: 1,
      connections: connections, isTraining: false)
    model.draw(seed: seed, initializer: Initializer(.heNormal))
    for layer in model.weightLayers {
      layer.setBias((0..<layer.shape[0]).map { _ in Float.random(in: -1...1, using: &generator) })
    }
    let live = model.liveUnits()
    let stripped = try StrippedNetwork(of: model)
    try expectSameLogits(model, stripped.model)
    #expect(stripped.report.after.inputs == max(live.inputs, 1))
    #expect(stripped.report.after.units == live.layers.dropLast().map { max($0.outputs, 1) })
    #expect(stripped.model.liveUnits() == live)
    #expect(try StrippedNetwork(of: stripped.model).report.isAsBefore)
  }

  /// Drawn convolutional networks, with running averages and biases of all kinds.
  @Test(arguments: InferenceTests.Case.allCases, [0.9, 0.98, 0.999])
  func drawnNetworksComputeTheSame(network: InferenceTests.Case, sparsity: Double) throws {
    var generator = SeededGenerator(seed: UInt64(1000 * sparsity))
    let input = SampleShape(channels: 3, height: 32, width: 32)
    let layers = network.network.layers(input: input, classes: 7)
    let counts = layers.weightLayers.filter(\.canBeSparse).map { layer in
      let positions = layer.inputs * layer.outputs
      return (layer.name, positions - Int(Double(positions) * sparsity))
    }
    let model = try Model(
      layers, input: input, capacity: 1, connections: Dictionary(uniqueKeysWithValues: counts),
      isTraining: false)
    model.draw(seed: 1, initializer: Initializer(.heNormal, countsConnections: true))
    for layer in model.weightLayers {
      layer.setBias((0..<layer.shape[0]).map { _ in Float.random(in: -0.5...1, using: &generator) })
    }
    for norm in model.normalizations {
      for channel in 0..<norm.layer.channels {
        norm.gamma.values[channel] = Float.random(in: 0.5...1.5, using: &generator)
        norm.beta.values[channel] = Float.random(in: -0.5...1, using: &generator)
        norm.runningMean.values[channel] = Float.random(in: -0.5...0.5, using: &generator)
        norm.runningVariance.values[channel] = Float.random(in: 0.25...2, using: &generator)
      }
    }
    model.weightsDidChange()
    let stripped = try StrippedNetwork(of: model)
    try expectSameLogits(model, stripped.model)
    let again = try StrippedNetwork(of: stripped.model)
    #expect(again.report.isAsBefore, "\(again.report)")
    try expectSameLogits(model, again.model)
    #expect(stripped.report.after.connections <= model.connections)
  }

  struct Run: CustomTestStringConvertible {
    let network: String
    var width = 1.0
    var sparsity = 0.98
    var padTo: Int?
    var testDescription: String { "\(network) \(sparsity)" }
  }

  static let runs = [
    Run(network: "mlp"), Run(network: "mlp", sparsity: 0.99), Run(network: "lenet-5"),
    Run(network: "lenet-5", sparsity: 0.99), Run(network: "wrn-10-1"),
    Run(network: "wrn-10-2", width: 0.5, sparsity: 0.99), Run(network: "resnet-18", width: 0.25),
    Run(network: "resnet-50", width: 0.125, sparsity: 0.99),
    Run(network: "mobilenet-v1", width: 0.25, sparsity: 0.99),
    Run(network: "vgg-16", width: 0.125, padTo: 32),
    Run(network: "vgg-16", width: 0.125, sparsity: 0.99, padTo: 32),
  ]

  /// After some training, from files: logits, accuracy, and a second strip.
  @Test(arguments: runs) func trainedNetworksComputeTheSame(run: Run) throws {
    let folder = try TemporaryFolder()
    let configuration = Configuration().changing {
      $0.data = "synthetic"
      ($0.trainSamples, $0.testSamples, $0.validation) = (240, 60, 0)
      ($0.network, $0.widthMultiplier, $0.padTo) = (run.network, run.width, run.padTo)
      if run.network == "mlp" { $0.hidden = [120, 60] }
      $0.sparsity = run.sparsity
      ($0.batchSize, $0.epochs, $0.updateInterval) = (20, 1, 4)
      $0.seed = 5
    }
    let trainer = try Trainer(
      configuration, options: RunOptions(threads: 2, output: folder("run")))
    _ = try trainer.run()
    let saved = try SavedRun(folder("run"), threads: 1)
    let report = try saved.strip(to: folder("stripped.safetensors"))
    let stripped = try SavedRun(folder("stripped.safetensors"), threads: 1)
    // At 98 % something may be dead or not; at 99 % something is.
    if run.sparsity >= 0.99 { #expect(!report.isAsBefore) }
    try expectSameLogits(saved.model, stripped.model)
    let (one, other) = (
      try saved.evaluate(trainer.data.test), try stripped.evaluate(trainer.data.test)
    )
    #expect(one.accuracy == other.accuracy)
    #expect(abs(one.loss - other.loss) <= 1e-5 * max(one.loss, 1))
    #expect((stripped.step, stripped.classes) == (saved.step, saved.classes))
    #expect(stripped.sampleShape == saved.sampleShape)
    // Single samples, in strips and with batch-norm in the weights.
    let single = try SavedRun(
      folder("stripped.safetensors"), batch: 1, foldsBatchNorm: true, threads: 1)
    let sample = try #require(values(of: trainer.data.test, 3))
    let logits = [try saved.logits([sample])[0], try single.logits([sample])[0]]
    let largest = logits[0].map { abs($0) }.max() ?? 0
    for (a, b) in zip(logits[0], logits[1]) { #expect(abs(a - b) <= 1e-4 * max(largest, 1)) }
    let again = try stripped.strip(to: folder("again.safetensors"))
    #expect(again.isAsBefore)
    #expect(again.before == report.after)
    try expectSameLogits(stripped.model, try SavedRun(folder("again.safetensors")).model)
    // By the rule as many are alive as before.
    #expect(stripped.model.liveUnits() == saved.model.liveUnits())
  }

  private func values(of dataset: any Dataset, _ index: Int) -> [Float]? {
    var values = [Float](repeating: 0, count: dataset.sampleShape.count)
    var span = values.mutableSpan
    dataset.write(index, into: &span)
    return values
  }
}
