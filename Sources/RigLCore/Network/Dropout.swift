/// In training, sets each value to zero with probability p and divides the others by 1 - p.
///
/// The mask is a function of seed, layer, batches consumed, sample and feature, and so never
/// stored. After a linear layer it is part of that layer's output step.
public struct Dropout: Layer, PlannedLayer {
  /// The probability (p) of dropping a value.
  package let probability: Float

  /// Creates a layer that drops with probability `probability`, at least 0 and less than 1.
  public init(_ probability: Float) {
    trap(
      unless: probability >= 0 && probability < 1,
      "Dropout: probability \(probability) is not in [0, 1)")
    self.probability = probability
  }

  /// The name `dropout`.
  package var stageName: String { "dropout" }
  /// The type and the probability.
  public var kind: String { "Dropout(\(probability))" }
  /// In place, channel by channel.
  public var fusing: Fusing { [.isInPlace, .keepsChannels] }
  package var channelEffect: ChannelEffect { .passing }
  /// Strips of the same shape.
  package func strip(of input: SampleShape) -> SampleShape? { input }

  /// A pass of its own, for where no layer before can apply it.
  public func makeStage(_ site: StageSite) throws(RigLError) -> any Stage {
    ElementwisePass(site)
  }
}

// MARK: - In a file

extension Dropout {
  package var architecture: ArchitectureLayer? {
    var layer = ArchitectureLayer(.dropout)
    layer.probability = probability
    return layer
  }

  init(_ layer: ArchitectureLayer) throws(RigLError) {
    guard let probability = layer.probability, probability >= 0, probability < 1 else {
      throw layer.problem("no probability")
    }
    self.init(probability)
  }
}
