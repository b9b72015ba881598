/// A layer with weights as the accounting sees it: sizes, connections, storage.
///
/// Kernels are square, with the same stride and padding in both directions; a linear layer is a
/// 1×1 kernel on a 1×1 input.
public struct AccountedLayer: Hashable, Sendable {
  /// The kinds of layers that are counted differently.
  package enum Kind: String, Hashable, Sendable, Codable, CaseIterable {
    /// (out, in) weights.
    case linear
    /// (out, in, k, k) weights.
    case conv
    /// (channels · multiplier, 1, k, k) weights, one input channel for each output channel.
    case depthwise
    /// (out, in, …) weights of an own layer, each used at several places of a sample.
    case shared
    /// (rows, features) weights of which a sample takes one row: nothing is multiplied.
    case embedding
  }

  /// The layer's name.
  package let name: String
  /// Its kind.
  package let kind: Kind
  /// Input features or channels.
  package let inputs: Int
  /// Output features or channels; for a depthwise layer a multiple of `inputs`.
  package let outputs: Int
  /// Height and width of the kernel (k).
  package let kernel: Int
  /// Stride.
  package let stride: Int
  /// Zeros around the input, on every side.
  package let padding: Int
  /// Rows of the input, without padding.
  package let inputHeight: Int
  /// Columns of the input, without padding.
  package let inputWidth: Int
  /// The input size that ``Accounting/paper`` counts with (i); the published figures pad it before
  /// some of the strided layers: 230 instead of 224 for ResNet-50's stem.
  package private(set) var paperInputSize: Int
  /// Whether the layer has a bias for each output; ``Accounting/paper`` counts one in any case.
  package let hasBias: Bool

  /// The layer's sparsity (s_l), in [0, 1).
  package private(set) var sparsity: Double = 0
  /// Its active connections.
  package private(set) var connections: Int
  /// What follows the inputs in the weights' shape, of a layer of kind ``Kind/shared``.
  private var taps: [Int] = []
  /// Whether the layer is stored as compressed rows rather than as a dense array.
  package private(set) var isStoredSparse = false

  private init(
    _ kind: Kind, name: String, inputs: Int, outputs: Int, kernel: Int, stride: Int, padding: Int,
    input: (height: Int, width: Int), paperInputSize: Int?, hasBias: Bool
  ) {
    trap(
      unless: inputs > 0 && outputs > 0 && kernel > 0 && stride > 0 && padding >= 0
        && input.height > 0 && input.width > 0,
      "layer '\(name)': \(inputs) to \(outputs) channels, kernel \(kernel), stride \(stride), "
        + "padding \(padding), input \(input)")
    trap(
      unless: kind != .depthwise || outputs % inputs == 0,
      "layer '\(name)': \(outputs) outputs of a depthwise layer with \(inputs) inputs")
    self.kind = kind
    self.name = name
    self.inputs = inputs
    self.outputs = outputs
    self.kernel = kernel
    self.stride = stride
    self.padding = padding
    (inputHeight, inputWidth) = input
    self.paperInputSize = paperInputSize ?? input.height
    self.hasBias = hasBias
    connections = 0
    connections = positions
  }

  /// A dense linear layer with (outputs, inputs) weights.
  package static func linear(
    _ name: String, inputs: Int, outputs: Int, hasBias: Bool = true
  ) -> AccountedLayer {
    AccountedLayer(
      .linear, name: name, inputs: inputs, outputs: outputs, kernel: 1, stride: 1, padding: 0,
      input: (1, 1), paperInputSize: nil, hasBias: hasBias)
  }

  /// A table of rows, each of `features` numbers.
  package static func embedding(_ name: String, rows: Int, features: Int) -> AccountedLayer {
    AccountedLayer(
      .embedding, name: name, inputs: features, outputs: rows, kernel: 1, stride: 1, padding: 0,
      input: (1, 1), paperInputSize: nil, hasBias: false)
  }

  /// A dense convolution with (outputs, inputs, kernel, kernel) weights.
  ///
  /// ``paperInputSize`` is by default the input's height.
  package static func conv(
    _ name: String, inputs: Int, outputs: Int, kernel: Int, stride: Int = 1, padding: Int,
    inputHeight: Int, inputWidth: Int, paperInputSize: Int? = nil, hasBias: Bool = false
  ) -> AccountedLayer {
    AccountedLayer(
      .conv, name: name, inputs: inputs, outputs: outputs, kernel: kernel, stride: stride,
      padding: padding, input: (inputHeight, inputWidth), paperInputSize: paperInputSize,
      hasBias: hasBias)
  }

  /// A depthwise convolution with (channels · multiplier, 1, kernel, kernel) weights.
  ///
  /// ``paperInputSize`` is by default the input's height.
  package static func depthwise(
    _ name: String, channels: Int, multiplier: Int = 1, kernel: Int, stride: Int = 1, padding: Int,
    inputHeight: Int, inputWidth: Int, paperInputSize: Int? = nil, hasBias: Bool = false
  ) -> AccountedLayer {
    AccountedLayer(
      .depthwise, name: name, inputs: channels, outputs: channels * multiplier, kernel: kernel,
      stride: stride, padding: padding, input: (inputHeight, inputWidth),
      paperInputSize: paperInputSize, hasBias: hasBias)
  }

  /// A dense layer of one's own whose weights are each used at `places` places of a sample: a
  /// convolution in one dimension, a linear layer applied at every place of a sequence.
  ///
  /// The shape is that of the weights: outputs, inputs, then what there is of a kernel.
  public static func shared(
    _ name: String, shape: [Int], places: Int, hasBias: Bool = true
  ) -> AccountedLayer {
    trap(
      unless: shape.count >= 2 && shape.allSatisfy { $0 > 0 },
      "layer '\(name)': weights of shape \(shape), expected outputs, inputs and more")
    var layer = AccountedLayer(
      .shared, name: name, inputs: shape[1], outputs: shape[0], kernel: 1, stride: 1, padding: 0,
      input: (1, places), paperInputSize: nil, hasBias: hasBias)
    layer.taps = Array(shape[2...])
    layer.connections = layer.positions
    return layer
  }

  /// The same layer with other connections, as a ``SparsityAllocation`` gives them.
  ///
  /// By default every layer of sparsity above 0 is stored sparse.
  package func sparsified(
    _ layer: LayerSparsity, isStoredSparse: Bool? = nil
  ) -> AccountedLayer {
    trap(
      unless: layer.positions == positions,
      "layer '\(name)' has \(positions) positions, '\(layer.name)' has \(layer.positions)")
    return with(
      sparsity: layer.sparsity, connections: layer.connections, isStoredSparse: isStoredSparse)
  }

  /// The same layer with the connections it has now: its sparsity is what they come to.
  ///
  /// By default every layer with an inactive position is stored sparse.
  public func withConnections(_ count: Int, isStoredSparse: Bool? = nil) -> AccountedLayer {
    trap(
      unless: count >= 0 && count <= positions,
      "layer '\(name)': \(count) connections at \(positions) positions")
    return with(
      sparsity: Double(positions - count) / Double(positions), connections: count,
      isStoredSparse: isStoredSparse)
  }

  /// The same layer with another input size for ``Accounting/paper``.
  package func withPaperInputSize(_ size: Int) -> AccountedLayer {
    trap(unless: size > 0, "layer '\(name)': an input size of \(size)")
    var layer = self
    layer.paperInputSize = size
    return layer
  }

  /// The layer with every position active, stored as a dense array.
  public var dense: AccountedLayer {
    with(sparsity: 0, connections: positions, isStoredSparse: false)
  }

  private func with(
    sparsity: Double, connections: Int, isStoredSparse: Bool?
  ) -> AccountedLayer {
    var layer = self
    layer.sparsity = sparsity
    layer.connections = connections
    layer.isStoredSparse = isStoredSparse ?? (sparsity > 0)
    return layer
  }
}

extension AccountedLayer {
  /// The weights' dense shape: OIHW, or (out, in) for a linear layer.
  package var shape: [Int] {
    switch kind {
    case .linear, .embedding: [outputs, inputs]
    case .conv: [outputs, inputs, kernel, kernel]
    case .depthwise: [outputs, 1, kernel, kernel]
    case .shared: [outputs, inputs] + taps
    }
  }

  /// Positions in the dense shape (N_l).
  package var positions: Int { shape.reduce(1, *) }

  /// Rows of the output: floor((rows + 2 padding − k) / stride) + 1.
  package var outputHeight: Int { outputSize(inputHeight) }

  /// Columns of the output.
  package var outputWidth: Int { outputSize(inputWidth) }

  private func outputSize(_ input: Int) -> Int {
    let places = input + 2 * padding - kernel
    trap(
      unless: places >= 0,
      "layer '\(name)': a kernel of \(kernel) on an input of \(input) padded by \(padding)")
    return places / stride + 1
  }
}
