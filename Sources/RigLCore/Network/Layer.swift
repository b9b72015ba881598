/// One layer of a network as it is written down: name, sizes and options, without tensors and state.
///
/// What runs is a ``Stage``, which a layer makes when a ``Model`` is made; one layer may serve for
/// several models. An own layer is ``outputShape(of:)`` and ``makeStage(_:)``.
public protocol Layer: Sendable {
  /// The name in files; nil for a layer that files know nothing of.
  var nameInFiles: String? { get }
  /// The type, with the options that it computes by: `Dropout(0.1)`.
  var kind: String { get }
  /// Whether the layer works on images, and the network's input must therefore not be taken as one
  /// long vector.
  var takesPlanes: Bool { get }
  /// The shape of the output for an input of some shape: by default the input's.
  ///
  /// - Throws: `RigLError(.configuration)` for an input that the layer cannot take.
  func outputShape(of input: SampleShape) throws(RigLError) -> SampleShape
  /// The work for neighbouring layers that the layer can take on: by default none.
  var fusing: Fusing { get }
  /// The stage that runs, with all its tensors.
  func makeStage(_ site: StageSite) throws(RigLError) -> any Stage
}

/// The layers that a layer is made of.
package enum LayerParts {
  /// None: the layer is a stage.
  case none
  /// Layers one after the other.
  case sequence([any Layer])
  /// Two branches whose outputs are added up: `before` is what both read through.
  case branches(before: [any Layer], main: [any Layer], shortcut: [any Layer])

  /// All of them.
  var layers: [any Layer] {
    switch self {
    case .none: []
    case .sequence(let layers): layers
    case .branches(let before, let main, let shortcut): before + main + shortcut
    }
  }
}

/// The work that a layer can take on for its neighbours, so that they need no pass of their own.
public struct Fusing: OptionSet, Sendable {
  /// The bits.
  public let rawValue: Int
  /// Creates a set of bits.
  public init(rawValue: Int) { self.rawValue = rawValue }

  /// The layer applies ``StageSite/epilogue`` to its output: an activation and dropout after it.
  public static let appliesEpilogue = Fusing(rawValue: 1)
  /// The layer applies batch-norm and activation to planes as it reads them.
  static let readsThrough = Fusing(rawValue: 2)
  /// The layer sums the statistics of the planes that it writes.
  static let sumsOutput = Fusing(rawValue: 4)
  /// Its output are planes, to which batch-norm and activation can be applied.
  static let makesPlanes = Fusing(rawValue: 8)
  /// The layer adds another tensor to its output as it writes it.
  static let addsToOutput = Fusing(rawValue: 16)
  /// The layer adds another tensor to its input's gradient as it writes it.
  static let addsToGradient = Fusing(rawValue: 32)
  /// Its backward pass leaves the gradient of its output as it was.
  public static let keepsGradient = Fusing(rawValue: 64)
  /// Its backward pass turns the gradient of its output into that of its input, in place.
  static let isInPlace = Fusing(rawValue: 128)
  /// Each channel, or value, of its output depends on the same one of its input alone.
  public static let keepsChannels = Fusing(rawValue: 256)
}

/// What is asked of the library's own layers besides: what they are made of, a name in reports, how a
/// single image is cut into strips for them, and for stripped networks what they do to channels and how
/// a file describes them.
package protocol PlannedLayer: Layer {
  /// The layers that this one is made of; by default none.
  var composition: LayerParts { get }
  /// What the layer does to channels: by default as an own layer, see ``Layer/effect``.
  var channelEffect: ChannelEffect { get }
  /// The layer as a file describes it; by default nil: no file can. Layers that it is made of are added
  /// by who asks.
  var architecture: ArchitectureLayer? { get }
  /// The layer for other numbers of inputs (columns of the weight, if there is one) and outputs: by
  /// default itself.
  func resized(inputs: Int, outputs: Int, bias: Bool) -> any Layer
  /// The name of the layer before whose weights it shares; by default nil: none's.
  var sharedLayer: String? { get }
  /// The name of its stage in reports: by default the name in files, or else the type's.
  var stageName: String { get }
  /// The shape of the output's strips for strips of the input; nil if an image cannot be cut into
  /// strips for this layer.
  func strip(of input: SampleShape) -> SampleShape?
  /// Whether the output for strips is that of the whole image, in the first lane; by default false.
  var gathersStrips: Bool { get }
}

extension PlannedLayer {
  package var composition: LayerParts { .none }
  package var channelEffect: ChannelEffect { .ofOwnLayer(fusing) }
  package var architecture: ArchitectureLayer? { nil }
  package func resized(inputs: Int, outputs: Int, bias: Bool) -> any Layer { self }
  package var sharedLayer: String? { nil }
  package var stageName: String { defaultStageName }
  package var gathersStrips: Bool { false }
}

extension Layer {
  /// The layer as one of the library's own; nil: it is a layer of a program.
  var planned: (any PlannedLayer)? { self as? any PlannedLayer }

  /// The layers that this one is made of.
  package var parts: LayerParts { planned?.composition ?? .none }

  /// What the layer does to channels.
  var effect: ChannelEffect { planned?.channelEffect ?? .ofOwnLayer(fusing) }

  /// The name of a stage whose layer has none for it.
  var defaultStageName: String { nameInFiles ?? "\(type(of: self))" }

  /// None, unless the layer says otherwise.
  public var nameInFiles: String? { nil }
  /// The type's name, unless the layer says otherwise.
  public var kind: String { "\(type(of: self))" }
  /// Vectors, unless the layer says otherwise; for layers of layers, whether one of them does.
  public var takesPlanes: Bool { parts.layers.contains { $0.takesPlanes } }
  /// The input's shape, unless the layer says otherwise.
  public func outputShape(of input: SampleShape) throws(RigLError) -> SampleShape { input }
  /// Nothing, unless the layer says otherwise.
  public var fusing: Fusing { [] }

  /// The layers with weights, in order, this one included.
  package var weightLayers: [any WeightLayer] {
    if let layer = self as? any WeightLayer { return [layer] }
    return parts.layers.flatMap(\.weightLayers)
  }

  /// Calls `body` with every layer that is a stage, in order, and the shape of its input.
  func forEachLayer(
    _ input: SampleShape, _ body: (any Layer, SampleShape) throws(RigLError) -> Void
  ) throws(RigLError) {
    func walk(_ layers: [any Layer], _ input: SampleShape) throws(RigLError) -> SampleShape {
      var shape = input
      for layer in layers {
        try layer.forEachLayer(shape, body)
        shape = try layer.outputShape(of: shape)
      }
      return shape
    }
    switch parts {
    case .none: try body(self, input)
    case .sequence(let layers): _ = try walk(layers, input)
    case .branches(let before, let main, let shortcut):
      let shape = try walk(before, input)
      _ = try walk(main, shape)
      _ = try walk(shortcut, shape)
    }
  }

  /// The layers with weights as the accounting sees them, with every position active.
  ///
  /// - Throws: `RigLError(.configuration)` where shapes do not fit together.
  package func accounted(input: SampleShape) throws(RigLError) -> [AccountedLayer] {
    var accounted: [AccountedLayer] = []
    try forEachLayer(input) { layer, shape in
      if let layer = layer as? any WeightLayer { accounted.append(layer.accounted(of: shape)) }
    }
    return accounted
  }
}

/// A layer with a weight matrix: one that a sparsity distribution, an initializer and the
/// accounting see.
public protocol WeightLayer: Layer {
  /// The name in files, reports and per-layer settings.
  var name: String { get }
  /// Inputs of an output: columns of the weight. Of a convolution, channels · k².
  var inputs: Int { get }
  /// Outputs: rows of the weight.
  var outputs: Int { get }
  /// The weight's dense shape: (out, in), or (out, in, k, k) of a convolution.
  var shape: [Int] { get }
  /// Outputs that an input contributes to: outputs, times k² of a convolution.
  var fanOut: Int { get }
  /// Whether there is a bias, one for each output.
  var hasBias: Bool { get }
  /// Whether a sparsity distribution may leave out positions.
  var canBeSparse: Bool { get }
  /// The layer as the accounting sees it, for an input of some shape, with every position active.
  func accounted(of input: SampleShape) -> AccountedLayer
}

extension WeightLayer {
  /// The layer's name.
  public var nameInFiles: String? { name }
  /// (out, in).
  public var shape: [Int] { [outputs, inputs] }
  /// The outputs.
  public var fanOut: Int { outputs }
  /// Whether each output has one input channel of its own.
  var isDepthwise: Bool { effect.isDepthwise }
  /// A linear layer.
  public func accounted(of input: SampleShape) -> AccountedLayer {
    .linear(name, inputs: inputs, outputs: outputs, hasBias: hasBias)
  }

  /// A vector of the outputs, of a vector, or an image taken as one, of the inputs.
  public func outputShape(of input: SampleShape) throws(RigLError) -> SampleShape {
    guard input.count == inputs else {
      throw RigLError(
        .configuration,
        "layer \(name): \(inputs) inputs, but its input has \(input.count) values a sample")
    }
    return SampleShape(channels: outputs)
  }

  /// A bias of zeros, if the layer has one.
  func makeBias() -> Parameter? {
    hasBias
      ? Parameter(name: "\(name).bias", shape: [outputs], count: outputs, decays: false) : nil
  }
}
