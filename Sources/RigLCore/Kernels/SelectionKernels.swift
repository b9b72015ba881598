import Foundation
internal import CSparseKernels

/// Selects the k scores of largest (or smallest) magnitude from a stream, in bounded memory.
///
/// The order is total, by magnitude and then by lower position, so that the result does not depend
/// on how the stream is cut, in which order it comes, or how many selections share it before they
/// are merged.
@safe
final class TopSelection {
  /// Which end of the order is selected.
  enum Order {
    case largest
    case smallest
  }

  private var selection = unsafe csk_selection()
  private var keys: AlignedBuffer<UInt32>
  private var positionBuffer: AlignedBuffer<Int64>
  /// Held while a part is merged. Not a `Mutex`, whose locking the thread sanitizer does not see.
  private let lock = NSLock()

  /// Room for selecting up to `count` scores.
  init(atMost count: Int) {
    let capacity = Int(csk_selection_capacity(Int64(count)))
    keys = AlignedBuffer(count: capacity)
    positionBuffer = AlignedBuffer(count: capacity)
  }

  /// Starts over; makes room for more than there was.
  func begin(_ order: Order, count: Int) {
    let needed = Int(csk_selection_capacity(Int64(count)))
    if needed > keys.count {
      keys.makeRoom(needed)
      positionBuffer.makeRoom(needed)
    }
    let status = unsafe csk_selection_begin(
      &selection, order == .largest ? csk_select_largest : csk_select_smallest, Int64(count),
      keys.base, positionBuffer.base, Int64(keys.count))
    expectOK(status, "csk_selection_begin")
  }

  /// Offers `scores[i]` at `firstPosition + i`; `excluded` are ascending indices that must not be
  /// selected, and whose scores are overwritten. False if one of the scores is not a number.
  func offer(
    _ scores: UnsafeMutableBufferPointer<Float>, firstPosition: Int,
    excluding excluded: UnsafeBufferPointer<Int32>
  ) -> Bool {
    unsafe TopSelection.offer(
      scores, firstPosition: firstPosition, excluding: excluded, to: &selection)
  }

  private static func offer(
    _ scores: UnsafeMutableBufferPointer<Float>, firstPosition: Int,
    excluding excluded: UnsafeBufferPointer<Int32>, to selection: inout csk_selection
  ) -> Bool {
    let status = unsafe csk_selection_offer(
      &selection, scores.baseAddress, Int64(scores.count), Int64(firstPosition),
      excluded.baseAddress, Int64(excluded.count))
    guard status != csk_status_nan else { return false }
    expectOK(status, "csk_selection_offer")
    return true
  }

  /// Lets in what was not offered: `count` candidates of score 0, which come before all others of
  /// that score; returns how many of them are selected. Only ``finish()`` may follow, which selects
  /// as many fewer.
  func admitZeros(_ count: Int) -> Int {
    var admitted: Int64 = 0
    let status = unsafe csk_selection_admit_zeros(&selection, Int64(count), &admitted)
    expectOK(status, "csk_selection_admit_zeros")
    return Int(admitted)
  }

  /// Ends the selection; the selected positions, ascending, stay valid until the next `begin`.
  func finish() -> UnsafeBufferPointer<Int64> {
    expectOK(unsafe csk_selection_finish(&selection), "csk_selection_finish")
    return unsafe UnsafeBufferPointer(start: positionBuffer.base, count: Int(selection.count))
  }

  /// Gives memory back of which selections of up to `count` scores need much less.
  func shrink(to count: Int) {
    let needed = Int(csk_selection_capacity(Int64(count)))
    guard needed < keys.count - keys.count / 4 else { return }
    keys.setSize(needed, needed)
    positionBuffer.setSize(needed, needed)
  }

  /// The memory of the selected positions, for `count` others until the next `begin`.
  func positions(_ count: Int) -> UnsafeMutableBufferPointer<Int64> {
    if positionBuffer.count < count {
      positionBuffer.makeRoom(count)
      keys.makeRoom(count)
    }
    return unsafe UnsafeMutableBufferPointer(start: positionBuffer.base, count: count)
  }

  /// Bytes that the selection holds.
  var bytes: Int { keys.count * 12 }
}

extension TopSelection {
  /// One thread's way into a selection that several threads share.
  ///
  /// A part holds a few of its thread's candidates, and locks the selection only to hand them over,
  /// so that threads need hardly more memory than one. The result does not depend on when they do.
  @safe
  final class Part {
    /// Candidates of a part: so many that locking and learning the cut late cost nothing.
    static let capacity = 8192

    private let whole: TopSelection
    private var part = unsafe csk_selection()
    private var keys = AlignedBuffer<UInt32>(count: Part.capacity)
    private var positions = AlignedBuffer<Int64>(count: Part.capacity)

    /// A part of `whole`.
    init(of whole: TopSelection) {
      self.whole = whole
    }

    /// Starts over, after the whole did.
    func begin() {
      whole.lock.withLock { restart() }
    }

    /// Offers scores as ``TopSelection/offer(_:firstPosition:excluding:)`` does; at most half of
    /// ``capacity`` at a time.
    func offer(
      _ scores: UnsafeMutableBufferPointer<Float>, firstPosition: Int,
      excluding excluded: UnsafeBufferPointer<Int32>
    ) -> Bool {
      trap(
        unless: scores.count <= Part.capacity / 2,
        "offer: \(scores.count) of \(Part.capacity / 2) scores")
      if unsafe csk_selection_room(&part) < Int64(scores.count) { handOver() }
      return unsafe TopSelection.offer(
        scores, firstPosition: firstPosition, excluding: excluded, to: &part)
    }

    /// Gives the candidates to the whole; the last time, before it is finished.
    func handOver() {
      whole.lock.withLock {
        expectOK(unsafe csk_selection_merge(&whole.selection, &part), "csk_selection_merge")
        restart()
      }
    }

    /// Empties the part and takes the whole's cut.
    private func restart() {
      let status = unsafe csk_selection_begin_part(
        &part, &whole.selection, keys.base, positions.base, Int64(Part.capacity))
      expectOK(status, "csk_selection_begin_part")
    }

    /// Bytes that the part holds.
    var bytes: Int { Part.capacity * 12 }
  }
}

/// The cut that keeps the `keep` largest magnitudes: everything above `magnitude`, and of those
/// equal to it the first `ties` in position order.
struct MagnitudeCut {
  let magnitude: Float
  let ties: Int

  /// Finds the cut; nil if a value is not a number.
  init?(keeping keep: Int, of values: borrowing AlignedBuffer<Float>, histogram: Histogram) {
    unsafe self.init(
      keeping: keep, of: UnsafeBufferPointer(start: values.base, count: values.count),
      histogram: histogram)
  }

  /// Finds the cut; nil if a value is not a number.
  init?(keeping keep: Int, of values: UnsafeBufferPointer<Float>, histogram: Histogram) {
    var cut = csk_magnitude_cut()
    let status = unsafe csk_find_magnitude_cut(
      values.baseAddress, Int64(values.count), Int64(keep), histogram.buffer.base, &cut)
    guard status != csk_status_nan else { return nil }
    expectOK(status, "csk_find_magnitude_cut")
    self.init(magnitude: cut.magnitude, ties: Int(cut.ties))
  }

  /// A cut that is known.
  init(magnitude: Float, ties: Int) {
    self.magnitude = magnitude
    self.ties = ties
  }

  /// Whether the next value in position order is kept; `ties` are those that are left, ``ties`` at
  /// the first.
  func includes(_ value: Float, ties: inout Int) -> Bool {
    if value > magnitude { return true }
    guard value == magnitude, ties > 0 else { return false }
    ties -= 1
    return true
  }

  /// The memory that finding a cut works in.
  final class Histogram {
    var buffer = AlignedBuffer<UInt32>(count: Int(csk_cut_histogram_size))
  }
}
