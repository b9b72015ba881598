/// A residual network with post-activation blocks, version 1.5: where a bottleneck block has a
/// stride, its 3×3 convolution does. The last batch-norm of a block starts at γ = 0.
///
/// Names and shapes are torchvision's: `conv1`, `bn1`; `layer1.0.conv1`, `.bn1`, …,
/// `.downsample.0`, `.downsample.1`; `fc`.
///
/// Reference: He et al., *Deep Residual Learning for Image Recognition*, CVPR 2016.
/// <https://arxiv.org/abs/1512.03385>
package struct ResNet: Network, Hashable {
  /// Blocks of each stage, by depth.
  private static let stages = [
    18: [2, 2, 2, 2], 34: [3, 4, 6, 3], 50: [3, 4, 6, 3], 101: [3, 4, 23, 3],
  ]
  /// The depths that there are.
  package static let depths = stages.keys.sorted()

  /// 18, 34, 50 or 101.
  package let depth: Int
  /// Scales all widths.
  package let multiplier: Double
  /// The activation.
  package let activation: Activation

  /// Creates a network.
  package init(depth: Int, multiplier: Double = 1, activation: Activation = .relu) {
    trap(
      unless: ResNet.depths.contains(depth) && multiplier > 0,
      "ResNet-\(depth), \(multiplier) times as wide: depths are \(ResNet.depths)")
    (self.depth, self.multiplier, self.activation) = (depth, multiplier, activation)
  }

  private var hasBottlenecks: Bool { depth >= 50 }

  /// Stem, stages and classifier.
  package func layers(input: SampleShape, classes: Int) -> Sequential {
    var channels = scaledWidth(64, by: multiplier)
    var layers: [any Layer] = [
      SparseConv2d("conv1", inputs: input.channels, outputs: channels, kernel: 7, stride: 2),
      BatchNorm("bn1", channels: channels), activation.layer,
      Pool2d(.maximum, kernel: 3, stride: 2, padding: 1, name: "maxpool"),
    ]
    for (stage, blocks) in (ResNet.stages[depth] ?? []).enumerated() {
      let width = scaledWidth(64 << stage, by: multiplier)
      for index in 0..<blocks {
        let block = ResNetBlock(
          name: "layer\(stage + 1).\(index)", inputs: channels, width: width,
          outputs: hasBottlenecks ? 4 * width : width, stride: stage > 0 && index == 0 ? 2 : 1,
          activation: activation)
        layers.append(hasBottlenecks ? block.bottleneck : block.basic)
        channels = block.outputs
      }
    }
    layers += [GlobalAveragePool(), SparseLinear("fc", inputs: channels, outputs: classes)]
    return Sequential(layers)
  }
}
