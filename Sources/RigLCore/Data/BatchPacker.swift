/// Turns samples into a network's input: `[group][channel][lane]`, normalised, with their labels.
///
/// First ``take(_:)-(Span<Int64>)`` says which samples; then every group is packed, in any order
/// and by any threads, as long as no two calls write the same part. Bytes of a ``ByteDataset`` (or
/// of a ``Subset`` of one) are packed from where they are; samples of other datasets are written
/// to memory of this packer first. Nothing is allocated after the packer is made, except by the
/// dataset.
public final class BatchPacker {
  /// Where the samples come from.
  public let dataset: any Dataset
  /// The most samples of a batch.
  public let capacity: Int
  /// The samples of the batch taken last.
  public private(set) var samples = 0
  /// Their classes; only the first ``samples`` elements count.
  public private(set) var labels: AlignedBuffer<Int32>
  /// Their indices, in the base of a subset.
  private var rows: AlignedBuffer<Int64>
  private let subset: Subset?
  private let base: any Dataset
  private let source: Source

  private enum Source {
    case bytes([UInt8], PixelNormalization)
    /// Row-major samples, `capacity` of them.
    case values(Tensor.Storage)
  }

  /// Creates a packer for batches of up to `capacity` samples.
  public init(_ dataset: any Dataset, capacity: Int) {
    precondition(capacity > 0, "BatchPacker: batches of \(capacity)")
    self.dataset = dataset
    self.capacity = capacity
    labels = AlignedBuffer(count: capacity)
    rows = AlignedBuffer(count: capacity)
    subset = dataset as? Subset
    base = subset?.base ?? dataset
    if let images = base as? any ByteDataset {
      let (held, needed) = (images.bytes.count, images.count * images.sampleShape.count)
      precondition(held >= needed, "BatchPacker: a dataset of \(held) bytes, expected \(needed)")
      source = .bytes(images.bytes, images.normalization)
    } else {
      source = .values(Tensor.Storage(count: capacity * dataset.sampleShape.count))
    }
  }

  // MARK: - Which samples

  /// Makes a batch of the samples with these indices.
  public func take(_ indices: Span<Int64>) {
    begin(indices.count)
    for place in indices.indices { set(place, to: Int(indices[place])) }
  }

  /// Makes a batch of consecutive samples.
  public func take(_ range: Range<Int>) {
    begin(range.count)
    for (place, sample) in range.enumerated() { set(place, to: sample) }
  }

  private func begin(_ count: Int) {
    precondition(count <= capacity, "BatchPacker: a batch of \(count), made for \(capacity)")
    samples = count
  }

  private func set(_ place: Int, to sample: Int) {
    precondition(sample >= 0 && sample < dataset.count, "sample \(sample) of \(dataset.count)")
    let row = subset?.baseIndex(of: sample) ?? sample
    let label = base.label(of: row)
    precondition(
      label >= 0 && label < base.classes, "label \(label) of sample \(row), \(base.classes) classes"
    )
    rows[place] = Int64(row)
    labels[place] = Int32(label)
  }

  // MARK: - Packing

  /// Packs the whole batch, and sets the number of samples of `input`.
  public func pack(into input: Tensor) {
    input.samples = samples
    for group in 0..<input.groups { pack(group: group, into: input) }
  }

  /// Packs one group; `input.samples` must be ``samples`` already.
  public func pack(group: Int, into input: Tensor) {
    read(group: group, for: input)
    pack(group: group, channels: 0..<input.shape.count, into: input)
  }

  /// Prepares a group for packing by ranges of channels: has a dataset that is not bytes write the
  /// group's samples. Does nothing for bytes.
  public func read(group: Int, for input: Tensor) {
    check(group, input)
    guard case .values(let storage) = source else { return }
    let size = input.shape.count
    for sample in group * input.lanes..<group * input.lanes + input.liveLanes(group: group) {
      // The rows are disjoint, so that threads may write groups of their own at the same time.
      var values = unsafe MutableSpan(
        _unsafeStart: storage.buffer.base + sample * size, count: size)
      base.write(Int(rows[sample]), into: &values)
    }
  }

  /// Packs some channels (values of a sample) of a group that ``read(group:for:)`` has prepared.
  public func pack(group: Int, channels: Range<Int>, into input: Tensor) {
    check(group, input)
    precondition(
      channels.lowerBound >= 0 && channels.upperBound <= input.shape.count,
      "pack: channels \(channels) of \(input.shape.count)")
    switch source {
    case .bytes(let bytes, let normalization):
      input.packBytes(
        bytes, rows: rows, normalization: normalization, group: group, channels: channels)
    case .values(let storage):
      input.packSamples(storage, group: group, channels: channels)
    }
  }

  private func check(_ group: Int, _ input: Tensor) {
    precondition(
      input.shape.count == dataset.sampleShape.count,
      "pack: \(dataset.sampleShape.count) values a sample into \(input.shape.count)")
    precondition(
      input.samples == samples, "pack: a batch of \(samples) into one of \(input.samples)")
    precondition(group >= 0 && group < input.groups, "pack: group \(group) of \(input.groups)")
  }
}
