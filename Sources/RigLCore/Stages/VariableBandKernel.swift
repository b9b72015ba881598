/// Connections whose number changes: dense bands while nearly all positions have one, sparse ones
/// afterwards.
final class VariableBandKernel: BandKernel {
  private let dense: DenseBandKernel
  private let sparse: SparseBandKernel
  private let weights: SparseWeights

  init(
    name: String, _ geometry: BandGeometry, connections: Int, storageBelow: Double
  ) throws(RigLError) {
    let shape = geometry.shape
    sparse = try SparseBandKernel(
      name: name, geometry, connections: connections,
      variation: .init(denseFrom: storageBelow) { DenseBandKernel.place(of: $0, shape) })
    weights = sparse.weights
    dense = DenseBandKernel(weights.parameter, geometry)
  }

  /// The state of the weights that the dense kernel's copy is of.
  private var seen = -1

  /// Has the dense kernel copy weights anew that have changed, whoever changed them.
  private func look() {
    guard seen != weights.changes else { return }
    seen = weights.changes
    dense.weightsDidChange()
  }

  private var current: any BandKernel { weights.storage == .dense ? dense : sparse }

  var weight: Parameter { weights.parameter }

  var connections: SparseWeights? { weights }

  func weightsDidChange() {
    sparse.weightsDidChange()
    look()
  }

  func willRunForward(_ pass: Pass) {
    look()
    current.willRunForward(pass)
  }

  func willRunBackward(_ pass: Pass) {
    look()
    current.willRunBackward(pass)
  }

  var forwardParts: Int { current.forwardParts }

  func outputs(of parts: Range<Int>) -> Range<Int> { current.outputs(of: parts) }

  func forward(
    _ parts: Range<Int>, rows: Int, packed: UnsafeMutablePointer<Float>,
    product: UnsafeMutablePointer<Float>
  ) {
    unsafe current.forward(parts, rows: rows, packed: packed, product: product)
  }

  func backward(
    rows: Int, gradient: UnsafeMutablePointer<Float>, activation: UnsafeMutablePointer<Float>,
    activationGradient: UnsafeMutablePointer<Float>, wantsActivationGradient: Bool,
    weightGradient: UnsafeMutablePointer<Float>, accumulate: Bool
  ) {
    unsafe current.backward(
      rows: rows, gradient: gradient, activation: activation,
      activationGradient: activationGradient, wantsActivationGradient: wantsActivationGradient,
      weightGradient: weightGradient, accumulate: accumulate)
  }
}
