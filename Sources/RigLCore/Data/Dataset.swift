/// The shape of one sample: what a layer sees of a batch apart from the number of samples.
public struct SampleShape: Hashable, Sendable, Codable {
  /// Channels of an image, features of a vector.
  public var channels: Int
  /// Rows of an image; 1 for a vector.
  public var height: Int
  /// Columns of an image; 1 for a vector.
  public var width: Int

  /// Creates a shape; without height and width, a vector's.
  public init(channels: Int, height: Int = 1, width: Int = 1) {
    self.channels = channels
    self.height = height
    self.width = width
  }

  /// Values in one sample.
  public var count: Int { channels * height * width }
}

/// Samples with labels, in memory or read on demand.
///
/// An own dataset is the first five members; what the others say of samples has defaults. `write` may
/// be called for any sample at any time and must always give the same values: shuffling and batches
/// are the loader's business.
public protocol Dataset: Sendable {
  /// The number of samples.
  var count: Int { get }
  /// The shape of every sample.
  var sampleShape: SampleShape { get }
  /// The number of classes; labels lie in `0..<classes`.
  var classes: Int { get }
  /// The class of a sample.
  func label(of sample: Int) -> Int
  /// Writes a sample's `sampleShape.count` values, channel by channel, row by row, normalised as
  /// the network should see them.
  func write(_ sample: Int, into values: inout MutableSpan<Float>)

  /// The names of the classes, by label; nil, as by default, if they have none but their numbers.
  ///
  /// Checkpoints keep them; evaluations, predictions and messages show them.
  var classNames: [String]? { get }
  /// A name of a sample that stays the same when others come or go, such as the path of a photo; nil,
  /// as by default, if samples have none but their index.
  ///
  /// Which parts of a set samples are drawn for (validation, for example) goes by it.
  func key(of sample: Int) -> String?
  /// Checksums of some samples, by what they are of; by default of labels.
  ///
  /// A checkpoint keeps them: a run does not go on with samples that have others, and says which.
  func checksums(of samples: some Sequence<Int>) -> [String: String]
}

/// What the library asks of its own datasets besides.
package protocol LibraryDataset: Dataset {
  /// The classes of consecutive samples; by default each is asked for.
  func labels(of samples: Range<Int>) -> [Int]
  /// Throws where no part of the samples can be drawn by a rule, which `setting` asks for; by default
  /// it can.
  func requireDivisible(
    by rule: Configuration.Split, for setting: String
  ) throws(RigLError)
  /// The dataset with other numbers by which its pixels become values, one for each channel or one for
  /// all; by default itself, as samples that are no pixels are.
  func normalized(by normalization: PixelNormalization) -> Self
}

extension LibraryDataset {
  package func labels(of samples: Range<Int>) -> [Int] { samples.map { label(of: $0) } }

  package func requireDivisible(
    by rule: Configuration.Split, for setting: String
  ) throws(RigLError) {}

  package func normalized(by normalization: PixelNormalization) -> Self { self }
}

/// How a batch takes the samples of a dataset that is no selection of another one's.
package enum SampleAccess: Sendable {
  /// As values that are always the same.
  case values
  /// As values that may differ from epoch to epoch, of samples that may be damaged.
  case augmented(any AugmentedDataset)
  /// As bytes that are made for the batch.
  case pixels(any PixelDataset)
  /// As bytes that are in memory.
  case bytes(any ByteDataset)

  /// Whether samples take so long that they are best made while the batch before trains.
  var isReadAhead: Bool {
    switch self {
    case .values, .bytes: false
    case .augmented(let samples): samples.isReadAhead
    case .pixels(let images): images.isReadAhead
    }
  }
}

extension Dataset {
  /// No names, unless the samples say otherwise.
  public var classNames: [String]? { nil }

  /// The label of each of the samples.
  package func labels(of samples: Range<Int>) -> [Int] {
    (self as? any LibraryDataset)?.labels(of: samples) ?? samples.map { label(of: $0) }
  }

  /// No key, unless the samples say otherwise.
  public func key(of sample: Int) -> String? { nil }

  /// The checksum of the labels alone.
  public func checksums(of samples: some Sequence<Int>) -> [String: String] {
    ["labels": labelChecksum(of: samples)]
  }

  /// The checksum of the classes of some samples.
  func labelChecksum(of samples: some Sequence<Int>) -> String {
    var labels: [UInt8] = []
    labels.reserveCapacity(4 * samples.underestimatedCount)
    for sample in samples {
      let label = UInt32(truncatingIfNeeded: label(of: sample))
      for shift in stride(from: UInt32(0), to: 32, by: 8) {
        labels.append(UInt8(truncatingIfNeeded: label >> shift))
      }
    }
    var sum = SafetensorsChecksum()
    sum.append(labels)
    return sum.digits
  }

  /// Accepts any rule, unless the samples say otherwise.
  package func requireDivisible(
    by rule: Configuration.Split, for setting: String
  ) throws(RigLError) {
    try (self as? any LibraryDataset)?.requireDivisible(by: rule, for: setting)
  }

  /// The samples as they are, unless they say otherwise.
  package func normalized(by normalization: PixelNormalization) -> any Dataset {
    (self as? any LibraryDataset)?.normalized(by: normalization) ?? self
  }

  /// The samples as a selection of another dataset's; nil if they are none.
  package var selection: Subset? { self as? Subset }

  /// How a batch takes the samples: by the protocol that the dataset conforms to. Bytes in memory need
  /// not be made, whatever else it is.
  package var access: SampleAccess {
    if let samples = self as? any ByteDataset { return .bytes(samples) }
    if let samples = self as? any PixelDataset { return .pixels(samples) }
    if let samples = self as? any AugmentedDataset { return .augmented(samples) }
    return .values
  }

  /// The dataset that the samples are taken from; itself where it is no selection.
  package var undivided: any Dataset { selection?.base ?? self }
}
