import Foundation

/// The learning rate at every weight update t, counted from 0.
///
/// During a warm-up of W steps the rate is (t + 1)/W of the peak. After it the shape is read **at
/// t, not at t − W**: milestones, cosine steps and cycles count from the start of training. That
/// is what the published ResNet-50 recipe means by a warm-up over 5 epochs and milestones at
/// epochs 30, 70 and 90. (A cosine therefore continues a little below the peak.)
public struct LearningRateSchedule: Hashable, Sendable {
  /// How the rate changes after the warm-up.
  public enum Shape: Hashable, Sendable {
    /// The peak, always.
    case constant
    /// The peak times `factor` for every milestone m ≤ t.
    case step(milestones: [Int], factor: Double)
    /// min + (peak − min)/2 (1 + cos(π t / steps)), and min from then on.
    case cosine(steps: Int, minimum: Double)
    /// peak + (min − peak) t / steps, and min from then on.
    case linear(steps: Int, minimum: Double)
    /// Cosines from the peak to the minimum, again and again: of `firstCycle` steps, then each
    /// `cycleMultiplier` times as long as the one before (T_{i+1} = T_mult · T_i).
    ///
    /// Reference: Loshchilov & Hutter, *SGDR: Stochastic Gradient Descent with Warm Restarts*,
    /// ICLR 2017. <https://arxiv.org/abs/1608.03983>
    case cosineWarmRestarts(firstCycle: Int, cycleMultiplier: Int, minimum: Double)
  }

  /// The largest rate.
  package var peak: Double
  /// How the rate changes.
  package var shape: Shape
  /// Steps of the linear warm-up (W); 0 for none.
  package var warmUp: Int

  /// Creates a schedule; nothing is checked before it is used.
  public init(peak: Double, shape: Shape = .constant, warmUp: Int = 0) {
    self.peak = peak
    self.shape = shape
    self.warmUp = warmUp
  }

  /// The largest rate there is: the peak, or what factors above 1 make of it.
  package var largestRate: Double {
    guard case .step(let milestones, let factor) = shape, factor > 1 else { return peak }
    return rate(at: max(milestones.last ?? 0, warmUp))
  }

  /// The rate of weight update `step` (t ≥ 0).
  public func rate(at step: Int) -> Double {
    trap(unless: step >= 0, "rate: step \(step)")
    if step < warmUp { return peak * (Double(step + 1) / Double(warmUp)) }
    switch shape {
    case .constant:
      return peak
    case .step(let milestones, let factor):
      var rate = peak
      for index in 0..<milestones.count where milestones[index] <= step { rate *= factor }
      return rate
    case .cosine(let steps, let minimum):
      return cosine(step: step, of: steps, minimum: minimum)
    case .linear(let steps, let minimum):
      trap(unless: steps > 0, "rate: a linear decay over \(steps) steps")
      return peak + (minimum - peak) * Double(min(step, steps)) / Double(steps)
    case .cosineWarmRestarts(let firstCycle, let multiplier, let minimum):
      let (start, length) = Self.cycle(of: step, first: firstCycle, multiplier: multiplier)
      return cosine(step: step - start, of: length, minimum: minimum)
    }
  }

  /// The schedule of a training `multiplier` (M) times as long: milestones, the cosine's steps, the
  /// first cycle and the warm-up are stretched, rates stay. Of a decay a step is left at the least.
  package func scaled(by multiplier: Double) -> LearningRateSchedule {
    var scaled = self
    scaled.warmUp = scaledStep(warmUp, by: multiplier)
    switch shape {
    case .constant: break
    case .step(let milestones, let factor):
      scaled.shape = .step(
        milestones: milestones.map { scaledStep($0, by: multiplier) }, factor: factor)
    case .cosine(let steps, let minimum):
      scaled.shape = .cosine(steps: max(1, scaledStep(steps, by: multiplier)), minimum: minimum)
    case .linear(let steps, let minimum):
      scaled.shape = .linear(steps: max(1, scaledStep(steps, by: multiplier)), minimum: minimum)
    case .cosineWarmRestarts(let firstCycle, let cycleMultiplier, let minimum):
      scaled.shape = .cosineWarmRestarts(
        firstCycle: max(1, scaledStep(firstCycle, by: multiplier)),
        cycleMultiplier: cycleMultiplier, minimum: minimum)
    }
    return scaled
  }

  /// Throws a configuration error if a number is out of range.
  package func validate() throws(RigLError) {
    func require(_ isMet: Bool, _ problem: @autoclosure () -> String) throws(RigLError) {
      if !isMet { throw RigLError(.configuration, "learning-rate schedule: \(problem())") }
    }
    func requireMinimum(_ minimum: Double) throws(RigLError) {
      try require(
        minimum >= 0 && minimum <= peak, "the minimum \(minimum) is outside [0, peak \(peak)]")
    }
    try require(peak > 0 && peak.isFinite, "the peak is \(peak), must be positive")
    try require(warmUp >= 0, "a warm-up of \(warmUp) steps")
    switch shape {
    case .constant: break
    case .step(let milestones, let factor):
      try require(factor > 0 && factor.isFinite, "the factor is \(factor), must be positive")
      try require(
        milestones.allSatisfy { $0 >= 0 },
        "milestones \(shortened("\(milestones)")), must not be negative")
      try require(
        zip(milestones, milestones.dropFirst()).allSatisfy(<),
        "milestones \(shortened("\(milestones)")), must be increasing")
      try require(largestRate.isFinite, "a factor of \(factor) makes the rate infinite")
    case .cosine(let steps, let minimum):
      try require(steps > 0, "a cosine over \(steps) steps")
      try requireMinimum(minimum)
    case .linear(let steps, let minimum):
      try require(steps > 0, "a linear decay over \(steps) steps")
      try requireMinimum(minimum)
    case .cosineWarmRestarts(let firstCycle, let cycleMultiplier, let minimum):
      try require(firstCycle > 0, "a first cycle of \(firstCycle) steps")
      try require(cycleMultiplier > 0, "cycles growing by a factor of \(cycleMultiplier)")
      try requireMinimum(minimum)
    }
  }

  private func cosine(step: Int, of steps: Int, minimum: Double) -> Double {
    trap(unless: steps > 0, "rate: a cosine over \(steps) steps")
    guard step < steps else { return minimum }
    return minimum + (peak - minimum) / 2 * (1 + cos(.pi * Double(step) / Double(steps)))
  }

  /// First step and length of the cycle that `step` lies in.
  private static func cycle(
    of step: Int, first: Int, multiplier: Int
  ) -> (start: Int, length: Int) {
    trap(unless: first > 0 && multiplier > 0, "rate: cycles of \(first) steps, times \(multiplier)")
    if multiplier == 1 { return (step / first * first, first) }
    var (start, length) = (0, first)
    while step - start >= length {
      start += length
      // A cycle longer than Int.max steps contains whatever is left.
      let (next, overflow) = length.multipliedReportingOverflow(by: multiplier)
      length = overflow ? .max : next
    }
    return (start, length)
  }
}
