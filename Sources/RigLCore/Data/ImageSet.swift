/// A dataset whose samples are bytes in memory: they are normalised on the way into a batch.
public protocol ByteDataset: Dataset {
  /// The samples one after the other, `sampleShape.count` bytes each.
  var bytes: [UInt8] { get }
  /// How a byte becomes a value.
  var normalization: PixelNormalization { get }
}

extension ByteDataset {
  /// Writes a sample, normalised.
  public func write(_ sample: Int, into values: inout MutableSpan<Float>) {
    let (count, plane) = (sampleShape.count, sampleShape.height * sampleShape.width)
    trap(unless: values.count >= count, "write: room for \(values.count) of \(count) values")
    let (bytes, normalization) = (bytes, normalization)
    for channel in 0..<sampleShape.channels {
      let (scale, shift) = (normalization.scale(of: channel), normalization.shift(of: channel))
      for index in channel * plane..<(channel + 1) * plane {
        values[index] = scale * Float(bytes[sample * count + index]) + shift
      }
    }
  }
}

/// Images of one size with their classes, in memory as bytes.
public struct ImageSet: ByteDataset {
  /// The shape of every image.
  public let sampleShape: SampleShape
  /// The number of classes, at most 256.
  public let classes: Int
  /// The images one after the other, channel by channel, row by row.
  public let bytes: [UInt8]
  /// Each image's class.
  public let labels: [UInt8]
  /// How a pixel becomes a value.
  public var normalization: PixelNormalization
  /// The names of the classes, by label; nil if they have none but their numbers.
  public var classNames: [String]?

  /// Creates a set; without `normalization`, with that of its own pixels.
  ///
  /// A test set should be given its training set's.
  public init(
    bytes: [UInt8], labels: [UInt8], sampleShape: SampleShape, classes: Int,
    normalization: PixelNormalization? = nil
  ) {
    trap(
      unless: bytes.count == labels.count * sampleShape.count,
      "ImageSet: \(bytes.count) bytes for \(labels.count) images of \(sampleShape.count)")
    trap(unless: classes > 0 && classes <= 256, "ImageSet: \(classes) classes, expected 1...256")
    if let largest = labels.max() {
      trap(unless: largest < classes, "ImageSet: a label \(largest) of \(classes) classes")
    }
    self.bytes = bytes
    self.labels = labels
    self.sampleShape = sampleShape
    self.classes = classes
    self.normalization = normalization ?? PixelNormalization(of: bytes)
    self.normalization.requireChannels(sampleShape.channels)
  }

  /// The number of images.
  public var count: Int { labels.count }

  /// The class of an image.
  public func label(of sample: Int) -> Int { Int(labels[sample]) }
}

extension ImageSet {
  /// Reads images and labels from two IDX files.
  ///
  /// - Parameters:
  ///   - images: an IDX file of (count, height, width) bytes, plain or gzip.
  ///   - labels: an IDX file of (count) bytes.
  ///   - classes: the number of classes; nil takes the largest label plus 1.
  ///   - normalization: nil computes that of these images.
  /// - Throws: `missingFile` or `data`.
  public init(
    imagesAt images: String, labelsAt labels: String, classes: Int? = nil,
    normalization: PixelNormalization? = nil
  ) throws(RigLError) {
    let classOf = try IDXArray(contentsOf: labels, rank: 1).bytes
    let known = classes ?? Int(classOf.max() ?? 0) + 1
    trap(unless: known > 0 && known <= 256, "ImageSet: \(known) classes, expected 1...256")
    if let sample = classOf.firstIndex(where: { $0 >= known }) {
      throw RigLError(
        .data, "\(labels): label \(classOf[sample]) of sample \(sample), expected 0..<\(known)")
    }
    let pixels = try IDXArray(contentsOf: images, rank: 3)
    guard pixels.dimensions[0] == classOf.count else {
      throw RigLError(
        .data,
        "\(images): \(pixels.dimensions[0]) images, but \(classOf.count) labels in \(labels)",
        hint: "The two files do not belong together.")
    }
    let shape = SampleShape(
      channels: 1, height: pixels.dimensions[1], width: pixels.dimensions[2])
    self.init(
      bytes: pixels.bytes, labels: classOf, sampleShape: shape, classes: known,
      normalization: normalization)
  }
}
