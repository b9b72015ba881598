/// The product at the heart of a convolution: on a band in scratch, knowing nothing of batch-norm,
/// borders or main memory.
protocol BandKernel: AnyObject {
  /// The weights, or those of the connections that exist.
  var weight: Parameter { get }
  /// The connections; nil if every weight is stored.
  var connections: SparseWeights? { get }
  /// Whether weights are stored by kernel position; else by position.
  var isByTap: Bool { get }
  /// Called when the weights have changed.
  func weightsDidChange()
  /// Called once before the bands of a forward pass, on one thread.
  func willRunForward(_ pass: Pass)
  /// Called once before the bands of a backward pass that makes an input gradient, on one thread.
  func willRunBackward(_ pass: Pass)
  /// Parts that threads can share the outputs of a forward product by; borders depend on the layer
  /// only, and sums do not depend on borders.
  var forwardParts: Int { get }
  /// The output channels of some parts.
  func outputs(of parts: Range<Int>) -> Range<Int>
  /// The channels of some parts in `product` of `rows` rows, from `packed`.
  func forward(
    _ parts: Range<Int>, rows: Int, packed: UnsafeMutablePointer<Float>,
    product: UnsafeMutablePointer<Float>)
  /// The gradient of the activations, if wanted, and (+)= that of the weights, for `rows` sub-rows.
  /// The memory of the former is there in any case.
  func backward(
    rows: Int, gradient: UnsafeMutablePointer<Float>, activation: UnsafeMutablePointer<Float>,
    activationGradient: UnsafeMutablePointer<Float>, wantsActivationGradient: Bool,
    weightGradient: UnsafeMutablePointer<Float>, accumulate: Bool)
}

extension BandKernel {
  var connections: SparseWeights? { nil }
  var isByTap: Bool { false }
  func weightsDidChange() {}
}

/// Only the connections that exist.
final class SparseBandKernel: BandKernel {
  private let geometry: BandGeometry
  let weights: SparseWeights

  init(
    name: String, _ geometry: BandGeometry, connections: Int,
    variation: SparseWeights.Variation? = nil
  ) throws(RigLError) {
    self.geometry = geometry
    let shape = geometry.shape
    weights = try SparseWeights(
      name: name, shape: [shape.outputs, shape.inputs, shape.kernel, shape.kernel],
      connections: connections,
      forward: ConnectionList.Layout(
        rowStride: geometry.product.channelStride, columnStride: geometry.packed.channelStride,
        tapOffsets: geometry.forwardTaps),
      backward: ConnectionList.Layout(
        rowStride: geometry.activation.channelStride,
        columnStride: geometry.gradient.channelStride, tapOffsets: geometry.backwardTaps,
        phases: geometry.phases * geometry.phases, phaseStride: geometry.activation.phaseStride,
        tapPhases: geometry.tapPhases), variation: variation)
  }

  var weight: Parameter { weights.parameter }

  var connections: SparseWeights? { weights }

  func weightsDidChange() { weights.weightsDidChange() }

  func willRunForward(_ pass: Pass) { weights.refreshForwardWeights(pass.pool) }

  func willRunBackward(_ pass: Pass) {}

  var forwardParts: Int { weights.forward.slabs }

  func outputs(of parts: Range<Int>) -> Range<Int> { weights.forward.rows(of: parts) }

  func forward(
    _ parts: Range<Int>, rows: Int, packed: UnsafeMutablePointer<Float>,
    product: UnsafeMutablePointer<Float>
  ) {
    let tile = geometry.forwardTile
    let tiles = ConnectionList.PlaneTiles(
      columns: tile.columns, rows: tile.rows,
      across: geometry.product.columns / tile.columns, down: rows.dividedUp(by: tile.rows),
      operandRow: geometry.packed.rowStride, resultRow: geometry.product.rowStride)
    unsafe weights.forward.forward(
      slabs: parts, tiles, weights: weights.forwardBase, x: packed, y: product)
  }

  func backward(
    rows: Int, gradient: UnsafeMutablePointer<Float>, activation: UnsafeMutablePointer<Float>,
    activationGradient: UnsafeMutablePointer<Float>, wantsActivationGradient: Bool,
    weightGradient: UnsafeMutablePointer<Float>, accumulate: Bool
  ) {
    let tile = geometry.backwardTile
    let tiles = ConnectionList.PlaneTiles(
      columns: tile.columns, rows: tile.rows,
      across: geometry.activation.columns / tile.columns, down: rows.dividedUp(by: tile.rows),
      operandRow: geometry.gradient.rowStride, resultRow: geometry.activation.rowStride)
    unsafe weights.backward.backward(
      tiles, weights: weight.values.base, dy: gradient + geometry.gradientOrigin, x: activation,
      dx: wantsActivationGradient ? activationGradient : nil, dw: weightGradient,
      accumulate: accumulate)
  }
}

/// Each channel with a kernel of its own.
final class DepthwiseBandKernel: BandKernel {
  private let geometry: BandGeometry
  let weight: Parameter
  private let forwardTaps: TapList
  /// The taps of each phase of the input.
  private let backwardTaps: [TapList]

  init(name: String, _ geometry: BandGeometry, decays: Bool) {
    self.geometry = geometry
    let shape = geometry.shape
    weight = Parameter(
      name: "\(name).weight", shape: [shape.outputs, 1, shape.kernel, shape.kernel],
      count: shape.outputs * shape.taps, decays: decays)
    forwardTaps = TapList(indices: Array(0..<shape.taps), offsets: geometry.forwardTaps)
    let (offsets, phases) = (geometry.backwardTaps, geometry.tapPhases)
    backwardTaps = (0..<geometry.phases * geometry.phases).map { phase in
      let indices = (0..<shape.taps).filter { phases[$0] == Int32(phase) }
      return TapList(indices: indices, offsets: indices.map { offsets[$0] })
    }
  }

  func willRunForward(_ pass: Pass) {}

  func willRunBackward(_ pass: Pass) {}

  var forwardParts: Int { min(GradientParts.count, geometry.shape.inputs.dividedUp(by: 16)) }

  func outputs(of parts: Range<Int>) -> Range<Int> {
    let channels = geometry.shape.inputs
    return parts.lowerBound * channels / forwardParts..<parts.upperBound * channels / forwardParts
  }

  func forward(
    _ parts: Range<Int>, rows: Int, packed: UnsafeMutablePointer<Float>,
    product: UnsafeMutablePointer<Float>
  ) {
    let (channels, taps) = (outputs(of: parts), geometry.shape.taps)
    let (from, to) = (geometry.packed, geometry.product)
    let x = unsafe packed + channels.lowerBound * from.channelStride
    let y = unsafe product + channels.lowerBound * to.channelStride
    for row in 0..<rows {
      unsafe forwardTaps.depthwise(
        x + row * from.rowStride, channelStride: from.channelStride,
        weight.values.base + channels.lowerBound * taps, taps: taps, channels: channels.count,
        columns: geometry.output.width, into: y + row * to.rowStride,
        resultStride: to.channelStride)
    }
  }

  func backward(
    rows: Int, gradient: UnsafeMutablePointer<Float>, activation: UnsafeMutablePointer<Float>,
    activationGradient: UnsafeMutablePointer<Float>, wantsActivationGradient: Bool,
    weightGradient: UnsafeMutablePointer<Float>, accumulate: Bool
  ) {
    if !accumulate { unsafe weightGradient.update(repeating: 0, count: weight.count) }
    for row in 0..<rows {
      for phase in 0..<backwardTaps.count {
        let place =
          row * geometry.activation.rowStride + phase * geometry.activation.phaseStride
        unsafe backwardTaps[phase].depthwiseBackward(
          gradient + geometry.gradientOrigin + row * geometry.gradient.rowStride,
          gradientStride: geometry.gradient.channelStride, activation + place, weight,
          channels: geometry.shape.inputs, columns: geometry.activation.columns,
          dx: wantsActivationGradient ? activationGradient + place : nil,
          channelStride: geometry.activation.channelStride, dw: weightGradient)
      }
    }
  }
}
