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
      let published = try NetworkName(preset.configuration.network).published.samples
      let samples = preset.configuration.trainSamples ?? published
      #expect(preset.configuration.warnings(samples: samples) == [], "\(preset.name)")
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
      } == [])
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
