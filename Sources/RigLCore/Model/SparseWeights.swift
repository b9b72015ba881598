/// The connections of a layer: which exist, their weights, and the lists that the kernels walk.
///
/// Only connections that exist are stored. The topology is a CSR over output rows. The weights,
/// their gradient and the optimizer's state are arrays in *storage order*, the order of the
/// backward kernel's list, so that the backward kernel reads the weights and writes their gradient
/// without a permutation; the forward list alone holds a copy of the weights, gathered once a step.
/// Storage order is a pure function of the topology, and files hold CSR order.
///
/// Where a topology method changes their number, a layer of nearly all its positions is stored
/// densely: an array element for each position, exactly 0 where there is no connection. Which storage
/// it is depends on the number alone.
public final class SparseWeights {
  /// How weights lie in memory.
  package enum Storage: Sendable {
    /// One element for each connection, in the order of the backward kernel's list.
    case sparse
    /// One element for each position, in the order of the dense product.
    case dense
  }

  /// The layer's name.
  public let name: String
  /// Outputs: rows of the weight.
  public let outputs: Int
  /// Inputs: columns of the weight; of a convolution, channels · k².
  public let inputs: Int
  /// Kernel positions (k²); 1 of a linear layer.
  package let taps: Int
  /// The stored weights: in sparse storage those of the connections.
  public let parameter: Parameter
  /// Connections (n_l).
  public private(set) var count: Int
  /// How the weights lie in memory now.
  package private(set) var storage: Storage
  /// Positions a connection could have (N_l).
  public var positions: Int { outputs * inputs }
  /// Whether every position has a connection.
  var isWhole: Bool { count == positions }
  /// Connections a position: n_l / N_l.
  package var density: Double { positions == 0 ? 0 : Double(count) / Double(positions) }
  /// The storages of a layer whose number of connections may change; nil: it never changes.
  let variation: Variation?

  /// The topology.
  private(set) var csr: CSR
  /// CSR index of each connection in storage order; in dense storage none.
  private(set) var csrIndices: AlignedBuffer<Int32>
  /// Storage index of each entry of the forward list.
  private var forwardSources: AlignedBuffer<Int32>
  /// The copy of the weights in the order of the forward list.
  private var forwardWeights: AlignedBuffer<Float>
  /// In dense storage, the places without a connection.
  private var inactive = AlignedBuffer<Int32>(count: 0)
  private var forwardIsStale = true
  /// How often the weights have changed: for copies elsewhere.
  private(set) var changes = 0
  let forward: ConnectionList
  let backward: ConnectionList
  /// What each output reads, where that is not the same for all; nil: it is.
  private let windows: InputWindows?
  /// The value that each connection reads, in CSR order; only with windows.
  private var valuesRead: AlignedBuffer<Int32>

  /// What a changing number of connections needs to know.
  struct Variation: Sendable {
    /// The density from which weights are stored densely.
    var denseFrom: Double
    /// Where dense storage has the weight at a position (output · inputs + input); nil: there.
    var order: (@Sendable (Int) -> Int)?
  }

  /// Allocates a layer's connections; they do not exist until ``assign(ascending:scratch:)``.
  convenience init(
    name: String, outputs: Int, inputs: Int, connections: Int, lanes: Int,
    variation: Variation? = nil
  ) throws(RigLError) {
    try self.init(
      name: name, shape: [outputs, inputs], connections: connections,
      forward: .linear(lanes: lanes), backward: .linear(lanes: lanes),
      variation: variation)
  }

  /// Allocates connections between inputs (channels times kernel positions) and outputs, whose
  /// operands lie in memory as the layouts say.
  init(
    name: String, shape: [Int], connections: Int, forward forwardLayout: ConnectionList.Layout,
    backward backwardLayout: ConnectionList.Layout, windows: InputWindows? = nil,
    variation: Variation? = nil
  ) throws(RigLError) {
    self.variation = variation
    let (outputs, inputs) = (shape[0], shape.dropFirst().reduce(1, *))
    self.name = name
    taps = forwardLayout.tapOffsets.count
    self.outputs = outputs
    self.inputs = inputs
    let positions = outputs * inputs
    let most = variation == nil ? connections : positions
    guard most <= Int(Int32.max) else {
      throw RigLError(
        .configuration,
        "layer \(name): \(most) \(variation == nil ? "connections" : "positions of connections whose number changes"); "
          + "at most \(Int32.max) fit", hint: variation == nil ? "raise its sparsity" : nil)
    }
    count = connections
    storage = SparseWeights.storage(of: connections, positions: positions, variation)
    let listed = storage == .sparse ? connections : 0
    parameter = Parameter(
      name: "\(name).weight", shape: shape, count: storage == .sparse ? connections : positions,
      decays: true)
    csr = CSR(rows: outputs, columnCount: inputs, connections: connections)
    csrIndices = AlignedBuffer(count: listed)
    forwardSources = AlignedBuffer(count: listed)
    forwardWeights = AlignedBuffer(count: listed)
    self.windows = windows
    valuesRead = AlignedBuffer(count: windows == nil ? 0 : listed)
    let read = windows?.values ?? inputs
    forward = try ConnectionList(
      direction: .forward, outputs: outputs, inputs: read, connections: listed,
      layout: forwardLayout, isVariable: variation != nil)
    backward = try ConnectionList(
      direction: .backward, outputs: outputs, inputs: read, connections: listed,
      layout: backwardLayout, isVariable: variation != nil)
  }

  private static func storage(
    of connections: Int, positions: Int, _ variation: Variation?
  ) -> Storage {
    guard let variation else { return .sparse }
    return Double(connections) >= variation.denseFrom * Double(positions) ? .dense : .sparse
  }

  /// The storage of a number of connections.
  func storage(of connections: Int) -> Storage {
    SparseWeights.storage(of: connections, positions: positions, variation)
  }

  /// Int64 elements of workspace that a rebuild needs.
  var workspaceCount: Int { max(forward.workspaceCount, backward.workspaceCount) }

  /// Sets the topology to ascending dense positions, perhaps of another number, and rebuilds the
  /// lists. The weights keep their places in memory, so the caller sets or moves them.
  func assign(ascending positions: UnsafeBufferPointer<Int64>, scratch: TopologyScratch) {
    let isAsBefore = positions.count == count
    makeRoom(for: positions.count)
    csr.columns.resize(positions.count)
    unsafe csr.assign(ascending: positions)
    resize(positions.count)
    if !isAsBefore { parameter.setSize(stored, storedCapacity) }
    scratch.makeRoom(for: self)
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
          + "\(count) connections", hint: "Only topology updates change the number of connections.")
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

  // MARK: - In an update

  /// Copies the topology into the scratch, before an update writes the next one in its place.
  func saveTopology(in scratch: TopologyScratch) {
    unsafe scratch.oldColumns.base.update(from: csr.columns.base, count: count)
    unsafe scratch.oldRowOffsets.base.update(from: csr.rowOffsets.base, count: outputs + 1)
  }

  /// Where an update writes the next topology: columns and row offsets.
  var topologyBases: (UnsafeMutablePointer<Int32>, UnsafeMutablePointer<Int64>) {
    unsafe (csr.columns.base, csr.rowOffsets.base)
  }

  /// Connections that the topology has memory for.
  var capacity: Int { csr.columns.capacity }

  /// Whether updates only ever leave fewer connections: then room for more is of no use.
  var onlyLosesConnections = false

  /// The capacity for another number of connections: more than needed, so that not every update
  /// allocates, or less than there was where half of it would lie idle; an eighth, where the number
  /// falls all the time.
  private func capacity(for connections: Int) -> Int {
    if connections > capacity { return min(positions, max(connections, capacity + capacity / 4)) }
    let least = onlyLosesConnections ? capacity - capacity / 8 : capacity / 2
    return connections <= least ? connections : capacity
  }

  /// Makes room for a topology of so many connections, before it is written.
  func makeRoom(for connections: Int) {
    if connections > capacity { csr.columns.reallocate(capacity(for: connections)) }
    csr.columns.resize(max(count, connections))
  }

  /// Takes on the topology that was written, of so many connections: their number, storage and lists.
  /// The weights are the caller's to move.
  func topologyDidChange(count connections: Int, scratch: TopologyScratch) {
    resize(connections)
    rebuild(scratch)
  }

  /// Changes the number of connections, and with it the memory of all but the parameter.
  private func resize(_ connections: Int) {
    guard connections != count else { return csr.columns.resize(connections) }
    let capacity = capacity(for: connections)
    count = connections
    csr.columns.resize(connections)
    csr.columns.reallocate(capacity)
    storage = storage(of: connections)
    let (listed, room) = storage == .sparse ? (connections, capacity) : (0, 0)
    csrIndices.setSize(listed, room)
    forwardSources.setSize(listed, room)
    forwardWeights.setSize(listed, room)
    if windows != nil { valuesRead.setSize(listed, room) }
    forward.resize(listed, capacity: room)
    backward.resize(listed, capacity: room)
  }

  private func rebuild(_ scratch: TopologyScratch) {
    weightsDidChange()
    guard storage == .sparse else { return collectInactive() }
    inactive.setSize(0, 0)
    scratch.makeRoom(for: self)
    windows?.write(csr, into: valuesRead)
    let columns = unsafe windows == nil ? csr.columns.base : valuesRead.base
    unsafe backward.build(
      csr, columns: columns, csrIndices: csrIndices.base, workspace: scratch.words.base)
    scratch.invert(csrIndices)
    unsafe forward.build(
      csr, columns: columns, csrIndices: forwardSources.base, workspace: scratch.words.base)
    for entry in 0..<count {
      unsafe forwardSources.base[entry] =
        scratch.storageIndices[Int(forwardSources.base[entry])]
    }
  }

  /// Calls `body` with the CSR index of each connection and its place in the arrays, in no particular
  /// order.
  func forEachPlace(_ body: (_ index: Int, _ place: Int) -> Void) {
    guard storage == .dense else {
      for place in 0..<count { unsafe body(Int(csrIndices.base[place]), place) }
      return
    }
    forEachPosition { index, position in body(index, densePlace(position)) }
  }

  /// Writes each connection's place in the arrays, in CSR order.
  func writePlaces(into places: UnsafeMutablePointer<Int32>) {
    forEachPlace { index, place in unsafe places[index] = Int32(place) }
  }

  /// Elements of the parameter's arrays with the number of connections as it is, and those that they
  /// have memory for.
  var stored: Int { storage == .sparse ? count : positions }
  var storedCapacity: Int { storage == .sparse ? capacity : positions }

  /// Where dense storage has the weight at a position.
  private func densePlace(_ position: Int) -> Int { variation?.order?(position) ?? position }

  /// Calls `body` with the CSR index and the position of each connection.
  private func forEachPosition(_ body: (_ index: Int, _ position: Int) -> Void) {
    for row in 0..<outputs {
      for index in csr.row(row) { unsafe body(index, row * inputs + Int(csr.columns.base[index])) }
    }
  }

  /// Lists the places without a connection.
  private func collectInactive() {
    // Room for as many as there may be in this storage.
    let most = Int(Double(positions) * (1 - (variation?.denseFrom ?? 1))) + 1
    if inactive.capacity < most { inactive.reallocate(max(most, positions - count)) }
    inactive.makeRoom(positions - count)
    var (next, expected) = (0, 0)
    func add(upTo position: Int) {
      while expected < position {
        unsafe inactive.base[next] = Int32(densePlace(expected))
        (next, expected) = (next + 1, expected + 1)
      }
    }
    forEachPosition { _, position in
      add(upTo: position)
      expected = position + 1
    }
    add(upTo: positions)
  }

  /// Zeroes the gradient where there is no connection: neither clipping nor the optimizer, whose slots
  /// are 0 there, then know of these places.
  func maskGradient() {
    forEachInactivePlace { unsafe parameter.gradient.base[$0] = 0 }
  }

  /// Calls `body` with each place in the arrays where dense storage has no connection.
  @inline(__always)
  func forEachInactivePlace(_ body: (_ place: Int) -> Void) {
    for index in 0..<inactive.count { unsafe body(Int(inactive.base[index])) }
  }

  /// Zeroes weights and what lies beside them where there is no connection.
  func clearInactive(_ slots: [Slot]) {
    forEachInactivePlace { place in
      unsafe parameter.values.base[place] = 0
      for number in 0..<slots.count { unsafe slots[number].buffer.base[place] = 0 }
    }
  }

  // MARK: - In a step

  /// Says that the weights have changed.
  func weightsDidChange() {
    forwardIsStale = true
    changes += 1
  }

  /// The weights in the order of the forward list.
  var forwardBase: UnsafePointer<Float> { unsafe UnsafePointer(forwardWeights.base) }

  /// Brings ``forwardBase`` up to date.
  func refreshForwardWeights(_ pool: ThreadPool) {
    guard forwardIsStale else { return }
    pool.timed(.forwardWeights) {
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
  }

  /// Bytes held for the connections and their lists, without optimizer state.
  package var bytes: Int {
    parameter.capacity * 8 + capacity * 4 + (outputs + 1) * 8 + inactive.capacity * 4
      + (csrIndices.capacity + forwardSources.capacity + forwardWeights.capacity) * 4
      + valuesRead.capacity * 4 + forward.bytes + backward.bytes
  }
}
