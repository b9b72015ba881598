/// A batch's groups in bands, and how threads share the work on them.
///
/// Bands are so large that their operands fit the second-level cache: a slab's connections, once
/// loaded, serve a whole band. Where the connections are the smaller part of what is read, or there
/// are bands enough, a thread's share is some bands; else it is some connections of one band.
struct GroupBands {
  private let groups: Int
  private let groupsPerBand: Int
  /// Whether a thread's share is a band; else it is some connections of one.
  let areShared: Bool

  /// Bytes of operands in a band: a constant, since the order of sums depends on it.
  private static let bytes = 3 << 17

  /// Bands of a layer with `connections` connections between `channels` inputs and outputs, for a
  /// batch.
  init(of tensor: Tensor, channels: Int, connections: Int) {
    self.init(
      groups: tensor.groups, lanes: tensor.lanes, channels: channels, connections: connections)
  }

  /// Bands for `groups` groups of `lanes` samples.
  init(groups: Int, lanes: Int, channels: Int, connections: Int) {
    self.groups = groups
    let groupBytes = channels * lanes * MemoryLayout<Float>.stride
    // Small batches gain less from the cache than they lose by meeting of the threads.
    let least = groups <= 8 ? 4 : 1
    let cached = max(GroupBands.bytes / groupBytes, least)
    // Each thread reads what is not shared out: the operand (half of a group), or the list.
    let listBytes = connections * 2 * MemoryLayout<Float>.stride
    let listIsSmall = listBytes < groups * groupBytes / 2 && groups >= GroupBands.leastGroups
    areShared = listIsSmall || groups.dividedUp(by: cached) >= 2 * GradientParts.count
    groupsPerBand =
      areShared ? min(cached, groups.dividedUp(by: GradientParts.count)) : cached
  }

  /// A batch of fewer groups leaves too few shares.
  private static let leastGroups = 4

  /// The number of bands.
  var count: Int { groups.dividedUp(by: groupsPerBand) }

  /// Parts of the gradient, where bands are shared out: each sums some bands.
  var parts: Int { min(GradientParts.count, count) }

  /// The bands of a part.
  func part(_ part: Int) -> Range<Int> {
    part * count / parts..<(part + 1) * count / parts
  }

  /// The groups of a band.
  subscript(band: Int) -> Range<Int> {
    band * groupsPerBand..<Swift.min((band + 1) * groupsPerBand, groups)
  }
}

/// Which band of a product each thread has in its cache.
///
/// Products read their operands in the order of connections, which no hardware foresees: out of
/// memory, that is a wait for each row. So a thread reads a band once in order before its first
/// slab of it.
final class WarmBands {
  /// The band that each thread has in its cache, a cache line apart.
  private var bands: AlignedBuffer<Int>
  private static let stride = 8

  init(threads: Int) {
    bands = AlignedBuffer(count: threads * WarmBands.stride)
  }

  /// Forgets all bands, when another product begins.
  func reset() {
    bands.fill(-1)
  }

  /// Whether a thread has not worked on the band before.
  func isFirst(_ band: Int, of worker: Int) -> Bool {
    let slot = unsafe bands.base + worker * WarmBands.stride
    guard unsafe slot.pointee != band else { return false }
    unsafe slot.pointee = band
    return true
  }
}

/// Sums of a layer's gradient over parts of a batch, for threads that share out its bands: a fixed
/// number, whatever the number of threads, added up in order.
@safe
final class GradientParts {
  /// Parts of a batch: enough to keep several threads equally busy.
  static let count = 8

  private let weight: Parameter
  private let bias: Parameter?
  /// The memory of all parts but the first, which is the gradient itself; shared by layers.
  private let memory: SharedMemory
  private let user: Int

  /// Parts of a layer's gradient, in memory that other layers use, too; ``isNeeded`` makes room.
  init(weight: Parameter, bias: Parameter?, memory: SharedMemory) {
    self.weight = weight
    self.bias = bias
    self.memory = memory
    user = memory.addUser()
  }

  /// Whether the layer needs parts, of as many weights as it has memory for; said again when that has
  /// changed.
  var isNeeded = false {
    didSet {
      let stride = weight.capacity + (bias?.count ?? 0)
      memory.reserve(isNeeded ? (GradientParts.count - 1) * stride : 0, for: user)
    }
  }

  private var stride: Int { weight.count + (bias?.count ?? 0) }

  /// Where a part sums the gradients of weight and bias.
  func bases(_ part: Int) -> (
    weight: UnsafeMutablePointer<Float>, bias: UnsafeMutablePointer<Float>?
  ) {
    guard part > 0 else {
      return unsafe (weight.gradient.base, bias.map { unsafe $0.gradient.base })
    }
    let base = unsafe memory.buffer.base + (part - 1) * stride
    return unsafe (base, bias.map { _ in unsafe base + weight.count })
  }

  /// Adds the first `parts` parts up into the layer's gradients.
  func join(_ parts: Int = GradientParts.count, pool: ThreadPool) {
    guard parts > 1 else { return }
    pool.timed(.gradientJoin) {
      let pieces = Pieces(of: stride, least: 1 << 11)
      pool.run(chunks: pieces.count, with: (self, pieces, parts)) { work, chunk, _ in
        let (own, pieces, parts) = work
        let (range, weights) = (pieces[chunk], own.weight.count)
        own.add(range.clamped(to: 0..<weights), to: own.weight, from: 0, parts)
        if let bias = own.bias {
          own.add(range.clamped(to: weights..<own.stride), to: bias, from: weights, parts)
        }
      }
    }
  }

  private func add(_ range: Range<Int>, to parameter: Parameter, from: Int, _ parts: Int) {
    // Read once: through the buffer, every thread's sum would count as a change of the whole.
    let target = unsafe parameter.gradient.base - from
    for part in 1..<parts {
      let source = unsafe bases(part).weight
      for index in range { unsafe target[index] += source[index] }
    }
  }
}

/// Memory that the stages of a model use one after the other: as much as the one needs that needs most,
/// and less again when it needs less.
final class SharedMemory {
  private(set) var buffer = AlignedBuffer<Float>(count: 0)
  /// Elements that each user needs.
  private var needs: [Int] = []

  /// The number of another user, who needs nothing yet.
  func addUser() -> Int {
    needs.append(0)
    return needs.count - 1
  }

  /// Makes it so many elements for a user; what was in it is lost if that changes its size.
  func reserve(_ count: Int, for user: Int) {
    guard needs[user] != count else { return }
    needs[user] = count
    var most = 0
    for index in 0..<needs.count { most = max(most, needs[index]) }
    if most != buffer.count { buffer = AlignedBuffer(count: most) }
  }
}

/// Elements in up to 64 pieces, for threads to share.
struct Pieces {
  private let elements: Int
  private let size: Int

  /// Pieces of `least` elements or more.
  init(of elements: Int, least: Int) {
    self.elements = elements
    size = max(least, elements.dividedUp(by: 64))
  }

  /// The number of pieces.
  var count: Int { elements.dividedUp(by: size) }

  /// The elements of a piece.
  subscript(piece: Int) -> Range<Int> { piece * size..<min((piece + 1) * size, elements) }
}

extension Tensor {
  /// Turns the gradient of a layer's output, which this is, into that of its product for a band of
  /// groups, in place: channel range by channel range, so that each bias gradient has one owner and
  /// sums its groups in order.
  func applyEpilogueBackward(
    groups: Range<Int>, output: Tensor, bias: Parameter?, epilogue: Epilogue, pass: Pass
  ) {
    guard needsEpilogueBackward(groups: groups, bias: bias, epilogue: epilogue, pass) else {
      return
    }
    if let bias, groups.lowerBound == 0, !pass.accumulatesGradients { bias.gradient.fill(0) }
    let operands = (self, groups, output, bias, epilogue, pass)
    pass.pool.run(chunks: shape.count.dividedUp(by: 64), with: operands) { operands, index, _ in
      let (gradient, groups, output, bias, epilogue, pass) = operands
      let channels = index * 64..<min((index + 1) * 64, gradient.shape.count)
      for group in groups {
        unsafe gradient.applyEpilogueBackward(
          group: group, channels: channels, output: output,
          biasGradient: bias.map { unsafe $0.gradient.base }, epilogue: epilogue, pass: pass)
      }
    }
  }

  /// Whether there is anything to apply to the gradient of a layer's output.
  func needsEpilogueBackward(
    groups: Range<Int>, bias: Parameter?, epilogue: Epilogue, _ pass: Pass
  ) -> Bool {
    let hasDeadLanes = liveLanes(group: groups.upperBound - 1) < lanes
    return bias != nil || hasDeadLanes || !epilogue.isIdentity(pass)
  }
}
