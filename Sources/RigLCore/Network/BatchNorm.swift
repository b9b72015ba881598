/// y = γ (x − mean) / √(variance + ε) + β for each channel: over the batch in training, by running
/// averages otherwise. Ioffe and Szegedy, ICML 2015.
///
/// It is never a pass of its own between two layers that work on planes: the layer before sums the
/// statistics as it writes, the layer after applies scale and shift as it reads, and going back
/// they do the same the other way round.
public struct BatchNorm: Layer, PlannedLayer {
  /// The name in files.
  package let name: String
  /// Channels.
  package let channels: Int
  /// How much of a running average stays at each training batch.
  package let momentum: Double
  /// The addend of the variance (ε), against a division by 0.
  package let epsilon: Double
  /// The first value of γ.
  package let gamma: Float

  /// Creates a layer; `gamma` is what γ starts at.
  public init(
    _ name: String, channels: Int, momentum: Double = 0.9, epsilon: Double = 1e-5, gamma: Float = 1
  ) {
    trap(unless: channels > 0, "\(name): \(channels) channels")
    self.name = name
    self.channels = channels
    self.momentum = momentum
    self.epsilon = epsilon
    self.gamma = gamma
  }

  /// The layer's name.
  public var nameInFiles: String? { name }
  /// The type, with momentum and ε.
  public var kind: String { "BatchNorm(momentum \(momentum), epsilon \(epsilon))" }
  /// True: batch-norm is by channel.
  public var takesPlanes: Bool { true }
  package var channelEffect: ChannelEffect { .norm }
  /// Strips of the same shape.
  package func strip(of input: SampleShape) -> SampleShape? { input }

  /// The input's shape.
  public func outputShape(of input: SampleShape) throws(RigLError) -> SampleShape {
    guard input.channels == channels else {
      throw RigLError(
        .configuration,
        "layer \(name): \(channels) channels, but its input has \(input.channels)")
    }
    return input
  }

  /// Not called: the stages around apply it.
  public func makeStage(_ site: StageSite) throws(RigLError) -> any Stage {
    trap("\(name): batch-norm as a stage of its own")
  }
}

// MARK: - In a file

extension BatchNorm {
  package var architecture: ArchitectureLayer? {
    var layer = ArchitectureLayer(.norm)
    (layer.name, layer.outputs) = (name, channels)
    (layer.momentum, layer.epsilon) = (momentum, epsilon)
    return layer
  }

  init(_ layer: ArchitectureLayer) throws(RigLError) {
    guard let momentum = layer.momentum, let epsilon = layer.epsilon, epsilon >= 0,
      momentum.isFinite, epsilon.isFinite
    else { throw layer.problem("no momentum and epsilon") }
    self.init(
      try layer.requiredName(), channels: try layer.side(layer.outputs, "channels"),
      momentum: momentum, epsilon: epsilon)
  }

  package func resized(inputs: Int, outputs: Int, bias: Bool) -> any Layer {
    BatchNorm(name, channels: outputs, momentum: momentum, epsilon: epsilon, gamma: gamma)
  }
}
