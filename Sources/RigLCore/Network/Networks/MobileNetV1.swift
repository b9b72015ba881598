/// A network of depthwise and 1×1 convolutions. Depthwise layers are never sparse, and neither is
/// the stem.
///
/// Names: `conv1`, `bn1`; `layer1.depthwise`, `.bn1`, `.pointwise`, `.bn2`; …; `layer13.…`; `fc`.
///
/// Reference: Howard et al., *MobileNets: Efficient Convolutional Neural Networks for Mobile Vision
/// Applications*, 2017. <https://arxiv.org/abs/1704.04861>
package struct MobileNetV1: Network, Hashable {
  /// Output channels and stride of each pair of convolutions.
  private static let pairs = [
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1), (512, 1),
    (512, 1), (512, 1), (1024, 2), (1024, 1),
  ]

  /// Scales all widths; they are multiples of 8.
  package let multiplier: Double
  /// The activation.
  package let activation: Activation
  /// Whether the layers are those of the published accounting: there a distribution may make the
  /// stem sparse, and the classifier is a 1×1 convolution.
  var isPublished = false

  /// Creates a network.
  package init(multiplier: Double = 1, activation: Activation = .relu) {
    trap(unless: multiplier > 0, "MobileNetV1: \(multiplier) times as wide")
    (self.multiplier, self.activation) = (multiplier, activation)
  }

  /// Stem, pairs and classifier.
  package func layers(input: SampleShape, classes: Int) -> Sequential {
    var channels = scaledWidth(32, by: multiplier, toMultipleOf: 8)
    var layers: [any Layer] = [
      SparseConv2d(
        "conv1", inputs: input.channels, outputs: channels, kernel: 3, stride: 2,
        canBeSparse: isPublished),
      BatchNorm("bn1", channels: channels), activation.layer,
    ]
    for (index, (width, stride)) in MobileNetV1.pairs.enumerated() {
      let name = "layer\(index + 1)"
      let outputs = scaledWidth(width, by: multiplier, toMultipleOf: 8)
      layers += [
        DepthwiseConv2d("\(name).depthwise", channels: channels, kernel: 3, stride: stride),
        BatchNorm("\(name).bn1", channels: channels), activation.layer,
        SparseConv2d("\(name).pointwise", inputs: channels, outputs: outputs, kernel: 1),
        BatchNorm("\(name).bn2", channels: outputs), activation.layer,
      ]
      channels = outputs
    }
    layers += [
      GlobalAveragePool(),
      isPublished
        ? SparseConv2d("fc", inputs: channels, outputs: classes, kernel: 1, bias: true)
        : SparseLinear("fc", inputs: channels, outputs: classes),
    ]
    return Sequential(layers)
  }
}
