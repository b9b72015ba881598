/// The mean of some values, and the 95 % interval of the mean by Student's t.
package struct Interval: Hashable, Sendable {
  /// The mean of the values.
  package let mean: Double
  /// Half the width of the interval: t · s / √n, with n − 1 degrees of freedom; nil: one value, of
  /// which no interval is known.
  package let halfWidth: Double?
  /// The number of values, n.
  package let count: Int

  /// The mean and interval of values; nil: none. Values that are no numbers are left out.
  package init?(of values: some Sequence<Double>) {
    let values = values.filter(\.isFinite)
    guard !values.isEmpty else { return nil }
    let n = Double(values.count)
    // Shifted by one of them: equal values have exactly their own mean, and no width.
    let first = values[0]
    let mean = first + values.reduce(0) { $0 + ($1 - first) } / n
    self.mean = mean
    count = values.count
    if values.count > 1 {
      let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
      let standardError = (squares / (n - 1) / n).squareRoot()
      halfWidth = StudentT.quantile(degreesOfFreedom: values.count - 1) * standardError
    } else {
      halfWidth = nil
    }
  }

  /// The lower end; the mean itself where no interval is known.
  package var lower: Double { mean - (halfWidth ?? 0) }
  /// The upper end; the mean itself where no interval is known.
  package var upper: Double { mean + (halfWidth ?? 0) }
}
