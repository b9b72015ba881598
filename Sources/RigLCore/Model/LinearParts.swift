/// A batch's groups in bands whose operands fit the second-level cache, so that a slab's
/// connections, once loaded, serve a whole band.
struct GroupBands {
  private let groups: Int
  private let groupsPerBand: Int

  /// Bytes of operands in a band: a constant, since the order of sums depends on it.
  private static let bytes = 3 << 17

  /// Bands for a batch whose operand and result have `channels` channels together.
  init(of tensor: Tensor, channels: Int) {
    groups = tensor.groups
    let groupBytes = channels * tensor.lanes * MemoryLayout<Float>.stride
    // Small batches gain less from the cache than they lose by meeting of the threads.
    let least = groups <= 8 ? 4 : 1
    groupsPerBand = max(GroupBands.bytes / groupBytes, least)
  }

  /// The number of bands.
  var count: Int { groups.dividedUp(by: groupsPerBand) }

  /// The groups of a band.
  subscript(band: Int) -> Range<Int> {
    band * groupsPerBand..<Swift.min((band + 1) * groupsPerBand, groups)
  }
}

/// Which band of a product each thread has in its cache.
///
/// Products read their operands in the order of connections, which no hardware foresees: out of
/// memory, that is a wait for each row. So a thread reads a band once in order before its first
/// slab of it (measured: 384 → 1536, batch 2048, 98 % sparse, the backward product from 5.7 to
/// 2.5 ms, the reading included).
final class WarmBands {
  /// One band a thread, a cache line apart.
  private var bands: AlignedBuffer<Int>
  private static let stride = 8

  init(threads: Int) {
    bands = AlignedBuffer(count: threads * WarmBands.stride)
  }

  /// Forgets all bands, when another product begins.
  func reset() {
    bands.fill(-1)
  }

  /// Whether a thread has not worked on the band before.
  func isFirst(_ band: Int, of worker: Int) -> Bool {
    let slot = unsafe bands.base + worker * WarmBands.stride
    guard unsafe slot.pointee != band else { return false }
    unsafe slot.pointee = band
    return true
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
  func applyEpilogueBackward(
    _ gradient: Tensor, groups: Range<Int>, output: Tensor, bias: Parameter?, epilogue: Epilogue,
    pass: Pass
  ) {
    let hasDeadLanes = gradient.liveLanes(group: groups.upperBound - 1) < gradient.lanes
    guard bias != nil || hasDeadLanes || !epilogue.isIdentity(pass) else { return }
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
