internal import CSparseKernels

extension Tensor {
  /// Takes the rows of a table, (rows, features), that the tokens of one group number.
  ///
  /// - Returns: false if a token is no row's number.
  func embed(group: Int, table: Parameter, tokens: Tensor) -> Bool {
    let status = unsafe csk_embed(
      table.values.base, Int32(table.shape[0]), Int32(shape.count), 0, Int32(shape.count),
      tokens.base + group * tokens.groupStride, Int32(lanes),
      Int32(tokens.liveLanes(group: group)), base + group * groupStride)
    if status == csk_status_invalid_argument { return false }
    expectOK(status, "csk_embed")
    return true
  }

  /// Adds the gradient of some features, which this is, to the rows that the tokens number, group by
  /// group.
  func addEmbedGradient(features: Range<Int>, to table: Parameter, tokens: Tensor) {
    for group in 0..<groups {
      let status = unsafe csk_embed_gradient(
        base + group * groupStride, Int32(table.shape[0]), Int32(shape.count),
        Int32(features.lowerBound), Int32(features.upperBound),
        tokens.base + group * tokens.groupStride, Int32(lanes), Int32(liveLanes(group: group)),
        table.gradient.base)
      expectOK(status, "csk_embed_gradient")
    }
  }
}
