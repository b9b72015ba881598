import Foundation

/// A sample that could not be read, and why.
public struct DamagedSample: Hashable, Sendable {
  /// Its index in the dataset (the base of a subset).
  public let sample: Int
  /// The error: what is wrong with the sample, and its path.
  public let error: RigLError
}

/// Turns samples into a network's input, normalised and in the order of a layout, with their labels.
///
/// ``take(_:in:)-(Span<Int64>,_)`` says which samples, and ``Batch/fill(from:pool:)`` takes them from
/// here. Underneath, `prepare` reads or makes them, and leaves damaged ones out; then every group is
/// packed, in any order and by any threads, as long as no two calls write the same part. Bytes in
/// memory are packed from where they are; other samples are written to memory of this packer first.
/// Nothing is allocated after the first batch, except by the dataset and for damaged samples.
package final class BatchPacker {
  /// Where the samples come from.
  package let dataset: any Dataset
  /// The most samples of a batch.
  package let capacity: Int
  /// The order of a sample's values in what is packed.
  package let layout: Tensor.Layout
  /// Whether samples have to be prepared: not where they are bytes in memory.
  package let needsPreparation: Bool
  /// Whether samples take so long that they are best prepared while another batch trains.
  package let isReadAhead: Bool
  /// The samples of the batch taken last; after it is prepared, those that are not damaged.
  package private(set) var samples = 0
  /// Samples of the batch that could not be read: they are not in it. Known once it is prepared.
  package private(set) var damaged: [DamagedSample] = []
  /// Where in the batch each sample was when it was taken; kept up only where some are damaged.
  private(set) var places: AlignedBuffer<Int32>
  /// The batch's classes; only the first ``samples`` elements count.
  package private(set) var labels: AlignedBuffer<Int32>
  /// Where each sample of the batch is: among a byte dataset's, or in this packer's memory.
  private var rows: AlignedBuffer<Int64>
  /// Which sample of the base each place of the batch was taken for.
  private var taken: AlignedBuffer<Int64>
  private var context = SampleContext()
  private let subset: Subset?
  private let base: any Dataset
  private let source: Source
  /// The scratch of each thread that makes samples; nil where a dataset needs none.
  private var scratches: [AnyObject?] = []
  /// The samples that failed since the batch was taken, by place; guarded by the lock.
  private var failures: [(place: Int, error: RigLError)] = []
  // Not a Mutex: the thread sanitizer does not see through its futex.
  private let lock = NSLock()

  private enum Source {
    case bytes([UInt8], PixelNormalization)
    case pixels(any PixelDataset, PixelMemory)
    /// Row-major samples, `capacity` of them, and what writes those that differ from epoch to epoch.
    case values(Tensor.Storage, (any AugmentedDataset)?)
  }

  /// Creates a packer for batches of up to `capacity` samples.
  ///
  /// - Throws: `RigLError(.data)` if a dataset's samples are not what it says: of no size, fewer
  ///   bytes, normalised by another number of channels.
  package init(
    _ dataset: any Dataset, capacity: Int, layout: Tensor.Layout = .vectors
  ) throws(RigLError) {
    try dataset.sampleShape.requirePositive("the samples")
    trap(unless: capacity > 0, "BatchPacker: batches of \(capacity)")
    self.dataset = dataset
    self.capacity = capacity
    self.layout = layout
    labels = AlignedBuffer(count: capacity)
    places = AlignedBuffer(count: capacity)
    rows = AlignedBuffer(count: capacity)
    taken = AlignedBuffer(count: capacity)
    subset = dataset.selection
    base = subset?.base ?? dataset
    let access = base.access
    isReadAhead = access.isReadAhead
    switch access {
    case .bytes(let images):
      try images.requireComplete()
      try images.normalization.requireChannels(images.sampleShape.channels)
      source = .bytes(images.bytes, images.normalization)
      needsPreparation = false
    case .pixels(let images):
      try images.normalization.requireChannels(images.sampleShape.channels)
      source = .pixels(images, PixelMemory(images, capacity: capacity))
      needsPreparation = true
    case .values:
      source = .values(Tensor.Storage(count: capacity * dataset.sampleShape.count), nil)
      needsPreparation = true
    case .augmented(let samples):
      source = .values(Tensor.Storage(count: capacity * dataset.sampleShape.count), samples)
      needsPreparation = true
    }
  }

  // MARK: - Which samples

  /// Makes a batch of the samples with these indices.
  ///
  /// - Throws: `RigLError(.data)` for a label that is no class.
  package func take(
    _ indices: Span<Int64>, in context: SampleContext = SampleContext()
  ) throws(RigLError) {
    begin(indices.count, context)
    let places = unsafe Places(self)
    for place in indices.indices { try unsafe set(place, to: Int(indices[place]), in: places) }
  }

  /// Makes a batch of consecutive samples.
  ///
  /// - Throws: `RigLError(.data)` for a label that is no class.
  package func take(
    _ range: Range<Int>, in context: SampleContext = SampleContext()
  ) throws(RigLError) {
    begin(range.count, context)
    let places = unsafe Places(self)
    for (place, sample) in range.enumerated() { try unsafe set(place, to: sample, in: places) }
  }

  private func begin(_ count: Int, _ context: SampleContext) {
    trap(unless: count <= capacity, "BatchPacker: a batch of \(count), made for \(capacity)")
    samples = count
    self.context = context
    if !damaged.isEmpty { damaged = [] }
  }

  /// What is the same for all samples of a batch, asked for once.
  @unsafe
  private struct Places {
    let taken: UnsafeMutablePointer<Int64>
    let rows: UnsafeMutablePointer<Int64>
    let labels: UnsafeMutablePointer<Int32>
    let (samples, classes): (Int, Int)

    init(_ packer: BatchPacker) {
      unsafe taken = packer.taken.base
      unsafe rows = packer.rows.base
      unsafe labels = packer.labels.base
      unsafe (samples, classes) = (packer.dataset.count, packer.base.classes)
    }
  }

  private func set(_ place: Int, to sample: Int, in places: Places) throws(RigLError) {
    let (count, classes) = unsafe (places.samples, places.classes)
    trap(unless: sample >= 0 && sample < count, "sample \(sample) of \(count)")
    let row = subset?.baseIndex(of: sample) ?? sample
    let label = base.label(of: row)
    guard label >= 0, label < classes else {
      throw .label(label, of: "sample \(row)", classes: classes)
    }
    unsafe places.taken[place] = Int64(row)
    unsafe places.rows[place] = Int64(needsPreparation ? place : row)
    unsafe places.labels[place] = Int32(label)
  }

  // MARK: - Preparing

  /// Reads or makes the samples of the batch, on all threads of a pool, and leaves out those that
  /// turn out to be damaged.
  ///
  /// - Throws: `RigLError(.memory)` where there is not enough to make one.
  package func prepare(_ pool: ThreadPool? = nil) throws(RigLError) {
    guard needsPreparation, samples > 0 else { return }
    while scratches.count < pool?.threads ?? 1 { scratches.append(makeScratch()) }
    if let pool {
      // Photos take milliseconds each; what takes microseconds is handed out by the dozen.
      let size = isReadAhead ? 1 : 16
      let chunks = (samples + size - 1) / size
      pool.run(chunks: chunks, with: (self, size)) { context, chunk, worker in
        let (packer, size) = context
        for place in chunk * size..<min((chunk + 1) * size, packer.samples) {
          packer.prepare(place: place, with: packer.scratches[worker])
        }
      }
    } else {
      for place in 0..<samples { prepare(place: place, with: scratches[0]) }
    }
    try leaveOutDamaged()
  }

  /// The scratch of a thread for ``prepare(place:with:)``; nil where none is needed.
  func makeScratch() -> AnyObject? {
    if case .pixels(let images, _) = source { images.makeScratch() } else { nil }
  }

  /// Reads or makes one sample. Threads may do so for different places at the same time.
  func prepare(place: Int, with scratch: AnyObject?) {
    let sample = Int(taken[place])
    do throws(RigLError) {
      switch source {
      case .bytes: break
      case .pixels(let images, let memory):
        try memory.write(place, images, sample, context, scratch)
      case .values(let storage, let augmented):
        let size = dataset.sampleShape.count
        var values = unsafe MutableSpan(
          _unsafeStart: storage.buffer.base + place * size, count: size)
        if let augmented {
          try augmented.write(sample, in: context, into: &values)
        } else {
          base.write(sample, into: &values)
        }
      }
    } catch {
      lock.lock()
      failures.append((place, error))
      lock.unlock()
    }
  }

  /// Forgets which samples' preparation failed, and returns them.
  @discardableResult
  func takeFailures() -> [(place: Int, error: RigLError)] {
    lock.lock()
    defer { lock.unlock() }
    guard !failures.isEmpty else { return [] }
    defer { failures = [] }
    return failures
  }

  /// Takes the samples out of the batch whose preparation failed; the others keep their order.
  ///
  /// - Throws: `RigLError(.memory)` where one failed for that: it may well be sound.
  func leaveOutDamaged() throws(RigLError) {
    let failures = takeFailures()
    guard !failures.isEmpty else { return }
    // Threads finish in any order.
    let sorted = failures.sorted { $0.place < $1.place }
    if let failure = sorted.first(where: { $0.error.kind == .memory }) { throw failure.error }
    damaged = sorted.map { DamagedSample(sample: Int(taken[$0.place]), error: $0.error) }
    var (kept, next) = (0, 0)
    for place in 0..<samples {
      if next < sorted.count, sorted[next].place == place {
        next += 1
        continue
      }
      labels[kept] = labels[place]
      places[kept] = Int32(place)
      rows[kept] = rows[place]
      if case .values(let storage, _) = source, kept != place {
        let size = dataset.sampleShape.count
        unsafe (storage.buffer.base + kept * size).update(
          from: storage.buffer.base + place * size, count: size)
      }
      kept += 1
    }
    samples = kept
  }

  // MARK: - Packing

  /// Prepares and packs the whole batch, and sets the number of samples of `input`.
  ///
  /// - Throws: as ``prepare(_:)``.
  package func pack(into input: Tensor) throws(RigLError) {
    try prepare()
    input.samples = samples
    for group in 0..<input.groups { pack(group: group, into: input) }
  }

  /// Packs one group of a batch that is prepared; `input.samples` must be ``samples`` already.
  package func pack(group: Int, into input: Tensor) {
    pack(group: group, channels: 0..<input.shape.count, into: input)
  }

  /// Packs some values of each sample of a group: a range in the dataset's order (channel, row,
  /// column), whatever the layout.
  package func pack(group: Int, channels: Range<Int>, into input: Tensor) {
    check(group, input)
    trap(
      unless: channels.lowerBound >= 0 && channels.upperBound <= input.shape.count,
      "pack: channels \(channels) of \(input.shape.count)")
    // Rows and columns are the dataset's: a tensor of vectors need not know them.
    switch source {
    case .bytes(let bytes, let normalization):
      unsafe bytes.withUnsafeBufferPointer { bytes in
        unsafe input.packBytes(
          bytes.baseAddress, rows: rows, normalization: normalization, group: group,
          values: channels, layout: layout, of: dataset.sampleShape)
      }
    case .pixels(_, let memory):
      if memory.standardizes {
        unsafe input.packBytes(
          memory.pixels.base, rows: rows, scales: memory.scales.base, shifts: memory.shifts.base,
          group: group, values: channels, layout: layout, of: dataset.sampleShape)
      } else {
        unsafe input.packBytes(
          memory.pixels.base, rows: rows, normalization: memory.normalization, group: group,
          values: channels, layout: layout, of: dataset.sampleShape)
      }
    case .values(let storage, _):
      input.packSamples(
        storage, group: group, values: channels, layout: layout, of: dataset.sampleShape)
    }
  }

  private func check(_ group: Int, _ input: Tensor) {
    trap(
      unless: input.shape.count == dataset.sampleShape.count,
      "pack: \(dataset.sampleShape.count) values a sample into \(input.shape.count)")
    trap(
      unless: input.samples == samples, "pack: a batch of \(samples) into one of \(input.samples)")
    trap(unless: group >= 0 && group < input.groups, "pack: group \(group) of \(input.groups)")
  }
}

/// Images of a batch as bytes. Threads write different places at the same time.
private final class PixelMemory {
  let pixels: AlignedBuffer<UInt8>
  /// Each place's own standardisation; empty where there is none.
  let scales: AlignedBuffer<Float>
  let shifts: AlignedBuffer<Float>
  /// What the dataset says; kept, because asking it for each batch may allocate.
  let standardizes: Bool
  let normalization: PixelNormalization
  private let size: Int

  init(_ images: any PixelDataset, capacity: Int) {
    size = images.sampleShape.count
    standardizes = images.standardizesImages
    normalization = images.normalization
    pixels = AlignedBuffer(count: capacity * size)
    let own = standardizes ? capacity : 0
    scales = AlignedBuffer(count: own)
    shifts = AlignedBuffer(count: own)
  }

  func write(
    _ place: Int, _ images: any PixelDataset, _ sample: Int, _ context: SampleContext,
    _ scratch: AnyObject?
  ) throws(RigLError) {
    var span = unsafe MutableSpan(_unsafeStart: pixels.base + place * size, count: size)
    try images.writePixels(sample, in: context, with: scratch, into: &span)
    guard standardizes else { return }
    let own = images.standardization(of: sample, written: span.span)
    unsafe scales.base[place] = own.scale
    unsafe shifts.base[place] = own.shift
  }
}
