internal import CSparseKernels

extension Tensor {
  /// Packs values of a group from bytes: scale · byte + shift by channel. Dead lanes become 0.
  ///
  /// - Parameters:
  ///   - bytes: samples one after the other, `shape.count` bytes each.
  ///   - rows: (samples) which one each sample of the batch is; their bytes must exist.
  ///   - values: in the order channel, row, column, whatever the layout.
  ///   - shape: the samples' channels, rows and columns.
  func packBytes(
    _ bytes: UnsafePointer<UInt8>?, rows: borrowing AlignedBuffer<Int64>,
    normalization: PixelNormalization, group: Int, values: Range<Int>, layout: Layout,
    of shape: SampleShape
  ) {
    let rows = unsafe rows.base + group * lanes
    layout.forEachRun(of: values, in: shape, splitsChannels: normalization.means.count > 1) {
      run, target, channel in
      unsafe packRun(
        bytes, rows, (normalization.scale(of: channel), normalization.shift(of: channel)),
        group: group, run, target)
    }
  }

  /// Packs values of a group from bytes, each sample by a scale and shift of its own.
  ///
  /// - Parameters:
  ///   - scales: by row, as `bytes` is.
  ///   - shifts: by row.
  func packBytes(
    _ bytes: UnsafePointer<UInt8>?, rows: borrowing AlignedBuffer<Int64>,
    scales: UnsafePointer<Float>, shifts: UnsafePointer<Float>, group: Int, values: Range<Int>,
    layout: Layout, of shape: SampleShape
  ) {
    let rows = unsafe rows.base + group * lanes
    let live = liveLanes(group: group)
    layout.forEachRun(of: values, in: shape, splitsChannels: false) { run, target, _ in
      unsafe packRun(bytes, rows, (1, 0), group: group, run, target)
      let first = unsafe UnsafeMutableRawPointer(base + group * groupStride + target * lanes)
      for block in stride(from: 0, to: live, by: 8) {
        var (scale, shift) = (SIMD8<Float>(), SIMD8<Float>())
        for lane in 0..<min(8, live - block) {
          let row = unsafe Int(rows[block + lane])
          unsafe (scale[lane], shift[lane]) = (scales[row], shifts[row])
        }
        for value in 0..<run.count {
          let place = (value * lanes + block) * MemoryLayout<Float>.stride
          let bytes = unsafe first.load(fromByteOffset: place, as: SIMD8<Float>.self)
          unsafe first.storeBytes(
            of: scale * bytes + shift, toByteOffset: place, as: SIMD8<Float>.self)
        }
      }
    }
  }

  private func packRun(
    _ bytes: UnsafePointer<UInt8>?, _ rows: UnsafePointer<Int64>,
    _ affine: (scale: Float, shift: Float), group: Int, _ run: Range<Int>, _ target: Int
  ) {
    // The kernel is told that a sample begins where the run does.
    let status = unsafe csk_pack_bytes(
      bytes.map { unsafe $0 + run.lowerBound }, shape.count, rows, Int32(liveLanes(group: group)),
      affine.scale, affine.shift, 0, Int32(run.count), Int32(lanes),
      base + group * groupStride + target * lanes)
    expectOK(status, "csk_pack_bytes")
  }

  /// Packs values of a group from row-major samples. Dead lanes become 0.
  ///
  /// - Parameters:
  ///   - rows: the batch's samples one after the other, `shape.count` values each.
  ///   - values: in the order channel, row, column, whatever the layout.
  ///   - shape: the samples' channels, rows and columns.
  func packSamples(
    _ rows: Storage, group: Int, values: Range<Int>, layout: Layout, of shape: SampleShape
  ) {
    let size = shape.count
    layout.forEachRun(of: values, in: shape, splitsChannels: false) { run, target, _ in
      let status = unsafe csk_pack_samples(
        rows.buffer.base + group * lanes * size + run.lowerBound, size,
        Int32(liveLanes(group: group)), 0, Int32(run.count), Int32(lanes),
        base + group * groupStride + target * lanes)
      expectOK(status, "csk_pack_samples")
    }
  }
}
