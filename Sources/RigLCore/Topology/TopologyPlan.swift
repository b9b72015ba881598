/// How many connections each layer is to drop in an update, and to have after it: what a
/// ``TopologyMethod`` decides for all layers before the first of them moves.
///
/// By default each layer drops k = trunc(n f(t)) of its n connections and grows as many. Weights and the
/// optimizer's state can be looked at; gradients only before the first step.
public final class TopologyPlan {
  /// One layer's part.
  public final class Layer {
    /// The layer's connections as they are.
    public let weights: SparseWeights
    /// Connections to drop (k).
    public var drop = 0
    /// Connections to have after the update; what is missing after the drop is grown.
    public var target = 0
    /// The optimizer's state beside the weights.
    let slots: [Slot]
    /// What the method keeps of gradients; nil: nothing.
    let memory: GradientMemories.Layer?
    /// Connections at the beginning of the training.
    package internal(set) var initialCount: Int
    /// The factor that makes the weights' gradients means; nil: they are not at hand.
    fileprivate var gradientMean: Float?
    /// Connections that the layer keeps whatever the pool says, while there is one.
    fileprivate var isOutOfPool = false

    init(_ weights: SparseWeights, slots: [Slot], memory: GradientMemories.Layer?) {
      (self.weights, self.slots, self.memory) = (weights, slots, memory)
      target = weights.count
      initialCount = weights.count
    }

    /// The layer's name.
    public var name: String { weights.name }
    /// Connections before the update (n_l).
    public var count: Int { weights.count }
    /// Positions that connections could have (N_l).
    public var positions: Int { weights.positions }

    /// Calls `body` with each connection, in no particular order.
    public func forEachConnection(_ body: (Connection) -> Void) {
      weights.forEachPlace { index, place in
        body(
          Connection(
            weights: weights, slots: slots, memory: memory, index: index, place: place,
            gradientMean: gradientMean))
      }
    }
  }

  /// The sparse layers, in the order of the network.
  public let layers: [Layer]
  /// Weight steps taken (t).
  public private(set) var step = 0
  /// The fraction of connections that the schedule moves at this step (f(t)).
  public private(set) var dropFraction = 0.0
  private let histogram: MagnitudeCut.Histogram

  init(
    layers: [SparseWeights], optimizer: OptimizerState, memories: GradientMemories?,
    scratch: TopologyScratch
  ) {
    self.layers = layers.map {
      Layer($0, slots: optimizer.slots(of: $0.parameter), memory: memories?[$0])
    }
    histogram = scratch.histogram
  }

  /// Connections of all layers before the update.
  public var count: Int {
    // By index: without optimisation, iterating over an array allocates.
    var sum = 0
    for index in 0..<layers.count { sum += layers[index].count }
    return sum
  }
  /// Connections of all layers at the beginning of the training.
  package var initialCount: Int {
    var sum = 0
    for index in 0..<layers.count { sum += layers[index].initialCount }
    return sum
  }
  /// Positions of all layers.
  public var positions: Int {
    var sum = 0
    for index in 0..<layers.count { sum += layers[index].positions }
    return sum
  }

  /// Starts over for an update.
  func begin(step: Int, fraction: Double, gradientMean: Float?) {
    (self.step, dropFraction) = (step, fraction)
    for index in 0..<layers.count {
      let layer = layers[index]
      layer.drop = UpdateSchedule.moved(of: layer.count, fraction: fraction)
      layer.target = layer.count
      layer.gradientMean = gradientMean
    }
  }

  /// Has the layers keep, in one pool, the `total` connections whose score is of largest magnitude, and
  /// no others; ties go to earlier layers and, there, to lower positions. Sets each layer's ``Layer/drop``
  /// and ``Layer/target``; ``LayerUpdate/dropSmallest(_:by:)`` by the same score then drops the rest.
  ///
  /// - Parameters:
  ///   - total: connections that stay, of all layers together.
  ///   - minimum: connections that each layer keeps, as far as it has them: where the pool leaves it fewer,
  ///     others have as many fewer.
  ///   - score: a connection's score: a pure function, asked several times for each.
  /// - Throws: `RigLError(.numerical)` if a score is not a number.
  public func keepLargest(
    _ total: Int, minimum: Int = 0, by score: (Connection) -> Float
  ) throws(RigLError) {
    trap(unless: total >= 0 && total <= count, "keep \(total) of \(count) connections")
    for index in 0..<layers.count { layers[index].isOutOfPool = false }
    var pool = total
    while true {
      try shareOut(pool, score)
      // Layers that are left too few leave the pool with their minimum, the others share the rest.
      var isShort = false
      for index in 0..<layers.count where !layers[index].isOutOfPool {
        let layer = layers[index]
        let least = min(minimum, layer.count)
        guard layer.target < least else { continue }
        (layer.drop, layer.target, layer.isOutOfPool) = (layer.count - least, least, true)
        pool = max(0, pool - least)
        isShort = true
      }
      guard isShort else { return }
    }
  }

  /// Shares `total` connections out among the layers in the pool.
  private func shareOut(_ total: Int, _ score: (Connection) -> Float) throws(RigLError) {
    guard total > 0 else {
      for index in 0..<layers.count where !layers[index].isOutOfPool {
        (layers[index].drop, layers[index].target) = (layers[index].count, 0)
      }
      return
    }
    let (cut, tied) = try cut(keeping: total, score)
    var ties = tied
    for index in 0..<layers.count where !layers[index].isOutOfPool {
      let layer = layers[index]
      var (above, equal) = (0, 0)
      layer.forEachConnection { connection in
        let key = score(connection).magnitude.bitPattern
        if key > cut { above += 1 } else if key == cut { equal += 1 }
      }
      let kept = above + min(equal, ties)
      ties -= min(equal, ties)
      (layer.drop, layer.target) = (layer.count - kept, kept)
    }
  }

  /// The bits of the `total`-th largest magnitude of all scores, and how many of those equal to it are
  /// among the largest: digit by digit from the highest, each in a pass over all connections, so that
  /// scores need no memory.
  private func cut(
    keeping total: Int, _ score: (Connection) -> Float
  ) throws(RigLError) -> (cut: UInt32, ties: Int) {
    var (prefix, left) = (UInt32(0), total)
    for pass in 0..<3 {
      let (shift, width) = (pass == 0 ? 20 : pass == 1 ? 9 : 0, pass == 2 ? 9 : 11)
      let counts = unsafe histogram.buffer.base
      unsafe counts.update(repeating: 0, count: 1 << width)
      var broken: Layer?
      for index in 0..<layers.count where !layers[index].isOutOfPool {
        let layer = layers[index]
        layer.forEachConnection { connection in
          let magnitude = score(connection).magnitude
          if magnitude.isNaN { broken = broken ?? layer }
          let key = magnitude.bitPattern
          guard key >> UInt32(shift + width) == prefix else { return }
          unsafe counts[Int(key >> UInt32(shift)) & (1 << width - 1)] += 1
        }
      }
      if let broken { throw LayerUpdate.notANumber("a score", layer: broken.name, step: step) }
      var digit = 1 << width - 1
      while unsafe digit > 0 && Int(counts[digit]) < left {
        unsafe left -= Int(counts[digit])
        digit -= 1
      }
      prefix = prefix << UInt32(width) | UInt32(digit)
    }
    return (prefix, left)
  }

  /// Traps where a layer's numbers cannot be.
  func requirePossible() {
    for index in 0..<layers.count {
      let layer = layers[index]
      trap(
        unless: layer.drop >= 0 && layer.drop <= layer.count
          && layer.target >= layer.count - layer.drop && layer.target <= layer.positions,
        "layer \(layer.name): drop \(layer.drop) of \(layer.count) connections and have "
          + "\(layer.target) of \(layer.positions) afterwards")
    }
  }
}
