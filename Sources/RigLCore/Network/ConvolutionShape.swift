/// A square convolution's sizes: what its weights, its output and its cost follow from.
public struct ConvolutionShape: Hashable, Sendable {
  /// Input channels (C).
  package let inputs: Int
  /// Output channels (O).
  package let outputs: Int
  /// Height and width of the kernel (k).
  package let kernel: Int
  /// Step from one output pixel to the next, in input pixels.
  package let stride: Int
  /// Zeros around the input, on every side.
  package let padding: Int
  /// Whether each output channel has one input channel of its own.
  package var isDepthwise = false

  /// Creates a shape; without `padding`, as much as keeps the size at stride 1 of an odd kernel.
  package init(inputs: Int, outputs: Int, kernel: Int, stride: Int = 1, padding: Int? = nil) {
    trap(
      unless: inputs > 0 && outputs > 0 && kernel > 0 && stride > 0 && (padding ?? 0) >= 0,
      "convolution of \(inputs) to \(outputs) channels, kernel \(kernel), stride \(stride), "
        + "padding \(padding ?? 0); all but the padding must be positive")
    self.inputs = inputs
    self.outputs = outputs
    self.kernel = kernel
    self.stride = stride
    self.padding = padding ?? kernel / 2
  }

  /// Kernel positions, k².
  package var taps: Int { kernel * kernel }

  /// The shape of the output for an input: floor((side + 2 padding − k) / stride) + 1.
  ///
  /// - Throws: `configuration` if the channels differ, or the kernel is larger than the padded input.
  func outputShape(of input: SampleShape, _ name: String) throws(RigLError) -> SampleShape {
    guard input.channels == inputs else {
      throw RigLError(
        .configuration,
        "layer \(name): \(inputs) input channels, but its input has \(input.channels)")
    }
    let (height, width) = (input.height + 2 * padding, input.width + 2 * padding)
    guard height >= kernel, width >= kernel else {
      throw RigLError(
        .configuration,
        "layer \(name): a kernel of \(kernel) on an input of \(input.height) × \(input.width), "
          + "padded by \(padding)", hint: "Use larger images, or a network with fewer strides.")
    }
    return SampleShape(
      channels: outputs, height: (height - kernel) / stride + 1,
      width: (width - kernel) / stride + 1)
  }
}
