import Foundation

/// An axis of a plot: what it measures, from where to where, and the ticks that are labelled.
package struct Axis: Sendable {
  /// How values lie along an axis.
  package enum Scale: Sendable {
    case linear
    case logarithmic
    /// By −log₁₀(1 − s): 90 %, 99 % and 99.9 % are equally far from each other.
    case sparsity
  }

  /// A value that is labelled.
  package struct Tick: Hashable, Sendable {
    package var value: Double
    package var label: String
  }

  /// Which way texts along an axis take room: across it, or one above the other.
  package enum Direction: Sendable { case horizontal, vertical }

  /// The quantity and its unit.
  package var title: String
  package var scale: Scale
  /// The ends, as positions of the scale.
  package private(set) var ends: ClosedRange<Double>
  /// The length in the plot.
  package let length: Double
  package let direction: Direction
  package private(set) var ticks: [Tick] = []

  /// An axis that covers values, with some room at its ends.
  ///
  /// - Parameters:
  ///   - values: the values; those that the scale has no place for are left out.
  ///   - room: the share of their range that is added at both ends.
  ///   - startsAtLeast: whether there is no room below the least value.
  ///   - label: the label of a value; nil: with as many decimals as ticks are apart.
  package init(
    _ title: String, _ scale: Scale = .linear, covering values: [Double], length: Double,
    direction: Direction, room: Double = 0.06, startsAtLeast: Bool = false,
    label: ((Double) -> String)? = nil
  ) {
    self.title = title
    self.scale = scale
    self.length = length
    self.direction = direction
    let places = values.compactMap { Self.place($0, scale) }
    let (least, greatest) = (places.min() ?? 0, places.max() ?? 1)
    var range = greatest - least
    if range <= least.magnitude * 1e-9 { range = scale == .linear ? max(least.magnitude, 1) : 1 }
    ends = (startsAtLeast ? least : least - room * range)...(greatest + room * range)
    if greatest == least && !startsAtLeast { ends = (least - range / 2)...(least + range / 2) }
    ticks = chooseTicks(values, label)
  }

  /// Where a value lies along the axis, from 0 to its length; nil: nowhere.
  package func position(of value: Double) -> Double? {
    Self.place(value, scale).map { place in
      (place - ends.lowerBound) / (ends.upperBound - ends.lowerBound) * length
    }
  }

  private static func place(_ value: Double, _ scale: Scale) -> Double? {
    // Sums and differences of larger ones would not be finite.
    guard value.magnitude < 1e300 else { return nil }
    switch scale {
    case .linear: return value
    case .logarithmic: return value > 0 ? log10(value) : nil
    case .sparsity: return value < 1 ? -log10(1 - value) : nil
    }
  }

  // MARK: - Ticks

  /// The room that a label takes along the axis, and the least gap to the next.
  package func extent(of label: String) -> Double {
    direction == .horizontal ? estimatedWidth(label) : PlotText.size
  }
  package static let leastGap = 8.0

  private func chooseTicks(_ values: [Double], _ label: ((Double) -> String)?) -> [Tick] {
    switch scale {
    case .linear: return linearTicks(label)
    case .logarithmic:
      let ticks = logarithmicTicks(label ?? short)
      // Less than a factor of three between the ends: at equal steps.
      return ticks.count >= 2 ? ticks : linearTicks(label ?? short)
    case .sparsity:
      let known = Set(values.filter { 0..<1 ~= $0 }).sorted(by: >)
      return thinned(known.map { Tick(value: $0, label: trimmed(100 * $0)) })
    }
  }

  /// Ticks at a step of 1, 2 or 5 times a power of ten: as many as there is room for.
  private func linearTicks(_ label: ((Double) -> String)?) -> [Tick] {
    let isLogarithmic = scale == .logarithmic
    let lower = isLogarithmic ? pow(10, ends.lowerBound) : ends.lowerBound
    let upper = isLogarithmic ? pow(10, ends.upperBound) : ends.upperBound
    let most = 6
    var best: [Tick] = []
    for count in stride(from: most, through: 1, by: -1) {
      let (step, decimals) = Self.step(atLeast: (upper - lower) / Double(count))
      let first = Int((lower / step - 1e-9).rounded(.up))
      let last = Int((upper / step + 1e-9).rounded(.down))
      guard first <= last else { continue }
      let ticks = (first...last).map { index in
        let value = Double(index) * step
        let isLong = max(lower.magnitude, upper.magnitude) >= 100_000
        let text = isLong ? short(value) : fixed(value, decimals)
        return Tick(value: value, label: label?(value) ?? text)
      }
      let kept = thinned(ticks)
      if kept.count == ticks.count { return ticks }
      if kept.count > best.count { best = kept }
    }
    // At no step is there room for all: some are better than none.
    return best
  }

  /// The least of 1, 2, 5, 10, … that is no less than a width, and its decimals.
  private static func step(atLeast width: Double) -> (Double, Int) {
    let exponent = Int(log10(width).rounded(.down))
    let power = pow(10, Double(exponent))
    let factor = [1.0, 2, 5, 10].first { $0 * power >= width * (1 - 1e-9) } ?? 10
    let decimals = max(0, factor == 10 ? -exponent - 1 : -exponent)
    return (factor * power, min(decimals, 8))
  }

  /// Powers of ten, then 3 times, then 2 and 5 times powers of ten, where there is room.
  private func logarithmicTicks(_ label: (Double) -> String) -> [Tick] {
    let exponents =
      Int(ends.lowerBound.rounded(.down))...Int(ends.upperBound.rounded(.up))
    func ticks(_ factors: [Double]) -> [Tick] {
      exponents.flatMap { exponent in factors.map { $0 * pow(10, Double(exponent)) } }
        .filter { ends.contains(log10($0)) }.map { Tick(value: $0, label: label($0)) }
    }
    let powers = ticks([1])
    if powers.count >= 4 { return thinned(powers) }
    let halves = thinned(powers + ticks([3]))
    return halves.count >= 4 && powers.count >= 2 ? halves : thinned(powers + ticks([2, 5]))
  }

  /// The ticks whose labels have room beside those of earlier ones, ascending.
  private func thinned(_ ticks: [Tick]) -> [Tick] {
    var kept: [(tick: Tick, place: ClosedRange<Double>)] = []
    for tick in ticks {
      guard let middle = position(of: tick.value) else { continue }
      let half = (extent(of: tick.label) + Self.leastGap) / 2
      // A label may stand out by no more than the plot's margins.
      guard middle - half > -26, middle + half < length + 18 else { continue }
      let place = (middle - half)...(middle + half)
      if kept.allSatisfy({ !$0.place.overlaps(place) }) { kept.append((tick, place)) }
    }
    return kept.map(\.tick).sorted { $0.value < $1.value }
  }
}
