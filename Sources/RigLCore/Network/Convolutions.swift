/// What the convolutions have in common: ``SparseConv2d``, `DenseConv2d` and ``DepthwiseConv2d``
/// differ in the kernel that they make.
public protocol Conv2d: WeightLayer {
  /// Channels, kernel, stride and padding.
  var convolution: ConvolutionShape { get }
}

extension Conv2d {
  /// Output channels.
  public var outputs: Int { convolution.outputs }
  /// Input channels of an output: all, or one if the convolution is depthwise.
  private var inputChannels: Int { convolution.isDepthwise ? 1 : convolution.inputs }
  /// Inputs of an output: channels · k², or k² if the convolution is depthwise.
  public var inputs: Int { inputChannels * convolution.taps }
  /// (out, in, k, k), where in is 1 if the convolution is depthwise.
  public var shape: [Int] {
    [outputs, inputChannels, convolution.kernel, convolution.kernel]
  }
  /// Output channels · k², or k² if the convolution is depthwise.
  public var fanOut: Int { outputs / (convolution.inputs / inputChannels) * convolution.taps }
  /// The type, with stride and padding.
  public var kind: String {
    "\(type(of: self))(stride \(convolution.stride), padding \(convolution.padding))"
  }
  /// True: convolutions work on images.
  public var takesPlanes: Bool { true }
  /// The work of neighbours: batch-norm and activation before; sums and statistics after.
  public var fusing: Fusing {
    [
      .readsThrough, .sumsOutput, .makesPlanes, .addsToOutput, .addsToGradient, .keepsGradient,
    ]
  }

  /// The output's shape.
  public func outputShape(of input: SampleShape) throws(RigLError) -> SampleShape {
    try convolution.outputShape(of: input, name)
  }

  /// A convolution.
  public func accounted(of input: SampleShape) -> AccountedLayer {
    .conv(
      name, inputs: convolution.inputs, outputs: outputs, kernel: convolution.kernel,
      stride: convolution.stride, padding: convolution.padding, inputHeight: input.height,
      inputWidth: input.width, hasBias: hasBias)
  }

  /// Strips of the output, where the stride divides them.
  package func strip(of input: SampleShape) -> SampleShape? {
    guard let output = try? convolution.outputShape(of: input, name) else { return nil }
    return output.height * convolution.stride == input.height ? output : nil
  }

  /// A convolution's stage, whose kernel `makeKernel` makes.
  fileprivate func stage(
    _ site: StageSite, _ makeKernel: (BandGeometry) throws(RigLError) -> any BandKernel
  ) throws(RigLError) -> any Stage {
    let geometry = BandGeometry(convolution, input: site.input.shape, output: site.output.shape)
    return PlaneConvolution(self, site, geometry, try makeKernel(geometry))
  }
}

// MARK: - In a stripped network

extension Conv2d where Self: PlannedLayer {
  /// Sums of all channels, or channel by channel if the convolution is depthwise.
  package var channelEffect: ChannelEffect {
    let isPadded = convolution.padding > 0
    return convolution.isDepthwise
      ? .depthwise(isPadded: isPadded) : .mixing(taps: convolution.taps, isPadded: isPadded)
  }

  /// Sizes and options; dense and sparse ones are the same, but for whether they can be sparse.
  package var architecture: ArchitectureLayer? {
    var layer = ArchitectureLayer(convolution.isDepthwise ? .depthwise : .convolution, self)
    (layer.inputs, layer.kernel) = (convolution.inputs, convolution.kernel)
    (layer.stride, layer.padding) = (convolution.stride, convolution.padding)
    return layer
  }

  /// A convolution that may be sparse if this one may.
  package func resized(inputs: Int, outputs: Int, bias: Bool) -> any Layer {
    SparseConv2d(
      name, inputs: inputs / convolution.taps, outputs: outputs, kernel: convolution.kernel,
      stride: convolution.stride, padding: convolution.padding, bias: bias,
      canBeSparse: canBeSparse)
  }
}

extension SparseConv2d {
  init(_ layer: ArchitectureLayer) throws(RigLError) {
    let shape = try ConvolutionShape(layer, outputs: layer.side(layer.outputs, "outputs"))
    self.init(
      try layer.requiredName(), inputs: shape.inputs, outputs: shape.outputs,
      kernel: shape.kernel, stride: shape.stride, padding: shape.padding,
      bias: layer.hasBias ?? false, canBeSparse: layer.canBeSparse ?? true)
  }
}

extension DepthwiseConv2d {
  init(_ layer: ArchitectureLayer) throws(RigLError) {
    let shape = try ConvolutionShape(layer, outputs: layer.side(layer.inputs, "inputs"))
    self.init(
      try layer.requiredName(), channels: shape.inputs, kernel: shape.kernel,
      stride: shape.stride, padding: shape.padding)
  }

  package func resized(inputs: Int, outputs: Int, bias: Bool) -> any Layer {
    DepthwiseConv2d(
      name, channels: outputs, kernel: convolution.kernel, stride: convolution.stride,
      padding: convolution.padding, decays: decays)
  }
}

extension ConvolutionShape {
  fileprivate init(_ layer: ArchitectureLayer, outputs: Int) throws(RigLError) {
    self.init(
      inputs: try layer.side(layer.inputs, "inputs"), outputs: outputs,
      kernel: try layer.number(layer.kernel, "a kernel", in: 1...4096),
      stride: try layer.number(layer.stride, "a stride", in: 1...4096),
      padding: try layer.number(layer.padding, "a padding", in: 0...4096))
  }
}

// MARK: - The layers

/// A k×k convolution with only the connections that exist stored and multiplied.
///
/// Where the sparsity distribution leaves the layer all of its connections, or without `canBeSparse`,
/// it stores every weight and multiplies by dense products.
public struct SparseConv2d: Conv2d, PlannedLayer {
  /// The name in files, reports and per-layer settings.
  public let name: String
  /// Channels, kernel, stride and padding.
  public let convolution: ConvolutionShape
  /// Whether there is a bias.
  public let hasBias: Bool
  /// Whether a sparsity distribution may leave out positions.
  public let canBeSparse: Bool

  /// Creates a layer; its connections are drawn when a ``Model`` is made of it. Padding, the zeros on
  /// every side, is by default k / 2.
  public init(
    _ name: String, inputs: Int, outputs: Int, kernel: Int, stride: Int = 1, padding: Int? = nil,
    bias: Bool = false, canBeSparse: Bool = true
  ) {
    self.name = name
    convolution = ConvolutionShape(
      inputs: inputs, outputs: outputs, kernel: kernel, stride: stride, padding: padding)
    hasBias = bias
    self.canBeSparse = canBeSparse
  }

  /// Sparse bands, or dense ones where the layer has all connections; both where their number changes.
  public func makeStage(_ site: StageSite) throws(RigLError) -> any Stage {
    try stage(site) { (geometry) throws(RigLError) in
      let count = site.connections ?? inputs * outputs
      if let storageBelow = site.storageBelow {
        return try VariableBandKernel(
          name: name, geometry, connections: count, storageBelow: storageBelow)
      }
      guard count < inputs * outputs else { return DenseBandKernel(name: name, geometry) }
      return try SparseBandKernel(name: name, geometry, connections: count)
    }
  }
}

/// A k×k convolution with every weight stored, through dense products: the twin that sparse layers
/// are measured against, and the layer for small or sensitive places of a network.
package struct DenseConv2d: Conv2d, PlannedLayer {
  /// The name in files, reports and per-layer settings.
  package let name: String
  /// Channels, kernel, stride and padding.
  package let convolution: ConvolutionShape
  /// Whether there is a bias.
  package let hasBias: Bool
  /// Every weight exists, whatever the distribution.
  package var canBeSparse: Bool { false }

  /// Creates a layer. Padding, the zeros on every side, is by default k / 2.
  package init(
    _ name: String, inputs: Int, outputs: Int, kernel: Int, stride: Int = 1, padding: Int? = nil,
    bias: Bool = false
  ) {
    self.name = name
    convolution = ConvolutionShape(
      inputs: inputs, outputs: outputs, kernel: kernel, stride: stride, padding: padding)
    hasBias = bias
  }

  /// Dense bands.
  package func makeStage(_ site: StageSite) throws(RigLError) -> any Stage {
    try stage(site) { DenseBandKernel(name: name, $0) }
  }
}

/// A k×k convolution of each channel with a kernel of its own; always dense.
public struct DepthwiseConv2d: Conv2d, PlannedLayer {
  /// The name in files, reports and per-layer settings.
  public let name: String
  /// Channels, kernel, stride and padding.
  public let convolution: ConvolutionShape
  /// Whether weight decay applies.
  package let decays: Bool
  /// There is none.
  public var hasBias: Bool { false }
  /// Every weight exists, whatever the distribution.
  public var canBeSparse: Bool { false }

  /// Creates a layer. Padding, the zeros on every side, is by default k / 2; weight decay is left out,
  /// as MobileNet's training does, unless `decays`.
  public init(
    _ name: String, channels: Int, kernel: Int, stride: Int = 1, padding: Int? = nil,
    decays: Bool = false
  ) {
    self.name = name
    self.decays = decays
    var shape = ConvolutionShape(
      inputs: channels, outputs: channels, kernel: kernel, stride: stride, padding: padding)
    shape.isDepthwise = true
    convolution = shape
  }

  /// A depthwise convolution.
  public func accounted(of input: SampleShape) -> AccountedLayer {
    .depthwise(
      name, channels: outputs, kernel: convolution.kernel, stride: convolution.stride,
      padding: convolution.padding, inputHeight: input.height, inputWidth: input.width)
  }

  /// Bands, channel by channel.
  public func makeStage(_ site: StageSite) throws(RigLError) -> any Stage {
    try stage(site) { DepthwiseBandKernel(name: name, $0, decays: decays) }
  }
}
