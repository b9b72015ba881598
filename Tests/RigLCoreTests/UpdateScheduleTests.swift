import Foundation
import RigLCore
import Testing

@Suite struct UpdateScheduleTests {
  /// The steps before which an update comes, when the loop does as it should.
  private func updates(of schedule: UpdateSchedule, steps: Int) -> [Int] {
    var last = schedule.initialLast
    var updates: [Int] = []
    for step in 0..<steps where schedule.isDue(step: step, last: last) {
      updates.append(step)
      last = step
    }
    return updates
  }

  @Test func theFirstUpdateComesBeforeTheFirstStep() {
    let schedule = UpdateSchedule(interval: 10, end: 30)
    #expect(schedule.initialLast == -10)
    #expect(updates(of: schedule, steps: 100) == [0, 10, 20, 30], "the end is included")
  }

  @Test func updatesStayWithinBeginAndEnd() {
    #expect(
      updates(of: UpdateSchedule(interval: 10, begin: 5, end: 34), steps: 100) == [5, 15, 25])
    #expect(
      updates(of: UpdateSchedule(interval: 30, end: nil, annealing: .constant), steps: 100)
        == [0, 30, 60, 90])
    #expect(updates(of: UpdateSchedule(interval: 10, begin: 7, end: 7), steps: 100) == [7])
  }

  @Test func anUpdateIsNotDueTwiceBeforeTheSameStep() {
    let schedule = UpdateSchedule(interval: 10, end: 30)
    #expect(schedule.isDue(step: 10, last: 0))
    #expect(!schedule.isDue(step: 10, last: 10))
    #expect(!schedule.isDue(step: 19, last: 10))
    #expect(schedule.isDue(step: 25, last: 10), "late updates are made up for")
  }

  // f = .3/2 (1 + cos(π x)), cos of 0, 60, 90, 120 and 180 degrees
  @Test(arguments: [
    (0, 0.3), (100, 0.225), (150, 0.15), (200, 0.075), (300, 0), (400, 0),
  ])
  func cosine(offset: Int, expected: Double) {
    for begin in [0, 60] {
      let schedule = UpdateSchedule(begin: begin, end: begin + 300)
      let fraction = schedule.fraction(at: begin + offset, learningRate: 0, peak: 0)
      #expect(abs(fraction - expected) < 1e-15)
    }
  }

  @Test func theOtherAnnealings() {
    func fraction(
      _ annealing: UpdateSchedule.Annealing, at step: Int, power: Double = 3, rate: Double = 1
    ) -> Double {
      UpdateSchedule(
        begin: 100, end: 500, initialFraction: 0.5, annealing: annealing, power: power
      ).fraction(at: step, learningRate: rate, peak: 2)
    }
    #expect(fraction(.constant, at: 123) == 0.5)
    #expect(fraction(.inversePower, at: 100) == 0.5)
    #expect(fraction(.inversePower, at: 200, power: 2) == 0.28125)  // .5 · .75²
    #expect(fraction(.inversePower, at: 300) == 0.0625)  // .5 · .5³
    #expect(fraction(.inversePower, at: 500) == 0)
    #expect(fraction(.learningRate, at: 300, rate: 0.5) == 0.125)  // .5 · .5/2
  }

  @Test func aSingleUpdateMovesTheInitialFraction() {
    for annealing in [UpdateSchedule.Annealing.cosine, .inversePower] {
      let schedule = UpdateSchedule(begin: 7, end: 7, annealing: annealing)
      #expect(schedule.fraction(at: 7, learningRate: 1, peak: 1) == 0.3)
    }
  }

  @Test(arguments: [
    (100, 0.29, 29),  // double precision would truncate to 28
    (10, 0.3, 3),
    (5, 0.4, 2),
    (3, 0.3, 0),  // a layer too small for any
    (0, 0.3, 0),
    (7, 1, 7),
    (16_777_219, 1, 16_777_219),  // float32 rounds it up by one
    (4_000_000_000, 0.25, 1_000_000_000),
  ])
  func movedIsTruncatedInSinglePrecision(n: Int, fraction: Double, expected: Int) {
    #expect(UpdateSchedule.moved(of: n, fraction: fraction) == expected)
  }

  @Test(arguments: [(0, 0), (1, 0), (2, 1), (3, 2), (4, 3), (97_656, 73_242), (32_000, 24_000)])
  func theDefaultEndIsThreeQuarters(steps: Int, end: Int) {
    #expect(UpdateSchedule.defaultEnd(steps: steps) == end)
    #expect(UpdateSchedule.defaultEnd(steps: steps) == Int(0.75 * Double(steps)))
  }

  @Test func aLongerTrainingMovesBeginAndEndButNotTheInterval() {
    let scaled = UpdateSchedule(interval: 100, begin: 30, end: 25_000).scaled(by: 5)
    #expect(scaled == UpdateSchedule(interval: 100, begin: 150, end: 125_000))
    #expect(UpdateSchedule(begin: 30, end: nil).scaled(by: 0.7).begin == 21)
    #expect(UpdateSchedule(end: nil).scaled(by: 5).end == nil)
  }

  @Test func whatCannotBeUsedIsAnError() throws {
    try UpdateSchedule(end: 100).validate()
    try UpdateSchedule(end: nil, annealing: .constant).validate()
    try UpdateSchedule(end: nil, annealing: .learningRate).validate()
    let unusable = [
      UpdateSchedule(end: nil), UpdateSchedule(end: nil, annealing: .inversePower),
      UpdateSchedule(interval: 0, end: 100), UpdateSchedule(begin: -1, end: 100),
      UpdateSchedule(begin: 50, end: 49), UpdateSchedule(end: 100, initialFraction: 1.1),
      UpdateSchedule(end: 100, initialFraction: -0.1),
      UpdateSchedule(end: 100, initialFraction: .nan),
      UpdateSchedule(end: 100, annealing: .inversePower, power: 0),
    ]
    for schedule in unusable {
      let error = #expect(throws: RigLError.self, "\(schedule)") { try schedule.validate() }
      #expect(error?.kind == .configuration)
    }
    let error = #expect(throws: RigLError.self) { try UpdateSchedule(end: nil).validate() }
    #expect(error?.what == "cosine annealing of topology updates without an end")
    #expect(error?.hint != nil)
  }
}
