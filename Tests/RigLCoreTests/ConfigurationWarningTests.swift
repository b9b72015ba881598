import RigLCore
import Testing

/// Settings without effect are told of, and others are not.
@Suite struct ConfigurationWarningTests {
  /// The keys that a training on 1000 samples in batches of 10 warns of.
  private func keys(_ change: (inout Configuration) -> Void) -> [String] {
    var configuration = Configuration()
    configuration.batchSize = 10
    configuration.epochs = 5
    configuration.updateInterval = 20
    change(&configuration)
    return configuration.warnings(samples: 1000).map {
      String($0.prefix { $0 != ":" })
    }
  }

  @Test func thereAreNoneForWhatWorks() {
    #expect(keys { _ in } == [])
    #expect(keys { $0.updateEnd = 500 } == [], "to the last step")
    #expect(
      keys {
        $0.schedule = .step
        $0.milestones = [1, 4.9]
        $0.warmupEpochs = 1
      } == [])
    #expect(
      keys {
        $0.schedule = .warmRestarts
        $0.firstCycle = 1
      } == [])
    #expect(keys { $0.epochs = 0 } == [], "nothing is trained")
  }

  @Test func presetsHaveNone() throws {
    for preset in Preset.all {
      let published = try NetworkName(preset.configuration.network).published
      let samples = preset.configuration.trainSamples ?? published.samples
      let layers = try preset.configuration.makeNetwork().layers(
        input: published.input, classes: published.classes)
      let allocation = try preset.configuration.allocate(layers.weightLayers)
      let warnings = preset.configuration.warnings(samples: samples, allocation: allocation)
      #expect(warnings == [], "\(preset.name)")
    }
  }

  @Test func updatesThatTheTrainingDoesNotComeTo() {
    #expect(keys { $0.updateEnd = 501 } == ["update_end"])
    #expect(
      keys {
        $0.updateBegin = 500
        $0.updateEnd = 600
      } == ["update_begin"])
    #expect(keys { $0.updateInterval = 376 } == ["update_interval"])
    #expect(keys { $0.updateInterval = 375 } == [], "before steps 0 and 375")
    #expect(
      keys {
        $0.updateInterval = 376
        $0.method = .static
      } == ["update_interval"], "of no use")
    #expect(
      keys {
        $0.updateEnd = 501
        $0.multiplier = 2
      } == ["update_end"])
  }

  @Test func ratesThatTheTrainingDoesNotComeTo() {
    #expect(
      keys {
        $0.schedule = .step
        $0.milestones = [1, 5, 7]
      } == ["milestones"])
    #expect(keys { $0.schedule = .step } == ["schedule"])
    #expect(keys { $0.warmupEpochs = 5 } == ["warmup_epochs"])
    #expect(
      keys {
        $0.schedule = .warmRestarts
        $0.firstCycle = 6
      } == ["first_cycle"])
  }

  @Test func settingsForOthers() {
    #expect(keys { $0.milestones = [2] } == ["milestones"])
    #expect(keys { $0.firstCycle = 2 } == ["first_cycle"])
    #expect(keys { $0.cycleMultiplier = 3 } == ["cycle_multiplier"])
    #expect(keys { $0.annealingPower = 2 } == ["annealing_power"])
    #expect(keys { $0.cropPadding = 2 } == ["crop_padding"])
    #expect(keys { $0.firstLayerSparse = true } == ["first_layer_sparse"])
    #expect(keys { $0.factor = 0.5 } == ["factor"])
    #expect(keys { $0.beta1 = 0.5 } == ["beta1"])
    #expect(keys { $0.adamCorrection = .global } == ["adam_correction"])
    #expect(
      keys {
        $0.optimizer = .adam
        $0.adamCorrection = .global
      } == [])
    #expect(
      keys {
        $0.optimizer = .adam
        $0.momentum = 0.5
      } == ["momentum"])
    #expect(keys { $0.newWeightDivisor = 2 } == ["new_weight_divisor"])
    #expect(
      keys {
        $0.schedule = .constant
        $0.minLearningRate = 0.01
      } == ["min_learning_rate"])
    #expect(
      keys {
        $0.network = "lenet-5"
        $0.hidden = [7]
      } == ["hidden"])
  }

  /// Whoever takes a preset has not set its numbers, and is told only of what he changes.
  @Test func whatAPresetSaysIsNobodysSetting() throws {
    func told(_ configuration: Configuration) -> [String] {
      configuration.warnings(samples: 50_000).filter { $0.contains("has no effect") }
    }
    for preset in Preset.all {
      for method in Configuration.Method.allCases {
        for optimizer in Configuration.OptimizerKind.allCases {
          for schedule in Configuration.ScheduleKind.allCases {
            var other = preset.configuration
            (other.method, other.optimizer, other.schedule) = (method, optimizer, schedule)
            (other.network, other.augmentation) = ("lenet-5", .none)
            other.validateOnTest = true
            #expect(told(other) == [], "\(preset.name)")
          }
        }
      }
      var dense = preset.configuration
      dense.method = .dense
      dense.sparsity = 0.6
      #expect(told(dense) == ["sparsity: has no effect with method: dense"], "\(preset.name)")
      dense.dropFraction = 0.1
      #expect(
        told(dense) == ["sparsity: has no effect with method: dense, nor have drop_fraction"])
    }
  }

  /// Of settings in layers, those above the base are the user's, were they to the base's value.
  @Test func whatIsAskedForIsTheUsersSetting() throws {
    func told(_ change: (inout SettingsStack) throws -> Void) throws -> [String] {
      var layers = try SettingsStack(try Preset.find("demo").configuration)
      try layers.set("method", to: "dense")
      try change(&layers)
      return try layers.configuration().warnings(samples: 50_000)
    }
    let sparsity = ["sparsity: has no effect with method: dense"]
    #expect(try told { _ in } == [])
    #expect(try told { try $0.set("sparsity", to: "0.95") } == sparsity, "as the preset has it")
    #expect(try told { try $0.apply(yaml: "sparsity: 0.5", path: "a.yaml") } == sparsity)
    #expect(try told { try $0.apply(yaml: "preset: mlp-1000x3\nmethod: dense", path: "a") } == [])
    let saved = try Preset.find("mlp-1000x3").configuration.yaml()
    #expect(
      try told {
        try $0.apply(yaml: saved, path: "config.yaml", isSaved: true)
        try $0.set("method", to: "static")
      } == [], "of another run")
  }

  @Test func whatOnlyLayersTell() throws {
    let samples = RandomSamples(count: 40, width: 12, classes: 3)
    func keys(_ change: (inout Configuration) -> Void) throws -> [String] {
      var configuration = Configuration()
      configuration.hidden = [8]
      configuration.batchSize = 4
      configuration.updateInterval = 10
      configuration.sparsity = 0.5
      change(&configuration)
      let data = TrainingData(train: samples, test: samples)
      return try Trainer(configuration, data: data).warnings.map { String($0.prefix { $0 != ":" }) }
    }
    #expect(try keys { _ in } == [])
    #expect(try keys { $0.layerSparsities = ["fc1": 0.25, "fc2": 0] } == ["sparsity"])
    #expect(try keys { $0.layerSparsities = ["fc1": 0.5, "fc2": 0] } == [], "fc1 has it")
    #expect(try keys { $0.layerSparsities = ["fc1": 0.25] } == [], "fc2 takes part")
    #expect(try keys { $0.layerSparsityFactors = ["fc1": 0.5, "fc2": 0] } == [])
    #expect(try keys { $0.dropFraction = 0.001 } == ["drop_fraction"])
  }

  // MARK: - What is left dense

  /// What a training warns of on samples of a shape.
  private func said(
    of shape: SampleShape, network: (any Network)? = nil,
    _ change: (inout Configuration) -> Void
  ) throws -> [String] {
    var configuration = Configuration()
    configuration.batchSize = 4
    configuration.updateInterval = 10
    configuration.sparsity = 0.98
    change(&configuration)
    let samples = RandomSamples(count: 40, shape: shape, classes: 10)
    let data = TrainingData(train: samples, test: samples)
    return try Trainer(configuration, network: network, data: data).warnings
  }

  @Test func layersThatStayDenseAreNamed() throws {
    let digits = SampleShape(channels: 1, height: 28, width: 28)
    let uniform = try said(of: digits) { $0.distribution = .uniform }
    #expect(
      uniform == [
        "sparsity: 0.98 would leave 5324 of 266200 connections, but there are 235820: fc1 stays "
          + "dense, the first layer, as distribution: uniform leaves it; set first_layer_sparse: "
          + "true, or distribution: erk"
      ])
    for half in [0.3, 0.5] {
      #expect(
        try said(of: digits) { ($0.distribution, $0.sparsity) = (.uniform, half) }.count == 1)
    }
    let remedies: [(inout Configuration) -> Void] = [
      { $0.firstLayerSparse = true }, { $0.distribution = .erdosRenyiKernel },
      { $0.distribution = .erdosRenyi }, { $0.layerSparsities = ["fc1": 0.9] },
      { $0.layerSparsityFactors = ["fc1": 1] }, { $0.sparsity = 0 }, { $0.method = .dense },
    ]
    for remedy in remedies {
      let warnings = try said(of: digits) {
        $0.distribution = .uniform
        remedy(&$0)
      }
      #expect(!warnings.contains { $0.hasPrefix("sparsity: 0.") }, "\(warnings)")
    }
    // Of a single layer, the reason is the same, and said once.
    let single = try said(of: digits) { ($0.distribution, $0.hidden) = (.uniform, []) }
    #expect(single.count == 1 && single[0].contains("first_layer_sparse"), "\(single)")
    let last = try said(of: digits) {
      ($0.hidden, $0.lastLayerDense, $0.sparsity) = ([300], true, 0.99)
    }
    #expect(last.count == 1 && last[0].contains("fc2 stays dense, the last layer"), "\(last)")
    #expect(last[0].hasSuffix("set last_layer_dense: false"))
  }

  @Test func smallLayersThatStayDenseAreNot() throws {
    for name in ["wrn-10-1", "resnet-18"] {
      let warnings = try said(of: SampleShape(channels: 3, height: 32, width: 32)) {
        ($0.network, $0.distribution, $0.sparsity) = (name, .uniform, 0.9)
      }
      #expect(warnings.isEmpty, "\(warnings)")
    }
    // Depthwise layers, which no setting makes sparse.
    let mobile = try said(of: SampleShape(channels: 3, height: 32, width: 32)) {
      ($0.network, $0.widthMultiplier, $0.sparsity) = ("mobilenet-v1", 0.25, 0.99)
    }
    #expect(mobile.count == 1 && mobile[0].hasSuffix("raise sparsity for the others"), "\(mobile)")
  }

  // MARK: - Networks that do not suit pictures

  @Test func linearLayersOnColourPicturesAreSaid() throws {
    func networks(_ shape: SampleShape, _ network: (any Network)? = nil) throws -> [String] {
      try said(of: shape, network: network) { $0.hidden = [8] }.filter { $0.hasPrefix("network:") }
    }
    let photo = try networks(SampleShape(channels: 3, height: 224, width: 224))
    #expect(
      photo == [
        "network: an mlp takes pictures of 3 x 224 x 224 for 150528 numbers without a place; "
          + "convolutions suit pictures better, as --set network=resnet-18"
      ])
    let small = try networks(SampleShape(channels: 3, height: 32, width: 32))
    #expect(small.first?.hasSuffix("--set network=wrn-16-2") == true)
    #expect(try networks(SampleShape(channels: 1, height: 28, width: 28)).isEmpty)
    #expect(try networks(SampleShape(channels: 30)).isEmpty, "features")
    let own = MLP(hidden: [8])
    #expect(try networks(SampleShape(channels: 3, height: 8, width: 8), own).isEmpty)
  }

  // MARK: - Sparsities of layers as factors

  @Test func thePaperPresetFollowsTheSparsity() throws {
    var configuration = try Preset.find("lenet-300-100-paper").configuration
    let layers = try configuration.makeNetwork().layers(
      input: SampleShape(channels: 1, height: 28, width: 28), classes: 10
    ).weightLayers
    func sparsities() throws -> [Double] {
      try configuration.allocate(layers).layers.map(\.sparsity)
    }
    // What the preset had as sparsities of their own.
    #expect(try sparsities() == [0.98, 0.9 * 0.98, 0])
    configuration.sparsity = 0.99
    #expect(try sparsities() == [0.99, 0.9 * 0.99, 0])
    configuration.layerSparsities = ["fc2": 0.5]
    #expect(try sparsities() == [0.99, 0.5, 0])
  }

  @Test func factorsAreChecked() throws {
    for (factor, sparsity) in [(-0.1, 0.5), (2, 0.5), (.infinity, 0.5), (.nan, 0.5)] {
      var configuration = Configuration()
      configuration.sparsity = sparsity
      configuration.layerSparsityFactors = ["fc1": factor]
      let error = #expect(throws: RigLError.self) { try configuration.validate() }
      #expect(error?.what.contains("layer_sparsity_factors: fc1") == true)
    }
  }
}
