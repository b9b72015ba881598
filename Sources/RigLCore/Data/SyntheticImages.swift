import Foundation

/// Generated images to classify, for trying things out without a file.
///
/// An image shows three strokes of a common pool, shifted, more or less bright, under noise. Each
/// class is several combinations of three; since all classes use the same strokes, what counts is
/// which occur together, and a linear model cannot see that: with the defaults it classifies about
/// two fifths correctly, a 300-100 perceptron almost all.
///
/// Everything follows from the seed, whatever the counts: a longer set begins with the shorter
/// one's images. Training and test images are different draws from the same distribution.
package struct SyntheticImages: Hashable, Sendable {
  /// Training images.
  package var trainCount: Int
  /// Test images.
  package var testCount: Int
  /// The shape of an image.
  package var sampleShape: SampleShape
  /// The number of classes.
  package var classes: Int
  /// Combinations of strokes that a class consists of; 1 lets a linear model do well.
  package var combinations: Int
  /// The noise's standard deviation, on the scale of pixels from 0 to 255; strokes have 120...200.
  package var noise: Double
  /// The seed of all images. Not the run's seed: runs that are compared share their data.
  package var seed: UInt64

  /// Creates a description of the data; nothing is generated yet.
  package init(
    trainCount: Int = 60_000, testCount: Int = 10_000,
    sampleShape: SampleShape = SampleShape(channels: 1, height: 28, width: 28), classes: Int = 10,
    combinations: Int = 4, noise: Double = 80, seed: UInt64 = 1
  ) {
    self.trainCount = trainCount
    self.testCount = testCount
    self.sampleShape = sampleShape
    self.classes = classes
    self.combinations = combinations
    self.noise = noise
    self.seed = seed
  }

  /// Images of three channels; fewer of them where they are large, so that both sets take no more
  /// memory than 300 MB.
  package static func color(side: Int = 32) -> SyntheticImages {
    let shape = SampleShape(channels: 3, height: side, width: side)
    return SyntheticImages(
      trainCount: max(500, min(60_000, 250_000_000 / shape.count)),
      testCount: max(100, min(10_000, 50_000_000 / shape.count)), sampleShape: shape)
  }

  /// Generates both sets; the test set is normalised as the training set is.
  package func load() -> (train: ImageSet, test: ImageSet) {
    trap(unless: trainCount > 0 && testCount > 0, "SyntheticImages: \(trainCount), \(testCount)")
    trap(unless: classes >= 2 && classes <= 256, "SyntheticImages: \(classes) classes")
    trap(unless: combinations > 0, "SyntheticImages: \(combinations) combinations")
    trap(
      unless: sampleShape.channels > 0 && sampleShape.height >= 4 && sampleShape.width >= 4,
      "SyntheticImages: shape \(sampleShape), expected 4 × 4 or more")
    trap(unless: (0...255).contains(noise), "SyntheticImages: noise \(noise), expected 0...255")
    let patterns = patterns()
    let train = generate(trainCount, of: patterns, layer: 1, normalization: nil)
    let test = generate(testCount, of: patterns, layer: 2, normalization: train.normalization)
    return (train, test)
  }

  // MARK: - Samples

  /// How far an image is shifted at most, up and down.
  private var verticalShift: Int { sampleShape.height / 14 }
  /// How far an image is shifted at most, left and right.
  private var horizontalShift: Int { sampleShape.width / 14 }

  /// Generates both sets.
  ///
  /// - Throws: `RigLError(.memory)`.
  fileprivate func loadIfThereIsMemory() throws(RigLError) -> (train: ImageSet, test: ImageSet) {
    try requireMemory()
    return load()
  }

  /// Throws where there is no memory for the images, before the Swift runtime ends the process.
  func requireMemory() throws(RigLError) {
    let images = trainCount.addingReportingOverflow(testCount)
    let bytes = images.partialValue.multipliedReportingOverflow(by: sampleShape.count + 1)
    try requireAllocation(
      bytes: images.overflow || bytes.overflow ? Int.max / 2 : bytes.partialValue,
      for: "the generated images")
  }

  private func generate(
    _ count: Int, of patterns: [[Int32]], layer: Int, normalization: PixelNormalization?
  ) -> ImageSet {
    let size = sampleShape.count
    // The sum of four bytes is nearly normal, and the same on every machine.
    let deviation = (4 * (256.0 * 256 - 1) / 12).squareRoot()
    let noiseScale = Int32((noise / deviation * 256).rounded())
    var pixels = [UInt8](repeating: 0, count: count * size)
    var labels = [UInt8](repeating: 0, count: count)
    var clean = [Int32](repeating: 0, count: (size + 3) / 4 * 4)
    for sample in 0..<count {
      let random = CounterRandom(
        seed: seed, purpose: .synthetic, layer: layer, stream: UInt64(sample))
      let chosen = Int(random.integer(0, below: UInt64(patterns.count)))
      labels[sample] = UInt8(chosen % classes)
      place(patterns[chosen], random, into: &clean)
      for block in 0..<(size + 3) / 4 {
        // Blocks 0...3 are draws of other kinds.
        let words = random.block(UInt64(block + 4))
        let pairs = (words & 0x00FF_00FF) &+ (words &>> 8 & 0x00FF_00FF)
        let sums = SIMD4<Int32>(truncatingIfNeeded: (pairs & 0xFFFF) &+ pairs &>> 16)
        let noise = ((sums &- 510) &* noiseScale) &>> 8
        for lane in 0..<min(4, size - 4 * block) {
          let value = clean[4 * block + lane] + noise[lane]
          pixels[sample * size + 4 * block + lane] = UInt8(clamping: value)
        }
      }
    }
    return ImageSet(
      complete: pixels, labels: labels, sampleShape: sampleShape, classes: classes,
      normalization: normalization)
  }

  /// Writes a pattern's window, shifted and dimmed at random.
  private func place(_ pattern: [Int32], _ random: CounterRandom, into clean: inout [Int32]) {
    let (height, width) = (sampleShape.height, sampleShape.width)
    let (rows, columns) = (height + 2 * verticalShift, width + 2 * horizontalShift)
    let top = Int(random.integer(1, below: UInt64(2 * verticalShift + 1)))
    let left = Int(random.integer(2, below: UInt64(2 * horizontalShift + 1)))
    let brightness = Int32(154 + random.integer(3, below: 103))  // of 256
    var target = 0
    for channel in 0..<sampleShape.channels {
      for row in 0..<height {
        let source = (channel * rows + top + row) * columns + left
        for column in 0..<width {
          clean[target] = (pattern[source + column] * brightness) >> 8
          target += 1
        }
      }
    }
  }

  // MARK: - Patterns

  /// The combinations of all classes, pattern i belonging to class i % classes; with room for
  /// shifts around.
  private func patterns() -> [[Int32]] {
    var draws = CounterRandom(seed: seed, purpose: .synthetic).sequence()
    let wanted = classes * combinations
    var poolSize = 14
    // Few of the possible combinations occur, so that no pair of strokes gives the class away.
    while poolSize * (poolSize - 1) * (poolSize - 2) / 6 < 8 * wanted { poolSize += 1 }
    let strokes = (0..<poolSize).map { _ in stroke(&draws) }

    var triples: [(Int, Int, Int)] = []
    for first in 0..<poolSize {
      for second in 0..<first {
        for third in 0..<second { triples.append((first, second, third)) }
      }
    }
    for index in 0..<wanted {
      triples.swapAt(index, index + Int(draws.integer(below: UInt64(triples.count - index))))
    }
    return triples.prefix(wanted).map { triple in
      strokes[triple.0].indices.map { index in
        max(strokes[triple.0][index], strokes[triple.1][index], strokes[triple.2][index])
      }
    }
  }

  /// A curve drawn with a soft pen, in a random colour where there are channels.
  private func stroke(_ draws: inout CounterSequence) -> [Int32] {
    func number(_ low: Double, _ high: Double) -> Double {
      low + (high - low) * Double(draws.nextWord32()) * 0x1p-32
    }
    let (height, width) = (Double(sampleShape.height), Double(sampleShape.width))
    let points = (0..<3).map { _ in
      (
        y: number(height / 7, height * 6 / 7 - 1) + Double(verticalShift),
        x: number(width / 7, width * 6 / 7 - 1) + Double(horizontalShift)
      )
    }
    let colours = (0..<sampleShape.channels).map { _ in
      sampleShape.channels == 1 ? 200 : number(50, 200)
    }
    let curve = (0..<24).map { index in  // a quadratic Bézier curve
      let t = Double(index) / 23
      let (a, b, c) = ((1 - t) * (1 - t), 2 * t * (1 - t), t * t)
      return (
        y: a * points[0].y + b * points[1].y + c * points[2].y,
        x: a * points[0].x + b * points[1].x + c * points[2].x
      )
    }
    let pen = 1.3 * min(height, width) / 28
    var plane: [Double] = []
    for y in 0..<(sampleShape.height + 2 * verticalShift) {
      for x in 0..<(sampleShape.width + 2 * horizontalShift) {
        var nearest = Double.infinity
        for point in curve {
          let (dy, dx) = (Double(y) - point.y, Double(x) - point.x)
          nearest = min(nearest, dy * dy + dx * dx)
        }
        plane.append(exp(-nearest / (2 * pen * pen)))
      }
    }
    return colours.flatMap { colour in plane.map { Int32((colour * $0).rounded()) } }
  }
}

// MARK: - Formats

extension DatasetFormat {
  static let synthetic = generated("synthetic") { _ in SyntheticImages() }

  static let syntheticColor: DatasetFormat = {
    var format = generated("synthetic-color") { .color(side: $0.imageSize ?? 32) }
    format.takesImageSize = true
    return format
  }()

  private static func generated(
    _ name: String, _ images: @escaping @Sendable (Configuration) -> SyntheticImages
  ) -> DatasetFormat {
    /// Generated only as far as they are asked for: each is a draw of its own, and a longer set begins
    /// with the shorter one's.
    @Sendable func asked(_ configuration: Configuration) -> SyntheticImages {
      var images = images(configuration)
      images.trainCount = min(configuration.trainSamples ?? .max, images.trainCount)
      images.testCount = min(configuration.testSamples ?? .max, images.testCount)
      return images
    }
    var format = DatasetFormat(
      name,
      images: { (request) throws(RigLError) in
        try asked(request.configuration).loadIfThereIsMemory()
      },
      testImages: { (request) throws(RigLError) in
        var images = asked(request.configuration)
        images.trainCount = 1
        return try images.loadIfThereIsMemory().test
      })
    format.sampleShape = { images($0).sampleShape }
    return format
  }
}
