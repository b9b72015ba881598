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

  /// Gives each value that is ever in use a memory that no other one uses at the same time: the
  /// largest values first, so that each memory is as large as the first that lies there.
  ///
  /// - Parameter sizes: floats of each value.
  /// - Returns: for each value its memory, and the floats of each memory.
  func share(_ sizes: [Int]) -> (memories: [Int?], counts: [Int]) {
    var memories = [Int?](repeating: nil, count: sizes.count)
    var (counts, taken) = ([Int](), [[ClosedRange<Int>]]())
    for value in sizes.indices.sorted(by: { (sizes[$0], $1) > (sizes[$1], $0) }) {
      guard let range = ranges[value] else { continue }
      let place = taken.firstIndex { $0.allSatisfy { !$0.overlaps(range) } } ?? taken.count
      if place == taken.count {
        taken.append([])
        counts.append(sizes[value])
      }
      taken[place].append(range)
      memories[value] = place
    }
    return (memories, counts)
  }
}
