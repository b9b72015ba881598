/// From when to when values are needed, and which of them can therefore lie in the same memory.
struct Lifetimes {
  /// For each value the first and the last place in an order of stages at which it is in use.
  private var ranges: [ClosedRange<Int>?]

  /// Lifetimes of so many values, of which none is in use yet.
  init(of values: Int) {
    ranges = [ClosedRange<Int>?](repeating: nil, count: values)
  }

  /// Says that a value is in use at a place; nil: no value.
  mutating func use(_ value: Int?, at place: Int) {
    guard let value else { return }
    let range = ranges[value] ?? place...place
    ranges[value] = min(range.lowerBound, place)...max(range.upperBound, place)
  }

  /// Gives each value that is ever in use a memory that no other one uses at the same time.
  ///
  /// The largest values first is best where lifetimes nest, as in residual blocks; in the order in which
  /// they begin, where each overlaps with its neighbours alone: two memories then do. The one that
  /// takes less is taken.
  ///
  /// - Parameter sizes: floats of each value.
  /// - Returns: for each value its memory, and the floats of each memory.
  func share(_ sizes: [Int]) -> (memories: [Int?], counts: [Int]) {
    let used = sizes.indices.filter { ranges[$0] != nil }
    let bySize = used.sorted { (sizes[$0], $1) > (sizes[$1], $0) }
    let byBegin = used.sorted { (begin($0), $0) < (begin($1), $1) }
    let (one, other) = (share(sizes, in: bySize), share(sizes, in: byBegin))
    return one.counts.reduce(0, +) <= other.counts.reduce(0, +) ? one : other
  }

  private func begin(_ value: Int) -> Int { ranges[value]?.lowerBound ?? 0 }

  private func share(_ sizes: [Int], in order: [Int]) -> (memories: [Int?], counts: [Int]) {
    var memories = [Int?](repeating: nil, count: sizes.count)
    var (counts, taken) = ([Int](), [[ClosedRange<Int>]]())
    for value in order {
      guard let range = ranges[value] else { continue }
      let free = taken.indices.filter { place in
        taken[place].allSatisfy { !$0.overlaps(range) }
      }
      // The smallest that is large enough, or else the largest, which grows the least.
      let fitting = free.filter { counts[$0] >= sizes[value] }.min { counts[$0] < counts[$1] }
      let place = fitting ?? free.max { counts[$0] < counts[$1] } ?? taken.count
      if place == taken.count {
        taken.append([])
        counts.append(0)
      }
      taken[place].append(range)
      counts[place] = max(counts[place], sizes[value])
      memories[value] = place
    }
    return (memories, counts)
  }
}
