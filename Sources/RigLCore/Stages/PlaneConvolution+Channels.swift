// A single image, or a few small ones, make so few bands that most threads would have none. Then they
// share out the channels of each band: first the input's, to bring them into scratch, then the
// output's. No sum depends on how it is done, so it may depend on the number of threads.

extension PlaneConvolution {
  /// Whether threads share out channels instead of bands. Statistics are summed by bands.
  func sharesChannels(of bands: Bands, _ pass: Pass) -> Bool {
    !pass.isTraining && bands.parts < pass.pool.threads
  }

  /// What all threads need to know of the band at work.
  @safe
  private struct ChannelWork {
    let layer: PlaneConvolution
    let pass: Pass
    let group: Int
    let firstRow: Int
    let rows: Int
    /// Whether the band before is still in scratch.
    let continues: Bool
    /// The caller's scratch: the packed band, and its product.
    let packed: UnsafeMutablePointer<Float>
    let product: UnsafeMutablePointer<Float>
  }

  /// The raw output, band by band.
  func forwardByChannels(_ bands: Bands, _ pass: Pass) {
    let packed = unsafe pass.scratch(of: 0)
    for item in 0..<bands.groups * bands.bands {
      let (group, band) = bands.place(item)
      let first = band * geometry.forwardRows
      let work = unsafe ChannelWork(
        layer: self, pass: pass, group: group, firstRow: first,
        rows: min(geometry.forwardRows, geometry.output.height - first), continues: band > 0,
        packed: packed, product: packed + geometry.packed.count)
      pass.pool.run(chunks: inputParts, with: work) { work, part, worker in
        work.layer.pack(part, work, worker)
      }
      pass.pool.run(chunks: kernel.forwardParts, with: work) { work, part, worker in
        work.layer.multiply(part, work, worker)
      }
    }
  }

  /// Parts that threads share the input's channels by.
  private var inputParts: Int { min(GradientParts.count, geometry.shape.inputs.dividedUp(by: 32)) }

  private func pack(_ part: Int, _ work: ChannelWork, _ worker: Int) {
    work.pass.pool.clock?.enter(.forwardPack, worker)
    let inputs = geometry.shape.inputs
    unsafe packInput(
      input, group: work.group, firstRow: work.firstRow,
      channels: part * inputs / inputParts..<(part + 1) * inputs / inputParts,
      continues: work.continues, into: work.packed)
  }

  private func multiply(_ part: Int, _ work: ChannelWork, _ worker: Int) {
    let clock = work.pass.pool.clock
    clock?.enter(.forwardKernel, worker)
    unsafe kernel.forward(
      part..<part + 1, rows: work.rows, packed: work.packed, product: work.product)
    clock?.enter(.forwardUnpack, worker)
    let channels = kernel.outputs(of: part..<part + 1)
    let stride = geometry.product.channelStride
    let product = unsafe work.product + channels.lowerBound * stride
    for row in 0..<work.rows {
      let y = work.firstRow + row
      unsafe output.row(y, group: work.group)[channels].unpackOutput(
        product: product + row * geometry.product.rowStride, channelStride: stride,
        bias: appliedBias, firstChannel: channels.lowerBound,
        residual: site.addend?.row(y, group: work.group)[channels],
        live: input.liveLanes(group: work.group), statistics: nil, part: 0, starts: false)
    }
  }
}
