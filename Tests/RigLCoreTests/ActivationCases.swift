import Foundation
import RigLCore

/// Every activation function in every place where one can be applied, for the gradient tests.
enum ActivationCases {
  typealias Case = LayerGradientTests.Case

  /// Those without a corner, which differences would step over.
  static let smooth: [Activation] = [.gelu, .silu, .tanh, .sigmoid]

  static let all = smooth.flatMap(places)

  /// A function in every place.
  static func places(_ f: Activation) -> [Case] {
    [
      Case(testDescription: "\(f.name) by itself") { [f.layer] },
      Case(testDescription: "\(f.name) of a sparse layer", connections: ["a": 11], samples: 40) {
        [SparseLinear("a", inputs: 6, outputs: 4), f.layer]
      },
      Case(testDescription: "\(f.name) of a sparse layer without a bias", connections: ["a": 11]) {
        [SparseLinear("a", inputs: 6, outputs: 4, bias: false), f.layer]
      },
      Case(testDescription: "\(f.name) and dropout", connections: ["a": 13, "b": 15], samples: 40) {
        [
          SparseLinear("a", inputs: 6, outputs: 5), f.layer, Dropout(0.3),
          SparseLinear("b", inputs: 5, outputs: 4), Dropout(0.2), f.layer,
        ]
      },
      Case(testDescription: "\(f.name) of dense layers") {
        [
          DenseLinear("a", inputs: 6, outputs: 5), f.layer,
          SparseLinear("b", inputs: 5, outputs: 4), f.layer,
        ]
      },
      Case(testDescription: "\(f.name) after others") {
        [
          DenseLinear("a", inputs: 6, outputs: 5), Tanh(), f.layer, f.layer, Dropout(0.2),
          Dropout(0.1), SiLU(),
        ]
      },
      Case(testDescription: "\(f.name) of a sequence, and of an own layer", connections: ["a": 13])
      {
        [Sequential(SparseLinear("a", inputs: 6, outputs: 5)), f.layer, Scale(), f.layer]
      },
      Case(testDescription: "\(f.name) after a sum of vectors", connections: ["a": 20]) {
        [
          SparseLinear("a", inputs: 6, outputs: 6),
          Residual(main: [DenseLinear("b", inputs: 6, outputs: 6)], activation: f),
          DenseLinear("c", inputs: 6, outputs: 3),
        ]
      },
      planes("\(f.name) between convolutions", ["a": 40, "b": 50]) {
        [
          conv("a", 3, 4), f.layer, conv("b", 4, 4), BatchNorm("n", channels: 4), f.layer,
          GlobalAveragePool(),
        ]
      },
      planes("\(f.name) read with a stride", ["a": 40]) {
        [
          conv("a", 3, 4), BatchNorm("n", channels: 4), f.layer, conv("b", 4, 3, stride: 2),
          f.layer, conv("c", 3, 3, kernel: 1, stride: 2),
        ]
      },
      planes("\(f.name) before pooling, and twice", ["a": 40]) {
        [
          conv("a", 3, 4), f.layer, Pool2d(.average, kernel: 2), f.layer, f.layer, conv("b", 4, 3),
        ]
      },
      planes("\(f.name) of a depthwise convolution") {
        [
          conv("a", 3, 4), BatchNorm("n", channels: 4), f.layer,
          DepthwiseConv2d("d", channels: 4, kernel: 3), f.layer, GlobalAveragePool(),
        ]
      },
      planes("\(f.name) before a block's branches", ["a": 40, "b": 50]) {
        [
          conv("a", 3, 4),
          Residual(
            before: [BatchNorm("n", channels: 4), f.layer], main: [conv("b", 4, 4)],
            shortcut: [conv("c", 4, 4, kernel: 1)]),
          BatchNorm("l", channels: 4), f.layer, GlobalAveragePool(),
        ]
      },
      planes("\(f.name) before a block whose shortcut has a stride", ["a": 40]) {
        [
          conv("a", 3, 4),
          Residual(
            before: [BatchNorm("n", channels: 4), f.layer], main: [conv("b", 4, 4, stride: 2)],
            shortcut: [conv("c", 4, 4, kernel: 1, stride: 2)]),
          GlobalAveragePool(),
        ]
      },
      planes("\(f.name) after a block's sum", ["a": 40]) {
        [
          conv("a", 3, 4),
          Residual(
            main: [conv("b", 4, 4), BatchNorm("m", channels: 4)],
            shortcut: [conv("c", 4, 4, kernel: 1), BatchNorm("s", channels: 4)], activation: f),
          Residual(main: [conv("d", 4, 4)], activation: f), GlobalAveragePool(),
        ]
      },
    ]
  }

  private static func conv(
    _ name: String, _ inputs: Int, _ outputs: Int, kernel: Int = 3, stride: Int = 1
  ) -> SparseConv2d {
    SparseConv2d(name, inputs: inputs, outputs: outputs, kernel: kernel, stride: stride)
  }

  private static func planes(
    _ what: String, _ connections: [String: Int] = [:],
    _ layers: @escaping @Sendable () -> [any Layer]
  ) -> Case {
    Case(
      testDescription: what, connections: connections, samples: 4,
      input: SampleShape(channels: 3, height: 7, width: 6), layers: layers)
  }
}

extension Activation {
  /// The function in double precision.
  func exact(_ x: Double) -> Double {
    switch self {
    case .relu: max(0, x)
    case .leakyReLU(let slope): x > 0 ? x : Double(slope) * x
    case .gelu: x * erfc(-x / 2.0.squareRoot()) / 2
    case .silu: x / (1 + exp(-x))
    case .tanh: Foundation.tanh(x)
    case .sigmoid: 1 / (1 + exp(-x))
    }
  }

  /// Its derivative.
  func exactSlope(_ x: Double) -> Double {
    let s = 1 / (1 + exp(-x))
    return switch self {
    case .relu: x > 0 ? 1 : 0
    case .leakyReLU(let slope): x > 0 ? 1 : Double(slope)
    case .gelu: erfc(-x / 2.0.squareRoot()) / 2 + x * exp(-x * x / 2) / (2 * Double.pi).squareRoot()
    case .silu: s + x * s * (1 - s)
    case .tanh: 1 - Foundation.tanh(x) * Foundation.tanh(x)
    case .sigmoid: s * (1 - s)
    }
  }
}
