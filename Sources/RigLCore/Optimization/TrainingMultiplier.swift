/// A step count of a training `multiplier` (M) times as long, to the nearest step.
///
/// Everything that stretches with a training uses this one rounding: the number of steps, the
/// learning rate's milestones, begin and end of topology updates. To the nearest, because 30 · 0.7
/// is 20.999… in double precision and 21 is meant.
package func scaledStep(_ step: Int, by multiplier: Double) -> Int {
  trap(unless: multiplier > 0 && multiplier.isFinite, "scaledStep: a multiplier of \(multiplier)")
  let scaled = (Double(step) * multiplier).rounded()
  trap(unless: scaled.magnitude < 0x1p62, "scaledStep: \(step) · \(multiplier) is too many steps")
  return Int(scaled)
}
