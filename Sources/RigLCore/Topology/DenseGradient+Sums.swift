// Growth by the mean gradient of several batches.

extension DenseGradient {
  /// Adds the rows of a slice to the sums; the layer has been taken with ``begin(_:_:)``.
  ///
  /// Panels are multiplied out as wholes, as they are without slices: the bits of a product may depend on
  /// how many rows it has.
  func add(to sums: GrowthSums, _ slice: GrowthSums.Slice) {
    pool.timed(.growth) {
      let across = inputs.dividedUp(by: panel.columns)
      let first = slice.rows.lowerBound / panel.rows
      let chunks = (slice.rows.upperBound.dividedUp(by: panel.rows) - first) * across
      pool.run(chunks: chunks, with: (self, sums, slice, first * across)) {
        operands, index, worker in
        let (gradient, sums, slice, first) = operands
        let worker = gradient.workers[worker]
        let (rows, columns) = gradient.panel(at: first + index, of: 0..<gradient.outputs)
        gradient.multiply(rows, columns, worker: worker)
        for row in rows.clamped(to: slice.rows) {
          unsafe sums.add(
            worker.panel.base + (row - rows.lowerBound) * columns.count, row: row, columns,
            of: slice, width: gradient.inputs)
        }
      }
    }
  }

  /// Offers what earlier slices have found, and marks their dropped connections of score 0.
  func offerFound(
    _ found: FoundPositions, _ mean: Float, _ fates: borrowing AlignedBuffer<ConnectionFate>
  ) {
    let worker = workers[0]
    let score = unsafe UnsafeMutableBufferPointer(start: worker.panel.base, count: 1)
    for index in 0..<found.positions.count {
      let position = Int(found.positions[index])
      let (row, column) = position.quotientAndRemainder(dividingBy: inputs)
      unsafe score[0] = found.sums[index] * mean
      unsafe applyScore(worker.panel.base, row: row, column..<column + 1)
      let isOrdered = unsafe worker.part.offer(
        score, firstPosition: position, excluding: UnsafeBufferPointer(start: nil, count: 0))
      if !isOrdered { worker.sawNaN = true }
    }
    for index in 0..<found.droppedAtZero.count {
      unsafe fates.base[Int(found.droppedAtZero[index])] = .droppedAtZero
    }
    worker.droppedAtZero += found.droppedAtZero.count
  }
}
