/// A residual block in the making.
struct ResNetBlock {
  let name: String
  let inputs: Int
  let width: Int
  let outputs: Int
  let stride: Int
  let activation: Activation

  /// Two 3×3 convolutions.
  var basic: Residual {
    Residual(
      main: convolution(1, inputs, width, kernel: 3, stride: stride) + [activation.layer]
        + convolution(2, width, outputs, kernel: 3, gamma: 0),
      shortcut: shortcut, activation: activation)
  }

  /// A 3×3 convolution between two of 1×1.
  var bottleneck: Residual {
    Residual(
      main: convolution(1, inputs, width, kernel: 1) + [activation.layer]
        + convolution(2, width, width, kernel: 3, stride: stride) + [activation.layer]
        + convolution(3, width, outputs, kernel: 1, gamma: 0),
      shortcut: shortcut, activation: activation)
  }

  private func convolution(
    _ number: Int, _ inputs: Int, _ outputs: Int, kernel: Int, stride: Int = 1, gamma: Float = 1
  ) -> [any Layer] {
    [
      SparseConv2d(
        "\(name).conv\(number)", inputs: inputs, outputs: outputs, kernel: kernel, stride: stride),
      BatchNorm("\(name).bn\(number)", channels: outputs, gamma: gamma),
    ]
  }

  private var shortcut: [any Layer] {
    if inputs == outputs && stride == 1 { return [] }
    return [
      SparseConv2d(
        "\(name).downsample.0", inputs: inputs, outputs: outputs, kernel: 1, stride: stride),
      BatchNorm("\(name).downsample.1", channels: outputs),
    ]
  }
}
