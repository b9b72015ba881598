/// y = W x + b with every weight stored, through dense products.
final class DenseProduct: PlacedStage {
  let site: StageSite
  let weights: LayerWeights?
  private let weight: Parameter
  private let bias: Parameter?
  private let inputs: Int
  private let outputs: Int
  // The groups side by side: dense products want one long inner dimension.
  private var inputPanel = AlignedBuffer<Float>(count: 0)
  private var outputPanel = AlignedBuffer<Float>(count: 0)
  /// Samples in the panels, dead lanes included.
  private var samples = 0

  convenience init(_ layer: any WeightLayer, _ site: StageSite) {
    let weight = Parameter(
      name: "\(layer.name).weight", shape: layer.shape, count: layer.outputs * layer.inputs,
      decays: true)
    self.init(
      LayerWeights(layer, input: site.input.shape, weight: weight, bias: layer.makeBias()), site)
  }

  init(_ weights: LayerWeights, _ site: StageSite) {
    (self.site, inputs, outputs) = (site, weights.inputs, weights.outputs)
    (self.weights, weight, bias) = (weights, weights.weight, weights.bias)
    hasPanels = true
    makePanels()
  }

  /// Whether there is memory for the panels: no pass is without it.
  var hasPanels: Bool { didSet { if hasPanels != oldValue { makePanels() } } }

  /// Bytes of the panels.
  var panelBytes: Int { 4 * (inputPanel.count + outputPanel.count) }

  private func makePanels() {
    let samples = Tensor.elements(
      shape: SampleShape(channels: 1), capacity: site.capacity, lanes: site.lanes)
    inputPanel = AlignedBuffer(count: hasPanels ? inputs * samples : 0)
    outputPanel = AlignedBuffer(count: hasPanels ? outputs * samples : 0)
  }

  var timing: StageTiming { StageTiming(.forwardKernel, .backwardKernel) }

  func work(_ counts: StepCounts) -> [StepStage: StageWork] {
    counts.product(
      inputs: inputs, outputs: outputs, weights: weight.count, connections: nil,
      makesInputGradient: inputGradient != nil, readsOutput: epilogue.activation != nil)
  }

  /// y = epilogue(W x + b).
  func forward(_ pass: Pass) {
    output.samples = input.samples
    samples = input.groups * input.lanes
    gatherInput(pass)
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
  }

  /// dW and db alone, of an input that is not that of a forward pass here.
  func sumGradient(_ pass: Pass) {
    samples = input.groups * input.lanes
    gatherInput(pass)
    backward(pass)
  }

  private func gatherInput(_ pass: Pass) {
    forEachChunk(of: inputs, pass, with: input) { layer, input, channels, _ in
      unsafe input.gather(channels: channels, into: layer.x)
    }
  }

  /// dW = dY Xᵀ and dX = Wᵀ dY.
  func backward(_ pass: Pass) {
    outputGradient.applyEpilogueBackward(
      groups: 0..<outputGradient.groups, output: output, bias: bias, epilogue: epilogue, pass: pass)
    // The output panel is done with: it takes the output's gradient.
    forEachChunk(of: outputs, pass, with: outputGradient) { layer, gradient, rows, pass in
      unsafe gradient.gather(channels: rows, into: layer.y)
      unsafe denseProduct(
        layer.y.row(rows.lowerBound), transposeB: true, layer.x,
        into: layer.dw.row(rows.lowerBound), m: rows.count, n: layer.inputs, k: layer.samples,
        beta: pass.accumulatesGradients ? 1 : 0)
    }
    guard let inputGradient else { return }
    inputGradient.samples = input.samples
    // And the input panel the input's.
    forEachChunk(of: inputs, pass, with: inputGradient) { layer, inputGradient, columns, _ in
      let start = columns.lowerBound
      unsafe denseProduct(
        transposeA: true, MatrixView(base: layer.w.base + start, stride: layer.w.stride), layer.y,
        into: layer.x.row(start), m: columns.count, n: layer.samples, k: layer.outputs)
      unsafe inputGradient.scatter(channels: columns, from: layer.x)
    }
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
    _ body: @escaping (DenseProduct, Tensor, Range<Int>, Pass) -> Void
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
    let layer: DenseProduct
    let tensor: Tensor
    let dimension: Int
    let length: Int
    let pass: Pass
    let body: (DenseProduct, Tensor, Range<Int>, Pass) -> Void
  }
}

extension MatrixView {
  /// The matrix from a row on.
  func row(_ row: Int) -> MatrixView {
    unsafe MatrixView(base: base + row * stride, stride: stride)
  }
}
