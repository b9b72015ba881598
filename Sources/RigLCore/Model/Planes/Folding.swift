// Batch-norm in the weights, where nothing will be trained: W' = scale · W, b' = scale · b + shift.

extension Sequential {
  /// Folds every batch-norm whose input is a convolution's output and nobody else's.
  func foldBatchNorms() {
    for (place, layer) in layers.enumerated() {
      switch layer {
      case let convolution as Conv2d:
        let next = place + 1 < layers.count ? layers[place + 1] as? BatchNorm : nil
        if let next, !next.isFolded { convolution.fold(next) }
      case let block as Residual:
        // What comes before both branches stays: a shortcut may pass it by.
        block.main.foldBatchNorms()
        block.shortcut.foldBatchNorms()
      case let layers as Sequential: layers.foldBatchNorms()
      default: break
      }
    }
  }
}

extension Conv2d {
  fileprivate func fold(_ norm: BatchNorm) {
    let (scale, shift) = norm.fold()
    if let connections {
      connections.scaleOutputs(by: scale)
    } else {
      for position in 0..<weight.count {
        weight.values[place(of: position)] *= scale[position / inputs]
      }
    }
    let folded = Parameter(
      name: "\(name).folded", shape: [outputs], count: outputs, decays: false)
    for output in 0..<outputs {
      folded.values[output] = scale[output] * (bias?.values[output] ?? 0) + shift[output]
    }
    work.foldedBias = folded
  }
}
