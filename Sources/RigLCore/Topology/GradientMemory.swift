/// What a method keeps of the dense gradients of all weight steps: a number for each position of each
/// layer whose connections can move, 0 at first. It is saved in checkpoints, and takes as much memory as
/// the dense layers' weights; each step then costs about a dense layer's gradient more.
public protocol GradientMemory: Sendable {
  /// Takes the gradients dL/dW of some positions of a row into what is kept of them. Called once a weight
  /// step for each piece of each row, on several threads, with the step's mean gradient before decay and
  /// clipping; positions that have a connection are among them.
  ///
  /// - Parameters:
  ///   - memory: what is kept of the row's positions `inputs`.
  ///   - gradients: the gradients there.
  ///   - output: the row.
  ///   - inputs: the columns.
  ///   - layer: whose they are.
  func update(
    _ memory: inout MutableSpan<Float>, by gradients: Span<Float>, output: Int,
    inputs: Range<Int>, of layer: SparseWeights)
}

/// A running mean of the dense gradient: E ← μE + (1 − μ) g.
package struct GradientMean: GradientMemory, Hashable {
  /// The share of the old mean that stays (μ), in [0, 1).
  package let decay: Float

  /// Creates a mean with a decay (μ).
  package init(decay: Float = 0.9) {
    trap(unless: decay >= 0 && decay < 1, "GradientMean: a decay of \(decay) is outside [0, 1)")
    self.decay = decay
  }

  /// Takes a step's gradients into the mean.
  package func update(
    _ memory: inout MutableSpan<Float>, by gradients: Span<Float>, output: Int,
    inputs: Range<Int>, of layer: SparseWeights
  ) {
    let rest = 1 - decay
    for index in gradients.indices {
      memory[index] = decay * memory[index] + rest * gradients[index]
    }
  }
}

/// The numbers that a method keeps of the gradients of all layers.
final class GradientMemories {
  /// One layer's, by dense position.
  final class Layer {
    let weights: SparseWeights
    var numbers: AlignedBuffer<Float>
    /// The sum of a weight step's gradients, where it has several batches.
    var sum: AlignedBuffer<Float>

    init(_ weights: SparseWeights, sums: Bool) {
      self.weights = weights
      numbers = AlignedBuffer(count: weights.positions)
      sum = AlignedBuffer(count: sums ? weights.positions : 0)
    }

    /// What a file calls the numbers.
    var tensorName: String { "\(weights.parameter.name).gradient_memory" }
  }

  /// A batch's part in the gradient of a weight step.
  struct Part {
    /// Whether the step has more batches than this one.
    var isOneOfSeveral = false
    /// Whether it is the first of them, and the last.
    var (isFirst, isLast) = (true, true)
    /// The factor that makes the sum of the step's gradients their mean.
    var mean: Float = 1
  }

  let rule: any GradientMemory
  let layers: [Layer]

  /// Memory for some layers.
  ///
  /// - Parameter sums: whether a weight step has several batches.
  init(_ rule: any GradientMemory, of layers: [SparseWeights], sums: Bool) {
    self.rule = rule
    self.layers = layers.map { Layer($0, sums: sums) }
  }

  /// A layer's.
  subscript(weights: SparseWeights) -> Layer? {
    for index in 0..<layers.count where layers[index].weights === weights { return layers[index] }
    return nil
  }

  /// Throws where the numbers are certain not to fit.
  static func requireMemory(
    positions: Int, sums: Bool, method: String
  ) throws(RigLError) {
    do {
      try RigLCore.requireMemory(
        Double(positions) * (sums ? 8 : 4), for: "method \(method): its memory of dense gradients")
    } catch {
      throw RigLError(
        error.kind, error.what,
        hint: "It keeps a number for each of \(positions) positions. Choose smaller layers, or a "
          + "method without: rigl, set, pruning.")
    }
  }

  // MARK: - Files

  /// The tensors of a checkpoint.
  func tensors() -> [SafetensorsTensor] {
    layers.map { SafetensorsTensor($0.tensorName, .float32, shape: $0.weights.parameter.shape) }
  }

  /// Writes what ``tensors()`` has announced.
  func write(to writer: inout SafetensorsWriter) throws(RigLError) {
    for layer in layers { try writer.append(layer.numbers, to: layer.tensorName) }
  }

  /// Throws where a checkpoint does not have them.
  func requireAll(of file: SafetensorsFile) throws(RigLError) {
    for layer in layers {
      guard file[layer.tensorName] != nil else {
        throw RigLError(
          .data,
          "\(file.path): was saved without what the method keeps of gradients: "
            + "\(layer.tensorName) is not there",
          hint: "Model.load(from:) takes weights and connections alone.")
      }
      try file.require(layer.tensorName, .float32, shape: layer.weights.parameter.shape)
    }
  }

  /// Takes a checkpoint's.
  func read(from file: SafetensorsFile) throws(RigLError) {
    for layer in layers {
      try file.read(layer.tensorName, shape: layer.weights.parameter.shape, into: &layer.numbers)
    }
  }
}
