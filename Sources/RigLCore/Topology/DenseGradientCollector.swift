/// Keeps the dense gradient of every sparse layer that a backward pass comes by.
private final class DenseGradientCollector: ConnectionMover {
  private let gradient: DenseGradient
  private let layers: [SparseWeights]
  private(set) var collected: [[Float]]

  init(_ model: Model, pool: ThreadPool) {
    layers = model.sparseLayers
    collected = layers.map { _ in [] }
    gradient = DenseGradient(pool: pool, layers: layers, model: model, selected: 0)
  }

  func move(_ weights: SparseWeights, _ operands: GradientOperands) {
    guard let index = layers.firstIndex(where: { $0 === weights }) else { return }
    gradient.begin(operands)
    collected[index] = gradient.array()
  }
}

extension Model {
  /// The gradient dL/dW of each sparse layer at every position, connected or not, from that of the
  /// logits: a backward pass that also writes out what growing a topology only looks at panel by
  /// panel. For diagnosis; takes the memory of the dense layers.
  ///
  /// - Returns: for each of ``sparseLayers``, (outputs · inputs) numbers.
  public func denseGradients(
    _ outputGradient: Tensor, _ pass: Pass
  ) throws(RigLError) -> [[Float]] {
    let collector = DenseGradientCollector(self, pool: pass.pool)
    pass.connectionMover = collector
    defer { pass.connectionMover = nil }
    try backward(outputGradient, pass)
    return collector.collected
  }
}
