import Foundation
import RigLCore

extension Double {
  /// "1.234560e+05": so many significant digits.
  func scientific(digits: Int) -> String { String(format: "%.\(digits - 1)e", self) }
}

/// The middle of some measurements, of an even number the mean of the middle two.
package func median(_ values: [Double]) -> Double {
  trap(unless: !values.isEmpty, "median of no values")
  let sorted = values.sorted()
  let middle = sorted.count / 2
  return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/// The median of the quotients of measurements taken next to each other: what disturbs a shared
/// machine for a while disturbs both, and drops out.
package func medianRatio(_ numerators: [Double], _ denominators: [Double]) -> Double {
  trap(
    unless: numerators.count == denominators.count,
    "medianRatio: \(numerators.count) measurements to \(denominators.count)")
  return median(zip(numerators, denominators).map { $0 / $1 })
}

/// Seconds that a piece of work takes.
func seconds<Failure>(_ body: () throws(Failure) -> Void) throws(Failure) -> Double {
  let start = ContinuousClock.now
  try body()
  let passed = ContinuousClock.now - start
  return Double(passed.components.seconds) + Double(passed.components.attoseconds) * 1e-18
}

/// How often to repeat work of `once` seconds in one measurement, so that the clock and the first
/// steps after other work hardly count.
func repeats(ofSeconds once: Double, toLast least: Double = 0.02) -> Int {
  min(max(Int((least / max(once, 1e-9)).rounded(.up)), 1), 10_000)
}
