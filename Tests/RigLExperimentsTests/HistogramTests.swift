import RigLExperiments
import Testing

@Suite struct HistogramTests {
  @Test func limitsGrowByATenthAndMirrorEachOther() throws {
    let limits = Histogram.limits
    // 1.1^774 is the first power above 1e32: 774 magnitudes, 0, and the greatest number.
    #expect(limits.count == 2 * 774 + 2)
    #expect(zip(limits, limits.dropFirst()).allSatisfy(<))
    #expect(limits[774] == 0)
    #expect(limits[775] == 1e-12)
    #expect(limits[776] == 1e-12 * 1.1)
    #expect(limits.last == .greatestFiniteMagnitude)
    for index in 1...774 { #expect(limits[774 + index] == -limits[774 - index]) }
  }

  /// Each limit opens the bucket after its own.
  @Test func aBucketHoldsItsLowerLimitAndNotItsUpper() {
    for (lower, upper) in zip(Histogram.limits, Histogram.limits.dropFirst()) {
      #expect(Histogram(of: [lower]).buckets == [.init(limit: upper, count: 1)])
      #expect(Histogram(of: [upper.nextDown]).buckets == [.init(limit: upper, count: 1)])
    }
  }

  @Test func theGreatestNumbersAreInTheOutermostBuckets() {
    let greatest = Double.greatestFiniteMagnitude
    #expect(Histogram(of: [greatest, 1e21]).buckets == [.init(limit: greatest, count: 2)])
    #expect(
      Histogram(of: [-greatest, -1e21]).buckets == [.init(limit: Histogram.limits[0], count: 2)])
  }

  @Test func zerosAreApartFromNegativeNumbers() {
    let least = Double.leastNonzeroMagnitude
    let histogram = Histogram(of: [0, -0.0, 0, -least, least])
    #expect(histogram.buckets == [.init(limit: 0, count: 1), .init(limit: 1e-12, count: 4)])
    let zeros = Histogram(of: [0, -0.0, 0])
    #expect(zeros.buckets == [.init(limit: 1e-12, count: 3)])
    #expect(zeros.minimum == 0 && zeros.maximum == 0)
    #expect(zeros.minimum?.sign == .plus && zeros.maximum?.sign == .plus)
  }

  @Test func emptyBucketsAreDroppedAtTheEndsAndJoinedBetween() throws {
    let histogram = Histogram(of: [-1, 0, 2, 2])
    let above = { (value: Double) in try #require(Histogram.limits.first { $0 > value }) }
    let below = { (value: Double) in try #require(Histogram.limits.last { $0 <= value }) }
    #expect(
      histogram.buckets == [
        .init(limit: try above(-1), count: 1),
        .init(limit: 0, count: 0),
        .init(limit: 1e-12, count: 1),
        .init(limit: try below(2), count: 0),
        .init(limit: try above(2), count: 2),
      ])
    #expect(histogram.count == 4)
    #expect(histogram.minimum == -1 && histogram.maximum == 2)
    #expect(histogram.sum == 3 && histogram.sumOfSquares == 9)
  }

  @Test func nonfiniteNumbersAreCountedApart() {
    let histogram = Histogram(of: [.nan, 1, .infinity, -.infinity, .signalingNaN])
    #expect(histogram.count == 1)
    #expect(histogram.nonfiniteCount == 4)
    #expect(histogram.minimum == 1 && histogram.maximum == 1)
    #expect(histogram.sum == 1 && histogram.sumOfSquares == 1)
    #expect(histogram.buckets.map(\.count) == [1])
  }

  @Test func ofNoNumbersThereAreNoBuckets() {
    for histogram in [Histogram(), Histogram(of: [.nan])] {
      #expect(histogram.buckets.isEmpty)
      #expect(histogram.count == 0)
      #expect(histogram.minimum == nil && histogram.maximum == nil)
    }
  }

  @Test func addingIsTheSameAsAllAtOnce() {
    let values = (0..<1000).map { Double(($0 * 7919) % 1000 - 500) / 37 }
    var histogram = Histogram()
    for value in values { histogram.add(value) }
    #expect(histogram == Histogram(of: values))
    #expect(histogram.buckets.map(\.count).reduce(0, +) == 1000)
  }
}
