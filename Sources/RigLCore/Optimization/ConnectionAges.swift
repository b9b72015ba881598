/// The births of a parameter's connections: since when each takes part in weight steps.
///
/// They move with the connections. A connection that is dropped and grown again in the same update
/// keeps its birth.
///
/// All threads read them in a step; they change between steps alone.
final class ConnectionAges: @unchecked Sendable {
  /// The weight steps that were taken when each connection began, beside the parameter's values; 0 where
  /// dense storage has no connection. Of no meaning while all have been there from the start.
  private(set) var births = AlignedBuffer<Int32>(count: 0)
  /// The birth of the youngest.
  private(set) var latest = 0
  /// Whether memory is held before it is needed.
  private var isReserved = false
  /// Values of the parameter.
  private var count: Int

  init(count: Int) { self.count = count }

  /// Whether connections differ from those that were there from the start. Nothing else is saved, so
  /// that what depends on it is the same after a resume.
  var areKept: Bool { latest > 0 }

  /// Bytes held.
  var bytes: Int { births.capacity * MemoryLayout<Int32>.stride }

  /// The birth of a connection, by its place in the parameter's arrays.
  func birth(at place: Int) -> Int { areKept ? Int(births[place]) : 0 }

  /// Holds memory for births, so that an update does not allocate it.
  func reserve(_ parameter: Parameter) {
    isReserved = true
    births.setSize(count, parameter.capacity)
  }

  /// A number of weight steps as births have it.
  private static func birth(after steps: Int) -> Int32 { Int32(clamping: steps) }

  /// Moves births as an update moved connections; new ones are born after so many weight steps.
  func follow(
    _ change: TopologyChange, of weights: SparseWeights, after steps: Int,
    scratch: TopologyScratch
  ) {
    let (old, new, now) = (count, change.stored, ConnectionAges.birth(after: steps))
    count = new
    // What was there from the start stays so.
    guard areKept || (now > 0 && change.newConnections > 0) else {
      if isReserved { births.setSize(new, change.capacity) }
      return
    }
    let copy = unsafe scratch.oldColumns.base
    trap(unless: scratch.oldColumns.count >= old, "follow: scratch too small")
    if areKept {
      unsafe copy.update(from: births.base, count: old)
    } else {
      unsafe copy.update(repeating: 0, count: old)
    }
    births.setSize(new, change.capacity)
    let (origins, target) = unsafe (change.origins.base, births.base)
    for index in 0..<new {
      let origin = unsafe Int(origins[index])
      unsafe target[index] = origin < 0 ? now : copy[origin]
    }
    weights.forEachInactivePlace { unsafe target[$0] = 0 }
    findLatest()
  }

  /// Lets all values of a parameter be born after so many weight steps, where their number has changed
  /// without an update.
  ///
  /// - Returns: whether it has.
  func fit(_ parameter: Parameter, after steps: Int) -> Bool {
    guard parameter.count != count else { return false }
    count = parameter.count
    births.setSize(count, parameter.capacity)
    births.fill(ConnectionAges.birth(after: steps))
    findLatest()
    return true
  }

  /// Takes the births of a parameter's connections, in storage order; nil: all were there from the
  /// start.
  func set(_ parameter: Parameter, _ saved: consuming AlignedBuffer<Int32>?) {
    count = parameter.count
    births.setSize(count, parameter.capacity)
    if let saved { births.copy(from: saved) } else { births.fill(0) }
    findLatest()
  }

  private func findLatest() {
    var latest: Int32 = 0
    let births = unsafe births.base
    for index in 0..<self.births.count { latest = unsafe max(latest, births[index]) }
    self.latest = Int(latest)
    if latest == 0 && !isReserved { self.births.setSize(0, 0) }
  }
}

/// Adam's corrections by age, as far as a table has them.
final class AdamCorrections: Sendable {
  /// The most ages in a table, of 2 MiB: later ones are computed, which takes a β₂ above .9999.
  static let most = 1 << 18

  /// Two for each age.
  let pairs: AlignedBuffer<Float>
  /// Ages in the table.
  let count: Int
  /// The age from which on there is nothing to correct.
  let settled: Int
  let beta1: Float
  let beta2: Float

  /// - Parameter most: the most ages in the table; 0: all are computed.
  init(beta1: Float, beta2: Float, atMost most: Int = AdamCorrections.most) {
    (self.beta1, self.beta2) = (beta1, beta2)
    settled = AdamRule.settledAge(beta1: beta1, beta2: beta2)
    count = min(settled, most)
    pairs = AlignedBuffer(count: 2 * count)
    AdamRule.fillCorrections(pairs, beta1: beta1, beta2: beta2)
  }
}
