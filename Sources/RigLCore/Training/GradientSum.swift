/// What the gradients of a step's batches add up to: each batch's is a mean over its own samples,
/// and batches may differ in size.
///
/// Gradients are summed in units of the first batch's size r, Σ (n_i / r) g_i, so that batches of
/// one size are summed as they are; (r / Σ n_i) times that is the mean over all samples.
struct GradientSum {
  /// Batches so far.
  private(set) var batches = 0
  private var samples = 0
  private var first = 0

  /// The factor of the mean gradient of a batch of `count` samples before it is added, n_i / r.
  func weight(of count: Int) -> Float { batches == 0 ? 1 : Float(count) / Float(first) }

  /// The part that a batch of `count` samples has in a weight step of `batches`, before it is added.
  func part(of count: Int, in batches: Int) -> GradientMemories.Part {
    var whole = self
    whole.add(count)
    return GradientMemories.Part(
      isOneOfSeveral: batches > 1, isFirst: self.batches == 0, isLast: whole.batches == batches,
      mean: whole.mean)
  }

  /// Counts a batch that was added.
  mutating func add(_ count: Int) {
    if batches == 0 { first = count }
    batches += 1
    samples += count
  }

  /// The factor that makes the sum the mean over all samples, r / Σ n_i.
  var mean: Float { Float(Double(first) / Double(samples)) }
}
