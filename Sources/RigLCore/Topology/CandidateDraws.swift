/// How much goes in and out of a layer on a batch: what candidates for growth are drawn by.
package struct GradientActivity: Sendable {
  /// Σ |x| over the batch of each input channel, over its pixels too; of a layer whose weights have
  /// several taps an input channel, the taps are drawn alike.
  package var inputs: [Double]
  /// Σ |δ| over the batch of each output, δ the gradient of the layer's output.
  package var outputs: [Double]

  /// Creates sums; `inputs` divide the columns of the weight.
  package init(inputs: [Double], outputs: [Double]) {
    (self.inputs, self.outputs) = (inputs, outputs)
  }

  /// Whether all sums are numbers.
  var isFinite: Bool { inputs.allSatisfy(\.isFinite) && outputs.allSatisfy(\.isFinite) }
}

/// Draws of whole numbers with given probabilities, in constant time each.
///
/// Walker's alias method as Vose builds it: M. D. Vose, *A linear algorithm for generating random numbers
/// with a given distribution*, IEEE Transactions on Software Engineering 17(9), 1991.
struct AliasTable {
  private let cuts: [Float]
  private let aliases: [Int32]

  /// A table of weights, 0 or more; nil if they are all 0, or one is not finite.
  init?(_ weights: [Double]) {
    let sum = weights.reduce(0, +)
    guard sum > 0, sum.isFinite else { return nil }
    var shares = weights.map { $0 / sum * Double(weights.count) }
    var cuts = [Float](repeating: 1, count: weights.count)
    var aliases = (0..<weights.count).map { Int32($0) }
    var small = shares.indices.filter { shares[$0] < 1 }
    var large = shares.indices.filter { shares[$0] >= 1 }
    while let few = small.popLast(), let many = large.last {
      cuts[few] = Float(shares[few])
      aliases[few] = Int32(many)
      shares[many] -= 1 - shares[few]
      if shares[many] < 1 {
        large.removeLast()
        small.append(many)
      }
    }
    // What is left is 1 but for rounding; of what must not be drawn at all it is nothing.
    for index in small where weights[index] == 0 { cuts[index] = 0 }
    if let place = weights.firstIndex(where: { $0 > 0 }) {
      for index in weights.indices where weights[index] == 0 && aliases[index] == Int32(index) {
        aliases[index] = Int32(place)
      }
    }
    (self.cuts, self.aliases) = (cuts, aliases)
  }

  /// The number that 32 random bits draw.
  func draw(_ bits: UInt32) -> Int {
    let product = UInt64(bits) * UInt64(cuts.count)
    let index = Int(product >> 32)
    let fraction = Float(UInt32(truncatingIfNeeded: product) >> 8) * 0x1p-24
    return fraction < cuts[index] ? index : Int(aliases[index])
  }
}

/// Candidates for growth: positions drawn by how much goes in and out there.
package struct CandidateDraws {
  /// Ascending positions without a kept connection, each once.
  package private(set) var positions: [Int64] = []

  /// Draws `count` pairs of input and output, independently and with replacement; pairs that have a kept
  /// connection or were drawn before are left out. None where a sum is 0.
  ///
  /// - Parameters:
  ///   - activity: how likely inputs and outputs are.
  ///   - inputs: columns of the weight.
  ///   - random: the draws' numbers.
  ///   - kept: calls back with the kept columns of a row, ascending.
  package init(
    _ count: Int, by activity: GradientActivity, inputs: Int, _ random: CounterRandom,
    keptColumns kept: (_ row: Int, _ body: (Int) -> Void) -> Void
  ) {
    guard let columns = AliasTable(activity.inputs), let rows = AliasTable(activity.outputs) else {
      return
    }
    let taps = inputs / activity.inputs.count
    // Pair d: words of block d. Rows first, so that each row's columns are together.
    var starts = [Int](repeating: 0, count: activity.outputs.count + 1)
    var drawn = [(row: Int32, column: Int32)](repeating: (0, 0), count: count)
    for index in 0..<count {
      let words = random.block(UInt64(index))
      let row = rows.draw(words.x)
      var column = columns.draw(words.y) * taps
      if taps > 1 { column += Int((UInt64(words.z) * UInt64(taps)) >> 32) }
      drawn[index] = (Int32(row), Int32(column))
      starts[row + 1] += 1
    }
    for row in 0..<activity.outputs.count { starts[row + 1] += starts[row] }
    var byRow = [Int32](repeating: 0, count: count)
    var next = starts
    for (row, column) in drawn {
      byRow[next[Int(row)]] = column
      next[Int(row)] += 1
    }
    positions.reserveCapacity(count)
    for row in 0..<activity.outputs.count where starts[row] < starts[row + 1] {
      byRow[starts[row]..<starts[row + 1]].sort()
      var place = starts[row]
      let end = starts[row + 1]
      func offer(below limit: Int32) {
        while place < end && byRow[place] < limit {
          let column = byRow[place]
          positions.append(Int64(row) * Int64(inputs) + Int64(column))
          while place < end && byRow[place] == column { place += 1 }
        }
      }
      kept(row) { column in
        offer(below: Int32(column))
        while place < end && byRow[place] == Int32(column) { place += 1 }
      }
      offer(below: .max)
    }
  }
}
