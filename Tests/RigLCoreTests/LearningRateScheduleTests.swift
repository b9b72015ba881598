import RigLCore
import Testing

@Suite struct LearningRateScheduleTests {
  private func expectRates(
    _ schedule: LearningRateSchedule, _ expected: [(step: Int, rate: Double)],
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    for (step, rate) in expected {
      let actual = schedule.rate(at: step)
      #expect(
        abs(actual - rate) <= 1e-12 * rate, "step \(step): \(actual), expected \(rate)",
        sourceLocation: sourceLocation)
    }
  }

  @Test func constant() {
    expectRates(LearningRateSchedule(peak: 0.1), [(0, 0.1), (1_000_000, 0.1)])
  }

  @Test func aMilestoneCountsFromItsOwnStepOn() {
    let schedule = LearningRateSchedule(
      peak: 0.1, shape: .step(milestones: [30, 60, 80], factor: 0.2))
    expectRates(
      schedule,
      [
        (0, 0.1), (29, 0.1), (30, 0.02), (59, 0.02), (60, 0.004), (79, 0.004), (80, 0.0008),
        (10_000, 0.0008),
      ])
  }

  @Test func cosine() {
    // cos of 0, 60, 90, 120 degrees; the minimum from the last step on
    let schedule = LearningRateSchedule(peak: 0.5, shape: .cosine(steps: 300, minimum: 0.1))
    expectRates(
      schedule,
      [(0, 0.5), (100, 0.4), (150, 0.3), (200, 0.2), (300, 0.1), (301, 0.1), (9_999, 0.1)])
  }

  @Test func warmRestarts() {
    // Cycles of 12, 24 and 48 steps begin at 0, 12 and 36.
    let schedule = LearningRateSchedule(
      peak: 0.5, shape: .cosineWarmRestarts(firstCycle: 12, cycleMultiplier: 2, minimum: 0.1))
    expectRates(
      schedule,
      [
        (0, 0.5), (4, 0.4), (6, 0.3), (8, 0.2), (12, 0.5), (20, 0.4), (24, 0.3), (36, 0.5),
        (60, 0.3), (84, 0.5),
      ])
    #expect(schedule.rate(at: 11) < 0.12 && schedule.rate(at: 35) < 0.12)
    let even = LearningRateSchedule(
      peak: 0.5, shape: .cosineWarmRestarts(firstCycle: 12, cycleMultiplier: 1, minimum: 0.1))
    expectRates(even, [(12, 0.5), (16, 0.4), (24, 0.5), (12_000_006, 0.3)])
    #expect(schedule.rate(at: .max) > 0, "cycle lengths do not overflow")
  }

  @Test func warmUpRampsToThePeakAndMilestonesCountFromTheStart() {
    // The published ResNet-50 recipe at 10 steps an epoch: peak 1.6, 5 epochs, ÷ 10 at epoch 30.
    let schedule = LearningRateSchedule(
      peak: 1.6, shape: .step(milestones: [300, 700, 900], factor: 0.1), warmUp: 50)
    expectRates(
      schedule,
      [(0, 0.032), (24, 0.8), (49, 1.6), (50, 1.6), (299, 1.6), (300, 0.16), (700, 0.016)])
  }

  @Test func afterAWarmUpTheCosineContinuesAtItsStep() {
    let schedule = LearningRateSchedule(
      peak: 0.5, shape: .cosine(steps: 300, minimum: 0.1), warmUp: 100)
    expectRates(schedule, [(0, 0.005), (99, 0.5), (100, 0.4), (150, 0.3), (300, 0.1)])
  }

  @Test func aLongerTrainingStretchesEverythingButTheRates() {
    let steps = LearningRateSchedule(
      peak: 1.6, shape: .step(milestones: [30, 70, 90], factor: 0.1), warmUp: 5)
    #expect(
      steps.scaled(by: 5)
        == LearningRateSchedule(
          peak: 1.6, shape: .step(milestones: [150, 350, 450], factor: 0.1), warmUp: 25))
    #expect(
      steps.scaled(by: 0.7).shape == .step(milestones: [21, 49, 63], factor: 0.1),
      "30 · 0.7 is 20.999… in double precision, 21 is meant")
    #expect(
      LearningRateSchedule(peak: 1, shape: .cosine(steps: 40, minimum: 0.1)).scaled(by: 2).shape
        == .cosine(steps: 80, minimum: 0.1))
    let restarts = LearningRateSchedule(
      peak: 1, shape: .cosineWarmRestarts(firstCycle: 10, cycleMultiplier: 3, minimum: 0))
    #expect(
      restarts.scaled(by: 2).shape
        == .cosineWarmRestarts(firstCycle: 20, cycleMultiplier: 3, minimum: 0))
    #expect(LearningRateSchedule(peak: 1).scaled(by: 3) == LearningRateSchedule(peak: 1))
  }

  static let usable = [
    LearningRateSchedule(peak: 0.1, warmUp: 3),
    LearningRateSchedule(peak: 0.1, shape: .step(milestones: [], factor: 0.5)),
    LearningRateSchedule(peak: 0.1, shape: .step(milestones: [3, 5], factor: 0.5)),
    LearningRateSchedule(peak: 0.1, shape: .cosine(steps: 1, minimum: 0.1)),
    LearningRateSchedule(
      peak: 0.1, shape: .cosineWarmRestarts(firstCycle: 1, cycleMultiplier: 1, minimum: 0)),
  ]

  @Test(arguments: usable)
  func whatCanBeUsedIsNone(schedule: LearningRateSchedule) {
    #expect(throws: Never.self) { try schedule.validate() }
  }

  @Test(arguments: [
    LearningRateSchedule(peak: 0), LearningRateSchedule(peak: -1), LearningRateSchedule(peak: .nan),
    LearningRateSchedule(peak: .infinity), LearningRateSchedule(peak: 1, warmUp: -1),
    LearningRateSchedule(peak: 1, shape: .step(milestones: [5, 5], factor: 0.1)),
    LearningRateSchedule(peak: 1, shape: .step(milestones: [5, 3], factor: 0.1)),
    LearningRateSchedule(peak: 1, shape: .step(milestones: [-1], factor: 0.1)),
    LearningRateSchedule(peak: 1, shape: .step(milestones: [5], factor: 0)),
    LearningRateSchedule(peak: 1, shape: .cosine(steps: 0, minimum: 0)),
    LearningRateSchedule(peak: 1, shape: .cosine(steps: 5, minimum: 1.5)),
    LearningRateSchedule(peak: 1, shape: .cosine(steps: 5, minimum: -0.1)),
    LearningRateSchedule(
      peak: 1, shape: .cosineWarmRestarts(firstCycle: 0, cycleMultiplier: 2, minimum: 0)),
    LearningRateSchedule(
      peak: 1, shape: .cosineWarmRestarts(firstCycle: 5, cycleMultiplier: 0, minimum: 0)),
  ])
  func whatCannotBeUsedIsAnError(schedule: LearningRateSchedule) {
    let error = #expect(throws: RigLError.self) { try schedule.validate() }
    #expect(error?.kind == .configuration)
  }
}
