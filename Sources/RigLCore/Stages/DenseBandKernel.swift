/// Every connection, by direct convolution of bands.
///
/// The weights are stored as (output, tap, input): a weight gradient's sums are neighbours. Both
/// passes multiply by a copy in the order in which the product reads it.
final class DenseBandKernel: BandKernel {
  private let geometry: BandGeometry
  let weight: Parameter
  private let forwardTaps: [DenseTaps]
  private let sums: DenseWeightSums
  /// The weights for the pass at work: forward's order, then backward's, phase by phase.
  private var copy: AlignedBuffer<Float>
  private var copied: Order?

  /// Which pass the copy is for.
  private enum Order { case forward, backward }

  convenience init(name: String, _ geometry: BandGeometry) {
    let shape = geometry.shape
    self.init(
      Parameter(
        name: "\(name).weight", shape: [shape.outputs, shape.inputs, shape.kernel, shape.kernel],
        count: shape.outputs * shape.inputs * shape.taps, decays: true), geometry)
  }

  /// A kernel of weights that are perhaps not always stored densely.
  init(_ weight: Parameter, _ geometry: BandGeometry) {
    (self.weight, self.geometry) = (weight, geometry)
    let shape = geometry.shape
    forwardTaps = [DenseTaps(indices: Array(0..<shape.taps), offsets: geometry.forwardTaps)]
    sums = DenseWeightSums(geometry)
    copy = AlignedBuffer(count: weight.count)
  }

  /// Where the weight at a position (output · channels · k² + channel · k² + tap) is stored.
  static func place(of position: Int, _ shape: ConvolutionShape) -> Int {
    let (tap, pair) = (position % shape.taps, position / shape.taps)
    let (output, input) = (pair / shape.inputs, pair % shape.inputs)
    return (output * shape.taps + tap) * shape.inputs + input
  }

  // MARK: - Weights

  var isByTap: Bool { true }

  /// Says that the weights have changed.
  func weightsDidChange() {
    copied = nil
    // No memory for a copy of what is not stored here now.
    let needed =
      weight.count == geometry.shape.outputs * geometry.shape.inputs * geometry.shape.taps
    if copy.count != (needed ? weight.count : 0) {
      copy = AlignedBuffer(count: needed ? weight.count : 0)
    }
  }

  func willRunForward(_ pass: Pass) {
    guard copied != .forward else { return }
    copied = .forward
    let shape = geometry.shape
    copyWeights(
      forwardTaps,
      DenseTaps.Order(
        results: shape.outputs, reduced: shape.inputs, resultStride: shape.taps * shape.inputs,
        reducedStride: 1, tapStride: shape.inputs), pass.pool)
  }

  func willRunBackward(_ pass: Pass) {
    guard copied != .backward else { return }
    copied = .backward
    let shape = geometry.shape
    copyWeights(
      sums.taps,
      DenseTaps.Order(
        results: shape.inputs, reduced: shape.outputs, resultStride: 1,
        reducedStride: shape.taps * shape.inputs, tapStride: shape.inputs), pass.pool)
  }

  private func copyWeights(_ taps: [DenseTaps], _ order: DenseTaps.Order, _ pool: ThreadPool) {
    let blocks = DenseTaps.blocks(of: order.results)
    // A chunk takes some 10 µs, which a thread is just worth waking for; eight blocks at once read
    // whole lines.
    let most = max(8, (1 << 14) * blocks / weight.count)
    pool.run(chunks: blocks.dividedUp(by: most), with: (self, taps, order, blocks, most)) {
      work, index, _ in
      let (kernel, taps, order, blocks, most) = work
      let range = index * most..<min((index + 1) * most, blocks)
      var start = 0
      for phase in 0..<taps.count {
        unsafe taps[phase].copyWeights(
          kernel.weight.values.base, order, blocks: range, into: kernel.copy.base + start)
        start += order.results * order.reduced * taps[phase].count
      }
    }
  }

  // MARK: - Products

  var forwardParts: Int { min(GradientParts.count, DenseTaps.blocks(of: geometry.shape.outputs)) }

  func outputs(of parts: Range<Int>) -> Range<Int> {
    let blocks = DenseTaps.blocks(of: geometry.shape.outputs)
    let some = parts.lowerBound * blocks / forwardParts..<parts.upperBound * blocks / forwardParts
    return DenseTaps.channels(of: some, results: geometry.shape.outputs)
  }

  func forward(
    _ parts: Range<Int>, rows: Int, packed: UnsafeMutablePointer<Float>,
    product: UnsafeMutablePointer<Float>
  ) {
    let (channels, to) = (outputs(of: parts), geometry.product)
    unsafe forwardTaps[0].multiply(
      copy.base + channels.lowerBound * geometry.shape.inputs * geometry.shape.taps, packed,
      geometry.packed.side, into: product + channels.lowerBound * to.channelStride,
      DenseTaps.ChannelView(
        channels: channels.count, channelStride: to.channelStride, rowStride: to.rowStride),
      rows: rows, columns: geometry.output.width)
  }

  func backward(
    rows: Int, gradient: UnsafeMutablePointer<Float>, activation: UnsafeMutablePointer<Float>,
    activationGradient: UnsafeMutablePointer<Float>, wantsActivationGradient: Bool,
    weightGradient: UnsafeMutablePointer<Float>, accumulate: Bool
  ) {
    let (shape, scratch) = (geometry.shape, geometry.activation)
    let origin = unsafe gradient + geometry.gradientOrigin
    // The activations' gradient is not there yet: its memory takes the transposed rows.
    unsafe sums.add(
      origin, geometry.gradient.side, activation, rows: rows, into: weightGradient,
      accumulate: accumulate, transposed: activationGradient)
    guard wantsActivationGradient else { return }
    var start = 0
    for phase in 0..<sums.taps.count {
      let taps = sums.taps[phase]
      unsafe taps.multiply(
        copy.base + start, origin, geometry.gradient.side,
        into: activationGradient + phase * scratch.phaseStride, scratch.side, rows: rows,
        columns: geometry.inputSubColumns, subtracts: true)
      start += taps.count * shape.inputs * shape.outputs
    }
  }
}

/// The gradient of all weights of some outputs, (output, tap, input), band by band.
final class DenseWeightSums {
  private let geometry: BandGeometry
  /// The taps of each phase of the input.
  let taps: [DenseTaps]

  init(_ geometry: BandGeometry) {
    self.geometry = geometry
    let (offsets, phases) = (geometry.backwardTaps, geometry.tapPhases)
    taps = (0..<geometry.phases * geometry.phases).map { phase in
      let indices = (0..<geometry.shape.taps).filter { phases[$0] == Int32(phase) }
      return DenseTaps(indices: indices, offsets: indices.map { offsets[$0] })
    }
  }

  /// Adds the sums over a band, or sets the gradient to them.
  ///
  /// - Parameters:
  ///   - origin: the gradient of the outputs in scratch, at the place of tap (0, 0) of the first
  ///     pixel.
  ///   - activation: `rows` sub-rows of the input.
  ///   - transposed: memory for so many times ``BandGeometry/transposedRowCount``.
  func add(
    _ origin: UnsafePointer<Float>, _ outputs: DenseTaps.ChannelView,
    _ activation: UnsafePointer<Float>, rows: Int, into gradient: UnsafeMutablePointer<Float>,
    accumulate: Bool, transposed: UnsafeMutablePointer<Float>
  ) {
    let (scratch, inputs) = (geometry.activation, geometry.shape.inputs)
    let target = unsafe DenseTaps.Target(
      base: gradient, outputStride: geometry.shape.taps * inputs, tapStride: inputs,
      accumulate: accumulate)
    let rowCount = geometry.transposedRowCount
    for phase in 0..<taps.count {
      let some = taps[phase]
      let place = unsafe activation + phase * scratch.phaseStride
      guard !DenseTaps.isNarrow(inputs) else {
        unsafe some.addGradient(
          origin, outputs, place, scratch.side, rows: rows, columns: geometry.inputSubColumns,
          into: target)
        continue
      }
      for row in 0..<rows {
        unsafe DenseTaps.transpose(
          row: place + row * scratch.rowStride, channelStride: scratch.channelStride,
          channels: inputs, columns: geometry.inputSubColumns, into: transposed + row * rowCount)
      }
      unsafe some.addGradient(
        origin, outputs, transposed,
        DenseTaps.ChannelView(channels: inputs, channelStride: 0, rowStride: rowCount), rows: rows,
        columns: geometry.inputSubColumns, into: target)
    }
  }
}

extension BandGeometry.Scratch {
  /// All channels, without phases.
  var side: DenseTaps.ChannelView {
    DenseTaps.ChannelView(channels: channels, channelStride: channelStride, rowStride: rowStride)
  }
}
