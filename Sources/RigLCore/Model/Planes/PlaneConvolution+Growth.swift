// What growing a convolution's connections looks at: the gradient of weights that do not exist.

extension PlaneConvolution {
  /// The gradient of one weight, connected or not: of output `output`, at `position` = channel · k² +
  /// tap.
  func weightGradient(_ gradient: Tensor, output outputChannel: Int, position: Int) -> Float {
    guard let input, let output else { preconditionFailure("\(name): backward before forward") }
    let shape = geometry.shape
    let (channel, tap) = (position / shape.taps, position % shape.taps)
    let (ky, kx) = (tap / shape.kernel, tap % shape.kernel)
    let (relu, norm, folded) = (prologue.relu, prologue.norm, foldsNorm ? outputNorm : nil)
    var sum: Float = 0
    for sample in 0..<input.samples {
      for y in 0..<output.shape.height {
        let sourceY = y * shape.stride - shape.padding + ky
        guard sourceY >= 0, sourceY < input.shape.height else { continue }
        for x in 0..<output.shape.width {
          let sourceX = x * shape.stride - shape.padding + kx
          guard sourceX >= 0, sourceX < input.shape.width else { continue }
          let place = (outputChannel * output.shape.height + y) * output.shape.width + x
          var dy = gradient[sample, place]
          if let folded {
            dy =
              folded.a[outputChannel] * dy + folded.b[outputChannel] * output[sample, place]
              + folded.c[outputChannel]
          }
          var value =
            input[sample, (channel * input.shape.height + sourceY) * input.shape.width + sourceX]
          if let norm { value = norm.scale[channel] * value + norm.shift[channel] }
          sum += dy * (relu ? max(0, value) : value)
        }
      }
    }
    return sum
  }

  /// The gradient of every weight of some output channels: one dense product for each row and tap.
  ///
  /// - Parameters:
  ///   - gradient: that of the output, as it arrived in the backward pass.
  ///   - result: (outputs, channels · k²).
  ///   - scratch: ``BandGeometry/growthScratchCount(outputs:)`` floats.
  func weightGradients(
    _ gradient: Tensor, outputs: Range<Int>, into result: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>
  ) {
    guard let input, let output else { preconditionFailure("\(name): backward before forward") }
    let (shape, packed) = unsafe (geometry.shape, scratch)
    let width = output.shape.width * BandGeometry.lanes
    let row = unsafe MatrixView(base: packed + geometry.packed.count, stride: width)
    let byTap = unsafe row.base + outputs.count * width
    let layout = RowLayout(width: output.shape.width)
    let norm = foldsNorm ? outputNorm : nil
    var beta: Float = 0
    for group in 0..<input.groups {
      let live = input.liveLanes(group: group)
      for band in 0..<geometry.forwardBands {
        let first = band * geometry.forwardRows
        unsafe packInput(input, group: group, firstRow: first, continues: band > 0, into: packed)
        for y in first..<min(first + geometry.forwardRows, output.shape.height) {
          unsafe gradient.row(y, group: group)[outputs].packGradient(
            norm.map { unsafe ($0, output.row(y, group: group)[outputs]) },
            firstChannel: outputs.lowerBound, live: live, layout, into: row.base)
          for tap in 0..<shape.taps {
            let operand = unsafe MatrixView(
              base: packed + (y - first) * geometry.packed.rowStride + Int(forwardTaps[tap]),
              stride: geometry.packed.channelStride)
            unsafe denseProduct(
              row, transposeB: true, operand,
              into: MatrixView(
                base: byTap + tap * outputs.count * shape.inputs, stride: shape.inputs),
              m: outputs.count, n: shape.inputs, k: width, beta: beta)
          }
          beta = 1
        }
      }
    }
    for pair in 0..<outputs.count * shape.inputs {
      for tap in 0..<shape.taps {
        unsafe result[pair * shape.taps + tap] =
          byTap[tap * outputs.count * shape.inputs + pair]
      }
    }
  }
}
