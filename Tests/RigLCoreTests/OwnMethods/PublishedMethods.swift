import RigLCore

// Methods of the literature on the library's public parts alone, to be compared with independent runs.

/// Which layers take part, and their share of positions without a connection.
struct Participants: Sendable {
  var densities: [String: Double]

  func sparsity(of layer: TopologyPlan.Layer) -> Double { 1 - (densities[layer.name] ?? 1) }
}

/// A cubic schedule of sparsity.
struct CubicSparsity: Sendable {
  var initial = 0.0
  var final: Double
  var begin: Int
  var end: Int

  func sparsity(at step: Int) -> Double {
    let left = 1 - min(max(Double(step - begin) / Double(end - begin), 0), 1)
    return final + (initial - final) * left * left * left
  }

  /// Connections of a layer, or a pool, at a step.
  func kept(of positions: Int, count: Int, at step: Int) -> Int {
    let kept = Int((Double(positions) * (1 - sparsity(at: step)) + 0.5).rounded(.down))
    return min(max(kept, 1), count)
  }

  /// Sets what layers keep, each by itself or all in one pool.
  func plan(_ update: TopologyPlan, isGlobal: Bool) throws(RigLError) {
    if isGlobal {
      let kept = kept(of: update.positions, count: update.count, at: update.step)
      return try update.keepLargest(kept) { $0.weight }
    }
    for layer in update.layers {
      layer.target = kept(of: layer.positions, count: layer.count, at: update.step)
      layer.drop = layer.count - layer.target
    }
  }
}

/// Gradual magnitude pruning, layer by layer.
struct LayerPruning: TopologyMethod {
  var sparsity: CubicSparsity
  var interval: Int
  let timing = TopologyTiming.afterWeightStep
  let counts = ConnectionCounts.pruned

  func isDue(at step: Int, last: Int, _ schedule: UpdateSchedule) -> Bool {
    guard sparsity.begin <= step, step <= sparsity.end, last < step else { return false }
    return step == sparsity.end || (step - sparsity.begin) % interval == 0
  }

  func plan(_ update: TopologyPlan) throws(RigLError) {
    try sparsity.plan(update, isGlobal: false)
  }

  func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
    try layer.dropSmallestMagnitudes(count)
  }
}

/// SNIP: keeps the largest |g · w| before the first step.
struct SNIPMethod: TopologyMethod {
  var participants: Participants
  var isGlobal: Bool
  let timing = TopologyTiming.beforeFirstStep
  let counts = ConnectionCounts.pruned

  func plan(_ update: TopologyPlan) throws(RigLError) {
    var total = 0
    for layer in update.layers {
      let sparsity = participants.sparsity(of: layer)
      layer.target = layer.positions - Int((sparsity * Double(layer.positions)).rounded(.down))
      layer.drop = layer.count - layer.target
      total += layer.target
    }
    if isGlobal { try update.keepLargest(total) { $0.weight * $0.gradient } }
  }

  func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
    try layer.dropSmallest(count) { $0.weight * $0.gradient }
  }
}

/// GraNet: prunes by a cubic schedule, and moves connections as RigL does.
struct GraNetMethod: TopologyMethod {
  var sparsity: CubicSparsity
  var isGlobal: Bool
  let timing = TopologyTiming.insteadOfWeightStep
  let counts = ConnectionCounts.pruned

  func plan(_ update: TopologyPlan) throws(RigLError) {
    try sparsity.plan(update, isGlobal: isGlobal)
  }

  func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
    try layer.pruneSmallestMagnitudes(count)
    let moved = UpdateSchedule.moved(of: layer.target, fraction: layer.dropFraction)
    try layer.dropSmallestMagnitudes(moved)
    try layer.growLargestGradients(layer.missing)
  }
}

/// SNFS: grows by a moment of the dense gradient, perhaps handing connections over between layers.
struct SNFSMethod: TopologyMethod {
  let moments: Moments
  var redistributes: Bool
  let timing = TopologyTiming.afterWeightStep
  var counts: ConnectionCounts { redistributes ? .variable : .constant }
  var observer: (any GrowthScore)? { Observer(moments: moments) }

  /// E of each layer; rows are written by one thread each.
  final class Moments: @unchecked Sendable {
    let decay: Float
    private var memory: [String: UnsafeMutablePointer<Float>] = [:]

    init(_ layers: [SparseWeights], decay: Float) {
      self.decay = decay
      for layer in layers {
        let moment = UnsafeMutablePointer<Float>.allocate(capacity: layer.positions)
        moment.initialize(repeating: 0, count: layer.positions)
        memory[layer.name] = moment
      }
    }

    func row(_ output: Int, of layer: SparseWeights) -> UnsafeMutablePointer<Float> {
      memory[layer.name]! + output * layer.inputs
    }

    deinit { for moment in memory.values { moment.deallocate() } }
  }

  private struct Observer: GrowthScore {
    let moments: Moments
    func score(
      _ gradients: inout MutableSpan<Float>, output: Int, inputs: Range<Int>,
      of layer: SparseWeights
    ) {
      let row = moments.row(output, of: layer)
      for (place, input) in inputs.enumerated() {
        row[input] = moments.decay * row[input] + (1 - moments.decay) * gradients[place]
      }
    }
  }

  private struct Score: GrowthScore {
    let moments: Moments
    func score(
      _ gradients: inout MutableSpan<Float>, output: Int, inputs: Range<Int>,
      of layer: SparseWeights
    ) {
      let row = moments.row(output, of: layer)
      for (place, input) in inputs.enumerated() { gradients[place] = row[input] }
    }
  }

  func plan(_ update: TopologyPlan) throws(RigLError) {
    guard redistributes else { return }
    let means = update.layers.map { layer in
      var sum = 0.0
      layer.forEachConnection {
        sum += Double(moments.row($0.output, of: layer.weights)[$0.input].magnitude)
      }
      return sum / Double(layer.count)
    }
    let caps = update.layers.map { $0.positions - ($0.count - $0.drop) }
    let grown = shares(update.layers.reduce(0) { $0 + $1.drop }, means, caps)
    for (layer, count) in zip(update.layers, grown) {
      layer.target = layer.count - layer.drop + count
    }
  }

  /// By largest remainders, with what exceeds a layer's room going round again.
  private func shares(_ total: Int, _ means: [Double], _ caps: [Int]) -> [Int] {
    var (counts, left) = (means.map { _ in 0 }, total)
    while left > 0 {
      let open = means.indices.filter { counts[$0] < caps[$0] }
      let sum = open.reduce(0) { $0 + means[$1] }
      let exact = open.map {
        Double(left) * (sum > 0 ? means[$0] / sum : 1 / Double(open.count))
      }
      var given = exact.map { Int($0.rounded(.down)) }
      let order = open.indices.sorted {
        let (one, other) = (exact[$0] - Double(given[$0]), exact[$1] - Double(given[$1]))
        return one != other ? one > other : $0 < $1
      }
      for place in order.prefix(left - given.reduce(0, +)) { given[place] += 1 }
      left = 0
      for (place, layer) in open.enumerated() {
        let room = caps[layer] - counts[layer]
        counts[layer] += min(given[place], room)
        left += max(given[place] - room, 0)
      }
    }
    return counts
  }

  func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
    try layer.dropSmallestMagnitudes(count)
    try layer.growLargest(layer.missing, by: Score(moments: moments))
  }
}
