import RigLCore

/// Selecting the largest magnitudes of a long stream, against copying it.
package struct SelectionBench: Sendable {
  /// How the values are ordered.
  package enum Case: String, CaseIterable, Sendable {
    /// At random: what gradients are.
    case random
    /// Each larger than all before: what a bounded selection fears most.
    case ascending
  }

  /// The orders.
  package var cases = Case.allCases
  /// Values in the stream.
  package var count = 1 << 24
  /// The share of them that is selected.
  package var share = 0.03
  /// Rounds, in each of which selecting and copying alternate.
  package var rounds = 15

  /// The standard cases.
  package init() {}

  /// Measures all cases, on one thread.
  package func run(_ report: (Record) throws -> Void) rethrows {
    let k = Int(share * Double(count))
    let (values, target) = (Block<Float>(count: count), Block<Float>(count: count))
    let selection = Selection(of: k)
    for order in cases {
      switch order {
      case .random: values.fillAtRandom(number: 3)
      case .ascending:
        for index in 0..<count { values[index] = Float(index) / Float(count) }
      }
      selection.run(values)
      let isRight = selection.isRight(values)
      var (selecting, copying): ([Double], [Double]) = ([], [])
      for _ in 0..<rounds {
        copying.append(seconds { target.copy(from: values) })
        selecting.append(seconds { selection.run(values) })
      }
      var record = Record("selection")
      record.add("case", .text(order.rawValue), title: "values")
      record.add("values", .integer(count), title: "number")
      record.add("k", .integer(k), title: "selected")
      record.add("threads", .integer(1))
      record.add("select_ms", .number(median(selecting) * 1e3), title: "ms")
      record.add("memcpy_ms", .number(median(copying) * 1e3), title: "memcpy ms")
      let bytes = Double(values.bytes)
      record.add("gb_per_s", .number(bytes / median(selecting) / 1e9), title: "GB/s")
      record.add("memcpy_gb_per_s", .number(bytes / median(copying) / 1e9))
      record.add(
        "share_of_memcpy", .number(medianRatio(copying, selecting)), title: "of memcpy")
      record.add("rounds", .integer(rounds))
      record.add("correct", .flag(isRight), title: "correct")
      try report(record)
    }
  }
}
