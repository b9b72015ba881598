/// The words of a ``CounterRandom``, one after the other.
package struct CounterSequence: RandomNumberGenerator, Sendable {
  private let random: CounterRandom
  private var words = SIMD4<UInt32>()
  private var nextWord: UInt64 = 0

  /// Starts at the first word.
  init(_ random: CounterRandom) { self.random = random }

  /// The next 32 bits.
  package mutating func nextWord32() -> UInt32 {
    let lane = Int(nextWord % 4)
    if lane == 0 { words = random.block(nextWord / 4) }
    nextWord += 1
    return words[lane]
  }

  /// The next 64 bits, two words.
  package mutating func next() -> UInt64 {
    let low = UInt64(nextWord32())
    return low | UInt64(nextWord32()) << 32
  }

  /// An integer in `0..<bound`, every one equally likely; one word for bounds of up to 32 bits.
  package mutating func integer(below bound: UInt64) -> UInt64 {
    trap(unless: bound > 0, "integer: no integers below 0")
    if let small = UInt32(exactly: bound) {
      var product = small.multipliedFullWidth(by: nextWord32())
      // The division is needed for one draw in 2^32 / bound only.
      if product.low < small {
        let rejected = (0 &- small) % small
        while product.low < rejected { product = small.multipliedFullWidth(by: nextWord32()) }
      }
      return UInt64(product.high)
    }
    var product = bound.multipliedFullWidth(by: next())
    if product.low < bound {
      let rejected = (0 &- bound) % bound
      while product.low < rejected { product = bound.multipliedFullWidth(by: next()) }
    }
    return product.high
  }
}
