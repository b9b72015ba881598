import RigLCore
import Testing

/// Growth by gradient, selected by several threads together, against a full sort.
@Suite struct SharedSelectionTests {
  /// Many times what a thread's queue holds, and more than the selection itself does.
  static let (outputs, inputs) = (700, 90)
  static let positions = outputs * inputs

  enum Gradient: CaseIterable {
    case random, ascending, descending, equal, zero, fewDistinct, mostlyZero

    func values() -> [Float] {
      var generator = SeededGenerator(seed: 3)
      return (0..<SharedSelectionTests.positions).map { position in
        let sign: Float = Bool.random(using: &generator) ? 1 : -1
        switch self {
        case .random: return Float.random(in: -1..<1, using: &generator)
        case .ascending: return sign * Float(position + 1)
        case .descending: return sign / Float(position + 1)
        case .equal: return sign * 0.5
        case .zero: return sign * 0
        case .fewDistinct: return sign * Float(Int.random(in: 0..<4, using: &generator))
        case .mostlyZero: return position % 20 == 1 ? sign * Float(position % 97) : sign * 0
        }
      }
    }
  }

  /// Connections at every third position, the later of larger weight, so that the first are dropped.
  private func update(_ gradient: [Float], fraction: Double) -> SingleUpdate {
    let all = 0..<SharedSelectionTests.positions
    return SingleUpdate(
      weight: all.map { $0 % 3 == 1 ? Float($0 + 1) : 0 }, mask: all.map { $0 % 3 == 1 ? 1 : 0 },
      momentum: all.map { $0 % 3 == 1 ? Float($0) : 0 }, gradient: gradient,
      inputs: SharedSelectionTests.inputs, fraction: fraction)
  }

  /// The k best candidates by sorting all of them, and the kept connections. Of scores of 0 those
  /// just dropped come first, the later, which are larger, before the earlier.
  private func expected(_ gradient: [Float], moved: Int) -> [UInt8] {
    var mask = gradient.indices.map { UInt8($0 % 3 == 1 ? 1 : 0) }
    for position in mask.indices.filter({ mask[$0] == 1 }).prefix(moved) { mask[position] = 0 }
    let sorted = mask.indices.filter { mask[$0] == 0 }.sorted {
      let (one, other) = (gradient[$0].magnitude, gradient[$1].magnitude)
      if one != other { return one > other }
      guard one == 0 else { return $0 < $1 }
      let (oneDropped, otherDropped) = ($0 % 3 == 1, $1 % 3 == 1)
      return oneDropped != otherDropped ? oneDropped : oneDropped ? $0 > $1 : $0 < $1
    }
    for position in sorted.prefix(moved) { mask[position] = 1 }
    return mask
  }

  @Test(arguments: Gradient.allCases, [1, 100, 7000, 21000])
  func anyNumberOfThreadsSelectsWhatASortDoes(shape: Gradient, moved: Int) throws {
    let gradient = shape.values()
    let connections = SharedSelectionTests.positions / 3
    var single = update(gradient, fraction: Double(moved) / Double(connections))
    let mask = expected(gradient, moved: moved)
    var first: SingleUpdate.Result?
    for threads in [1, 2, 3, 8] {
      single.threads = threads
      let result = try single.run()
      #expect(result.mask == mask, "\(threads) threads")
      #expect(first == nil || result == first, "\(threads) threads")
      first = first ?? result
    }
  }

  /// At the ends of the layer, of a panel's rows, and among the connections.
  @Test(arguments: [0, 1, positions - 1, 128 * inputs - 1, 128 * inputs, 6 * 128 * inputs])
  func aNaNIsFoundByWhicheverThreadMeetsIt(position: Int) throws {
    var gradient = Gradient.random.values()
    gradient[min(position, SharedSelectionTests.positions - 1)] = .nan
    for threads in [1, 2, 8] {
      var single = update(gradient, fraction: 0.3)
      single.threads = threads
      let error = #expect(throws: RigLError.self) { try single.run() }
      #expect(error?.kind == .numerical)
    }
  }

  /// A method that grows at random may still ask for gradients first, in the same memory.
  @Test func growingAtRandomTakesTheSameMemory() throws {
    struct SecondThought: TopologyMethod {
      let timing = TopologyTiming.insteadOfWeightStep
      func move(_ count: Int, in update: LayerUpdate) throws(RigLError) {
        try update.dropSmallestMagnitudes(count)
        try update.growLargestGradients(count)
        try update.growAtRandom(count)
      }
    }
    var single = update(Gradient.random.values(), fraction: 0.3)
    single.method = SecondThought()
    let result = try single.run()
    #expect(result.mask.count { $0 == 1 } == SharedSelectionTests.positions / 3)
    single.threads = 2
    #expect(try single.run() == result)
  }
}
