/// A table of vectors, one for each token: the first layer of a network on tokens, whose samples are a
/// token's number each. Never sparse.
package struct Embedding: WeightLayer, PlannedLayer {
  package let name: String
  /// Tokens that there are: rows of the table.
  package let tokens: Int
  /// Numbers of a vector: columns of the table.
  package let features: Int
  /// Whether a ``TiedLinear`` shares the table.
  package let isTied: Bool

  /// Creates a layer.
  package init(_ name: String, tokens: Int, features: Int, isTied: Bool = false) {
    trap(
      unless: tokens > 0 && features > 0,
      "layer \(name): \(tokens) tokens, \(features) features; it needs at least one of each")
    (self.name, self.tokens, self.features, self.isTied) = (name, tokens, features, isTied)
  }

  package var inputs: Int { features }
  package var outputs: Int { tokens }
  package var hasBias: Bool { false }
  package var canBeSparse: Bool { false }
  package var fusing: Fusing { .keepsGradient }
  package var kind: String { "Embedding(\(tokens) tokens)" }

  /// What it costs; of a shared table the products that share it, too.
  package func accounted(of input: SampleShape) -> AccountedLayer {
    isTied
      ? .linear(name, inputs: features, outputs: tokens, hasBias: false)
      : .embedding(name, rows: tokens, features: features)
  }

  package func outputShape(of input: SampleShape) throws(RigLError) -> SampleShape {
    guard input.count == 1 else {
      throw RigLError(
        .configuration,
        "layer \(name): an embedding takes one token a sample, but its input has \(input.count) "
          + "values")
    }
    return SampleShape(channels: features)
  }

  package func makeStage(_ site: StageSite) throws(RigLError) -> any Stage {
    EmbeddingLookup(self, site)
  }

  /// Nil: a token has no strips.
  package func strip(of input: SampleShape) -> SampleShape? { nil }
}

/// y = E x (+ b), E the table of an ``Embedding`` before it: logits of tokens by the vectors that tokens
/// have as input. Press and Wolf, EACL 2017.
package struct TiedLinear: PlannedLayer {
  package let name: String
  private let embedding: Embedding
  private let hasBias: Bool

  /// Creates a layer that shares the table of a tied embedding.
  package init(_ name: String, to embedding: Embedding, bias: Bool = true) {
    trap(
      unless: embedding.isTied, "layer \(name): \(embedding.name) is not made as a tied embedding")
    (self.name, self.embedding, hasBias) = (name, embedding, bias)
  }

  package var nameInFiles: String? { name }
  package var sharedLayer: String? { embedding.name }
  package var fusing: Fusing { .appliesEpilogue }
  package var kind: String { "TiedLinear(to \(embedding.name))" }

  package func outputShape(of input: SampleShape) throws(RigLError) -> SampleShape {
    guard input.count == embedding.features else {
      throw RigLError(
        .configuration,
        "layer \(name): vectors of \(embedding.name) have \(embedding.features) features, but its "
          + "input has \(input.count) values a sample")
    }
    return SampleShape(channels: embedding.tokens)
  }

  package func makeStage(_ site: StageSite) throws(RigLError) -> any Stage {
    guard let shared = site.sharedWeights, shared.shape == embedding.shape else {
      throw RigLError(
        .configuration, "layer \(name): there is no embedding \(embedding.name) before it",
        hint: "Put the embedding that it shares its weights with into the same network.")
    }
    let bias =
      hasBias
      ? Parameter(
        name: "\(name).bias", shape: [embedding.tokens], count: embedding.tokens, decays: false)
      : nil
    return TiedProduct(shared, bias: bias, site)
  }

  /// Nil: a vector has no strips.
  package func strip(of input: SampleShape) -> SampleShape? { nil }
}
