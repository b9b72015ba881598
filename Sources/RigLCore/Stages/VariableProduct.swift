/// y = W x + b with connections whose number changes: dense products while nearly all positions have one,
/// sparse ones afterwards.
final class VariableProduct: PanelStage {
  let weights: LayerWeights?
  private let connections: SparseWeights
  private let dense: DenseProduct
  private let sparse: SparseProduct

  init(_ layer: SparseLinear, _ site: StageSite) throws(RigLError) {
    connections = try SparseWeights(
      name: layer.name, outputs: layer.outputs, inputs: layer.inputs,
      connections: site.connections ?? 0, lanes: site.lanes,
      variation: SparseWeights.Variation(denseFrom: site.storageBelow ?? 1))
    let weights = LayerWeights(
      layer, input: site.input.shape, weight: connections.parameter, bias: layer.makeBias(),
      connections: connections)
    self.weights = weights
    dense = DenseProduct(weights, site)
    sparse = SparseProduct(weights, connections, site)
    dense.hasPanels = isDense
  }

  /// Bytes of the dense product's panels.
  var panelBytes: Int { dense.panelBytes }

  private var isDense: Bool { connections.storage == .dense }

  func weightsDidChange() {
    sparse.weightsDidChange()
    dense.hasPanels = isDense
  }

  var gradientSource: (any GradientSource)? { sparse.gradientSource }

  var timing: StageTiming { sparse.timing }

  func work(_ counts: StepCounts) -> [StepStage: StageWork] {
    isDense ? dense.work(counts) : sparse.work(counts)
  }

  func forward(_ pass: Pass) {
    if isDense { dense.forward(pass) } else { sparse.forward(pass) }
  }

  func backward(_ pass: Pass) {
    guard isDense else { return sparse.backward(pass) }
    dense.backward(pass)
    connections.maskGradient()
  }
}
