import Foundation
internal import CSparseKernels

/// A fixed set of threads that share out the chunks of one job at a time.
///
/// This is the only place with concurrency: training itself is synchronous. Which thread runs
/// which chunk is not fixed, so a chunk's result must depend on its number alone, and the borders
/// between chunks on shapes alone; then results do not depend on the number of threads.
@safe
public final class ThreadPool {
  private let pool: OpaquePointer
  /// Threads that take part, the caller's own included.
  public let threads: Int

  /// Starts `threads - 1` threads; the caller is one.
  public init(threads: Int) throws(RigLError) {
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

  /// The body of a job, on the caller's stack for the time of `run`.
  private struct Job {
    let body: (_ chunk: Int, _ worker: Int) -> Void
  }

  /// Calls `body(chunk, worker)` once for each chunk in `0..<chunks`, on all threads, and returns
  /// when all are done. `worker` in `0..<threads` names thread-private scratch.
  ///
  /// The body runs on several threads at once: it must write only what belongs to its chunk or
  /// worker.
  public func run(chunks: Int, _ body: (_ chunk: Int, _ worker: Int) -> Void) {
    if chunks <= 1 || threads == 1 {
      for chunk in 0..<chunks { body(chunk, 0) }
      return
    }
    // The closure does not outlive the call, and C hands the same address back to it.
    withoutActuallyEscaping(body) { body in
      var job = Job(body: body)
      let status = unsafe withUnsafeMutablePointer(to: &job) { job in
        unsafe csk_pool_run(
          pool, Int32(chunks),
          { context, chunk, worker in
            guard let context = unsafe context else { return }
            unsafe context.assumingMemoryBound(to: Job.self).pointee.body(Int(chunk), Int(worker))
          }, job)
      }
      precondition(status == csk_status_ok, "csk_pool_run returned \(status)")
    }
  }
}

extension ThreadPool {
  /// The processors of this machine that the process may use.
  public static var processors: Int { ProcessInfo.processInfo.activeProcessorCount }
}
