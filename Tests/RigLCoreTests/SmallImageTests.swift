import RigLCore
import Testing

/// Padding, crops, mirroring, standardisation and layouts against the plainest code there is.
@Suite struct SmallImageTests {
  static let images: ImageSet = {
    var draws = CounterRandom(seed: 4, purpose: .synthetic).sequence()
    let shape = SampleShape(channels: 3, height: 6, width: 5)
    return try! ImageSet(
      bytes: (0..<40 * shape.count).map { _ in UInt8(draws.integer(below: 256)) },
      labels: (0..<40).map { UInt8($0 % 7) }, sampleShape: shape, classes: 7,
      normalization: PixelNormalization(means: [0.1, 0.5, 0.7], deviations: [0.2, 0.3, 0.4]))
  }()

  /// What a sample should be, value (c, y, x) in a dataset's order.
  private func expected(
    _ sample: Int, _ transform: SmallImageTransform, _ context: SampleContext
  ) -> [Double] {
    let shape = Self.images.sampleShape
    let (height, width) = (transform.padTo ?? shape.height, transform.padTo ?? shape.width)
    let draws = context.draws(for: sample)
    let p = transform.cropPadding
    // How far the crop's corner lies from the padded image's.
    let down = p == 0 ? 0 : draws.integer(0, below: 2 * p + 1) - p
    let right = p == 0 ? 0 : draws.integer(1, below: 2 * p + 1) - p
    let isMirrored = transform.flips && draws.integer(2, below: 2) == 1
    let reflects = transform.cropPaddingMode == .reflect
    /// Of … 2 1 0 1 2 …, the border not repeated.
    func mirrored(_ index: Int, _ side: Int) -> Int {
      guard reflects else { return index }
      return Array(-(side - 1)...2 * (side - 1)).firstIndex(of: index).map {
        (Array((1..<side).reversed()) + Array(0..<side) + Array((0..<side - 1).reversed()))[$0]
      } ?? -1
    }
    func pixel(_ c: Int, _ y: Int, _ x: Int) -> Double {
      let sourceY = mirrored(y + down, height) - (height - shape.height) / 2
      let sourceX =
        mirrored((isMirrored ? width - 1 - x : x) + right, width) - (width - shape.width) / 2
      guard (0..<shape.height).contains(sourceY), (0..<shape.width).contains(sourceX) else {
        return 0
      }
      let place = (c * shape.height + sourceY) * shape.width + sourceX
      return Double(Self.images.bytes[sample * shape.count + place])
    }
    var pixels: [Double] = []
    for c in 0..<3 { for y in 0..<height { for x in 0..<width { pixels.append(pixel(c, y, x)) } } }
    let count = Double(pixels.count)
    if transform.standardizes {
      // A mirrored border is none of the image, which is standardised before.
      let image =
        reflects && p > 0
        ? Self.images.bytes[sample * shape.count..<(sample + 1) * shape.count].map { Double($0) }
          + [Double](repeating: 0, count: pixels.count - shape.count) : pixels
      let mean = image.reduce(0, +) / count
      let variance = image.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count
      let deviation = max(variance.squareRoot(), 1 / count.squareRoot())
      return pixels.map { ($0 - mean) / deviation }
    }
    let normalization = Self.images.normalization
    return pixels.enumerated().map { index, pixel in
      let channel = index / (height * width)
      return (pixel / 255 - normalization.means[channel]) / normalization.deviations[channel]
    }
  }

  static let transforms = [
    SmallImageTransform(padTo: 8),
    SmallImageTransform(cropPadding: 2, flips: true),
    SmallImageTransform(padTo: 9, cropPadding: 4, flips: true, standardizes: true),
    SmallImageTransform(cropPadding: 9),
    SmallImageTransform(standardizes: true),
    SmallImageTransform(cropPadding: 4, cropPaddingMode: .reflect, flips: true),
    SmallImageTransform(
      cropPadding: 3, cropPaddingMode: .reflect, flips: true, standardizes: true),
    SmallImageTransform(
      padTo: 9, cropPadding: 8, cropPaddingMode: .reflect, flips: true, standardizes: true),
    SmallImageTransform(cropPaddingMode: .reflect, standardizes: true),
  ]

  private func expect(
    _ values: [Float], _ expected: [Double], sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(values.count == expected.count, sourceLocation: sourceLocation)
    for (value, expected) in zip(values, expected) {
      #expect(abs(Double(value) - expected) < 2e-5, sourceLocation: sourceLocation)
    }
  }

  @Test(arguments: transforms) func transformsAsDefined(transform: SmallImageTransform) throws {
    let set = try TransformedImages(Self.images, transform)
    for epoch in 0..<3 {
      let context = SampleContext(seed: 9, epoch: epoch)
      for sample in [0, 17, 39] {
        var values = [Float](repeating: .nan, count: set.sampleShape.count)
        var span = values.mutableSpan
        try set.write(sample, in: context, into: &span)
        expect(values, expected(sample, transform, context))
      }
    }
  }

  /// Both layouts, batches with dead lanes, subsets: the same values.
  @Test(arguments: transforms, [Tensor.Layout.vectors, .planes])
  func packsBothLayouts(transform: SmallImageTransform, layout: Tensor.Layout) throws {
    let set = try TransformedImages(Self.images, transform)
    let subset = try Subset(set, indices: (0..<40).reversed())
    let shape = set.sampleShape
    let packer = try BatchPacker(subset, capacity: 16, layout: layout)
    let pool = try ThreadPool(threads: 2)
    let context = SampleContext(seed: 3, epoch: 5)
    for count in [16, 11] {
      // One long vector, so that an index is a place in memory.
      let input = Tensor(shape: SampleShape(channels: shape.count), capacity: 16, lanes: 8)
      for place in 0..<16 { for index in 0..<shape.count { input[place, index] = 1e3 } }
      try packer.take(2..<2 + count, in: context)
      try packer.prepare(pool)
      input.samples = packer.samples
      for group in 0..<input.groups { packer.pack(group: group, into: input) }
      for place in 0..<count {
        let values = ordered(input, place, shape, layout)
        expect(values, expected(39 - 2 - place, transform, context))
        #expect(Int(packer.labels[place]) == (39 - 2 - place) % 7)
      }
      input.samples = 16
      for place in count..<16 {
        for index in 0..<shape.count { #expect(input[place, index] == 0) }
      }
    }
  }

  /// A sample's values in a dataset's order, read by the layout's definition.
  private func ordered(
    _ input: Tensor, _ place: Int, _ shape: SampleShape, _ layout: Tensor.Layout
  ) -> [Float] {
    var values: [Float] = []
    for c in 0..<shape.channels {
      for y in 0..<shape.height {
        for x in 0..<shape.width {
          // The subscript of a tensor counts values in their order in memory.
          let index =
            layout == .planes
            ? (y * shape.channels + c) * shape.width + x
            : (c * shape.height + y) * shape.width + x
          values.append(input[place, index])
        }
      }
    }
    return values
  }

  /// The layouts hold the same for bytes as they are and for values, packed by pieces as well.
  @Test func layoutsAgreeForEveryKindOfDataset() throws {
    let shape = Self.images.sampleShape
    let datasets: [any Dataset] = [Self.images, PackedValues()]
    for dataset in datasets {
      // One long vector, so that an index is a place in memory.
      let input = Tensor(shape: SampleShape(channels: shape.count), capacity: 16, lanes: 8)
      let packer = try BatchPacker(dataset, capacity: 16, layout: .planes)
      try packer.take(5..<18)
      try packer.prepare()
      input.samples = packer.samples
      for group in 0..<input.groups {
        for channels in [40..<90, 0..<3, 3..<40] {
          packer.pack(group: group, channels: channels, into: input)
        }
      }
      for place in 0..<13 {
        expect(
          ordered(input, place, shape, .planes),
          expected(5 + place, SmallImageTransform(), SampleContext()))
      }
    }
  }

  /// The images as a dataset of one's own: five members.
  struct PackedValues: Dataset {
    var count: Int { images.count }
    var sampleShape: SampleShape { images.sampleShape }
    var classes: Int { images.classes }
    func label(of sample: Int) -> Int { images.label(of: sample) }
    func write(_ sample: Int, into values: inout MutableSpan<Float>) {
      images.write(sample, into: &values)
    }
  }

  @Test func crops() throws {
    let transform = SmallImageTransform(cropPadding: 2, flips: true)
    let set = try TransformedImages(Self.images, transform)
    // All 25 crops and both directions occur, whatever the epoch; epochs and seeds differ.
    var seen: Set<[Int]> = []
    var bySeed: Set<[Float]> = []
    for epoch in 0..<400 {
      let draws = SampleContext(seed: 1, epoch: epoch).draws(for: 3)
      seen.insert((0..<3).map { draws.integer($0, below: $0 < 2 ? 5 : 2) })
    }
    #expect(seen.count == 50)
    for seed in 0..<5 as Range<UInt64> {
      var values = [Float](repeating: 0, count: set.sampleShape.count)
      var span = values.mutableSpan
      try set.write(3, in: SampleContext(seed: seed), into: &span)
      bySeed.insert(values)
    }
    #expect(bySeed.count > 2)
  }

  @Test func standardisesFlatImages() throws {
    // Without deviation, 1/√n counts in its place: all values are 0.
    let flat = try ImageSet(
      bytes: [UInt8](repeating: 77, count: 12), labels: [0],
      sampleShape: SampleShape(channels: 3, height: 2, width: 2), classes: 1)
    let set = try TransformedImages(flat, SmallImageTransform(standardizes: true))
    var values = [Float](repeating: 1, count: 12)
    var span = values.mutableSpan
    set.write(0, into: &span)
    #expect(values.allSatisfy { abs($0) < 1e-4 })
  }

  @Test func refusesToPadToLess() throws {
    let error = #expect(throws: RigLError.self) {
      try TransformedImages(Self.images, SmallImageTransform(padTo: 5))
    }
    #expect(error?.kind == .configuration && error?.what.contains("6 × 5") == true)
  }

  /// A row 1 2 3 4 between its mirror images: 3 2 | 1 2 3 4 | 3 2.
  @Test func mirrorsAtTheBorderWithoutRepeatingIt() throws {
    let row = try ImageSet(
      bytes: (0..<4).flatMap { _ in [1, 2, 3, 4] as [UInt8] }, labels: [0],
      sampleShape: SampleShape(channels: 1, height: 4, width: 4), classes: 1)
    let set = try TransformedImages(
      row, SmallImageTransform(cropPadding: 2, cropPaddingMode: .reflect))
    var seen: Set<[UInt8]> = []
    for epoch in 0..<200 {
      var pixels = [UInt8](repeating: 0, count: 16)
      var span = pixels.mutableSpan
      try set.writePixels(0, in: SampleContext(seed: 1, epoch: epoch), with: nil, into: &span)
      for y in 1..<4 { #expect(pixels[..<4] == pixels[4 * y..<4 * y + 4], "rows are alike") }
      seen.insert(Array(pixels[..<4]))
    }
    #expect(seen == [[3, 2, 1, 2], [2, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 3], [3, 4, 3, 2]])
  }

  @Test func refusesToMirrorFurtherThanTheImage() throws {
    let transform = SmallImageTransform(cropPadding: 5, cropPaddingMode: .reflect)
    let error = #expect(throws: RigLError.self) { try TransformedImages(Self.images, transform) }
    #expect(error?.kind == .configuration && error?.what.contains("5 pixels") == true, "\(error!)")
    #expect(error?.hint?.contains("At most 4") == true)
    _ = try TransformedImages(Self.images, SmallImageTransform(cropPadding: 50))
  }

  @Test func onlyTrainingSamplesAreAugmented() throws {
    var configuration = Configuration()
    configuration.data = "synthetic"
    configuration.trainSamples = 60
    configuration.testSamples = 20
    configuration.validation = 10
    #expect((try TrainingData.load(configuration).train as? Subset)?.base is ImageSet)
    configuration.augmentation = .padCropFlip
    configuration.padTo = 32
    let data = try TrainingData.load(configuration)
    #expect(data.train.sampleShape == SampleShape(channels: 1, height: 32, width: 32))
    #expect(data.train.count == 50 && data.validation?.count == 10 && data.test.count == 20)
    func transform(_ dataset: (any Dataset)?) -> SmallImageTransform? {
      let base = (dataset as? Subset)?.base ?? dataset
      return (base as? TransformedImages)?.transform
    }
    #expect(
      transform(data.train) == SmallImageTransform(padTo: 32, cropPadding: 4, flips: true))
    #expect(transform(data.validation) == SmallImageTransform(padTo: 32))
    #expect(transform(data.test) == SmallImageTransform(padTo: 32))
  }
}
