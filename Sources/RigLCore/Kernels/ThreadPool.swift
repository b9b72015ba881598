import Foundation
internal import CSparseKernels

/// A fixed set of threads that share out the chunks of one job at a time, where that gains.
///
/// The number of threads is the most that take part in a job. Whether they do is chosen as jobs run:
/// small ones, whose operands would have to come from another core's cache, and all of them while
/// another process keeps a core busy, are run by the caller alone if that is quicker, as measured in
/// the same run and tried again from time to time. So more threads are not slower than one.
///
/// Apart from threads that read images ahead of a training, this is the only place with
/// concurrency: training itself is synchronous. Which thread runs
/// which chunk is not fixed, so a chunk's result must depend on its number alone, and the borders
/// between chunks on shapes alone; then results do not depend on the number of threads.
@safe
public final class ThreadPool {
  private let pool: OpaquePointer
  /// The most threads that take part, the caller's own included.
  public let threads: Int
  /// Measures what the threads are at, where someone asks for it.
  var clock: StageClock?

  /// Starts `threads - 1` threads; the caller is one.
  ///
  /// - Throws: `RigLError(.configuration)` if the number is not between 1 and 1024, if they cannot be
  ///   started, or if `CSK_ISA` in the environment names no instruction set that this machine runs.
  public init(threads: Int) throws(RigLError) {
    try requireInstructionSet()
    guard threads >= 1, threads <= 1024 else {
      throw RigLError(
        .configuration, "threads: \(threads) is not between 1 and 1024",
        hint: "this machine has \(ThreadPool.processors) processors")
    }
    var created: OpaquePointer?
    let status = unsafe csk_pool_create(Int32(threads), &created)
    guard status == csk_status_ok, let created = unsafe created else {
      throw RigLError(.configuration, "threads: could not start \(threads) threads")
    }
    unsafe pool = created
    self.threads = threads
  }

  deinit {
    unsafe csk_pool_destroy(pool)
  }

  /// Calls `body(context, chunk, worker)` once for each chunk in `0..<chunks`, on all threads, and
  /// returns when all are done. `worker` in `0..<threads` names thread-private scratch.
  ///
  /// The body may run on several threads at once: it must write only what belongs to its chunk or
  /// worker. It must not wait for another chunk, since one thread may run them all. Other threads can only call a closure that could escape, and making one of a closure
  /// with captures allocates. So a body that is to run in a training step captures nothing and
  /// takes what it works with from `context`; then nothing is allocated.
  ///
  /// Jobs of the same `line`, number of chunks and first object in the context (a layer, as a rule)
  /// are taken to last equally long.
  public func run<Context>(
    chunks: Int, with context: Context, line: UInt = #line,
    _ body: @escaping (_ context: Context, _ chunk: Int, _ worker: Int) -> Void
  ) {
    unsafe withUnsafePointer(to: context) { context in
      let kind = unsafe JobKind(line: line, chunks: chunks, context)
      // Neither outlives the call, and C hands the same address back.
      let job = unsafe BodyAndContext(context: context, body: body)
      guard let clock else { return share(chunks, kind, job) }
      unsafe withUnsafePointer(to: job) { job in
        share(chunks, kind, unsafe TimedJob(job: job, clock: clock))
      }
      clock.endJob()
    }
  }

  private func share(_ chunks: Int, _ kind: JobKind, _ job: some PoolJob) {
    if chunks <= 1 || threads == 1 {
      for chunk in 0..<chunks { job.run(chunk: chunk, worker: 0) }
      return
    }
    var job: any PoolJob = job
    let status = unsafe withUnsafeMutablePointer(to: &job) { job in
      unsafe csk_pool_run(
        pool, kind.number, Int32(chunks),
        { job, chunk, worker in
          guard let job = unsafe job else { return }
          unsafe job.assumingMemoryBound(to: (any PoolJob).self).pointee
            .run(chunk: Int(chunk), worker: Int(worker))
        }, job)
    }
    trap(unless: status == csk_status_ok, "csk_pool_run returned \(status)")
  }

  /// Calls `body(chunk, worker)` once for each chunk, as ``run(chunks:with:line:_:)`` does; allocates a
  /// few bytes.
  package func run(
    chunks: Int, line: UInt = #line, _ body: (_ chunk: Int, _ worker: Int) -> Void
  ) {
    withoutActuallyEscaping(body) { body in
      run(chunks: chunks, with: (), line: line) { _, chunk, worker in body(chunk, worker) }
    }
  }

  /// Counts the time that `body` takes as another stage of the same layer, where a clock measures.
  func timed<Result, Failure>(
    _ stage: StepStage, _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let before = clock?.begin(stage)
    defer { if let before { clock?.begin(before) } }
    return try body()
  }

  /// The threads that run a job.
  package enum Policy: CaseIterable, Sendable {
    /// All threads or the caller alone, whatever takes less time.
    case adaptive
    /// All threads.
    case always
    /// The caller alone.
    case never
    /// All threads and the caller alone in turns.
    case alternating

    fileprivate var kernelPolicy: csk_sharing_policy {
      switch self {
      case .adaptive: csk_sharing_adaptive
      case .always: csk_sharing_always
      case .never: csk_sharing_never
      case .alternating: csk_sharing_alternating
      }
    }
  }

  /// Fixes who runs jobs from now on, in place of a choice by measured times: for tests, which find
  /// the same bits.
  package func setPolicy(_ policy: Policy) {
    let status = unsafe csk_pool_set_policy(pool, policy.kernelPolicy)
    trap(unless: status == csk_status_ok, "csk_pool_set_policy returned \(status)")
  }
}

/// A number that jobs have in common which last about equally long.
@safe
private struct JobKind {
  let number: UInt64

  init<Context>(line: UInt, chunks: Int, _ context: UnsafePointer<Context>) {
    var number = UInt64(line) << 48 ^ UInt64(chunks) << 40
    if MemoryLayout<Context>.size >= MemoryLayout<UInt64>.size {
      // The address of an object: the same each time, and another one's in another layer.
      number ^= unsafe UnsafeRawPointer(context).loadUnaligned(as: UInt64.self)
    }
    self.number = number
  }
}

/// A job without the type of its context, which C's function pointers cannot know.
private protocol PoolJob {
  func run(chunk: Int, worker: Int)
}

/// Three words, so that `any PoolJob` holds it in place.
@safe
private struct BodyAndContext<Context>: PoolJob {
  let context: UnsafePointer<Context>
  let body: (_ context: Context, _ chunk: Int, _ worker: Int) -> Void

  func run(chunk: Int, worker: Int) { unsafe body(context.pointee, chunk, worker) }
}

/// A job whose chunks are timed. (A closure around it would hold its types, which allocates.)
@safe
private struct TimedJob<Job: PoolJob>: PoolJob {
  let job: UnsafePointer<Job>
  let clock: StageClock

  func run(chunk: Int, worker: Int) {
    clock.beginChunk(worker)
    unsafe job.pointee.run(chunk: chunk, worker: worker)
    clock.endChunk(worker)
  }
}

extension ThreadPool {
  /// The processors that this process may use: those it is bound to, where it is to some, and no more
  /// than its container's share.
  public static var processors: Int {
    allowedProcessors(of: ProcessInfo.processInfo.activeProcessorCount)
  }
}
