import RigLCore

/// A layer's step, forward and both backward products, from and to batch-innermost activations,
/// against the same step by dense products.
package struct LayersBench: Sendable {
  /// The layers.
  package var cases = LayerCase.standard
  /// The shares of connections that exist.
  package var densities = [0.2, 0.1, 0.05, 0.02]
  /// Threads; with more than one, the sparse step on one thread is measured beside it.
  package var threads = 1
  /// Rounds, in each of which dense and sparse alternate.
  package var rounds = 15

  /// The standard cases.
  package init() {}

  /// Measures all cases; each result is handed over as soon as it is there.
  package func run(_ peaks: Peaks, _ report: (Record) throws -> Void) throws {
    let (pool, single) = (try ThreadPool(threads: threads), try ThreadPool(threads: 1))
    for layer in cases {
      let dense = DenseStep(layer, pool: pool)
      let subjects = try densities.map { density in
        try Subject(SparseStep(layer, density: density), density: density, threads: threads)
      }
      let passes = Passes(
        all: Pass(pool: pool, seed: 1), one: threads > 1 ? Pass(pool: single, seed: 1) : nil)
      try measure(subjects, dense, passes)
      for subject in subjects { try report(record(subject, dense, peaks)) }
    }
  }

  /// The passes that a sparse step is run with.
  private struct Passes {
    let all: Pass
    let one: Pass?
  }

  /// A sparse layer and the seconds of its steps, and of the dense and one-thread steps beside it.
  private final class Subject {
    let step: SparseStep
    let density: Double
    var (sparse, dense, one): ([Double], [Double], [Double]) = ([], [], [])

    init(_ step: SparseStep, density: Double, threads: Int) {
      self.step = step
      self.density = density
    }
  }

  private func measure(
    _ subjects: [Subject], _ dense: DenseStep, _ passes: Passes
  ) throws(RigLError) {
    let once = seconds { dense.run() }
    // Both sides of a comparison last equally long: a disturbance, which comes by the clock, would
    // otherwise meet the slower side more often.
    let least = max(0.02, once)
    let denseRepeats = repeats(ofSeconds: once, toLast: least)
    let sparseRepeats = try subjects.map { (subject) throws(RigLError) in
      // The first one brings the operands to their places, and memory with them.
      try subject.step.run(passes.all)
      let time = try seconds { () throws(RigLError) in try subject.step.run(passes.all) }
      return repeats(ofSeconds: time, toLast: least)
    }
    for _ in 0..<rounds {
      for (subject, count) in zip(subjects, sparseRepeats) {
        let denseTime = seconds { for _ in 0..<denseRepeats { dense.run() } }
        subject.dense.append(denseTime / Double(denseRepeats))
        subject.sparse.append(try time(subject.step, passes.all, count))
        if let one = passes.one { subject.one.append(try time(subject.step, one, count)) }
      }
    }
  }

  private func time(_ step: SparseStep, _ pass: Pass, _ count: Int) throws(RigLError) -> Double {
    let time = try seconds { () throws(RigLError) in
      for _ in 0..<count { try step.run(pass) }
    }
    return time / Double(count)
  }

  private func record(_ subject: Subject, _ dense: DenseStep, _ peaks: Peaks) -> Record {
    let work = LayerWork(subject.step.layerCase, connections: subject.step.connections)
    let sparse = median(subject.sparse)
    let bound = peaks.bound(flops: work.flops, bytes: work.bytes, workingSet: work.workingSet)
    // In a table, the columns of a narrow terminal are the first ones.
    var record = Record.layer(subject.step.layerCase)
    record.add("density", .number(subject.density), title: "density")
    record.add("connections", .integer(subject.step.connections))
    record.add("threads", .integer(threads))
    record.add("speedup", .number(medianRatio(subject.dense, subject.sparse)), title: "speedup")
    record.add("dense_ms", .number(median(subject.dense) * 1e3), title: "dense ms")
    record.add("sparse_ms", .number(sparse * 1e3), title: "sparse ms")
    if !subject.one.isEmpty {
      record.add("one_thread_ms", .number(median(subject.one) * 1e3))
      record.add("scaling", .number(medianRatio(subject.one, subject.sparse)), title: "scaling")
    }
    record.add("bound_ms", .number(bound * 1e3))
    record.add("fraction_of_bound", .number(bound / sparse), title: "of bound")
    record.add("gflops", .number(work.flops / sparse / 1e9), title: "GFLOP/s")
    // Of the last step that was timed.
    record.add("residual", .number(subject.step.residual()), title: "residual")
    record.add("rounds", .integer(rounds))
    let names = dense.chosen.map(\.rawValue)
    for (product, name) in zip(["forward", "dx", "dw"], names) {
      record.add("dense_\(product)", .text(name))
    }
    return record
  }
}

extension Record {
  /// A result about a layer.
  static func layer(_ layer: LayerCase) -> Record {
    var record = Record("layers")
    record.add("case", .text(layer.name), title: "layer")
    record.add("inputs", .integer(layer.inputs))
    record.add("outputs", .integer(layer.outputs))
    record.add("batch", .integer(layer.batch))
    return record
  }
}

// MARK: - Where sparse begins to gain

extension LayersBench {
  /// Finds, for each layer, the sparsity from which its sparse step is quicker than the dense one.
  ///
  /// A sparse step's time is close to a straight line in the number of connections, so the place is
  /// enclosed and interpolated.
  package func findBreakEven(_ report: (Record) throws -> Void) throws {
    let pool = try ThreadPool(threads: threads)
    let pass = Pass(pool: pool, seed: 1)
    for layer in cases {
      let dense = DenseStep(layer, pool: pool)
      let search = try BreakEven { (sparsity) throws(RigLError) in
        let step = try SparseStep(layer, density: 1 - sparsity)
        try step.run(pass)
        var (sparseTimes, denseTimes): ([Double], [Double]) = ([], [])
        let once = seconds { dense.run() }
        let count = repeats(ofSeconds: once)
        for _ in 0..<Swift.max(rounds / 2, 1) {
          denseTimes.append(seconds { for _ in 0..<count { dense.run() } })
          sparseTimes.append(try time(step, pass, count) * Double(count))
        }
        return medianRatio(sparseTimes, denseTimes)
      }
      var record = Record.layer(layer)
      record.add("threads", .integer(threads))
      record.add(
        "break_even_sparsity", search.sparsity.map { .number($0) } ?? .none,
        title: "gains from sparsity")
      record.add("break_even_is_upper_bound", .flag(search.isUpperBound))
      record.add(
        "probed_sparsities", .numbers(search.probes.map(\.sparsity)))
      record.add(
        "probed_speedups", .numbers(search.probes.map { 1 / $0.ratio }))
      record.add("rounds", .integer(Swift.max(rounds / 2, 1)))
      try report(record)
    }
  }
}

/// The sparsity at which a sparse step's time, as a share of the dense one's, falls to 1.
package struct BreakEven: Sendable {
  /// The measured points: a sparsity, and the dense step's time over the sparse one's.
  package private(set) var probes: [(sparsity: Double, ratio: Double)] = []
  /// The sparsity; nil if even the highest one measured does not gain.
  package private(set) var sparsity: Double?
  /// Whether the lowest sparsity that was measured gains already.
  package private(set) var isUpperBound = false

  /// Finds it, with sparse time / dense time from a measurement.
  package init<Failure>(
    lowest: Double = 0.05, highest: Double = 0.95,
    measure: (_ sparsity: Double) throws(Failure) -> Double
  ) throws(Failure) {
    var (low, high) = (0.3, 0.7)
    var lowRatio = try probe(low, measure)
    if lowRatio <= 1 {
      (high, low) = (low, lowest)
      lowRatio = try probe(low, measure)
      guard lowRatio > 1 else {
        (sparsity, isUpperBound) = (low, true)
        return
      }
    }
    var highRatio = probes.first { $0.sparsity == high }?.ratio ?? 0
    if highRatio == 0 { highRatio = try probe(high, measure) }
    if highRatio > 1 {
      (low, lowRatio, high) = (high, highRatio, highest)
      highRatio = try probe(high, measure)
      guard highRatio <= 1 else { return }
    }
    func crossing() -> Double { low + (lowRatio - 1) / (lowRatio - highRatio) * (high - low) }
    for _ in 0..<2 {
      let middle = crossing()
      guard high - low > 0.02, middle - low > 0.002, high - middle > 0.002 else { break }
      let ratio = try probe(middle, measure)
      if ratio > 1 {
        (low, lowRatio) = (middle, ratio)
      } else {
        (high, highRatio) = (middle, ratio)
      }
    }
    sparsity = crossing()
  }

  private mutating func probe<Failure>(
    _ sparsity: Double, _ measure: (Double) throws(Failure) -> Double
  ) throws(Failure) -> Double {
    let ratio = try measure(sparsity)
    probes.append((sparsity, ratio))
    return ratio
  }
}
