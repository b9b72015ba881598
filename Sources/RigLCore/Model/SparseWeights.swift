/// The connections of a layer: which exist, their weights, and the lists that the kernels walk.
///
/// Only connections that exist are stored. The topology is a CSR over output rows. The weights,
/// their gradient and the optimizer's state are arrays in *storage order*, the order of the
/// backward kernel's list, so that the backward kernel reads the weights and writes their gradient
/// without a permutation; the forward list alone holds a copy of the weights, gathered once a step.
/// Storage order is a pure function of the topology, and files hold CSR order.
public final class SparseWeights {
  /// The layer's name.
  public let name: String
  /// Outputs: rows of the weight.
  public let outputs: Int
  /// Inputs: columns of the weight; of a convolution, channels · k².
  public let inputs: Int
  /// Kernel positions (k²); 1 of a linear layer.
  public let taps: Int
  /// The weights of the connections, in storage order.
  public let parameter: Parameter
  /// Connections (n_l); the number never changes.
  public var count: Int { parameter.count }
  /// Positions a connection could have (N_l).
  public var positions: Int { outputs * inputs }
  /// Connections a position: n_l / N_l.
  public var density: Double { positions == 0 ? 0 : Double(count) / Double(positions) }

  /// The topology.
  private(set) var csr: CSR
  /// CSR index of each connection in storage order.
  private(set) var csrIndices: AlignedBuffer<Int32>
  /// Storage index of each entry of the forward list.
  private var forwardSources: AlignedBuffer<Int32>
  /// The copy of the weights in the order of the forward list.
  private var forwardWeights: AlignedBuffer<Float>
  private var forwardIsStale = true
  let forward: ConnectionList
  let backward: ConnectionList

  /// Allocates a layer's connections; they do not exist until ``assign(ascending:scratch:)``.
  convenience init(
    name: String, outputs: Int, inputs: Int, connections: Int, lanes: Int
  ) throws(RigLError) {
    try self.init(
      name: name, shape: [outputs, inputs], connections: connections,
      forward: .linear(lanes: lanes), backward: .linear(lanes: lanes))
  }

  /// Allocates connections between inputs (channels times kernel positions) and outputs, whose
  /// operands lie in memory as the layouts say.
  init(
    name: String, shape: [Int], connections: Int, forward forwardLayout: ConnectionList.Layout,
    backward backwardLayout: ConnectionList.Layout
  ) throws(RigLError) {
    let (outputs, inputs) = (shape[0], shape.dropFirst().reduce(1, *))
    self.name = name
    taps = forwardLayout.tapOffsets.count
    self.outputs = outputs
    self.inputs = inputs
    guard connections <= Int(Int32.max) else {
      throw RigLError(
        .configuration, "layer \(name): \(connections) connections; at most \(Int32.max) fit",
        hint: "raise its sparsity")
    }
    parameter = Parameter(
      name: "\(name).weight", shape: shape, count: connections, decays: true)
    csr = CSR(rows: outputs, columnCount: inputs, connections: connections)
    csrIndices = AlignedBuffer(count: connections)
    forwardSources = AlignedBuffer(count: connections)
    forwardWeights = AlignedBuffer(count: connections)
    forward = try ConnectionList(
      direction: .forward, outputs: outputs, inputs: inputs, connections: connections,
      layout: forwardLayout)
    backward = try ConnectionList(
      direction: .backward, outputs: outputs, inputs: inputs, connections: connections,
      layout: backwardLayout)
  }

  /// Int64 elements of workspace that a rebuild needs.
  var workspaceCount: Int { max(forward.workspaceCount, backward.workspaceCount) }

  /// Sets the topology to ascending dense positions and rebuilds the lists. The weights keep their
  /// places in memory, so the caller sets or moves them.
  func assign(ascending positions: UnsafeBufferPointer<Int64>, scratch: TopologyScratch) {
    unsafe csr.assign(ascending: positions)
    rebuild(scratch)
  }

  /// Whether it was said which connections exist: the last row then ends with the last one.
  var hasConnections: Bool { unsafe csr.rowOffsets.base[outputs] == Int64(count) }

  /// Sets which connections exist, and their weights.
  ///
  /// - Parameters:
  ///   - positions: the position (output · inputs + input) of each of the ``count`` connections,
  ///     strictly increasing.
  ///   - weights: one for each of them.
  /// - Throws: `RigLError(.data)` for other numbers of them, or positions that are not increasing or
  ///   beyond the last one; nothing has then changed.
  public func setConnections(at positions: [Int], weights: [Float]) throws(RigLError) {
    guard positions.count == count, weights.count == count else {
      throw RigLError(
        .data,
        "layer \(name): \(positions.count) positions and \(weights.count) weights for "
          + "\(count) connections", hint: "A layer's number of connections never changes.")
    }
    var previous = -1
    for (index, position) in positions.enumerated() {
      guard position > previous, position < self.positions else {
        throw problem(of: position, at: index, after: previous)
      }
      previous = position
    }
    let scratch = TopologyScratch(layers: [self])
    unsafe positions.map { Int64($0) }.withUnsafeBufferPointer {
      unsafe assign(ascending: $0, scratch: scratch)
    }
    setWeights(AlignedBuffer(weights))
  }

  private func problem(of position: Int, at index: Int, after previous: Int) -> RigLError {
    let place = "layer \(name): position \(position) of connection \(index)"
    guard position >= 0, position < positions else {
      return RigLError(
        .data, "\(place), expected 0..<\(positions)", hint: "A position is output · inputs + input."
      )
    }
    return RigLError(
      .data,
      position == previous
        ? "\(place) is that of the connection before" : "\(place) comes after \(previous)",
      hint: "Give each position once, in increasing order, and the weights in the same.")
  }

  /// Multiplies the weights of each output.
  func scaleOutputs(by factors: [Float]) {
    var outputs = [Int32](repeating: 0, count: count)
    for output in 0..<self.outputs {
      for index in Int(csr.rowOffsets[output])..<Int(csr.rowOffsets[output + 1]) {
        outputs[index] = Int32(output)
      }
    }
    for place in 0..<count {
      parameter.values[place] *= factors[Int(outputs[Int(csrIndices[place])])]
    }
  }

  /// Copies the topology into the scratch, before an update writes the next one in its place.
  func saveTopology(in scratch: TopologyScratch) {
    unsafe scratch.oldColumns.base.update(from: csr.columns.base, count: count)
    unsafe scratch.oldRowOffsets.base.update(from: csr.rowOffsets.base, count: outputs + 1)
  }

  /// Where an update writes the next topology: columns and row offsets.
  var topologyBases: (UnsafeMutablePointer<Int32>, UnsafeMutablePointer<Int64>) {
    unsafe (csr.columns.base, csr.rowOffsets.base)
  }

  /// Rebuilds the lists after the topology was written.
  func topologyDidChange(scratch: TopologyScratch) {
    rebuild(scratch)
  }

  private func rebuild(_ scratch: TopologyScratch) {
    unsafe backward.build(csr, csrIndices: csrIndices.base, workspace: scratch.words.base)
    scratch.invert(csrIndices)
    unsafe forward.build(csr, csrIndices: forwardSources.base, workspace: scratch.words.base)
    for entry in 0..<count {
      unsafe forwardSources.base[entry] =
        scratch.storageIndices[Int(forwardSources.base[entry])]
    }
    forwardIsStale = true
  }

  /// Says that the weights have changed.
  func weightsDidChange() {
    forwardIsStale = true
  }

  /// The weights in the order of the forward list.
  var forwardBase: UnsafePointer<Float> { unsafe UnsafePointer(forwardWeights.base) }

  /// Brings ``forwardBase`` up to date.
  func refreshForwardWeights(_ pool: ThreadPool) {
    guard forwardIsStale else { return }
    let stage = pool.clock?.begin(.forwardWeights)
    defer { if let stage { pool.clock?.begin(stage) } }
    // At least 2 µs, so that claiming costs little; short, so that threads end together.
    let pieces = Pieces(of: count, least: 1 << 11)
    pool.run(chunks: pieces.count, with: (self, pieces)) { work, index, _ in
      let (weights, pieces) = work
      let range = pieces[index]
      weights.forwardWeights.gather(
        from: weights.parameter.values, indices: weights.forwardSources, range: range)
    }
    forwardIsStale = false
  }

  /// Bytes held for the connections and their lists, without optimizer state.
  public var bytes: Int {
    count * 5 * 4 + (outputs + 1) * 8 + count * 4 + forward.bytes + backward.bytes
  }
}

// MARK: - In the order of positions

extension SparseWeights {
  /// Calls `body` for each connection in the order of positions: its index in that order, its
  /// position (output · inputs + input), and its index in the parameter's arrays.
  public func forEachConnection(_ body: (_ index: Int, _ position: Int, _ storage: Int) -> Void) {
    var storageIndices = AlignedBuffer<Int32>(count: count)
    storageIndices.invert(csrIndices)
    for row in 0..<outputs {
      for index in csr.row(row) {
        let column = unsafe Int(csr.columns.base[index])
        body(index, row * inputs + column, Int(storageIndices[index]))
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
  /// positions.
  public func inPositionOrder(_ stored: borrowing AlignedBuffer<Float>) -> AlignedBuffer<Float> {
    trap(unless: stored.count == count, "\(stored.count) elements for \(count) connections")
    let ordered = AlignedBuffer<Float>(count: count)
    for storage in 0..<count {
      unsafe ordered.base[Int(csrIndices.base[storage])] = stored.base[storage]
    }
    return ordered
  }

  /// The reverse: elements in the order of positions, in storage order.
  func inStorageOrder(
    _ ordered: borrowing AlignedBuffer<Float>, into stored: inout AlignedBuffer<Float>
  ) {
    trap(
      unless: ordered.count == count && stored.count == count,
      "layer \(name): \(ordered.count) values for \(count) connections")
    for storage in 0..<count {
      unsafe stored.base[storage] = ordered.base[Int(csrIndices.base[storage])]
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
  public func outputDegrees() -> [Int] { (0..<outputs).map { csr.row($0).count } }

  /// Connections of each input.
  public func inputDegrees() -> [Int] {
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
