import Foundation

/// Measures where the time of training steps goes, by layer and stage.
///
///     var configuration = Configuration()
///     configuration.data = "synthetic"
///     let trainer = try Trainer(configuration)
///     let clock = StageClock(for: trainer.step)
///     trainer.step.clock = clock
///     clock.start()
///     try trainer.trainNextBatch()
///     let times = clock.stop()
///     print("seconds of the step", times.total)
///
/// A thread is always at some stage of some part, or waits; each change of stage reads the time
/// once and adds what has passed to a sum of the thread's own. All sums are reserved here.
@safe
public final class StageClock {
  /// The layers in order, then what belongs to no layer.
  public let parts: [StepPart]
  /// Bytes that a step touches: outputs of all layers, weights, gradients, lists and slots.
  package let footprint: Double

  private let plan: StagePlan
  private let threads: Int
  /// Of each thread: the time of its last change, what it is at (-1: it waits), time spent on behalf
  /// of each part, and time by part and stage.
  private let sums: AlignedBuffer<Int>
  private let stride: Int
  /// Time that passed while the calling thread was at each part.
  private let walls: AlignedBuffer<Int>
  /// The part of the step that the calling thread is at, and threads that join in will be.
  private var part = 0
  private(set) var stage = StepStage.other
  private var started = 0
  private var entered = 0

  private static let header = 2

  /// A clock for a training step; it measures while it is the step's ``TrainingStep/clock``.
  public init(for step: TrainingStep) {
    plan = StagePlan(step.model, step.optimizer)
    parts = plan.parts
    footprint = plan.footprint
    threads = step.pass.pool.threads
    let count = StageClock.header + parts.count * (1 + StepStage.count)
    // Two threads' sums share no pair of cache lines.
    stride = count.roundedUp(to: 16)
    sums = AlignedBuffer(count: threads * stride)
    walls = AlignedBuffer(count: parts.count)
  }

  // MARK: - A step

  /// Begins to measure: what follows until ``stop()`` is one step.
  public func start() {
    for index in 0..<sums.count { unsafe sums.base[index] = 0 }
    for index in 0..<walls.count { unsafe walls.base[index] = 0 }
    for thread in 0..<threads { unsafe own(thread)[1] = -1 }
    started = StageClock.now
    entered = started
    unsafe own(0)[0] = started
    (part, stage) = (plan.batch, .batch)
    unsafe own(0)[1] = cell(part, stage)
  }

  /// Ends the step, and says where its time went.
  public func stop() -> StageTimes {
    move(to: plan.rest, .other)
    let scale = 1e-9 / Double(threads)
    let stages = StepStage.count
    var seconds = [Double](repeating: 0, count: parts.count * stages)
    for part in parts.indices {
      var occupied = 0
      for thread in 0..<threads {
        occupied += unsafe own(thread)[StageClock.header + part]
        for stage in 0..<stages {
          seconds[part * stages + stage] +=
            unsafe scale * Double(own(thread)[base + part * stages + stage])
        }
      }
      seconds[part * stages + StepStage.waiting.rawValue] =
        unsafe scale * Double(threads * walls.base[part] - occupied)
    }
    return StageTimes(total: 1e-9 * Double(entered - started), seconds: seconds)
  }

  // MARK: - What the calling thread is at

  /// A stage begins, by its number in the plan; it says itself which kinds of work it comes to.
  func enter(stage number: Int, isForward: Bool) {
    let place = plan.stageParts[number]
    let (forward, backward) = plan.stages[place]
    move(to: place, isForward ? forward : backward)
  }

  /// A layer's connections are worked on.
  func enter(_ weights: SparseWeights, _ stage: StepStage) {
    move(to: plan.place(of: weights) ?? plan.rest, stage)
  }

  /// Something begins that belongs to no layer.
  func enter(_ stage: StepStage) {
    switch stage {
    case .loss: move(to: plan.loss, stage)
    case .optimizer: move(to: plan.parameters, stage)
    default: move(to: plan.rest, stage)
    }
  }

  /// The same layer comes to another stage; returns the stage before.
  @discardableResult
  func begin(_ stage: StepStage) -> StepStage {
    let before = self.stage
    move(to: part, stage)
    return before
  }

  private func move(to part: Int, _ stage: StepStage) {
    let now = charge(0)
    unsafe walls.base[self.part] += now - entered
    entered = now
    (self.part, self.stage) = (part, stage)
    unsafe own(0)[1] = cell(part, stage)
  }

  // MARK: - What each thread is at

  /// A thread takes a chunk of a job.
  func beginChunk(_ worker: Int) {
    charge(worker)
    unsafe own(worker)[1] = cell(part, stage)
  }

  /// Within a chunk, a thread comes to another stage.
  func enter(_ stage: StepStage, _ worker: Int) {
    charge(worker)
    unsafe own(worker)[1] = cell(part, stage)
  }

  /// Within a chunk, a thread comes to a parameter, by its number in the model.
  func enter(parameter: Int, _ worker: Int) {
    charge(worker)
    unsafe own(worker)[1] = cell(plan.parameterParts[parameter], stage)
  }

  /// A thread is done with a chunk.
  func endChunk(_ worker: Int) {
    charge(worker)
    unsafe own(worker)[1] = -1
  }

  /// All threads are done: the calling one has waited since its last chunk, and goes on.
  func endJob() {
    charge(0)
    unsafe own(0)[1] = cell(part, stage)
  }

  /// Adds the time since a thread's last change to what it was at.
  @discardableResult
  private func charge(_ worker: Int) -> Int {
    let own = unsafe own(worker)
    let (now, cell) = unsafe (StageClock.now, own[1])
    if cell >= 0 {
      let passed = unsafe now - own[0]
      unsafe own[base + cell] += passed
      unsafe own[StageClock.header + part] += passed
    }
    unsafe own[0] = now
    return now
  }

  private func own(_ worker: Int) -> UnsafeMutablePointer<Int> {
    unsafe sums.base + worker * stride
  }

  /// Where the sums by part and stage begin.
  private var base: Int { StageClock.header + parts.count }

  private func cell(_ part: Int, _ stage: StepStage) -> Int {
    part * StepStage.count + stage.rawValue
  }

  /// Nanoseconds of a clock that never goes back.
  private static var now: Int {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Int(time.tv_sec) * 1_000_000_000 + Int(time.tv_nsec)
  }
}
