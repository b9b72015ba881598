/// How bytes become what a network sees: (byte / 255 - mean) / deviation, by channel or for all alike.
public struct PixelNormalization: Hashable, Sendable, Codable {
  /// The mean pixel of each channel, on a scale from 0 to 1; a single one counts for all channels.
  public let means: [Double]
  /// The standard deviation of each channel's pixels on that scale, as many as ``means``.
  public let deviations: [Double]

  /// Creates a normalisation that treats all channels alike.
  package init(mean: Double, deviation: Double) {
    self.init(means: [mean], deviations: [deviation])
  }

  /// Creates a normalisation from known numbers, one for each channel.
  package init(means: [Double], deviations: [Double]) {
    trap(
      unless: !means.isEmpty && means.count == deviations.count,
      "PixelNormalization: \(means.count) means, \(deviations.count) deviations")
    trap(
      unless: (means + deviations).allSatisfy(\.isFinite) && deviations.allSatisfy { $0 > 0 },
      "PixelNormalization: means \(means), deviations \(deviations), which must be positive")
    self.means = means
    self.deviations = deviations
  }

  /// The mean and deviation of given pixels, all channels together; deviation 1 if all are equal.
  package init(of pixels: [UInt8]) {
    // Counted first: a sum over 256 values rounds less than one over millions.
    var counts = [Int](repeating: 0, count: 256)
    for pixel in pixels { counts[Int(pixel)] += 1 }
    let total = Double(max(pixels.count, 1))
    var sum = 0.0
    for (value, count) in counts.enumerated() { sum += Double(value) / 255 * Double(count) }
    let mean = sum / total
    var squares = 0.0
    for (value, count) in counts.enumerated() {
      let distance = Double(value) / 255 - mean
      squares += distance * distance * Double(count)
    }
    means = [mean]
    deviations = [counts.count { $0 > 0 } > 1 ? (squares / total).squareRoot() : 1]
  }

  /// The factor of a channel's bytes, 1 / (255 σ): value = scale · byte + ``shift(of:)``.
  package func scale(of channel: Int = 0) -> Float {
    Float(1 / (255 * deviations[deviations.count == 1 ? 0 : channel]))
  }

  /// The addend of a channel's values, −μ / σ.
  package func shift(of channel: Int = 0) -> Float {
    let place = means.count == 1 ? 0 : channel
    return Float(-means[place] / deviations[place])
  }

  /// As metadata of files: means, then deviations.
  var written: String { (means + deviations).map { "\($0)" }.joined(separator: ",") }

  /// Throws unless there are numbers for so many channels.
  func requireChannels(_ channels: Int) throws(RigLError) {
    guard means.count == 1 || means.count == channels else {
      throw RigLError(
        .data, "a normalization of \(means.count) channels, but the images have \(channels)",
        hint: "Give one mean and deviation, or one for each channel.")
    }
  }
}

// MARK: - Published numbers

extension PixelNormalization {
  /// The usual numbers for Fashion-MNIST: its training set's mean and deviation, to four digits.
  package static let fashionMNIST = PixelNormalization(mean: 0.2860, deviation: 0.3530)

  /// CIFAR-10's training set, red, green and blue, over all 50 000 · 32² pixels, to four digits.
  ///
  /// (The smaller deviations .2023, .1994, .2010, which are often seen, are means over images of
  /// each image's own deviation.)
  package static let cifar10 = PixelNormalization(
    means: [0.4914, 0.4822, 0.4465], deviations: [0.2470, 0.2435, 0.2616])

  /// CIFAR-100's training set, over all pixels, to four digits.
  package static let cifar100 = PixelNormalization(
    means: [0.5071, 0.4865, 0.4409], deviations: [0.2673, 0.2564, 0.2762])

  /// ImageNet's, as torchvision's models take it.
  package static let imageNet = PixelNormalization(
    means: [0.485, 0.456, 0.406], deviations: [0.229, 0.224, 0.225])
}

// MARK: - One image's own

/// How the bytes of one image become values of mean 0 and deviation 1.
package struct ImageStandardization: Hashable, Sendable {
  /// The factor of a byte, 1 / max(deviation, 1 / √n): value = scale · byte + ``shift``.
  package let scale: Float
  /// The addend of a value, −mean · ``scale``.
  package let shift: Float

  /// (x - mean) / max(deviation, 1 / √n), x being the image's n bytes, as they are (0 to 255), and
  /// so many black ones more.
  package init(of pixels: Span<UInt8>, blackPixels: Int = 0) {
    // Whole numbers: no order of summation, no rounding.
    var (sum, squares) = (0, 0)
    for index in pixels.indices {
      let pixel = Int(pixels[index])
      sum += pixel
      squares += pixel * pixel
    }
    self.init(
      count: pixels.count + blackPixels, sum: Double(sum), squares: Double(squares))
  }

  /// The same of pixels that need not be whole numbers.
  init(of pixels: [Float]) {
    self.init(
      count: pixels.count, sum: pixels.reduce(0) { $0 + Double($1) },
      squares: pixels.reduce(0) { $0 + Double($1) * Double($1) })
  }

  private init(count: Int, sum: Double, squares: Double) {
    let count = Double(max(count, 1))
    let mean = sum / count
    let variance = max(0, squares / count - mean * mean)
    let deviation = max(variance.squareRoot(), 1 / count.squareRoot())
    scale = Float(1 / deviation)
    shift = Float(-mean / deviation)
  }
}
