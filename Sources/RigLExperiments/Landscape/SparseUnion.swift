/// A parameter of two networks at the positions that either of them has: a connection that one lacks
/// has weight 0 there.
package struct SparseUnion: Hashable, Sendable {
  /// A parameter as one network has it.
  package struct Part: Hashable, Sendable {
    /// The positions of its values in the dense shape, ascending; nil: every position has one.
    package var positions: [Int]?
    /// The values, in the order of positions.
    package var values: [Float]

    package init(positions: [Int]? = nil, values: [Float]) {
      (self.positions, self.values) = (positions, values)
    }
  }

  /// The positions, ascending; nil: every position.
  package let positions: [Int]?
  /// The values of the one network, in the order of positions.
  package let first: [Float]
  /// The values of the other.
  package let second: [Float]

  /// The number of positions.
  package var count: Int { first.count }

  /// Joins two networks' parts of a parameter.
  ///
  /// - Parameter all: positions of the dense shape.
  package init(_ a: Part, _ b: Part, of all: Int) {
    guard a.positions != nil || b.positions != nil else {
      (positions, first, second) = (nil, a.values, b.values)
      return
    }
    // Of one that has every position, the union has no fewer.
    let (places, others) = (a.positions ?? Array(0..<all), b.positions ?? Array(0..<all))
    var (union, first, second): ([Int], [Float], [Float]) = ([], [], [])
    let least = max(places.count, others.count)
    union.reserveCapacity(least)
    first.reserveCapacity(least)
    second.reserveCapacity(least)
    var (i, j) = (0, 0)
    while i < places.count || j < others.count {
      let place = min(i < places.count ? places[i] : .max, j < others.count ? others[j] : .max)
      union.append(place)
      if i < places.count, places[i] == place {
        first.append(a.values[i])
        i += 1
      } else {
        first.append(0)
      }
      if j < others.count, others[j] == place {
        second.append(b.values[j])
        j += 1
      } else {
        second.append(0)
      }
    }
    positions = union.count == all ? nil : union
    (self.first, self.second) = (first, second)
  }
}
