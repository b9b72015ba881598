// What an update does to the layer: the next topology, and what moves with it.

extension LayerUpdate {
  /// Calls `body` with each position that loses or gains its connection in the update, ascending,
  /// before ``commit()``; one that is dropped and grown again does neither.
  func forEachMove(_ body: (_ position: Int64, _ isNew: Bool) -> Void) {
    let grown = unsafe self.grown
    var (grownIndex, row) = (0, 0)
    let (columns, rowOffsets) = unsafe weights.topologyBases
    let (inputs, fates) = unsafe (Int64(weights.inputs), scratch.fates.base)
    for index in 0..<weights.count where unsafe !fates[index].stays {
      while unsafe rowOffsets[row + 1] <= Int64(index) { row += 1 }
      let position = unsafe Int64(row) * inputs + Int64(columns[index])
      while unsafe grownIndex < grown.count && grown[grownIndex] < position {
        unsafe body(grown[grownIndex], true)
        grownIndex += 1
      }
      if unsafe grownIndex < grown.count && grown[grownIndex] == position {
        grownIndex += 1
      } else {
        body(position, false)
      }
    }
    while grownIndex < grown.count {
      unsafe body(grown[grownIndex], true)
      grownIndex += 1
    }
  }

  /// Replaces the layer's topology by the kept and the grown connections, moves the weights, and
  /// rebuilds the kernels' lists.
  ///
  /// - Parameter movesGradient: whether the weights' gradients are still needed.
  /// - Returns: where each connection came from, for the optimizer's state to follow.
  func commit(movesGradient: Bool) -> TopologyChange {
    trap(
      unless: missing == 0,
      unsafe "layer \(weights.name): \(kept) kept and \(regrown + grown.count) grown of \(target)")
    trap(
      unless: target == weights.count || weights.variation != nil,
      "layer \(weights.name): \(target) connections instead of \(weights.count); its number may "
        + "change where Model(variable:) names the layer, and the method's counts say so")
    let change = scratch.change
    weights.makeRoom(for: target)
    scratch.makeRoom(for: weights, next: target)
    change.newConnections = mergeKeptAndGrown()
    weights.topologyDidChange(count: target, scratch: scratch)
    change.count = target
    (change.stored, change.capacity) = (weights.stored, weights.storedCapacity)
    writeOrigins(to: change)
    weights.parameter.follow(change, scratch: scratch, movesGradient: movesGradient)
    return change
  }

  /// From the order of positions to the order of the arrays.
  private func writeOrigins(to change: TopologyChange) {
    let (ordered, origins) = unsafe (scratch.origins.base, change.origins.base)
    guard weights.storage == .dense else {
      let csrIndices = unsafe weights.csrIndices.base
      for storage in 0..<weights.count {
        unsafe origins[storage] = ordered[Int(csrIndices[storage])]
      }
      return
    }
    // The old topology's memory is free again.
    let places = unsafe scratch.oldColumns.base
    unsafe weights.writePlaces(into: places)
    unsafe origins.update(repeating: -1, count: weights.positions)
    for index in 0..<weights.count { unsafe origins[Int(places[index])] = ordered[index] }
  }

  /// Writes the next topology over the old one and each connection's old storage index, or -1,
  /// into `scratch.origins`. Returns the number of new connections.
  private func mergeKeptAndGrown() -> Int {
    weights.saveTopology(in: scratch)
    let (old, oldRows) = unsafe (scratch.oldColumns.base, scratch.oldRowOffsets.base)
    let (columns, rowOffsets) = unsafe weights.topologyBases
    let (origins, fates) = unsafe (scratch.origins.base, scratch.fates.base)
    let storageIndices = unsafe scratch.storageIndices
    let grown = unsafe grown
    var (next, grownIndex, new) = (0, 0, 0)
    for row in 0..<weights.outputs {
      unsafe rowOffsets[row] = Int64(next)
      var index = unsafe Int(oldRows[row])
      let end = unsafe Int(oldRows[row + 1])
      let rowStart = Int64(row) * Int64(weights.inputs)
      let rowEnd = rowStart + Int64(weights.inputs)
      while true {
        let hasGrown = unsafe grownIndex < grown.count && grown[grownIndex] < rowEnd
        guard index < end || hasGrown else { break }
        let oldColumn = unsafe index < end ? old[index] : Int32.max
        let grownColumn = unsafe hasGrown ? Int32(grown[grownIndex] - rowStart) : Int32.max
        if grownColumn <= oldColumn { grownIndex += 1 }
        if grownColumn < oldColumn {
          unsafe columns[next] = grownColumn
          unsafe origins[next] = -1
          (next, new) = (next + 1, new + 1)
          continue
        }
        // Kept, or dropped and grown again; what was pruned is then new.
        if unsafe grownColumn == oldColumn || fates[index].stays {
          let isNew = unsafe fates[index] == .pruned
          unsafe columns[next] = oldColumn
          unsafe origins[next] = isNew ? -1 : storageIndices[index]
          next += 1
          if isNew { new += 1 }
        }
        index += 1
      }
    }
    unsafe rowOffsets[weights.outputs] = Int64(next)
    trap(unless: next == target, "layer \(weights.name): \(next) of \(target)")
    return new
  }
}
