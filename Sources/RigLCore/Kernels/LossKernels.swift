internal import CSparseKernels

extension Tensor {
  /// Softmax cross-entropy of one group of logits; see `csk_softmax_cross_entropy`.
  ///
  /// - Parameters:
  ///   - labels: of the whole batch.
  ///   - gradient: of `gradientScale` times the summed loss; nil in evaluation.
  ///   - outcome: receives each sample's prediction and the rank of its label.
  /// - Returns: the group's summed loss; nil if a label is not a class.
  func softmaxCrossEntropy(
    group: Int, labels: Labels, smoothing: Float, gradientScale: Float, gradient: Tensor?,
    outcome: BatchPredictions
  ) -> Double? {
    let first = group * lanes
    var loss = 0.0
    let status = unsafe csk_softmax_cross_entropy(
      base + group * groupStride, Int32(shape.channels), Int32(lanes),
      Int32(liveLanes(group: group)), labels.buffer.base + first, smoothing, gradientScale,
      gradient.map { unsafe $0.base + group * groupStride }, &loss,
      outcome.predictions.base + first, outcome.ranks.base + first)
    if status == csk_status_invalid_argument { return nil }
    expectOK(status, "csk_softmax_cross_entropy")
    return loss
  }
}
