internal import CSparseKernels

extension Tensor {
  /// Packs channels of a group from bytes: scale · byte + shift. Dead lanes become 0.
  ///
  /// - Parameters:
  ///   - bytes: samples one after the other, `shape.count` bytes each.
  ///   - rows: (samples) which one each sample of the batch is; their bytes must exist.
  func packBytes(
    _ bytes: [UInt8], rows: borrowing AlignedBuffer<Int64>, normalization: PixelNormalization,
    group: Int, channels: Range<Int>
  ) {
    let status = unsafe bytes.withUnsafeBufferPointer { bytes in
      unsafe csk_pack_bytes(
        bytes.baseAddress, shape.count, rows.base + group * lanes,
        Int32(liveLanes(group: group)), normalization.scale, normalization.shift,
        Int32(channels.lowerBound), Int32(channels.upperBound), Int32(lanes),
        base + group * groupStride)
    }
    precondition(status == csk_status_ok, "csk_pack_bytes: \(status) for group \(group)")
  }

  /// Packs channels of a group from row-major samples. Dead lanes become 0.
  ///
  /// - Parameter rows: the batch's samples one after the other, `shape.count` values each.
  func packSamples(_ rows: Storage, group: Int, channels: Range<Int>) {
    let size = shape.count
    let status = unsafe csk_pack_samples(
      rows.buffer.base + group * lanes * size, size, Int32(liveLanes(group: group)),
      Int32(channels.lowerBound), Int32(channels.upperBound), Int32(lanes),
      base + group * groupStride)
    precondition(status == csk_status_ok, "csk_pack_samples: \(status) for group \(group)")
  }
}
