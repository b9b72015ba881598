// Recurrent layers: a product over all steps of a window at once, then a step after the other.
//
// A batch is a window of streams: sample t · streams + s is step t of stream s, so that tensors are
// `[t][group][feature][lane]`, and every layer of vectors is one that is applied at each step.

/// A gated recurrent unit whose input and recurrent weights are sparse, with PyTorch's gates: reset,
/// update, new; the reset gate acts after the matrix product.
///
///     r = σ(W_ir x + b_ir + W_hr h + b_hr)
///     z = σ(W_iz x + b_iz + W_hz h + b_hz)
///     n = tanh(W_in x + b_in + r (W_hn h + b_hn))
///     h ← (1 − z) n + z h
///
/// It is two layers with weights, `NAME.ih` and `NAME.hh`, (3 · hidden, inputs) and
/// (3 · hidden, hidden). Gradients go back to a window's beginning; the state goes on to the next window.
/// Cho et al., EMNLP 2014.
package struct SparseGRU: PlannedLayer {
  private let layers: RecurrentLayers

  /// Creates a layer of `hidden` units.
  package init(
    _ name: String, inputs: Int, hidden: Int, bias: Bool = true, canBeSparse: Bool = true
  ) {
    layers = RecurrentLayers(
      name, .gru, inputs: inputs, hidden: hidden, bias: bias, canBeSparse: canBeSparse)
  }
}

/// A long short-term memory whose input and recurrent weights are sparse, with PyTorch's gates: input,
/// forget, cell, output.
///
///     i, f, o = σ(W_i x + b_i + W_h h + b_h) of each;  g = tanh(…)
///     c ← f c + i g
///     h ← o tanh(c)
///
/// It is two layers with weights, `NAME.ih` and `NAME.hh`, (4 · hidden, inputs) and
/// (4 · hidden, hidden). Gradients go back to a window's beginning; state and cell go on to the next
/// window. Hochreiter and Schmidhuber, Neural Computation 1997.
package struct SparseLSTM: PlannedLayer {
  private let layers: RecurrentLayers

  /// Creates a layer of `hidden` units.
  package init(
    _ name: String, inputs: Int, hidden: Int, bias: Bool = true, canBeSparse: Bool = true
  ) {
    layers = RecurrentLayers(
      name, .lstm, inputs: inputs, hidden: hidden, bias: bias, canBeSparse: canBeSparse)
  }
}

extension SparseGRU {
  package var composition: LayerParts { layers.composition }
  package var kind: String { layers.kind }
  package func outputShape(of input: SampleShape) throws(RigLError) -> SampleShape {
    try layers.outputShape(of: input)
  }
  /// Not called: its layers are stages.
  package func makeStage(_ site: StageSite) throws(RigLError) -> any Stage {
    trap("SparseGRU: a stage of layers")
  }
  /// Nil: a window has no strips.
  package func strip(of input: SampleShape) -> SampleShape? { nil }
}

extension SparseLSTM {
  package var composition: LayerParts { layers.composition }
  package var kind: String { layers.kind }
  package func outputShape(of input: SampleShape) throws(RigLError) -> SampleShape {
    try layers.outputShape(of: input)
  }
  /// Not called: its layers are stages.
  package func makeStage(_ site: StageSite) throws(RigLError) -> any Stage {
    trap("SparseLSTM: a stage of layers")
  }
  /// Nil: a window has no strips.
  package func strip(of input: SampleShape) -> SampleShape? { nil }
}

/// What a step of a recurrent layer does with its gates.
enum RecurrentCell: String, Sendable {
  /// Gates r, z, n.
  case gru = "GRU"
  /// Gates i, f, g, o, and a cell beside the state.
  case lstm = "LSTM"

  /// Gates, as many blocks of the weights' rows.
  var gates: Int { self == .gru ? 3 : 4 }
  /// Values that go from step to step, each as many as the state.
  var parts: Int { self == .gru ? 1 : 2 }
}

/// The layers that a recurrent layer is made of.
private struct RecurrentLayers: Sendable {
  let input: SparseLinear
  let recurrence: Recurrence

  init(
    _ name: String, _ cell: RecurrentCell, inputs: Int, hidden: Int, bias: Bool, canBeSparse: Bool
  ) {
    trap(
      unless: inputs > 0 && hidden > 0,
      "layer \(name): \(inputs) inputs, \(hidden) units; it needs at least one of each")
    input = SparseLinear(
      "\(name).ih", inputs: inputs, outputs: cell.gates * hidden, bias: bias,
      canBeSparse: canBeSparse)
    recurrence = Recurrence(
      name: "\(name).hh", cell: cell, hidden: hidden, hasBias: bias, canBeSparse: canBeSparse)
  }

  var composition: LayerParts { .sequence([input, recurrence]) }
  var kind: String { "\(recurrence.cell.rawValue)(hidden \(recurrence.hidden))" }

  func outputShape(of shape: SampleShape) throws(RigLError) -> SampleShape {
    try recurrence.outputShape(of: try input.outputShape(of: shape))
  }
}

/// The steps of a recurrent layer: from what comes of the input, gates one below the other, to the
/// state after each step. It changes its input, which is that of nobody else.
struct Recurrence: WeightLayer, PlannedLayer {
  let name: String
  let cell: RecurrentCell
  /// Units (H): features of the state.
  let hidden: Int
  let hasBias: Bool
  let canBeSparse: Bool

  var inputs: Int { hidden }
  var outputs: Int { cell.gates * hidden }
  var fusing: Fusing { .keepsGradient }
  var kind: String { "\(cell.rawValue) steps" }

  func outputShape(of input: SampleShape) throws(RigLError) -> SampleShape {
    guard input.count == outputs else {
      throw RigLError(
        .configuration,
        "layer \(name): \(outputs) gates, but its input has \(input.count) values a sample")
    }
    return SampleShape(channels: hidden)
  }

  func makeStage(_ site: StageSite) throws(RigLError) -> any Stage {
    try RecurrenceStage(self, site)
  }

  /// Nil: a window has no strips.
  func strip(of input: SampleShape) -> SampleShape? { nil }
}
