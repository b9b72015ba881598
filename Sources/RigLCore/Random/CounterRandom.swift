internal import CSparseKernels
import Foundation

/// Random numbers that are a pure function of what they are for: no state, nothing to save.
///
/// Philox4x32-10 (Salmon et al., *Parallel random numbers: as easy as 1, 2, 3*, SC 2011) under a
/// key made of seed, purpose and layer, with a counter made of a stream (usually the batches
/// consumed, or the number of a topology update) and an index. The same arguments give the same
/// number on every machine, in any order, on any thread.
///
/// Either ask for draws by index, `uniform(position)`, where draws belong to positions, or take
/// them one after the other from a `sequence()`. Both number the same blocks: do one or the
/// other under one key and stream.
public struct CounterRandom: Hashable, Sendable {
  /// The purpose of random numbers. Raw values are part of the key: adding is free, changing one
  /// changes the results of every run.
  public enum Purpose: UInt32, CaseIterable, Sendable {
    /// The order of the samples in an epoch.
    case dataOrder = 1
    /// Which samples are held out for validation.
    case dataSplit = 2
    /// Initial weights.
    case weights = 3
    /// Initial positions of connections.
    case topology = 4
    /// Positions and values of connections grown at random.
    case growth = 5
    /// Dropout masks.
    case dropout = 6
    /// Generated data.
    case synthetic = 7
    /// Crops, flips and the like.
    case augmentation = 8
    /// Connections dropped at random.
    case dropping = 9
    /// Candidates for growth.
    case candidates = 10
    /// Weights of a lottery ticket that is initialised afresh.
    case ticketWeights = 11
    /// Positions of a lottery ticket that is shuffled.
    case ticketPositions = 12
    /// Places on a curve between two networks.
    case curve = 13
  }

  /// Two words of Philox key, which hold seed, purpose and layer; dropout kernels take them as
  /// they are.
  package var key: (UInt32, UInt32) { (key0, key1) }
  private let key0: UInt32
  private let key1: UInt32
  /// Distinguishes repetitions of a purpose within a run.
  package let stream: UInt64

  /// The indices that draws may have: `0..<2^56`.
  package static let indexLimit: UInt64 = 1 << 56

  /// Random numbers for a purpose.
  ///
  /// - Parameters:
  ///   - seed: the run's seed; all 64 bits count.
  ///   - purpose: what the numbers are for.
  ///   - layer: the layer's number, or whatever else tells users of the same purpose apart.
  ///   - stream: batches consumed, an update's number, an epoch.
  public init(seed: UInt64, purpose: Purpose, layer: Int = 0, stream: UInt64 = 0) {
    trap(
      unless: layer >= 0 && layer <= Int(UInt32.max),
      "CounterRandom: layer \(layer), expected 0..<2^32")
    // The key has 64 bits and must depend on 128, so it is itself drawn. Two layers share a key
    // with probability 2^-64.
    let drawn = philox(
      (purpose.rawValue, UInt32(layer), 0, 0),
      (UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32)))
    key0 = drawn.x
    key1 = drawn.y
    self.stream = stream
  }

  /// The four words of a block.
  package func block(_ index: UInt64) -> SIMD4<UInt32> {
    philox(
      (
        UInt32(truncatingIfNeeded: index), UInt32(truncatingIfNeeded: index >> 32),
        UInt32(truncatingIfNeeded: stream), UInt32(truncatingIfNeeded: stream >> 32)
      ), (key0, key1))
  }

  /// Word `index % 4` of block `index / 4`.
  package func word(_ index: UInt64) -> UInt32 {
    block(index / 4)[Int(index % 4)]
  }

  /// The words from the first on, as a generator.
  package func sequence() -> CounterSequence { CounterSequence(self) }
}

// MARK: - Draws by index

extension CounterRandom {
  /// 64 random bits.
  package func bits(_ index: UInt64) -> UInt64 {
    attempt(0, index).0
  }

  /// An integer in `0..<bound`, every one equally likely.
  public func integer(_ index: UInt64, below bound: UInt64) -> UInt64 {
    trap(unless: bound > 0, "integer: no integers below 0")
    // Lemire's method: the high half of a product, rejecting the few that would favour some.
    let rejected = (0 &- bound) % bound
    for number in 0..<UInt64(256) {
      let (first, second) = attempt(number, index)
      let one = bound.multipliedFullWidth(by: first)
      if one.low >= rejected { return one.high }
      let two = bound.multipliedFullWidth(by: second)
      if two.low >= rejected { return two.high }
    }
    return 0  // After 512 rejections of less than one half each: never.
  }

  /// A number in `range.lowerBound..<range.upperBound`, one of 2^24 equally spaced ones.
  public func uniform(_ index: UInt64, in range: Range<Float> = 0..<1) -> Float {
    let unit = Float(attempt(0, index).0 >> 40) * 0x1p-24
    let value = range.lowerBound + unit * (range.upperBound - range.lowerBound)
    return value < range.upperBound ? value : range.upperBound.nextDown  // rounded up
  }

  /// A normally distributed number of mean 0 and deviation 1, by Box and Muller.
  package func normal(_ index: UInt64) -> Float {
    Float(normalPair(0, index).0)
  }

  /// A normally distributed number of deviation 1 before it is confined to -2...2.
  ///
  /// Its own deviation is ``truncatedNormalDeviation``.
  package func truncatedNormal(_ index: UInt64) -> Float {
    for number in 0..<UInt64(256) {
      let pair = normalPair(number, index)
      if abs(pair.0) <= 2 { return Float(pair.0) }
      if abs(pair.1) <= 2 { return Float(pair.1) }
    }
    return 0  // After 512 rejections of one in twenty each: never.
  }

  /// The standard deviation of ``truncatedNormal(_:)``: divide by it to get deviation 1.
  package static let truncatedNormalDeviation: Float = 0.879_625_66

  private func normalPair(_ number: UInt64, _ index: UInt64) -> (Double, Double) {
    let (first, second) = attempt(number, index)
    let radius = (-2 * log((Double(first >> 11) + 1) * 0x1p-53)).squareRoot()  // log of (0, 1]
    let angle = 2 * Double.pi * Double(second >> 11) * 0x1p-53
    return (radius * cos(angle), radius * sin(angle))
  }

  /// The bits of a draw's n-th attempt: attempts are told apart by the index's topmost byte.
  private func attempt(_ number: UInt64, _ index: UInt64) -> (UInt64, UInt64) {
    if index >= Self.indexLimit { trap("CounterRandom: index \(index), expected 0..<2^56") }
    let words = block(number << 56 | index)
    return (UInt64(words.x) | UInt64(words.y) << 32, UInt64(words.z) | UInt64(words.w) << 32)
  }
}

/// Philox4x32-10 of a counter.
private func philox(
  _ counter: (UInt32, UInt32, UInt32, UInt32), _ key: (UInt32, UInt32)
) -> SIMD4<UInt32> {
  var words: (UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0)
  unsafe withUnsafeBytes(of: counter) { counter in
    unsafe withUnsafeBytes(of: key) { key in
      unsafe withUnsafeMutableBytes(of: &words) { words in
        // Never nil: the tuples are not empty.
        guard let counter = counter.baseAddress, let key = key.baseAddress,
          let words = words.baseAddress
        else { return }
        unsafe csk_philox4x32(
          counter.assumingMemoryBound(to: UInt32.self), key.assumingMemoryBound(to: UInt32.self),
          words.assumingMemoryBound(to: UInt32.self))
      }
    }
  }
  return SIMD4(words.0, words.1, words.2, words.3)
}
