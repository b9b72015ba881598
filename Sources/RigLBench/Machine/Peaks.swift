import RigLCore

/// A level of the memory hierarchy.
public enum MemoryLevel: String, CaseIterable, Sendable {
  /// The first level's cache.
  case l1
  /// The second level's.
  case l2
  /// The last level's.
  case l3
  /// Main memory.
  case memory
}

/// What a machine can do at most with a number of threads, measured.
public struct Peaks: Sendable {
  /// Threads that took part.
  public var threads: Int
  /// Floating-point operations a second in multiply-adds from registers.
  public var flops: Double
  /// Bytes read a second, by level.
  public var read: [MemoryLevel: Double]
  /// Bytes read and written a second in copying, by level.
  public var copy: [MemoryLevel: Double]
  /// The sizes that decide which level a working set lives in.
  public var caches: Machine.Caches

  /// Peaks that are known.
  public init(
    threads: Int, flops: Double, read: [MemoryLevel: Double], copy: [MemoryLevel: Double],
    caches: Machine.Caches
  ) {
    (self.threads, self.flops, self.read, self.copy) = (threads, flops, read, copy)
    self.caches = caches
  }

  /// The most bytes a second that a level can move.
  public func bandwidth(of level: MemoryLevel) -> Double {
    max(read[level] ?? 0, copy[level] ?? 0)
  }

  /// The nearest level that holds so many bytes.
  public func level(holding bytes: Int) -> MemoryLevel {
    // Each thread brings its own first and second level.
    bytes <= caches.l1 * threads
      ? .l1 : bytes <= caches.l2 * threads ? .l2 : bytes <= caches.l3 ? .l3 : .memory
  }

  /// The least time that work needs, seconds: its arithmetic at the multiply-adds' rate, or its
  /// bytes at the bandwidth of the level that its working set lives in, whatever takes longer.
  public func bound(flops: Double, bytes: Double, workingSet: Int) -> Double {
    max(flops / self.flops, bytes / bandwidth(of: level(holding: workingSet)))
  }
}

// MARK: - Measuring

extension Peaks {
  /// Measures this machine: the best of many short samples, for a disturbed sample is no peak.
  public static func measure(
    _ caches: Machine.Caches, threads: Int
  ) throws(RigLError) -> Peaks {
    let pool = try ThreadPool(threads: threads)
    // Well within each level and well beyond the one before; each thread has its part.
    let sizes: [(MemoryLevel, Int)] = [
      (.l1, caches.l1 / 2), (.l2, caches.l2 / 2),
      (.l3, max(caches.l3 / 4, 2 * caches.l2 * threads) / threads),
      (.memory, max(4 * caches.l3, 64 << 20) / threads),
    ]
    let blocks = (0..<threads).map { _ in
      Block<Float>(count: (sizes.map(\.1).max() ?? 0) / MemoryLayout<Float>.stride)
    }
    func best(_ samples: Int, amount: Double, _ body: (Int) -> Void) -> Double {
      var best = 0.0
      for _ in 0..<samples {
        let time = seconds { pool.run(chunks: threads) { chunk, _ in body(chunk) } }
        best = max(best, amount * Double(threads) / time)
      }
      return best
    }

    let iterations = 100_000
    let flops = best(20, amount: multiplyAdds(iterations: iterations)) { _ in
      _ = multiplyAdds(iterations: iterations)
    }
    var (read, copy): ([MemoryLevel: Double], [MemoryLevel: Double]) = ([:], [:])
    for (level, size) in sizes {
      // Some four milliseconds a sample, and at least one pass.
      let count = size / MemoryLayout<Float>.stride / 64 * 64
      let bytes = count * MemoryLayout<Float>.stride
      let passes = max((level == .memory ? 0 : 200 << 20) / bytes, 1)
      let samples = level == .memory ? 7 : 15
      let amount = Double(bytes) * Double(passes)
      read[level] = best(samples, amount: amount) { blocks[$0].read(count: count, passes: passes) }
      copy[level] = best(samples, amount: amount) {
        blocks[$0].copyHalf(count: count, passes: passes)
      }
    }
    return Peaks(threads: threads, flops: flops, read: read, copy: copy, caches: caches)
  }

  /// The machine and its peaks as the first result of a benchmark.
  public func record(of machine: Machine) -> Record {
    var record = Record("machine", layout: .list)
    record.add("cpu", .text(machine.processor), title: "processor")
    record.add("processors", .integer(machine.processors), title: "processors")
    record.add("kernels", .text(machine.kernels), title: "kernels")
    record.add("dense", .text(machine.dense), title: "dense products")
    record.add("threads", .integer(threads), title: "threads")
    record.add("fma_gflops", .number(flops / 1e9), title: "FMA GFLOP/s")
    let sizes: [MemoryLevel: Int] = [.l1: caches.l1, .l2: caches.l2, .l3: caches.l3]
    for level in MemoryLevel.allCases {
      let name = level == .memory ? "memory" : level.rawValue.uppercased()
      if let size = sizes[level] { record.add("\(level.rawValue)_bytes", .integer(size)) }
      record.add(
        "\(level.rawValue)_read_gb_per_s", .number((read[level] ?? 0) / 1e9),
        title: "\(name) read GB/s")
      record.add(
        "\(level.rawValue)_copy_gb_per_s", .number((copy[level] ?? 0) / 1e9),
        title: "\(name) copy GB/s")
    }
    return record
  }
}
