/// A dataset whose samples are bytes in memory: they are normalised on the way into a batch.
package protocol ByteDataset: LibraryDataset {
  /// The samples one after the other, `sampleShape.count` bytes each.
  var bytes: [UInt8] { get }
  /// How a byte becomes a value.
  var normalization: PixelNormalization { get }
}

extension ByteDataset {
  /// Throws `RigLError(.data)` unless there are bytes for all samples.
  func requireComplete() throws(RigLError) {
    try sampleShape.requirePositive("the samples")
    let (needed, overflow) = count.multipliedReportingOverflow(by: sampleShape.count)
    guard bytes.count >= needed, !overflow else {
      throw RigLError(
        .data, "\(count) samples in \(bytes.count) bytes, expected \(needed)",
        hint: "A sample has a byte for each of its \(sampleShape.count) values.")
    }
  }

  package func checksums(of samples: some Sequence<Int>) -> [String: String] {
    byteChecksums(of: samples)
  }

  package func write(_ sample: Int, into values: inout MutableSpan<Float>) {
    writeNormalized(sample, into: &values)
  }

  /// The checksums of labels and of bytes.
  fileprivate func byteChecksums(of samples: some Sequence<Int>) -> [String: String] {
    let (bytes, size) = (bytes, sampleShape.count)
    var sum = SafetensorsChecksum()
    for sample in samples {
      let begin = sample * size
      sum.append(unsafe bytes.span.bytes.extracting(begin..<begin + size))
    }
    return ["labels": labelChecksum(of: samples), "pixels": sum.digits]
  }

  /// Writes a sample, normalised.
  fileprivate func writeNormalized(_ sample: Int, into values: inout MutableSpan<Float>) {
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
package struct ImageSet: Dataset, ByteDataset {
  /// The shape of every image.
  package let sampleShape: SampleShape
  /// The number of classes, at most 256.
  package let classes: Int
  /// The images one after the other, channel by channel, row by row.
  package let bytes: [UInt8]
  /// Each image's class.
  package let labels: [UInt8]
  /// How a pixel becomes a value.
  package var normalization: PixelNormalization
  /// The names of the classes, by label; nil if they have none but their numbers.
  package var classNames: [String]?

  /// Creates a set; without `normalization`, with that of its own pixels.
  ///
  /// A training and its run normalise sets to validate and to test on by the training set's numbers,
  /// whatever they were given; who evaluates a set otherwise should give it those.
  ///
  /// - Throws: `RigLError(.data)` if bytes, labels, shape and normalisation do not fit together, or
  ///   a label is no class.
  package init(
    bytes: [UInt8], labels: [UInt8], sampleShape: SampleShape, classes: Int,
    normalization: PixelNormalization? = nil
  ) throws(RigLError) {
    try sampleShape.requirePositive("ImageSet")
    try ImageSet.check(labels: labels, classes: classes, "ImageSet")
    let (needed, overflow) = labels.count.multipliedReportingOverflow(by: sampleShape.count)
    guard bytes.count == needed, !overflow else {
      throw RigLError(
        .data,
        "ImageSet: \(bytes.count) bytes for \(labels.count) labels, expected \(sampleShape.count) "
          + "for each image of shape \(sampleShape.written) (channels, height, width)",
        hint: "Give the images one after the other, channel by channel, and one label for each.")
    }
    self.init(
      complete: bytes, labels: labels, sampleShape: sampleShape, classes: classes,
      normalization: normalization)
    try self.normalization.requireChannels(sampleShape.channels)
  }

  /// Creates a set of images that are known to be complete, with labels that are known to be classes.
  init(
    complete bytes: [UInt8], labels: [UInt8], sampleShape: SampleShape, classes: Int,
    normalization: PixelNormalization?
  ) {
    self.bytes = bytes
    self.labels = labels
    self.sampleShape = sampleShape
    self.classes = classes
    self.normalization = normalization ?? PixelNormalization(of: bytes)
  }

  private static func check(
    labels: [UInt8], classes: Int, _ place: String
  ) throws(RigLError) {
    guard classes > 0, classes <= 256 else {
      throw RigLError(.data, "\(place): \(classes) classes, expected 1...256")
    }
    guard let sample = labels.firstIndex(where: { $0 >= classes }) else { return }
    throw RigLError(
      .data, "\(place): label \(labels[sample]) of sample \(sample), expected 0..<\(classes)",
      hint: "Labels count from 0.")
  }

  /// The number of images.
  package var count: Int { labels.count }

  /// The class of an image.
  package func label(of sample: Int) -> Int { Int(labels[sample]) }

  /// Those of labels and of bytes.
  package func checksums(of samples: some Sequence<Int>) -> [String: String] {
    byteChecksums(of: samples)
  }

  /// Writes an image, normalised.
  package func write(_ sample: Int, into values: inout MutableSpan<Float>) {
    writeNormalized(sample, into: &values)
  }

  /// The classes of consecutive images.
  package func labels(of samples: Range<Int>) -> [Int] { labels[samples].map { Int($0) } }

  /// The same images with other numbers by which pixels become values.
  package func normalized(by normalization: PixelNormalization) -> ImageSet {
    var copy = self
    copy.normalization = normalization
    return copy
  }
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
  package init(
    imagesAt images: String, labelsAt labels: String, classes: Int? = nil,
    normalization: PixelNormalization? = nil
  ) throws(RigLError) {
    let classOf = try IDXArray(contentsOf: labels, rank: 1).bytes
    let known = classes ?? Int(classOf.max() ?? 0) + 1
    try ImageSet.check(labels: classOf, classes: known, labels)
    let pixels = try IDXArray(contentsOf: images, rank: 3)
    guard pixels.dimensions[0] == classOf.count else {
      throw RigLError(
        .data,
        "\(images): \(pixels.dimensions[0]) images, but \(classOf.count) labels in \(labels)",
        hint: "The two files do not belong together.")
    }
    let shape = SampleShape(
      channels: 1, height: pixels.dimensions[1], width: pixels.dimensions[2])
    try self.init(
      bytes: pixels.bytes, labels: classOf, sampleShape: shape, classes: known,
      normalization: normalization)
  }
}
