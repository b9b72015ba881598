// The memory of a training whose layers change in size: what is held, not what is in use.

extension TrainingStep {
  /// Bytes held of all whose size goes by connections: weights, gradients, lists, the optimizer's state,
  /// what updates work in, and what products share. Not of activations, nor what is the same for any
  /// number of connections.
  ///
  /// A network that was pruned holds at most 8/7 of what one holds that began with as many connections.
  package var connectionBytes: Int {
    model.bytes + optimizer.bytes + (topology?.connectionBytes ?? 0) + model.plan.connectionBytes
  }
}

extension Plan {
  /// Bytes of the parts of gradients, and of panels of dense products whose layers may be sparse.
  fileprivate var connectionBytes: Int {
    4 * parts.buffer.count
      + stages.reduce(0) { $0 + (($1 as? any PanelStage)?.panelBytes ?? 0) }
  }
}

/// A stage with panels of dense products, which it holds as long as it has enough connections for them.
protocol PanelStage: Stage {
  /// Bytes of the panels that it holds.
  var panelBytes: Int { get }
}
