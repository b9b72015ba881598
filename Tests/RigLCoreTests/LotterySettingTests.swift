import Foundation
import RigLCore
import Testing

/// Settings of lottery tickets that cannot be, or have no effect.
@Suite struct LotterySettingTests: LotterySuite {
  @Test func whatCannotBeIsSaidBeforeAnythingIsWritten() throws {
    let folder = try TemporaryFolder()
    func problem(_ change: (inout Configuration) -> Void) throws -> String {
      let error = try #require(
        rigLError { _ = try train(LotterySettings.configuration.changing(change), folder("run")) })
      #expect(error.kind == .configuration && !error.what.contains("\n"))
      #expect(!FileManager.default.fileExists(atPath: folder("run")))
      return error.what
    }
    #expect(try problem { $0.lotteryRounds = 0 }.contains("lottery_rounds: 0"))
    #expect(try problem { $0.lotteryRounds = -1 }.contains("lottery_rounds: -1"))
    #expect(try problem { $0.rewindStep = -1 }.contains("rewind_step: -1"))
    let late = try problem { $0.rewindStep = 20 }
    #expect(late.contains("rewind_step") && late.contains("20"))
    #expect(try problem { $0.totalSteps = 0 }.contains("rewind_step"))
    let fresh = try problem { ($0.ticketControl, $0.rewindStep) = (.fresh, 5) }
    #expect(fresh.contains("ticket_control") && fresh.contains("rewind_step"))
    // The multiplier stretches the step, too.
    #expect(try problem { ($0.rewindStep, $0.multiplier) = (39, 0.5) }.contains("20"))
    try train(LotterySettings.configuration.changing { $0.rewindStep = 2 }, folder("run"))
    let longer = try #require(
      rigLError { _ = try Trainer(extending: folder("run"), by: 1) })
    #expect(longer.what.contains("extend") && longer.kind == .configuration)
    let other = try #require(
      rigLError {
        _ = try train(
          LotterySettings.configuration.changing { $0.rewindStep = 3 }, folder("run"),
          resuming: true)
      })
    #expect(other.what.contains("rewind_step"))
    let early = try trainer(LotterySettings.configuration, folder("late"))
    try early.trainNextBatch()
    #expect(try #require(rigLError { _ = try early.run() }).what.contains("rewind_step"))
    #expect(!FileManager.default.fileExists(atPath: folder("late")))
  }

  @Test func settingsWithoutEffectAreNamed() throws {
    let others = LotterySettings.configuration.changing {
      ($0.method, $0.rewindStep, $0.ticketControl) = (.rigl, 4, .shuffled)
      $0.ticketMethod = .rigl
    }.warnings(samples: 400)
    for key in ["lottery_rounds", "rewind_step", "ticket_control", "ticket_method"] {
      #expect(others.contains { $0.hasPrefix("\(key): has no effect; it is for method: lottery") })
    }
    let still = LotterySettings.configuration.warnings(samples: 400)
    #expect(still.contains { $0.hasPrefix("update_interval: has no effect with method: lottery") })
    let moving = LotterySettings.configuration.changing { $0.ticketMethod = .rigl }.warnings(
      samples: 400)
    #expect(!moving.contains { $0.contains("no effect") }, "\(moving)")
    for method in Configuration.TicketMethod.allCases {
      let growing = LotterySettings.configuration.changing {
        ($0.ticketMethod, $0.growthBatches) = (method, 4)
      }.warnings(samples: 400)
      #expect(
        growing.contains { $0.hasPrefix("growth_batches: has no effect") } == (method == .static))
    }
    let late = LotterySettings.configuration.changing {
      ($0.ticketMethod, $0.rewindStep) = (.rigl, 17)
    }
    #expect(
      late.warnings(samples: 400).contains { $0.hasPrefix("update_end: ") && $0.contains("17") })
  }

  /// A sparse network is no place to begin a ticket; a dense one is.
  @Test func ticketsBeginDense() throws {
    let folder = try TemporaryFolder()
    for method in [Configuration.Method.rigl, .dense] {
      try train(LotterySettings.configuration.changing { $0.method = method }, folder("\(method)"))
      var options = RunOptions(threads: 1, output: folder("from \(method)"))
      options.startFrom = folder("\(method)")
      let error = rigLError {
        _ = try Trainer(LotterySettings.configuration, options: options).run()
      }
      if method == .dense {
        #expect(error == nil)
        let start = try SafetensorsFile(path: folder("from dense/checkpoints/rewind.safetensors"))
        #expect(
          try start.float32("fc1.weight") == file(folder("dense"), 0, 20).float32("fc1.weight"))
      } else {
        #expect(error?.what.contains("lottery chooses from all") == true)
      }
    }
  }

  /// Nor are the connections that a file gives, unless it gives all.
  @Test func ticketsBeginWithWholeFiles() throws {
    let folder = try TemporaryFolder()
    for method in [Configuration.Method.rigl, .dense] {
      try train(LotterySettings.configuration.changing { $0.method = method }, folder("\(method)"))
      var options = RunOptions(threads: 1, output: folder("from \(method)"))
      options.topology = ["fc1=\(checkpointPath(folder("\(method)"), 20))"]
      let error = rigLError {
        _ = try Trainer(LotterySettings.configuration, options: options).run()
      }
      guard method == .dense else {
        #expect(error?.what.contains("lottery chooses from all") == true)
        continue
      }
      #expect(error == nil)
      let start = try SafetensorsFile(path: folder("from dense/checkpoints/rewind.safetensors"))
      #expect(
        try start.float32("fc1.weight") == file(folder("dense"), 0, 20).float32("fc1.weight"))
      #expect(
        try start.float32("fc2.weight") != file(folder("dense"), 0, 20).float32("fc2.weight"))
    }
  }

  @Test func anEstimateIsOfAllRounds() throws {
    let estimate = try trainer(LotterySettings.configuration, nil).estimate(seconds: 0.05)
    #expect(estimate.steps == 80 && estimate.trainings == 4 && estimate.estimatedSeconds > 0)
  }
}
