// The dense gradient, dY Xᵀ: of vectors one dense product a panel, else one for each group and tap.

/// The dense gradient of a product's connections.
struct ProductGradient: GradientSource {
  let product: SparseProduct

  var connections: SparseWeights { product.connections }
  private var layout: SparseProduct.Layout { product.layout }
  private var inputs: Int { product.inputs }
  private var input: Tensor { product.input }
  private var outputGradient: Tensor { product.outputGradient }

  /// 128 × 1024 positions, or as many whole channels as have no more.
  func panels(threads: Int) -> GradientPanels {
    guard layout.isLinear else {
      let (rows, taps) = (GradientPanels().rows, layout.taps.count)
      let columns = max(1, GradientPanels().columns / taps) * taps
      return GradientPanels(
        rows: rows, columns: columns,
        scratch: min(rows, connections.outputs) * min(columns / taps, inputs))
    }
    // With one group, both operands are rows of samples as they are.
    let groups = input.capacity.dividedUp(by: input.lanes)
    let samples = groups > 1 ? groups * input.lanes : 0
    let panels = GradientPanels()
    return GradientPanels(
      rows: panels.rows, columns: panels.columns, scratch: panels.rows * samples,
      shared: inputs * samples)
  }

  /// Gathers the groups of vectors side by side, so that the product has one long inner dimension.
  func prepareGradient(in shared: inout MutableSpan<Float>, _ pool: ThreadPool) {
    guard layout.isLinear, input.groups > 1 else { return }
    let gathered = unsafe MatrixView(base: shared.base, stride: samples)
    unsafe pool.run(chunks: inputs.dividedUp(by: 256), with: (self, gathered)) {
      operands, index, _ in
      let (layer, gathered) = unsafe operands
      let channels = index * 256..<min((index + 1) * 256, layer.inputs)
      unsafe layer.input.gather(channels: channels, into: gathered)
    }
  }

  /// A panel, by dense products.
  func writeGradient(
    outputs: Range<Int>, inputs: Range<Int>, into panel: inout MutableSpan<Float>,
    shared: Span<Float>, scratch: inout MutableSpan<Float>
  ) {
    trap(
      unless: panel.count == outputs.count * inputs.count,
      "layer \(connections.name): room for \(panel.count) gradients of \(outputs.count) outputs and "
        + "\(inputs.count) inputs")
    guard layout.isLinear else {
      return unsafe writeShared(outputs, inputs, into: panel.base, scratch: scratch.base)
    }
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
    let result = unsafe MatrixView(base: panel.base, stride: inputs.count)
    guard let windows = layout.windows else {
      return unsafe denseProduct(
        dy, transposeB: true, x.row(inputs.lowerBound), into: result, m: outputs.count,
        n: inputs.count, k: samples)
    }
    for (place, output) in outputs.enumerated() {
      for run in 0..<windows.runs.count {
        let some = windows.runs[run].clamped(to: inputs)
        guard !some.isEmpty else { continue }
        let first = windows.starts[output] + windows.taps[some.lowerBound]
        let target = unsafe result.row(place).base + some.lowerBound - inputs.lowerBound
        unsafe denseProduct(
          dy.row(place), transposeB: true, x.row(first),
          into: MatrixView(base: target, stride: some.count), m: 1, n: some.count, k: samples)
      }
    }
  }

  /// The product of some outputs and whole input channels, tap by tap and group by group: a channel's
  /// values and lanes lie in one piece, and are the inner dimension.
  private func writeShared(
    _ outputs: Range<Int>, _ inputs: Range<Int>, into panel: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>
  ) {
    let taps = layout.taps.count
    trap(
      unless: inputs.lowerBound % taps == 0 && inputs.upperBound % taps == 0,
      "layer \(connections.name): the gradient of inputs \(inputs) is not of whole channels")
    let (first, channels) = (inputs.lowerBound / taps, inputs.count / taps)
    let (rowLength, columnLength) = (
      layout.outputWidth * input.lanes, layout.inputWidth * input.lanes
    )
    for tap in 0..<taps {
      for group in 0..<input.groups {
        let dy = unsafe MatrixView(
          base: outputGradient.base + group * outputGradient.groupStride, stride: rowLength)
        let ahead = group * input.groupStride + layout.taps[tap] * input.lanes
        let x = unsafe MatrixView(base: input.base + ahead, stride: columnLength)
        unsafe denseProduct(
          dy.row(outputs.lowerBound), transposeB: true, x.row(first),
          into: MatrixView(base: scratch, stride: channels), m: outputs.count, n: channels,
          k: rowLength, beta: group > 0 ? 1 : 0)
      }
      for output in 0..<outputs.count {
        for channel in 0..<channels {
          unsafe panel[(output * channels + channel) * taps + tap] =
            scratch[output * channels + channel]
        }
      }
    }
  }

  /// Σ over samples and places of dY[output] X[input].
  func gradient(output: Int, input column: Int) -> Float {
    let (channel, tap) = column.quotientAndRemainder(dividingBy: layout.taps.count)
    let first =
      layout.windows.map { $0.starts[output] + $0.taps[column] }
      ?? channel * layout.inputWidth + layout.taps[tap]
    let length = layout.outputWidth * input.lanes
    var sum: Float = 0
    for group in 0..<input.groups {
      let x = unsafe input.base + group * input.groupStride + first * input.lanes
      let dy = unsafe outputGradient.base + group * outputGradient.groupStride + output * length
      for element in 0..<length { unsafe sum += dy[element] * x[element] }
    }
    return sum
  }

  /// Samples of the batch, dead lanes included.
  private var samples: Int { input.groups * input.lanes }
}
