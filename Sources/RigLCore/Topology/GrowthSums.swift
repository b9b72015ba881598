/// The dense gradients of an update's batches, summed: what growth looks at where one batch says too
/// little.
///
/// Sums of all positions may not fit in memory. As many layers at a time are summed as fit into a buffer
/// of bounded size, a layer larger than it in slices of outputs, and an update takes as many passes over
/// the same batches. Of a slice only what would be grown is kept; connections move after the last pass,
/// so that all passes see one network.
///
///     pass 0: batch 0 … n−1 → sums of some rows → what would be grown there
///     pass 1: the same batches → sums of other rows → what would be grown there or before
///     … → connections move
@safe
final class GrowthSums {
  /// Rows of a layer whose sums are in the buffer at a time.
  struct Slice: Equatable {
    /// The layer's number among the sparse layers.
    let layer: Int
    let rows: Range<Int>
    /// Where they begin in the buffer.
    let offset: Int
  }

  /// Batches of an update (n).
  let batches: Int
  /// The slices of each pass over the batches.
  let passes: [[Slice]]
  /// What would be grown in each layer.
  private let found: [FoundPositions]
  private var buffer: AlignedBuffer<Float>
  /// The passes of the update in progress; one where nothing is to move.
  private var passesNeeded = 1
  /// The batches of the pass so far.
  private(set) var sum = GradientSum()
  /// The pass in progress.
  private(set) var pass = 0
  /// Whether an update is in progress.
  private(set) var isUpdating = false

  /// Sums of so many batches' gradients, in a buffer of so many bytes, or of a row where that is more.
  init(batches: Int, layers: [SparseWeights], bytes: Int) {
    self.batches = batches
    passes = GrowthSums.passes(
      of: layers.map { ($0.outputs, $0.inputs) }, floats: bytes / MemoryLayout<Float>.stride)
    let sizes = passes.map { slices in
      slices.reduce(0) { $0 + $1.rows.count * layers[$1.layer].inputs }
    }
    buffer = AlignedBuffer(count: sizes.max() ?? 0)
    found = layers.map { _ in FoundPositions() }
  }

  /// The slices of each pass: layers in order, each whole if it fits into the buffer at all.
  static func passes(of layers: [(rows: Int, columns: Int)], floats: Int) -> [[Slice]] {
    var passes: [[Slice]] = []
    var (slices, used) = ([Slice](), 0)
    func endPass() {
      if !slices.isEmpty { passes.append(slices) }
      (slices, used) = ([], 0)
    }
    for (index, layer) in layers.enumerated() where layer.rows > 0 {
      let isSmall = layer.rows * layer.columns <= floats
      if isSmall, used + layer.rows * layer.columns > floats { endPass() }
      var next = 0
      while next < layer.rows {
        let room = (floats - used) / max(layer.columns, 1)
        let panel = GradientPanels().rows
        // Panels are multiplied out whole: what is left beside other layers is worth a part of one only
        // where no pass has room for more.
        let isScant = room < panel && floats / max(layer.columns, 1) >= panel && !isSmall
        if used > 0, room <= 0 || isScant {
          endPass()
          continue
        }
        // Whole panels, where there is room for one.
        let some = layer.rows - next > room && room >= panel ? room / panel * panel : max(room, 1)
        let rows = next..<min(next + some, layer.rows)
        slices.append(Slice(layer: index, rows: rows, offset: used))
        (next, used) = (rows.upperBound, used + rows.count * layer.columns)
        if next < layer.rows { endPass() }
      }
    }
    endPass()
    return passes.isEmpty ? [[]] : passes
  }

  /// Bytes of the buffer.
  var bytes: Int { buffer.count * MemoryLayout<Float>.stride }
  /// Bytes of what was found.
  var foundBytes: Int {
    var bytes = 0
    for index in 0..<found.count { bytes += found[index].bytes }
    return bytes
  }
  /// Whether the batch is the last of its pass.
  var isLastBatch: Bool { sum.batches == batches }
  /// Whether earlier passes have seen the batches.
  var isRepeating: Bool { isUpdating && pass > 0 }

  /// Starts an update.
  ///
  /// - Parameter moves: whether a connection is to move.
  func begin(moves: Bool) {
    (isUpdating, pass, sum) = (true, 0, GradientSum())
    passesNeeded = moves ? passes.count : 1
    for index in 0..<found.count { found[index].begin() }
  }

  /// Counts a batch; returns the factor of its mean gradient in the sum.
  func take(samples: Int) -> Float {
    let weight = sum.weight(of: samples)
    sum.add(samples)
    return weight
  }

  /// Ends a batch: perhaps its pass, perhaps the update.
  ///
  /// - Returns: whether all batches have been seen in all passes; and how many of the last batches are to
  ///   come again.
  func endBatch() -> (isComplete: Bool, repeated: Int) {
    guard isLastBatch else { return (false, 0) }
    guard pass + 1 < passesNeeded else {
      isUpdating = false
      return (true, 0)
    }
    (pass, sum) = (pass + 1, GradientSum())
    return (false, batches)
  }

  /// Forgets an update in progress.
  func cancel() { isUpdating = false }

  // MARK: - Sums

  /// Adds a row's gradients on a batch, from a column on.
  func add(
    _ gradients: UnsafePointer<Float>, row: Int, _ columns: Range<Int>, of slice: Slice, width: Int
  ) {
    let sums = unsafe buffer.base + place(row, columns.lowerBound, slice, width)
    let isFirst = sum.batches == 1
    // −0 becomes 0, as in any other sum.
    for index in 0..<columns.count {
      unsafe sums[index] = (isFirst ? 0 : sums[index]) + gradients[index]
    }
  }

  /// Writes the mean gradients of a row.
  func writeMeans(
    row: Int, _ columns: Range<Int>, of slice: Slice, width: Int,
    into means: UnsafeMutablePointer<Float>
  ) {
    let sums = unsafe buffer.base + place(row, columns.lowerBound, slice, width)
    let mean = sum.mean
    for index in 0..<columns.count { unsafe means[index] = sums[index] * mean }
  }

  private func place(_ row: Int, _ column: Int, _ slice: Slice, _ width: Int) -> Int {
    slice.offset + (row - slice.rows.lowerBound) * width + column
  }

  // MARK: - What would be grown

  /// What would be grown in a layer by the slices so far.
  func found(in layer: Int) -> FoundPositions { found[layer] }

  /// Keeps what a slice's candidates and those found before have given.
  ///
  /// - Parameters:
  ///   - positions: ascending.
  ///   - slice: whose sums are in the buffer.
  ///   - width: columns of the layer.
  func keep(_ positions: UnsafeBufferPointer<Int64>, of slice: Slice, width: Int) {
    unsafe found[slice.layer].keep(positions, from: slice.rows.lowerBound * width) { position in
      let (row, column) = position.quotientAndRemainder(dividingBy: width)
      return unsafe buffer.base[place(row, column, slice, width)]
    }
  }
}

/// Positions of a layer that would be grown, with the sums of their gradients.
@safe
final class FoundPositions {
  private(set) var positions = AlignedBuffer<Int64>(count: 0)
  private(set) var sums = AlignedBuffer<Float>(count: 0)
  /// The connections, by number, that were dropped and have a score of 0.
  private(set) var droppedAtZero = AlignedBuffer<Int32>(count: 0)

  /// Bytes held.
  var bytes: Int { 12 * positions.capacity + 4 * droppedAtZero.capacity }

  /// Gives memory back of which updates that move up to `count` connections need much less; what was found
  /// is gone.
  func shrink(to count: Int) {
    positions.shrink(to: count)
    sums.shrink(to: count)
    droppedAtZero.shrink(to: count)
    begin()
  }

  /// Starts over.
  func begin() {
    positions.makeRoom(0)
    sums.makeRoom(0)
    droppedAtZero.makeRoom(0)
  }

  /// Takes the place of what was found before: positions that were among it, and those from `first` on
  /// that are new.
  func keep(
    _ chosen: UnsafeBufferPointer<Int64>, from first: Int, _ sum: (Int) -> Float
  ) {
    var old = 0
    let before = positions.count
    positions.makeRoom(max(before, chosen.count))
    sums.makeRoom(max(before, chosen.count))
    for index in 0..<chosen.count {
      let position = unsafe chosen[index]
      var value: Float
      if Int(position) < first {
        while old < before, positions[old] != position { old += 1 }
        value = sums[old]
        old += 1
      } else {
        value = sum(Int(position))
      }
      // Never ahead of where old ones are read: both ascend.
      positions[index] = position
      sums[index] = value
    }
    positions.makeRoom(chosen.count)
    sums.makeRoom(chosen.count)
  }

  /// Takes the dropped connections of score 0.
  func keepZeros(_ fates: borrowing AlignedBuffer<ConnectionFate>, connections: Int, count: Int) {
    droppedAtZero.makeRoom(count)
    var next = 0
    for index in 0..<connections where next < count && fates[index] == .droppedAtZero {
      droppedAtZero[next] = Int32(index)
      next += 1
    }
  }

  /// The sum of the gradients at a position; 0 where it is not among those found.
  func sum(at position: Int) -> Float {
    var (low, high) = (0, positions.count)
    while low < high {
      let middle = (low + high) / 2
      if positions[middle] < Int64(position) { low = middle + 1 } else { high = middle }
    }
    return low < positions.count && positions[low] == Int64(position) ? sums[low] : 0
  }
}

/// The dense gradient that an update of a layer looks at.
enum UpdateGradient {
  /// None.
  case none
  /// That of a batch, while it is at hand.
  case batch(any GradientSource)
  /// The mean over several batches: of a slice of rows, at the end of a pass; nil: of what was found in
  /// all slices.
  case mean(GrowthSums, layer: Int, slice: GrowthSums.Slice?)

  /// The batch's, if it is that.
  var source: (any GradientSource)? {
    if case .batch(let source) = self { source } else { nil }
  }

  /// The factor that makes the gradients of the layer's weights their mean over its batches; nil: they
  /// are not at hand.
  var mean: Float? {
    switch self {
    case .none: nil
    case .batch: 1
    case .mean(let sums, _, _): sums.sum.mean
    }
  }

  /// Whether there is one.
  var isThere: Bool {
    if case .none = self { false } else { true }
  }

  /// The gradient at a position; 0 where none is known.
  func value(output: Int, input: Int, of weights: SparseWeights) -> Float {
    switch self {
    case .none: 0
    case .batch(let source): source.gradient(output: output, input: input)
    case .mean(let sums, let layer, _):
      sums.found(in: layer).sum(at: output * weights.inputs + input) * sums.sum.mean
    }
  }

  /// The same as a part of the weights' gradients, which of several batches are sums.
  func summand(output: Int, input: Int, of weights: SparseWeights) -> Float {
    guard case .mean(let sums, let layer, _) = self else {
      return value(output: output, input: input, of: weights)
    }
    return sums.found(in: layer).sum(at: output * weights.inputs + input)
  }
}
