import Foundation
import RigLCore
import Testing

/// Runs whose network or samples were given in Swift: their files say so, and nothing else takes
/// their place.
@Suite struct CustomRunTests {
  /// A network that the configuration does not name.
  struct Own: Network {
    var width = 20
    var name = "hidden"
    var drops = false
    var hasReLU = true

    func layers(input: SampleShape, classes: Int) -> Sequential {
      var layers: [any Layer] = [SparseLinear(name, inputs: input.count, outputs: width)]
      if hasReLU { layers.append(ReLU()) }
      if drops { layers.append(Dropout(0.25)) }
      return Sequential(layers + [SparseLinear("output", inputs: width, outputs: classes)])
    }
  }

  /// Of the names and shapes of an `mlp`, without its ReLU.
  struct Twin: Network {
    func layers(input: SampleShape, classes: Int) -> Sequential {
      Sequential(
        SparseLinear("fc1", inputs: input.count, outputs: 20),
        SparseLinear("fc2", inputs: 20, outputs: classes))
    }
  }

  /// A convolutional one, with a block and batch-norm.
  struct OwnConvnet: Network {
    var stride = 1

    func layers(input: SampleShape, classes: Int) -> Sequential {
      Sequential(
        SparseConv2d("conv", inputs: input.channels, outputs: 8, kernel: 3, stride: stride),
        BatchNorm("norm", channels: 8), ReLU(),
        Residual(
          main: [
            SparseConv2d("inner", inputs: 8, outputs: 8, kernel: 3),
            BatchNorm("innerNorm", channels: 8),
          ], activation: .relu),
        GlobalAveragePool(), DenseLinear("output", inputs: 8, outputs: classes))
    }
  }

  static let samples = TrainingData(
    train: RandomSamples(count: 200, width: 12, classes: 3),
    validation: RandomSamples(count: 60, width: 12, classes: 3, seed: 2),
    test: RandomSamples(count: 60, width: 12, classes: 3, seed: 3))

  static let configuration = Configuration().changing {
    $0.sparsity = 0.5
    $0.batchSize = 20
    $0.epochs = 3
    $0.updateInterval = 7
    $0.seed = 4
  }

  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  private func trainer(
    _ run: String? = nil, network: (any Network)? = Own(), data: TrainingData? = Self.samples,
    _ change: (inout Configuration) -> Void = { _ in }
  ) throws -> Trainer {
    let options = RunOptions(threads: 1, output: run.map { folder($0) })
    return try Trainer(
      Self.configuration.changing(change), options: options, network: network, data: data)
  }

  @discardableResult
  private func train(
    _ run: String, to step: Int = .max, network: (any Network)? = Own(),
    data: TrainingData? = Self.samples, _ change: (inout Configuration) -> Void = { _ in }
  ) throws -> Trainer.Result {
    let trainer = try trainer(run, network: network, data: data, change)
    trainer.callbacks = [Watcher(stopAt: step)]
    return try trainer.run()
  }

  // MARK: - What is written

  @Test func aRunSaysWhatWasGivenInSwift() throws {
    try train("run", to: 5)
    let text = try folder.configuration(of: "run")
    #expect(text.contains("data: custom\n") && text.contains("network: custom\n"), "\(text)")
    #expect(text.contains("custom_network:\n") && text.contains("type: Own\n"), "\(text)")
    #expect(text.contains("{kind: SparseLinear, name: hidden, weight: [20, 12]"), "\(text)")
    let metadata = try folder.checkpoint(of: "run").metadata
    #expect(metadata["configuration"]?.contains("network: custom\n") == true)
    #expect(metadata["custom_network"]?.contains("SparseLinear") == true)
    // The file reads as a run's own.
    var layers = try SettingsStack()
    try layers.apply(file: folder("run/config.yaml"), isSaved: true)
    #expect(try layers.configuration().network == "custom")
  }

  /// The configuration's own network and data stay named, whoever made them, with the same bits.
  @Test func whatTheConfigurationNamesIsNotCustom() throws {
    let change: (inout Configuration) -> Void = {
      $0.data = "synthetic"
      ($0.trainSamples, $0.testSamples, $0.validation) = (200, 50, 50)
      $0.hidden = [16]
    }
    try train("named", to: 8, network: nil, data: nil, change)
    let loaded = try TrainingData.load(Self.configuration.changing(change))
    try train("given", to: 8, network: MLP(hidden: [16]), data: loaded, change)
    #expect(try folder.configuration(of: "given") == folder.configuration(of: "named"))
    #expect(
      try fileBytes(folder.checkpoint(of: "given").path)
        == fileBytes(folder.checkpoint(of: "named").path))
    #expect(try !folder.configuration(of: "named").contains("custom"))
    // Something else of either is custom.
    try train("network", to: 2, network: MLP(hidden: [16], dropout: 0.1), data: loaded, change)
    #expect(try folder.configuration(of: "network").contains("network: custom\n"))
    #expect(try folder.configuration(of: "network").contains("data: synthetic\n"))
    var changed = loaded
    changed.test = Self.samples.test
    changed.test = loaded.test
    try train("data", to: 2, network: nil, data: changed, change)
    #expect(
      try folder.configuration(of: "data").contains("data: custom\n")
        && folder.configuration(of: "data").contains("network: mlp\n"))
    let others = try TrainingData.load(
      Self.configuration.changing(change).changing { $0.validation = 10 })
    try train("others", to: 2, network: nil, data: others, change)
    #expect(try folder.configuration(of: "others").contains("data: custom\n"))
  }

  // MARK: - Going on

  @Test func theSamePartsGoOnWithTheSameBits() throws {
    try train("whole")
    try train("broken", to: 13)
    _ = try trainer().resume(folder("broken"))
    #expect(
      try fileBytes(folder.checkpoint(of: "broken").path)
        == fileBytes(folder.checkpoint(of: "whole").path))
  }

  @Test func anotherNetworkIsRefused() throws {
    try train("run", to: 13)
    let bytes = try fileBytes(folder.checkpoint(of: "run").path)
    let others: [(any Network, String)] = [
      (Own(width: 21), "[21, 12]"), (Own(name: "first"), "first"),
      (Own(drops: true), "Dropout(0.25)"),
      (Own(hasReLU: false), "ReLU"),
    ]
    for (network, part) in others {
      let error = rigLError { _ = try trainer(network: network).resume(folder("run")) }
      #expect(
        error?.kind == .configuration && error?.what.contains(part) == true, "\(error as Any)")
      let opened = rigLError { _ = try SavedRun(folder("run"), network: network) }
      #expect(opened?.what.contains(part) == true, "\(opened as Any)")
    }
    let named = rigLError { _ = try trainer(network: nil).resume(folder("run")) }
    #expect(named?.what.contains("(Own) was made in Swift, and mlp") == true, "\(named as Any)")
    #expect(try fileBytes(folder.checkpoint(of: "run").path) == bytes)
    let samples = rigLError {
      _ = try trainer(data: nil) {
        $0.data = "synthetic"
        ($0.trainSamples, $0.testSamples, $0.validation) = (200, 60, 60)
      }.resume(folder("run"))
    }
    #expect(samples?.what.contains("samples were given in Swift") == true, "\(samples as Any)")
  }

  /// Of convolutions the stride counts, which no weight shows.
  @Test func layersAreComparedNotWeightsAlone() throws {
    let images = RandomSamples(
      count: 40, shape: SampleShape(channels: 2, height: 8, width: 8), classes: 3)
    let data = TrainingData(train: images, test: images)
    try train("run", to: 2, network: OwnConvnet(), data: data)
    let refused = rigLError { _ = try SavedRun(folder("run"), network: OwnConvnet(stride: 2)) }
    #expect(refused?.what.contains("stride 2") == true, "\(refused as Any)")
    let run = try SavedRun(folder("run"), network: OwnConvnet())
    #expect(try run.evaluate(images).samples == 40)
    // And the description goes through the file with all its branches.
    try train("run2", to: 2, network: OwnConvnet(), data: data)
    _ = try trainer(network: OwnConvnet(), data: data).resume(folder("run2"))
  }

  @Test func aNamedRunTakesNoOtherNetwork() throws {
    try train("run", to: 5, network: nil) { $0.hidden = [20] }
    let resumed = rigLError {
      _ = try trainer(network: Twin()) { $0.hidden = [20] }.resume(folder("run"))
    }
    #expect(resumed?.what.contains("network is mlp") == true, "\(resumed as Any)")
    let opened = rigLError { _ = try SavedRun(folder("run"), network: Twin()) }
    #expect(opened?.what.contains("ReLU") == true, "\(opened as Any)")
    _ = try SavedRun(folder("run"), network: MLP(hidden: [20]))
  }

  @Test func aRunWithoutACheckpointKnowsItsNetwork() throws {
    try train("run", to: 5)
    try FileManager.default.removeItem(atPath: folder.checkpoint(of: "run").path)
    let refused = rigLError { _ = try trainer(network: Own(width: 9)).resume(folder("run")) }
    #expect(refused?.what.contains("[9, 12]") == true, "\(refused as Any)")
    #expect(try trainer().resume(folder("run")).steps == 30)
  }

  // MARK: - Opening

  @Test func aSavedRunNeedsTheNetwork() throws {
    try train("run")
    let needed = rigLError { _ = try SavedRun(folder("run")) }
    #expect(needed?.kind == .configuration)
    #expect(needed?.what.contains("network (Own) was made in Swift") == true, "\(needed as Any)")
    #expect(needed?.hint?.contains("network: …") == true)
    let run = try SavedRun(folder("run"), network: Own())
    #expect(run.configuration.network == "custom" && run.configuration.data == "custom")
    _ = try run.evaluate(Self.samples.test)
    // Only the samples were given: the run opens.
    try train("data", network: nil)
    _ = try SavedRun(folder("data")).evaluate(Self.samples.test)
    let unknown = rigLError { _ = try TrainingData.loadTest(run.configuration) }
    #expect(unknown?.what.contains("samples were given in Swift") == true)
  }

  @Test func theConfigurationAloneTrainsNothingElse() throws {
    try train("run", to: 2)
    var layers = try SettingsStack()
    try layers.apply(file: folder("run/config.yaml"))
    let configuration = try layers.configuration()
    try configuration.validate()
    let both = rigLError { _ = try Trainer(configuration) }
    #expect(both?.what.contains("network: custom, data: custom") == true, "\(both as Any)")
    let network = rigLError { _ = try Trainer(configuration, data: Self.samples) }
    #expect(network?.what.contains("the network was made in Swift") == true, "\(network as Any)")
    let data = rigLError { _ = try Trainer(configuration, network: Own()) }
    #expect(data?.what.contains("the samples were given in Swift") == true, "\(data as Any)")
    _ = try Trainer(configuration, network: Own(), data: Self.samples)
    #expect(
      rigLError { try layers.set("custom_network", to: "{}") }?.what.contains("no key") == true)
  }

  @Test func startingFromItNeedsTheNetwork() throws {
    try train("dense") { $0.method = .dense }
    func start(_ network: (any Network)?) throws -> Trainer.Result {
      let options = RunOptions(threads: 1, output: folder("next"), startFrom: folder("dense"))
      return try Trainer(
        Self.configuration, options: options, network: network, data: Self.samples
      ).run()
    }
    let refused = rigLError { _ = try start(nil) }
    #expect(refused?.what.contains("(Own) was made in Swift") == true)
    #expect(try start(Own()).wasStopped == false)
  }

  // MARK: - Without the network

  /// Numbers of a damaged description are not calculated with.
  @Test(arguments: [(200, [1 << 25, 1 << 30]), (1, [1, 1 << 40])] as [(Int, [Int])])
  func positionsThatCannotBeAreRefused(layers: Int, weight: [Int]) throws {
    try train("run", to: 1)
    let file = try folder.checkpoint(of: "run")
    let described = (0..<layers).map {
      "{\"kind\":\"SparseLinear\",\"name\":\"l\($0)\",\"output\":[1,1,1],"
        + "\"weight\":\(weight),\"with_bias\":false}"
    }
    var metadata = file.metadata
    metadata["rigl.crc32"] = nil
    metadata["custom_network"] =
      "{\"type\":\"Own\",\"input\":[12,1,1],\"classes\":3,"
      + "\"layers\":[\(described.joined(separator: ","))]}"
    let path = file.path
    try SafetensorsWriter(path: path, tensors: [], metadata: metadata, checksummed: true).finish()
    let error = try #require(throws: RigLError.self) {
      _ = try StoredNetwork(folder("run"), best: false)
    }
    #expect(error.kind == .data && error.what.contains("shapes that cannot be"), "\(error)")
  }

  @Test func whatNeedsNoNetworkDoesWithout() throws {
    let images = RandomSamples(
      count: 40, shape: SampleShape(channels: 2, height: 8, width: 8), classes: 3)
    try train("net", to: 12)
    try train(
      "convnet", to: 4, network: OwnConvnet(), data: TrainingData(train: images, test: images))
    for (run, network) in [("net", Own()), ("convnet", OwnConvnet())] as [(String, any Network)] {
      let saved = try SavedRun(folder(run), network: network)
      let stored = try #require(try StoredNetwork(folder(run), best: false))
      for isDense in [false, true] {
        try saved.export(to: folder("a.safetensors"), isDense: isDense)
        try stored.export(to: folder("b.safetensors"), isDense: isDense)
        #expect(try fileBytes(folder("a.safetensors")) == fileBytes(folder("b.safetensors")))
      }
      let inspected = saved.model.inspect()
      #expect(stored.step == saved.step && stored.connections == inspected.connections)
      #expect(stored.layers.map(\.name) == inspected.layers.map(\.name))
      #expect(stored.layers.map(\.shape) == inspected.layers.map(\.shape))
      #expect(stored.layers.map(\.bytes) == inspected.layers.map(\.bytes))
    }
    #expect(throws: RigLError.self) {
      try StoredNetwork(folder("net"), best: false)?.export(
        to: folder("net/config.yaml"), isDense: true)
    }
  }

  @Test func anImportNeedsTheNetwork() throws {
    try train("run", to: 12)
    let file = folder("net.safetensors")
    try SavedRun(folder("run"), network: Own()).export(to: file, isDense: true)
    let exported = try #require(try NetworkImport.configuration(of: file))
    let needed = rigLError { _ = try NetworkImport(file, exported) }
    #expect(needed?.what.contains("(Own) was made in Swift") == true, "\(needed as Any)")
    let other = rigLError { _ = try NetworkImport(file, exported, network: Own(hasReLU: false)) }
    #expect(other?.what.contains("ReLU") == true, "\(other as Any)")
    // Its tensors would do for another network, too.
    try train("twin", to: 5, network: Twin())
    let twin = folder("twin.safetensors")
    try SavedRun(folder("twin"), network: Twin()).export(to: twin, isDense: true)
    let mlp = exported.changing {
      $0.network = "mlp"
      $0.hidden = [20]
    }
    let taken = rigLError { _ = try NetworkImport(twin, mlp, input: SampleShape(channels: 12)) }
    #expect(taken?.what.contains("ReLU") == true, "\(taken as Any)")
    var options = RunOptions()
    options.output = folder("again")
    _ = try NetworkImport(file, exported, network: Own()).write(options)
    #expect(try folder.configuration(of: "again").contains("custom_network:"))
    _ = try SavedRun(folder("again"), network: Own()).evaluate(Self.samples.test)
    #expect(rigLError { _ = try SavedRun(folder("again")) }?.what.contains("(Own)") == true)
  }

  /// Runs of versions that did not say it: their own parts go on, and then it is said.
  @Test func anEarlierVersionsRunGoesOn() throws {
    try train("whole")
    try train("run", to: 13)
    func older(_ text: String) -> String {
      text.replacing("network: custom\n", with: "network: mlp\n")
        .replacing("data: custom\n", with: "data: fashion-mnist\n")
    }
    let saved = try folder.configuration(of: "run")
    let end = try #require(saved.range(of: "custom_network:"))
    try writeFile(older(String(saved[..<end.lowerBound])), to: folder("run/config.yaml"))
    try changeMetadata(of: folder.checkpoint(of: "run")) {
      $0["custom_network"] = nil
      $0["configuration"] = older($0["configuration"] ?? "")
    }
    let hint = rigLError { _ = try SavedRun(folder("run")) }?.hint
    #expect(hint?.contains("made in Swift") == true, "\(hint as Any)")
    _ = try SavedRun(folder("run"), network: Own())
    _ = try trainer().resume(folder("run"))
    #expect(
      try fileBytes(folder.checkpoint(of: "run").path)
        == fileBytes(folder.checkpoint(of: "whole").path))
    #expect(
      try folder.configuration(of: "run").contains("network: custom\n")
        && folder.configuration(of: "run").contains("type: Own\n"))
  }
}
