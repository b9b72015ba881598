import Foundation

/// Brings a training its batches: in memory at once, or prepared by threads of their own while the
/// batch before trains.
final class BatchSource {
  private let packer: BatchPacker
  private let readAhead: ReadAhead?
  private let seed: UInt64
  private let size: Int

  /// - Parameter threads: threads that read ahead, where that is worth it.
  init(
    _ dataset: any Dataset, size: Int, layout: Tensor.Layout, seed: UInt64, threads: Int
  ) throws(RigLError) {
    self.seed = seed
    self.size = size
    packer = try BatchPacker(dataset, capacity: size, layout: layout)
    readAhead =
      packer.isReadAhead
      ? try ReadAhead(packer, size: size, layout: layout, seed: seed, threads: threads) : nil
  }

  /// Fills a batch with the loader's next samples, and moves the loader on.
  ///
  /// - Returns: the samples that could not be read and are not in the batch.
  /// - Throws: `memory` where there is not enough to make one; `data` as ``ReadAhead``.
  func next(
    _ loader: EpochCursor, into batch: Batch, pool: ThreadPool
  ) throws(RigLError) -> [DamagedSample] {
    if let readAhead {
      let prepared = try readAhead.next(at: loader.position)
      loader.next(size) { _ in }
      batch.take(from: prepared, pool: pool)
      return prepared.damaged
    }
    let position = loader.position
    try take(from: loader)
    do {
      try batch.fill(from: packer, pool: pool)
    } catch {
      try loader.resume(at: position)
      throw error
    }
    return packer.damaged
  }

  private func take(from loader: EpochCursor) throws(RigLError) {
    let context = SampleContext(seed: seed, epoch: loader.position.epoch)
    try loader.next(size) { (samples) throws(RigLError) in try packer.take(samples, in: context) }
  }
}

/// Prepares the batches to come on threads of its own: a ring of packers, of which one is being
/// used and the others are being filled.
///
/// What a sample becomes depends on seed, epoch and index alone, so which thread makes it when is
/// without effect on the result; and as the order follows from the position, so is an interruption.
package final class ReadAhead {
  private let work: Work
  private let loader: EpochCursor
  private let seed: UInt64
  private let size: Int
  private let scratch: AnyObject?
  /// The positions of the batches in the ring, by slot.
  private var positions = [EpochCursor.Position](repeating: .init(), count: depth)
  /// The slot of the batch that is due.
  private var due = 0
  /// Slots with batches, from the one that is due.
  private var filled = 0

  /// Batches in the ring: one in use, two being made.
  private static let depth = 3

  /// Starts the threads.
  ///
  /// - Parameters:
  ///   - first: a packer of the dataset, one of the ring.
  ///   - start: what starts a thread, and returns 0 or the system's number of what kept it from it.
  /// - Throws: `configuration` if a thread cannot start, as where a container limits them.
  package init(
    _ first: BatchPacker, size: Int, layout: Tensor.Layout, seed: UInt64, threads: Int,
    start: (@escaping @Sendable () -> Void) -> Int32 = startThread
  ) throws(RigLError) {
    self.seed = seed
    self.size = size
    loader = try EpochCursor(count: first.dataset.count, seed: seed)
    let others = try (1..<ReadAhead.depth).map { (_) throws(RigLError) in
      try BatchPacker(first.dataset, capacity: size, layout: layout)
    }
    work = Work([first] + others)
    scratch = first.makeScratch()
    try work.start(threads, by: start)
  }

  // Also where a thread could not start: those before it end.
  deinit { work.stop() }

  /// The batch at a position, prepared; its packer is good until the next call.
  ///
  /// - Throws: `data` if there is no such position, `memory` where there is not enough to make a
  ///   sample.
  func next(at position: EpochCursor.Position) throws(RigLError) -> BatchPacker {
    if filled == 0 || positions[due] != position {
      work.waitForAll()
      filled = 0
      try loader.resume(at: position)
    }
    while filled < ReadAhead.depth {
      let slot = (due + filled) % ReadAhead.depth
      let next = loader.position
      try fill(work.packers[slot])
      positions[slot] = next
      filled += 1
      work.add(slot)
    }
    work.finish(due, with: scratch)
    let packer = work.packers[due]
    // First, so that a batch that failed is made again if it is asked for again.
    filled -= 1
    due = (due + 1) % ReadAhead.depth
    try packer.leaveOutDamaged()
    return packer
  }
}

extension ReadAhead {
  /// Gives a packer the next samples.
  private func fill(_ packer: BatchPacker) throws(RigLError) {
    let context = SampleContext(seed: seed, epoch: loader.position.epoch)
    try loader.next(size) { (samples) throws(RigLError) in try packer.take(samples, in: context) }
  }
}

/// What threads have to do. Everything that changes is guarded by the condition, apart from the
/// packers' memory, of which a thread writes the places it was given.
private final class Work: @unchecked Sendable {
  let packers: [BatchPacker]
  private let condition = NSCondition()
  /// Slots with places nobody has taken yet: so many from the first on, around the ring.
  private var firstWaiting = 0
  private var waiting = 0
  private var nextPlace: [Int]
  private var unfinished: [Int]
  private var threads = 0
  private var isStopped = false

  init(_ packers: [BatchPacker]) {
    self.packers = packers
    nextPlace = packers.map { _ in 0 }
    unfinished = packers.map { _ in 0 }
  }

  func start(
    _ count: Int, by start: (@escaping @Sendable () -> Void) -> Int32
  ) throws(RigLError) {
    for number in 0..<count {
      // Counted before it runs: it may end at once.
      condition.withLock { threads += 1 }
      let status = start { [self] in run() }
      guard status != 0 else { continue }
      condition.withLock { threads -= 1 }
      throw RigLError(
        .configuration,
        "threads: thread \(number + 1) of \(count) that read images could not be started: "
          + SystemError(code: status).text,
        hint: "Ask for fewer by --threads, or have the limit of processes or memory raised.")
    }
  }

  /// Ends the threads, and returns when they have.
  func stop() {
    condition.lock()
    isStopped = true
    condition.broadcast()
    while threads > 0 { condition.wait() }
    condition.unlock()
  }

  /// Has a slot's packer prepared, which has taken its samples.
  func add(_ slot: Int) {
    condition.lock()
    nextPlace[slot] = 0
    unfinished[slot] = packers[slot].samples
    if waiting == 0 { firstWaiting = slot }
    waiting += 1
    condition.broadcast()
    condition.unlock()
  }

  /// Returns when a slot is prepared; helps as long as it has places to give.
  func finish(_ slot: Int, with scratch: AnyObject?) {
    condition.lock()
    while unfinished[slot] > 0 {
      if waiting > 0 && firstWaiting == slot {
        step(with: scratch)
      } else {
        condition.wait()
      }
    }
    condition.unlock()
  }

  /// Returns when nothing is being prepared any more; what nobody has begun is forgotten.
  func waitForAll() {
    condition.lock()
    for offset in 0..<waiting {
      let slot = (firstWaiting + offset) % packers.count
      unfinished[slot] -= packers[slot].samples - nextPlace[slot]
    }
    waiting = 0
    while unfinished.contains(where: { $0 > 0 }) { condition.wait() }
    condition.unlock()
    for packer in packers { packer.takeFailures() }
  }

  private func run() {
    let scratch = packers[0].makeScratch()
    condition.lock()
    while !isStopped {
      if waiting == 0 {
        condition.wait()
      } else {
        step(with: scratch)
      }
    }
    threads -= 1
    condition.broadcast()
    condition.unlock()
  }

  /// Prepares the next place; called and left with the condition locked.
  private func step(with scratch: AnyObject?) {
    let slot = firstWaiting
    let place = nextPlace[slot]
    nextPlace[slot] += 1
    if nextPlace[slot] == packers[slot].samples {
      firstWaiting = (firstWaiting + 1) % packers.count
      waiting -= 1
    }
    condition.unlock()
    packers[slot].prepare(place: place, with: scratch)
    condition.lock()
    unfinished[slot] -= 1
    if unfinished[slot] == 0 { condition.broadcast() }
  }
}
