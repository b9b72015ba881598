import Foundation
import RigLCore
import Testing

/// The setting `activation`: networks, runs and files of each function.
@Suite struct ActivationRunTests {
  typealias Kind = Configuration.ActivationKind

  static let configuration = Configuration().changing {
    ($0.data, $0.trainSamples, $0.testSamples, $0.validation) = ("synthetic", 400, 50, 0)
    ($0.hidden, $0.batchSize, $0.sparsity, $0.seed) = ([24, 20], 20, 0.8, 1)
    ($0.updateInterval, $0.totalSteps) = (5, 20)
  }

  /// Every function of a network is the setting's, however deep it stands.
  @Test(arguments: NetworkName.examples) func everyBuilderTakesIt(network: String) throws {
    for kind in Kind.allCases {
      let configuration = Configuration().changing { ($0.network, $0.activation) = (network, kind) }
      let published = try NetworkName(network).published
      let layers = try configuration.makeNetwork().layers(
        input: published.input, classes: published.classes)
      let found = functions(of: layers)
      #expect(!found.isEmpty && found.allSatisfy { $0 == kind.activation }, "\(network): \(found)")
    }
  }

  private func functions(of layer: any Layer) -> [Activation] {
    if let layer = layer as? any ActivationLayer { return [layer.activation] }
    let own = (layer as? Residual)?.activation.map { [$0] } ?? []
    return switch layer.parts {
    case .none: []
    case .sequence(let layers): layers.flatMap(functions)
    case .branches(let before, let main, let shortcut):
      (before + main + shortcut).flatMap(functions) + own
    }
  }

  /// Twenty steps of LeNet-300-100 and of WRN-10-2: losses are finite, and fall.
  @Test(arguments: Kind.allCases, ["mlp", "wrn-10-2"]) func lossesFall(
    activation: Kind, network: String
  ) throws {
    let configuration = Self.configuration.changing {
      ($0.activation, $0.network, $0.hidden) = (activation, network, [300, 100])
      ($0.updateInterval, $0.learningRate, $0.sparsity) = (7, network == "mlp" ? 0.1 : 0.05, 0.5)
      ($0.initializer, $0.trainSamples, $0.batchSize) = (.glorotUniform, 100, 50)
      if network != "mlp" { ($0.widthMultiplier, $0.batchSize) = (0.5, 20) }
    }
    let trainer = try Trainer(configuration, options: RunOptions(threads: 2))
    var losses: [Double] = []
    while trainer.step.weightSteps < 20 { losses.append(try trainer.trainNextBatch().loss) }
    #expect(losses.allSatisfy { $0.isFinite })
    let (first, last) = (losses.prefix(4).reduce(0, +), losses.suffix(4).reduce(0, +))
    #expect(last < first, "\(activation), \(network): \(losses)")
  }

  private func train(
    _ configuration: Configuration, _ path: String, threads: Int = 1, until step: Int = .max,
    resuming: Bool = false
  ) throws -> Trainer {
    var options = RunOptions(threads: threads, output: resuming ? nil : path)
    (options.checkpointEvery, options.keep) = (3, 99)
    let trainer = try Trainer(configuration, options: options)
    trainer.callbacks = [Watcher(stopAt: step, by: .interrupt)]
    _ = try resuming ? trainer.resume(path) : trainer.run()
    return trainer
  }

  /// The same bytes for one, two and three threads, and across a stop.
  @Test(arguments: Kind.allCases, ["mlp", "lenet-5", "wrn-10-1", "resnet-18", "vgg-16"])
  func sameBytesForAnyThreadsAndAcrossAStop(activation: Kind, network: String) throws {
    let configuration = Self.configuration.changing {
      ($0.activation, $0.network, $0.totalSteps) = (activation, network, 9)
      if network == "mlp" {
        $0.dropout = 0.2
      } else {
        ($0.widthMultiplier, $0.batchSize) = (0.1, 9)
      }
      if network != "mlp" && network != "lenet-5" { $0.padTo = 32 }
    }
    let folder = try TemporaryFolder()
    func bytes(_ run: String) throws -> [UInt8] {
      try fileBytes(CheckpointStore(folder: folder("\(run)/checkpoints")).path(step: 9))
    }
    _ = try train(configuration, folder("1"))
    let expected = try bytes("1")
    for threads in [2, 3] {
      _ = try train(configuration, folder("\(threads)"), threads: threads)
      #expect(try bytes("\(threads)") == expected, "\(threads) threads")
    }
    _ = try train(configuration, folder("stopped"), until: 4)
    _ = try train(configuration, folder("stopped"), threads: 2, resuming: true)
    #expect(try bytes("stopped") == expected)
  }

  // MARK: - Files

  private func begun(
    _ folder: TemporaryFolder, _ kind: Kind, _ name: String, network: String = "mlp"
  ) throws -> String {
    let configuration = Self.configuration.changing {
      ($0.activation, $0.totalSteps, $0.network) = (kind, 6, network)
      if network != "mlp" { ($0.widthMultiplier, $0.batchSize, $0.padTo) = (0.1, 9, 32) }
    }
    _ = try train(configuration, folder(name))
    return folder(name)
  }

  /// A run, its export and what is imported of it compute the same; `config.yaml` names the function.
  @Test(arguments: Kind.allCases, ["mlp", "resnet-18"]) func filesCarryIt(
    kind: Kind, network: String
  ) throws {
    let folder = try TemporaryFolder()
    let path = try begun(folder, kind, "run", network: network)
    #expect(try folder.configuration(of: "run").contains("activation: \(kind.rawValue)\n"))
    let run = try SavedRun(path)
    #expect(run.configuration.activation == kind)
    let samples = [randomValues(run.sampleShape.count, seed: 1)]
    let logits = try run.logits(samples)
    for isDense in [false, true] {
      let file = folder("\(isDense).safetensors")
      try run.export(to: file, isDense: isDense)
      let saved = try #require(try NetworkImport.configuration(of: file))
      #expect(saved.activation == kind)
      let options = RunOptions(threads: 1, output: folder("imported \(isDense)"))
      let imported = try NetworkImport(file, saved).write(options)
      #expect(try SavedRun(imported.path).logits(samples) == logits)
      // One epoch more of the export, with nothing said, has the function.
      let tuned = try Trainer(startingFrom: file, options: RunOptions(threads: 1)) {
        $0.totalSteps = 2
      }
      #expect(tuned.configuration.activation == kind)
    }
    let tuned = try Trainer(startingFrom: path, options: RunOptions(threads: 1)) {
      $0.totalSteps = 2
    }
    #expect(tuned.configuration.activation == kind)
  }

  /// No file is taken for another function's, whichever way it is read.
  @Test(arguments: [(Kind.gelu, Kind.relu), (.relu, .tanh), (.leakyReLU, .relu), (.silu, .gelu)])
  func anotherFunctionIsRefused(saved: Kind, asked: Kind) throws {
    let folder = try TemporaryFolder()
    let path = try begun(folder, saved, "run")
    let run = try SavedRun(path)
    try run.export(to: folder("export.safetensors"), isDense: true)
    let other = run.configuration.changing { $0.activation = asked }
    func refuse(_ way: String, _ body: () throws -> Void) {
      let error = rigLError(body)
      #expect(error?.kind == .data || error?.kind == .configuration, "\(way)")
      #expect(error.map { "\($0)".contains(saved.rawValue) } == true, "\(way): \(error as Any)")
      #expect(error.map { "\($0)".contains(asked.rawValue) } == true, "\(way): \(error as Any)")
    }
    refuse("import") { _ = try NetworkImport(folder("export.safetensors"), other) }
    for start in [path, folder("export.safetensors")] {
      refuse("start from \(start)") {
        var options = RunOptions(threads: 1, startFrom: start)
        options.output = folder("new")
        _ = try Trainer(other, options: options).run()
      }
    }
    #expect(!FileManager.default.fileExists(atPath: folder("new")))
    refuse("resume") { _ = try train(other, path, resuming: true) }
    let layers = MLP(hidden: [24, 20], activation: asked.activation).layers(
      input: run.sampleShape, classes: 10)
    for file in [folder("export.safetensors"), run.checkpointPath] {
      refuse("a model of \(file)") { _ = try Model(layers, savedAt: file, capacity: 1) }
    }
    try run.model.save(to: folder("model.safetensors"))
    refuse("a model") { _ = try Model(layers, savedAt: folder("model.safetensors"), capacity: 1) }
  }

  /// Nor where Swift gives the network: the run was of one's own.
  @Test func anotherFunctionOfAnOwnNetworkIsRefused() throws {
    let folder = try TemporaryFolder()
    func train(_ f: Activation, _ options: RunOptions) throws {
      _ = try Trainer(
        Self.configuration.changing { $0.totalSteps = 4 }, options: options,
        network: MLP(hidden: [24, 20], dropout: 0.1, activation: f)
      ).run()
    }
    try train(.silu, RunOptions(threads: 1, output: folder("run")))
    let start = RunOptions(threads: 1, output: folder("new"), startFrom: folder("run"))
    let error = rigLError { try train(.gelu, start) }
    #expect(error?.kind == .data && error?.what.contains("silu") == true, "\(error as Any)")
    try train(.silu, start)
    let stored = try #require(try StoredNetwork(folder("run"), best: false))
    try stored.export(to: folder("export.safetensors"), isDense: true)
    #expect(
      try SafetensorsFile(path: folder("export.safetensors")).metadata["activations"] == "silu")
  }

  /// A file that an earlier version wrote has ReLU.
  @Test func filesWithoutANameHaveReLU() throws {
    let folder = try TemporaryFolder()
    let run = try SavedRun(try begun(folder, .relu, "run"))
    try run.export(to: folder("export.safetensors"), isDense: true)
    let file = try SafetensorsFile(path: folder("export.safetensors"))
    var metadata = file.metadata
    metadata["activations"] = nil
    metadata["configuration"] = metadata["configuration"]?.replacing("activation: relu\n", with: "")
    func write(_ path: String, _ metadata: [String: String]) throws {
      var writer = try SafetensorsWriter(path: path, tensors: file.tensors, metadata: metadata)
      for tensor in file.tensors {
        let bytes = try file.bytes(tensor.name)
        try writer.append(bytes: unsafe bytes.span.bytes, to: tensor.name)
      }
      try writer.finish()
    }
    try write(folder("older.safetensors"), metadata)
    let saved = try #require(try NetworkImport.configuration(of: folder("older.safetensors")))
    #expect(saved.activation == .relu)
    _ = try NetworkImport(folder("older.safetensors"), saved)
    let error = rigLError {
      _ = try NetworkImport(
        folder("older.safetensors"), saved.changing { $0.activation = .silu })
    }
    #expect(error?.kind == .data && error?.what.contains("relu") == true, "\(error as Any)")
    // Another program's says nothing.
    try write(folder("other.safetensors"), ["format": "pt"])
    let other = try NetworkImport(
      folder("other.safetensors"), run.configuration.changing { $0.activation = .silu })
    #expect(other.configuration.activation == .silu)
  }

  /// What does not fit with what GELU keeps is refused before there is memory for it.
  @Test(arguments: [Kind.gelu, .silu]) func theEarlyGuessCountsWhatIsKept(kind: Kind) throws {
    let limit = try #require(memoryLimitBytes())
    let units = 1 << 20
    let capacity = Int(0.7 * Double(limit)) / (4 * units)
    let layers = MLP(hidden: [units], activation: kind.activation).layers(
      input: SampleShape(channels: 1), classes: 2)
    let error = rigLError {
      _ = try Model(layers, input: SampleShape(channels: 1), capacity: capacity)
    }
    #expect(error?.kind == .configuration && error?.what.contains("would take") == true)
  }

  @Test func aSettingWithoutEffectIsSaid() {
    let none = Self.configuration.changing { ($0.hidden, $0.activation) = ([], .gelu) }
    #expect(none.warnings(samples: 400).contains { $0.hasPrefix("activation: has no effect") })
    let some = Self.configuration.changing { $0.activation = .gelu }
    #expect(!some.warnings(samples: 400).contains { $0.hasPrefix("activation") })
  }
}
