internal import CSparseKernels

/// The connections of a layer in the order in which a kernel walks them, in one direction.
///
/// A pure function of the topology: rebuilt in place when connections move, never saved. How it is cut
/// depends on their number. All arrays have room for the worst topology with the same number of
/// connections, or of one whose number changes for any smaller number, too, so a rebuild allocates
/// nothing.
@safe
final class ConnectionList {
  /// Which product the list serves.
  enum Direction {
    /// Rows are outputs: y = W x.
    case forward
    /// Rows are inputs: dx = Wᵀ dy and dw together.
    case backward

    var kernelDirection: csk_direction {
      self == .forward ? csk_direction_forward : csk_direction_backward
    }
  }

  /// Where operands and results lie: how a topology becomes offsets.
  struct Layout {
    /// Elements from one list row's result to the next.
    var rowStride: Int
    /// Elements from one reduced index's operand to the next.
    var columnStride: Int
    /// What each kernel position adds to an operand's offset going forward, and takes off going
    /// back.
    var tapOffsets: [Int32] = [0]
    /// Phases of an input channel's result going back; see ``BandGeometry``.
    var phases = 1
    /// Elements from one phase's result to the next.
    var phaseStride = 0
    /// The phase that each kernel position reads.
    var tapPhases: [Int32] = [0]
    /// Rows that a slab must not reach across: a slab's are a part of as many, or all of them.
    var rowUnit = 1

    /// A linear layer's, for groups of `lanes` samples.
    static func linear(lanes: Int) -> Layout { Layout(rowStride: lanes, columnStride: lanes) }
  }

  private var shape: csk_list_shape
  private let tapOffsets: AlignedBuffer<Int32>
  private let tapPhases: AlignedBuffer<Int32>
  private var sizes: csk_list_sizes
  /// What it was made for.
  private let direction: Direction
  private let layout: Layout
  private let channels: (outputs: Int32, inputs: Int32)
  private let isVariable: Bool
  private var entryStarts: AlignedBuffer<Int64>
  private var runStarts: AlignedBuffer<Int64>
  private var rowStarts: AlignedBuffer<Int64>
  private var runs: AlignedBuffer<csk_run>
  private var rowOffsets: AlignedBuffer<Int32>
  private var offsets: AlignedBuffer<Int32>
  /// List rows: outputs forward, input channels (times phases) backward.
  let rows: Int
  /// Kernel positions.
  private let taps: Int

  /// Slabs of rows; each has one owner at a time.
  var slabs: Int { Int(sizes.slabs) }
  /// The list rows of some slabs.
  func rows(of slabs: Range<Int>) -> Range<Int> {
    let height = unsafe Int(shape.slab_rows)
    return slabs.lowerBound * height..<min(slabs.upperBound * height, rows)
  }
  /// Int64 elements that ``build`` needs as workspace, also for the fewer connections that there may be.
  private(set) var workspaceCount = 0

  /// Measures and allocates a list for `connections` connections between `inputs` and `outputs`:
  /// of a convolution, input channels times kernel positions.
  ///
  /// - Parameter isVariable: whether the number of connections will change.
  init(
    direction: Direction, outputs: Int, inputs: Int, connections: Int, layout: Layout,
    isVariable: Bool = false
  ) throws(RigLError) {
    (self.direction, self.layout, self.isVariable) = (direction, layout, isVariable)
    taps = layout.tapOffsets.count
    channels = (Int32(outputs), Int32(inputs / taps))
    tapOffsets = AlignedBuffer(layout.tapOffsets)
    tapPhases = AlignedBuffer(layout.tapPhases)
    rows = direction == .forward ? outputs : inputs / taps * layout.phases
    unsafe shape = csk_list_shape()
    sizes = csk_list_sizes()
    entryStarts = AlignedBuffer(count: 0)
    runStarts = AlignedBuffer(count: 0)
    rowStarts = AlignedBuffer(count: 0)
    runs = AlignedBuffer(count: 0)
    rowOffsets = AlignedBuffer(count: 0)
    offsets = AlignedBuffer(count: connections)
    guard choose(connections) != csk_status_overflow else {
      throw RigLError(
        .configuration,
        "a layer of \(inputs) inputs and \(outputs) outputs is too wide: offsets do not fit 32 bits",
        hint: "use a smaller batch, or a narrower layer")
    }
    makeRoom(sizes)
    if isVariable { makeRoomForFewer(than: connections) }
  }

  /// Cuts the list for another number of connections, in memory for `capacity`; to be built next.
  func resize(_ connections: Int, capacity: Int) {
    if isVariable && capacity != offsets.capacity {
      giveMemoryBack()
      makeRoomForFewer(than: capacity)
    }
    offsets.setSize(connections, capacity)
    expectOK(choose(connections), "csk_list_measure")
    makeRoom(sizes)
  }

  /// Chooses how the list is cut, and measures what that needs.
  private func choose(_ connections: Int) -> csk_status {
    unsafe csk_list_choose(
      direction.kernelDirection, channels.outputs, channels.inputs, Int32(taps),
      Int64(connections), &shape)
    if layout.rowUnit > 1 { unsafe shape.slab_rows = slabRows(atMost: shape.slab_rows) }
    unsafe shape.direction = direction.kernelDirection
    unsafe shape.row_stride = Int32(layout.rowStride)
    unsafe shape.column_stride = Int32(layout.columnStride)
    if taps > 1 { unsafe shape.tap_offsets = UnsafePointer(tapOffsets.base) }
    if direction == .backward && layout.phases > 1 {
      unsafe shape.slab_rows *= Int32(layout.phases)
      unsafe shape.phases = Int32(layout.phases)
      unsafe shape.phase_stride = Int32(layout.phaseStride)
      unsafe shape.tap_phases = UnsafePointer(tapPhases.base)
    }
    let status = unsafe csk_list_measure(
      &shape, channels.outputs, channels.inputs, Int32(taps), Int64(connections), &sizes)
    if status != csk_status_overflow { expectOK(status, "csk_list_measure") }
    return status
  }

  /// The rows of slabs that end where units of rows do: the nearest number below that divides a unit, if
  /// it is not too small.
  private func slabRows(atMost most: Int32) -> Int32 {
    let (unit, most) = (layout.rowUnit, Int(most))
    let divisor = (max(1, most / 4)...max(1, most)).last { unit % $0 == 0 }
    return Int32(divisor ?? unit)
  }

  private func makeRoom(_ sizes: csk_list_sizes) {
    workspaceCount = max(workspaceCount, Int(sizes.workspace))
    let segments = Int(sizes.segments) + 1
    entryStarts.makeRoom(segments)
    runStarts.makeRoom(segments)
    rowStarts.makeRoom(segments)
    runs.makeRoom(Int(sizes.runs))
    rowOffsets.makeRoom(Int(sizes.rows))
  }

  /// Frees all that depends on the number of connections but the offsets.
  private func giveMemoryBack() {
    workspaceCount = 0
    entryStarts.setSize(0, 0)
    runStarts.setSize(0, 0)
    rowStarts.setSize(0, 0)
    runs.setSize(0, 0)
    rowOffsets.setSize(0, 0)
  }

  /// Makes room for what fewer connections need, which may be cut into more parts: a number in each
  /// sixteenth of an octave tells the others' needs nearly enough.
  private func makeRoomForFewer(than connections: Int) {
    var fewer = connections
    while fewer > 0 {
      fewer -= max(1, fewer / 16)
      expectOK(choose(fewer), "csk_list_measure")
      makeRoom(sizes)
    }
    expectOK(choose(connections), "csk_list_measure")
    makeRoom(sizes)
  }

  /// Rebuilds the list for a topology with these columns, the CSR's own as a rule; `csrIndices`
  /// receives each entry's index in the CSR.
  func build(
    _ csr: borrowing CSR, columns: UnsafePointer<Int32>, csrIndices: UnsafeMutablePointer<Int32>,
    workspace: UnsafeMutablePointer<Int64>
  ) {
    var storage = unsafe csk_list_storage(
      entry_starts: entryStarts.base, run_starts: runStarts.base, row_starts: rowStarts.base,
      runs: runs.base, row_offsets: rowOffsets.base, offsets: offsets.base,
      csr_indices: csrIndices)
    var view = unsafe csk_csr(
      rows: Int32(csr.rows), channels: channels.inputs, taps: Int32(taps),
      row_offsets: csr.rowOffsets.base, columns: columns)
    expectOK(unsafe csk_list_build(&view, &shape, &storage, workspace), "csk_list_build")
  }

  /// Whether a row's sum is complete when it is stored, so that ``forward`` can apply an epilogue.
  var appliesEpilogues: Bool { sizes.blocks == 1 }

  /// y = W x for the rows of `slabs`, at so many places of each sample, over the groups `groups` of
  /// both tensors; through `epilogue` if the list ``appliesEpilogues``.
  func forward(
    slabs: Range<Int>, groups: Range<Int>, places: Int, weights: UnsafePointer<Float>,
    input: Tensor, output: Tensor, epilogue: RowEpilogue?
  ) {
    var tiles = ConnectionList.tiles(
      widest: 64, span: places * input.lanes, groups: groups.count, operand: input.groupStride,
      result: output.groupStride)
    var list = unsafe view(weights: weights)
    let x = unsafe input.base + groups.lowerBound * input.groupStride
    let y = unsafe output.base + groups.lowerBound * output.groupStride
    let (first, end) = (Int32(slabs.lowerBound), Int32(slabs.upperBound))
    let status: csk_status
    if let epilogue {
      var view = unsafe csk_row_epilogue(
        bias: epilogue.bias.map { unsafe UnsafePointer($0.values.base) },
        row_stride: shape.row_stride, activation: epilogue.activation.view,
        input: epilogue.kept.map { unsafe $0.base + groups.lowerBound * $0.groupStride },
        streams: output.outgrowsCaches)
      status = unsafe csk_sparse_forward(&list, first, end, x, y, &tiles, &view)
    } else {
      status = unsafe csk_sparse_forward(&list, first, end, x, y, &tiles, nil)
    }
    expectOK(status, "csk_sparse_forward")
  }

  /// dx = Wᵀ dy and dw (+)= x dyᵀ for the input rows of `slabs`, at so many places of each sample,
  /// over `groups`. The gradient of the first place's output lies `origin` elements into a group.
  func backward(
    slabs: Range<Int>, groups: Range<Int>, places: Int, origin: Int,
    weights: UnsafePointer<Float>, outputGradient: Tensor, input: Tensor, inputGradient: Tensor?,
    weightGradient: UnsafeMutablePointer<Float>,
    accumulate: Bool
  ) {
    var tiles = ConnectionList.tiles(
      widest: 32, span: places * input.lanes, groups: groups.count,
      operand: outputGradient.groupStride, result: input.groupStride)
    var list = unsafe view(weights: weights)
    let dy =
      unsafe outputGradient.base + groups.lowerBound * outputGradient.groupStride + origin
    let place = groups.lowerBound * input.groupStride
    let dx = unsafe inputGradient.map { unsafe $0.base + place }
    let status = unsafe csk_sparse_backward(
      &list, Int32(slabs.lowerBound), Int32(slabs.upperBound), dy, input.base + place, dx,
      weightGradient, accumulate,
      &tiles)
    expectOK(status, "csk_sparse_backward")
  }

  /// y = W x for the rows of `slabs` on so many groups, whose operands and results begin at `x` and `y`
  /// and are so many elements apart; of a backward list y = Wᵀ x.
  func multiply(
    slabs: Range<Int>, groups: Int, lanes: Int, weights: UnsafePointer<Float>,
    x: UnsafePointer<Float>, stride xStride: Int, y: UnsafeMutablePointer<Float>,
    stride yStride: Int
  ) {
    var tiles = ConnectionList.tiles(
      widest: 64, span: lanes, groups: groups, operand: xStride, result: yStride)
    var list = unsafe view(weights: weights)
    let status = unsafe csk_sparse_forward(
      &list, Int32(slabs.lowerBound), Int32(slabs.upperBound), x, y, &tiles, nil)
    expectOK(status, "csk_sparse_forward")
  }

  /// The epilogue of a row's sum: f(sum + bias), with what f was applied to into `kept`.
  struct RowEpilogue {
    let bias: Parameter?
    let activation: Activation?
    let kept: Tensor?
  }

  /// Where the kernels apply the list in a band of planes: tiles of `columns` × `rows` vectors of 8
  /// lanes, next to each other and one below the other, in operands and results with these row
  /// strides.
  struct PlaneTiles {
    let columns: Int
    let rows: Int
    let across: Int
    let down: Int
    let operandRow: Int
    let resultRow: Int

    fileprivate var view: csk_tiles {
      let step = columns * 8
      return csk_tiles(
        vectors: Int32(columns), rows: Int32(rows), outer: Int32(down), inner: Int32(across),
        x_outer: rows * operandRow, x_inner: step, x_row: operandRow, y_outer: rows * resultRow,
        y_inner: step, y_row: resultRow)
    }
  }

  /// y = W x on a band of planes, for the rows of `slabs`.
  func forward(
    slabs: Range<Int>, _ tiles: PlaneTiles, weights: UnsafePointer<Float>,
    x: UnsafePointer<Float>, y: UnsafeMutablePointer<Float>
  ) {
    var (tiles, list) = unsafe (tiles.view, view(weights: weights))
    let status = unsafe csk_sparse_forward(
      &list, Int32(slabs.lowerBound), Int32(slabs.upperBound), x, y, &tiles, nil)
    expectOK(status, "csk_sparse_forward")
  }

  /// dx = Wᵀ dy and dw (+)= x dyᵀ on a band of planes.
  func backward(
    _ tiles: PlaneTiles, weights: UnsafePointer<Float>, dy: UnsafePointer<Float>,
    x: UnsafePointer<Float>, dx: UnsafeMutablePointer<Float>?, dw: UnsafeMutablePointer<Float>,
    accumulate: Bool
  ) {
    var (tiles, list) = unsafe (tiles.view, view(weights: weights))
    expectOK(
      unsafe csk_sparse_backward(
        &list, 0, sizes.slabs, dy, x, dx, dw, accumulate, &tiles), "csk_sparse_backward")
  }

  private func view(weights: UnsafePointer<Float>) -> csk_list {
    unsafe csk_list(
      slabs: sizes.slabs, blocks: sizes.blocks, entry_starts: entryStarts.base,
      run_starts: runStarts.base, row_starts: rowStarts.base, runs: runs.base,
      row_offsets: rowOffsets.base, offsets: offsets.base, weights: weights)
  }

  /// `span` neighbouring elements of a group, in the widest tiles that they are a multiple of, group
  /// by group.
  private static func tiles(widest: Int, span: Int, groups: Int, operand: Int, result: Int)
    -> csk_tiles
  {
    var width = widest
    while span % width != 0 { width /= 2 }
    return csk_tiles(
      vectors: Int32(width / 8), rows: 1, outer: Int32(groups), inner: Int32(span / width),
      x_outer: operand, x_inner: width, x_row: 0, y_outer: result, y_inner: width, y_row: 0)
  }

  /// Bytes that the list holds.
  var bytes: Int {
    (entryStarts.capacity + runStarts.capacity + rowStarts.capacity) * 8
      + runs.capacity * MemoryLayout<csk_run>.stride + (rowOffsets.capacity + offsets.capacity) * 4
  }
}
