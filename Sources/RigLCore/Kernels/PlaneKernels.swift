internal import CSparseKernels

/// How a row lies in scratch; see `csk_row_layout`.
struct RowLayout {
  fileprivate var view: csk_row_layout

  /// A row of a band: padded column x + before goes to phase (x + before) % stride.
  init(_ scratch: BandGeometry.Scratch, stride: Int = 1, phases: Int = 1, before: Int) {
    view = csk_row_layout(
      stride: Int32(stride), phases: Int32(phases), before: Int32(before),
      columns: Int32(scratch.columns), phase_stride: scratch.phaseStride,
      channel_stride: scratch.channelStride)
  }

  /// A row as it lies in a tensor.
  init(width: Int) {
    view = csk_row_layout(
      stride: 1, phases: 1, before: 0, columns: Int32(width), phase_stride: 0,
      channel_stride: width * BandGeometry.lanes)
  }

  /// A row of which no column is stored: a kernel narrower than its stride passes over it.
  static func nothing(width: Int) -> RowLayout {
    var layout = RowLayout(width: width)
    layout.view.stride = Int32(width) + 1
    layout.view.before = 1
    layout.view.columns = 1
    return layout
  }
}

extension RowLayout {
  /// Moves what a packed row holds by lanes, each lane's from `strip` strips further of `strips`;
  /// `fill` where there are none.
  func shiftLanes(
    by strip: Int, of strips: Int, channels: Int, fill: Float, in row: UnsafeMutablePointer<Float>
  ) {
    var view = view
    let status = unsafe csk_shift_lanes_row(
      row, Int32(channels), &view, Int32(strip), Int32(strips), fill)
    expectOK(status, "csk_shift_lanes_row")
  }
}

/// The elementwise work of a reader on a layer's raw output: f(scale · x + shift), by channel.
struct Prologue {
  /// Gives scale and shift; nil: 1 and 0.
  var norm: Normalization?
  var activation: Activation?

  /// Whether there is nothing to apply.
  var isIdentity: Bool { norm == nil && activation == nil }

  /// The batch-norm, unless the weights before it contain it.
  private var applied: Normalization? { norm.flatMap { $0.isFolded ? nil : $0 } }
  fileprivate var scale: UnsafePointer<Float>? {
    unsafe applied.map { unsafe .init($0.scale.base) }
  }
  fileprivate var shift: UnsafePointer<Float>? {
    unsafe applied.map { unsafe .init($0.shift.base) }
  }
  fileprivate var mean: UnsafePointer<Float>? { unsafe norm.map { unsafe .init($0.mean.base) } }
}

/// A row of planes: (channels, width, lane).
@unsafe
struct PlaneRow {
  let base: UnsafeMutablePointer<Float>
  let channels: Int
  let width: Int
  /// Whether caches cannot hold the tensor's planes until they are read again.
  let outgrowsCaches: Bool

  /// Some channels of the row.
  subscript(channels: Range<Int>) -> PlaneRow {
    unsafe PlaneRow(
      base: base + channels.lowerBound * width * BandGeometry.lanes, channels: channels.count,
      width: width, outgrowsCaches: outgrowsCaches)
  }
}

extension Tensor {
  /// A row of a group.
  func row(_ y: Int, group: Int) -> PlaneRow {
    // Lanes of vectors may be several vectors of a kernel: they are columns then.
    unsafe PlaneRow(
      base: base + group * groupStride + y * rowStride, channels: shape.channels,
      width: shape.width * lanes / BandGeometry.lanes, outgrowsCaches: outgrowsCaches)
  }

  /// Elements from one row to the next.
  var rowStride: Int { shape.channels * shape.width * lanes }
}

extension PlaneRow {
  /// target = f(scale x + shift); the row's first channel is the prologue's `firstChannel`.
  func pack(
    _ prologue: Prologue, firstChannel: Int = 0, _ layout: RowLayout,
    into target: UnsafeMutablePointer<Float>
  ) {
    var view = layout.view
    let scale = unsafe prologue.scale.map { unsafe $0 + firstChannel }
    let shift = unsafe prologue.shift.map { unsafe $0 + firstChannel }
    expectOK(
      unsafe csk_pack_activation_row(
        base, Int32(channels), Int32(width), scale, shift, prologue.activation.view, &view, target),
      "csk_pack_activation_row")
  }

  /// target = the gradient of this row's layer from that of the batch-norm after it, dead lanes 0.
  ///
  /// - Parameters:
  ///   - norm: the batch-norm, with the row of its input; nil: the gradient as it is.
  ///   - firstChannel: the batch-norm's channel that is the row's first.
  ///   - addend: what came past by a shortcut.
  ///   - live: lanes that are samples.
  ///   - sums: (channels) are added the sums over columns and lanes.
  func packGradient(
    _ norm: (norm: Normalization, input: PlaneRow)?, firstChannel: Int = 0,
    addend: PlaneRow? = nil, live: Int, _ layout: RowLayout,
    into target: UnsafeMutablePointer<Float>,
    sums: UnsafeMutablePointer<Double>? = nil
  ) {
    var view = layout.view
    var status = csk_status_ok
    if let (norm, input) = unsafe norm {
      var affine = unsafe csk_gradient_affine(
        a: norm.a.base + firstChannel, b: norm.b.base + firstChannel,
        c: norm.c.base + firstChannel)
      status = unsafe csk_pack_gradient_row(
        base, input.base, addend?.base, Int32(channels), Int32(width), Int32(live), &affine, &view,
        target, sums)
    } else {
      status = unsafe csk_pack_gradient_row(
        base, nil, addend?.base, Int32(channels), Int32(width), Int32(live), nil, &view, target,
        sums)
    }
    expectOK(status, "csk_pack_gradient_row")
  }

  /// self = product + bias + residual, with statistics over live lanes; the row's first channel has
  /// the bias of `firstChannel`.
  func unpackOutput(
    product: UnsafePointer<Float>, channelStride: Int, bias: Parameter?, firstChannel: Int = 0,
    residual: PlaneRow?, live: Int, statistics: ChannelSums?, part: Int, starts: Bool
  ) {
    let biasBase = unsafe bias.map { unsafe UnsafePointer($0.values.base + firstChannel) }
    var status = csk_status_ok
    if let statistics {
      let bases = unsafe statistics.bases(part: part)
      var view = unsafe csk_row_statistics(
        pivot: bases.pivots, sums: bases.sums.pairs, starts: starts)
      status = unsafe csk_unpack_output_row(
        product, channelStride, biasBase, residual?.base, Int32(channels), Int32(width),
        Int32(live), base, &view, outgrowsCaches)
    } else {
      status = unsafe csk_unpack_output_row(
        product, channelStride, biasBase, residual?.base, Int32(channels), Int32(width),
        Int32(live), base, nil, outgrowsCaches)
    }
    expectOK(status, "csk_unpack_output_row")
  }

  /// self = (d + addend) f'(scale x + shift), with the sums for a batch-norm.
  ///
  /// - Parameters:
  ///   - packed: what ``pack(_:_:into:)`` made.
  ///   - input: the row that was packed.
  func unpackGradient(
    d: UnsafePointer<Float>, packed: UnsafePointer<Float>, input: PlaneRow,
    prologue: Prologue, addend: PlaneRow?, _ layout: RowLayout, part: Int
  ) {
    var view = layout.view
    let sums = unsafe prologue.norm.map { unsafe $0.gradientSums.bases(part: part).sums.pairs }
    let status = unsafe csk_unpack_gradient_row(
      d, prologue.activation.view, packed, input.base, prologue.mean, addend?.base, Int32(channels),
      Int32(width), &view,
      prologue.scale, prologue.shift, base, sums, outgrowsCaches)
    expectOK(status, "csk_unpack_gradient_row")
  }
}

// MARK: - The end of a residual block

extension PlaneRow {
  /// self = f(scale x + shift + shortcut), each branch with its batch-norm.
  func residual(
    _ x: PlaneRow, _ norm: Normalization?, _ r: PlaneRow, _ shortcutNorm: Normalization?,
    _ activation: Activation?
  ) {
    let (main, shortcut) = (Prologue(norm: norm), Prologue(norm: shortcutNorm))
    let status = unsafe csk_residual_row(
      x.base, main.scale, main.shift, r.base, shortcut.scale, shortcut.shift, Int32(channels),
      Int32(width), activation.view, base)
    expectOK(status, "csk_residual_row")
  }

  /// self = gradient f', with each batch-norm's sums; y: the row, or, where the activation's gradient needs
  /// its input, that.
  func residualGradient(
    _ gradient: PlaneRow, _ activation: Activation?, _ y: PlaneRow, _ x: PlaneRow,
    _ norm: Normalization?, _ r: PlaneRow,
    _ shortcutNorm: Normalization?, part: Int
  ) {
    let (main, shortcut) = (Prologue(norm: norm), Prologue(norm: shortcutNorm))
    let sums = unsafe norm.map { unsafe $0.gradientSums.bases(part: part).sums.pairs }
    let shortcutSums = unsafe shortcutNorm.map {
      unsafe $0.gradientSums.bases(part: part).sums.pairs
    }
    let status = unsafe csk_residual_gradient_row(
      gradient.base, activation.view, y.base, norm == nil ? nil : x.base, main.mean, sums,
      shortcutNorm == nil ? nil : r.base, shortcut.mean, shortcutSums, Int32(channels),
      Int32(width), base)
    expectOK(status, "csk_residual_gradient_row")
  }
}

// MARK: - Global average pooling

extension PlaneRow {
  /// y[c, lane] += factor · Σ f(scale x + shift).
  func average(_ prologue: Prologue, factor: Float, into y: UnsafeMutablePointer<Float>) {
    let status = unsafe csk_global_average_row(
      base, prologue.scale, prologue.shift, prologue.activation.view, Int32(channels), Int32(width),
      factor, y)
    expectOK(status, "csk_global_average_row")
  }

  /// self = factor · gradient[c, lane] · f'(scale x + shift), with the sums.
  func averageGradient(
    _ gradient: UnsafePointer<Float>, input: PlaneRow, _ prologue: Prologue, factor: Float,
    part: Int
  ) {
    let sums = unsafe prologue.norm.map { unsafe $0.gradientSums.bases(part: part).sums.pairs }
    let status = unsafe csk_global_average_gradient_row(
      gradient, input.base, prologue.scale, prologue.shift, prologue.activation.view, prologue.mean,
      Int32(channels), Int32(width), factor, base, sums)
    expectOK(status, "csk_global_average_gradient_row")
  }
}

extension UnsafeMutablePointer<Double> {
  /// As C sees (channels, 2): `double (*)[2]` comes over as a pointer to pairs.
  fileprivate var pairs: UnsafeMutablePointer<(Double, Double)> {
    unsafe UnsafeMutableRawPointer(self).assumingMemoryBound(to: (Double, Double).self)
  }
}
