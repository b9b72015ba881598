/// A value that goes from step to step of a window, in one memory: what each step begins with is what
/// the one before ended with.
struct SteppedTensor {
  /// The value before each step; the first is carried in.
  let before: Tensor
  /// The value after each step: the same memory, one step on.
  let after: Tensor
  /// Groups of a step, at most.
  private let groups: Int

  /// Room for a window of at most `capacity` samples, in steps of at most `groups` groups.
  init(features: Int, capacity: Int, lanes: Int, groups: Int) {
    self.groups = groups
    let shape = SampleShape(channels: features)
    let step = groups * features * lanes
    let whole = Tensor.Storage(
      count: Tensor.elements(shape: shape, capacity: capacity, lanes: lanes) + step)
    before = Tensor(viewing: whole, from: 0, shape: shape, capacity: capacity, lanes: lanes)
    after = Tensor(viewing: whole, from: step, shape: shape, capacity: capacity, lanes: lanes)
  }

  /// Says how many samples there are in a window, and what its first step begins with: a part of what
  /// was carried on, or 0.
  func begin(samples: Int, _ state: RecurrentState?, part: Int) {
    (before.samples, after.samples) = (samples, samples)
    let count = groups * before.groupStride
    guard let state else { return unsafe before.base.update(repeating: 0, count: count) }
    unsafe before.base.update(from: state.values.base + part * count, count: count)
  }

  /// Carries on what the last of so many steps ended with.
  func end(steps: Int, _ state: RecurrentState?, part: Int) {
    guard let state else { return }
    let count = groups * before.groupStride
    let target = unsafe state.values.base + part * count
    unsafe target.update(from: before.base + steps * count, count: count)
  }
}
