/// A function that is applied to each value of a layer's output.
public enum Activation: Hashable, Sendable {
  /// max(0, x).
  case relu
  /// x where x > 0, else slope · x.
  case leakyReLU(slope: Float)
  /// x Φ(x) = x (1 + erf(x / √2)) / 2: the exact form, not the one by tanh.
  case gelu
  /// x σ(x) = x / (1 + e⁻ˣ).
  case silu
  /// The hyperbolic tangent.
  case tanh
  /// σ(x) = 1 / (1 + e⁻ˣ).
  case sigmoid

  /// The layer that applies it.
  package var layer: any Layer {
    switch self {
    case .relu: ReLU()
    case .leakyReLU(let slope): LeakyReLU(slope)
    case .gelu: GELU()
    case .silu: SiLU()
    case .tanh: Tanh()
    case .sigmoid: Sigmoid()
    }
  }

  /// The name in settings and reports.
  package var name: String {
    switch self {
    case .relu: "relu"
    case .leakyReLU: "leaky-relu"
    case .gelu: "gelu"
    case .silu: "silu"
    case .tanh: "tanh"
    case .sigmoid: "sigmoid"
    }
  }

  /// Whether f(x / keep) is f(x) / keep and f(0) is 0: then it may as well come before dropout.
  var commutesWithDropout: Bool {
    switch self {
    case .relu, .leakyReLU: true
    case .gelu, .silu, .tanh, .sigmoid: false
    }
  }
}

/// A layer that is nothing but an activation function. After a layer with a product it is part of
/// that layer's output step; between convolutions, of what the next one reads.
package protocol ActivationLayer: PlannedLayer {
  /// The function.
  var activation: Activation { get }
}

extension ActivationLayer {
  package var stageName: String { activation.name }
  /// In place, channel by channel.
  public var fusing: Fusing { [.isInPlace, .keepsChannels] }
  package var channelEffect: ChannelEffect { .activation(activation) }
  package func strip(of input: SampleShape) -> SampleShape? { input }

  /// The function, and its slope if it has one.
  package var architecture: ArchitectureLayer? {
    var layer = ArchitectureLayer(.activation)
    layer.describe(activation)
    return layer
  }

  /// A pass of its own, for where no layer before can apply it.
  public func makeStage(_ site: StageSite) throws(RigLError) -> any Stage {
    ElementwisePass(site)
  }
}

extension Sequential {
  /// Values a sample that layers with products keep in training for their activations' gradients.
  func keptValues(input: SampleShape) throws(RigLError) -> Int {
    var (kept, isAfterProduct) = (0, false)
    try forEachLayer(input) { (layer, shape) throws(RigLError) in
      if isAfterProduct, layer.effect.activation.needsInput { kept += shape.count }
      isAfterProduct = layer.fusing.contains(.appliesEpilogue)
    }
    return kept
  }
}

/// y = max(0, x). After a layer with a product it is part of that layer's output step.
public struct ReLU: ActivationLayer {
  /// Creates a layer.
  public init() {}

  package var activation: Activation { .relu }
}

/// y = x where x > 0, else slope · x.
public struct LeakyReLU: ActivationLayer {
  private let slope: Float

  /// Creates a layer; `slope`, what negative values are multiplied by, is finite and at least 0.
  public init(_ slope: Float = 0.01) {
    trap(unless: slope >= 0 && slope.isFinite, "LeakyReLU: a slope of \(slope)")
    self.slope = slope
  }

  /// The type and the slope.
  public var kind: String { "LeakyReLU(\(slope))" }
  package var activation: Activation { .leakyReLU(slope: slope) }
}

/// y = x Φ(x), Φ the normal distribution, exactly by erf. In training the layer before keeps x.
public struct GELU: ActivationLayer {
  /// Creates a layer.
  public init() {}

  package var activation: Activation { .gelu }
}

/// y = x σ(x), also called swish. In training the layer before keeps x.
public struct SiLU: ActivationLayer {
  /// Creates a layer.
  public init() {}

  package var activation: Activation { .silu }
}

/// The hyperbolic tangent: y = tanh(x).
public struct Tanh: ActivationLayer {
  /// Creates a layer.
  public init() {}

  package var activation: Activation { .tanh }
}

/// The logistic function: y = σ(x) = 1 / (1 + e⁻ˣ).
public struct Sigmoid: ActivationLayer {
  /// Creates a layer.
  public init() {}

  package var activation: Activation { .sigmoid }
}
