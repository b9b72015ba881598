import RigLCore
import Testing

/// Batches in `[group][channel][lane]` against what the datasets write one sample at a time.
@Suite struct PackTests {
  static let shape = SampleShape(channels: 2, height: 3, width: 5)

  static let images: ImageSet = {
    var draws = CounterRandom(seed: 1, purpose: .synthetic).sequence()
    return try! ImageSet(
      bytes: (0..<100 * shape.count).map { _ in UInt8(draws.integer(below: 256)) },
      labels: (0..<100).map { UInt8($0 % 7) }, sampleShape: shape, classes: 7)
  }()

  /// The same samples without the bytes.
  struct Values: Dataset {
    var count: Int { images.count }
    var sampleShape: SampleShape { images.sampleShape }
    var classes: Int { images.classes }
    func label(of sample: Int) -> Int { images.label(of: sample) }
    func write(_ sample: Int, into values: inout MutableSpan<Float>) {
      images.write(sample, into: &values)
    }
  }

  static let datasets: [any Dataset] = try! [
    images, Values(), Subset(images, 50..<100),
    Subset(Subset(Values(), 10..<90), indices: (0..<80).reversed()),
  ]

  private func expect(
    _ input: Tensor, _ packer: BatchPacker, holds samples: [Int64],
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let (dataset, size) = (packer.dataset, Self.shape.count)
    #expect(packer.samples == samples.count, sourceLocation: sourceLocation)
    var expected = AlignedBuffer<Float>(count: size)
    for (place, sample) in samples.enumerated() {
      expected.withMutableSpan { dataset.write(Int(sample), into: &$0) }
      #expect(
        Int(packer.labels[place]) == dataset.label(of: Int(sample)), sourceLocation: sourceLocation)
      for index in 0..<size {
        // One rounding more or less, of terms no larger than scale · 255.
        let error = (input[place, index] - expected[index]).magnitude
        #expect(
          error <= 4 * .ulpOfOne * Self.images.normalization.scale() * 255,
          "sample \(place), value \(index)", sourceLocation: sourceLocation)
      }
    }
    // The rest of the last group: zeros, seen by letting the tensor hold more samples.
    let live = input.samples
    input.samples = min(input.capacity, (live + input.lanes - 1) / input.lanes * input.lanes)
    for place in live..<input.samples {
      for index in 0..<size {
        #expect(input[place, index] == 0, "dead lane \(place)", sourceLocation: sourceLocation)
      }
    }
    input.samples = live
  }

  private func tensor(lanes: Int) -> Tensor {
    let input = Tensor(shape: SampleShape(channels: Self.shape.count), capacity: 64, lanes: lanes)
    for sample in 0..<64 { for index in 0..<Self.shape.count { input[sample, index] = 1e3 } }
    return input
  }

  @Test(arguments: 0..<4, [8, 16, 32, 64])
  func packsBatchesOfEverySize(dataset: Int, lanes: Int) throws {
    let packer = try BatchPacker(Self.datasets[dataset], capacity: 64)
    let loader = try EpochCursor(count: Self.datasets[dataset].count, seed: 5)
    let input = tensor(lanes: lanes)
    for size in [1, lanes - 1, lanes, min(lanes + 1, 40), 40] {
      let samples = try loader.next(size) { (indices) throws(RigLError) in
        try packer.take(indices)
        return indices.indices.map { indices[$0] }
      }
      try packer.pack(into: input)
      #expect(input.samples == samples.count)
      expect(input, packer, holds: samples)
    }
  }

  @Test(arguments: 0..<4)
  func packsRanges(dataset: Int) throws {
    let packer = try BatchPacker(Self.datasets[dataset], capacity: 64)
    let input = tensor(lanes: 16)
    try packer.take(7..<40)
    try packer.pack(into: input)
    expect(input, packer, holds: (7..<40).map(Int64.init))
  }

  /// Chunks in any order, as threads would take them, give the bits of the whole.
  @Test(arguments: 0..<4)
  func chunksGiveTheSameBits(dataset: Int) throws {
    let packer = try BatchPacker(Self.datasets[dataset], capacity: 64)
    let (whole, pieces) = (tensor(lanes: 8), tensor(lanes: 8))
    try packer.take(0..<43)
    try packer.pack(into: whole)
    pieces.samples = packer.samples
    for channels in [13..<30, 0..<1, 1..<13] {
      for group in 0..<pieces.groups {
        packer.pack(group: group, channels: channels, into: pieces)
      }
    }
    for sample in 0..<43 {
      for index in 0..<Self.shape.count { #expect(pieces[sample, index] == whole[sample, index]) }
    }
    expect(pieces, packer, holds: (0..<43).map(Int64.init))
  }
}
