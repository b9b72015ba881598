/// y = the row of a table that a sample's token numbers.
final class EmbeddingLookup: PlacedStage {
  let site: StageSite
  let weights: LayerWeights?
  private let table: Parameter
  /// Whether each group's tokens are rows of the table.
  private var isRead: AlignedBuffer<Bool>

  init(_ layer: Embedding, _ site: StageSite) {
    self.site = site
    table = Parameter(
      name: "\(layer.name).weight", shape: layer.shape, count: layer.tokens * layer.features,
      decays: true)
    weights = LayerWeights(layer, input: site.layerInput, weight: table, bias: nil)
    isRead = AlignedBuffer(count: site.capacity.dividedUp(by: site.lanes))
  }

  var timing: StageTiming { StageTiming(.other) }

  func forward(_ pass: Pass) throws(RigLError) {
    output.samples = input.samples
    pass.pool.run(chunks: input.groups, with: self) { stage, group, _ in
      unsafe stage.isRead.base[group] = stage.output.embed(
        group: group, table: stage.table, tokens: stage.input)
    }
    for group in 0..<input.groups where !isRead[group] { throw unknownToken(group) }
  }

  private func unknownToken(_ group: Int) -> RigLError {
    let samples = group * input.lanes..<group * input.lanes + input.liveLanes(group: group)
    let rows = Float(table.shape[0])
    for sample in samples {
      let token = input[sample, 0]
      if token >= 0, token < rows, token == token.rounded() { continue }
      return RigLError(
        .data,
        "token \(token) of sample \(sample): \(weights?.name ?? "") has rows for 0..<\(table.shape[0])",
        hint: "Tokens are whole numbers.")
    }
    trap("EmbeddingLookup: tokens of group \(group)")
  }

  /// Some features are a thread's share: it alone adds to them, group by group.
  func backward(_ pass: Pass) {
    if weights?.isShared != true, !pass.accumulatesGradients { table.gradient.fill(0) }
    let features = output.shape.count
    pass.pool.run(chunks: features.dividedUp(by: EmbeddingLookup.owned), with: self) {
      stage, chunk, _ in
      let first = chunk * EmbeddingLookup.owned
      let some = first..<min(first + EmbeddingLookup.owned, stage.output.shape.count)
      stage.outputGradient.addEmbedGradient(features: some, to: stage.table, tokens: stage.input)
    }
    // What comes before has no part in which token it is.
    inputGradient?.samples = input.samples
    inputGradient?.zero()
  }

  /// Features of a share: a cache line of the table.
  private static let owned = 16
}

/// y = E x + b with the table of an embedding: dense products. Its backward pass comes before the
/// embedding's, and begins the table's gradient.
final class TiedProduct: PlacedStage {
  let site: StageSite
  let parameters: [Parameter]
  private let product: DenseProduct

  init(_ shared: LayerWeights, bias: Parameter?, _ site: StageSite) {
    self.site = site
    shared.isShared = true
    parameters = bias.map { [$0] } ?? []
    product = DenseProduct(
      LayerWeights(shared.layer, input: site.layerInput, weight: shared.weight, bias: bias), site)
  }

  var timing: StageTiming { product.timing }
  func work(_ counts: StepCounts) -> [StepStage: StageWork] { product.work(counts) }
  func forward(_ pass: Pass) { product.forward(pass) }
  func backward(_ pass: Pass) { product.backward(pass) }
}
