// The norm of the gradient: what clipping goes by, and what is kept of it to look at.

extension TrainingStep {
  /// The norm of the gradients at hand of all parameters together: of active connections, biases and
  /// batch-norms.
  ///
  /// - Parameter mean: the factor that makes them means over the accumulated samples.
  /// - Throws: `RigLError(.numerical)` where it is no number.
  func gradientNorm(mean: Float) throws(RigLError) -> Double {
    let norm = optimizer.gradientNorm(pool: pass.pool) * Double(mean)
    guard norm.isFinite else {
      throw notFinite("the gradients' norm is \(norm)", hasGradients: true)
    }
    return norm
  }

  /// Whether the norm of the first gradient is still to be taken: nothing has moved yet.
  var isInitialNormDue: Bool {
    settings.tracksGradientNorm && weightSteps == 0 && topology?.last ?? -1 < 0
  }

  /// The norm of the first batch's gradient, where an update takes the place of its weight step. It is
  /// taken by a pass of its own, since connections move as soon as the gradient of their layer is
  /// complete; the update then sees the batch again, as updates of several batches do.
  ///
  /// - Returns: nil where there is no such update, or nobody asked.
  func measureInitialNorm(
    before timing: TopologyTiming, on batch: Batch
  ) throws(RigLError) -> Double? {
    guard isInitialNormDue, !isUpdating, isUpdateDue(timing) else { return nil }
    let logits = try model.forward(batch.inputs, pass)
    let loss = try loss.evaluate(
      logits, labels: batch.labels, gradient: logitsGradient, outcome: outcome, pass: pass)
    // The update's own pass says what is wrong.
    guard loss.isFinite else { return nil }
    try model.backward(logitsGradient, pass)
    pass.isRepeated = true
    return try gradientNorm(mean: 1)
  }
}
