/// What is done to small images that are in memory: padding, and in training a random crop and a
/// mirror image.
public struct SmallImageTransform: Hashable, Sendable, Codable {
  /// The side of the square that images are put in the middle of, on black; nil: as they are.
  public var padTo: Int?
  /// Black pixels on each side that a random crop of the image's size may take in; 0: no crop.
  public var cropPadding = 0
  /// Whether every other image, at random, is mirrored left to right.
  public var flips = false
  /// Whether each image is then brought to mean 0 and deviation 1 by its own pixels.
  public var standardizes = false

  /// A transform that changes nothing unless told to.
  public init(
    padTo: Int? = nil, cropPadding: Int = 0, flips: Bool = false, standardizes: Bool = false
  ) {
    self.padTo = padTo
    self.cropPadding = cropPadding
    self.flips = flips
    self.standardizes = standardizes
  }

  /// Whether it changes nothing.
  public var isIdentity: Bool { self == SmallImageTransform() }

  /// The same without what is drawn at random: for validation and test samples.
  public var withoutChance: SmallImageTransform {
    SmallImageTransform(padTo: padTo, standardizes: standardizes)
  }
}

/// Images in memory, transformed on their way into a batch.
///
/// Black is byte 0: padding comes before normalisation, and counts as part of the image where that
/// is standardised. Of each sample's draws the first says how far the crop lies down, the second
/// how far to the right, the third whether it is mirrored.
public struct TransformedImages: PixelDataset {
  /// The images as they are.
  public private(set) var base: any ByteDataset
  /// What is done to them.
  public let transform: SmallImageTransform
  /// The shape of an image after that.
  public let sampleShape: SampleShape

  private let bytes: [UInt8]
  private let source: SampleShape

  /// Images with a transform.
  ///
  /// - Throws: `configuration` if they are to be padded to less than they are.
  public init(_ base: any ByteDataset, _ transform: SmallImageTransform) throws(RigLError) {
    let shape = base.sampleShape
    precondition(
      base.bytes.count >= base.count * shape.count,
      "TransformedImages: \(base.bytes.count) bytes of \(base.count) images of \(shape.count)")
    precondition(
      transform.cropPadding >= 0, "TransformedImages: padding \(transform.cropPadding)")
    if let side = transform.padTo, side < max(shape.height, shape.width) {
      throw RigLError(
        .configuration,
        "pad_to: images of \(shape.height) × \(shape.width) cannot be padded to \(side)")
    }
    self.base = base
    self.transform = transform
    bytes = base.bytes
    source = shape
    sampleShape = SampleShape(
      channels: shape.channels, height: transform.padTo ?? shape.height,
      width: transform.padTo ?? shape.width)
  }

  /// The same with other numbers by which pixels become values.
  func normalized(by normalization: PixelNormalization) -> TransformedImages {
    var copy = self
    if let base = base.normalized(by: normalization) as? any ByteDataset { copy.base = base }
    return copy
  }

  /// The number of images.
  public var count: Int { base.count }
  /// The number of classes.
  public var classes: Int { base.classes }
  /// The class of an image.
  public func label(of sample: Int) -> Int { base.label(of: sample) }
  /// How a byte becomes a value.
  public var normalization: PixelNormalization { base.normalization }
  /// Whether each image is brought to mean 0 and deviation 1.
  public var standardizesImages: Bool { transform.standardizes }
  /// Copying a small image takes less time than handing it over.
  public var isReadAhead: Bool { false }

  /// Writes an image's bytes.
  public func writePixels(
    _ sample: Int, in context: SampleContext, with scratch: AnyObject?,
    into pixels: inout MutableSpan<UInt8>
  ) throws(RigLError) {
    precondition(sample >= 0 && sample < count, "sample \(sample) of \(count)")
    precondition(
      pixels.count >= sampleShape.count,
      "writePixels: room for \(pixels.count) of \(sampleShape.count) bytes")
    let draws = context.draws(for: sample)
    let padding = transform.cropPadding
    var top = (sampleShape.height - source.height) / 2
    var left = (sampleShape.width - source.width) / 2
    if padding > 0 {
      top += padding - draws.integer(0, below: 2 * padding + 1)
      left += padding - draws.integer(1, below: 2 * padding + 1)
    }
    let isMirrored = transform.flips && draws.integer(2, below: 2) == 1
    place(sample, top: top, left: left, isMirrored: isMirrored, into: &pixels)
  }

  /// Writes an image whose first pixel lies at a place of the result, perhaps outside of it.
  private func place(
    _ sample: Int, top: Int, left: Int, isMirrored: Bool, into pixels: inout MutableSpan<UInt8>
  ) {
    let (height, width) = (sampleShape.height, sampleShape.width)
    let begin = min(max(left, 0), width)
    let end = min(max(left + source.width, begin), width)
    let bytes = bytes.span
    var target = 0
    for channel in 0..<source.channels {
      for y in 0..<height {
        guard y >= top, y < top + source.height else {
          for x in 0..<width { pixels[target + x] = 0 }
          target += width
          continue
        }
        let row =
          sample * source.count + (channel * source.height + y - top) * source.width - left
        for x in 0..<begin { pixels[target + (isMirrored ? width - 1 - x : x)] = 0 }
        if isMirrored {
          for x in begin..<end { pixels[target + width - 1 - x] = bytes[row + x] }
        } else {
          for x in begin..<end { pixels[target + x] = bytes[row + x] }
        }
        for x in end..<width { pixels[target + (isMirrored ? width - 1 - x : x)] = 0 }
        target += width
      }
    }
  }
}
