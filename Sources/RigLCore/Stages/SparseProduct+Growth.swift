// The dense gradient of a linear layer, dY Xᵀ: one dense product a panel.

extension SparseProduct: GradientSource {
  func panels(threads: Int) -> GradientPanels {
    // With one group, both operands are rows of samples as they are.
    let groups = input.capacity.dividedUp(by: input.lanes)
    let samples = groups > 1 ? groups * input.lanes : 0
    let panels = GradientPanels()
    return GradientPanels(
      rows: panels.rows, columns: panels.columns, scratch: panels.rows * samples,
      shared: inputs * samples)
  }

  /// Gathers the groups of the input side by side, so that the product has one long inner dimension.
  func prepareGradient(in shared: inout MutableSpan<Float>, _ pool: ThreadPool) {
    guard input.groups > 1 else { return }
    let gathered = unsafe MatrixView(base: shared.base, stride: samples)
    unsafe pool.run(chunks: inputs.dividedUp(by: 256), with: (self, gathered)) {
      operands, index, _ in
      let (layer, gathered) = unsafe operands
      let channels = index * 256..<min((index + 1) * 256, layer.inputs)
      unsafe layer.input.gather(channels: channels, into: gathered)
    }
  }

  func writeGradient(
    outputs: Range<Int>, inputs: Range<Int>, into panel: inout MutableSpan<Float>,
    shared: Span<Float>, scratch: inout MutableSpan<Float>
  ) {
    let (dy, x): (MatrixView, MatrixView)
    if input.groups > 1 {
      let rows = unsafe scratch.base
      // Channel 0's row would lie before the memory; only the rows asked for are touched.
      let view = unsafe MatrixView(base: rows - outputs.lowerBound * samples, stride: samples)
      unsafe outputGradient.gather(channels: outputs, into: view)
      unsafe dy = MatrixView(base: rows, stride: samples)
      unsafe x = MatrixView(base: UnsafeMutablePointer(mutating: shared.base), stride: samples)
    } else {
      unsafe dy = MatrixView(base: outputGradient.base, stride: samples).row(outputs.lowerBound)
      unsafe x = MatrixView(base: input.base, stride: samples)
    }
    unsafe denseProduct(
      dy, transposeB: true, x.row(inputs.lowerBound),
      into: MatrixView(base: panel.base, stride: inputs.count), m: outputs.count, n: inputs.count,
      k: samples)
  }

  /// Σ over samples of dY[output] X[input].
  func gradient(output: Int, input column: Int) -> Float {
    var sum: Float = 0
    for group in 0..<input.groups {
      let x = unsafe input.base + group * input.groupStride + column * input.lanes
      let dy =
        unsafe outputGradient.base + group * outputGradient.groupStride
        + output * outputGradient.lanes
      for lane in 0..<input.lanes { unsafe sum += dy[lane] * x[lane] }
    }
    return sum
  }

  /// Samples of the batch, dead lanes included.
  private var samples: Int { input.groups * input.lanes }
}
