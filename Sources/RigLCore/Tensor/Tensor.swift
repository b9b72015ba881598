/// Activations of a batch, or their gradient: `[group][y][channel][x][lane]`, the batch innermost;
/// of vectors that is `[group][channel][lane]`.
///
/// Sample s is lane `s % lanes` of group `s / lanes`, so that a connection is one broadcast and
/// contiguous multiply-adds. The last group's lanes beyond the samples are dead: any finite value
/// in activations, exactly zero in gradients.
@safe
public final class Tensor {
  /// The shape of one sample.
  public let shape: SampleShape
  /// Samples in a group (L): a multiple of 8.
  public let lanes: Int
  /// The strips of a single image that lanes are, in place of samples: see ``Layer/strip(of:)``. 1: lanes
  /// are samples.
  let strips: Int
  /// The most samples the tensor holds.
  public let capacity: Int
  /// The samples it holds now; the last batch of an epoch may be smaller.
  public var samples: Int {
    didSet {
      trap(unless: samples >= 0 && samples <= capacity, "\(samples) of \(capacity) samples")
    }
  }
  /// The memory, which tensors of different stages may share.
  private var storage: Storage
  /// The first element, for the kernels' wrappers.
  private(set) var base: UnsafeMutablePointer<Float>

  /// Memory that several tensors may use one after the other.
  final class Storage {
    var buffer: AlignedBuffer<Float>
    init(count: Int) { buffer = AlignedBuffer(count: count) }
  }

  /// Creates a tensor, of zeros in its own memory, or in shared memory that is made large enough.
  init(shape: SampleShape, capacity: Int, lanes: Int, storage: Storage?, strips: Int = 1) {
    trap(unless: lanes > 0 && lanes % 8 == 0, "Tensor: \(lanes) lanes, expected a multiple of 8")
    self.shape = shape
    self.lanes = lanes
    self.capacity = capacity
    self.strips = strips
    samples = capacity
    let count = Tensor.elements(shape: shape, capacity: capacity, lanes: lanes)
    self.storage = storage ?? Storage(count: count)
    trap(
      unless: self.storage.buffer.count >= count,
      "Tensor: memory of \(self.storage.buffer.count) floats, expected \(count)")
    unsafe base = self.storage.buffer.base
  }

  /// Creates a tensor without memory of its own: it shows another one's, from ``show(_:)`` on.
  init(showing shape: SampleShape, capacity: Int, lanes: Int, strips: Int) {
    self.shape = shape
    self.lanes = lanes
    self.capacity = capacity
    self.strips = strips
    samples = 0
    storage = Storage(count: 0)
    unsafe base = storage.buffer.base
  }

  /// Creates a tensor in a part of memory, from an element on.
  init(viewing storage: Storage, from element: Int, shape: SampleShape, capacity: Int, lanes: Int) {
    let end = element + Tensor.elements(shape: shape, capacity: capacity, lanes: lanes)
    trap(
      unless: lanes > 0 && lanes % 8 == 0 && element >= 0 && storage.buffer.count >= end,
      "Tensor: elements \(element)..<\(end) of a memory of \(storage.buffer.count) floats")
    self.shape = shape
    self.lanes = lanes
    self.capacity = capacity
    self.storage = storage
    strips = 1
    samples = capacity
    unsafe base = storage.buffer.base + element
  }

  /// Bytes of a full batch.
  var bytes: Int { 4 * Tensor.elements(shape: shape, capacity: capacity, lanes: lanes) }

  /// Bytes of the memory of some tensors, each counted once.
  static func bytes(of tensors: [Tensor]) -> Int {
    let memories = Dictionary(
      tensors.map { (ObjectIdentifier($0.storage), $0.storage.buffer.count) },
      uniquingKeysWith: { first, _ in first })
    return 4 * memories.values.reduce(0, +)
  }

  /// Shows the memory of a tensor of the same shape, with as many samples.
  func show(_ other: Tensor) {
    storage = other.storage
    unsafe base = other.base
    samples = other.samples
  }

  /// Creates a tensor of zeros.
  public convenience init(shape: SampleShape, capacity: Int, lanes: Int) {
    self.init(shape: shape, capacity: capacity, lanes: lanes, storage: nil)
  }

  /// Floats that a tensor needs.
  package static func elements(shape: SampleShape, capacity: Int, lanes: Int) -> Int {
    (capacity + lanes - 1) / lanes * lanes * shape.count
  }

  /// Groups in use: ceil(samples / lanes).
  public var groups: Int { (samples + lanes - 1) / lanes }

  /// Elements from one group to the next.
  package var groupStride: Int { shape.count * lanes }
  /// Whether the batch is larger than what surely stays in a cache until the next layer's turn:
  /// then writing past the caches saves reading what is overwritten (WRN-22-2's step: 5 to 10 %;
  /// 384 → 1536, batch 2048: 5 to 20 %), else it would make the next layer wait
  /// (WRN-22-2's prediction of an image: 15 %).
  var outgrowsCaches: Bool { groups * groupStride * MemoryLayout<Float>.stride >= 4 << 20 }

  /// Samples of a group: `lanes`, or fewer in the last one.
  public func liveLanes(group: Int) -> Int { min(lanes, samples - group * lanes) }

  /// A value by sample and index within the sample, channel by channel and row by row: c, y, x.
  public subscript(sample: Int, index: Int) -> Float {
    get { storage.buffer[offset(sample, index)] }
    set { storage.buffer[offset(sample, index)] = newValue }
  }

  func offset(_ sample: Int, _ index: Int) -> Int {
    trap(unless: sample >= 0 && sample < samples, "sample \(sample) of \(samples)")
    trap(unless: index >= 0 && index < shape.count, "value \(index) of \(shape.count)")
    let (x, row) = (index % shape.width, index / shape.width)
    let (y, channel) = (row % shape.height, row / shape.height)
    let element = (y * shape.channels + channel) * shape.width + x
    return (sample / lanes * shape.count + element) * lanes + sample % lanes
  }

  /// Lanes for batches of `samples`: 32 for vectors, fewer where more than half would be dead.
  package static func lanes(forBatch samples: Int) -> Int {
    samples > 16 ? mostLanes : samples > 8 ? 16 : 8
  }

  /// Lanes for windows of `streams` samples a step, a multiple of 8: as many as leave none dead.
  static func lanes(forStreams streams: Int) -> Int {
    streams % mostLanes == 0 ? mostLanes : streams % 16 == 0 ? 16 : 8
  }

  /// The lanes of large batches of vectors.
  static let mostLanes = 32
}

extension Tensor {
  /// Copies a group of another tensor of the same shape.
  package func copyGroup(_ group: Int, from other: Tensor) {
    trap(unless: other.shape == shape && other.lanes == lanes, "copyGroup: another shape")
    unsafe (base + group * groupStride).update(
      from: other.base + group * groupStride, count: groupStride)
  }
}

extension Tensor {
  /// Sets every element of the groups in use to zero.
  public func zero() {
    unsafe base.update(repeating: 0, count: groups * groupStride)
  }

  /// Multiplies the values of all groups in use.
  func scale(by factor: Float) {
    for index in 0..<groups * groupStride { unsafe base[index] *= factor }
  }
}
