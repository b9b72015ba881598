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

  func apply(to parameter: Parameter, first: Slot, second: Slot, range: Range<Int>) {
    var rule = csk_adam(
      learning_rate: learningRate, beta1: beta1, beta2: beta2, epsilon: epsilon,
      weight_decay: weightDecay, decoupled_decay: decoupledDecay, scale: gradientScale,
      step_size: stepSize, inverse_sqrt_correction2: inverseSqrtCorrection2)
    let start = range.lowerBound
    let status = unsafe csk_adam_step(
      &rule, parameter.values.base + start, parameter.gradient.base + start,
      first.buffer.base + start, second.buffer.base + start, Int64(range.count))
    expectOK(status, "csk_adam_step")
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
