/// The context of a pass over a batch: threads, seed, batch number, scratch.
///
/// One value, made with the training, is updated from pass to pass.
@safe
public final class Pass {
  /// The threads that share the work.
  public let pool: ThreadPool
  /// The run's seed, one of the keys of every random number.
  public let seed: UInt64
  /// Whether dropout applies and gradients will be asked for.
  public var isTraining = false
  /// Batches drawn so far, this one included: the key of this pass's random numbers.
  public var batchesConsumed: UInt64 = 0
  /// The number of each sample of the batch that keys its random numbers, for whole groups; nil:
  /// its place. Set where samples were left out.
  var places: UnsafePointer<Int32>?
  /// Whether gradients add to those of the batches before (gradient accumulation).
  public var accumulatesGradients = false
  /// Whether an earlier pass saw the same batch: running averages then do not see it again.
  public var isRepeated = false
  /// The share of running averages that a training pass leaves in them, in the place of each batch-norm's
  /// own; nil: theirs.
  package var averageShare: Double?

  /// Which part of its operands each thread has in its cache.
  let warmBands: WarmBands
  /// Each thread's scratch for bands of planes.
  private var scratches: [AlignedBufferBox] = []

  /// Creates a pass for a pool and a seed.
  public init(pool: ThreadPool, seed: UInt64) {
    self.pool = pool
    warmBands = WarmBands(threads: pool.threads)
    self.seed = seed
    scratches = (0..<pool.threads).map { _ in AlignedBufferBox() }
  }

  /// Makes room for `count` floats of scratch a thread: in the first pass, and never again.
  func reserveScratch(_ count: Int) {
    for index in 0..<scratches.count { scratches[index].reserve(count) }
  }

  /// A thread's scratch.
  func scratch(of worker: Int) -> UnsafeMutablePointer<Float> {
    unsafe scratches[worker].buffer.base
  }

  /// Counts the time that `body` takes, on all threads, as work of a kind, where a ``StageClock``
  /// measures: for the parts of a stage that ``Stage/timing`` does not name.
  public func measure<Failure>(
    _ kind: StepStage, _ body: () throws(Failure) -> Void
  ) throws(Failure) {
    try pool.timed(kind, body)
  }

  private final class AlignedBufferBox {
    private(set) var buffer = AlignedBuffer<Float>(count: 0)

    func reserve(_ count: Int) {
      if buffer.count < count { buffer = AlignedBuffer(count: count) }
    }
  }
}
