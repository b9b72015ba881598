/// A layer whose passes are a ``PlaneConvolution``'s.
protocol ConvolutionLayer: WeightLayer, PlaneReader, PlaneWriter {
  /// The passes; exist once a ``Model`` is made.
  var work: PlaneConvolution { get }
}

extension ConvolutionLayer {
  var prologue: Prologue {
    get { work.prologue }
    set { work.prologue = newValue }
  }
  var outputNorm: BatchNorm? {
    get { work.outputNorm }
    set { work.outputNorm = newValue }
  }
  var foldsNorm: Bool {
    get { work.foldsNorm }
    set { work.foldsNorm = newValue }
  }
}

extension WeightLayer {
  /// What only exists once a ``Model`` is made of the layers.
  fileprivate func existing<Value>(_ value: Value?) -> Value {
    guard let value else {
      preconditionFailure("\(name): has no connections yet; make a Model of the layers first")
    }
    return value
  }

  fileprivate func makeBias(_ hasBias: Bool) -> Parameter? {
    hasBias
      ? Parameter(name: "\(name).bias", shape: [outputs], count: outputs, decays: false) : nil
  }

  fileprivate func account(_ shape: ConvolutionShape, _ input: SampleShape?, hasBias: Bool)
    -> AccountedLayer
  {
    guard let input else {
      preconditionFailure("\(name): its input's size is not known yet; ask for outputShape first")
    }
    return .conv(
      name, inputs: shape.inputs, outputs: shape.outputs, kernel: shape.kernel,
      stride: shape.stride, padding: shape.padding, inputHeight: input.height,
      inputWidth: input.width, hasBias: hasBias)
  }
}

/// A k×k convolution with only the connections that exist stored and multiplied.
///
/// Where the sparsity distribution leaves the layer all of its connections, it works as a
/// ``DenseConv2d`` does.
public final class SparseConv2d: ConvolutionLayer {
  /// The name in files, reports and per-layer settings.
  public let name: String
  /// Channels, kernel, stride and padding.
  public let convolution: ConvolutionShape
  /// Whether a sparsity distribution may leave out positions.
  public let canBeSparse: Bool
  private let hasBias: Bool
  private var input: SampleShape?
  private var sparse: SparseBandKernel?
  private var made: PlaneConvolution?
  private lazy var ownBias = makeBias(hasBias)

  /// Creates a layer; its connections are drawn when a ``Model`` is made of it.
  ///
  /// - Parameter padding: zeros on every side; by default k / 2.
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

  /// Inputs of an output: channels · k².
  public var inputs: Int { convolution.inputs * convolution.taps }
  /// Output channels.
  public var outputs: Int { convolution.outputs }
  /// (out, in, k, k).
  public var shape: [Int] {
    [convolution.outputs, convolution.inputs, convolution.kernel, convolution.kernel]
  }
  /// Output channels · k².
  public var fanOut: Int { convolution.outputs * convolution.taps }
  /// A convolution of the input that ``outputShape(of:)`` was last asked for.
  public var accounted: AccountedLayer { account(convolution, input, hasBias: hasBias) }
  /// The connections, if the layer does not have all of them; exist once a ``Model`` is made.
  public var connections: SparseWeights? { sparse?.weights }
  /// The weights of the connections.
  public var weight: Parameter { work.kernel.weight }
  /// The bias, (outputs).
  public var bias: Parameter? { ownBias }
  /// Where the weight at a position is stored, if every weight is.
  public func place(of position: Int) -> Int { DenseBandKernel.place(of: position, convolution) }
  /// The weight, then the bias.
  public var parameters: [Parameter] { [weight] + (bias.map { [$0] } ?? []) }
  /// Itself.
  public var weightLayers: [any WeightLayer] { [self] }
  /// It works on planes.
  public var takesPlanes: Bool { true }
  var work: PlaneConvolution { existing(made) }

  /// The output's shape.
  public func outputShape(of input: SampleShape) throws(RigLError) -> SampleShape {
    self.input = input
    return try convolution.outputShape(of: input, name)
  }

  /// Makes room for the layer's connections.
  public func makeConnections(_ count: Int, lanes: Int) throws(RigLError) {
    let input = existing(input)
    let geometry = BandGeometry(
      convolution, input: input, output: try convolution.outputShape(of: input, name))
    if count == inputs * outputs {
      made = PlaneConvolution(
        name, geometry, DenseBandKernel(name: name, geometry), bias: ownBias)
    } else {
      let kernel = try SparseBandKernel(name: name, geometry, connections: count)
      sparse = kernel
      made = PlaneConvolution(name, geometry, kernel, bias: ownBias)
    }
  }

  /// Allocates output and input gradient.
  public func prepare(_ context: LayerContext) throws(RigLError) -> SampleShape {
    try work.prepare(context)
  }

  /// W ∗ x + b.
  public func forward(_ input: Tensor, _ pass: Pass) throws(RigLError) -> Tensor {
    try work.forward(input, pass)
  }

  /// dX, and dW at the connections that exist.
  public func backward(_ outputGradient: Tensor, _ pass: Pass) throws(RigLError) -> Tensor? {
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
public final class DenseConv2d: ConvolutionLayer {
  /// The name in files, reports and per-layer settings.
  public let name: String
  /// Channels, kernel, stride and padding.
  public let convolution: ConvolutionShape
  /// Every weight exists, whatever the distribution.
  public var canBeSparse: Bool { false }
  private let hasBias: Bool
  private var input: SampleShape?
  private var made: PlaneConvolution?
  private lazy var ownBias = makeBias(hasBias)

  /// Creates a layer.
  ///
  /// - Parameter padding: zeros on every side; by default k / 2.
  public init(
    _ name: String, inputs: Int, outputs: Int, kernel: Int, stride: Int = 1, padding: Int? = nil,
    bias: Bool = false
  ) {
    self.name = name
    convolution = ConvolutionShape(
      inputs: inputs, outputs: outputs, kernel: kernel, stride: stride, padding: padding)
    hasBias = bias
  }

  /// Inputs of an output: channels · k².
  public var inputs: Int { convolution.inputs * convolution.taps }
  /// Output channels.
  public var outputs: Int { convolution.outputs }
  /// (out, in, k, k).
  public var shape: [Int] {
    [convolution.outputs, convolution.inputs, convolution.kernel, convolution.kernel]
  }
  /// Output channels · k².
  public var fanOut: Int { convolution.outputs * convolution.taps }
  /// A convolution of the input that ``outputShape(of:)`` was last asked for.
  public var accounted: AccountedLayer { account(convolution, input, hasBias: hasBias) }
  /// None.
  public var connections: SparseWeights? { nil }
  /// The weights, by kernel position.
  public var weight: Parameter { work.kernel.weight }
  /// The bias, (outputs).
  public var bias: Parameter? { ownBias }
  /// Where the weight at a position is stored.
  public func place(of position: Int) -> Int { DenseBandKernel.place(of: position, convolution) }
  /// The weight, then the bias.
  public var parameters: [Parameter] { [weight] + (bias.map { [$0] } ?? []) }
  /// Itself.
  public var weightLayers: [any WeightLayer] { [self] }
  /// It works on planes.
  public var takesPlanes: Bool { true }
  var work: PlaneConvolution { existing(made) }

  /// The output's shape.
  public func outputShape(of input: SampleShape) throws(RigLError) -> SampleShape {
    self.input = input
    return try convolution.outputShape(of: input, name)
  }

  /// Makes room for the weights.
  public func makeConnections(_ count: Int, lanes: Int) throws(RigLError) {
    let input = existing(input)
    let geometry = BandGeometry(
      convolution, input: input, output: try convolution.outputShape(of: input, name))
    made = PlaneConvolution(name, geometry, DenseBandKernel(name: name, geometry), bias: ownBias)
  }

  /// Allocates output and input gradient.
  public func prepare(_ context: LayerContext) throws(RigLError) -> SampleShape {
    try work.prepare(context)
  }

  /// W ∗ x + b.
  public func forward(_ input: Tensor, _ pass: Pass) throws(RigLError) -> Tensor {
    try work.forward(input, pass)
  }

  /// dX and dW.
  public func backward(_ outputGradient: Tensor, _ pass: Pass) throws(RigLError) -> Tensor? {
    try work.backward(outputGradient, pass)
  }
}

/// A k×k convolution of each channel with a kernel of its own; always dense.
public final class DepthwiseConv2d: ConvolutionLayer {
  /// The name in files and reports.
  public let name: String
  /// Channels (inputs and outputs alike), kernel, stride and padding.
  public let convolution: ConvolutionShape
  /// Every weight exists, whatever the distribution.
  public var canBeSparse: Bool { false }
  private let decays: Bool
  private var input: SampleShape?
  private var made: PlaneConvolution?

  /// Creates a layer.
  ///
  /// - Parameters:
  ///   - padding: zeros on every side; by default k / 2.
  ///   - decays: whether weight decay applies; MobileNet's training leaves it out.
  public init(
    _ name: String, channels: Int, kernel: Int, stride: Int = 1, padding: Int? = nil,
    decays: Bool = false
  ) {
    self.name = name
    convolution = ConvolutionShape(
      inputs: channels, outputs: channels, kernel: kernel, stride: stride, padding: padding)
    self.decays = decays
  }

  /// Inputs of an output: k².
  public var inputs: Int { convolution.taps }
  /// Channels.
  public var outputs: Int { convolution.outputs }
  /// (channels, 1, k, k).
  public var shape: [Int] { [convolution.outputs, 1, convolution.kernel, convolution.kernel] }
  /// k².
  public var fanOut: Int { convolution.taps }
  /// A depthwise convolution of the input that ``outputShape(of:)`` was last asked for.
  public var accounted: AccountedLayer {
    guard let input else {
      preconditionFailure("\(name): its input's size is not known yet; ask for outputShape first")
    }
    return .depthwise(
      name, channels: convolution.inputs, kernel: convolution.kernel, stride: convolution.stride,
      padding: convolution.padding, inputHeight: input.height, inputWidth: input.width)
  }
  /// None.
  public var connections: SparseWeights? { nil }
  /// The weights, (channels, k²).
  public var weight: Parameter { work.kernel.weight }
  /// None.
  public var bias: Parameter? { nil }
  /// The weight.
  public var parameters: [Parameter] { [weight] }
  /// Itself.
  public var weightLayers: [any WeightLayer] { [self] }
  /// It works on planes.
  public var takesPlanes: Bool { true }
  var work: PlaneConvolution { existing(made) }

  /// The output's shape.
  public func outputShape(of input: SampleShape) throws(RigLError) -> SampleShape {
    self.input = input
    return try convolution.outputShape(of: input, name)
  }

  /// Makes room for the weights.
  public func makeConnections(_ count: Int, lanes: Int) throws(RigLError) {
    let input = existing(input)
    let geometry = BandGeometry(
      convolution, input: input, output: try convolution.outputShape(of: input, name))
    made = PlaneConvolution(
      name, geometry, DepthwiseBandKernel(name: name, geometry, decays: decays), bias: nil)
  }

  /// Allocates output and input gradient.
  public func prepare(_ context: LayerContext) throws(RigLError) -> SampleShape {
    try work.prepare(context)
  }

  /// The convolution of each channel.
  public func forward(_ input: Tensor, _ pass: Pass) throws(RigLError) -> Tensor {
    try work.forward(input, pass)
  }

  /// dX and dW.
  public func backward(_ outputGradient: Tensor, _ pass: Pass) throws(RigLError) -> Tensor? {
    try work.backward(outputGradient, pass)
  }
}
