import RigLCore

/// Layers that go from step to step of a window, and those that networks on tokens need besides, for
/// finite differences: through time where there are streams.
enum SequenceCases {
  typealias Case = LayerGradientTests.Case

  static let all = [
    Case(testDescription: "GRU, a part of a group", connections: ["a.ih": 40, "a.hh": 31]) {
      [SparseGRU("a", inputs: 6, hidden: 5)]
    },
    Case(
      testDescription: "GRU, five steps", connections: ["a.ih": 40, "a.hh": 31], samples: 40,
      streams: 8
    ) { [SparseGRU("a", inputs: 6, hidden: 5)] },
    Case(
      testDescription: "GRU, three steps of several groups", connections: ["a.ih": 40, "a.hh": 31],
      samples: 120, streams: 40
    ) { [SparseGRU("a", inputs: 6, hidden: 5)] },
    Case(
      testDescription: "GRU, several chunks", connections: ["a.ih": 700, "a.hh": 3000],
      samples: 24, streams: 8
    ) { [SparseGRU("a", inputs: 6, hidden: 130)] },
    Case(testDescription: "GRU, dense", samples: 64, streams: 16) {
      [SparseGRU("a", inputs: 6, hidden: 5, canBeSparse: false)]
    },
    Case(
      testDescription: "GRU, no biases, then a linear layer",
      connections: ["a.ih": 40, "a.hh": 31, "b": 9], samples: 40, streams: 8
    ) {
      [
        SparseGRU("a", inputs: 6, hidden: 5, bias: false), SparseLinear("b", inputs: 5, outputs: 3),
        GELU(),
      ]
    },
    Case(
      testDescription: "two GRUs, layer normalization, dropout",
      connections: ["a.ih": 40, "a.hh": 31, "b.ih": 30, "b.hh": 20], samples: 40, streams: 8
    ) {
      [
        SparseGRU("a", inputs: 6, hidden: 5), LayerNorm("n", features: 5), Dropout(0.2),
        SparseGRU("b", inputs: 5, hidden: 4),
      ]
    },
    Case(testDescription: "LSTM, one step", connections: ["a.ih": 50, "a.hh": 41]) {
      [SparseLSTM("a", inputs: 6, hidden: 5)]
    },
    Case(
      testDescription: "LSTM, five steps", connections: ["a.ih": 50, "a.hh": 41], samples: 40,
      streams: 8
    ) { [SparseLSTM("a", inputs: 6, hidden: 5)] },
    Case(testDescription: "LSTM, dense, several groups", samples: 120, streams: 40) {
      [SparseLSTM("a", inputs: 6, hidden: 5, canBeSparse: false)]
    },
    Case(
      testDescription: "LSTM, a linear layer between", connections: ["b": 9, "c.hh": 17],
      samples: 40, streams: 8
    ) {
      [
        SparseLSTM("a", inputs: 6, hidden: 5), SparseLinear("b", inputs: 5, outputs: 3), Tanh(),
        SparseLSTM("c", inputs: 3, hidden: 4, bias: false),
      ]
    },
    Case(testDescription: "layer normalization by itself") { [LayerNorm("n", features: 6)] },
    Case(
      testDescription: "layer normalization, many groups", samples: 300,
      input: SampleShape(channels: 24)
    ) {
      [
        LayerNorm("m", features: 24), DenseLinear("a", inputs: 24, outputs: 20),
      ]
    },
  ]
}

extension Model {
  /// Sets what recurrent layers begin with: the same numbers at each call.
  func setStates() {
    for state in states {
      for index in 0..<state.values.count { state.values[index] = Float(index % 7) / 5 - 0.6 }
    }
  }
}
