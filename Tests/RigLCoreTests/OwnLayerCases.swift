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
    Case(testDescription: "own: dense, ReLU and dropout", samples: 40) {
      [OwnDense("a", inputs: 6, outputs: 5), ReLU(), Dropout(0.3)]
    },
  ]
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
