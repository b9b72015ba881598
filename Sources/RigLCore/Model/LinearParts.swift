/// A batch's groups in bands whose operands fit the second-level cache, so that a slab's
/// connections, once loaded, serve a whole band.
struct GroupBands {
  private let groups: Int
  private let groupsPerBand: Int

  /// Bytes of operands in a band: a constant, since the order of sums depends on it.
  private static let bytes = 1 << 19

  /// Bands for a batch whose operand and result have `channels` channels together.
  init(of tensor: Tensor, channels: Int) {
    groups = tensor.groups
    let groupBytes = channels * tensor.lanes * MemoryLayout<Float>.stride
    groupsPerBand = max(64 / tensor.lanes, GroupBands.bytes / groupBytes, 1)
  }

  /// The number of bands.
  var count: Int { groups.dividedUp(by: groupsPerBand) }

  /// The groups of a band.
  subscript(band: Int) -> Range<Int> {
    band * groupsPerBand..<Swift.min((band + 1) * groupsPerBand, groups)
  }
}

extension WeightLayer {
  /// Checks that the input is a vector, or an image taken as one, of the layer's width.
  func checkInput(_ shape: SampleShape) throws(RigLError) {
    guard shape.count == inputs else {
      throw RigLError(
        .configuration,
        "layer \(name): \(inputs) inputs, but its input has \(shape.count) values a sample")
    }
  }

  /// Turns the gradient of the layer's output into that of its product for a band of groups, in
  /// place: channel range by channel range, so that each bias gradient has one owner and sums its
  /// groups in order.
  ///
  /// The pass also brings the band into the cache in order, which the products that follow, whose
  /// order hardware cannot foresee, would do at the price of a wait for each row.
  func applyEpilogueBackward(
    _ gradient: Tensor, groups: Range<Int>, output: Tensor, bias: Parameter?, epilogue: Epilogue,
    pass: Pass
  ) {
    if let bias, groups.lowerBound == 0, !pass.accumulatesGradients { bias.gradient.fill(0) }
    let operands = (gradient, groups, output, bias, epilogue, pass)
    pass.pool.run(chunks: outputs.dividedUp(by: 64), with: operands) { operands, index, _ in
      let (gradient, groups, output, bias, epilogue, pass) = operands
      let channels = index * 64..<min((index + 1) * 64, gradient.shape.count)
      for group in groups {
        gradient.applyEpilogueBackward(
          group: group, channels: channels, output: output, bias: bias, epilogue: epilogue,
          pass: pass)
      }
    }
  }
}
