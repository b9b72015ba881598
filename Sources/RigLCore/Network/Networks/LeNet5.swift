/// Two 5×5 convolutions of 6 and 16 channels with max-pooling after each, and linear layers of 120,
/// 84 and as many units as there are classes, with an activation between.
///
/// Images of 32 × 32, or smaller ones with two rows and columns of zeros around: 28 × 28. Names:
/// `conv1`, `conv2`, `fc1`, `fc2`, `fc3`.
///
/// Reference: LeCun et al., *Gradient-based learning applied to document recognition*, Proceedings
/// of the IEEE, 1998.
package struct LeNet5: Network, Hashable {
  /// Scales all widths.
  package let multiplier: Double
  /// The activation.
  package let activation: Activation

  /// Creates a network.
  package init(multiplier: Double = 1, activation: Activation = .relu) {
    trap(unless: multiplier > 0, "LeNet5: \(multiplier) times as wide")
    (self.multiplier, self.activation) = (multiplier, activation)
  }

  /// Convolutions and linear layers.
  package func layers(input: SampleShape, classes: Int) -> Sequential {
    let widths = [6, 16, 120, 84].map { scaledWidth($0, by: multiplier) }
    let padding = min(input.height, input.width) < 32 ? 2 : 0
    // Of images that are too small nothing is left, as a convolution or pooling will say.
    func remaining(_ side: Int) -> Int { max(1, ((side + 2 * padding - 4) / 2 - 4) / 2) }
    let pixels = remaining(input.height) * remaining(input.width)
    return Sequential(
      SparseConv2d(
        "conv1", inputs: input.channels, outputs: widths[0], kernel: 5, padding: padding,
        bias: true),
      activation.layer, Pool2d(.maximum, kernel: 2, name: "pool1"),
      SparseConv2d(
        "conv2", inputs: widths[0], outputs: widths[1], kernel: 5, padding: 0, bias: true),
      activation.layer, Pool2d(.maximum, kernel: 2, name: "pool2"), Flatten(),
      SparseLinear("fc1", inputs: widths[1] * pixels, outputs: widths[2]), activation.layer,
      SparseLinear("fc2", inputs: widths[2], outputs: widths[3]), activation.layer,
      SparseLinear("fc3", inputs: widths[3], outputs: classes))
  }
}
