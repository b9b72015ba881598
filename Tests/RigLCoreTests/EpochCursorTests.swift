import RigLCore
import Testing

@Suite struct EpochCursorTests {
  private func take(_ batches: Int, of size: Int, from loader: EpochCursor) -> [[Int64]] {
    (0..<batches).map { _ in
      loader.next(size) { indices in indices.indices.map { indices[$0] } }
    }
  }

  @Test(arguments: [(10, 1), (10, 3), (10, 5), (10, 10), (10, 11), (1, 4), (97, 32)])
  func deliversEveryEpochWhole(count: Int, size: Int) throws {
    let loader = try EpochCursor(count: count, seed: 3)
    let perEpoch = loader.batches(ofSize: size)
    #expect(perEpoch == (count + size - 1) / size)
    var epochs: [[Int64]] = []
    for epoch in 0..<3 {
      #expect(loader.position == .init(epoch: epoch))
      let batches = take(perEpoch, of: size, from: loader)
      #expect(batches.dropLast().allSatisfy { $0.count == size })
      #expect(batches.last?.count == count - (perEpoch - 1) * size)
      epochs.append(batches.flatMap { $0 })
      #expect(epochs[epoch].sorted() == (0..<count).map(Int64.init))
    }
    #expect(count < 10 || (epochs[0] != epochs[1] && epochs[1] != epochs[2]))
  }

  @Test(arguments: 0..<9)
  func resumesAnywhere(consumed: Int) throws {
    let whole = try EpochCursor(count: 10, seed: 8)
    let expected = Array(take(12, of: 4, from: whole)[consumed...])
    let interrupted = try EpochCursor(count: 10, seed: 8)
    _ = take(consumed, of: 4, from: interrupted)
    let resumed = try EpochCursor(count: 10, seed: 8)
    try resumed.resume(at: interrupted.position)
    #expect(take(12 - consumed, of: 4, from: resumed) == expected)
    #expect(resumed.position == whole.position)
  }

  @Test func resumeRefusesImpossiblePositions() throws {
    let loader = try EpochCursor(count: 10, seed: 8)
    for (epoch, index) in [(-1, 0), (0, -1), (0, 10), (2, 11)] {
      let error = #expect(throws: RigLError.self) {
        try loader.resume(at: .init(epoch: epoch, index: index))
      }
      #expect(error?.kind == .data)
    }
    #expect(loader.position == .init())
  }

  @Test func aFailedBatchIsDeliveredAgain() throws {
    let loader = try EpochCursor(count: 10, seed: 8)
    #expect(throws: RigLError.self) {
      try loader.next(4) { (_) throws(RigLError) in throw RigLError(.data, "test") }
    }
    #expect(loader.position == .init())
  }

  @Test(arguments: [(0, 4), (1, 4), (4, 4), (5, 4), (8, 3)])
  func sequentialPassesCoverAll(count: Int, size: Int) {
    let batches = Array(SequentialBatches(count: count, size: size))
    #expect(batches.flatMap { Array($0) } == Array(0..<count))
    #expect(batches.dropLast().allSatisfy { $0.count == size })
    #expect(batches.allSatisfy { !$0.isEmpty })
  }
}

@Suite struct SubsetTests {
  /// Ten samples of one byte, sample i of value 10 i and class i % 3.
  static let base = try! ImageSet(
    bytes: (0..<10).map { UInt8(10 * $0) }, labels: (0..<10).map { UInt8($0 % 3) },
    sampleShape: SampleShape(channels: 1), classes: 3,
    normalization: PixelNormalization(mean: 0, deviation: 1.0 / 255))

  /// The values of a dataset's samples, in tens.
  private func samples(_ dataset: any Dataset) -> [Int] {
    var value = AlignedBuffer<Float>(count: 1)
    return (0..<dataset.count).map { sample in
      value.withMutableSpan { dataset.write(sample, into: &$0) }
      #expect(dataset.label(of: sample) == Int(value[0].rounded()) / 10 % 3)
      return Int(value[0].rounded()) / 10
    }
  }

  @Test func nests() throws {
    let range = try Subset(Self.base, 2..<8)
    let list = try Subset(range, indices: [5, 0, 0, 3])
    #expect(samples(range) == [2, 3, 4, 5, 6, 7])
    #expect(try samples(Subset(range, 1..<3)) == [3, 4])
    #expect(samples(list) == [7, 2, 2, 5])
    #expect(try samples(Subset(list, 1..<4)) == [2, 2, 5])
    #expect(try samples(Subset(list, indices: [3, 0])) == [5, 7])
    #expect(try samples(Subset(range, 6..<6)) == [])
    #expect(try Subset(list, 1..<4).base is ImageSet && list.classes == 3)
    #expect(list.sampleShape == SampleShape(channels: 1))
  }

  @Test func takesTheFirst() throws {
    #expect(try samples(Self.base.first(3)) == [0, 1, 2])
    #expect(try samples(Self.base.first(10)) == Array(0..<10))
    for count in [-1, 0, 11] {
      let error = #expect(throws: RigLError.self) { try Self.base.first(count) }
      #expect(error?.kind == .configuration)
    }
  }

  @Test func holdsOutTheLast() throws {
    let split = try Self.base.split(validation: 3)
    #expect(samples(split.train) == Array(0..<7))
    #expect(try samples(#require(split.validation)) == [7, 8, 9])
  }

  @Test func holdsOutAtRandom() throws {
    let split = try Self.base.split(validation: 4, choice: .random(seed: 2))
    let again = try Self.base.split(validation: 4, choice: .random(seed: 2))
    let (train, validation) = try (samples(split.train), samples(#require(split.validation)))
    #expect(validation.count == 4 && (train + validation).sorted() == Array(0..<10))
    #expect(train == train.sorted() && validation == validation.sorted())
    #expect(samples(again.train) == train)
    let all = try (0..<20).map {
      try samples(Self.base.split(validation: 4, choice: .random(seed: $0)).train)
    }
    #expect(Set(all).count > 10)
  }

  @Test func splitsNothingForZero() throws {
    let split = try Self.base.split(validation: 0)
    #expect(split.validation == nil && split.train is ImageSet)
  }

  @Test(arguments: [-1, 10, 5000])
  func refusesToHoldOutEverything(count: Int) {
    let error = #expect(throws: RigLError.self) { try Self.base.split(validation: count) }
    #expect(error?.kind == .configuration)
  }
}
