/// A wide residual network with pre-activation blocks for small images: WRN-depth-width.
///
/// A 3×3 stem, three stages of n = (depth − 4) / 6 blocks with strides 1, 2 and 2, batch-norm, ReLU or
/// another activation, the mean over pixels and a linear layer. Convolutions have no biases.
///
/// Names: `conv1`; `layer1.0.bn1`, `.conv1`, `.bn2`, `.conv2`, where the shape changes
/// `.downsample`; …; `layer3.…`; `bn`; `fc`.
///
/// Reference: Zagoruyko & Komodakis, *Wide Residual Networks*, BMVC 2016.
/// <https://arxiv.org/abs/1605.07146>
package struct WRN: Network, Hashable {
  /// Layers with weights in the longest path, 6 n + 4.
  package let depth: Int
  /// How much wider the stages are than 16, 32 and 64 channels (k).
  package let width: Int
  /// Probability of dropping a value between the convolutions of a block.
  package let dropout: Float
  /// Scales all widths, the stem's too.
  package let multiplier: Double
  /// The activation.
  package let activation: Activation

  /// Creates a network.
  package init(
    depth: Int, width: Int, dropout: Float = 0, multiplier: Double = 1,
    activation: Activation = .relu
  ) {
    trap(
      unless: WRN.allows(depth: depth) && width > 0 && multiplier > 0,
      "WRN-\(depth)-\(width): no such one")
    (self.depth, self.width) = (depth, width)
    (self.dropout, self.multiplier, self.activation) = (dropout, multiplier, activation)
  }

  /// Whether a depth is 6 n + 4, with n at least 1.
  package static func allows(depth: Int) -> Bool { depth >= 10 && (depth - 4) % 6 == 0 }

  /// Stem, stages and classifier.
  package func layers(input: SampleShape, classes: Int) -> Sequential {
    var channels = scaledWidth(16, by: multiplier)
    var layers: [any Layer] = [
      SparseConv2d("conv1", inputs: input.channels, outputs: channels, kernel: 3)
    ]
    for (stage, base) in [16, 32, 64].enumerated() {
      let outputs = scaledWidth(base * width, by: multiplier)
      for index in 0..<(depth - 4) / 6 {
        let stride = stage > 0 && index == 0 ? 2 : 1
        layers.append(block("layer\(stage + 1).\(index)", channels, outputs, stride))
        channels = outputs
      }
    }
    layers += [
      BatchNorm("bn", channels: channels), activation.layer, GlobalAveragePool(),
      SparseLinear("fc", inputs: channels, outputs: classes),
    ]
    return Sequential(layers)
  }

  private func block(_ name: String, _ inputs: Int, _ outputs: Int, _ stride: Int) -> Residual {
    let drop: [any Layer] = dropout > 0 ? [Dropout(dropout)] : []
    let main: [any Layer] =
      [
        SparseConv2d("\(name).conv1", inputs: inputs, outputs: outputs, kernel: 3, stride: stride),
        BatchNorm("\(name).bn2", channels: outputs), activation.layer,
      ] + drop + [SparseConv2d("\(name).conv2", inputs: outputs, outputs: outputs, kernel: 3)]
    let projection = SparseConv2d(
      "\(name).downsample", inputs: inputs, outputs: outputs, kernel: 1, stride: stride)
    return Residual(
      before: [BatchNorm("\(name).bn1", channels: inputs), activation.layer], main: main,
      shortcut: inputs == outputs && stride == 1 ? [] : [projection])
  }
}
