import Foundation

/// Which positions of a network were ever active, followed through its topology updates.
///
/// A position is ever active if it has a connection now or had one before. The connections are
/// there anyway, so only the others are kept, layer by layer: at the start none, so the memory
/// grows with what updates leave behind. Where they would take more than ``limit`` in all, they are
/// given up: `isKnown` is then false for the rest of the run.
package final class ExploredPositions {
  /// The most bytes of all layers' former positions, each layer's in the smaller form.
  package var limit = 64 << 20
  /// Whether the positions are known: not where a checkpoint lacks them, nor beyond the limit.
  package private(set) var isKnown = true
  let layers: [SparseWeights]
  let former: [FormerPositions]
  /// Positions of all layers with weights, and those of them that are in dense layers.
  private let positions: Int
  private let densePositions: Int

  init(model: Model) {
    layers = model.sparseLayers
    former = layers.map { FormerPositions(positions: $0.positions) }
    positions = model.weightLayers.reduce(0) { $0 + $1.inputs * $1.outputs }
    densePositions = positions - layers.reduce(0) { $0 + $1.positions }
    // Where bitmaps are small beside everything else, updates then allocate nothing.
    if former.reduce(0, { $0 + $1.bitmapBytes }) <= 8 << 20 {
      for layer in former { layer.useBitmap() }
    }
  }

  /// The share of all positions that were ever active, those of dense layers included; nil if it is
  /// not known.
  package var share: Double? {
    guard isKnown, positions > 0 else { return nil }
    var active = densePositions
    for index in 0..<layers.count { active += layers[index].count + former[index].count }
    return Double(active) / Double(positions)
  }

  /// Follows a layer's update, before its topology changes.
  ///
  /// - Returns: how many of the new connections are at positions that were never active before; nil
  ///   if it is not known.
  func follow(_ update: LayerUpdate, layer index: Int) -> Int? {
    guard isKnown else { return nil }
    // Depends on the positions alone, not on how they are held: a resumed run decides alike.
    var bytes = 0
    for other in 0..<former.count {
      bytes += former[other].bytes(adding: other == index ? update.dropped : 0)
    }
    guard bytes <= limit, former[index].reserve(update.dropped) else {
      forget()
      return nil
    }
    return former[index].follow(update)
  }

  /// Begins with those of a file.
  func becomeKnown() { isKnown = true }

  /// Gives them up.
  func forget() {
    isKnown = false
    for layer in former { layer.removeAll() }
  }
}

/// The positions at which a layer had connections before and has none now.
///
/// In memory and in checkpoints they are a bitmap or a sorted list, whichever is smaller.
@safe
final class FormerPositions {
  /// Positions of the layer (N_l).
  let positions: Int
  /// How many positions there are.
  private(set) var count = 0
  /// (capacity) ascending, the first `count` in use; null if there is a bitmap, or nothing yet.
  private var list: UnsafeMutablePointer<Int64>?
  private var capacity = 0
  /// (bitmapBytes) position p is bit p mod 8 of byte p / 8; null if there is a list.
  private var bits: UnsafeMutablePointer<UInt8>?

  init(positions: Int) { self.positions = positions }

  deinit {
    unsafe free(list)
    unsafe free(bits)
  }

  /// Bytes of a bitmap.
  var bitmapBytes: Int { positions.dividedUp(by: 8) }

  /// Whether a list is the smaller form.
  var isListSmaller: Bool { 8 * count < bitmapBytes }

  /// Bytes of the smaller form with `more` positions.
  func bytes(adding more: Int) -> Int { min(bitmapBytes, 8 * (count + more)) }

  /// Removes all positions and frees their memory.
  func removeAll() {
    unsafe free(list)
    unsafe free(bits)
    unsafe (list, bits) = (nil, nil)
    (count, capacity) = (0, 0)
  }

  /// Makes room for `more` positions; false if there is no memory.
  func reserve(_ more: Int) -> Bool {
    if unsafe bits != nil { return true }
    let needed = count + more
    if 8 * needed >= bitmapBytes { return useBitmap() }
    guard needed > capacity else { return true }
    // Half as much again, so that not every update allocates.
    return reserveList(min(needed + needed / 2, bitmapBytes / 8))
  }

  /// Makes the list one of `newCapacity` elements; of a large one the system moves the pages, and
  /// those not used yet take no memory.
  private func reserveList(_ newCapacity: Int) -> Bool {
    guard let larger = unsafe realloc(list, max(newCapacity, 1) * 8) else { return false }
    unsafe list = larger.bindMemory(to: Int64.self, capacity: newCapacity)
    capacity = newCapacity
    return true
  }

  /// Makes it a bitmap; false if there is no memory.
  @discardableResult
  func useBitmap() -> Bool {
    if unsafe bits != nil { return true }
    guard let memory = unsafe calloc(max(bitmapBytes, 1), 1) else { return false }
    let bits = unsafe memory.bindMemory(to: UInt8.self, capacity: bitmapBytes)
    for index in 0..<count {
      let position = unsafe list.unsafelyUnwrapped[index]
      unsafe bits[Int(position >> 3)] |= 1 << UInt8(position & 7)
    }
    unsafe free(list)
    unsafe (list, self.bits) = (nil, bits)
    capacity = 0
    return true
  }

  /// Follows an update, for which there is room: positions that lose their connection are added,
  /// those that gain one are removed.
  ///
  /// - Returns: how many gain one that neither were here nor have one.
  func follow(_ update: LayerUpdate) -> Int {
    guard let bits = unsafe bits else { return followInList(update) }
    var (firsts, count) = (0, count)
    defer { self.count = count }
    update.forEachMove { position, isNew in
      let (byte, bit) = (Int(position >> 3), UInt8(1) << UInt8(position & 7))
      if !isNew {
        unsafe bits[byte] |= bit
        count += 1
      } else if unsafe bits[byte] & bit != 0 {
        unsafe bits[byte] &= ~bit
        count -= 1
      } else {
        firsts += 1
      }
    }
    return firsts
  }

  private func followInList(_ update: LayerUpdate) -> Int {
    guard let list = unsafe list else {
      // Nothing was dropped so far, nor now.
      var firsts = 0
      update.forEachMove { _, isNew in firsts += isNew ? 1 : 0 }
      return firsts
    }
    // The old list moves up by as much as can be added; written from below, it is never overtaken.
    let shift = update.dropped
    trap(unless: count + shift <= capacity, "FormerPositions: no room for \(shift) positions")
    unsafe (list + shift).update(from: list, count: count)
    let end = shift + count
    var (read, write, firsts) = (shift, 0, 0)
    func copy(below position: Int64) {
      while unsafe read < end && list[read] < position {
        unsafe list[write] = list[read]
        (read, write) = (read + 1, write + 1)
      }
    }
    update.forEachMove { position, isNew in
      copy(below: position)
      if !isNew {
        unsafe list[write] = position
        write += 1
      } else if unsafe read < end && list[read] == position {
        read += 1
      } else {
        firsts += 1
      }
    }
    copy(below: .max)
    count = write
    return firsts
  }
}

// MARK: - In files

extension FormerPositions {
  /// Calls `body` with each position, ascending.
  func forEach<Failure>(_ body: (Int64) throws(Failure) -> Void) throws(Failure) {
    if let list = unsafe list {
      for index in 0..<count { try unsafe body(list[index]) }
    }
    guard let bits = unsafe bits else { return }
    for byte in 0..<bitmapBytes {
      var rest = unsafe bits[byte]
      while rest != 0 {
        try body(Int64(byte) * 8 + Int64(rest.trailingZeroBitCount))
        rest &= rest - 1
      }
    }
  }

  /// Calls `body` with the bytes of the bitmap, which is the form of this many positions.
  func withBitmap<Failure>(_ body: (Span<UInt8>) throws(Failure) -> Void) throws(Failure) {
    guard let bits = unsafe bits else { trap("FormerPositions: a list") }
    try unsafe body(Span(_unsafeStart: bits, count: bitmapBytes))
  }

  /// Replaces the positions by a list of `count`, which `fill` writes.
  ///
  /// - Returns: whether there is memory, and the list ascends within the layer.
  func readList<Failure>(
    count: Int, _ fill: (inout MutableSpan<Int64>) throws(Failure) -> Void
  ) throws(Failure) -> Bool {
    removeAll()
    guard count <= positions, reserveList(count), let list = unsafe list else { return false }
    var span = unsafe MutableSpan(_unsafeStart: list, count: count)
    try fill(&span)
    var previous: Int64 = -1
    for index in 0..<count {
      let position = unsafe list[index]
      guard position > previous else { return false }
      previous = position
    }
    guard previous < Int64(positions) else { return false }
    self.count = count
    return isListSmaller || useBitmap()
  }

  /// Replaces the positions by a bitmap, which `fill` writes.
  ///
  /// - Returns: whether there is memory, and no bit is beyond the layer.
  func readBitmap<Failure>(
    _ fill: (inout MutableSpan<UInt8>) throws(Failure) -> Void
  ) throws(Failure) -> Bool {
    removeAll()
    guard useBitmap(), let bits = unsafe bits else { return false }
    var span = unsafe MutableSpan(_unsafeStart: bits, count: bitmapBytes)
    try fill(&span)
    for byte in 0..<bitmapBytes { count += unsafe bits[byte].nonzeroBitCount }
    guard positions % 8 != 0 else { return true }
    return unsafe bits[bitmapBytes - 1] >> UInt8(positions % 8) == 0
  }

  /// Whether a layer has no connection at any of the positions.
  func areFree(in weights: SparseWeights) -> Bool {
    var next = 0
    for row in 0..<weights.outputs {
      for index in weights.csr.row(row) {
        let column = unsafe Int(weights.csr.columns.base[index])
        let position = Int64(row * weights.inputs + column)
        if let bits = unsafe bits {
          if unsafe bits[Int(position >> 3)] >> UInt8(position & 7) & 1 != 0 { return false }
        } else if let list = unsafe list {
          while unsafe next < count && list[next] < position { next += 1 }
          if unsafe next < count && list[next] == position { return false }
        }
      }
    }
    return true
  }
}
