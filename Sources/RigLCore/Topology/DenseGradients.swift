extension Model {
  /// The gradient dL/dW of each sparse layer at every position, connected or not, from that of the
  /// logits: a backward pass that also writes out what growing a topology only looks at panel by
  /// panel. For diagnosis; takes the memory of the dense layers.
  ///
  /// - Returns: for each of ``sparseLayers``, (outputs · inputs) numbers.
  package func denseGradients(
    _ outputGradient: Tensor, _ pass: Pass
  ) throws(RigLError) -> [[Float]] {
    let gradient = DenseGradient(
      pool: pass.pool, layers: sparseLayers, model: self, selected: 0)
    var collected = sparseLayers.map { _ in [Float]() }
    try backward(outputGradient, pass) { source in
      guard let index = sparseLayers.firstIndex(where: { $0 === source.connections }) else {
        return
      }
      gradient.begin(source, nil)
      collected[index] = gradient.array()
    }
    return collected
  }
}
