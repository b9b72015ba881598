/// A layer's dense gradient dL/dW at every position, which exists only panel by panel.
///
/// dL/dW = dY Xᵀ, of the data loss alone: no weight decay in it. A panel of output rows and input
/// columns is multiplied out, scored, and forgotten, so that a layer whose dense form does not fit
/// in memory can still be grown.
@safe
final class DenseGradient {
  /// Positions of a row that are scored at a time.
  static let scoredColumns = 1024

  let pool: ThreadPool
  /// What all panels of a layer read.
  private var shared: AlignedBuffer<Float>
  let workers: [Worker]
  /// The selection that all workers offer to.
  let selection: TopSelection
  /// The layer whose turn it is, its size, and that of its panels.
  private(set) var source: (any GradientSource)?
  private(set) var inputs = 0
  private(set) var outputs = 0
  private(set) var panel = GradientPanels()
  /// The means over several batches that are looked at; nil: the gradient is one batch's.
  private(set) var mean: (sums: GrowthSums, layer: Int, slice: GrowthSums.Slice?)?
  /// Those of all layers.
  private let sources: [any GradientSource]
  /// Whether the layer's gradient is at hand; else it is 0 to whoever looks.
  private var hasGradient = false
  /// What turns gradients into scores; nil: they are the scores.
  private var growthScore: (any GrowthScore)?
  /// What the method keeps of the layer's gradients; nil: nothing.
  private var memory: GradientMemories.Layer?
  /// The batch's part in a weight step, while its gradient is taken into the memory.
  private var part = GradientMemories.Part()
  private var rule: (any GradientMemory)?

  /// A thread's part of the work: its scratch, and its part of the selection.
  final class Worker {
    var scratch: AlignedBuffer<Float>
    var panel: AlignedBuffer<Float>
    var excluded: AlignedBuffer<Int32>
    let part: TopSelection.Part
    var sawNaN = false
    /// Dropped connections of score 0 that this thread met.
    var droppedAtZero = 0

    init(scratch: Int, panel: Int, selection: TopSelection) {
      self.scratch = AlignedBuffer(count: scratch)
      self.panel = AlignedBuffer(count: panel)
      excluded = AlignedBuffer(count: DenseGradient.scoredColumns)
      part = TopSelection.Part(of: selection)
    }
  }

  /// Memory for some layers of a model, which have a source each, and selections of at most
  /// `selected` positions.
  init(pool: ThreadPool, layers: [SparseWeights], model: Model, selected: Int) {
    self.pool = pool
    let selection = TopSelection(atMost: selected)
    self.selection = selection
    var (scratch, panel, shared) = (0, 0, 0)
    sources = model.plan.stages.compactMap(\.gradientSource)
    for layer in layers {
      guard let source = sources.first(where: { $0.connections === layer }) else {
        trap("layer \(layer.name): its stage has no gradientSource to grow connections by")
      }
      let panels = source.panels(threads: pool.threads)
      scratch = max(scratch, panels.scratch)
      shared = max(shared, panels.shared)
      panel = max(panel, min(panels.rows, layer.outputs) * min(panels.columns, layer.inputs))
    }
    self.shared = AlignedBuffer(count: shared)
    workers = (0..<pool.threads).map { _ in
      Worker(scratch: scratch, panel: panel, selection: selection)
    }
  }

  /// Takes a layer after its backward pass; its input and the gradient of its output must stay as
  /// they are.
  func begin(_ source: any GradientSource, _ memory: GradientMemories.Layer?) {
    take(source)
    (self.memory, mean) = (memory, nil)
    hasGradient = true
    pool.timed(.growth) {
      let base = unsafe shared.base
      var span = unsafe MutableSpan(_unsafeStart: base, count: panel.shared)
      source.prepareGradient(in: &span, pool)
    }
  }

  /// Takes a layer without its gradient, which is 0 to whoever looks.
  func begin(without weights: SparseWeights, _ memory: GradientMemories.Layer?) {
    take(weights)
    (self.memory, mean) = (memory, nil)
    hasGradient = false
  }

  /// Takes a layer with the means of its gradients over several batches.
  func begin(
    _ weights: SparseWeights, _ mean: (GrowthSums, layer: Int, slice: GrowthSums.Slice?),
    _ memory: GradientMemories.Layer?
  ) {
    take(weights)
    (self.memory, self.mean) = (memory, mean)
    hasGradient = true
  }

  private func take(_ weights: SparseWeights) {
    for index in 0..<sources.count where sources[index].connections === weights {
      take(sources[index])
    }
  }

  private func take(_ source: any GradientSource) {
    self.source = source
    (inputs, outputs) = (source.connections.inputs, source.connections.outputs)
    panel = source.panels(threads: pool.threads)
  }

  /// Takes the whole gradient into the layer's memory, panel by panel.
  func remember(by rule: any GradientMemory, _ part: GradientMemories.Part) {
    (self.rule, self.part) = (rule, part)
    pool.timed(.growth) {
      let columnPanels = inputs.dividedUp(by: panel.columns)
      pool.run(
        chunks: outputs.dividedUp(by: panel.rows) * columnPanels, with: self
      ) { gradient, index, worker in
        let worker = gradient.workers[worker]
        let (rows, columns) = gradient.panel(at: index, of: 0..<gradient.outputs)
        gradient.multiply(rows, columns, worker: worker)
        for row in rows {
          unsafe gradient.remember(
            worker.panel.base + (row - rows.lowerBound) * columns.count, row: row, columns)
        }
      }
    }
  }

  /// Takes a row's gradients into the memory, when they are those of the whole weight step.
  private func remember(
    _ gradients: UnsafeMutablePointer<Float>, row: Int, _ columns: Range<Int>
  ) {
    guard let memory, let rule, let source else { return }
    let start = row * inputs + columns.lowerBound
    if part.isOneOfSeveral {
      let sum = unsafe memory.sum.base + start
      for index in 0..<columns.count {
        let before = part.isFirst ? 0 : unsafe sum[index]
        unsafe sum[index] = before + gradients[index]
        unsafe gradients[index] = sum[index] * part.mean
      }
      guard part.isLast else { return }
    }
    let base = unsafe memory.numbers.base + start
    var numbers = unsafe MutableSpan(_unsafeStart: base, count: columns.count)
    rule.update(
      &numbers, by: unsafe Span(_unsafeStart: gradients, count: columns.count), output: row,
      inputs: columns, of: source.connections)
  }

  /// Turns a row's gradients into scores, if they are not the scores.
  func applyScore(
    _ gradients: UnsafeMutablePointer<Float>, row: Int, _ columns: Range<Int>
  ) {
    guard let growthScore, let source else { return }
    var span = unsafe MutableSpan(_unsafeStart: gradients, count: columns.count)
    let start = row * inputs + columns.lowerBound
    let remembered = unsafe UnsafePointer(
      memory.map { unsafe $0.numbers.base + start } ?? gradients)
    growthScore.score(
      &span,
      memory: unsafe Span(_unsafeStart: remembered, count: memory == nil ? 0 : columns.count),
      output: row, inputs: columns, of: source.connections)
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

  /// Selects the `count` positions with the largest (or smallest) magnitude of the gradient, or of its
  /// score, among those that are not kept.
  ///
  /// Dropped connections of score 0 come before all others of that score. They are not offered, but
  /// marked and counted, and let in at the end as far as there is room for a score of 0.
  ///
  /// - Returns: nil if a gradient is not a number.
  func select(
    _ order: TopSelection.Order, count: Int, csr: borrowing CSR,
    fates: borrowing AlignedBuffer<ConnectionFate>, score: (any GrowthScore)? = nil
  ) -> Selected? {
    growthScore = score
    defer { growthScore = nil }
    // Of means over several batches a slice's at a time, or none that were not found before.
    let scored = mean.map { $0.slice?.rows ?? 0..<0 } ?? 0..<outputs
    return unsafe pool.timed(.growth) { () -> Selected? in
      selection.begin(order, count: count)
      for index in 0..<workers.count {
        workers[index].part.begin()
        workers[index].sawNaN = false
        workers[index].droppedAtZero = 0
      }
      if let mean { offerFound(mean.sums.found(in: mean.layer), mean.sums.sum.mean, fates) }
      // A noncopyable argument cannot go into the context: its memory does.
      let connections = unsafe ConnectionRows(
        offsets: csr.rowOffsets.base, columns: csr.columns.base, fates: fates.base)
      let chunks = scored.count.dividedUp(by: panel.rows) * inputs.dividedUp(by: panel.columns)
      unsafe pool.run(chunks: chunks, with: (self, scored, connections)) {
        operands, index, worker in
        let (gradient, scored, connections) = unsafe operands
        let (rows, columns) = gradient.panel(at: index, of: scored)
        unsafe gradient.score(
          rows, columns, connections: connections, worker: gradient.workers[worker])
      }
      for index in 0..<workers.count where workers[index].sawNaN { return nil }
      var zeros = 0
      for index in 0..<workers.count {
        workers[index].part.handOver()
        zeros += workers[index].droppedAtZero
      }
      if let mean, let slice = mean.slice {
        let chosen = unsafe selection.finish()
        mean.sums.found(in: mean.layer).keepZeros(
          fates, connections: csr.columns.count, count: zeros)
        unsafe mean.sums.keep(chosen, of: slice, width: inputs)
        return unsafe Selected(positions: chosen, regrown: 0, droppedAtZero: zeros)
      }
      let regrown = selection.admitZeros(zeros)
      return unsafe Selected(
        positions: selection.finish(), regrown: regrown, droppedAtZero: zeros)
    }
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
          isOffered =
            unsafe fates[index] == .pruned
            || scores[Int(column)].magnitude.bitPattern != 0
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
    _ rows: Range<Int>, _ columns: Range<Int>, connections: ConnectionRows, worker: Worker
  ) {
    multiply(rows, columns, worker: worker)
    for row in rows {
      let scores = unsafe worker.panel.base + (row - rows.lowerBound) * columns.count
      unsafe applyScore(scores, row: row, columns)
      for start in stride(
        from: columns.lowerBound, to: columns.upperBound, by: DenseGradient.scoredColumns)
      {
        let piece = start..<min(start + DenseGradient.scoredColumns, columns.upperBound)
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

  /// The rows and columns of a panel, by its number among those of some rows.
  func panel(at index: Int, of rows: Range<Int>) -> (rows: Range<Int>, columns: Range<Int>) {
    let (down, across) = index.quotientAndRemainder(dividingBy: inputs.dividedUp(by: panel.columns))
    let first = rows.lowerBound + down * panel.rows
    return (
      first..<min(first + panel.rows, rows.upperBound),
      across * panel.columns..<min((across + 1) * panel.columns, inputs)
    )
  }

  /// Multiplies a panel out, its rows one after the other in the worker's memory.
  func multiply(_ rows: Range<Int>, _ columns: Range<Int>, worker: Worker) {
    guard let source else { trap("DenseGradient: begin has not been called") }
    guard hasGradient else {
      unsafe worker.panel.base.update(repeating: 0, count: rows.count * columns.count)
      return
    }
    if let mean, let slice = mean.slice {
      for row in rows {
        unsafe mean.sums.writeMeans(
          row: row, columns, of: slice, width: inputs,
          into: worker.panel.base + (row - rows.lowerBound) * columns.count)
      }
      return
    }
    let (own, scratch, shared) = unsafe (worker.panel.base, worker.scratch.base, self.shared.base)
    var result = unsafe MutableSpan(_unsafeStart: own, count: rows.count * columns.count)
    var memory = unsafe MutableSpan(_unsafeStart: scratch, count: panel.scratch)
    source.writeGradient(
      outputs: rows, inputs: columns, into: &result,
      shared: unsafe Span(_unsafeStart: shared, count: panel.shared), scratch: &memory)
  }

  /// Memory for `count` positions that are not selected by gradient; what was is gone.
  func positions(_ count: Int) -> UnsafeMutableBufferPointer<Int64> {
    unsafe selection.positions(count)
  }

  /// Gives memory back of which selections of up to `count` positions need much less; what was is gone.
  func shrink(to count: Int) { selection.shrink(to: count) }

  /// The whole gradient, (outputs · inputs): for layers whose dense form is no trouble.
  func array() -> [Float] {
    var whole = [Float](repeating: 0, count: outputs * inputs)
    let panels = outputs.dividedUp(by: panel.rows) * inputs.dividedUp(by: panel.columns)
    for index in 0..<panels {
      let (rows, columns) = panel(at: index, of: 0..<outputs)
      multiply(rows, columns, worker: workers[0])
      for (place, row) in rows.enumerated() {
        for (offset, column) in columns.enumerated() {
          whole[row * inputs + column] = workers[0].panel[place * columns.count + offset]
        }
      }
    }
    return whole
  }

  /// Bytes of the selection.
  var selectionBytes: Int { selection.bytes }

  /// Bytes held.
  var bytes: Int {
    shared.count * 4 + selection.bytes
      + workers.reduce(0) {
        $0 + ($1.scratch.count + $1.panel.count + $1.excluded.count) * 4 + $1.part.bytes
      }
  }
}

extension Int {
  /// ceil(self / divisor).
  package func dividedUp(by divisor: Int) -> Int { (self + divisor - 1) / divisor }
}
