/// Thirteen 3×3 convolutions, each with batch-norm and activation, in five groups with max-pooling after
/// each, and three linear layers.
///
/// Names and shapes are those of torchvision's `vgg16_bn`: `features.0` (convolution), `features.1`
/// (batch-norm), …, `features.40`, `features.41`; `classifier.0`, `.3` and `.6`. There is no adaptive
/// pooling: for images of another size than 224 the first linear layer has another width.
///
/// Reference: Simonyan & Zisserman, *Very Deep Convolutional Networks for Large-Scale Image
/// Recognition*, ICLR 2015. <https://arxiv.org/abs/1409.1556>
package struct VGG16: Network, Hashable {
  /// Output channels of the convolutions of each group.
  private static let groups = [
    [64, 64], [128, 128], [256, 256, 256], [512, 512, 512], [512, 512, 512],
  ]

  /// Probability of dropping an output of the first two linear layers.
  package let dropout: Float
  /// Scales all widths, those of the hidden linear layers too.
  package let multiplier: Double
  /// The activation.
  package let activation: Activation

  /// Creates a network.
  package init(dropout: Float = 0, multiplier: Double = 1, activation: Activation = .relu) {
    trap(unless: multiplier > 0, "VGG16: \(multiplier) times as wide")
    (self.dropout, self.multiplier, self.activation) = (dropout, multiplier, activation)
  }

  /// Convolutions and classifier, for images of 32 × 32 and larger.
  package func layers(input: SampleShape, classes: Int) -> Sequential {
    var channels = input.channels
    var layers: [any Layer] = []
    for group in VGG16.groups {
      for width in group {
        let (outputs, place) = (scaledWidth(width, by: multiplier), layers.count)
        layers += [
          SparseConv2d(
            "features.\(place)", inputs: channels, outputs: outputs, kernel: 3, bias: true),
          BatchNorm("features.\(place + 1)", channels: outputs), activation.layer,
        ]
        channels = outputs
      }
      layers.append(Pool2d(.maximum, kernel: 2, name: "features.\(layers.count)"))
    }
    // Of smaller images nothing is left by then, as the last pooling will say.
    let pixels = max(1, input.height >> 5) * max(1, input.width >> 5)
    let hidden = scaledWidth(4096, by: multiplier)
    layers += [Flatten(), SparseLinear("classifier.0", inputs: channels * pixels, outputs: hidden)]
    layers += afterLinear + [SparseLinear("classifier.3", inputs: hidden, outputs: hidden)]
    layers += afterLinear + [SparseLinear("classifier.6", inputs: hidden, outputs: classes)]
    return Sequential(layers)
  }

  private var afterLinear: [any Layer] {
    dropout > 0 ? [activation.layer, Dropout(dropout)] : [activation.layer]
  }
}
