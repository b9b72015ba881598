/// A physically smaller network that computes what a model does: units that are dead are left out,
/// what they were as constants is in the biases of those that read them.
///
/// A unit is dead if it has no incoming connection, or no outgoing one; again and again, until nothing
/// changes. A channel that is a constant other than 0 stays where a convolution with zeros around its
/// input reads it, and one of a residual sum as long as something of the sum needs it. Each layer keeps
/// one output at the least.
package struct StrippedNetwork {
  /// The smaller network, for one sample at a time; samples are given whole.
  package let model: Model
  /// What is left.
  package let report: StripReport

  /// Strips a network as it is now.
  ///
  /// - Throws: `RigLError(.configuration)` for layers of one's own, of which it is not known what they
  ///   do to channels.
  package init(of model: Model) throws(RigLError) {
    trap(unless: !model.isFolded, "StrippedNetwork: batch-norm is folded into the weights")
    try model.requireConnections()
    var stripper = try Stripper(model)
    let layers = stripper.layers(of: model)
    self.model = try Model(
      layers, input: model.inputShape, capacity: 1,
      connections: stripper.weights.mapValues(\.values.count), isTraining: false)
    for layer in self.model.weightLayers {
      guard let weights = stripper.weights[layer.name] else { continue }
      try layer.take(weights)
    }
    for norm in self.model.normalizations {
      guard let old = model.normalizations.first(where: { $0.name == norm.name }) else { continue }
      norm.take(stripper.channels[norm.name] ?? [], of: old)
    }
    self.model.weightsDidChange()
    report = StripReport(model, self.model, deadOutputs: stripper.deadOutputs)
  }
}

extension LayerWeights {
  fileprivate func take(_ weights: Stripper.Weights) throws(RigLError) {
    if let connections {
      try connections.setConnections(at: weights.positions, weights: weights.values)
    } else {
      for (position, value) in weights.values.enumerated() {
        weight.values[place(of: position)] = value
      }
    }
    for (output, value) in (weights.bias ?? []).enumerated() { bias?.values[output] = value }
  }
}

extension Normalization {
  /// Takes some channels of another one.
  fileprivate func take(_ channels: [Int], of other: Normalization) {
    for (new, old) in channels.enumerated() {
      gamma.values[new] = other.gamma.values[old]
      beta.values[new] = other.beta.values[old]
      runningMean.values[new] = other.runningMean.values[old]
      runningVariance.values[new] = other.runningVariance.values[old]
    }
  }
}
