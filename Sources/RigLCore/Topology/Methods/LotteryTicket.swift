import Foundation

/// Finds a sparse network that learns well from where the dense one began: trains all connections, prunes
/// those of least magnitude, sets the others back to what they were at an early step, and trains them
/// again; with several rounds it prunes a little at a time.
///
/// A training with it takes ``rounds`` + 1 times its steps: before each pruning, and at last with the
/// connections that are left, the ticket. Only in that last training may connections move, by another
/// method. Round i of r keeps (1 − S)^(i/r) of the positions.
///
/// References: Frankle & Carbin, *The Lottery Ticket Hypothesis: Finding Sparse, Trainable Neural
/// Networks*, ICLR 2019, <https://arxiv.org/abs/1803.03635>; of rewinding to a step after the first
/// Frankle et al., *Stabilizing the Lottery Ticket Hypothesis*, 2019, <https://arxiv.org/abs/1903.01611>.
package struct LotteryTicket: TopologyMethod {
  /// Rounds of training, pruning and rewinding before the ticket's own training (r).
  package let rounds: Int
  private let sparsities: LayerSparsities
  private let scope: TopologyScope
  private let layerMinimum: Int
  private let ticket: any TopologyMethod

  /// Creates the method.
  ///
  /// - Parameters:
  ///   - sparsities: what layers are to have in the end.
  ///   - rounds: how often it prunes (r), 1 or more.
  ///   - scope: whether each layer keeps its own share, or all are one pool.
  ///   - layerMinimum: connections that each layer keeps in one pool, as far as it has them.
  ///   - ticket: what moves the ticket's connections in the last training.
  package init(
    _ sparsities: LayerSparsities, rounds: Int, scope: TopologyScope = .layer,
    layerMinimum: Int = 0, ticket: any TopologyMethod = StaticTopology()
  ) {
    trap(
      unless: rounds >= 1 && layerMinimum >= 0,
      "LotteryTicket: \(rounds) rounds, at least \(layerMinimum) connections a layer")
    (self.sparsities, self.rounds, self.scope) = (sparsities, rounds, scope)
    (self.layerMinimum, self.ticket) = (layerMinimum, ticket)
  }

  /// When the ticket's connections move, if they do.
  package var timing: TopologyTiming {
    ticket.timing == .never ? .afterWeightStep : ticket.timing
  }
  /// They fall from round to round.
  package var counts: ConnectionCounts { .pruned }
  /// What the ticket's method keeps of gradients.
  package var memory: (any GradientMemory)? { ticket.memory }

  /// When the ticket's method says.
  package func isDue(at step: Int, last: Int, _ schedule: UpdateSchedule) -> Bool {
    ticket.timing != .never && ticket.isDue(at: step, last: last, schedule)
  }

  /// What the ticket's method decides.
  package func plan(_ update: TopologyPlan) throws(RigLError) { try ticket.plan(update) }

  /// As the ticket's method moves connections.
  package func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
    try ticket.move(count, in: layer)
  }

  /// The pruning that ends a round, 1 to ``rounds``.
  package func pruning(_ round: Int) -> TicketPruning {
    trap(unless: round >= 1 && round <= rounds, "LotteryTicket: round \(round) of \(rounds)")
    return TicketPruning(
      sparsities: sparsities, share: Double(round) / Double(rounds), scope: scope,
      layerMinimum: layerMinimum)
  }
}

/// The pruning at the end of a lottery ticket's round: keeps the connections of largest |w|, of N
/// positions (1 − S)^(i/r).
package struct TicketPruning: TopologyMethod {
  fileprivate let sparsities: LayerSparsities
  /// The share of the rounds that is then complete (i/r).
  fileprivate let share: Double
  fileprivate let scope: TopologyScope
  fileprivate let layerMinimum: Int
  /// After the last weight step of a training.
  package let timing = TopologyTiming.afterWeightStep
  /// They fall.
  package let counts = ConnectionCounts.pruned

  /// Sets how many connections each layer keeps.
  package func plan(_ update: TopologyPlan) throws(RigLError) {
    switch scope {
    case .layer:
      for layer in update.layers {
        layer.target = min(
          kept(of: layer.positions, sparsity: sparsities.sparsity(of: layer)), layer.count)
        layer.drop = layer.count - layer.target
      }
    case .global:
      let kept = kept(of: update.positions, sparsity: sparsities.sparsity(of: update))
      try update.keepLargest(min(kept, update.count), minimum: layerMinimum) { $0.weight }
    }
  }

  /// Drops by |w|.
  package func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
    try layer.dropSmallestMagnitudes(count)
  }

  private func kept(of positions: Int, sparsity: Double) -> Int {
    keptPositions(of: positions, density: pow(1 - sparsity, share))
  }
}
