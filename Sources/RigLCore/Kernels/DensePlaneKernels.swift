internal import CSparseKernels

/// Kernel positions of a dense convolution, with the offsets of their operands.
final class DenseTaps {
  private let indices: AlignedBuffer<Int32>
  private let offsets: AlignedBuffer<Int32>
  /// Offsets to be subtracted, for the kernels that add them.
  private let negated: AlignedBuffer<Int32>

  init(indices: [Int], offsets: [Int32]) {
    self.indices = AlignedBuffer(indices.map { Int32($0) })
    self.offsets = AlignedBuffer(offsets)
    negated = AlignedBuffer(offsets.map { -$0 })
  }

  var count: Int { indices.count }

  /// Channels of a band and the distances between them and its rows, in elements.
  struct ChannelView {
    let channels: Int
    let channelStride: Int
    let rowStride: Int
  }

  /// How the weights lie, (results, reduced) for each tap.
  struct Order {
    let results: Int
    let reduced: Int
    let resultStride: Int
    let reducedStride: Int
    let tapStride: Int
  }

  /// Blocks of result channels: what ``copyWeights(_:_:blocks:into:)`` can be shared out by.
  static func blocks(of results: Int) -> Int { results.dividedUp(by: csk_dense_block) }

  /// The channels of some blocks.
  static func channels(of blocks: Range<Int>, results: Int) -> Range<Int> {
    let size = Int(csk_dense_block)
    return blocks.lowerBound * size..<min(blocks.upperBound * size, results)
  }

  /// Copies blocks of the weights of these taps for ``multiply(_:_:_:into:_:rows:columns:subtracts:)``.
  func copyWeights(
    _ weights: UnsafePointer<Float>, _ order: Order, blocks: Range<Int>,
    into copy: UnsafeMutablePointer<Float>
  ) {
    var view = unsafe csk_dense_order(
      results: Int32(order.results), reduced: Int32(order.reduced), taps: Int32(count),
      tap_indices: UnsafePointer(indices.base), result_stride: order.resultStride,
      reduced_stride: order.reducedStride, tap_stride: order.tapStride)
    let status = unsafe csk_dense_copy_weights(
      weights, &view, Int32(blocks.lowerBound), Int32(blocks.upperBound), copy)
    expectOK(status, "csk_dense_copy_weights")
  }

  /// The product of a band: see `csk_dense_product`.
  func multiply(
    _ copy: UnsafePointer<Float>, _ x: UnsafePointer<Float>, _ from: ChannelView,
    into y: UnsafeMutablePointer<Float>, _ to: ChannelView, rows: Int, columns: Int,
    subtracts: Bool = false
  ) {
    var band = unsafe csk_dense_band(
      results: Int32(to.channels), reduced: Int32(from.channels), taps: Int32(count),
      rows: Int32(rows), columns: Int32(columns),
      tap_offsets: UnsafePointer(subtracts ? negated.base : offsets.base),
      x_channel_stride: from.channelStride, x_row_stride: from.rowStride,
      y_channel_stride: to.channelStride, y_row_stride: to.rowStride)
    let status = unsafe csk_dense_product(copy, &band, x, y)
    expectOK(status, "csk_dense_product")
  }

  /// A gradient's way to its weights.
  @unsafe
  struct Target {
    let base: UnsafeMutablePointer<Float>
    let outputStride: Int
    let tapStride: Int
    let accumulate: Bool
  }

  /// The weights' gradient on a band: see `csk_dense_gradient`.
  ///
  /// - Parameters:
  ///   - gradient: the output's.
  ///   - input: transposed, unless there are few channels.
  func addGradient(
    _ gradient: UnsafePointer<Float>, _ outputs: ChannelView, _ input: UnsafePointer<Float>,
    _ inputs: ChannelView, rows: Int, columns: Int, into target: Target
  ) {
    var sums = unsafe csk_dense_sums(
      outputs: Int32(outputs.channels), inputs: Int32(inputs.channels), taps: Int32(count),
      rows: Int32(rows), columns: Int32(columns), tap_indices: UnsafePointer(indices.base),
      tap_offsets: UnsafePointer(offsets.base), y_channel_stride: outputs.channelStride,
      y_row_stride: outputs.rowStride, x_channel_stride: inputs.channelStride,
      x_row_stride: inputs.rowStride, output_stride: target.outputStride,
      tap_stride: target.tapStride)
    let status =
      unsafe DenseTaps.isNarrow(inputs.channels)
      ? csk_dense_gradient_narrow(&sums, gradient, input, target.accumulate, target.base)
      : csk_dense_gradient(&sums, gradient, input, target.accumulate, target.base)
    expectOK(status, "csk_dense_gradient")
  }

  /// Whether a gradient reads so few input channels as they are: transposed rows would mostly be
  /// zeros.
  static func isNarrow(_ inputs: Int) -> Bool { inputs <= 8 }

  /// Channels of a transposed row.
  static func transposedWidth(_ channels: Int) -> Int {
    channels.roundedUp(to: csk_dense_width)
  }

  /// A row with its channels innermost: see `csk_dense_transpose_row`.
  static func transpose(
    row: UnsafePointer<Float>, channelStride: Int, channels: Int, columns: Int,
    into target: UnsafeMutablePointer<Float>
  ) {
    let status = unsafe csk_dense_transpose_row(
      row, channelStride, Int32(channels), Int32(columns), target)
    expectOK(status, "csk_dense_transpose_row")
  }
}
