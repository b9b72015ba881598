/// The order in which an epoch takes the samples: a permutation keyed by seed and epoch.
///
/// Memory is taken once; another epoch's order overwrites it.
package struct EpochOrder: ~Copyable {
  /// The seed of the run.
  package let seed: UInt64
  /// The epoch whose order this is; nil before the first ``shuffle(epoch:)``.
  package private(set) var epoch: Int?
  private var order: AlignedBuffer<Int64>

  /// Makes room for the order of `count` samples.
  package init(count: Int, seed: UInt64) {
    self.seed = seed
    order = AlignedBuffer(count: count)
  }

  /// The number of samples.
  package var count: Int { order.count }

  /// The sample at a place of the epoch.
  package subscript(place: Int) -> Int64 { order[place] }

  /// Draws an epoch's order, unless it is the one held already.
  package mutating func shuffle(epoch: Int) {
    trap(unless: epoch >= 0, "EpochOrder: epoch \(epoch)")
    if epoch == self.epoch { return }
    self.epoch = epoch
    var draws = CounterRandom(seed: seed, purpose: .dataOrder, stream: UInt64(epoch)).sequence()
    order.withMutableSpan { order in
      for place in order.indices { order[place] = Int64(place) }
      for place in stride(from: order.count - 1, to: 0, by: -1) {  // Fisher and Yates
        order.swapAt(place, Int(draws.integer(below: UInt64(place) + 1)))
      }
    }
  }

  /// Calls `body` with the samples at consecutive places.
  package borrowing func withSamples<Result, Failure>(
    _ places: Range<Int>, _ body: (Span<Int64>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try order.withSpan { (order) throws(Failure) in try body(order.extracting(places)) }
  }
}
