// A layer's connections in the order of positions: what files and reports have.

extension SparseWeights {
  /// The index in the parameter's arrays of each connection, in the order of positions.
  private func places() -> AlignedBuffer<Int32> {
    let places = AlignedBuffer<Int32>(count: count)
    unsafe writePlaces(into: places.base)
    return places
  }

  /// Multiplies the weights of each output.
  func scaleOutputs(by factors: [Float]) {
    let places = places()
    for output in 0..<outputs {
      for index in csr.row(output) { parameter.values[Int(places[index])] *= factors[output] }
    }
  }

  /// Calls `body` for each connection in the order of positions: its index in that order, its
  /// position (output · inputs + input), and its index in the parameter's arrays.
  package func forEachConnection(_ body: (_ index: Int, _ position: Int, _ storage: Int) -> Void) {
    let places = places()
    for row in 0..<outputs {
      for index in csr.row(row) {
        let column = unsafe Int(csr.columns.base[index])
        body(index, row * inputs + column, Int(places[index]))
      }
    }
  }

  /// The positions (output · inputs + input) of the connections, ascending.
  public func connectedPositions() -> [Int] {
    var positions: [Int] = []
    positions.reserveCapacity(count)
    forEachConnection { _, position, _ in positions.append(position) }
    return positions
  }

  /// The elements of an array in storage order (weights, gradient, a slot), in the order of
  /// positions: those of the connections.
  package func inPositionOrder<Element>(
    _ stored: borrowing AlignedBuffer<Element>
  ) -> AlignedBuffer<Element> {
    trap(
      unless: stored.count == parameter.count,
      "layer \(name): \(stored.count) elements beside \(parameter.count) weights")
    let ordered = AlignedBuffer<Element>(count: count)
    let places = places()
    for index in 0..<count {
      unsafe ordered.base[index] = stored.base[Int(places.base[index])]
    }
    return ordered
  }

  /// The reverse: elements in the order of positions, in storage order; 0 where dense storage has no
  /// connection.
  func inStorageOrder<Element: Numeric>(
    _ ordered: borrowing AlignedBuffer<Element>, into stored: inout AlignedBuffer<Element>
  ) {
    trap(
      unless: ordered.count == count && stored.count == parameter.count,
      "layer \(name): \(ordered.count) values for \(count) connections")
    let places = places()
    if storage == .dense { stored.fill(0) }
    for index in 0..<count {
      unsafe stored.base[Int(places.base[index])] = ordered.base[index]
    }
  }

  /// Sets the weights from values in the order of positions.
  public func setWeights(_ ordered: borrowing AlignedBuffer<Float>) {
    inStorageOrder(ordered, into: &parameter.values)
    weightsDidChange()
  }

  /// The weight as a dense (outputs · inputs) array, zero where there is no connection.
  public func dense(_ stored: borrowing AlignedBuffer<Float>) -> [Float] {
    var dense = [Float](repeating: 0, count: positions)
    let ordered = inPositionOrder(stored)
    for row in 0..<outputs {
      for index in csr.row(row) {
        dense[row * inputs + Int(csr.columns[index])] = ordered[index]
      }
    }
    return dense
  }

  /// Connections of each output.
  package func outputDegrees() -> [Int] { (0..<outputs).map { csr.row($0).count } }

  /// Connections of each input.
  package func inputDegrees() -> [Int] {
    var degrees = [Int](repeating: 0, count: inputs)
    for index in 0..<count { degrees[Int(csr.columns[index])] += 1 }
    return degrees
  }
}

extension AlignedBuffer where Element == Int32 {
  /// self[permutation[i]] = i.
  mutating func invert(_ permutation: borrowing AlignedBuffer<Int32>) {
    trap(unless: permutation.count <= count, "invert: \(permutation.count) into \(count)")
    for index in 0..<permutation.count {
      unsafe base[Int(permutation.base[index])] = Int32(index)
    }
  }
}
