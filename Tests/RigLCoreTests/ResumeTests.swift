import Foundation
import RigLCore
import Testing

/// Runs that are stopped, damaged or moved, and go on.
@Suite struct ResumeTests {
  static let configuration = Configuration().changing {
    $0.data = "synthetic"
    $0.trainSamples = 400
    $0.testSamples = 100
    $0.validation = 100
    $0.hidden = [24]
    $0.batchSize = 20
    $0.epochs = 4
    $0.sparsity = 0.8
    $0.updateInterval = 7
    $0.seed = 1
  }

  private func options(_ change: (inout RunOptions) -> Void) -> RunOptions {
    var options = RunOptions(threads: 1)
    change(&options)
    return options
  }

  /// Trains a run to a step, or to its end.
  @discardableResult
  private func train(
    _ path: String, to step: Int = .max, resuming: Bool = false,
    _ change: (inout RunOptions) -> Void = { _ in }
  ) throws -> (result: Trainer.Result, warnings: [String]) {
    let trainer = try Trainer(
      Self.configuration,
      options: options {
        if !resuming { $0.output = path }
        change(&$0)
      })
    let callback = Watcher(stopAt: step)
    trainer.callbacks = [callback]
    let result = try resuming ? trainer.resume(path) : trainer.run()
    return (result, callback.warnings)
  }

  /// A run that an earlier version began with a number goes on without one that comes to the same.
  @Test func validationNeedNotBeSaid() throws {
    let folder = try TemporaryFolder()
    func resume(begunWith begun: Int?, with own: Int?, _ name: String) throws -> Trainer.Result {
      func trainer(_ validation: Int?) throws -> Trainer {
        let configuration = Self.configuration.changing { $0.validation = validation }
        return try Trainer(configuration, options: options { $0.output = folder(name) })
      }
      let first = try trainer(begun)
      first.callbacks = [Watcher(stopAt: 5)]
      _ = try first.run()
      let run = try RunFolder.open(folder(name))
      try run.requireSame(Self.configuration.changing { $0.validation = own })
      return try trainer(own).resume(folder(name))
    }
    let whole = try resume(begunWith: 40, with: 40, "same").test
    #expect(try resume(begunWith: 40, with: nil, "now unset").test == whole)
    #expect(try resume(begunWith: nil, with: 40, "now said").test == whole)
    let error = #expect(throws: RigLError.self) {
      try resume(begunWith: 41, with: nil, "another")
    }
    #expect(error?.kind == .configuration && error?.what.hasPrefix("validation: ") == true)
    #expect(throws: RigLError.self) { try resume(begunWith: 40, with: 41, "both said") }
  }

  /// Nor does a drop fraction that the method has by itself.
  @Test func dropFractionNeedNotBeSaid() throws {
    let (own, said) = (Self.configuration, Self.configuration.changing { $0.dropFraction = 0.3 })
    for (begun, now) in [(own, said), (said, own)] {
      let folder = try TemporaryFolder()
      let first = try Trainer(begun, options: options { $0.output = folder("run") })
      first.callbacks = [Watcher(stopAt: 9)]
      _ = try first.run()
      try RunFolder.open(folder("run")).requireSame(now)
      _ = try Trainer(now, options: options { _ in }).resume(folder("run"))
    }
    let folder = try TemporaryFolder()
    let first = try Trainer(own, options: options { $0.output = folder("run") })
    first.callbacks = [Watcher(stopAt: 9)]
    _ = try first.run()
    #expect(throws: RigLError.self) {
      try RunFolder.open(folder("run")).requireSame(own.changing { $0.dropFraction = 0.2 })
    }
  }

  // MARK: - Options

  @Test func checkpointsDoNotDependOnHowOftenMetricsAreWritten() throws {
    let folder = try TemporaryFolder()
    try train(folder("a")) { $0.logEvery = 7 }
    try train(folder("b"))
    try train(folder("c"), to: 33) { $0.logEvery = 7 }
    try train(folder("c"), resuming: true) { $0.logEvery = 9 }
    let bytes = try fileBytes(checkpointPath(folder("a"), 60))
    for run in ["b", "c"] {
      #expect(try fileBytes(checkpointPath(folder(run), 60)) == bytes, "\(run)")
    }
  }

  @Test(arguments: [1, 13, 14, 33, 59])
  func metricsOfAStoppedRunAreThoseOfAnUnbrokenOne(step: Int) throws {
    let folder = try TemporaryFolder()
    let often: (inout RunOptions) -> Void = {
      $0.logEvery = 7
      $0.checkpointEvery = 10
      $0.keep = 9
    }
    try train(folder("whole"), often)
    try train(folder("broken"), to: step, often)
    #expect(try fileBytes(checkpointPath(folder("broken"), step)).isEmpty == false)
    try train(folder("broken"), resuming: true)
    #expect(try folder.metrics(of: "broken") == folder.metrics(of: "whole"))
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: folder("broken")).sorted()
        == ["checkpoints", "config.yaml", "metrics.csv"])
    // From the checkpoint before, too.
    try train(folder("older"), to: 33, often)
    try FileManager.default.removeItem(atPath: checkpointPath(folder("older"), 33))
    try train(folder("older"), resuming: true)
    #expect(try folder.metrics(of: "older") == folder.metrics(of: "whole"))
  }

  @Test func aRunGoesOnAsItWasBegun() throws {
    let folder = try TemporaryFolder()
    try train(folder("run"), to: 20) {
      $0.keep = 5
      $0.checkpointEvery = 4
      $0.logEvery = 6
    }
    try train(folder("run"), to: 40, resuming: true)
    let store = CheckpointStore(folder: folder("run/checkpoints"))
    #expect(try store.list().map(\.step) == [24, 28, 32, 36, 40])
    let lines = try folder.metrics(of: "run").filter { $0.split == .train }
    #expect(lines.map(\.step) == [6, 12, 18, 24, 30, 36])
    // What is said anew counts from then on.
    try train(folder("run"), to: 50, resuming: true) { $0.keep = 3 }
    #expect(try store.list().map(\.step) == [44, 48, 50])
    let text = try RunFolder.open(folder("run")).configuration()
    #expect(text.contains("keep: 3\n") && text.contains("checkpoint_every: 4\n"))
    try train(folder("run"), resuming: true) { $0.checkpointEvery = 0 }
    #expect(try store.list().map(\.step) == [48, 50, 60])
    #expect(try !RunFolder.open(folder("run")).configuration().contains("checkpoint_every"))
  }

  /// What an earlier version has not written means what it meant then, also once `config.yaml` is
  /// written anew.
  @Test func anEarlierConfigurationKeepsItsMeaning() throws {
    let folder = try TemporaryFolder()
    let begun = Self.configuration.changing { $0.split = .sequential }
    func go(_ change: @escaping (inout RunOptions) -> Void) throws {
      let trainer = try Trainer(begun, options: options(change))
      trainer.callbacks = [Watcher(stopAt: 20)]
      let isNew = !FileManager.default.fileExists(atPath: folder("run"))
      _ = try isNew ? trainer.run() : trainer.resume(folder("run"))
    }
    try go { $0.output = folder("run") }
    let path = folder("run/config.yaml")
    let text = try RunFolder.open(folder("run")).configuration()
    try writeFile(
      Array(text.replacing("split: sequential\n", with: "").utf8), to: path)
    try go { $0.keep = 5 }
    let saved = try RunFolder.open(folder("run")).configuration()
    #expect(saved.contains("keep: 5\n") && saved.contains("split: sequential\n"), "\(saved)")
    try go { _ in }
  }

  @Test(arguments: ["9223372036854775807", "-1", "4611686018427387904"])
  func openSumsThatCannotBeAreNone(count: String) throws {
    let folder = try TemporaryFolder()
    try train(folder("run"), to: 30) { $0.logEvery = 7 }
    let path = folder("run/metrics-sums.json")
    var text = String(decoding: try fileBytes(path), as: UTF8.self)
    text.replace(/"(samples|correct|top5)":[0-9]+/) { "\"\($0.output.1)\":\(count)" }
    try writeFile(Array(text.utf8), to: path)
    #expect(text.contains(count))
    try train(folder("run"), resuming: true)
    #expect(try folder.metrics(of: "run").last?.split == .test)
  }

  // MARK: - Best weights

  @Test(arguments: ["missing", "damaged", "other step", "no checksum", "folder"])
  func aFinishedTrainingDoesNotFailForItsBestWeights(damage: String) throws {
    let folder = try TemporaryFolder()
    let (whole, _) = try train(folder("run"))
    // So that the last step is not the best one.
    let best = try #require(whole.best)
    try #require(best.step < 60, "another seed, please")
    let path = folder("run/checkpoints/best.safetensors")
    var bytes = try fileBytes(path)
    try FileManager.default.removeItem(atPath: path)
    switch damage {
    case "damaged":
      bytes[bytes.count - 3] ^= 0x40
      try writeFile(bytes, to: path)
    case "other step": try writeFile(fileBytes(checkpointPath(folder("run"), 60)), to: path)
    case "no checksum":
      let text = Array("rigl.crc32".utf8)
      let place = try #require((0..<bytes.count).first { bytes[$0...].starts(with: text) })
      bytes[place] ^= 1
      try writeFile(bytes, to: path)
    case "folder":
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    default: break
    }
    let (again, warnings) = try train(folder("run"), resuming: true)
    #expect(again.test == whole.test && again.bestTest == nil)
    #expect(again.best?.step == best.step)
    #expect(warnings.count == 1 && warnings.first?.contains(path) == true, "\(warnings)")
    #expect(warnings.first?.contains("best weights") == true)
  }

  // MARK: - Checkpoints

  @Test func aRenamedCheckpointIsNotGoneOnFrom() throws {
    let folder = try TemporaryFolder()
    try train(folder("run"), to: 30) { $0.checkpointEvery = 10 }
    try FileManager.default.moveItem(
      atPath: checkpointPath(folder("run"), 30), toPath: checkpointPath(folder("run"), 50))
    let saved = try SavedRun(folder("run"))
    #expect(saved.step == 20)
    #expect(saved.warnings.first?.contains("is of step 30") == true, "\(saved.warnings)")
    try FileManager.default.removeItem(atPath: checkpointPath(folder("run"), 20))
    let error = #expect(throws: RigLError.self) { try train(folder("run"), resuming: true) }
    #expect(error?.kind == .data)
  }

  @Test func whatCannotBeRemovedDoesNotEndATraining() throws {
    let folder = try TemporaryFolder()
    let store = CheckpointStore(folder: folder.path, keep: 1)
    try FileManager.default.createDirectory(
      atPath: store.path(step: 1), withIntermediateDirectories: false)
    let written = try store.write(step: 2, tensors: []) { _ in }
    #expect(try store.latest()?.checkpoint.step == 2)
    #expect(written.warnings.count == 1)
    #expect(written.warnings.first?.contains(store.path(step: 1)) == true)
  }

  @Test func anotherInstructionSetIsSaid() throws {
    let folder = try TemporaryFolder()
    try train(folder("run"), to: 30)
    let path = checkpointPath(folder("run"), 30)
    try rewrite(path) { $0["instruction_set"] = "another" }
    let (_, warnings) = try train(folder("run"), to: 31, resuming: true)
    #expect(warnings.contains { $0.contains("another") && $0.contains("bits differ") })
    let (_, none) = try train(folder("run"), to: 32, resuming: true)
    #expect(none.isEmpty)
  }

  // MARK: - States that cannot be

  @Test(arguments: [
    ("step", "-1"), ("step", "61"), ("step", "1125899906842625"), ("batchesConsumed", "-1"),
    ("batchesConsumed", "18446744073709551615"), ("batchesConsumed", "1125899906842625"),
    ("batchesConsumed", "1125899906842624"), ("batchesConsumed", "200"),
    ("lastUpdate", "31"), ("lastUpdate", "-9223372036854775808"), ("damaged", "-1"),
    ("damaged", "9223372036854775807"), ("bestStep", "31"), ("bestStep", "-1"),
    ("bestAccuracy", "1.5"), ("bestAccuracy", "null"), ("lastDropFraction", "-0.1"),
    ("lastDropFraction", "1e300"), ("position.epoch", "-1"), ("position.index", "-1"),
    ("position.epoch", "9223372036854775807"), ("position.index", "300"),
    ("position.epoch", "1125899906842624"), ("position.index", "9223372036854775807"),
    ("epoch.samples", "-1"), ("epoch.correct", "9223372036854775807"), ("epoch.correct", "-1"),
    ("epoch.samples", "9223372036854775807"), ("step", "\"3\""), ("step", "1.5"), ("step", "null"),
    ("epoch.loss", "1e999"), ("position", "[]"),
  ])
  func aStateThatCannotBeIsRefused(field: String, value: String) throws {
    let folder = try TemporaryFolder()
    try train(folder("run"), to: 30) { $0.keep = 1 }
    let path = checkpointPath(folder("run"), 30)
    try rewrite(path) { metadata in
      let state = try #require(metadata["state"])
      var object = try #require(
        try JSONSerialization.jsonObject(with: Data(state.utf8)) as? [String: Any])
      let parts = field.split(separator: ".").map { String($0) }
      // Numbers as they are written, which JSONSerialization would round.
      let mark = "MARK"
      if parts.count == 2 {
        var inner = try #require(object[parts[0]] as? [String: Any])
        inner[parts[1]] = mark
        object[parts[0]] = inner
      } else {
        object[parts[0]] = mark
      }
      let text = String(
        decoding: try JSONSerialization.data(withJSONObject: object), as: UTF8.self)
      metadata["state"] = text.replacingOccurrences(of: "\"\(mark)\"", with: value)
    }
    let error = #expect(throws: RigLError.self) { try train(folder("run"), resuming: true) }
    #expect(error?.kind == .data, "\(error?.what ?? "")")
    // Other commands do not go on from it, but they read the state, too.
    if let run = try? SavedRun(folder("run")) { #expect(run.step == 30) }
  }

  /// Writes a file again with other metadata, and the right checksum.
  private func rewrite(_ path: String, _ change: (inout [String: String]) throws -> Void) throws {
    let file = try SafetensorsFile(path: path)
    var metadata = file.metadata
    metadata["rigl.crc32"] = nil
    try change(&metadata)
    let contents = try file.tensors.map { ($0.name, try file.bytes($0.name)) }
    var writer = try SafetensorsWriter(
      path: path, tensors: file.tensors, metadata: metadata, checksummed: true)
    for (name, bytes) in contents { try writer.append(bytes: bytes.span.bytes, to: name) }
    try writer.finish()
    try #require(try SafetensorsFile(path: path).verifyChecksum())
  }
}
