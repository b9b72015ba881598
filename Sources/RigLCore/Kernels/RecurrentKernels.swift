internal import CSparseKernels

/// Some features of one group of a recurrent layer's step: the part that one thread works on, with its
/// place in the operands, each (blocks of gates, features, lanes).
@unsafe
struct CellPart {
  /// Features of the state (H).
  let features: Int
  let range: Range<Int>
  let lanes: Int
  /// What comes of the input; then the gates.
  let gates: UnsafeMutablePointer<Float>
  /// What comes of the state; of a GRU in a backward pass then its gradient.
  let recurrent: UnsafeMutablePointer<Float>

  fileprivate var view: csk_cell_part {
    unsafe csk_cell_part(
      features: Int32(features), begin: Int32(range.lowerBound), end: Int32(range.upperBound),
      lanes: Int32(lanes))
  }
}

/// What a step of the way back reads and writes besides the gates, each (features, lanes).
@unsafe
struct CellGradient {
  /// The gradient of the new state, from the layers above.
  let output: UnsafePointer<Float>
  /// The same from the step after, by the product with the recurrent weights; nil: no step is after.
  let product: UnsafePointer<Float>?
  /// What reaches the state, or the cell, of the step before without a product.
  let carried: UnsafeMutablePointer<Float>
  /// The gradient of what comes of the input.
  let gates: UnsafeMutablePointer<Float>
}

extension CellPart {
  /// A GRU's new state.
  func gruForward(
    bias: Parameter?, state: UnsafePointer<Float>, next: UnsafeMutablePointer<Float>
  ) {
    var view = unsafe self.view
    let status = unsafe csk_gru_forward(
      &view, gates, recurrent, bias.map { unsafe UnsafePointer($0.values.base) }, state, next)
    expectOK(status, "csk_gru_forward")
  }

  /// The gradients of a GRU's step.
  func gruBackward(state: UnsafePointer<Float>, _ gradient: CellGradient) {
    var view = unsafe self.view
    let status = unsafe csk_gru_backward(
      &view, gates, recurrent, state, gradient.output, gradient.product, gradient.carried,
      gradient.gates)
    expectOK(status, "csk_gru_backward")
  }

  /// An LSTM's new cell and state.
  func lstmForward(
    bias: Parameter?, cell: UnsafePointer<Float>, nextCell: UnsafeMutablePointer<Float>,
    next: UnsafeMutablePointer<Float>
  ) {
    var view = unsafe self.view
    let status = unsafe csk_lstm_forward(
      &view, gates, recurrent, bias.map { unsafe UnsafePointer($0.values.base) }, cell, nextCell,
      next)
    expectOK(status, "csk_lstm_forward")
  }

  /// The gradients of an LSTM's step.
  func lstmBackward(
    cell: UnsafePointer<Float>, nextCell: UnsafePointer<Float>, _ gradient: CellGradient
  ) {
    var view = unsafe self.view
    let status = unsafe csk_lstm_backward(
      &view, gates, cell, nextCell, gradient.output, gradient.product, gradient.carried,
      gradient.gates)
    expectOK(status, "csk_lstm_backward")
  }
}
