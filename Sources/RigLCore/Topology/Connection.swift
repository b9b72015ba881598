/// One connection of a layer, as a score sees it.
public struct Connection {
  private let weights: SparseWeights
  private let slots: [Slot]
  private let memory: GradientMemories.Layer?
  /// Its index in the order of positions, and in the arrays.
  private let index: Int
  private let place: Int
  /// The factor that makes the sum of the batches' gradients their mean; nil: they are not at hand.
  private let gradientMean: Float?

  init(
    weights: SparseWeights, slots: [Slot], memory: GradientMemories.Layer?, index: Int, place: Int,
    gradientMean: Float?
  ) {
    (self.weights, self.slots, self.memory) = (weights, slots, memory)
    (self.index, self.place, self.gradientMean) = (index, place, gradientMean)
  }

  /// The weight (w).
  public var weight: Float { unsafe weights.parameter.values.base[place] }

  /// The data loss's gradient dL/dw on the batch of the update, of several batches their mean over all
  /// samples: only where the update replaces a weight step, in a layer's own part of it
  /// (``TopologyMethod/move(_:in:)``), or comes before the first step.
  public var gradient: Float { summedGradient * (gradientMean ?? 1) }

  /// The same, of several batches their sum: for scores that go by its size alone.
  var summedGradient: Float {
    trap(
      unless: gradientMean != nil,
      "layer \(weights.name): a connection's gradient is at hand in move(_:in:) of a method whose "
        + "timing is insteadOfWeightStep, or beforeFirstStep")
    return unsafe weights.parameter.gradient.base[place]
  }

  /// A number of the optimizer's state beside the weight, by its place in ``Optimizer/slotNames``: of
  /// ``SGD`` with momentum 0 is the velocity, of ``Adam`` 0 and 1 are the moments.
  public func moment(_ slot: Int) -> Float {
    trap(
      unless: slots.indices.contains(slot),
      "layer \(weights.name): moment \(slot) of an optimizer that has \(slots.count)")
    return unsafe slots[slot].buffer.base[place]
  }

  /// What the method keeps of the gradients here (``TopologyMethod/memory``).
  public var remembered: Float {
    guard let memory else {
      trap("layer \(weights.name): the method keeps nothing of gradients")
    }
    return unsafe memory.numbers.base[output * weights.inputs + input]
  }

  /// The output that it leads to: the row of the weight.
  public var output: Int { weights.csr.rowContaining(index) }
  /// The input that it comes from: the column of the weight; of a convolution channel · k² + tap.
  public var input: Int { unsafe Int(weights.csr.columns.base[index]) }
}
