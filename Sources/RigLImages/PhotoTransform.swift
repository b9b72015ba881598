import Foundation
import RigLCore

/// The part of a picture that a square is made of, in the picture's pixels.
package struct PhotoCrop: Hashable, Sendable {
  /// Where it begins, from the left; not always a whole pixel.
  package var left: Double
  /// Where it begins, from above.
  package var top: Double
  /// How wide it is.
  package var width: Double
  /// How high it is.
  package var height: Double
  /// Whether pixels next to it are cut off before it is resampled, and not looked at.
  package var hidesRest: Bool
  /// Whether the result is mirrored left to right.
  package var isMirrored: Bool

  /// By what a picture may be divided while it is decoded: the largest of 1, 2, 4 and 8 for which
  /// the crop still has a pixel for each of the result.
  func reduction(side: Int) -> Int {
    for reduction in [8, 4, 2] {
      let least = Double(side * reduction)
      if width >= least && height >= least { return reduction }
    }
    return 1
  }
}

/// How photos of any size become squares of one, as torchvision's transforms do it.
///
/// In training, a random resized crop: a part of a random share of the area, of a random ratio of
/// width to height, at a random place, resampled to the square, half of them mirrored. Otherwise
/// the picture is resized until its shorter side has ``resizedSide`` pixels, and the middle is cut
/// out. Both resample bilinearly, against aliasing.
package struct PhotoTransform: Hashable, Sendable {
  /// The side of the square.
  package var side: Int
  /// Whether crops are random.
  package var isRandom: Bool
  /// The shares of the area that a random crop may have.
  package var scale = 0.08...1.0
  /// The ratios of width to height that it may have.
  package var ratio = 3.0 / 4...4.0 / 3
  /// The shorter side before the middle is cut out; 256 for 224.
  package var resizedSide: Int

  /// How many random crops are tried before the middle is taken.
  private static let tries = 10

  /// A transform to squares of `side` pixels.
  package init(side: Int = 224, isRandom: Bool) {
    trap(unless: side > 0, "PhotoTransform: side \(side)")
    self.side = side
    self.isRandom = isRandom
    resizedSide = (side * 256 + 112) / 224
  }

  /// The transform for evaluation: the middle of the picture.
  package var withoutChance: PhotoTransform {
    var transform = self
    transform.isRandom = false
    return transform
  }

  /// The part of a picture of `width` × `height` pixels that a sample shows.
  ///
  /// Draws 4 i to 4 i + 3 are those of the i-th try (area, ratio, from above, from the left), draw
  /// 63 says whether the result is mirrored.
  package func crop(width: Int, height: Int, draws: SampleDraws) -> PhotoCrop {
    isRandom
      ? randomCrop(width, height, draws) : centreCrop(Double(width), Double(height))
  }

  private func randomCrop(_ width: Int, _ height: Int, _ draws: SampleDraws) -> PhotoCrop {
    let area = Double(width) * Double(height)
    let (lowest, highest) = (log(ratio.lowerBound), log(ratio.upperBound))
    let isMirrored = draws.integer(63, below: 2) == 1
    for number in 0..<PhotoTransform.tries {
      let share =
        scale.lowerBound
        + draws.uniform(4 * number) * (scale.upperBound - scale.lowerBound)
      let shape = exp(lowest + draws.uniform(4 * number + 1) * (highest - lowest))
      let columns = Int((area * share * shape).squareRoot().rounded(.toNearestOrEven))
      let rows = Int((area * share / shape).squareRoot().rounded(.toNearestOrEven))
      guard columns > 0, rows > 0, columns <= width, rows <= height else { continue }
      let top = draws.integer(4 * number + 2, below: height - rows + 1)
      let left = draws.integer(4 * number + 3, below: width - columns + 1)
      return PhotoCrop(
        left: Double(left), top: Double(top), width: Double(columns), height: Double(rows),
        hidesRest: true, isMirrored: isMirrored)
    }
    // The middle, as much of it as the ratios allow.
    var (columns, rows) = (width, height)
    let shape = Double(width) / Double(height)
    if shape < ratio.lowerBound {
      rows = Int((Double(width) / ratio.lowerBound).rounded(.toNearestOrEven))
    } else if shape > ratio.upperBound {
      columns = Int((Double(height) * ratio.upperBound).rounded(.toNearestOrEven))
    }
    columns = min(max(columns, 1), width)
    rows = min(max(rows, 1), height)
    return PhotoCrop(
      left: Double((width - columns) / 2), top: Double((height - rows) / 2),
      width: Double(columns), height: Double(rows), hidesRest: true, isMirrored: isMirrored)
  }

  private func centreCrop(_ width: Double, _ height: Double) -> PhotoCrop {
    // The sizes after resizing are whole: the longer side is rounded down.
    let short = Double(max(resizedSide, side))
    let resized =
      width <= height
      ? (width: short, height: (short * height / width).rounded(.down))
      : (width: (short * width / height).rounded(.down), height: short)
    let left = ((resized.width - Double(side)) / 2).rounded(.toNearestOrEven)
    let top = ((resized.height - Double(side)) / 2).rounded(.toNearestOrEven)
    let (across, down) = (width / resized.width, height / resized.height)
    return PhotoCrop(
      left: left * across, top: top * down, width: Double(side) * across,
      height: Double(side) * down, hidesRest: false, isMirrored: false)
  }
}
