/// What is left of a network without its dead units. As JSON the keys are snake_case.
///
/// FLOPs and bytes are counted as for the published figures of stripped networks: 2 FLOPs for each
/// connection at each place of the output; 4 bytes for each connection and each bias, and a bit for
/// each position of a layer.
package struct StripReport: Hashable, Sendable, Encodable {
  /// A layer with weights.
  package struct Layer: Hashable, Sendable, Encodable {
    /// The layer's name.
    package let name: String
    /// The weights' dense shape: (out, in), or (out, in, k, k) of a convolution.
    package let shape: [Int]
    /// The same before.
    package let shapeBefore: [Int]
    /// Active connections.
    package let connections: Int
    /// The same before.
    package let connectionsBefore: Int
  }

  /// Sizes and cost of a network.
  package struct Size: Hashable, Sendable, Encodable {
    /// Values of a sample that are used; of images, channels.
    package let inputs: Int
    /// Outputs of each layer but the last and depthwise ones.
    package let units: [Int]
    /// Active connections.
    package let connections: Int
    /// Biases.
    package let biases: Int
    /// FLOPs of a sample, 2 for each use of a connection.
    package let flops: Int
    /// Bytes: 4 for each connection and bias, and a bit for each position of each layer.
    package let bytes: Int

    /// Inputs and units between hyphens: `408-100-69`.
    package var widths: String { ([inputs] + units).map { "\($0)" }.joined(separator: "-") }
  }

  /// The layers, in order.
  package let layers: [Layer]
  /// The network as it was.
  package let before: Size
  /// The network as it is.
  package let after: Size
  /// Outputs that are constants, or that nobody reads, and stay: before a convolution with zeros around
  /// its input, in a residual sum of which something is needed, or as a layer's only one.
  package let deadUnitsLeft: Int
  /// Whether nothing could be removed.
  package var isAsBefore: Bool { before == after }

  init(_ old: Model, _ new: Model, deadOutputs: Int) {
    layers = zip(old.weightLayers, new.weightLayers).map { old, new in
      Layer(
        name: new.name, shape: new.shape, shapeBefore: old.shape, connections: new.count,
        connectionsBefore: old.count)
    }
    (before, after) = (Size(old), Size(new))
    deadUnitsLeft = deadOutputs
  }
}

extension StripReport.Size {
  init(_ model: Model) {
    let layers = model.weightLayers
    inputs = model.layers.selectedInputs?.count ?? model.inputShape.channels
    units = layers.dropLast().filter { !$0.layer.isDepthwise }.map(\.outputs)
    connections = model.connections
    biases = layers.reduce(0) { $0 + ($1.bias?.count ?? 0) }
    flops = layers.reduce(0) { sum, layer in
      sum + 2 * layer.count * layer.accounted.outputHeight * layer.accounted.outputWidth
    }
    bytes = layers.reduce(4 * (connections + biases)) { sum, layer in
      sum + (layer.inputs * layer.outputs).dividedUp(by: 8)
    }
  }
}
