import AllocationCounter
import Foundation
import RigLCore
import Testing

/// Lottery tickets' runs that are stopped, killed and resumed.
@Suite struct LotteryResumeTests: LotterySuite {
  struct Option: CustomTestStringConvertible {
    var control = Configuration.TicketControl.rewound
    var method = Configuration.TicketMethod.static
    var rewindStep = 0
    var isConvolutional = false
    var accumulation = 1
    var growthBatches = 1
    var testDescription: String {
      "\(control), \(method), \(rewindStep)\(isConvolutional ? ", convolutional" : "")"
        + (growthBatches == 1 ? "" : ", growth by \(growthBatches) batches")
    }
    var configuration: Configuration {
      (isConvolutional ? LotterySettings.convolutional : LotterySettings.configuration).changing {
        ($0.ticketControl, $0.ticketMethod, $0.rewindStep) = (control, method, rewindStep)
        ($0.lotteryRounds, $0.accumulation) = (2, accumulation)
        $0.growthBatches = growthBatches
        if rewindStep > 0 { ($0.optimizer, $0.learningRate) = (.adam, 0.003) }
      }
    }
  }

  static let options = [
    Option(), Option(control: .fresh), Option(control: .shuffled, rewindStep: 3),
    Option(method: .rigl), Option(control: .fresh, method: .rigl),
    Option(method: .rigl, rewindStep: 3, accumulation: 2),
    Option(rewindStep: 1, isConvolutional: true),
    Option(control: .shuffled, isConvolutional: true),
    Option(control: .fresh, isConvolutional: true),
    Option(method: .rigl, rewindStep: 1, isConvolutional: true),
    Option(method: .rigl, rewindStep: 3, growthBatches: 3),
  ]

  /// Checkpoints and metrics are those of an unbroken run for any number of threads and wherever the
  /// process ended, at the borders of rounds, too.
  @Test(arguments: options) func sameBitsForAnyThreadsAndAcrossStops(option: Option) throws {
    let (folder, configuration) = (try TemporaryFolder(), option.configuration)
    let (whole, _, _) = try train(configuration, folder("whole"))
    let (last, rounds) = (whole.totalSteps, whole.rounds)
    let (expected, metrics) = (
      try bytes(folder("whole"), rounds, last), try folder.metrics(of: "whole")
    )
    for threads in [2, 3] {
      try train(configuration, folder("\(threads)"), threads: threads)
      #expect(try bytes(folder("\(threads)"), rounds, last) == expected, "\(threads) threads")
      #expect(try folder.metrics(of: "\(threads)") == metrics)
    }
    var stops: [(round: Int, step: Int)] = []
    for round in 0...rounds {
      let first = round == 0 ? 1 : option.rewindStep
      stops += [first, first + 1, last - 1, last].map { (round, $0) }
    }
    for (number, stop) in stops.enumerated() {
      let run = "stop \(number)"
      try train(configuration, folder(run), threads: 1 + number % 3, keep: 2) { _, trainer in
        trainer.round == stop.round && trainer.step.weightSteps >= stop.step
      }
      try train(configuration, folder(run), resuming: true, keep: 2)
      #expect(try bytes(folder(run), rounds, last) == expected, "stopped at \(stop)")
      #expect(try folder.metrics(of: run) == metrics, "stopped at \(stop)")
    }
    #expect(try SavedRun(folder("whole")).model.connections == whole.model.connections)
    #expect(try SavedRun(folder("whole")).round == rounds)
  }

  /// A run goes on from whatever a kill has left of the files at a round's border.
  @Test func whatAKillLeavesAtABorderGoesOn() throws {
    let folder = try TemporaryFolder()
    let configuration = LotterySettings.configuration.changing { $0.rewindStep = 3 }
    try train(configuration, folder("whole"))
    let expected = try bytes(folder("whole"), 3, 20)
    let metrics = try folder.metrics(of: "whole")
    let store = CheckpointStore(folder: folder("run/checkpoints"))
    // Pruned and logged, but the next round's first checkpoint is not there.
    try train(configuration, folder("run")) { event, trainer in
      trainer.round == 1 && trainer.step.weightSteps == 3
    }
    try FileManager.default.removeItem(atPath: store.path(round: 1, step: 3))
    #expect(try store.list().last?.step == 20)
    try train(configuration, folder("run"), resuming: true) { event, trainer in
      trainer.round == 2 && trainer.step.weightSteps == 7
    }
    // The newest one is torn: the one before is of the round before.
    let listed = try store.list()
    for checkpoint in listed where checkpoint.round == 2 {
      try writeFile(Array(fileBytes(checkpoint.path).dropLast(8)), to: checkpoint.path)
    }
    let told = try train(configuration, folder("run"), resuming: true).told
    #expect(told.contains { $0.contains("going on from round 1, step 20 instead") }, "\(told)")
    #expect(try bytes(folder("run"), 3, 20) == expected)
    #expect(try folder.metrics(of: "run") == metrics)
  }

  /// Without what rounds go back to, a run does not go on, and says so before it trains.
  @Test func aLostRewindPointIsSaid() throws {
    let folder = try TemporaryFolder()
    let configuration = LotterySettings.configuration.changing { $0.rewindStep = 3 }
    func stop(_ round: Int, _ run: String) throws -> String {
      try train(configuration, folder(run)) { _, trainer in
        trainer.round == round && trainer.step.weightSteps == 5
      }
      return folder("\(run)/checkpoints/rewind.safetensors")
    }
    for (round, isTorn) in [(0, false), (0, true), (2, false), (2, true)] {
      let run = "\(round) \(isTorn)"
      let path = try stop(round, run)
      if isTorn {
        try writeFile(Array(fileBytes(path).dropLast(4)), to: path)
      } else {
        try FileManager.default.removeItem(atPath: path)
      }
      let before = try folder.metrics(of: run).count
      let error = try #require(
        rigLError { _ = try train(configuration, folder(run), resuming: true) })
      #expect(error.what.contains("rewind.safetensors") && error.hint != nil, "\(error)")
      #expect(try folder.metrics(of: run).count == before)
    }
    // The ticket's own training needs it no more.
    try FileManager.default.removeItem(atPath: try stop(3, "last"))
    #expect(!(try train(configuration, folder("last"), resuming: true).result.wasStopped))
  }
}

/// Between its rounds a lottery ticket's training allocates; in them it does not.
@Suite(.serialized, .enabled(if: allocation_counter_is_available()))
struct LotteryAllocationTests {
  private struct StopInRound: TrainingCallback {
    let round: Int
    func observe(_ event: TrainingEvent, in trainer: Trainer) -> TrainingDecision {
      trainer.round == round && trainer.step.weightSteps >= 3 ? .interrupt : .proceed
    }
  }

  @Test(arguments: Configuration.TicketMethod.allCases, 0...3) func stepsAllocateNothing(
    method: Configuration.TicketMethod, round: Int
  ) throws {
    let folder = try TemporaryFolder()
    let configuration = LotterySettings.configuration.changing {
      ($0.ticketMethod, $0.totalSteps, $0.updateInterval) = (method, 40, 100)
      $0.updateBegin = 2
    }
    let options = RunOptions(threads: 2, output: folder("run"))
    let trainer = try Trainer(configuration, options: options)
    trainer.callbacks = [StopInRound(round: round)]
    _ = try trainer.run()
    #expect(trainer.round == round && trainer.step.weightSteps < 6)
    trainer.callbacks = []
    try expectNoAllocation(on: trainer.pool) { try trainer.trainNextBatch() }
  }
}
