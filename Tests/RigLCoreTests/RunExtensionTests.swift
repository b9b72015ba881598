import Foundation
import RigLCore
import Testing

/// Runs that are made longer than they were begun.
@Suite struct RunExtensionTests {
  private let folder: TemporaryFolder

  private static let configuration = ResumeTests.configuration.changing { $0.epochs = 3 }

  init() throws { folder = try TemporaryFolder() }

  private func options(_ name: String? = nil, threads: Int = 1) -> RunOptions {
    RunOptions(threads: threads, output: name.map { folder($0) })
  }

  private func train(_ name: String, _ configuration: Configuration = configuration) throws {
    _ = try Trainer(configuration, options: options(name)).run()
  }

  /// Makes a run longer, and trains to a step or its end.
  @discardableResult
  private func extend(
    _ name: String, by epochs: Int = 2, updateEnd: Int? = nil, to step: Int = .max,
    threads: Int = 1
  ) throws -> Watcher {
    let trainer = try Trainer(
      extending: folder(name), by: epochs, updateEnd: updateEnd, options: options(threads: threads))
    let watcher = Watcher(stopAt: step)
    trainer.callbacks = [watcher]
    _ = try trainer.run()
    return watcher
  }

  /// Goes on with a run by its own settings.
  @discardableResult
  private func resume(_ name: String, to step: Int = .max) throws -> Watcher {
    let trainer = try Trainer(saved(name), options: options(threads: 2))
    let watcher = Watcher(stopAt: step)
    trainer.callbacks = [watcher]
    _ = try trainer.resume(folder(name))
    return watcher
  }

  private func saved(_ name: String) throws -> Configuration {
    try Configuration(yaml: folder.configuration(of: name), path: "config.yaml")
  }

  private func final(_ name: String) throws -> [UInt8] {
    let last = try CheckpointStore(folder: folder("\(name)/checkpoints")).list().last
    return try fileBytes(try #require(last).path)
  }

  // MARK: - The longer run

  /// Where schedules do not depend on the length, the longer run is the one that was long from the
  /// beginning, to the last bit.
  @Test(arguments: [Configuration.Method.rigl, .set, .static, .dense])
  func withTheSameSchedulesItIsTheUnbrokenRun(method: Configuration.Method) throws {
    let short = Self.configuration.changing {
      $0.method = method
      $0.schedule = .constant
      $0.learningRate = 0.05
    }
    try train("run", short)
    try train(
      "long",
      short.changing {
        $0.epochs = 5
        if method == .rigl || method == .set { $0.updateEnd = 33 }
      })
    let watcher = try extend("run")
    #expect(try final("run") == final("long"))
    #expect(watcher.warnings.isEmpty)
    #expect(watcher.remarks.count == 1, "no jump: \(watcher.remarks)")
    // A test result more, of the end that was none.
    let tests = try folder.metrics(of: "run").filter { $0.split == .test }
    #expect(tests.map(\.step) == [45, 75])
    #expect(
      try folder.metrics(of: "run").filter { $0.split != .test || $0.step == 75 }
        == folder.metrics(of: "long"))
  }

  @Test func schedulesAreTheLongerRuns() throws {
    try train("run")
    let before = try SavedRun(folder("run"))
    let watcher = try extend("run")
    #expect(
      try saved("run")
        == Self.configuration.changing {
          $0.epochs = 5
          $0.updateEnd = 33
        })
    #expect(try folder.configuration(of: "run").contains("extended_at: [45]\n"))
    let jump = try #require(watcher.remarks.last)
    #expect(watcher.remarks.count == 2)
    #expect(
      watcher.remarks[0].contains("from 3 epochs to 5 epochs")
        && watcher.remarks[0].contains("step 33"), "\(watcher.remarks)")
    let (old, new) = (
      try before.configuration.learningRateSchedule(samples: 300),
      try saved("run").learningRateSchedule(samples: 300)
    )
    #expect(
      jump.contains(String(format: "%.4g at step 45", old.rate(at: 44)))
        && jump.contains(String(format: "%.4g at step 46", new.rate(at: 45))), "\(jump)")
    let lines = try folder.metrics(of: "run")
    for row in lines where row.learningRate != nil && row.step > 0 {
      #expect(row.learningRate == (row.step <= 45 ? old : new).rate(at: row.step - 1))
    }
    #expect(lines.filter { $0.split == .update }.allSatisfy { $0.step <= 33 })
    #expect(try SavedRun(folder("run")).step == 75)
  }

  @Test func updatesEndWhereItIsSaid() throws {
    try train("run")
    let watcher = try extend("run", updateEnd: 70)
    #expect(watcher.remarks[0].contains("end at step 70"), "\(watcher.remarks)")
    #expect(try saved("run").updateEnd == 70)
    #expect(try folder.metrics(of: "run").contains { $0.split == .update && $0.step > 60 })
  }

  @Test func stepsAreAddedToSteps() throws {
    try train("run", Self.configuration.changing { $0.totalSteps = 20 })
    try extend("run", by: 1)
    #expect(try saved("run").totalSteps == 35)
    #expect(try SavedRun(folder("run")).step == 35)
    #expect(try folder.metrics(of: "run").filter { $0.split == .test }.map(\.step) == [20, 35])
  }

  @Test func anUnfinishedRunIsMadeLongerToo() throws {
    let trainer = try Trainer(Self.configuration, options: options("run"))
    let watcher = Watcher(stopAt: 20)
    trainer.callbacks = [watcher]
    _ = try trainer.run()
    try extend("run")
    #expect(try SavedRun(folder("run")).step == 75)
    #expect(try folder.configuration(of: "run").contains("extended_at: [20]\n"))
  }

  // MARK: - Interruptions

  @Test(arguments: [45, 46, 52, 74])
  func aKilledExtensionGoesOnToTheSameBits(step: Int) throws {
    try train("run")
    try FileManager.default.copyItem(atPath: folder("run"), toPath: folder("whole"))
    try extend("whole", threads: 3)
    let before = try final("run")
    try extend("run", to: step)
    if step == 45 {
      // As it was, but for its length.
      #expect(try final("run") == before)
      #expect(try SavedRun(folder("run")).step == 45)
      #expect(try saved("run").epochs == 5)
    }
    try resume("run", to: 60)
    try resume("run")
    #expect(try final("run") == final("whole"))
    #expect(try folder.metrics(of: "run") == folder.metrics(of: "whole"))
  }

  @Test func aRunIsMadeLongerAgainAndAgain() throws {
    try train("run")
    try extend("run", by: 1)
    try extend("run", by: 1, to: 63)
    try resume("run")
    #expect(try saved("run").epochs == 5 && saved("run").updateEnd == 33)
    #expect(try folder.configuration(of: "run").contains("extended_at: [45, 60]\n"))
    #expect(try folder.metrics(of: "run").filter { $0.split == .test }.map(\.step) == [45, 60, 75])
    #expect(try resume("run").remarks.isEmpty, "finished")
    // A new training by its settings is one of that length, and says so.
    let settings = try SettingsStack(reading: folder("run/config.yaml"))
    var options = settings.options
    (options.threads, options.output) = (1, folder("anew"))
    let trainer = try Trainer(try settings.configuration(), options: options)
    let watcher = Watcher(stopAt: 1)
    trainer.callbacks = [watcher]
    _ = try trainer.run()
    #expect(watcher.warnings.contains { $0.hasPrefix("extended_at:") }, "\(watcher.warnings)")
    #expect(try !folder.configuration(of: "anew").contains("extended_at"))
  }

  // MARK: - What cannot be

  @Test func nothingChangesWhereItCannotBe() throws {
    try train("run")
    let before = try folder.configuration(of: "run")
    for epochs in [0, -1, 1_000_001] {
      let error = try #require(throws: RigLError.self) { try extend("run", by: epochs) }
      #expect(error.kind == .configuration, "\(error)")
    }
    #expect(throws: RigLError.self) { try extend("nothing") }
    // Other samples than the run's.
    let other = try TrainingData.load(Self.configuration.changing { $0.trainSamples = 380 })
    let error = try #require(throws: RigLError.self) {
      _ = try Trainer(extending: folder("run"), by: 2, options: options(), data: other).run()
    }
    #expect(error.kind == .data, "\(error)")
    #expect(error.hint?.contains("--start-from") == true, "\(error)")
    #expect(try folder.configuration(of: "run") == before)
    // Metrics that cannot be read are found before, too.
    let metrics = try fileBytes(folder("run/metrics.csv"))
    try FileManager.default.removeItem(atPath: folder("run/metrics.csv"))
    try FileManager.default.createDirectory(
      atPath: folder("run/metrics.csv"), withIntermediateDirectories: false)
    #expect(throws: RigLError.self) { try extend("run") }
    #expect(try folder.configuration(of: "run") == before)
    try FileManager.default.removeItem(atPath: folder("run/metrics.csv"))
    try writeFile(metrics, to: folder("run/metrics.csv"))
    // Whoever writes another length into the file has made another run of it.
    try writeFile(
      Array(before.replacing("epochs: 3\n", with: "epochs: 5\n").utf8),
      to: folder("run/config.yaml"))
    let edited = try #require(throws: RigLError.self) { try resume("run") }
    #expect(edited.what.contains("epochs") && edited.hint?.contains("--extend") == true)
  }

  /// Of a run without a checkpoint, its file alone says what it is.
  @Test func aRunWithoutCheckpointsIsItsSettings() throws {
    try train("run")
    for checkpoint in try RunFolder.open(folder("run")).checkpoints().list() {
      try FileManager.default.removeItem(atPath: checkpoint.path)
    }
    let before = try folder.configuration(of: "run")
    for (key, other) in [
      ("seed", Self.configuration.changing { $0.seed = 2 }),
      ("epochs", Self.configuration.changing { $0.epochs = 4 }),
    ] {
      let error = try #require(throws: RigLError.self) {
        _ = try Trainer(other, options: options()).resume(folder("run"))
      }
      #expect(error.kind == .configuration && error.what.hasPrefix("\(key): "), "\(error)")
    }
    #expect(try folder.configuration(of: "run") == before)
    try extend("run")
    #expect(try SavedRun(folder("run")).step == 75)
    #expect(try folder.configuration(of: "run").contains("extended_at: [0]\n"))
  }

  /// Moves connections as SET does, under a configuration that says nothing of it.
  private struct Own: TopologyMethod {
    let timing = TopologyTiming.afterWeightStep
    func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
      try layer.dropSmallestMagnitudes(count)
      try layer.growAtRandom(count)
    }
  }

  @Test func updatesOfAnOwnMethodEndWhereTheyDid() throws {
    let configuration = Self.configuration.changing { $0.method = .static }
    _ = try Trainer(configuration, options: options("run"), method: Own()).run()
    let longer = try Trainer(extending: folder("run"), by: 4, options: options(), method: Own())
    let watcher = Watcher()
    longer.callbacks = [watcher]
    _ = try longer.run()
    #expect(watcher.remarks[0].hasSuffix("; topology updates still end at step 33"))
    let updates = try folder.metrics(of: "run").filter { $0.split == .update }
    #expect(updates.count > 3 && updates.allSatisfy { $0.step <= 33 })
    // Without it, there are no updates to end.
    try train("fixed", configuration)
    try extend("fixed")
    #expect(try saved("fixed").updateEnd == nil)
  }
}

extension SettingsStack {
  fileprivate init(reading path: String) throws(RigLError) {
    try self.init()
    try apply(file: path, isSaved: true)
  }
}
