// What growing a convolution's connections looks at: the gradient of weights that do not exist.

/// The dense gradient of a convolution: a dense layer's weight gradient, band by band.
struct ConvolutionGradient: GradientSource {
  let convolution: PlaneConvolution
  let connections: SparseWeights
  let sums: DenseWeightSums

  private var geometry: BandGeometry { convolution.geometry }

  /// All columns of some output channels: as many as leave a panel for each thread, since each packs
  /// all of the input. No sum depends on it.
  func panels(threads: Int) -> GradientPanels {
    let outputs = geometry.shape.outputs
    let rows = min(outputs, min(max(16, outputs.dividedUp(by: threads)), 64))
    return GradientPanels(
      rows: rows, columns: connections.inputs,
      scratch: geometry.growthScratchCount(outputs: rows))
  }

  func writeGradient(
    outputs: Range<Int>, inputs: Range<Int>, into panel: inout MutableSpan<Float>,
    shared: Span<Float>, scratch: inout MutableSpan<Float>
  ) {
    unsafe convolution.weightGradients(
      sums, outputs: outputs, into: panel.base, scratch: scratch.base)
  }

  func gradient(output: Int, input: Int) -> Float {
    convolution.weightGradient(output: output, position: input)
  }
}

extension PlaneConvolution {
  /// The gradient of one weight, connected or not: of output `output`, at `position` = channel · k² +
  /// tap.
  fileprivate func weightGradient(output outputChannel: Int, position: Int) -> Float {
    let shape = geometry.shape
    let (channel, tap) = (position / shape.taps, position % shape.taps)
    let (ky, kx) = (tap / shape.kernel, tap % shape.kernel)
    let (activation, norm) = (prologue.activation, prologue.norm)
    let folded = takesNormGradient ? outputNorm : nil
    var sum: Float = 0
    for sample in 0..<input.samples {
      for y in 0..<output.shape.height {
        let sourceY = y * shape.stride - shape.padding + ky
        guard sourceY >= 0, sourceY < input.shape.height else { continue }
        for x in 0..<output.shape.width {
          let sourceX = x * shape.stride - shape.padding + kx
          guard sourceX >= 0, sourceX < input.shape.width else { continue }
          let place = (outputChannel * output.shape.height + y) * output.shape.width + x
          var dy = outputGradient[sample, place]
          if let folded {
            dy =
              folded.a[outputChannel] * dy + folded.b[outputChannel] * output[sample, place]
              + folded.c[outputChannel]
          }
          var value =
            input[sample, (channel * input.shape.height + sourceY) * input.shape.width + sourceX]
          if let norm { value = norm.scale[channel] * value + norm.shift[channel] }
          sum += dy * activation(value)
        }
      }
    }
    return sum
  }

  /// The gradient of every weight of some output channels, in one sum over all bands.
  ///
  /// - Parameters:
  ///   - result: (outputs, channels · k²).
  ///   - scratch: ``BandGeometry/growthScratchCount(outputs:)`` floats.
  fileprivate func weightGradients(
    _ weightSums: DenseWeightSums, outputs: Range<Int>, into result: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>
  ) {
    let shape = geometry.shape
    // Rows are as far apart as with all outputs: taps have the offsets of a dense layer's.
    let side = DenseTaps.ChannelView(
      channels: outputs.count, channelStride: geometry.gradient.channelStride,
      rowStride: geometry.gradient.rowStride)
    let activation = unsafe scratch + geometry.gradient.count
    let transposed = unsafe activation + geometry.activation.count
    let byTap = unsafe transposed + geometry.backwardRows * geometry.transposedRowCount
    var accumulate = false
    for group in 0..<input.groups {
      for band in 0..<geometry.backwardBands {
        let first = band * geometry.backwardRows
        let rows = min(geometry.backwardRows, geometry.inputSubRows - first)
        unsafe packGradient(
          outputs, group: group, firstSubRow: first, continues: band > 0, into: scratch)
        unsafe packActivation(group: group, firstSubRow: first, rows, into: activation)
        unsafe weightSums.add(
          scratch + geometry.gradientOrigin, side, activation, rows: rows, into: byTap,
          accumulate: accumulate, transposed: transposed)
        accumulate = true
      }
    }
    for output in 0..<outputs.count {
      let (source, target) = unsafe (byTap + output * inputs, result + output * inputs)
      for channel in 0..<shape.inputs {
        for tap in 0..<shape.taps {
          unsafe target[channel * shape.taps + tap] = source[tap * shape.inputs + channel]
        }
      }
    }
  }

  private var inputs: Int { geometry.shape.inputs * geometry.shape.taps }
}
