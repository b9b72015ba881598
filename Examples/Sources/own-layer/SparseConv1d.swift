import RigLCore

/// A convolution in one dimension, with only the connections that exist stored and multiplied: over
/// the columns of samples that are one row, `SampleShape(channels:, height: 1, width:)`.
///
/// The output has as many columns as the input: there are zeros around it.
struct SparseConv1d: WeightLayer {
  let name: String
  /// Input channels.
  let channels: Int
  /// Output channels.
  let outputs: Int
  /// Columns that an output sees: an odd number.
  let kernel: Int
  let hasBias: Bool

  init(_ name: String, channels: Int, outputs: Int, kernel: Int, bias: Bool = true) {
    precondition(channels > 0 && outputs > 0 && kernel > 0 && kernel % 2 == 1, "layer \(name)")
    self.name = name
    self.channels = channels
    self.outputs = outputs
    self.kernel = kernel
    hasBias = bias
  }

  /// Inputs of an output, each of which may be a connection.
  var inputs: Int { channels * kernel }
  /// The shape in files, which is that of PyTorch's Conv1d.
  var shape: [Int] { [outputs, channels, kernel] }
  var fanOut: Int { outputs * kernel }
  var canBeSparse: Bool { true }
  var kind: String { "SparseConv1d(\(channels)-\(outputs), kernel \(kernel))" }
  /// Rows and columns of the network's input matter.
  var takesPlanes: Bool { true }
  /// An activation and dropout after it are applied by its stage: the product does it.
  var fusing: Fusing { .appliesEpilogue }

  func outputShape(of input: SampleShape) throws(RigLError) -> SampleShape {
    guard input.channels == channels, input.height == 1 else {
      throw RigLError(
        .configuration,
        "layer \(name): an input of \(input.channels) channels and \(input.height) rows, expected "
          + "\(channels) channels of one row")
    }
    return SampleShape(channels: outputs, height: 1, width: input.width)
  }

  /// Each weight is used at every column of a sample.
  func accounted(of input: SampleShape) -> AccountedLayer {
    .shared(name, shape: shape, places: input.width, hasBias: hasBias)
  }

  func makeStage(_ site: StageSite) throws(RigLError) -> any Stage {
    try SparseConv1dStage(self, site)
  }
}

/// Brings the input into a tensor with zeros around, and multiplies there.
private final class SparseConv1dStage: Stage {
  private let site: StageSite
  private let padded: Tensor
  private let paddedGradient: Tensor?
  private let product: SparseProduct

  init(_ layer: SparseConv1d, _ site: StageSite) throws(RigLError) {
    let width = site.input.shape.width
    let shape = SampleShape(
      channels: layer.channels, height: 1, width: width + layer.kernel - 1)
    self.site = site
    padded = Tensor(shape: shape, capacity: site.capacity, lanes: site.lanes)
    // Nil for a network's first layer: nobody asks for its input's gradient.
    paddedGradient = site.inputGradient.map {
      Tensor(shape: shape, capacity: $0.capacity, lanes: $0.lanes)
    }
    var inner = site
    inner.input = padded
    inner.inputGradient = paddedGradient
    // The weight of kernel position t reads t columns ahead of its place.
    let layout = SparseProduct.Layout(
      inputWidth: shape.width, outputWidth: width, taps: Array(0..<layer.kernel))
    product = try SparseProduct(layer, inner, layout)
  }

  var weights: LayerWeights? { product.weights }
  var gradientSource: (any GradientSource)? { product.gradientSource }
  func weightsDidChange() { product.weightsDidChange() }

  func forward(_ pass: Pass) throws(RigLError) {
    pass.measure(.forwardPack) { copyColumns(from: site.input, to: padded, pass) }
    product.forward(pass)
  }

  func backward(_ pass: Pass) throws(RigLError) {
    product.backward(pass)
    guard let paddedGradient, let inputGradient = site.inputGradient else { return }
    pass.measure(.backwardUnpack) {
      copyColumns(from: paddedGradient, to: inputGradient, pass)
    }
  }

  var timing: StageTiming { product.timing }

  func work(_ counts: StepCounts) -> [StepStage: StageWork] {
    var work = product.work(counts)
    let moved = StageWork(near: counts.bytes(of: site.input.shape) + counts.bytes(of: padded.shape))
    work[.forwardPack, default: StageWork()].add(moved)
    if site.inputGradient != nil { work[.backwardUnpack, default: StageWork()].add(moved) }
    return work
  }
}

/// Copies the columns that two tensors have in common, those in the middle of the wider one. A group of
/// samples is a thread's share; the closure captures nothing, so that nothing is allocated in a step.
private func copyColumns(from source: Tensor, to target: Tensor, _ pass: Pass) {
  target.samples = source.samples
  pass.pool.run(chunks: source.groups, with: (source, target)) { tensors, group, _ in
    let (source, target) = tensors
    let (from, to, lanes) = (source.shape.width, target.shape.width, source.lanes)
    let count = min(from, to) * lanes
    source.withElements { values in
      target.withMutableElements { copy in
        for channel in group * source.shape.channels..<(group + 1) * source.shape.channels {
          let begin = (channel * from + max(0, from - to) / 2) * lanes
          let place = (channel * to + max(0, to - from) / 2) * lanes
          for index in 0..<count { copy[place + index] = values[begin + index] }
        }
      }
    }
  }
}
