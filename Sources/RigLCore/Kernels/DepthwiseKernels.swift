internal import CSparseKernels

/// Kernel positions of a depthwise convolution, with the offsets of their operands.
final class TapList {
  private let indices: AlignedBuffer<Int32>
  private let offsets: AlignedBuffer<Int32>

  init(indices: [Int], offsets: [Int32]) {
    self.indices = AlignedBuffer(indices.map { Int32($0) })
    self.offsets = AlignedBuffer(offsets)
  }

  /// A row of the output: see `csk_depthwise_forward_row`.
  func depthwise(
    _ operand: UnsafePointer<Float>, channelStride: Int, _ weights: UnsafePointer<Float>,
    taps: Int, channels: Int, columns: Int, into result: UnsafeMutablePointer<Float>,
    resultStride: Int
  ) {
    let status = unsafe csk_depthwise_forward_row(
      operand, channelStride, weights, Int32(taps),
      Int32(indices.count), indices.base, offsets.base, Int32(channels), Int32(columns), result,
      resultStride)
    expectOK(status, "csk_depthwise_forward_row")
  }

  /// Both gradients of a row: see `csk_depthwise_backward_row`.
  func depthwiseBackward(
    _ gradient: UnsafePointer<Float>, gradientStride: Int, _ input: UnsafePointer<Float>,
    _ weight: Parameter, channels: Int, columns: Int, dx: UnsafeMutablePointer<Float>?,
    channelStride: Int, dw: UnsafeMutablePointer<Float>
  ) {
    let status = unsafe csk_depthwise_backward_row(
      gradient, gradientStride, input, channelStride, weight.values.base,
      Int32(weight.count / channels), Int32(indices.count), indices.base, offsets.base,
      Int32(channels), Int32(columns), dx, channelStride, dw)
    expectOK(status, "csk_depthwise_backward_row")
  }
}
