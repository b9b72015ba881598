/// The pixels around an image where a random crop reaches beyond it.
public enum CropPaddingMode: String, Codable, CaseIterable, Sendable {
  /// Black pixels.
  case constant
  /// The image mirrored at its border pixels, which are not repeated: … 2 1 0 1 2 …
  case reflect
}

/// What is done to small images that are in memory: padding, and in training a random crop and a
/// mirror image.
package struct SmallImageTransform: Hashable, Sendable {
  /// The side of the square that images are put in the middle of, on black; nil: as they are.
  package var padTo: Int?
  /// Pixels on each side that a random crop of the image's size may take in; 0: no crop.
  package var cropPadding = 0
  /// The pixels that a padded crop may take in around the image.
  package var cropPaddingMode = CropPaddingMode.constant
  /// Whether every other image, at random, is mirrored left to right.
  package var flips = false
  /// Whether each image is then brought to mean 0 and deviation 1 by its own pixels.
  package var standardizes = false

  /// A transform that changes nothing unless told to.
  package init(
    padTo: Int? = nil, cropPadding: Int = 0, cropPaddingMode: CropPaddingMode = .constant,
    flips: Bool = false, standardizes: Bool = false
  ) {
    self.padTo = padTo
    self.cropPadding = cropPadding
    self.cropPaddingMode = cropPaddingMode
    self.flips = flips
    self.standardizes = standardizes
  }

  /// Whether the transform changes nothing.
  package var isIdentity: Bool { self == SmallImageTransform() }

  /// The transform without random parts: for validation and test samples.
  package var withoutChance: SmallImageTransform {
    SmallImageTransform(padTo: padTo, standardizes: standardizes)
  }
}

/// Images in memory, transformed on their way into a batch.
///
/// Black is byte 0: padding comes before normalisation, and counts as part of the image where that
/// is standardised. A mirrored border does not: mean and deviation are those of the whole image, as
/// if it were standardised before it is mirrored and cropped.
///
/// Of each sample's draws the first says how far the crop lies down, the second how far to the right,
/// the third whether it is mirrored.
package struct TransformedImages: PixelDataset, LibraryDataset {
  /// The images as they are.
  package private(set) var base: any ByteDataset
  /// The transform of each image.
  package let transform: SmallImageTransform
  /// The shape of an image after that.
  package let sampleShape: SampleShape

  private let bytes: [UInt8]
  private let source: SampleShape

  /// Images with a transform.
  ///
  /// - Throws: `configuration` if they are to be padded to less than they are, or mirrored further
  ///   than they reach; `data` if there are fewer bytes than images have.
  package init(_ base: any ByteDataset, _ transform: SmallImageTransform) throws(RigLError) {
    let shape = base.sampleShape
    try base.requireComplete()
    guard transform.cropPadding >= 0 else {
      throw RigLError(
        .configuration, "crop_padding: \(transform.cropPadding), which must not be negative")
    }
    if let side = transform.padTo, side < max(shape.height, shape.width) {
      throw RigLError(
        .configuration,
        "pad_to: images of \(shape.height) × \(shape.width) cannot be padded to \(side)")
    }
    let side = transform.padTo ?? min(shape.height, shape.width)
    if transform.cropPaddingMode == .reflect, transform.cropPadding >= side {
      throw RigLError(
        .configuration,
        "crop_padding: images of \(transform.padTo ?? shape.height) × "
          + "\(transform.padTo ?? shape.width) cannot be mirrored \(transform.cropPadding) pixels far",
        hint: "At most \(side - 1) pixels, or crop_padding_mode constant.")
    }
    self.base = base
    self.transform = transform
    bytes = base.bytes
    source = shape
    sampleShape = SampleShape(
      channels: shape.channels, height: transform.padTo ?? shape.height,
      width: transform.padTo ?? shape.width)
  }

  /// The images with other numbers by which pixels become values.
  package func normalized(by normalization: PixelNormalization) -> TransformedImages {
    var copy = self
    copy.base = base.normalized(by: normalization)
    return copy
  }

  /// The number of images.
  package var count: Int { base.count }
  /// The number of classes.
  package var classes: Int { base.classes }
  /// The class of an image.
  package func label(of sample: Int) -> Int { base.label(of: sample) }
  /// The names of the images' classes.
  package var classNames: [String]? { base.classNames }
  /// The classes of consecutive images.
  package func labels(of samples: Range<Int>) -> [Int] { base.labels(of: samples) }
  /// The name of the image as it is.
  package func key(of sample: Int) -> String? { base.key(of: sample) }
  /// Those of the images as they are: what is done to them, settings say.
  package func checksums(of samples: some Sequence<Int>) -> [String: String] {
    base.checksums(of: samples)
  }
  /// Throws where the images as they are do.
  package func requireDivisible(
    by rule: Configuration.Split, for setting: String
  ) throws(RigLError) {
    try base.requireDivisible(by: rule, for: setting)
  }
  /// How a byte becomes a value.
  package var normalization: PixelNormalization { base.normalization }
  /// Whether each image is brought to mean 0 and deviation 1.
  package var standardizesImages: Bool { transform.standardizes }

  /// By the pixels that were written; with a mirrored border by those of the whole image.
  package func standardization(
    of sample: Int, written pixels: Span<UInt8>
  ) -> ImageStandardization {
    guard transform.cropPadding > 0, transform.cropPaddingMode == .reflect else {
      return ImageStandardization(of: pixels)
    }
    let image = bytes.span.extracting(sample * source.count..<(sample + 1) * source.count)
    return ImageStandardization(of: image, blackPixels: sampleShape.count - source.count)
  }

  /// Copying a small image takes less time than handing it over.
  package var isReadAhead: Bool { false }

  /// Writes an image's bytes.
  package func writePixels(
    _ sample: Int, in context: SampleContext, with scratch: AnyObject?,
    into pixels: inout MutableSpan<UInt8>
  ) throws(RigLError) {
    trap(unless: sample >= 0 && sample < count, "sample \(sample) of \(count)")
    trap(
      unless: pixels.count >= sampleShape.count,
      "writePixels: room for \(pixels.count) of \(sampleShape.count) bytes")
    let draws = context.draws(for: sample)
    let padding = transform.cropPadding
    // How far the crop's corner lies from the image's.
    let down = padding == 0 ? 0 : draws.integer(0, below: 2 * padding + 1) - padding
    let right = padding == 0 ? 0 : draws.integer(1, below: 2 * padding + 1) - padding
    let isMirrored = transform.flips && draws.integer(2, below: 2) == 1
    let top = (sampleShape.height - source.height) / 2
    let left = (sampleShape.width - source.width) / 2
    if transform.cropPaddingMode == .reflect && padding > 0 {
      reflect(
        sample, top: top, left: left, down: down, right: right, isMirrored: isMirrored,
        into: &pixels)
    } else {
      place(
        sample, top: top - down, left: left - right, isMirrored: isMirrored, into: &pixels)
    }
  }

  /// Writes a crop, `down` and `right` of the image, that takes in the mirrored image around it; the
  /// source lies in the image at `top` and `left`, on black.
  private func reflect(
    _ sample: Int, top: Int, left: Int, down: Int, right: Int, isMirrored: Bool,
    into pixels: inout MutableSpan<UInt8>
  ) {
    /// The index within `0..<side` that a mirrored one shows.
    func reflected(_ index: Int, _ side: Int) -> Int {
      index < 0 ? -index : index < side ? index : 2 * (side - 1) - index
    }
    let (height, width) = (sampleShape.height, sampleShape.width)
    let bytes = bytes.span
    var target = 0
    for channel in 0..<source.channels {
      for y in 0..<height {
        let sourceY = reflected(y + down, height) - top
        let row = sample * source.count + (channel * source.height + sourceY) * source.width
        let isOutside = sourceY < 0 || sourceY >= source.height
        for x in 0..<width {
          let sourceX = reflected(x + right, width) - left
          let isBlack = isOutside || sourceX < 0 || sourceX >= source.width
          pixels[target + (isMirrored ? width - 1 - x : x)] = isBlack ? 0 : bytes[row + sourceX]
        }
        target += width
      }
    }
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
