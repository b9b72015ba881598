/// Which values of the input each output reads, where outputs read windows of their own, as a locally
/// connected layer's do: input i of output o is the value `starts[o] + taps[i]` of a sample.
struct InputWindows: Sendable {
  /// Values of the input.
  let values: Int
  let starts: [Int]
  /// Strictly increasing, so that each output's connections are in the same order by value.
  let taps: [Int]
  /// Inputs whose values are neighbours.
  let runs: [Range<Int>]

  init(values: Int, starts: [Int], taps: [Int]) {
    let isIncreasing = zip(taps, taps.dropFirst()).allSatisfy { $0 < $1 }
    trap(
      unless: isIncreasing && taps.first ?? -1 >= 0 && starts.allSatisfy { $0 >= 0 },
      "SparseProduct: taps of windows must increase, and begin, as windows do, at 0 or later")
    trap(
      unless: (starts.max() ?? 0) + (taps.last ?? 0) < values,
      "SparseProduct: a window that begins at value \(starts.max() ?? 0) and has its last tap at "
        + "\(taps.last ?? 0) does not lie within \(values) values")
    (self.values, self.starts, self.taps) = (values, starts, taps)
    var (runs, begin) = ([Range<Int>](), 0)
    for input in taps.indices where input + 1 == taps.count || taps[input + 1] != taps[input] + 1 {
      runs.append(begin..<input + 1)
      begin = input + 1
    }
    self.runs = runs
  }

  /// Writes the value that each connection reads.
  func write(_ csr: borrowing CSR, into read: borrowing AlignedBuffer<Int32>) {
    for output in 0..<csr.rows {
      for index in csr.row(output) {
        unsafe read.base[index] = Int32(starts[output] + taps[Int(csr.columns.base[index])])
      }
    }
  }
}
