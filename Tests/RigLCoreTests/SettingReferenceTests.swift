import Foundation
import RigLCore
import Testing

@Suite struct SettingReferenceTests {
  typealias Key = Configuration.Key

  @Test func everyKeyHasItsEntryAndEveryEntryAKey() {
    let keys = SettingReference.all.map(\.key)
    #expect(Set(keys) == Set(Key.allCases.map(\.rawValue) + RunOptions.keys))
    #expect(keys.count == Set(keys).count, "no key twice")
    for setting in SettingReference.all {
      #expect(setting.meaning.count > 10 && setting.meaning.hasSuffix("."), "\(setting.key)")
      #expect(setting.meaning.first?.isUppercase == true, "\(setting.key)")
      #expect(setting.defaultValue != nil || setting.unset != nil, "\(setting.key): no default")
      #expect(setting.defaultValue == nil || setting.unset == nil, "\(setting.key): two defaults")
    }
  }

  /// Each default, read as a file has it, changes nothing.
  @Test(arguments: SettingReference.all)
  func theDefaultIsTheLibrarys(setting: SettingReference) throws {
    var layers = try SettingsStack()
    // One thread per processor: nothing that a file could have.
    guard setting.key != "threads" else { return }
    try layers.set(setting.key, to: setting.defaultValue ?? "null")
    #expect(try layers.configuration() == Configuration())
    // As a run saves it.
    #expect(try Configuration().yaml(layers.options) == Configuration().yaml(RunOptions()))
  }

  /// The entry's words are the ones that are accepted, each with its meaning.
  @Test(arguments: SettingReference.all)
  func theValuesAreTheOnesAccepted(setting: SettingReference) throws {
    switch setting.values {
    case .words(let words):
      #expect(words.allSatisfy { $0.meaning.count > 3 })
      for (word, _) in words { #expect(try problem(setting, word) == nil) }
      let wrong = try #require(try problem(setting, "zzz"))
      #expect(wrong.hint == "Possible: \(words.map(\.word).joined(separator: ", ")).")
    case .flag:
      for value in ["true", "false"] { #expect(try problem(setting, value) == nil) }
      #expect(try problem(setting, "2") != nil)
    case .whole(let range):
      #expect(try problem(setting, "\(range.lowerBound)") == nil)
      #expect(try problem(setting, "\(range.lowerBound - 1)") != nil)
      #expect(try problem(setting, "\(range.lowerBound).5") != nil)
      if range.upperBound < .max {
        #expect(try problem(setting, "\(range.upperBound)") == nil)
        #expect(try problem(setting, "\(range.upperBound + 1)") != nil)
      } else {
        #expect(try problem(setting, "1000000") == nil)
      }
    case .number(let range):
      for bound in [range.lowerBound, range.upperBound] {
        #expect(try problem(setting, "\(bound)") == nil)
      }
      #expect(try problem(setting, "\(range.lowerBound - 1e-3)") != nil)
      #expect(try problem(setting, "\(range.upperBound + 1e-3)") != nil)
      #expect(try problem(setting, ".nan") != nil)
    case .below(let bound):
      #expect(try problem(setting, "0") == nil)
      #expect(try problem(setting, "-1e-9") != nil)
      #expect(try problem(setting, bound.isFinite ? "\(bound)" : ".inf") != nil)
      #expect(try problem(setting, bound.isFinite ? "\(bound - 1e-3)" : "1e9") == nil)
    case .positive:
      #expect(try problem(setting, "1e-9") == nil)
      for value in ["0", "-1", ".nan"] { #expect(try problem(setting, value) != nil) }
    case .described(let text):
      #expect(text.count > 3)
    }
  }

  /// What is wrong with a value of a setting, if it is that setting's fault.
  private func problem(_ setting: SettingReference, _ value: String) throws -> RigLError? {
    var layers = try SettingsStack()
    do throws(RigLError) {
      try layers.set(setting.key, to: value)
      var configuration = try layers.configuration()
      // Where a setting matters only beside others.
      if setting.key == "annealing_power" { configuration.annealing = .inversePower }
      if setting.key == "update_end" { configuration.updateBegin = 0 }
      if setting.key == "update_forever" { configuration.annealing = .constant }
      if setting.key == "update_begin" { configuration.updateEnd = 1 << 50 }
      if setting.key == "annealing", configuration.annealing == .constant {
        configuration.updateForever = true
      }
      if setting.key == "augmentation", configuration.augmentation == .randomResizedCrop {
        configuration.data = "photos"
      }
      if setting.key == "image_size" { configuration.data = "synthetic-color" }
      try configuration.validate()
      if setting.key == "threads" { _ = try ThreadPool(threads: min(layers.options.threads, 1025)) }
      return nil
    } catch {
      return error
    }
  }

  @Test func aKeyIsFoundHoweverItIsWritten() throws {
    for name in ["learning_rate", "learning-rate", "Learning_Rate", "learningrate"] {
      #expect(try SettingReference.find(name).key == "learning_rate")
    }
  }

  @Test(arguments: [
    ("lr", "Did you mean learning_rate or min_learning_rate?"), ("warmup", "warmup_epochs"),
    ("demo", "It is a preset: --preset demo."), ("adamw", "It is a value: --set optimizer=adamw."),
    ("wrn-28-10", "It is a network: --set network=wrn-28-10."), ("zzz", "All are listed by"),
  ])
  func anUnknownKeyNamesWhatIsNear(name: String, hint: String) throws {
    let error = try #require(throws: RigLError.self) { try SettingReference.find(name) }
    #expect(error.kind == .configuration)
    #expect(error.hint?.contains(hint) == true, "\(error)")
  }

  /// Written by: rigl settings --markdown > docs/settings.md
  @Test func thePageIsTheReference() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    let page = try String(
      contentsOf: root.appendingPathComponent("docs/settings.md"), encoding: .utf8)
    #expect(
      page == SettingReference.markdown,
      "write it again: rigl settings --markdown > docs/settings.md")
    for key in Key.allCases { #expect(page.contains("### `\(key.rawValue)`\n")) }
  }
}

@Suite struct DefaultLearningRateTests {
  private func rate(_ settings: [(String, String)], file: String? = nil) throws -> Double {
    var layers = try SettingsStack()
    if let file { try layers.apply(yaml: file, path: "c.yaml") }
    for (key, value) in settings { try layers.set(key, to: value) }
    return try layers.configuration().learningRate
  }

  @Test func eachOptimizerHasItsOwn() throws {
    #expect(try rate([]) == 0.1)
    #expect(try rate([("optimizer", "adam")]) == 1e-3)
    #expect(try rate([("optimizer", "adamw")]) == 1e-3)
    #expect(try rate([("optimizer", "adamw"), ("optimizer", "sgd")]) == 0.1)
    var configuration = Configuration()
    #expect(configuration.learningRate == 0.1)
    configuration.optimizer = .adamw
    #expect(configuration.learningRate == 1e-3)
    configuration.optimizer = .adam
    configuration.optimizer = .sgd
    #expect(configuration == Configuration(), "how it came about makes no difference")
    configuration.optimizer = .adam
    #expect(try configuration.learningRateSchedule(samples: 1000).peak == 1e-3)
  }

  @Test func aRateThatIsSetStays() throws {
    #expect(try rate([("learning_rate", "0.1"), ("optimizer", "adamw")]) == 0.1)
    #expect(try rate([("optimizer", "adamw"), ("learning_rate", "0.1")]) == 0.1)
    #expect(try rate([("learning_rate", "0.1"), ("learning_rate", "null")]) == 0.1)
    #expect(try rate([("optimizer", "adam"), ("learning_rate", "null")]) == 1e-3)
    #expect(try rate([], file: "learning_rate: 0.05\noptimizer: adam\n") == 0.05)
    #expect(try rate([("optimizer", "adam")], file: "learning_rate: 0.05\n") == 0.05)
    var configuration = Configuration()
    configuration.learningRate = 0.1
    configuration.optimizer = .adamw
    #expect(configuration.learningRate == 0.1)
  }

  /// A preset's rate is for the preset's optimizer.
  @Test func anotherOptimizerTakesNoPresetsRate() throws {
    let preset = "preset: lenet-300-100-paper\n"
    #expect(try rate([], file: preset) == 0.2)
    #expect(try rate([("optimizer", "adamw")], file: preset) == 1e-3)
    #expect(try rate([], file: preset + "optimizer: adam\n") == 1e-3)
    #expect(try rate([("optimizer", "adam"), ("optimizer", "sgd")], file: preset) == 0.2)
    #expect(try rate([("optimizer", "sgd")], file: preset) == 0.2)
    var configuration = try Preset.find("lenet-300-100-paper").configuration
    #expect(configuration.learningRate == 0.2)
    configuration.optimizer = .adamw
    #expect(configuration.learningRate == 1e-3)
    for preset in Preset.all where preset.configuration.optimizer != .sgd {
      #expect(preset.configuration.learningRate <= 0.01, "\(preset.name)")
    }
  }

  /// What a run saves is a number, which is the same configuration again.
  @Test(arguments: Configuration.OptimizerKind.allCases)
  func theNumberIsSaved(optimizer: Configuration.OptimizerKind) throws {
    var configuration = Configuration()
    configuration.optimizer = optimizer
    let yaml = try configuration.yaml()
    #expect(yaml.contains("learning_rate: \(optimizer.defaultLearningRate)\n"), "\(yaml)")
    let read = try Configuration(yaml: yaml, path: "config.yaml")
    #expect(read.learningRate == optimizer.defaultLearningRate)
    #expect(try read.yaml() == yaml)
    #expect(try read.firstDifference(from: configuration) == nil)
    // As runs were saved before there were defaults of optimizers.
    let old = try Configuration(
      yaml: "optimizer: \(optimizer.rawValue)\nlearning_rate: 0.1\n", path: "config.yaml")
    #expect(old.learningRate == 0.1)
  }

  @Test func aTrainersConfigurationHasTheNumber() throws {
    var configuration = Configuration()
    configuration.optimizer = .adam
    configuration.hidden = [8]
    let samples = RandomSamples(count: 200, width: 10, classes: 4)
    let trainer = try Trainer(
      configuration, data: TrainingData(train: samples, test: samples))
    #expect(trainer.configuration.learningRate == 1e-3)
    #expect(trainer.step.learningRate.peak == 1e-3)
    #expect(!trainer.warnings.contains { $0.contains("learning_rate") })
  }

  @Test(arguments: [(0.1, true), (0.011, true), (0.01, false), (0.001, false)])
  func aRateOfAnotherOptimizerIsSaid(rate: Double, isSaid: Bool) throws {
    for optimizer in Configuration.OptimizerKind.allCases {
      var configuration = Configuration()
      (configuration.optimizer, configuration.learningRate) = (optimizer, rate)
      configuration.hidden = [8]
      let samples = RandomSamples(count: 200, width: 10, classes: 4)
      let trainer = try Trainer(
        configuration, data: TrainingData(train: samples, test: samples))
      let said = trainer.warnings.filter { $0.contains("learning_rate") }
      #expect(said.count == (isSaid && optimizer != .sgd ? 1 : 0))
      #expect(said.allSatisfy { $0.contains("\(rate)") && $0.contains("0.001") })
    }
  }
}
