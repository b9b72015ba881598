import RigLCore

/// An own layer whose product has an output of its own, two columns wider than the network's: a
/// convolution in one dimension without padding, whose first and last column are cut off.
struct CroppedConv1d: WeightLayer {
  let name: String
  let channels: Int
  let outputs: Int
  let kernel: Int
  let hasBias = true
  let canBeSparse = true
  var inputs: Int { channels * kernel }
  var shape: [Int] { [outputs, channels, kernel] }
  var takesPlanes: Bool { true }
  var fusing: Fusing { .appliesEpilogue }

  init(_ name: String, channels: Int, outputs: Int, kernel: Int) {
    (self.name, self.channels, self.outputs, self.kernel) = (name, channels, outputs, kernel)
  }

  func outputShape(of input: SampleShape) throws(RigLError) -> SampleShape {
    SampleShape(channels: outputs, height: 1, width: input.width - kernel - 1)
  }

  func makeStage(_ site: StageSite) throws(RigLError) -> any Stage {
    try CroppedConv1dStage(self, site)
  }
}

private final class CroppedConv1dStage: Stage {
  private let site: StageSite
  private let whole: Tensor
  private let wholeGradient: Tensor
  private let product: SparseProduct

  init(_ layer: CroppedConv1d, _ site: StageSite) throws(RigLError) {
    let width = site.output.shape.width + 2
    let shape = SampleShape(channels: layer.outputs, height: 1, width: width)
    self.site = site
    whole = Tensor(shape: shape, capacity: site.capacity, lanes: site.lanes)
    wholeGradient = Tensor(shape: shape, capacity: site.capacity, lanes: site.lanes)
    var inner = site
    (inner.output, inner.outputGradient) = (whole, wholeGradient)
    product = try SparseProduct(
      layer, inner,
      SparseProduct.Layout(
        inputWidth: site.input.shape.width, outputWidth: width, taps: Array(0..<layer.kernel)))
  }

  var weights: LayerWeights? { product.weights }
  var gradientSource: (any GradientSource)? { product.gradientSource }
  func weightsDidChange() { product.weightsDidChange() }

  func forward(_ pass: Pass) throws(RigLError) {
    product.forward(pass)
    let output = site.output
    output.samples = whole.samples
    for sample in 0..<output.samples {
      for (index, place) in places.enumerated() { output[sample, index] = whole[sample, place] }
    }
  }

  func backward(_ pass: Pass) throws(RigLError) {
    let gradient = site.outputGradient
    wholeGradient.samples = gradient.samples
    wholeGradient.zero()
    for sample in 0..<gradient.samples {
      for (index, place) in places.enumerated() {
        wholeGradient[sample, place] = gradient[sample, index]
      }
    }
    product.backward(pass)
  }

  /// Where the values of the output are in the product's.
  private var places: [Int] {
    let width = site.output.shape.width
    return (0..<site.output.shape.channels).flatMap { channel in
      (0..<width).map { channel * (width + 2) + 1 + $0 }
    }
  }
}
