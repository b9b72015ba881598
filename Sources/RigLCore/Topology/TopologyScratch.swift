/// The memory that drawing and moving connections works in, shared by the layers of a network and
/// sized for the largest, so that a topology update allocates nothing.
final class TopologyScratch {
  /// Workspace of the list builder.
  var words: AlignedBuffer<Int64>
  /// The topology before an update; when the next one is written, values while they are moved.
  var oldColumns: AlignedBuffer<Int32>
  /// Where each row starts in `oldColumns`.
  var oldRowOffsets: AlignedBuffer<Int64>
  /// For each connection before an update, in CSR order, what becomes of it.
  var fates: AlignedBuffer<ConnectionFate>
  /// Old storage index of each connection of the next topology in CSR order, -1 where it is new.
  var origins: AlignedBuffer<Int32>
  /// Counts of magnitudes, for the cut.
  let histogram = MagnitudeCut.Histogram()
  /// The change of the last update, for the optimizer's slots to follow.
  let change: TopologyChange

  /// Storage index of each connection in CSR order, between ``invert(_:)`` and the moment when the
  /// change's origins, whose memory this is, are written.
  var storageIndices: UnsafeMutablePointer<Int32> { unsafe change.origins.base }

  /// Sets `storageIndices` to the inverse of a layer's CSR indices.
  func invert(_ csrIndices: borrowing AlignedBuffer<Int32>) {
    change.origins.invert(csrIndices)
  }

  /// The most connections that updates of the layers as they are work on.
  private static func connections(of layers: [SparseWeights]) -> Int {
    var most = 0
    for index in 0..<layers.count { most = max(most, layers[index].capacity, layers[index].stored) }
    return most
  }

  /// Scratch for the given layers.
  init(layers: [SparseWeights]) {
    let connections = TopologyScratch.connections(of: layers)
    let rows = layers.map(\.outputs).max() ?? 0
    words = AlignedBuffer(count: layers.map(\.workspaceCount).max() ?? 0)
    oldColumns = AlignedBuffer(count: connections)
    oldRowOffsets = AlignedBuffer(count: rows + 1)
    fates = AlignedBuffer(count: connections)
    origins = AlignedBuffer(count: connections)
    change = TopologyChange(atMost: connections)
  }

  /// Gives memory back of which the layers, as an update has left them, need much less.
  func shrink(to layers: [SparseWeights]) {
    let connections = TopologyScratch.connections(of: layers)
    oldColumns.shrink(to: connections)
    fates.shrink(to: connections)
    origins.shrink(to: connections)
    change.origins.shrink(to: connections)
    var workspace = 0
    for index in 0..<layers.count { workspace = max(workspace, layers[index].workspaceCount) }
    words.shrink(to: workspace)
  }

  /// Bytes held.
  var bytes: Int {
    8 * words.capacity + 4 * (oldColumns.capacity + origins.capacity + change.origins.capacity)
      + fates.capacity + 8 * oldRowOffsets.capacity
  }

  /// Makes room for a layer as it is, and for a next topology of so many connections.
  func makeRoom(for layer: SparseWeights, next connections: Int = 0) {
    let stored = layer.storage(of: connections) == .sparse ? connections : layer.positions
    // Two at a time: of more, an array is made.
    let needed = max(max(layer.count, layer.stored), max(connections, stored))
    if layer.workspaceCount > words.count { words.makeRoom(layer.workspaceCount) }
    guard needed > oldColumns.count else { return }
    oldColumns.makeRoom(needed)
    fates.makeRoom(needed)
    origins.makeRoom(needed)
    change.origins.makeRoom(needed)
  }
}

/// The fate of a connection in a topology update.
enum ConnectionFate: UInt8 {
  /// The connection stays.
  case kept
  /// It is dropped: a candidate for growth like any other position, that keeps its weight and state if
  /// it is grown again.
  case dropped
  /// It is pruned: a candidate that starts anew if it is grown again.
  case pruned
  /// It is dropped, and its score is 0: a candidate before all others of that score.
  case droppedAtZero
  /// It was dropped, and is grown again because no candidate had a better score than 0.
  case regrown

  /// Whether the connection is in the next topology without having been selected for it.
  var stays: Bool { self == .kept || self == .regrown }
}

/// Where a layer's connections were before a topology update.
package final class TopologyChange {
  /// For each element of the parameter's arrays, its index before the update; -1 where it is a new
  /// connection's, or in dense storage none's.
  package internal(set) var origins: AlignedBuffer<Int32>
  /// Connections of the layer after the update.
  package internal(set) var count = 0
  /// Elements of the parameter's arrays after the update: the connections, or in dense storage the
  /// positions.
  package internal(set) var stored = 0
  /// Elements that these arrays are to have memory for.
  var capacity = 0
  /// Connections that are new: the grown ones less those that had just been dropped.
  package internal(set) var newConnections = 0

  init(atMost connections: Int) {
    origins = AlignedBuffer(count: connections)
  }
}
