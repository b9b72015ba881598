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
/// An own dataset is these five members. `write` may be called for any sample at any time and must
/// always give the same values: shuffling and batches are the loader's business.
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
}
