/// The range in which most of some values lie. An axis over it shows differences that a few values far
/// off would squeeze to nothing.
package struct Bulk: Sendable {
  /// From the least to the greatest value that is not far off.
  package let range: ClosedRange<Double>

  /// The bulk of values: those within eight median absolute deviations of their median. All of them
  /// where that would leave out less than as much again as it shows.
  ///
  /// - Parameters:
  ///   - values: the values; those that are no numbers are left out.
  ///   - width: the deviation that counts at least, so that values which are almost equal do not make
  ///     others look far off.
  /// - Returns: nil where there is no value.
  package init?(of values: [Double], width: Double) {
    let sorted = values.filter { $0.magnitude < 1e300 }.sorted()
    guard let least = sorted.first, let greatest = sorted.last else { return nil }
    let median = Self.middle(of: sorted)
    let deviation = Self.middle(of: sorted.map { ($0 - median).magnitude }.sorted())
    let farthest = 8 * max(deviation, width)
    let near = sorted.filter { ($0 - median).magnitude <= farthest }
    guard let first = near.first, let last = near.last,
      greatest - least > 2 * max(last - first, farthest / 2)
    else {
      range = least...greatest
      return
    }
    range = first...last
  }

  private static func middle(of sorted: [Double]) -> Double {
    let half = sorted.count / 2
    return sorted.count.isMultiple(of: 2) ? (sorted[half - 1] + sorted[half]) / 2 : sorted[half]
  }
}
