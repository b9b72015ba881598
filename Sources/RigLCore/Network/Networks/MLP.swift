/// A multilayer perceptron: linear layers `fc1`, `fc2`, … with an activation and dropout between.
///
/// LeNet-300-100 is `MLP(hidden: [300, 100])`.
package struct MLP: Network, Hashable {
  /// Widths of the hidden layers.
  package var hidden: [Int]
  /// Probability of dropping a hidden activation.
  package var dropout: Float
  /// The activation between.
  package var activation: Activation

  /// Creates a network.
  package init(hidden: [Int], dropout: Float = 0, activation: Activation = .relu) {
    self.hidden = hidden
    self.dropout = dropout
    self.activation = activation
  }

  /// The layers: one linear layer more than there are hidden widths.
  package func layers(input: SampleShape, classes: Int) -> Sequential {
    var layers: [any Layer] = []
    var width = input.count
    for (index, next) in hidden.enumerated() {
      layers.append(SparseLinear("fc\(index + 1)", inputs: width, outputs: next))
      layers.append(activation.layer)
      if dropout > 0 { layers.append(Dropout(dropout)) }
      width = next
    }
    layers.append(SparseLinear("fc\(hidden.count + 1)", inputs: width, outputs: classes))
    return Sequential(layers)
  }
}
