import RigLCore

/// Networks on planes for ``LayerGradientTests``: every layer, and every way in which layers hand
/// work to each other.
enum PlaneCases {
  typealias Case = LayerGradientTests.Case

  static let image = SampleShape(channels: 3, height: 5, width: 6)

  static let all = [
    planes("sparse convolution", ["a": 40]) { [conv("a", 3, 4)] },
    planes("sparse convolution, stride 2, bias", ["a": 40], samples: 11) {
      [SparseConv2d("a", inputs: 3, outputs: 4, kernel: 3, stride: 2, bias: true)]
    },
    planes("5 x 5 without padding", ["a": 90], samples: 8) {
      [SparseConv2d("a", inputs: 3, outputs: 4, kernel: 5, padding: 0)]
    },
    planes("1 x 1, stride 2", ["a": 7], samples: 9) {
      [SparseConv2d("a", inputs: 3, outputs: 4, kernel: 1, stride: 2)]
    },
    planes("dense convolution, stride 2") {
      [DenseConv2d("a", inputs: 3, outputs: 4, kernel: 3, stride: 2, bias: true)]
    },
    planes("depthwise, then 1 x 1", ["b": 8]) {
      [DepthwiseConv2d("a", channels: 3, kernel: 3, stride: 2), conv("b", 3, 5, kernel: 1)]
    },
    planes("batch-norm by itself") { [BatchNorm("n", channels: 3)] },
    planes("batch-norm and ReLU by themselves") { [BatchNorm("n", channels: 3), ReLU()] },
    planes("two batch-norms") { [BatchNorm("n", channels: 3), BatchNorm("m", channels: 3)] },
    planes("convolutions with batch-norm and ReLU between", ["a": 40, "b": 50], samples: 17) {
      [
        conv("a", 3, 4), BatchNorm("n", channels: 4), ReLU(), conv("b", 4, 5),
      ]
    },
    planes("ReLU alone between convolutions", ["a": 40, "b": 50]) {
      [biased("a", 3, 4), ReLU(), biased("b", 4, 5), ReLU()]
    },
    planes("batch-norm first, dropout between", ["a": 40, "b": 50]) {
      [
        BatchNorm("n", channels: 3), ReLU(), biased("a", 3, 4), ReLU(), Dropout(0.3),
        conv("b", 4, 2),
      ]
    },
    planes("maximum") { [Pool2d(.maximum, kernel: 3, stride: 2, padding: 1)] },
    planes("mean, flatten, linear", ["a": 40, "b": 9]) {
      [
        conv("a", 3, 4), BatchNorm("n", channels: 4), ReLU(),
        Pool2d(.average, kernel: 3, stride: 2, padding: 1), Pool2d(.average, kernel: 2, stride: 1),
        Flatten(), SparseLinear("b", inputs: 16, outputs: 3),
      ]
    },
    planes("global average after batch-norm", ["a": 40, "b": 9]) {
      [
        conv("a", 3, 4), BatchNorm("n", channels: 4), ReLU(), GlobalAveragePool(),
        SparseLinear("b", inputs: 4, outputs: 3),
      ]
    },
    planes("pre-activation block, identity", ["a": 40, "b": 50, "c": 60], samples: 9) {
      [
        conv("a", 3, 4),
        Residual(
          before: [BatchNorm("n", channels: 4), ReLU()],
          main: [conv("b", 4, 6), BatchNorm("m", channels: 6), ReLU(), conv("c", 6, 4)]),
        BatchNorm("l", channels: 4), ReLU(), GlobalAveragePool(),
      ]
    },
    planes(
      "pre-activation blocks, projection, then identity",
      [
        "a": 40, "b": 50, "c": 60, "d": 9, "e": 50, "f": 50,
      ]
    ) {
      [
        conv("a", 3, 4),
        Residual(
          before: [BatchNorm("n", channels: 4), ReLU()],
          main: [
            conv("b", 4, 6, stride: 2), BatchNorm("m", channels: 6), ReLU(), conv("c", 6, 5),
          ],
          shortcut: [conv("d", 4, 5, kernel: 1, stride: 2)]),
        Residual(
          before: [BatchNorm("o", channels: 5), ReLU()],
          main: [conv("e", 5, 5), BatchNorm("p", channels: 5), ReLU(), conv("f", 5, 5)]),
        BatchNorm("l", channels: 5), ReLU(), GlobalAveragePool(),
      ]
    },
    planes(
      "post-activation blocks, identity, then projection",
      [
        "a": 40, "b": 50, "c": 60, "d": 9, "e": 50, "f": 50,
      ]
    ) {
      [
        conv("a", 3, 4), BatchNorm("n", channels: 4), ReLU(),
        Residual(
          main: [
            conv("b", 4, 6), BatchNorm("m", channels: 6), ReLU(), conv("c", 6, 4),
            BatchNorm("l", channels: 4),
          ], activation: .relu),
        Residual(
          main: [
            conv("e", 4, 5, stride: 2), BatchNorm("p", channels: 5), ReLU(), conv("f", 5, 5),
            BatchNorm("q", channels: 5),
          ],
          shortcut: [conv("d", 4, 5, kernel: 1, stride: 2), BatchNorm("r", channels: 5)],
          activation: .relu),
        GlobalAveragePool(),
      ]
    },
    planes("block without batch-norm", ["a": 40, "b": 50]) {
      [
        biased("a", 3, 4), Residual(before: [ReLU()], main: [biased("b", 4, 4)]),
        Residual(main: [biased("c", 4, 4)], activation: .relu),
      ]
    },
  ]

  private static func conv(
    _ name: String, _ inputs: Int, _ outputs: Int, kernel: Int = 3, stride: Int = 1
  ) -> SparseConv2d {
    SparseConv2d(name, inputs: inputs, outputs: outputs, kernel: kernel, stride: stride)
  }

  private static func biased(_ name: String, _ inputs: Int, _ outputs: Int) -> SparseConv2d {
    SparseConv2d(name, inputs: inputs, outputs: outputs, kernel: 3, bias: true)
  }

  private static func planes(
    _ what: String, _ connections: [String: Int] = [:], samples: Int = 4,
    _ layers: @escaping @Sendable () -> [any Layer]
  ) -> Case {
    Case(
      testDescription: what, connections: connections, samples: samples, input: image,
      layers: layers)
  }
}
