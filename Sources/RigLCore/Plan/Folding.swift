// Batch-norm in the weights, where nothing will be trained: W' = scale · W, b' = scale · b + shift.

extension Plan {
  /// Folds every batch-norm whose input is a convolution's output and nobody else's.
  func foldBatchNorms() {
    for number in writtenOrder where nodes[number].canFold {
      guard let norm = nodes[number].outputNorm, !norms[norm].isFolded,
        let stage = stages[number] as? any FoldingStage
      else { continue }
      stage.fold(norms[norm])
    }
  }
}

/// A stage whose weights can contain the batch-norm after it.
protocol FoldingStage: Stage {
  /// Leaves a batch-norm's work to the weights, for good.
  func fold(_ norm: Normalization)
}
