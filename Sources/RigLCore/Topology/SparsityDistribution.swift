/// The sizes of a layer's weights that a sparsity distribution goes by.
package struct SparsifiableLayer: Hashable, Sendable {
  /// The layer's name, unique in its network.
  package let name: String
  /// The weights' dense shape: OIHW for a convolution, (out, in) for a linear layer, (out, in, …) for an
  /// own one.
  package let shape: [Int]
  /// Whether the layer is the network's first one, which `uniform` leaves dense.
  package let isFirst: Bool
  /// Whether the layer is the network's last one.
  package let isLast: Bool
  /// False for what is dense under every distribution: depthwise convolutions, embeddings.
  package let canBeSparse: Bool

  /// Positions in the dense shape (N_l).
  package let positions: Int

  /// Creates a layer; every dimension of its shape is at least 1.
  package init(
    name: String, shape: [Int], isFirst: Bool = false, isLast: Bool = false,
    canBeSparse: Bool = true
  ) {
    trap(
      unless: shape.count >= 2,
      "layer '\(name)': shape \(shape) has \(shape.count) dimensions, expected 2 or more")
    trap(unless: shape.allSatisfy { $0 > 0 }, "layer '\(name)': shape \(shape) has no positions")
    self.name = name
    self.shape = shape
    self.isFirst = isFirst
    self.isLast = isLast
    self.canBeSparse = canBeSparse
    positions = shape.reduce(1) { product, dimension in
      let (result, overflow) = product.multipliedReportingOverflow(by: dimension)
      trap(unless: !overflow, "layer '\(name)': shape \(shape) has more than \(Int.max) positions")
      return result
    }
  }
}

/// How sparse each layer of a network is.
///
/// The sparsity S is asked of the layers that take part; s_l is what a layer gets, and
/// N_l − floor(s_l N_l) of its N_l positions are active.
///
/// - uniform: s_l = S; the first layer is dense.
/// - Erdős–Rényi: s_l = 1 − ε p_l with p_l = (n_in + n_out) / (n_in n_out).
/// - Erdős–Rényi-kernel: p_l = Σ dims / Π dims, over the kernel's height and width too.
///
/// ε gives the layers that take part as many connections together as uniform would. Layers whose
/// density ε p_l exceeds 1 become dense and the others pay for it.
///
/// Reference: Evci et al., *Rigging the Lottery: Making All Tickets Winners*, ICML 2020, section 3.
/// <https://arxiv.org/abs/1911.11134>
public struct SparsityDistribution: Hashable, Sendable {
  /// The rule that shares connections out among the layers.
  public enum Kind: String, Hashable, Sendable, Codable, CaseIterable {
    /// Every layer has the same sparsity.
    case uniform
    /// Erdős–Rényi, on input and output channels.
    case erdosRenyi = "er"
    /// Erdős–Rényi-kernel, on all dimensions.
    case erdosRenyiKernel = "erk"
  }

  /// The rule.
  package var kind: Kind
  /// The sparsity asked of the layers that take part (S), in [0, 1).
  package var sparsity: Double
  /// Whether `uniform` makes the first layer sparse too; the first layer takes part in the other
  /// distributions in any case.
  package var firstLayerSparse: Bool
  /// Whether the last layer stays dense and out of the budget, under every distribution.
  package var lastLayerDense: Bool
  /// Sparsities by layer name, which go before everything else; these layers leave the budget.
  package var overrides: [String: Double]

  /// Creates a distribution; nothing is checked before ``validate()`` or ``allocate(over:)``.
  package init(
    _ kind: Kind, sparsity: Double, firstLayerSparse: Bool = false, lastLayerDense: Bool = false,
    overrides: [String: Double] = [:]
  ) {
    self.kind = kind
    self.sparsity = sparsity
    self.firstLayerSparse = firstLayerSparse
    self.lastLayerDense = lastLayerDense
    self.overrides = overrides
  }

  /// Throws a configuration error if a sparsity lies outside [0, 1).
  package func validate() throws(RigLError) {
    // Written so that NaN fails.
    func isUsable(_ sparsity: Double) -> Bool { sparsity >= 0 && sparsity < 1 }
    let hint = "1 would leave no connection; 0.9 keeps one in ten"
    guard isUsable(sparsity) else {
      throw RigLError(.configuration, "sparsity \(sparsity) is outside [0, 1)", hint: hint)
    }
    for (name, sparsity) in overrides.sorted(by: { $0.key < $1.key }) where !isUsable(sparsity) {
      throw RigLError(
        .configuration, "sparsity \(sparsity) of layer '\(shortened(name))' is outside [0, 1)",
        hint: hint)
    }
  }

  /// The sparsity of every layer of a network.
  ///
  /// For the Erdős–Rényi distributions the dense set D starts empty. With
  /// zeros_l = floor(S N_l) for the layers that take part,
  ///
  ///     ε = (Σ_{l∉D} (N_l − zeros_l) − Σ_{l∈D} zeros_l) / Σ_{l∉D} p_l N_l,
  ///
  /// and while some p_l ε > 1, every layer whose p_l equals the largest joins D.
  ///
  /// - Parameter layers: all layers with weights, in the network's order; names are unique.
  /// - Throws: `configuration`, for a sparsity outside [0, 1), a name in ``overrides`` that no
  ///   layer has or whose layer can only be dense, and a budget that no layer is left to meet.
  package func allocate(over layers: [SparsifiableLayer]) throws(RigLError) -> SparsityAllocation {
    trap(
      unless: Set(layers.map(\.name)).count == layers.count,
      "allocate: layer names are not unique: \(layers.map(\.name))")
    try validate()
    try validateOverrides(layers)

    let participants = layers.filter(takesPart)
    var sparsities = overrides
    var budget = Budget(epsilon: nil, dense: [])
    if kind == .uniform {
      for layer in participants { sparsities[layer.name] = sparsity }
    } else if !participants.isEmpty {
      budget = try erdosRenyiBudget(participants)
      for layer in participants where !budget.dense.contains(layer.name) {
        // Of a density below the precision of 1 - p, the difference would be 1.
        sparsities[layer.name] = budget.epsilon.map {
          min(1 - $0 * unscaledDensity(layer), Double(1).nextDown)
        }
      }
    } else if sparsity > 0, !everyChoiceIsOverridden(layers) {
      throw unmeetable("all of them have to be dense")
    }
    return SparsityAllocation(
      layers: layers.map { layer in
        LayerSparsity(
          name: layer.name, positions: layer.positions, sparsity: sparsities[layer.name] ?? 0)
      },
      epsilon: budget.epsilon,
      denseSet: layers.map(\.name).filter(budget.dense.contains))
  }
}

// MARK: - The steps of the allocation

extension SparsityDistribution {
  private struct Budget {
    var epsilon: Double?
    var dense: Set<String>
  }

  private func validateOverrides(_ layers: [SparsifiableLayer]) throws(RigLError) {
    let sparse = layers.filter(\.canBeSparse).map(\.name)
    let names = layers.map(\.name)
    let known = Set(names)
    let unknown = overrides.keys.filter { !known.contains($0) }.sorted()
    if !unknown.isEmpty {
      throw .unknownNames(unknown, kind: "layer", in: "the sparsity map", valid: names)
    }
    for layer in layers where !layer.canBeSparse {
      guard let sparsity = overrides[layer.name], sparsity > 0 else { continue }
      throw RigLError(
        .configuration, "layer '\(layer.name)' can only be dense, the map asks for \(sparsity)",
        hint: "layers that can be sparse: \(listed(sparse))")
    }
  }

  /// Whether a layer is inside the budget that the distribution shares out.
  private func takesPart(_ layer: SparsifiableLayer) -> Bool {
    if !layer.canBeSparse || overrides[layer.name] != nil { return false }
    if layer.isLast && lastLayerDense { return false }
    return !(layer.isFirst && kind == .uniform && !firstLayerSparse)
  }

  /// Whether the map alone decides, so that leaving no layer to share out among is no mistake.
  private func everyChoiceIsOverridden(_ layers: [SparsifiableLayer]) -> Bool {
    let choices = layers.filter { $0.canBeSparse && !(lastLayerDense && $0.isLast) }
    return !choices.isEmpty && choices.allSatisfy { overrides[$0.name] != nil }
  }

  /// A layer's density before it is scaled by ε (p_l).
  private func unscaledDensity(_ layer: SparsifiableLayer) -> Double {
    let dimensions = kind == .erdosRenyi ? Array(layer.shape.prefix(2)) : layer.shape
    return Double(dimensions.reduce(0, +)) / Double(dimensions.reduce(1, *))
  }

  private func erdosRenyiBudget(_ layers: [SparsifiableLayer]) throws(RigLError) -> Budget {
    let densities = layers.map(unscaledDensity)
    let zeros = layers.map { inactivePositions(of: $0.positions, sparsity: sparsity) }
    // Nothing to remove: in exact arithmetic the last layers get p ε = 1, which rounding may exceed.
    if zeros.allSatisfy({ $0 == 0 }) { return Budget(epsilon: nil, dense: Set(layers.map(\.name))) }

    var isDense = [Bool](repeating: false, count: layers.count)
    while let largest = layers.indices.filter({ !isDense[$0] }).map({ densities[$0] }).max() {
      var connections = 0
      var divisor = 0.0
      for (l, layer) in layers.enumerated() {
        if isDense[l] {
          connections -= zeros[l]
        } else {
          connections += layer.positions - zeros[l]
          divisor += densities[l] * Double(layer.positions)
        }
      }
      let epsilon = Double(connections) / divisor
      if largest * epsilon <= 1 {
        guard epsilon > 0 else { throw unmeetable("the dense ones use up all connections") }
        let dense = layers.indices.filter { isDense[$0] }.map { layers[$0].name }
        return Budget(epsilon: epsilon, dense: Set(dense))
      }
      for l in layers.indices where densities[l] == largest { isDense[l] = true }
    }
    throw unmeetable("all of them became dense")
  }

  private func unmeetable(_ reason: String) -> RigLError {
    RigLError(
      .configuration,
      "\(kind.rawValue): sparsity \(sparsity) cannot be met, no layer is left to be sparse: "
        + reason,
      hint: "ask for another sparsity, or let more layers take part")
  }
}
