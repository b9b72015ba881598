/// The range in which most of some values lie. An axis over it shows differences that a few values far
/// off would squeeze to nothing.
package struct Bulk: Sendable {
  /// From the least to the greatest value that is not far off.
  package let range: ClosedRange<Double>

  /// The bulk of values: those within eight median absolute deviations of their median, and outwards from
  /// these each next one that is no farther from them than they are from each other.
  ///
  /// - Parameters:
  ///   - values: the values; those that are no numbers are left out.
  ///   - width: the deviation that counts at least, so that values which are almost equal do not make
  ///     others look far off.
  /// - Returns: nil where there is no value.
  package init?(of values: [Double], width: Double) {
    let sorted = values.filter { $0.magnitude < 1e300 }.sorted()
    guard !sorted.isEmpty else { return nil }
    let median = Self.middle(of: sorted)
    let deviation = Self.middle(of: sorted.map { ($0 - median).magnitude }.sorted())
    let near = 8 * max(deviation, width)
    // The median of two numbers is none of them, but as near as the deviation.
    var first = sorted.firstIndex { $0 >= median - near } ?? 0
    var last = sorted.lastIndex { $0 <= median + near } ?? sorted.count - 1
    func reach() -> Double { max(sorted[last] - sorted[first], near) }
    while true {
      if first > 0, sorted[first] - sorted[first - 1] <= reach() {
        first -= 1
      } else if last < sorted.count - 1, sorted[last + 1] - sorted[last] <= reach() {
        last += 1
      } else {
        break
      }
    }
    range = sorted[first]...sorted[last]
  }

  private static func middle(of sorted: [Double]) -> Double {
    let half = sorted.count / 2
    return sorted.count.isMultiple(of: 2) ? (sorted[half - 1] + sorted[half]) / 2 : sorted[half]
  }
}
