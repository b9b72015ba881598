/// How many of some numbers lie in each of TensorFlow's default buckets.
///
/// The limits of the buckets grow by a tenth from 1e-12 to 1e20 and mirror each other about 0; a
/// bucket holds the numbers from the limit before it to below its own. So zeros lie in the bucket
/// that 0 begins, with numbers below 1e-12 but with no negative one.
///
/// NaN and infinities are in no bucket and in no other figure than their own count.
package struct Histogram: Hashable, Sendable {
  /// The upper limits of all buckets, increasing.
  package static let limits: [Double] = {
    var magnitudes: [Double] = []
    var magnitude = 1e-12
    while magnitude < 1e20 {
      magnitudes.append(magnitude)
      magnitude *= 1.1
    }
    return magnitudes.reversed().map { -$0 } + [0] + magnitudes + [.greatestFiniteMagnitude]
  }()

  /// The number of finite numbers.
  package private(set) var count = 0
  /// The number of NaN and infinities, which nothing else here counts.
  package private(set) var nonfiniteCount = 0
  /// The least finite number; nil where there is none.
  package private(set) var minimum: Double?
  /// The greatest finite number; nil where there is none.
  package private(set) var maximum: Double?
  /// The sum of the finite numbers.
  package private(set) var sum = 0.0
  /// The sum of the finite numbers' squares.
  package private(set) var sumOfSquares = 0.0

  private var counts = [Int](repeating: 0, count: limits.count)

  /// The histogram of no numbers.
  package init() {}

  /// The histogram of `values`.
  package init(of values: some Sequence<Double>) {
    for value in values { add(value) }
  }

  /// Counts one more number.
  package mutating func add(_ value: Double) {
    guard value.isFinite else {
      nonfiniteCount += 1
      return
    }
    let value = value + 0  // of the two zeros the one without a sign
    counts[Self.bucket(of: value)] += 1
    count += 1
    minimum = min(minimum ?? value, value)
    maximum = max(maximum ?? value, value)
    sum += value
    sumOfSquares += value * value
  }

  /// The buckets from the first that holds a number to the last, where a run of empty ones between
  /// them is a single one.
  package var buckets: [Bucket] {
    var buckets: [Bucket] = []
    for (limit, count) in zip(Self.limits, counts) {
      if count > 0 {
        buckets.append(Bucket(limit: limit, count: count))
      } else if let last = buckets.last, last.count == 0 {
        buckets[buckets.count - 1].limit = limit
      } else if !buckets.isEmpty {
        buckets.append(Bucket(limit: limit, count: 0))
      }
    }
    if let last = buckets.last, last.count == 0 { buckets.removeLast() }
    return buckets
  }

  /// The index of the first limit above `value`.
  private static func bucket(of value: Double) -> Int {
    var candidates = 0..<limits.count - 1  // the greatest number is in the last bucket, too
    while !candidates.isEmpty {
      let middle = candidates.lowerBound + candidates.count / 2
      if limits[middle] > value {
        candidates = candidates.lowerBound..<middle
      } else {
        candidates = middle + 1..<candidates.upperBound
      }
    }
    return candidates.lowerBound
  }
}

extension Histogram {
  /// How many numbers lie from the limit of the bucket before to below this one's.
  package struct Bucket: Hashable, Sendable {
    /// The first number that is too great for the bucket.
    package var limit: Double
    /// The number of numbers in the bucket.
    package var count: Int

    /// A bucket below `limit` that holds `count` numbers.
    package init(limit: Double, count: Int) {
      self.limit = limit
      self.count = count
    }
  }

  /// TensorFlow's `HistogramProto`.
  var message: ProtobufMessage {
    let buckets = buckets
    var message = ProtobufMessage()
    message.append(minimum ?? 0, field: 1)  // min
    message.append(maximum ?? 0, field: 2)  // max
    message.append(Double(count), field: 3)  // num
    message.append(sum, field: 4)  // sum
    message.append(sumOfSquares, field: 5)  // sum_squares
    message.append(packed: buckets.map(\.limit), field: 6)  // bucket_limit
    message.append(packed: buckets.map { Double($0.count) }, field: 7)  // bucket
    return message
  }
}
