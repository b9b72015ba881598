import Foundation

/// The trainings of a lottery ticket, for what they cost together.
package struct LotteryCost: Hashable, Sendable {
  /// Rounds of training, pruning and rewinding before the ticket's own training (r).
  package var rounds: Int
  /// The share of a training that those after the first do not take again (k/T).
  package var rewound: Double
  /// What the ticket's own training costs.
  package var ticket: TrainingMethodCost

  /// Creates the trainings of a lottery ticket.
  package init(rounds: Int, rewound: Double = 0, ticket: TrainingMethodCost = .static) {
    trap(
      unless: rounds >= 1 && rewound >= 0 && rewound < 1,
      "LotteryCost: \(rounds) rounds, of which \(rewound) is not taken again")
    (self.rounds, self.rewound, self.ticket) = (rounds, rewound, ticket)
  }
}

extension Accounting {
  /// Training FLOPs of a lottery ticket relative to the dense network's training of the same length: the
  /// sum of its trainings', of which that after i prunings has (1 − s)^(i/r) of a layer's connections.
  ///
  /// - Parameter layers: all layers, with the sparsity that they end with.
  package func multiplier(_ lottery: LotteryCost, of layers: [AccountedLayer]) -> Double {
    let dense = cost(of: layers.map(\.dense)).flops
    trap(unless: dense > 0, "multiplier: the dense network has \(dense) FLOPs")
    let again = 1 - lottery.rewound
    return (1...lottery.rounds).reduce(1) { sum, round in
      let share = Double(round) / Double(lottery.rounds)
      let sparse = cost(of: layers.map { pruned($0, by: share) }).flops
      let training = round == lottery.rounds ? lottery.ticket : .static
      return sum + again * training.multiplier(sparse: sparse, dense: dense)
    }
  }

  /// A layer after a share of the rounds.
  private func pruned(_ layer: AccountedLayer, by share: Double) -> AccountedLayer {
    guard layer.sparsity > 0 else { return layer }
    let density = pow(1 - layer.sparsity, share)
    switch self {
    case .real:
      return layer.withConnections(
        min(keptPositions(of: layer.positions, density: density), layer.positions))
    case .paper:
      return layer.sparsified(
        LayerSparsity(name: layer.name, positions: layer.positions, sparsity: 1 - density))
    }
  }
}
