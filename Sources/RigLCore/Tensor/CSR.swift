/// A sparse topology: for each output row, the positions of its connections, ascending.
///
/// Positions within a row are the layer's dense order (inputs, then taps), so that row, position
/// is the field's OIHW order. Moves rewrite in place.
struct CSR: ~Copyable {
  /// Outputs.
  let rows: Int
  /// Positions in a row: inputs of a linear layer.
  let columnCount: Int
  /// (rows + 1) where each row starts; the last is the number of connections.
  var rowOffsets: AlignedBuffer<Int64>
  /// (connections) position within the row, strictly increasing in each.
  var columns: AlignedBuffer<Int32>

  /// An empty topology with room for `connections`.
  init(rows: Int, columnCount: Int, connections: Int) {
    self.rows = rows
    self.columnCount = columnCount
    rowOffsets = AlignedBuffer(count: rows + 1)
    columns = AlignedBuffer(count: connections)
  }

  /// Connections there is room for, and which exist once the topology is drawn.
  var connections: Int { columns.count }

  /// The indices of a row's connections.
  func row(_ row: Int) -> Range<Int> {
    unsafe Int(rowOffsets.base[row])..<Int(rowOffsets.base[row + 1])
  }

  /// Sets the topology to ascending positions in dense order (row · columnCount + column).
  mutating func assign(ascending positions: UnsafeBufferPointer<Int64>) {
    trap(unless: positions.count == connections, "\(positions.count) of \(connections) positions")
    var row = 0
    unsafe rowOffsets.base[0] = 0
    for index in 0..<positions.count {
      let position = unsafe Int(positions[index])
      let (owner, column) = position.quotientAndRemainder(dividingBy: columnCount)
      while row < owner {
        row += 1
        unsafe rowOffsets.base[row] = Int64(index)
      }
      unsafe columns.base[index] = Int32(column)
    }
    while row < rows {
      row += 1
      unsafe rowOffsets.base[row] = Int64(positions.count)
    }
  }
}

extension CSR {
  /// The row of a connection.
  func rowContaining(_ index: Int) -> Int {
    // The last row that starts at or before the index, and is not empty.
    var (low, high) = (0, rows)
    while low < high {
      let middle = (low + high) / 2
      if rowOffsets[middle + 1] <= Int64(index) { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
