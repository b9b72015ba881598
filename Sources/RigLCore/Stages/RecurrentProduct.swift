/// The product of a recurrent layer's state with its weights, W h, one step after the other, and its
/// gradients: going back step by step Wᵀ dy alone; dW afterwards, over all steps at once, from the states
/// and the gradients of gates that are then all there.
///
/// A step's work is cut into chunks that own some features of the state, with all their gates, so that
/// who has multiplied can go on with these at once.
final class RecurrentProduct {
  let weights: LayerWeights
  private let cell: RecurrentCell
  private let hidden: Int
  private let connections: SparseWeights?
  private let sparse: SparseProduct?
  private let dense: DenseProduct?

  /// A product at a place whose input are the states before each step of a window, and whose output's
  /// gradient is that of the gates.
  init(_ layer: Recurrence, _ site: StageSite) throws(RigLError) {
    (cell, hidden) = (layer.cell, layer.hidden)
    let isWhole = site.connections == layer.inputs * layer.outputs
    guard layer.canBeSparse, site.isVariable || !isWhole else {
      let product = DenseProduct(layer, site)
      guard let weights = product.weights else { trap("DenseProduct: no weights") }
      (self.weights, dense, sparse, connections) = (weights, product, nil, nil)
      return
    }
    var forward = ConnectionList.Layout.linear(lanes: site.lanes)
    forward.rowUnit = layer.hidden
    let connections = try SparseWeights(
      name: layer.name, shape: layer.shape, connections: site.connections ?? 0, forward: forward,
      backward: .linear(lanes: site.lanes),
      variation: site.storageBelow.map { SparseWeights.Variation(denseFrom: $0) })
    weights = LayerWeights(
      layer, input: site.layerInput, weight: connections.parameter, bias: layer.makeBias(),
      connections: connections)
    sparse = SparseProduct(weights, connections, site)
    dense = site.isVariable ? DenseProduct(weights, site) : nil
    self.connections = connections
    dense?.hasPanels = isDense
  }

  /// Whether every weight is stored, and products are dense.
  private var isDense: Bool { connections.map { $0.storage == .dense } ?? true }

  /// Bytes of a dense product's panels.
  var panelBytes: Int { dense?.panelBytes ?? 0 }

  var gradientSource: (any GradientSource)? { sparse?.gradientSource }

  func weightsDidChange() {
    sparse?.weightsDidChange()
    if connections != nil { dense?.hasPanels = isDense }
  }

  func work(_ counts: StepCounts) -> [StepStage: StageWork] {
    counts.product(
      inputs: hidden, outputs: weights.outputs, weights: weights.count,
      connections: isDense ? nil : connections, makesInputGradient: true, readsOutput: false)
  }

  // MARK: - A step

  /// Brings the weights into the order that steps read them in, before the first one.
  func begin(_ pass: Pass) {
    if !isDense { connections?.refreshForwardWeights(pass.pool) }
  }

  /// Chunks of a step forward.
  var forwardChunks: Int {
    guard let list = connections?.forward, !isDense else { return denseChunks }
    return list.slabs / cell.gates
  }

  /// Chunks of a step back.
  var backwardChunks: Int {
    guard let list = connections?.backward, !isDense else { return denseChunks }
    return list.slabs
  }

  /// The features that a chunk owns, forward and back.
  func features(ofForward chunk: Int) -> Range<Int> {
    guard let list = connections?.forward, !isDense else { return denseFeatures(chunk) }
    return list.rows(of: chunk..<chunk + 1)
  }

  func features(ofBackward chunk: Int) -> Range<Int> {
    guard let list = connections?.backward, !isDense else { return denseFeatures(chunk) }
    return list.rows(of: chunk..<chunk + 1)
  }

  /// result = W h for all gates of a chunk's features, on some groups of `states`; those of the result
  /// begin with `first`.
  func multiply(
    chunk: Int, _ states: Tensor, groups: Range<Int>, into result: Tensor, first: Int
  ) {
    let x = unsafe states.base + groups.lowerBound * states.groupStride
    let y = unsafe result.base + first * result.groupStride
    if let connections, !isDense {
      for gate in 0..<cell.gates {
        let slab = gate * forwardChunks + chunk
        unsafe connections.forward.multiply(
          slabs: slab..<slab + 1, groups: groups.count, lanes: states.lanes,
          weights: connections.forwardBase, x: x, stride: states.groupStride, y: y,
          stride: result.groupStride)
      }
      return
    }
    let features = denseFeatures(chunk)
    for group in 0..<groups.count {
      let h = unsafe MatrixView(base: x + group * states.groupStride, stride: states.lanes)
      let rows = unsafe MatrixView(base: y + group * result.groupStride, stride: states.lanes)
      for gate in 0..<cell.gates {
        let row = gate * hidden + features.lowerBound
        unsafe denseProduct(
          weight.row(row), h, into: rows.row(row), m: features.count, n: states.lanes, k: hidden)
      }
    }
  }

  /// result = Wᵀ dy for a chunk's features, on some groups of the gates' gradient, into the first
  /// groups of the result.
  func multiplyBack(chunk: Int, _ gradient: Tensor, groups: Range<Int>, into result: Tensor) {
    let dy = unsafe gradient.base + groups.lowerBound * gradient.groupStride
    if let connections, !isDense {
      // Rows of the backward list are inputs, so this is the forward product of the transposed weights.
      return unsafe connections.backward.multiply(
        slabs: chunk..<chunk + 1, groups: groups.count, lanes: gradient.lanes,
        weights: UnsafePointer(connections.parameter.values.base), x: dy,
        stride: gradient.groupStride, y: result.base, stride: result.groupStride)
    }
    let features = denseFeatures(chunk)
    for group in 0..<groups.count {
      let rows = unsafe MatrixView(
        base: UnsafeMutablePointer(mutating: dy) + group * gradient.groupStride,
        stride: gradient.lanes)
      let target = unsafe MatrixView(
        base: result.base + group * result.groupStride, stride: gradient.lanes)
      let columns = unsafe MatrixView(base: weight.base + features.lowerBound, stride: hidden)
      unsafe denseProduct(
        transposeA: true, columns, rows, into: target.row(features.lowerBound), m: features.count,
        n: gradient.lanes, k: weights.outputs)
    }
  }

  private var weight: MatrixView {
    unsafe MatrixView(base: weights.weight.values.base, stride: hidden)
  }

  /// Features of a chunk of dense products: long enough for them, and some for each of a few threads.
  private var denseLength: Int { max(64, hidden.dividedUp(by: 4).dividedUp(by: 32) * 32) }
  private var denseChunks: Int { hidden.dividedUp(by: denseLength) }
  private func denseFeatures(_ chunk: Int) -> Range<Int> {
    chunk * denseLength..<min((chunk + 1) * denseLength, hidden)
  }

  // MARK: - All steps

  /// dW and db over all steps of a window.
  func sumGradient(_ pass: Pass) {
    guard isDense else {
      sparse?.backward(pass)
      return
    }
    dense?.sumGradient(pass)
    if let connections { connections.maskGradient() }
  }
}
