/// Positions without a connection: floor(s_l N_l), less than N_l for every sparsity below 1.
func inactivePositions(of positions: Int, sparsity: Double) -> Int {
  Int((sparsity * Double(positions)).rounded(.down))
}

/// Positions that pruning by a density leaves a connection: round(density · N), half up, at least 1.
func keptPositions(of positions: Int, density: Double) -> Int {
  max(Int((Double(positions) * density + 0.5).rounded(.down)), 1)
}

/// The sparsity of one layer and what it comes to.
package struct LayerSparsity: Hashable, Sendable {
  /// The layer's name.
  package let name: String
  /// Positions in its dense shape (N_l).
  package let positions: Int
  /// Its sparsity (s_l), in [0, 1); 0 is a dense layer.
  package let sparsity: Double
  /// Its active connections: N_l − floor(s_l N_l).
  package let connections: Int

  /// Creates the figures of a layer from its sparsity, in [0, 1).
  package init(name: String, positions: Int, sparsity: Double) {
    trap(
      unless: sparsity >= 0 && sparsity < 1,
      "layer '\(name)': sparsity \(sparsity) is outside [0, 1)")
    self.name = name
    self.positions = positions
    self.sparsity = sparsity
    connections = positions - inactivePositions(of: positions, sparsity: sparsity)
  }
}

/// The sparsity of every layer of a network, as a ``SparsityDistribution`` shares it out.
package struct SparsityAllocation: Hashable, Sendable {
  /// One entry for each layer, in the network's order.
  package let layers: [LayerSparsity]
  /// The factor of the Erdős–Rényi distributions (ε); nil under `uniform`, and where there was
  /// nothing to share out.
  package let epsilon: Double?
  /// Names of the layers that the Erdős–Rényi iteration made dense (D), in the network's order;
  /// layers that are dense by a flag or a map are not among them.
  package let denseSet: [String]

  /// Positions in all layers.
  package var positions: Int { layers.reduce(0) { $0 + $1.positions } }

  /// Active connections in all layers.
  package var connections: Int { layers.reduce(0) { $0 + $1.connections } }

  /// The overall sparsity reached: inactive positions over positions, of all layers, dense ones
  /// included. Usually less than what was asked of the layers that take part.
  package var sparsity: Double {
    positions == 0 ? 0 : Double(positions - connections) / Double(positions)
  }

  /// The entry of a layer, or nil where no layer has that name.
  package subscript(name: String) -> LayerSparsity? { layers.first { $0.name == name } }

  /// The connections that each layer of a model begins with, by name, under a method that changes their
  /// number or does not, and the names of the layers in which it may.
  ///
  /// - Parameters:
  ///   - initial: what a method that prunes begins with; nil: with every position.
  ///   - given: what a network has that training starts from, by layer name; nil: there is none.
  func connections(
    under counts: ConnectionCounts, from initial: SparsityAllocation? = nil,
    given: [String: Int]? = nil
  ) -> (connections: [String: Int], variable: Set<String>) {
    var connections: [String: Int] = [:]
    var variable: Set<String> = []
    for layer in layers {
      let isSparse = layer.connections < layer.positions
      let first = given?[layer.name] ?? initial?[layer.name]?.connections ?? layer.positions
      connections[layer.name] =
        counts == .pruned && isSparse ? max(first, 1) : layer.connections
      if isSparse && counts != .constant { variable.insert(layer.name) }
    }
    return (connections, variable)
  }
}
