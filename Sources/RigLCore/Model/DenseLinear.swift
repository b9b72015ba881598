/// y = W x + b with every weight stored, through dense products: the twin that sparse layers are
/// measured against, and the layer for small or sensitive places of a network.
public final class DenseLinear: WeightLayer, EpilogueLayer {
  /// The name in files, reports and per-layer settings.
  public let name: String
  /// Features of the input.
  public let inputs: Int
  /// Features of the output.
  public let outputs: Int
  /// Every weight exists, whatever the distribution.
  public var canBeSparse: Bool { false }
  /// The weight, (outputs, inputs) row-major.
  public let weight: Parameter
  /// The bias, (outputs).
  public let bias: Parameter?
  /// None.
  public var connections: SparseWeights? { nil }

  var epilogue = Epilogue()
  private var input: Tensor?
  private var output: Tensor?
  private var inputGradient: Tensor?
  // The groups side by side: dense products want one long inner dimension.
  private var inputPanel = AlignedBuffer<Float>(count: 0)
  private var outputPanel = AlignedBuffer<Float>(count: 0)
  /// Samples in the panels, dead lanes included.
  private var samples = 0

  /// Creates a layer.
  public init(_ name: String, inputs: Int, outputs: Int, bias: Bool = true) {
    trap(
      unless: inputs > 0 && outputs > 0,
      "layer \(name): \(inputs) inputs, \(outputs) outputs; it needs at least one of each")
    self.name = name
    self.inputs = inputs
    self.outputs = outputs
    weight = Parameter(
      name: "\(name).weight", shape: [outputs, inputs], count: outputs * inputs, decays: true)
    self.bias =
      bias
      ? Parameter(name: "\(name).bias", shape: [outputs], count: outputs, decays: false) : nil
  }

  /// Nothing to make: every weight exists.
  public func makeConnections(_ count: Int, lanes: Int) throws(RigLError) {}

  /// The weight, then the bias.
  public var parameters: [Parameter] { [weight] + (bias.map { [$0] } ?? []) }
  /// Itself.
  public var weightLayers: [any WeightLayer] { [self] }

  /// A vector of `outputs`.
  public func outputShape(of input: SampleShape) throws(RigLError) -> SampleShape {
    try checkInput(input)
    return SampleShape(channels: outputs)
  }

  /// Allocates output, input gradient and the panels.
  public func prepare(_ context: LayerContext) throws(RigLError) -> SampleShape {
    try checkInput(context.input)
    let shape = SampleShape(channels: outputs)
    output = context.makeOutput(shape)
    inputGradient = context.makeInputGradient()
    let samples = Tensor.elements(
      shape: SampleShape(channels: 1), capacity: context.capacity, lanes: context.lanes)
    inputPanel = AlignedBuffer(count: inputs * samples)
    outputPanel = AlignedBuffer(count: outputs * samples)
    return shape
  }

  /// y = epilogue(W x + b).
  public func forward(_ input: Tensor, _ pass: Pass) -> Tensor {
    guard let output else { trap("\(name): forward before prepare") }
    self.input = input
    output.samples = input.samples
    samples = input.groups * input.lanes
    forEachChunk(of: inputs, pass, with: input) { layer, input, channels, _ in
      unsafe input.gather(channels: channels, into: layer.x)
    }
    forEachChunk(of: outputs, pass, with: output) { layer, output, rows, pass in
      unsafe denseProduct(
        layer.w.row(rows.lowerBound), layer.x, into: layer.y.row(rows.lowerBound), m: rows.count,
        n: layer.samples, k: layer.inputs)
      unsafe output.scatter(channels: rows, from: layer.y)
      guard layer.bias != nil || !layer.epilogue.isIdentity(pass) else { return }
      for group in 0..<output.groups {
        output.applyEpilogue(
          group: group, channels: rows, bias: layer.bias, epilogue: layer.epilogue, pass: pass)
      }
    }
    return output
  }

  /// dW = dY Xᵀ and dX = Wᵀ dY.
  public func backward(_ outputGradient: Tensor, _ pass: Pass) -> Tensor? {
    guard let input, let output else { trap("\(name): backward before forward") }
    applyEpilogueBackward(
      outputGradient, groups: 0..<outputGradient.groups, output: output, bias: bias,
      epilogue: epilogue, pass: pass)
    // The output panel is done with: it takes the output's gradient.
    forEachChunk(of: outputs, pass, with: outputGradient) { layer, gradient, rows, pass in
      unsafe gradient.gather(channels: rows, into: layer.y)
      unsafe denseProduct(
        layer.y.row(rows.lowerBound), transposeB: true, layer.x,
        into: layer.dw.row(rows.lowerBound), m: rows.count, n: layer.inputs, k: layer.samples,
        beta: pass.accumulatesGradients ? 1 : 0)
    }
    guard let inputGradient else { return nil }
    inputGradient.samples = input.samples
    // And the input panel the input's.
    forEachChunk(of: inputs, pass, with: inputGradient) { layer, inputGradient, columns, _ in
      let start = columns.lowerBound
      unsafe denseProduct(
        transposeA: true, MatrixView(base: layer.w.base + start, stride: layer.w.stride), layer.y,
        into: layer.x.row(start), m: columns.count, n: layer.samples, k: layer.outputs)
      unsafe inputGradient.scatter(channels: columns, from: layer.x)
    }
    return inputGradient
  }

  /// Weight, its gradient, and the panels of input and output, (features, samples).
  private var w: MatrixView { unsafe MatrixView(base: weight.values.base, stride: inputs) }
  private var dw: MatrixView { unsafe MatrixView(base: weight.gradient.base, stride: inputs) }
  private var x: MatrixView { unsafe MatrixView(base: inputPanel.base, stride: samples) }
  private var y: MatrixView { unsafe MatrixView(base: outputPanel.base, stride: samples) }

  /// Cuts a dimension by its length alone, in pieces large enough for the dense product. The body
  /// must capture nothing: see ``ThreadPool/run(chunks:with:_:)``.
  private func forEachChunk(
    of dimension: Int, _ pass: Pass, with tensor: Tensor,
    _ body: @escaping (DenseLinear, Tensor, Range<Int>, Pass) -> Void
  ) {
    let length = Swift.max(256, dimension.dividedUp(by: 4).dividedUp(by: 32) * 32)
    let work = Work(
      layer: self, tensor: tensor, dimension: dimension, length: length, pass: pass, body: body)
    pass.pool.run(chunks: dimension.dividedUp(by: length), with: work) { work, index, _ in
      let range = index * work.length..<min((index + 1) * work.length, work.dimension)
      work.body(work.layer, work.tensor, range, work.pass)
    }
  }

  private struct Work {
    let layer: DenseLinear
    let tensor: Tensor
    let dimension: Int
    let length: Int
    let pass: Pass
    let body: (DenseLinear, Tensor, Range<Int>, Pass) -> Void
  }
}

extension MatrixView {
  /// The matrix from a row on.
  func row(_ row: Int) -> MatrixView {
    unsafe MatrixView(base: base + row * stride, stride: stride)
  }
}
