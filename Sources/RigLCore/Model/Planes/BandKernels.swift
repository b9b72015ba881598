/// The product at the heart of a convolution: on a band in scratch, knowing nothing of batch-norm,
/// borders or main memory.
protocol BandKernel: AnyObject {
  /// The weights, or those of the connections that exist.
  var weight: Parameter { get }
  /// Called once before the bands of a forward pass, on one thread.
  func willRunForward(_ pass: Pass)
  /// `product` of `rows` rows from `packed`.
  func forward(
    rows: Int, packed: UnsafeMutablePointer<Float>, product: UnsafeMutablePointer<Float>)
  /// The gradient of the activations, unless null, and (+)= that of the weights, for `rows`
  /// sub-rows.
  func backward(
    rows: Int, gradient: UnsafeMutablePointer<Float>, activation: UnsafeMutablePointer<Float>,
    activationGradient: UnsafeMutablePointer<Float>?, weightGradient: UnsafeMutablePointer<Float>,
    accumulate: Bool)
}

/// Only the connections that exist.
final class SparseBandKernel: BandKernel {
  private let geometry: BandGeometry
  let weights: SparseWeights

  init(name: String, _ geometry: BandGeometry, connections: Int) throws(RigLError) {
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
        tapPhases: geometry.tapPhases), geometry: geometry)
  }

  var weight: Parameter { weights.parameter }

  func willRunForward(_ pass: Pass) { weights.refreshForwardWeights(pass.pool) }

  func forward(
    rows: Int, packed: UnsafeMutablePointer<Float>, product: UnsafeMutablePointer<Float>
  ) {
    let tile = geometry.forwardTile
    let tiles = ConnectionList.PlaneTiles(
      columns: tile.columns, rows: tile.rows,
      across: geometry.product.columns / tile.columns, down: rows.dividedUp(by: tile.rows),
      operandRow: geometry.packed.rowStride, resultRow: geometry.product.rowStride)
    unsafe weights.forward.forward(tiles, weights: weights.forwardBase, x: packed, y: product)
  }

  func backward(
    rows: Int, gradient: UnsafeMutablePointer<Float>, activation: UnsafeMutablePointer<Float>,
    activationGradient: UnsafeMutablePointer<Float>?, weightGradient: UnsafeMutablePointer<Float>,
    accumulate: Bool
  ) {
    let tile = geometry.backwardTile
    let tiles = ConnectionList.PlaneTiles(
      columns: tile.columns, rows: tile.rows,
      across: geometry.activation.columns / tile.columns, down: rows.dividedUp(by: tile.rows),
      operandRow: geometry.gradient.rowStride, resultRow: geometry.activation.rowStride)
    unsafe weights.backward.backward(
      tiles, weights: weight.values.base, dy: gradient + geometry.gradientOrigin, x: activation,
      dx: activationGradient, dw: weightGradient, accumulate: accumulate)
  }
}

/// Every connection, by dense products: for each tap one of its weights with shifted rows.
///
/// The weights are stored by tap, (tap, output, input), a matrix for each product.
final class DenseBandKernel: BandKernel {
  private let geometry: BandGeometry
  let weight: Parameter
  private let forwardTaps: [Int32]
  private let backwardTaps: [Int32]
  private let tapPhases: [Int32]

  init(name: String, _ geometry: BandGeometry) {
    self.geometry = geometry
    let shape = geometry.shape
    weight = Parameter(
      name: "\(name).weight", shape: [shape.outputs, shape.inputs, shape.kernel, shape.kernel],
      count: shape.outputs * shape.inputs * shape.taps, decays: true)
    forwardTaps = geometry.forwardTaps
    backwardTaps = geometry.backwardTaps
    tapPhases = geometry.tapPhases
  }

  func willRunForward(_ pass: Pass) {}

  /// Where the weight at a position (output · channels · k² + channel · k² + tap) is stored.
  static func place(of position: Int, _ shape: ConvolutionShape) -> Int {
    let (tap, pair) = (position % shape.taps, position / shape.taps)
    return tap * shape.outputs * shape.inputs + pair
  }

  /// The weights of a tap, (outputs, inputs).
  private func matrix(_ tap: Int) -> MatrixView {
    let shape = geometry.shape
    return unsafe MatrixView(
      base: weight.values.base + tap * shape.outputs * shape.inputs, stride: shape.inputs)
  }

  func forward(
    rows: Int, packed: UnsafeMutablePointer<Float>, product: UnsafeMutablePointer<Float>
  ) {
    let (shape, width) = (geometry.shape, geometry.product.columns * BandGeometry.lanes)
    for row in 0..<rows {
      let result = unsafe MatrixView(
        base: product + row * geometry.product.rowStride, stride: geometry.product.channelStride)
      for tap in 0..<shape.taps {
        let operand = unsafe MatrixView(
          base: packed + row * geometry.packed.rowStride + Int(forwardTaps[tap]),
          stride: geometry.packed.channelStride)
        unsafe denseProduct(
          matrix(tap), operand, into: result, m: shape.outputs, n: width, k: shape.inputs,
          beta: tap == 0 ? 0 : 1)
      }
    }
  }

  func backward(
    rows: Int, gradient: UnsafeMutablePointer<Float>, activation: UnsafeMutablePointer<Float>,
    activationGradient: UnsafeMutablePointer<Float>?, weightGradient: UnsafeMutablePointer<Float>,
    accumulate: Bool
  ) {
    let shape = geometry.shape
    let width = geometry.activation.columns * BandGeometry.lanes
    for row in 0..<rows {
      if let activationGradient = unsafe activationGradient {
        let start = unsafe activationGradient + row * geometry.activation.rowStride
        unsafe start.update(repeating: 0, count: geometry.activation.rowStride)
      }
      for tap in 0..<shape.taps {
        let dy = unsafe MatrixView(
          base: gradient + geometry.gradientOrigin + row * geometry.gradient.rowStride
            - Int(backwardTaps[tap]), stride: geometry.gradient.channelStride)
        let place =
          row * geometry.activation.rowStride
          + Int(tapPhases[tap]) * geometry.activation.phaseStride
        let stride = geometry.activation.channelStride
        let dw = unsafe MatrixView(
          base: weightGradient + tap * shape.outputs * shape.inputs, stride: shape.inputs)
        unsafe denseProduct(
          dy, transposeB: true, MatrixView(base: activation + place, stride: stride), into: dw,
          m: shape.outputs, n: shape.inputs, k: width, beta: accumulate || row > 0 ? 1 : 0)
        if let activationGradient = unsafe activationGradient {
          unsafe denseProduct(
            transposeA: true, matrix(tap), dy,
            into: MatrixView(base: activationGradient + place, stride: stride), m: shape.inputs,
            n: width, k: shape.outputs, beta: 1)
        }
      }
    }
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

  func forward(
    rows: Int, packed: UnsafeMutablePointer<Float>, product: UnsafeMutablePointer<Float>
  ) {
    for row in 0..<rows {
      unsafe forwardTaps.depthwise(
        packed + row * geometry.packed.rowStride, channelStride: geometry.packed.channelStride,
        weight, channels: geometry.shape.inputs, columns: geometry.output.width,
        into: product + row * geometry.product.rowStride,
        resultStride: geometry.product.channelStride)
    }
  }

  func backward(
    rows: Int, gradient: UnsafeMutablePointer<Float>, activation: UnsafeMutablePointer<Float>,
    activationGradient: UnsafeMutablePointer<Float>?, weightGradient: UnsafeMutablePointer<Float>,
    accumulate: Bool
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
          dx: activationGradient.map { unsafe $0 + place },
          channelStride: geometry.activation.channelStride, dw: weightGradient)
      }
    }
  }
}
