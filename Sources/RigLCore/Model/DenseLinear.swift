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

  /// Creates a layer.
  public init(_ name: String, inputs: Int, outputs: Int, bias: Bool = true) {
    precondition(inputs > 0 && outputs > 0, "\(name): \(inputs) inputs, \(outputs) outputs")
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
    guard let output else { preconditionFailure("\(name): forward before prepare") }
    self.input = input
    output.samples = input.samples
    let samples = input.groups * input.lanes
    let x = unsafe MatrixView(base: inputPanel.base, stride: samples)
    let y = unsafe MatrixView(base: outputPanel.base, stride: samples)
    let w = unsafe MatrixView(base: weight.values.base, stride: inputs)
    forEachChunk(of: inputs, pass) { channels in unsafe input.gather(channels: channels, into: x) }
    let appliesEpilogue = bias != nil || !epilogue.isIdentity(pass)
    forEachChunk(of: outputs, pass) { rows in
      unsafe denseProduct(
        w.row(rows.lowerBound), x, into: y.row(rows.lowerBound), m: rows.count, n: samples,
        k: inputs)
      unsafe output.scatter(channels: rows, from: y)
      guard appliesEpilogue else { return }
      for group in 0..<output.groups {
        output.applyEpilogue(
          group: group, channels: rows, bias: bias, epilogue: epilogue, pass: pass)
      }
    }
    return output
  }

  /// dW = dY Xᵀ and dX = Wᵀ dY.
  public func backward(_ outputGradient: Tensor, _ pass: Pass) -> Tensor? {
    guard let input, let output else { preconditionFailure("\(name): backward before forward") }
    applyEpilogueBackward(
      outputGradient, output: output, bias: bias, epilogue: epilogue, pass: pass)
    let samples = input.groups * input.lanes
    let x = unsafe MatrixView(base: inputPanel.base, stride: samples)
    let dy = unsafe MatrixView(base: outputPanel.base, stride: samples)
    let w = unsafe MatrixView(base: weight.values.base, stride: inputs)
    let dw = unsafe MatrixView(base: weight.gradient.base, stride: inputs)
    forEachChunk(of: outputs, pass) { rows in
      unsafe outputGradient.gather(channels: rows, into: dy)
      unsafe denseProduct(
        dy.row(rows.lowerBound), transposeB: true, x, into: dw.row(rows.lowerBound),
        m: rows.count, n: inputs, k: samples, beta: pass.accumulatesGradients ? 1 : 0)
    }
    guard let inputGradient else { return nil }
    inputGradient.samples = input.samples
    // The input panel is done with: it takes the input's gradient.
    forEachChunk(of: inputs, pass) { columns in
      let start = columns.lowerBound
      unsafe denseProduct(
        transposeA: true, MatrixView(base: w.base + start, stride: w.stride), dy,
        into: x.row(start), m: columns.count, n: samples, k: outputs)
      unsafe inputGradient.scatter(channels: columns, from: x)
    }
    return inputGradient
  }

  /// Cuts a dimension by its length alone, in pieces large enough for the dense product.
  private func forEachChunk(of dimension: Int, _ pass: Pass, _ body: (Range<Int>) -> Void) {
    let chunk = Swift.max(256, dimension.dividedUp(by: 8).dividedUp(by: 32) * 32)
    pass.pool.run(chunks: dimension.dividedUp(by: chunk)) { index, _ in
      body(index * chunk..<min((index + 1) * chunk, dimension))
    }
  }
}

extension MatrixView {
  /// The matrix from a row on.
  func row(_ row: Int) -> MatrixView {
    unsafe MatrixView(base: base + row * stride, stride: stride)
  }
}
