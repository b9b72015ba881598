internal import CSparseKernels

/// The statistics of a group's samples that layer normalization keeps for the way back.
@unsafe
struct LayerNormStatistics {
  let mean: UnsafeMutablePointer<Float>
  let inverse: UnsafeMutablePointer<Float>
}

extension Tensor {
  /// self = γ (x − mean) / √(variance + ε) + β over the features of each sample of a group.
  func normalize(
    group: Int, _ x: Tensor, gamma: Parameter, beta: Parameter, epsilon: Float,
    _ statistics: LayerNormStatistics
  ) {
    let place = group * groupStride
    let status = unsafe csk_layer_norm_forward(
      x.base + place, Int32(shape.count), Int32(lanes), gamma.values.base, beta.values.base,
      epsilon, statistics.mean, statistics.inverse, base + place)
    expectOK(status, "csk_layer_norm_forward")
  }

  /// Writes the gradient of x into `dx`, from that of its normalization, which this is; adds to those of
  /// γ and β.
  func normalizeBackward(
    group: Int, _ x: Tensor, gamma: Parameter, _ statistics: LayerNormStatistics, dx: Tensor,
    gammaGradient: UnsafeMutablePointer<Float>, betaGradient: UnsafeMutablePointer<Float>
  ) {
    let place = group * groupStride
    let status = unsafe csk_layer_norm_backward(
      base + place, x.base + place, Int32(shape.count), Int32(lanes),
      Int32(liveLanes(group: group)), gamma.values.base, statistics.mean, statistics.inverse,
      dx.base + place, gammaGradient, betaGradient)
    expectOK(status, "csk_layer_norm_backward")
  }
}
