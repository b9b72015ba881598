import Foundation
import RigLCore

/// What becomes of a file of settings: everything that a command does with it before and in its
/// first steps, with data and batches made small.
struct SettingsTrial {
  /// A promise that was not kept; errors of the settings are no failure.
  struct Failure: Error {
    let what: String
  }

  private let configuration: Configuration
  private let options: RunOptions

  /// Reads a file as a command would.
  init(yaml: String) throws {
    var layers = try SettingsStack()
    try layers.apply(yaml: yaml, path: "settings.yaml")
    configuration = try layers.configuration()
    options = layers.options
    try configuration.validate()
  }

  /// Runs through all of it; says whether something was trained.
  func run() throws -> Bool {
    try readAgain()
    try askSchedules()
    // Each unit has a bias in memory as soon as there is a network.
    guard configuration.hidden.allSatisfy({ $0 < 10_000_000 }) else { return false }
    try count()
    return try train()
  }

  /// What is saved must say the same.
  private func readAgain() throws {
    let again = try Configuration(yaml: try configuration.yaml(), path: "config.yaml")
    guard again == configuration else {
      throw Failure(what: "saved settings are read as other ones")
    }
  }

  /// Rates and fractions of trainings of all lengths, at the places where something changes.
  private func askSchedules() throws {
    for samples in [1, 37, 60_000, 1_281_167] {
      let steps = configuration.steps(samples: samples)
      guard steps > 0 else { continue }
      _ = configuration.warnings(samples: samples)
      // Some lengths are refused where the data says so.
      guard let rates = try? configuration.learningRateSchedule(samples: samples),
        let updates = try? configuration.updateSchedule(samples: samples)
      else { continue }
      var places = [0, 1, steps / 3, steps / 2, steps - 1, steps, rates.warmUp, updates.begin]
      places += [updates.end ?? 0]
      for step in places.flatMap({ [$0 - 1, $0, $0 + 1] }) where step >= 0 && step <= steps {
        let rate = rates.rate(at: step)
        let fraction = updates.fraction(at: step, learningRate: rate, peak: rates.largestRate)
        guard rate >= 0, rate <= rates.largestRate, (0...1).contains(fraction),
          UpdateSchedule.moved(of: 1000, fraction: fraction)
            <= UpdateSchedule.moved(of: 1000, fraction: configuration.firstDropFraction)
        else {
          throw Failure(what: "step \(step) of \(steps): rate \(rate), fraction \(fraction)")
        }
        _ = updates.isDue(step: step, last: updates.initialLast)
      }
    }
  }

  private func count() throws {
    for accounting in [Accounting.real, .paper] {
      let report = try configuration.accountingReport(accounting)
      guard report.flops.isFinite, report.flops >= 0 else {
        throw Failure(what: "\(report.flops) FLOPs")
      }
    }
  }

  // MARK: - Steps

  /// The settings with as little data as shows what they do.
  private var small: Configuration {
    var small = configuration
    if small.data != "synthetic" {
      small.data = "synthetic-color"
      small.imageSize = min(small.imageSize ?? 32, 48)
      if small.augmentation == .randomResizedCrop { small.augmentation = .none }
    }
    small.trainSamples = min(small.trainSamples ?? 40, 40)
    small.testSamples = min(small.testSamples ?? 20, 20)
    small.batchSize = min(small.batchSize, 12)
    small.accumulation = min(small.accumulation, 4)
    if let held = small.validation, held > 40 { small.validation = 8 }
    return small
  }

  private func train() throws -> Bool {
    // What would be too large is refused before there is memory for it, or takes too long here.
    let input = configuration.data == "synthetic" ? 28 : 48
    guard max(configuration.padTo ?? 0, input) <= 64 else { return false }
    let color = configuration.data == "synthetic" ? 1 : 3
    let side = max(configuration.padTo ?? 0, small.imageSize ?? input)
    let shape = SampleShape(channels: color, height: side, width: side)
    let report = try configuration.accountingReport(input: shape, classes: 10)
    let positions = report.layers.reduce(0.0) { $0 + $1.shape.reduce(1) { $0 * Double($1) } }
    guard report.flops < 3e6, positions < 3e5 else { return false }
    var options = options
    options.threads = min(options.threads, 2)
    options.startFrom = nil
    let trainer = try Trainer(
      small, options: options, data: try TrainingData.load(small))
    _ = trainer.warnings
    guard trainer.totalSteps <= 8 else {
      for _ in 0..<5 { try trainer.trainNextBatch() }
      _ = try trainer.evaluate(trainer.data.test)
      return true
    }
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
      "rigl-fuzz-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    options.output = folder.path
    _ = try Trainer(small, options: options, data: trainer.data).run()
    return true
  }
}
