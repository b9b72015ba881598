/// A layer's dense gradient dL/dW at every position, which exists only panel by panel.
///
/// dL/dW = dY Xᵀ, of the data loss alone: no weight decay in it. A panel of output rows and input
/// columns is multiplied out, scored, and forgotten, so that a layer whose dense form does not fit
/// in memory can still be grown.
@safe
final class DenseGradient {
  /// Output rows and input columns of a panel: long enough for the dense product to be quick, and
  /// small enough to be scored from the cache.
  static let panelRows = 128
  static let panelColumns = 1024

  private let pool: ThreadPool
  /// The gathered input, (inputs, samples); only if a batch has several groups.
  private var gatheredInput: AlignedBuffer<Float>
  private let workers: [Worker]
  /// What all workers select into.
  private let selection: TopSelection
  private var inputs = 0
  private var outputs = 0
  private var samples = 0
  private var inputView: MatrixView?
  private var outputGradient: Tensor?
  /// The convolution that the operands belong to; nil: a linear layer.
  private var convolution: PlaneConvolution?
  /// Output rows and input columns of a panel of this layer.
  private var panel = (rows: panelRows, columns: panelColumns)

  /// Output channels of a convolution's panel, which has all columns: as many as leave a panel for
  /// each thread, since each packs all of the input. No sum depends on it.
  private static func convolutionRows(outputs: Int, threads: Int) -> Int {
    min(outputs, min(max(16, outputs.dividedUp(by: threads)), 64))
  }

  /// One thread's part of the work.
  final class Worker {
    var rows: AlignedBuffer<Float>
    var panel: AlignedBuffer<Float>
    var excluded: AlignedBuffer<Int32>
    let part: TopSelection.Part
    var sawNaN = false
    /// Dropped connections of score 0 that this thread met.
    var droppedAtZero = 0

    init(rows: Int, panel: Int, selection: TopSelection) {
      self.rows = AlignedBuffer(count: rows)
      self.panel = AlignedBuffer(count: panel)
      excluded = AlignedBuffer(count: DenseGradient.panelColumns)
      part = TopSelection.Part(of: selection)
    }
  }

  /// Memory for some layers of a model and selections of at most `selected` positions.
  init(pool: ThreadPool, layers: [SparseWeights], model: Model, selected: Int) {
    self.pool = pool
    let groups = model.capacity.dividedUp(by: model.lanes)
    let samples = groups * model.lanes
    let linear = layers.filter { $0.geometry == nil }
    let inputs = linear.map(\.inputs).max() ?? 0
    gatheredInput = AlignedBuffer(count: groups > 1 ? inputs * samples : 0)
    let selection = TopSelection(atMost: selected)
    self.selection = selection
    var (rows, panel) = (0, 0)
    if !linear.isEmpty {
      rows = groups > 1 ? DenseGradient.panelRows * samples : 0
      panel = DenseGradient.panelRows * DenseGradient.panelColumns
    }
    for layer in layers {
      guard let geometry = layer.geometry else { continue }
      let height = DenseGradient.convolutionRows(outputs: layer.outputs, threads: pool.threads)
      rows = max(rows, geometry.growthScratchCount(outputs: height))
      panel = max(panel, height * layer.inputs)
    }
    workers = (0..<pool.threads).map { _ in
      Worker(rows: rows, panel: panel, selection: selection)
    }
  }

  /// Takes a layer's input and the gradient of its output; both must stay as they are.
  func begin(_ operands: GradientOperands) {
    let (input, outputGradient) = (operands.input, operands.outputGradient)
    convolution = operands.convolution
    self.outputGradient = outputGradient
    let stage = pool.clock?.begin(.growth)
    defer { if let stage { pool.clock?.begin(stage) } }
    if let shape = convolution?.geometry.shape {
      (inputs, outputs) = (shape.inputs * shape.taps, shape.outputs)
      let rows = DenseGradient.convolutionRows(outputs: outputs, threads: pool.threads)
      panel = (rows, inputs)
      return
    }
    panel = (DenseGradient.panelRows, DenseGradient.panelColumns)
    inputs = input.shape.count
    outputs = outputGradient.shape.count
    samples = input.groups * input.lanes
    guard input.groups > 1 else {
      unsafe inputView = unsafe MatrixView(base: input.base, stride: input.lanes)
      return
    }
    unsafe inputView = unsafe MatrixView(base: gatheredInput.base, stride: samples)
    pool.run(chunks: inputs.dividedUp(by: 256), with: (self, input)) { operands, index, _ in
      let (gradient, input) = operands
      let channels = index * 256..<min((index + 1) * 256, gradient.inputs)
      unsafe input.gather(
        channels: channels,
        into: MatrixView(base: gradient.gatheredInput.base, stride: gradient.samples))
    }
  }

  /// What a selection grows.
  @unsafe
  struct Selected {
    /// Ascending positions, valid until the next selection.
    let positions: UnsafeBufferPointer<Int64>
    /// Besides those, how many of the dropped connections of score 0.
    let regrown: Int
    /// How many of these there are; their fates say which.
    let droppedAtZero: Int
  }

  /// Selects the `count` positions with the largest (or smallest) gradient magnitude among those
  /// that are not kept.
  ///
  /// Dropped connections of score 0 come before all others of that score. They are not offered, but
  /// marked and counted, and let in at the end as far as there is room for a score of 0.
  ///
  /// - Returns: nil if a gradient is not a number.
  func select(
    _ order: TopSelection.Order, count: Int, csr: borrowing CSR,
    fates: borrowing AlignedBuffer<ConnectionFate>
  ) -> Selected? {
    let stage = pool.clock?.begin(.growth)
    defer { if let stage { pool.clock?.begin(stage) } }
    selection.begin(order, count: count)
    for index in 0..<workers.count {
      workers[index].part.begin()
      workers[index].sawNaN = false
      workers[index].droppedAtZero = 0
    }
    let (rowPanels, columnPanels) = (
      outputs.dividedUp(by: panel.rows), inputs.dividedUp(by: panel.columns)
    )
    // A noncopyable argument cannot go into the context: its memory does.
    let connections = unsafe ConnectionRows(
      offsets: csr.rowOffsets.base, columns: csr.columns.base, fates: fates.base)
    let chunks = rowPanels * columnPanels
    unsafe pool.run(chunks: chunks, with: (self, columnPanels, connections)) {
      operands, index, worker in
      let (gradient, columnPanels, connections) = unsafe operands
      unsafe gradient.score(
        rowPanel: index / columnPanels, columnPanel: index % columnPanels,
        connections: connections, worker: gradient.workers[worker])
    }
    for index in 0..<workers.count where workers[index].sawNaN { return nil }
    var zeros = 0
    for index in 0..<workers.count {
      workers[index].part.handOver()
      zeros += workers[index].droppedAtZero
    }
    let regrown = selection.admitZeros(zeros)
    return unsafe Selected(
      positions: selection.finish(), regrown: regrown, droppedAtZero: zeros)
  }

  /// The connections before the update, row by row.
  @unsafe
  private struct ConnectionRows {
    let offsets: UnsafeMutablePointer<Int64>
    let columns: UnsafeMutablePointer<Int32>
    let fates: UnsafeMutablePointer<ConnectionFate>

    /// Writes the columns of a row within `range` that are not to be offered, counted from its
    /// start: of kept connections, and of dropped ones of score 0, which are marked.
    func write(
      row: Int, range: Range<Int>, scores: UnsafeMutablePointer<Float>,
      into excluded: UnsafeMutablePointer<Int32>
    ) -> (excluded: Int, droppedAtZero: Int) {
      var index = unsafe Int(offsets[row])
      let end = unsafe Int(offsets[row + 1])
      if range.lowerBound > 0 {
        // The first connection at or after the panel's start.
        var high = end
        while index < high {
          let middle = (index + high) / 2
          if unsafe Int(columns[middle]) < range.lowerBound {
            index = middle + 1
          } else {
            high = middle
          }
        }
      }
      var (count, zeros) = (0, 0)
      while index < end, unsafe Int(columns[index]) < range.upperBound {
        let column = unsafe columns[index] - Int32(range.lowerBound)
        var isOffered = false
        if unsafe fates[index] != .kept {
          // By bits: comparing floats depends on denormal modes.
          isOffered = unsafe scores[Int(column)].magnitude.bitPattern != 0
          if !isOffered {
            unsafe fates[index] = .droppedAtZero
            zeros += 1
          }
        }
        if !isOffered {
          unsafe excluded[count] = column
          count += 1
        }
        index += 1
      }
      return (count, zeros)
    }
  }

  private func score(
    rowPanel: Int, columnPanel: Int, connections: ConnectionRows, worker: Worker
  ) {
    let (rows, columns) = multiply(rowPanel: rowPanel, columnPanel: columnPanel, worker: worker)
    for row in rows {
      let scores = unsafe worker.panel.base + (row - rows.lowerBound) * columns.count
      for start in stride(
        from: columns.lowerBound, to: columns.upperBound, by: DenseGradient.panelColumns)
      {
        let piece = start..<min(start + DenseGradient.panelColumns, columns.upperBound)
        let offered = unsafe UnsafeMutableBufferPointer(
          start: scores + (start - columns.lowerBound), count: piece.count)
        let (excluded, zeros) = unsafe connections.write(
          row: row, range: piece, scores: scores + (start - columns.lowerBound),
          into: worker.excluded.base)
        worker.droppedAtZero += zeros
        let isOrdered = unsafe worker.part.offer(
          offered, firstPosition: row * inputs + start,
          excluding: UnsafeBufferPointer(start: worker.excluded.base, count: excluded))
        if !isOrdered { worker.sawNaN = true }
      }
    }
  }

  /// Multiplies a panel out, its rows one after the other in the worker's memory.
  private func multiply(
    rowPanel: Int, columnPanel: Int, worker: Worker
  ) -> (rows: Range<Int>, columns: Range<Int>) {
    let rows = rowPanel * panel.rows..<min((rowPanel + 1) * panel.rows, outputs)
    let columns = columnPanel * panel.columns..<min((columnPanel + 1) * panel.columns, inputs)
    if let convolution {
      unsafe convolution.weightGradients(
        outputs: rows, into: worker.panel.base, scratch: worker.rows.base)
      return (rows, columns)
    }
    guard let outputGradient, let inputView = unsafe inputView else {
      trap("DenseGradient: begin has not been called")
    }
    let gradientRows: MatrixView
    if outputGradient.groups > 1 {
      // Channel 0's row would lie before the panel's memory; only the rows asked for are touched.
      let view = unsafe MatrixView(
        base: worker.rows.base - rows.lowerBound * samples, stride: samples)
      unsafe outputGradient.gather(channels: rows, into: view)
      unsafe gradientRows = MatrixView(base: worker.rows.base, stride: samples)
    } else {
      unsafe gradientRows = MatrixView(
        base: outputGradient.base + rows.lowerBound * outputGradient.lanes,
        stride: outputGradient.lanes)
    }
    let result = unsafe MatrixView(base: worker.panel.base, stride: columns.count)
    let inputColumns = unsafe MatrixView(
      base: inputView.base + columns.lowerBound * inputView.stride, stride: inputView.stride)
    unsafe denseProduct(
      gradientRows, transposeB: true, inputColumns, into: result, m: rows.count, n: columns.count,
      k: samples)
    return (rows, columns)
  }

  /// Memory for `selected` positions that are not selected by gradient; what was is gone.
  var positions: UnsafeMutableBufferPointer<Int64> { unsafe selection.positions }

  /// The whole gradient, (outputs · inputs): for layers whose dense form is no trouble.
  func array() -> [Float] {
    var whole = [Float](repeating: 0, count: outputs * inputs)
    for rowPanel in 0..<outputs.dividedUp(by: panel.rows) {
      for columnPanel in 0..<inputs.dividedUp(by: panel.columns) {
        let (rows, columns) = multiply(
          rowPanel: rowPanel, columnPanel: columnPanel, worker: workers[0])
        for (place, row) in rows.enumerated() {
          for (offset, column) in columns.enumerated() {
            whole[row * inputs + column] = workers[0].panel[place * columns.count + offset]
          }
        }
      }
    }
    return whole
  }

  /// Bytes held.
  var bytes: Int {
    gatheredInput.count * 4 + selection.bytes
      + workers.reduce(0) {
        $0 + ($1.rows.count + $1.panel.count + $1.excluded.count) * 4 + $1.part.bytes
      }
  }
}

extension Int {
  /// ceil(self / divisor).
  package func dividedUp(by divisor: Int) -> Int { (self + divisor - 1) / divisor }
}
