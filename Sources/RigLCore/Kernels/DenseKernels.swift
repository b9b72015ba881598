internal import CSparseKernels

/// A borrowed row-major matrix for a dense product: its rows are `stride` elements apart.
@unsafe
struct MatrixView {
  let base: UnsafeMutablePointer<Float>
  let stride: Int
}

/// C = op(A) op(B) + beta C, on the calling thread.
///
/// - Parameters:
///   - a: (m, k), or (k, m) if `transposeA`.
///   - b: (k, n), or (n, k) if `transposeB`.
///   - c: (m, n).
func denseProduct(
  transposeA: Bool = false, _ a: MatrixView, transposeB: Bool = false, _ b: MatrixView,
  into c: MatrixView, m: Int, n: Int, k: Int, beta: Float = 0
) {
  let status = unsafe csk_sgemm(
    transposeA, transposeB, Int64(m), Int64(n), Int64(k), 1, a.base, Int64(a.stride), b.base,
    Int64(b.stride), beta, c.base, Int64(c.stride))
  expectOK(status, "csk_sgemm")
}

extension Tensor {
  /// The channels `channels` of all groups, side by side: panel[c, sample] with rows
  /// `panel.stride` long; `panel.base` is channel 0's row.
  func gather(channels: Range<Int>, into panel: MatrixView) {
    let status = unsafe csk_gather_groups(
      base, groupStride, Int32(groups), Int32(lanes), Int32(channels.lowerBound),
      Int32(channels.upperBound), panel.base, panel.stride)
    expectOK(status, "csk_gather_groups")
  }

  /// The reverse of ``gather(channels:into:)``.
  func scatter(channels: Range<Int>, from panel: MatrixView) {
    let status = unsafe csk_scatter_groups(
      panel.base, panel.stride, Int32(groups), Int32(lanes), Int32(channels.lowerBound),
      Int32(channels.upperBound), base, groupStride)
    expectOK(status, "csk_scatter_groups")
  }
}
