internal import CSparseKernels

/// Stochastic gradient descent's rule for one step and one group of parameters; see `csk_sgd`.
struct SGDRule {
  var learningRate: Float
  var momentum: Float
  var weightDecay: Float
  var decoupledDecay: Float
  var gradientScale: Float
  var nesterov: Bool

  func apply(to parameter: Parameter, velocity: Slot?, range: Range<Int>) {
    var rule = csk_sgd(
      learning_rate: learningRate, momentum: momentum, weight_decay: weightDecay,
      decoupled_decay: decoupledDecay, scale: gradientScale, nesterov: nesterov)
    let start = range.lowerBound
    let status = unsafe csk_sgd_step(
      &rule, parameter.values.base + start, parameter.gradient.base + start,
      velocity.map { unsafe $0.buffer.base + start }, Int64(range.count))
    expectOK(status, "csk_sgd_step")
  }
}

/// Adam's rule for one step and one group of parameters; see `csk_adam`.
struct AdamRule {
  var learningRate: Float
  var beta1: Float
  var beta2: Float
  var epsilon: Float
  var weightDecay: Float
  var decoupledDecay: Float
  var gradientScale: Float
  var stepSize: Float
  var inverseSqrtCorrection2: Float

  private var cRule: csk_adam {
    csk_adam(
      learning_rate: learningRate, beta1: beta1, beta2: beta2, epsilon: epsilon,
      weight_decay: weightDecay, decoupled_decay: decoupledDecay, scale: gradientScale,
      step_size: stepSize, inverse_sqrt_correction2: inverseSqrtCorrection2)
  }

  func apply(to parameter: Parameter, first: Slot, second: Slot, range: Range<Int>) {
    var rule = cRule
    let start = range.lowerBound
    let status = unsafe csk_adam_step(
      &rule, parameter.values.base + start, parameter.gradient.base + start,
      first.buffer.base + start, second.buffer.base + start, Int64(range.count))
    expectOK(status, "csk_adam_step")
  }

  /// The same by each connection's own age, in the step of a number from 1.
  func apply(
    to parameter: Parameter, first: Slot, second: Slot, range: Range<Int>, ages: ConnectionAges,
    number: Int, _ corrections: AdamCorrections
  ) {
    trap(unless: range.upperBound <= ages.births.count, "csk_adam_age_step: \(range)")
    var rule = cRule
    var tables = unsafe csk_adam_corrections(
      pairs: corrections.pairs.base, count: Int32(corrections.count),
      settled: Int32(corrections.settled),
      beta1: corrections.beta1, beta2: corrections.beta2)
    let start = range.lowerBound
    let status = unsafe csk_adam_age_step(
      &rule, &tables, Int32(clamping: number), ages.births.base + start,
      parameter.values.base + start, parameter.gradient.base + start,
      first.buffer.base + start, second.buffer.base + start, Int64(range.count))
    expectOK(status, "csk_adam_age_step")
  }

  /// The age from which on both corrections are 1.
  static func settledAge(beta1: Float, beta2: Float) -> Int {
    Int(csk_adam_settled_age(beta1, beta2))
  }

  /// Writes a table of corrections by age, two for each.
  static func fillCorrections(
    _ pairs: borrowing AlignedBuffer<Float>, beta1: Float, beta2: Float
  ) {
    let status = unsafe csk_adam_fill_corrections(
      beta1, beta2, pairs.base, Int32(pairs.count / 2))
    expectOK(status, "csk_adam_fill_corrections")
  }
}

extension AlignedBuffer where Element == Float {
  /// self[i] = source[indices[i]] for a range of i; threads may write ranges of their own at the
  /// same time.
  func gather(
    from source: borrowing AlignedBuffer<Float>, indices: borrowing AlignedBuffer<Int32>,
    range: Range<Int>
  ) {
    trap(unless: range.upperBound <= count && range.upperBound <= indices.count, "gather: \(range)")
    let start = range.lowerBound
    let status = unsafe csk_gather(
      source.base, Int64(source.count), indices.base + start, base + start, Int64(range.count))
    expectOK(status, "csk_gather")
  }

  /// Moves the elements as an update moved connections: self[i] = old self[origins[i]], or 0 where
  /// the origin is -1, for as many as there are then. `scratch` holds the old elements meanwhile.
  mutating func follow(_ change: TopologyChange, scratch: inout AlignedBuffer<Int32>) {
    let (old, new) = (count, change.stored)
    trap(unless: scratch.count >= old, "follow: scratch too small")
    unsafe scratch.base.withMemoryRebound(to: Float.self, capacity: old) { copy in
      unsafe copy.update(from: base, count: old)
      setSize(new, change.capacity)
      let status = unsafe csk_remap(copy, Int64(old), change.origins.base, base, Int64(new))
      expectOK(status, "csk_remap")
    }
  }

  /// The sum of squares of a range, in double.
  func sumOfSquares(_ range: Range<Int>) -> Double {
    var sum = 0.0
    let status = unsafe csk_sum_of_squares(
      base + range.lowerBound, Int64(range.count), &sum)
    expectOK(status, "csk_sum_of_squares")
    return sum
  }
}
