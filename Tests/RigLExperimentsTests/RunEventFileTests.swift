import Foundation
import RigLCore
import Testing

@testable import RigLExperiments

/// Event files that runs keep: all that is in the metrics is in them once, whatever has happened.
@Suite struct RunEventFileTests {
  static let configuration = {
    var configuration = Configuration()
    configuration.data = "synthetic"
    (configuration.trainSamples, configuration.testSamples) = (300, 50)
    configuration.validation = 50
    configuration.hidden = [12]
    (configuration.batchSize, configuration.totalSteps) = (20, 60)
    (configuration.sparsity, configuration.updateInterval) = (0.8, 4)
    (configuration.trackAges, configuration.trackGradientNorm) = (true, true)
    return configuration
  }()

  /// Stops a training at a step, to go on later.
  private struct Stop: TrainingCallback {
    let step: Int
    func observe(_ event: TrainingEvent, in trainer: Trainer) -> TrainingDecision {
      trainer.step.weightSteps >= step ? .interrupt : .proceed
    }
  }

  private func train(
    _ path: String, _ configuration: Configuration = configuration, until step: Int = .max,
    resuming: Bool = false, keepsEvents: Bool? = true
  ) throws {
    var options = RunOptions()
    options.threads = 1
    options.output = resuming ? nil : path
    (options.checkpointEvery, options.keep, options.logEvery) = (10, 1, 3)
    options.tensorBoard = keepsEvents
    let trainer = try Trainer(configuration, options: options)
    trainer.follower = EventFollower()
    trainer.callbacks = [Stop(step: step)]
    _ = try resuming ? trainer.resume(path) : trainer.run()
  }

  /// A folder of a test's own.
  private func withFolder(_ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
      "rigl-events-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder.path)
  }

  private func path(of run: String) throws -> String {
    try #require(try RunEventFile.path(of: try RunFolder.open(run)))
  }

  /// The tags and steps of a file, which must be whole to its last byte, and must have none twice.
  private func labels(
    _ bytes: [UInt8], sourceLocation: SourceLocation = #_sourceLocation
  ) -> [String] {
    let events = Array(EventRecords(bytes))
    #expect(events.last?.end == bytes.count, "torn", sourceLocation: sourceLocation)
    #expect(events.first?.isVersion == true, sourceLocation: sourceLocation)
    let labels = events.dropFirst().map { "\($0.tag ?? "none") \($0.step)" }
    #expect(Set(labels).count == labels.count, "twice", sourceLocation: sourceLocation)
    return labels
  }

  @Test func aRunKeepsAllThatItsMetricsHave() throws {
    try withFolder { folder in
      try train("\(folder)/run")
      let bytes = try RunEventFile.contents(try path(of: "\(folder)/run"))
      let labels = labels(bytes)
      #expect(labels.prefix(2) == ["settings 0", "_hparams_/session_start_info 0"])
      #expect(labels.last == "_hparams_/session_end_info 0")
      let rows = try MetricsLog.rows(at: "\(folder)/run/metrics.csv")
      for row in rows {
        let tag =
          switch row.split {
          case .train, .validation, .test: "loss/\(row.split.rawValue)"
          case .update: "topology/connections_moved"
          case .initialisation, .afterUpdate: "gradient_norm/\(row.split.rawValue)"
          }
        #expect(labels.contains("\(tag) \(row.step)"))
      }
      #expect(Set(rows.map(\.split)) == Set(MetricsRow.Split.allCases))
      #expect(rows.count > 30)
      // One checkpoint is kept, but all have been seen.
      for step in stride(from: 10, through: 60, by: 10) {
        #expect(labels.contains("weights/fc1 \(step)") && labels.contains("weights/fc2 \(step)"))
        #expect(labels.contains("ages/fc1 \(step)"), "\(step)")
      }
      let times = Array(EventRecords(bytes)).map(\.wallTime)
      #expect(times == times.sorted())
      #expect(
        try String(contentsOfFile: "\(folder)/run/config.yaml", encoding: .utf8)
          .contains("\ntensorboard: true\n"))
    }
  }

  @Test func nothingIsKeptUnlessAskedFor() throws {
    try withFolder { folder in
      try train("\(folder)/run", until: 20, keepsEvents: nil)
      #expect(try RunEventFile.path(of: try RunFolder.open("\(folder)/run")) == nil)
      // From now on, with what was before.
      try train("\(folder)/run", resuming: true)
      let labels = labels(try RunEventFile.contents(try path(of: "\(folder)/run")))
      #expect(labels.contains("loss/train 3") && labels.contains("loss/train 60"))
      #expect(labels.contains("weights/fc1 20") && !labels.contains("weights/fc1 10"))
    }
  }

  /// However a process has ended, the one that goes on leaves the file of an unbroken run.
  @Test func whatGoesOnIsTheUnbrokenFile() throws {
    try withFolder { folder in
      try train("\(folder)/whole")
      let whole = labels(try RunEventFile.contents(try path(of: "\(folder)/whole"))).sorted()
      try train("\(folder)/stopped", until: 33)
      let stopped = try path(of: "\(folder)/stopped")
      let bytes = try RunEventFile.contents(stopped)
      let events = Array(EventRecords(bytes))
      let last = try #require(events.lastIndex { $0.tag == "weights/fc1" && $0.step == 33 })
      // Rows and a checkpoint of a future that did not come to be, and half a record.
      var future = RunEvents(settings: [:], began: 1)
      _ = future.takeBytes()
      for step in [34, 36] {
        future.add(MetricsRow(step: step, batchesConsumed: 40, epoch: 3, split: .train, loss: 9))
      }
      let more = future.takeBytes()
      let cut = events[last - 1].end
      for (name, left) in [
        ("unharmed", bytes), ("torn", bytes + more.prefix(30)), ("ahead", bytes + more),
        ("zeros", bytes + [UInt8](repeating: 0, count: 500)),
        // The process ended between the checkpoint and its histograms, or within one.
        ("without histograms", Array(bytes[..<cut])), ("half", Array(bytes[..<(cut + 20)])),
      ] {
        let run = "\(folder)/\(name)"
        try FileManager.default.copyItem(atPath: "\(folder)/stopped", toPath: run)
        try Data(left).write(to: URL(fileURLWithPath: try path(of: run)))
        try train(run, resuming: true)
        let labels = labels(try RunEventFile.contents(try path(of: run)))
        // What a stop writes a checkpoint of, an unbroken run does not.
        let own = labels.filter { !$0.hasSuffix(" 33") || !$0.contains("/fc") }
        #expect(own.sorted() == whole, "\(name)")
        #expect(labels.contains("weights/fc1 33"), "\(name)")
      }
    }
  }

  /// Each round of a lottery ticket has tags of its own: their steps begin anew.
  @Test func roundsAreApart() throws {
    try withFolder { folder in
      var configuration = Self.configuration
      configuration.method = .lottery
      (configuration.totalSteps, configuration.lotteryRounds) = (20, 2)
      configuration.trackAges = false
      try train("\(folder)/run", configuration)
      let labels = labels(try RunEventFile.contents(try path(of: "\(folder)/run")))
      for tag in ["loss/train", "loss/train/round-1", "loss/train/round-2"] {
        #expect(labels.contains("\(tag) 18"), "\(tag)")
      }
      #expect(labels.contains("weights/fc1/round-2 20"))
    }
  }

  /// `rigl tensorboard` has what the run has kept of checkpoints that are gone.
  @Test func whatIsConvertedHasTheRunsOwn() throws {
    try withFolder { folder in
      try train("\(folder)/run")
      #expect(try RunEventFile.replace("\(folder)/run", below: "\(folder)/out") == nil)
      let names = try FileManager.default.contentsOfDirectory(atPath: "\(folder)/out/run")
      #expect(names.count == 1)
      let own = try path(of: "\(folder)/run")
      let bytes = try RunEventFile.contents("\(folder)/out/run/\(names[0])")
      #expect(bytes == (try RunEventFile.contents(own)))
      // Without it, from metrics and the last checkpoint.
      try FileManager.default.removeItem(atPath: own)
      #expect(try RunEventFile.replace("\(folder)/run", below: "\(folder)/out") == nil)
      let after = try FileManager.default.contentsOfDirectory(atPath: "\(folder)/out/run")
      let fewer = labels(try RunEventFile.contents("\(folder)/out/run/\(after[0])"))
      let all = labels(bytes)
      #expect(Set(fewer).isSubset(of: all))
      #expect(
        Set(all).subtracting(fewer).allSatisfy { $0.contains("weights/") || $0.contains("ages/") })
      #expect(fewer.contains("weights/fc1 60") && !fewer.contains("weights/fc1 10"))
      // A run that cannot be read does not cost the file that is there.
      try Data("a,b\n".utf8).write(to: URL(fileURLWithPath: "\(folder)/run/metrics.csv"))
      #expect(try RunEventFile.replace("\(folder)/run", below: "\(folder)/out")?.kind == .data)
      #expect(try FileManager.default.contentsOfDirectory(atPath: "\(folder)/out/run") == after)
    }
  }

  /// A file's bytes may be anything: reading ends, with what was right before.
  @Test func damagedFilesAreReadUpToTheDamage() throws {
    var events = RunEvents(settings: ["method": "rigl"], began: 5)
    for step in 1...20 {
      events.add(MetricsRow(step: step, batchesConsumed: step, epoch: 0, split: .train, loss: 0.5))
    }
    let bytes = events.takeBytes()
    let whole = Array(EventRecords(bytes))
    #expect(whole.count == 23 && whole.last?.end == bytes.count)
    var random = Invented.Generator(state: 3)
    for _ in 0..<300 {
      var damaged = bytes
      let place = Int(random.next() * Double(bytes.count))
      damaged[place] ^= UInt8(1 << Int(random.next() * 8))
      let read = Array(EventRecords(damaged))
      #expect(read == whole.filter { $0.end <= place })
      let cut = Array(EventRecords(Array(bytes[..<place])))
      #expect(cut == whole.filter { $0.end <= place })
    }
    // A length that no file has.
    let length = [UInt8](repeating: 0xFF, count: 8)
    let checksum = CRC32C.maskedChecksum(of: length)
    let huge = length + (0..<4).map { UInt8(truncatingIfNeeded: checksum >> (8 * $0)) }
    #expect(Array(EventRecords(huge + [UInt8](repeating: 0, count: 40))).isEmpty)
  }
}
