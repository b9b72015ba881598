import RigLCore

/// Layers that are made of the public interface alone, for finite differences.
enum OwnLayerCases {
  typealias Case = LayerGradientTests.Case
  private static let row = SampleShape(channels: 2, height: 1, width: 7)

  static let all = [
    Case(testDescription: "an own convolution", connections: ["a": 17], input: row) {
      [SparseConv1d("a", channels: 2, outputs: 3, kernel: 5)]
    },
    Case(testDescription: "an own convolution with every connection, no bias", input: row) {
      [SparseConv1d("a", channels: 2, outputs: 3, kernel: 3, bias: false)]
    },
    Case(testDescription: "own: ReLU", connections: ["a": 17], samples: 40, input: row) {
      [SparseConv1d("a", channels: 2, outputs: 3, kernel: 5), ReLU()]
    },
    Case(testDescription: "own: ReLU and dropout", connections: ["a": 17], input: row) {
      [SparseConv1d("a", channels: 2, outputs: 3, kernel: 5), ReLU(), Dropout(0.3)]
    },
    Case(testDescription: "own: one column", connections: ["a": 9], samples: 20, input: row) {
      [SparseConv1d("a", channels: 2, outputs: 5, kernel: 1), Dropout(0.2)]
    },
    Case(
      testDescription: "own: many groups", connections: ["a": 9, "b": 12], samples: 141, input: row
    ) {
      [
        SparseConv1d("a", channels: 2, outputs: 3, kernel: 3), ReLU(),
        SparseConv1d("b", channels: 3, outputs: 2, kernel: 3), Dropout(0.1),
        SparseLinear("c", inputs: 14, outputs: 3),
      ]
    },
    Case(testDescription: "own: batch-norm", connections: ["a": 17], samples: 9, input: row) {
      [
        SparseConv1d("a", channels: 2, outputs: 3, kernel: 5, bias: false),
        BatchNorm("n", channels: 3), ReLU(), SparseConv1d("b", channels: 3, outputs: 2, kernel: 3),
      ]
    },
    Case(testDescription: "own: locally connected", connections: ["a": 40], samples: 30, input: row)
    {
      [LocallyConnected("a", channels: 2, width: 7, outputs: 3, kernel: 3, stride: 2), ReLU()]
    },
    Case(
      testDescription: "own: locally connected twice, many groups",
      connections: ["a": 40, "b": 25],
      samples: 300, input: row
    ) {
      [
        LocallyConnected("a", channels: 2, width: 7, outputs: 3, kernel: 3, stride: 2),
        LocallyConnected("b", channels: 3, width: 3, outputs: 4, kernel: 2), Dropout(0.2),
      ]
    },
    Case(
      testDescription: "own: a product's own output, GELU", connections: ["a": 17], samples: 141,
      input: row
    ) {
      [CroppedConv1d("a", channels: 2, outputs: 3, kernel: 3), GELU()]
    },
    Case(
      testDescription: "own: a product's own output, SiLU and dropout", connections: ["a": 17],
      samples: 70, input: row
    ) {
      [CroppedConv1d("a", channels: 2, outputs: 3, kernel: 3), SiLU(), Dropout(0.3)]
    },
    Case(
      testDescription: "own: a product's own output, ReLU", connections: ["a": 17], samples: 40,
      input: row
    ) {
      [CroppedConv1d("a", channels: 2, outputs: 3, kernel: 3), ReLU()]
    },
    Case(testDescription: "own: dense, SiLU", samples: 40) {
      [OwnDense("a", inputs: 6, outputs: 5), SiLU()]
    },
    Case(testDescription: "own: dense, ReLU and dropout", samples: 40) {
      [OwnDense("a", inputs: 6, outputs: 5), ReLU(), Dropout(0.3)]
    },
  ]
}

/// A layer that reads windows as a convolution in one dimension does, with weights of its own at each
/// place.
struct LocallyConnected: WeightLayer {
  let name: String
  let channels: Int
  let width: Int
  let kernel: Int
  let stride: Int
  let places: Int
  let outputs: Int
  let hasBias = true
  let canBeSparse = true
  var inputs: Int { channels * kernel }
  /// Outputs are those of the first channel, at each place, then those of the next.
  var shape: [Int] { [outputs, channels, kernel] }
  var fusing: Fusing { .appliesEpilogue }

  init(_ name: String, channels: Int, width: Int, outputs: Int, kernel: Int, stride: Int = 1) {
    places = (width - kernel) / stride + 1
    (self.name, self.channels, self.width) = (name, channels, width)
    (self.kernel, self.stride, self.outputs) = (kernel, stride, outputs * places)
  }

  /// The value that an output reads for one of its inputs.
  func value(output: Int, input: Int) -> Int {
    output % places * stride + input / kernel * width + input % kernel
  }

  func outputShape(of input: SampleShape) throws(RigLError) -> SampleShape {
    SampleShape(channels: outputs)
  }

  func makeStage(_ site: StageSite) throws(RigLError) -> any Stage {
    try SparseProduct(
      self, site,
      SparseProduct.Layout(
        values: channels * width, starts: (0..<outputs).map { value(output: $0, input: 0) },
        taps: (0..<inputs).map { value(output: 0, input: $0) }))
  }
}

/// y = epilogue(W x + b) by plain loops: an own layer with weights that does without a
/// ``SparseProduct``.
struct OwnDense: WeightLayer {
  let name: String
  let inputs: Int
  let outputs: Int
  let hasBias = true
  let canBeSparse = false
  var fusing: Fusing { .appliesEpilogue }

  init(_ name: String, inputs: Int, outputs: Int) {
    (self.name, self.inputs, self.outputs) = (name, inputs, outputs)
  }

  func outputShape(of input: SampleShape) throws(RigLError) -> SampleShape {
    SampleShape(channels: outputs)
  }

  func makeStage(_ site: StageSite) throws(RigLError) -> any Stage { OwnDenseStage(self, site) }
}

private final class OwnDenseStage: Stage {
  let weights: LayerWeights?
  private let site: StageSite
  private let weight: Parameter
  private let bias: Parameter

  init(_ layer: OwnDense, _ site: StageSite) {
    self.site = site
    weight = Parameter(
      name: "\(layer.name).weight", shape: layer.shape, count: layer.inputs * layer.outputs,
      decays: true)
    bias = Parameter(
      name: "\(layer.name).bias", shape: [layer.outputs], count: layer.outputs, decays: false)
    weights = LayerWeights(layer, input: site.input.shape, weight: weight, bias: bias)
  }

  func forward(_ pass: Pass) {
    let (input, output) = (site.input, site.output)
    output.samples = input.samples
    for sample in 0..<input.samples {
      for row in 0..<output.shape.count {
        output[sample, row] = (0..<input.shape.count).reduce(0) {
          $0 + weight.values[row * input.shape.count + $1] * input[sample, $1]
        }
      }
    }
    site.epilogue.apply(to: output, bias: bias, pass)
  }

  func backward(_ pass: Pass) {
    let (input, gradient) = (site.input, site.outputGradient)
    site.epilogue.applyBackward(to: gradient, output: site.output, bias: bias, pass)
    let inputs = input.shape.count
    for position in 0..<weight.count {
      weight.gradient[position] = (0..<input.samples).reduce(0) {
        $0 + gradient[$1, position / inputs] * input[$1, position % inputs]
      }
    }
    guard let inputGradient = site.inputGradient else { return }
    inputGradient.samples = input.samples
    inputGradient.zero()
    for sample in 0..<input.samples {
      for position in 0..<weight.count {
        inputGradient[sample, position % inputs] +=
          weight.values[position] * gradient[sample, position / inputs]
      }
    }
  }
}

/// A layer whose dense gradient is written by plain loops of its own.
struct LoopedGrowth: WeightLayer {
  let layer: SparseConv1d
  var name: String { layer.name }
  var inputs: Int { layer.inputs }
  var outputs: Int { layer.outputs }
  var shape: [Int] { layer.shape }
  var hasBias: Bool { true }
  var canBeSparse: Bool { true }
  var takesPlanes: Bool { true }
  var fusing: Fusing { layer.fusing }

  func outputShape(of input: SampleShape) throws(RigLError) -> SampleShape {
    try layer.outputShape(of: input)
  }
  func accounted(of input: SampleShape) -> AccountedLayer { layer.accounted(of: input) }
  func makeStage(_ site: StageSite) throws(RigLError) -> any Stage {
    LoopedStage(try layer.makeStage(site), site, kernel: layer.kernel)
  }
}

private final class LoopedStage: Stage, GradientSource {
  private let stage: any Stage
  private let site: StageSite
  private let kernel: Int

  init(_ stage: any Stage, _ site: StageSite, kernel: Int) {
    (self.stage, self.site, self.kernel) = (stage, site, kernel)
  }

  var weights: LayerWeights? { stage.weights }
  func forward(_ pass: Pass) throws(RigLError) { try stage.forward(pass) }
  func backward(_ pass: Pass) throws(RigLError) { try stage.backward(pass) }
  func weightsDidChange() { stage.weightsDidChange() }

  var gradientSource: (any GradientSource)? { self }
  var connections: SparseWeights {
    guard let connections = weights?.connections else { fatalError("not sparse") }
    return connections
  }
  // Odd panels, with a memory of each kind that is written and read.
  func panels(threads: Int) -> GradientPanels {
    GradientPanels(rows: 4, columns: 7, scratch: 1, shared: site.input.shape.count)
  }
  func prepareGradient(in shared: inout MutableSpan<Float>, _ pool: ThreadPool) {
    for index in shared.indices { shared[index] = 1 }
  }
  func writeGradient(
    outputs: Range<Int>, inputs: Range<Int>, into panel: inout MutableSpan<Float>,
    shared: Span<Float>, scratch: inout MutableSpan<Float>
  ) {
    for (row, output) in outputs.enumerated() {
      for (column, input) in inputs.enumerated() {
        scratch[0] = gradient(output: output, input: input)
        panel[row * inputs.count + column] = scratch[0] * shared[input % shared.count]
      }
    }
  }
  func gradient(output: Int, input: Int) -> Float {
    let width = site.input.shape.width
    var sum: Float = 0
    for sample in 0..<site.input.samples {
      for place in 0..<width {
        let column = place + input % kernel - kernel / 2
        guard column >= 0, column < width else { continue }
        sum +=
          site.outputGradient[sample, output * width + place]
          * site.input[sample, input / kernel * width + column]
      }
    }
    return sum
  }
}
