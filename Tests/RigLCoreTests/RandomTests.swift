import RigLCore
import Testing

/// The statistics below are bounded at about five standard deviations; with fixed seeds a test
/// passes always or never.
@Suite struct CounterRandomTests {
  let random = CounterRandom(seed: 0x0123_4567_89AB_CDEF, purpose: .weights, layer: 3, stream: 7)

  @Test func everyPartOfTheKeyMatters() {
    let seed: UInt64 = 5
    let variants = [
      CounterRandom(seed: seed, purpose: .weights),
      CounterRandom(seed: seed + 1, purpose: .weights),
      CounterRandom(seed: seed + 1 << 32, purpose: .weights),
      CounterRandom(seed: seed, purpose: .topology),
      CounterRandom(seed: seed, purpose: .weights, layer: 1),
      CounterRandom(seed: seed, purpose: .weights, stream: 1),
      CounterRandom(seed: seed, purpose: .weights, stream: 1 << 32),
    ]
    #expect(Set(variants.map { $0.bits(0) }).count == variants.count)
    #expect(Set(variants.map { $0.bits(1 << 40) }).count == variants.count)
    #expect(random.block(1) != random.block(1 << 32))
  }

  @Test func purposesKeepTheirKeys() {
    // Runs are reproducible across versions only if these never change.
    let raw = CounterRandom.Purpose.allCases.map(\.rawValue)
    #expect(raw == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13])
  }

  @Test func sequenceGivesTheWords() {
    var sequence = random.sequence()
    for index in 0..<9 { #expect(sequence.nextWord32() == random.word(UInt64(index))) }
    var pairs = random.sequence()
    #expect(pairs.next() == UInt64(random.word(0)) | UInt64(random.word(1)) << 32)
  }

  @Test(
    arguments: [1, 2, 3, 10, 1 << 16, 3 << 30, 1 << 32 - 1, 1 << 32, 3 << 61, .max] as [UInt64])
  func integersStayBelow(bound: UInt64) {
    var sequence = random.sequence()
    for index in 0..<1000 {
      #expect(random.integer(UInt64(index), below: bound) < bound)
      #expect(sequence.integer(below: bound) < bound)
    }
  }

  @Test func integersAreUniform() {
    // Multiplying without rejecting would favour every third integer below 3 · 2^30 or 3 · 2^62.
    var sequence = random.sequence()
    var counts = [[Int]](repeating: [0, 0, 0], count: 6)
    for index in 0..<30_000 {
      let integers = [
        (sequence.integer(below: 3 << 30), 30), (sequence.integer(below: 3 << 62), 62),
        (random.integer(UInt64(index), below: 3 << 62), 62),
      ]
      for (kind, (integer, shift)) in integers.enumerated() {
        counts[2 * kind][Int(integer >> UInt64(shift))] += 1
        counts[2 * kind + 1][Int(integer % 3)] += 1
      }
    }
    for count in counts { #expect(chiSquare(count, expected: 10_000) < 27) }
  }

  @Test func lowBitsOfIntegersAreUniform() {
    var sequence = random.sequence()
    var counts = [Int](repeating: 0, count: 10)
    for _ in 0..<100_000 { counts[Int(sequence.integer(below: 10))] += 1 }
    #expect(chiSquare(counts, expected: 10_000) < 45)
  }

  @Test func uniformFillsItsRange() {
    let values = (0..<100_000).map { random.uniform(UInt64($0), in: -3..<5) }
    #expect(values.allSatisfy { (-3..<5).contains($0) })
    #expect(abs(mean(values) - 1) < 5 * 8 / (12 * 100_000).squareRoot())
    var counts = [Int](repeating: 0, count: 8)
    for value in values { counts[Int(value + 3)] += 1 }
    #expect(chiSquare(counts, expected: 12_500) < 40)
  }

  @Test func uniformNeverReachesTheUpperBound() {
    // Between neighbours, rounding would give the upper bound half of the time.
    let range = Float(1)..<Float(1).nextUp
    for index in 0..<100 { #expect(random.uniform(UInt64(index), in: range) == 1) }
  }

  @Test func normalHasItsMoments() {
    let count = 200_000
    let values = (0..<count).map { random.normal(UInt64($0)) }
    let (first, second, fourth) = (
      mean(values), mean(values.map { $0 * $0 }), mean(values.map { $0 * $0 * $0 * $0 })
    )
    let error = 1 / Double(count).squareRoot()
    #expect(abs(first) < 5 * error)
    #expect(abs(second - 1) < 5 * 2.0.squareRoot() * error)
    #expect(abs(fourth - 3) < 5 * 96.0.squareRoot() * error)
    #expect(values.allSatisfy { $0.isFinite })
    let beyondTwo = Double(values.count { abs($0) > 2 }) / Double(count)
    #expect(abs(beyondTwo - 0.0455) < 5 * 0.21 * error)
  }

  @Test func truncatedNormalIsConfined() {
    let count = 200_000
    let values = (0..<count).map { random.truncatedNormal(UInt64($0)) }
    #expect(values.allSatisfy { abs($0) <= 2 })
    let error = 1 / Double(count).squareRoot()
    #expect(abs(mean(values)) < 5 * error)
    let deviation = mean(values.map { $0 * $0 }).squareRoot()
    #expect(abs(deviation - Double(CounterRandom.truncatedNormalDeviation)) < 5 * error)
  }

  /// Known answers, so that a change of the generator or the key does not go unnoticed.
  @Test func givesTheSameNumbersAsEver() {
    let random = CounterRandom(seed: 1, purpose: .weights, layer: 2, stream: 3)
    #expect(random.key.0 == KnownAnswers.key.0 && random.key.1 == KnownAnswers.key.1)
    #expect(random.block(4) == KnownAnswers.block)
  }
}

/// Computed by an independent Philox4x32-10 (a dozen lines of Python after the paper).
private enum KnownAnswers {
  static let key: (UInt32, UInt32) = (0xF87D_FF44, 0x4F83_5ED8)
  static let block = SIMD4<UInt32>(
    0xCF27_374F, 0x053D_52C7, 0x8780_1CCA, 0x836E_F4BE)
}

@Suite struct EpochOrderTests {
  @Test(arguments: [0, 1, 2, 1000])
  func isAPermutation(count: Int) {
    var order = EpochOrder(count: count, seed: 3)
    order.shuffle(epoch: 2)
    #expect((0..<count).map { order[$0] }.sorted() == (0..<count).map(Int64.init))
    #expect(order.epoch == 2)
  }

  @Test func dependsOnSeedAndEpochOnly() {
    func samples(seed: UInt64, epochs: [Int]) -> [Int64] {
      var order = EpochOrder(count: 100, seed: seed)
      for epoch in epochs { order.shuffle(epoch: epoch) }
      return (0..<100).map { order[$0] }
    }
    #expect(samples(seed: 1, epochs: [5]) == samples(seed: 1, epochs: [0, 9, 5]))
    #expect(samples(seed: 1, epochs: [5]) != samples(seed: 1, epochs: [6]))
    #expect(samples(seed: 1, epochs: [5]) != samples(seed: 2, epochs: [5]))
  }

  @Test func everyOrderIsEquallyLikely() {
    var order = EpochOrder(count: 4, seed: 11)
    var counts: [Int: Int] = [:]
    for epoch in 0..<24_000 {
      order.shuffle(epoch: epoch)
      counts[(0..<4).reduce(0) { $0 * 10 + Int(order[$1]) }, default: 0] += 1
    }
    #expect(counts.count == 24)
    #expect(chiSquare(Array(counts.values), expected: 1000) < 60)  // 23 degrees of freedom
  }
}

@Suite struct SampleWithoutReplacementTests {
  @Test(
    arguments: [
      // None, one, all but one, all; both sides of a sixteenth, where the method changes.
      (0, 0), (0, 10), (1, 1), (1, 1000), (999, 1000), (1000, 1000), (500, 1000), (62, 1000),
      (63, 1000), (2000, 31_999), (2000, 32_016), (5000, 5_000_000), (3000, 1 << 32 + 1),
      (10_000, 40_000_000_000), (300, Int64.max),
    ] as [(Int, Int64)])
  func ascendsWithinThePopulation(count: Int, population: Int64) {
    let random = CounterRandom(seed: 9, purpose: .topology, layer: count)
    let chosen = random.sampleWithoutReplacement(count: count, of: population)
    #expect(chosen.count == count)
    #expect(zip(chosen, chosen.dropFirst()).allSatisfy { $0 < $1 })
    #expect(chosen.allSatisfy { (0..<population).contains($0) })
    #expect(chosen == random.sampleWithoutReplacement(count: count, of: population))
    var buffer = AlignedBuffer<Int64>(count: count)
    buffer.fill(-1)
    buffer.withMutableSpan { random.sampleWithoutReplacement(of: population, into: &$0) }
    #expect(buffer.array() == chosen)
  }

  @Test(arguments: [(3, 8), (7, 8), (4, 80), (40, 1000)])
  func everyIntegerIsEquallyLikely(count: Int, population: Int) {
    var counts = [Int](repeating: 0, count: population)
    let rounds = 2000 * population / count / 4
    for round in 0..<rounds {
      let random = CounterRandom(seed: 4, purpose: .growth, stream: UInt64(round))
      for value in random.sampleWithoutReplacement(count: count, of: Int64(population)) {
        counts[Int(value)] += 1
      }
    }
    // Within a round counts are negatively correlated, which lowers the statistic by this factor.
    let share = Double(count) / Double(population)
    let statistic =
      chiSquare(counts, expected: Double(rounds) * share) / (1 - share)
      * Double(population - 1) / Double(population)
    let degrees = Double(population - 1)
    #expect(abs(statistic - degrees) < 5 * (2 * degrees).squareRoot() + 5)
  }

  /// Both members of a pair: the same ones repeated would pass the test above.
  @Test(arguments: [6, 64])
  func everyPairIsEquallyLikely(population: Int) {
    let pairs = population * (population - 1) / 2
    var counts: [Int: Int] = [:]
    for round in 0..<(pairs * 40) {
      let random = CounterRandom(seed: 4, purpose: .growth, stream: UInt64(round))
      let chosen = random.sampleWithoutReplacement(count: 2, of: Int64(population))
      counts[Int(chosen[0]) * population + Int(chosen[1]), default: 0] += 1
    }
    #expect(counts.count == pairs)
    let degrees = Double(pairs - 1)
    let statistic = chiSquare(Array(counts.values), expected: 40)
    #expect(abs(statistic - degrees) < 5 * (2 * degrees).squareRoot() + 5)
  }
}

private func chiSquare(_ counts: [Int], expected: Double) -> Double {
  counts.reduce(0) { $0 + (Double($1) - expected) * (Double($1) - expected) / expected }
}

private func mean(_ values: [Float]) -> Double {
  values.reduce(0) { $0 + Double($1) } / Double(values.count)
}
