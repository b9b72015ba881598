/// A published width times a multiplier: the nearest multiple of `step`, at least one step; of a
/// step above 1 not less than 90 % of the product.
///
/// - Parameter multiplier: how much wider the network is than the published one.
func scaledWidth(_ width: Int, by multiplier: Double, toMultipleOf step: Int = 1) -> Int {
  let product = Double(width) * multiplier
  let nearest = max(1, Int((product / Double(step) + 0.5).rounded(.down))) * step
  return step > 1 && Double(nearest) < 0.9 * product ? nearest + step : nearest
}
