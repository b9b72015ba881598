/// What the convolutions have in common: ``SparseConv2d``, ``DenseConv2d`` and ``DepthwiseConv2d``
/// differ in the kernel that they make.
public class Conv2d: WeightLayer, PlaneReader, PlaneWriter {
  /// The name in files, reports and per-layer settings.
  public let name: String
  /// Channels, kernel, stride and padding.
  public let convolution: ConvolutionShape
  /// Whether a sparsity distribution may leave out positions.
  public let canBeSparse: Bool
  /// The bias, (outputs); nil if there is none.
  public let bias: Parameter?
  /// Input channels of an output: all, or one if the convolution is depthwise.
  private let inputChannels: Int
  fileprivate var input: SampleShape?
  private var made: PlaneConvolution?

  fileprivate init(
    _ name: String, _ convolution: ConvolutionShape, hasBias: Bool = false,
    canBeSparse: Bool = false, isDepthwise: Bool = false
  ) {
    self.name = name
    self.convolution = convolution
    self.canBeSparse = canBeSparse
    inputChannels = isDepthwise ? 1 : convolution.inputs
    let outputs = convolution.outputs
    bias =
      hasBias
      ? Parameter(name: "\(name).bias", shape: [outputs], count: outputs, decays: false) : nil
  }

  /// Inputs of an output: channels · k², or k² if the convolution is depthwise.
  public var inputs: Int { inputChannels * convolution.taps }
  /// Output channels.
  public var outputs: Int { convolution.outputs }
  /// (out, in, k, k), where in is 1 if the convolution is depthwise.
  public var shape: [Int] {
    [outputs, inputChannels, convolution.kernel, convolution.kernel]
  }
  /// Output channels · k², or k² if the convolution is depthwise.
  public var fanOut: Int { outputs / (convolution.inputs / inputChannels) * convolution.taps }
  /// A convolution of the input that ``outputShape(of:)`` was last asked for.
  public var accounted: AccountedLayer {
    let input = existing(input, "size of its input; ask for outputShape first")
    return .conv(
      name, inputs: convolution.inputs, outputs: outputs, kernel: convolution.kernel,
      stride: convolution.stride, padding: convolution.padding, inputHeight: input.height,
      inputWidth: input.width, hasBias: bias != nil)
  }
  /// The connections, if the layer does not have all of them; exist once a ``Model`` is made.
  public var connections: SparseWeights? { nil }
  /// The weights: those of the connections, or all by kernel position.
  public var weight: Parameter { work.kernel.weight }
  /// Where the weight at a position is stored, if every weight is.
  public func place(of position: Int) -> Int { DenseBandKernel.place(of: position, convolution) }
  /// The weight, then the bias.
  public var parameters: [Parameter] { [weight] + (bias.map { [$0] } ?? []) }
  /// Itself.
  public var weightLayers: [any WeightLayer] { [self] }
  /// It works on planes.
  public var takesPlanes: Bool { true }

  /// The passes; exist once a ``Model`` is made.
  final var work: PlaneConvolution {
    existing(made, "connections; make a Model of the layers first")
  }
  final var prologue: Prologue {
    get { work.prologue }
    set { work.prologue = newValue }
  }
  final var outputNorm: BatchNorm? {
    get { work.outputNorm }
    set { work.outputNorm = newValue }
  }
  final var foldsNorm: Bool {
    get { work.foldsNorm }
    set { work.foldsNorm = newValue }
  }

  /// The output's shape.
  public func outputShape(of input: SampleShape) throws(RigLError) -> SampleShape {
    self.input = input
    return try convolution.outputShape(of: input, name)
  }

  /// Makes room for the layer's connections, or for all weights.
  public func makeConnections(_ count: Int, lanes: Int) throws(RigLError) {
    let input = existing(input, "size of its input; ask for outputShape first")
    let geometry = BandGeometry(
      convolution, input: input, output: try convolution.outputShape(of: input, name))
    made = PlaneConvolution(name, geometry, try makeKernel(geometry, count), bias: bias)
  }

  /// The weights and their products.
  fileprivate func makeKernel(
    _ geometry: BandGeometry, _ count: Int
  ) throws(RigLError) -> any BandKernel {
    DenseBandKernel(name: name, geometry)
  }

  /// Allocates output and input gradient.
  public func prepare(_ context: LayerContext) throws(RigLError) -> SampleShape {
    try work.prepare(context)
  }

  /// W ∗ x + b.
  public func forward(_ input: Tensor, _ pass: Pass) throws(RigLError) -> Tensor {
    try work.forward(input, pass)
  }

  /// dX and dW, of a sparse layer at the connections that exist.
  public func backward(_ outputGradient: Tensor, _ pass: Pass) throws(RigLError) -> Tensor? {
    try work.backward(outputGradient, pass)
  }

  /// What only exists once someone has asked for it.
  fileprivate final func existing<Value>(_ value: Value?, _ what: String) -> Value {
    guard let value else { trap("\(name): it does not have the \(what)") }
    return value
  }
}

/// A k×k convolution with only the connections that exist stored and multiplied.
///
/// Where the sparsity distribution leaves the layer all of its connections, it works as a
/// ``DenseConv2d`` does.
public final class SparseConv2d: Conv2d {
  private var sparse: SparseBandKernel?

  /// Creates a layer; its connections are drawn when a ``Model`` is made of it.
  ///
  /// - Parameter padding: zeros on every side; by default k / 2.
  public init(
    _ name: String, inputs: Int, outputs: Int, kernel: Int, stride: Int = 1, padding: Int? = nil,
    bias: Bool = false, canBeSparse: Bool = true
  ) {
    let shape = ConvolutionShape(
      inputs: inputs, outputs: outputs, kernel: kernel, stride: stride, padding: padding)
    super.init(name, shape, hasBias: bias, canBeSparse: canBeSparse)
  }

  /// The connections, if the layer does not have all of them; exist once a ``Model`` is made.
  public override var connections: SparseWeights? { sparse?.weights }

  fileprivate override func makeKernel(
    _ geometry: BandGeometry, _ count: Int
  ) throws(RigLError) -> any BandKernel {
    if count == inputs * outputs { return try super.makeKernel(geometry, count) }
    let kernel = try SparseBandKernel(name: name, geometry, connections: count)
    sparse = kernel
    return kernel
  }

  /// dX, and dW at the connections that exist.
  public override func backward(
    _ outputGradient: Tensor, _ pass: Pass
  ) throws(RigLError) -> Tensor? {
    let inputGradient = try work.backward(outputGradient, pass)
    if let connections, let input = work.input {
      try pass.connectionMover?.move(
        connections,
        GradientOperands(input: input, outputGradient: outputGradient, convolution: work))
    }
    return inputGradient
  }
}

/// A k×k convolution with every weight stored, through dense products: the twin that sparse layers
/// are measured against, and the layer for small or sensitive places of a network.
public final class DenseConv2d: Conv2d {
  /// Creates a layer.
  ///
  /// - Parameter padding: zeros on every side; by default k / 2.
  public init(
    _ name: String, inputs: Int, outputs: Int, kernel: Int, stride: Int = 1, padding: Int? = nil,
    bias: Bool = false
  ) {
    let shape = ConvolutionShape(
      inputs: inputs, outputs: outputs, kernel: kernel, stride: stride, padding: padding)
    super.init(name, shape, hasBias: bias)
  }
}

/// A k×k convolution of each channel with a kernel of its own; always dense.
public final class DepthwiseConv2d: Conv2d {
  private let decays: Bool

  /// Creates a layer.
  ///
  /// - Parameters:
  ///   - padding: zeros on every side; by default k / 2.
  ///   - decays: whether weight decay applies; MobileNet's training leaves it out.
  public init(
    _ name: String, channels: Int, kernel: Int, stride: Int = 1, padding: Int? = nil,
    decays: Bool = false
  ) {
    self.decays = decays
    let shape = ConvolutionShape(
      inputs: channels, outputs: channels, kernel: kernel, stride: stride, padding: padding)
    super.init(name, shape, isDepthwise: true)
  }

  /// A depthwise convolution of the input that ``outputShape(of:)`` was last asked for.
  public override var accounted: AccountedLayer {
    let input = existing(input, "size of its input; ask for outputShape first")
    return .depthwise(
      name, channels: outputs, kernel: convolution.kernel, stride: convolution.stride,
      padding: convolution.padding, inputHeight: input.height, inputWidth: input.width)
  }

  /// The position: weights are (channels, k²).
  public override func place(of position: Int) -> Int { position }

  fileprivate override func makeKernel(
    _ geometry: BandGeometry, _ count: Int
  ) throws(RigLError) -> any BandKernel {
    DepthwiseBandKernel(name: name, geometry, decays: decays)
  }
}
