/// Decides which samples come next: epoch after epoch, each in an order of its own.
///
/// Its whole state is ``position``; the orders follow from the seed.
package final class EpochCursor {
  /// How far the stream has come.
  package struct Position: Hashable, Sendable, Codable {
    /// The epoch of the next batch, from 0.
    package var epoch: Int
    /// Samples of that epoch already delivered.
    package var index: Int

    /// Creates a position; without arguments, the beginning.
    package init(epoch: Int = 0, index: Int = 0) {
      self.epoch = epoch
      self.index = index
    }
  }

  /// Where the next batch begins; always before the end of an epoch.
  package private(set) var position = Position()
  private var order: EpochOrder

  /// A stream over `count` samples, at its beginning.
  ///
  /// - Throws: `RigLError(.data)` if there are none.
  package init(count: Int, seed: UInt64) throws(RigLError) {
    guard count > 0 else {
      throw RigLError(
        .data, "\(count) samples to draw batches from", hint: "At least one is needed.")
    }
    order = EpochOrder(count: count, seed: seed)
  }

  /// The number of samples in an epoch.
  package var count: Int { order.count }

  /// The number of batches in an epoch: ceil(count / size).
  package func batches(ofSize size: Int) -> Int {
    trap(unless: size > 0, "EpochCursor: batches of \(size)")
    return (count + size - 1) / size
  }

  /// Continues from a position that was saved.
  ///
  /// - Throws: `data` if there is no such position.
  package func resume(at position: Position) throws(RigLError) {
    guard position.epoch >= 0, position.index >= 0, position.index < count else {
      throw RigLError(
        .data,
        "epoch \(position.epoch), sample \(position.index) is no position in an epoch of "
          + "\(count) samples", hint: "The data has changed since the position was saved.")
    }
    self.position = position
  }

  /// Calls `body` with the next batch's samples and moves on; the last batch of an epoch may have
  /// fewer than `size`. Allocates nothing.
  ///
  /// If `body` throws, the batch counts as not delivered.
  package func next<Result, Failure>(
    _ size: Int, _ body: (Span<Int64>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    trap(unless: size > 0, "EpochCursor: a batch of \(size)")
    order.shuffle(epoch: position.epoch)
    let end = min(position.index + size, count)
    let result = try order.withSamples(position.index..<end, body)
    position =
      end < count
      ? Position(epoch: position.epoch, index: end) : Position(epoch: position.epoch + 1)
    return result
  }
}

/// One pass over all samples in order, for evaluation: ranges of at most `size`.
package struct SequentialBatches: Sequence, IteratorProtocol, Sendable {
  private var begin = 0
  private let count: Int
  private let size: Int

  /// A pass over `count` samples in batches of `size`; the last one may be smaller.
  package init(count: Int, size: Int) {
    trap(
      unless: count >= 0 && size > 0, "SequentialBatches: \(count) samples in batches of \(size)")
    self.count = count
    self.size = size
  }

  /// The next batch's samples.
  package mutating func next() -> Range<Int>? {
    guard begin < count else { return nil }
    defer { begin = Swift.min(begin + size, count) }
    return begin..<Swift.min(begin + size, count)
  }
}
