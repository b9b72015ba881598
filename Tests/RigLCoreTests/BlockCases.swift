import RigLCore

/// Residual blocks of other layers than convolutions, for the gradient tests: branches that begin and
/// end with anything, on vectors and on planes, blocks within blocks.
enum BlockCases {
  typealias Case = LayerGradientTests.Case

  static let all = [
    Case(testDescription: "block of linear layers", connections: ["a": 20, "b": 17], samples: 40) {
      [
        Residual(main: [
          SparseLinear("a", inputs: 6, outputs: 9), SparseLinear("b", inputs: 9, outputs: 6),
        ])
      ]
    },
    Case(testDescription: "block of linear layers with ReLU after the sum", connections: ["a": 20])
    {
      [
        SparseLinear("a", inputs: 6, outputs: 6),
        Residual(main: [DenseLinear("b", inputs: 6, outputs: 6), Dropout(0.3)], activation: .relu),
        DenseLinear("c", inputs: 6, outputs: 3),
      ]
    },
    Case(testDescription: "block with a projection of vectors", connections: ["a": 20, "b": 17]) {
      [
        DenseLinear("z", inputs: 6, outputs: 6),
        Residual(
          main: [ReLU(), SparseLinear("a", inputs: 6, outputs: 5), ReLU()],
          shortcut: [SparseLinear("b", inputs: 6, outputs: 5), Dropout(0.2)]),
        DenseLinear("c", inputs: 5, outputs: 3),
      ]
    },
    Case(testDescription: "block whose main branch is elementwise") {
      [DenseLinear("z", inputs: 6, outputs: 6), Residual(main: [Dropout(0.4)])]
    },
    Case(testDescription: "block that doubles") {
      [DenseLinear("z", inputs: 6, outputs: 6), Residual(main: [])]
    },
    Case(testDescription: "block in a block, of vectors", connections: ["a": 20]) {
      [
        DenseLinear("z", inputs: 6, outputs: 6),
        Residual(main: [
          Residual(main: [SparseLinear("a", inputs: 6, outputs: 6)], activation: .relu)
        ]),
        DenseLinear("c", inputs: 6, outputs: 3),
      ]
    },
    planes("block whose branches begin with pooling", ["a": 40, "b": 50]) {
      [
        conv("a", 3, 4),
        Residual(
          before: [BatchNorm("n", channels: 4), ReLU()],
          main: [Pool2d(.average, kernel: 3, stride: 1, padding: 1), conv("b", 4, 4)],
          shortcut: [Pool2d(.average, kernel: 3, stride: 1, padding: 1)]),
        BatchNorm("l", channels: 4), GlobalAveragePool(),
      ]
    },
    planes("block that is passed by, and begins with pooling", ["a": 40, "b": 50]) {
      [
        conv("a", 3, 4),
        Residual(
          before: [BatchNorm("n", channels: 4), ReLU()],
          main: [Pool2d(.average, kernel: 3, stride: 1, padding: 1), conv("b", 4, 4)]),
        BatchNorm("l", channels: 4), GlobalAveragePool(),
      ]
    },
    planes("block whose main branch begins with ReLU", ["a": 40, "b": 50]) {
      [
        conv("a", 3, 4),
        Residual(
          before: [BatchNorm("n", channels: 4)], main: [ReLU(), conv("b", 4, 4)],
          shortcut: [conv("c", 4, 4, kernel: 1)]),
        BatchNorm("l", channels: 4), GlobalAveragePool(),
      ]
    },
    planes("blocks in a block", ["a": 40, "b": 50]) {
      [
        conv("a", 3, 4),
        Residual(
          main: [
            Residual(
              before: [BatchNorm("n", channels: 4), ReLU()], main: [conv("b", 4, 4)]),
            Residual(main: [conv("c", 4, 4), BatchNorm("m", channels: 4)]),
          ], shortcut: [Residual(main: [conv("d", 4, 4, kernel: 1)])]),
        BatchNorm("l", channels: 4), GlobalAveragePool(),
      ]
    },
  ]

  private static func conv(
    _ name: String, _ inputs: Int, _ outputs: Int, kernel: Int = 3
  ) -> SparseConv2d {
    SparseConv2d(name, inputs: inputs, outputs: outputs, kernel: kernel)
  }

  private static func planes(
    _ description: String, _ connections: [String: Int],
    _ layers: @escaping @Sendable () -> [any Layer]
  ) -> Case {
    Case(
      testDescription: description, connections: connections, samples: 9,
      input: SampleShape(channels: 3, height: 5, width: 6), layers: layers)
  }
}
