/// How a network's floating-point operations and bytes are counted.
///
/// Only layers with weights count; batch-norm, pooling and softmax do not.
///
/// Reference: Evci et al., *Rigging the Lottery: Making All Tickets Winners*, ICML 2020,
/// appendix H. <https://arxiv.org/abs/1911.11134>
public enum Accounting: String, Hashable, Sendable, Codable, CaseIterable {
  /// The FLOPs and bytes of this program.
  ///
  /// - FLOPs of a sample: at each output position 2 for every connection and 1 for every bias that
  ///   exists.
  /// - Bytes, as a model is stored: a connection of a sparse layer takes 4 for its value and 4 for
  ///   its column, each of the (out + 1) row offsets 8, a position of a dense layer 4, a bias 4.
  case real
  /// The counting of the published figures, in which connections are fractions, not rounded.
  ///
  /// - FLOPs of a sample: E (2v + 1) for E outputs and v = fan-in · (1 − s), as if every layer had
  ///   biases. A depthwise layer of C channels counts as one output channel of fan-in k² C. The
  ///   output has o = ceil((i − k + 1 + 2⌊k/2⌋) / stride) rows and as many columns.
  /// - Bits: 32 (1 − s) N, N more as the mask if s > 0, and 32 for each output channel.
  case paper
}

/// The cost of a layer or a network: FLOPs of a sample's forward pass, and bytes.
public struct Cost: Hashable, Sendable {
  /// Floating-point operations of the forward pass on one sample; whole numbers under
  /// ``Accounting/real``.
  public var flops: Double
  /// Bytes in storage; whole numbers under ``Accounting/real``.
  public var bytes: Double

  /// Creates a cost.
  package init(flops: Double, bytes: Double) {
    self.flops = flops
    self.bytes = bytes
  }
}

extension Accounting {
  /// The cost of a layer.
  public func cost(of layer: AccountedLayer) -> Cost {
    switch self {
    case .real: realCost(of: layer)
    case .paper: paperCost(of: layer)
    }
  }

  /// The sum of the costs of layers.
  package func cost(of layers: [AccountedLayer]) -> Cost {
    layers.reduce(into: Cost(flops: 0, bytes: 0)) { total, layer in
      let cost = cost(of: layer)
      total.flops += cost.flops
      total.bytes += cost.bytes
    }
  }

  private func realCost(of layer: AccountedLayer) -> Cost {
    let biases = layer.hasBias ? layer.outputs : 0
    let outputPositions = layer.outputHeight * layer.outputWidth
    let weightBytes =
      layer.isStoredSparse
      ? (4 + 4) * layer.connections + 8 * (layer.outputs + 1) : 4 * layer.positions
    return Cost(
      flops: layer.kind == .embedding
        ? 0 : Double(outputPositions * (2 * layer.connections + biases)),
      bytes: Double(weightBytes + 4 * biases))
  }

  private func paperCost(of layer: AccountedLayer) -> Cost {
    let channels = layer.kind == .depthwise ? layer.outputs / layer.inputs : layer.outputs
    let fanIn = layer.inputs * layer.shape.dropFirst(2).reduce(1, *)
    let side =
      (layer.paperInputSize - layer.kernel + 1 + layer.kernel / 2 * 2).dividedUp(by: layer.stride)
    let places = layer.kind == .shared ? layer.outputWidth : side * side
    let density = 1 - layer.sparsity

    let connectionsOfOutput = Double(fanIn) * density  // v
    let outputs = Double(places * channels)  // E
    let positions = Double(layer.positions)
    if layer.kind == .embedding { return Cost(flops: 0, bytes: 4 * positions) }
    let bits =
      32 * density * positions + (layer.sparsity > 0 ? positions : 0) + 32 * Double(channels)
    return Cost(flops: outputs * (2 * connectionsOfOutput + 1), bytes: bits / 8)
  }
}
