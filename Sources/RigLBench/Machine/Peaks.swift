import RigLCore

/// A level of the memory hierarchy.
package enum MemoryLevel: String, CaseIterable, Sendable {
  /// The first level's cache.
  case l1
  /// The second level's.
  case l2
  /// The last level's.
  case l3
  /// Main memory.
  case memory
}

/// The measured peaks of a machine with a number of threads.
package struct Peaks: Sendable {
  /// Threads that took part.
  package var threads: Int
  /// Floating-point operations a second in multiply-adds from registers.
  package var flops: Double
  /// Bytes read a second, by level.
  package var read: [MemoryLevel: Double]
  /// Bytes read and written a second in copying, by level.
  package var copy: [MemoryLevel: Double]
  /// The sizes that decide which level a working set lives in.
  package var caches: Machine.Caches

  /// Peaks that are known.
  package init(
    threads: Int, flops: Double, read: [MemoryLevel: Double], copy: [MemoryLevel: Double],
    caches: Machine.Caches
  ) {
    (self.threads, self.flops, self.read, self.copy) = (threads, flops, read, copy)
    self.caches = caches
  }

  /// The most bytes a second that a level can move.
  package func bandwidth(of level: MemoryLevel) -> Double {
    max(read[level] ?? 0, copy[level] ?? 0)
  }

  /// The nearest level that holds so many bytes.
  package func level(holding bytes: Int) -> MemoryLevel {
    // Each thread brings its own first and second level.
    bytes <= caches.l1 * threads
      ? .l1 : bytes <= caches.l2 * threads ? .l2 : bytes <= caches.l3 ? .l3 : .memory
  }

  /// The least time that work needs, seconds: its arithmetic at the multiply-adds' rate, or its
  /// bytes at the bandwidth of the level that its working set lives in, whatever takes longer.
  package func bound(flops: Double, bytes: Double, workingSet: Int) -> Double {
    max(flops / self.flops, bytes / bandwidth(of: level(holding: workingSet)))
  }
}

// MARK: - Measuring

extension Peaks {
  /// Measures this machine: the best of many short samples, for a disturbed sample is no peak.
  ///
  /// What each thread has for itself (arithmetic, first and second level) is measured on one and
  /// counted as often as there are threads; what they share is measured on all at once.
  package static func measure(
    _ caches: Machine.Caches, threads: Int
  ) throws(RigLError) -> Peaks {
    let iterations = 100_000
    var peaks = Peaks(threads: threads, flops: 0, read: [:], copy: [:], caches: caches)
    let single = try ThreadPool(threads: 1)
    let operations = multiplyAdds(iterations: iterations)
    peaks.flops =
      Double(threads)
      * best(of: 20, single, amount: operations) { _ in
        _ = multiplyAdds(iterations: iterations)
      }
    // Well within each level and well beyond the one before.
    peaks.measure(.l1, bytes: caches.l1 / 2, samples: 15, single)
    peaks.measure(.l2, bytes: caches.l2 / 2, samples: 15, single)
    let pool = try ThreadPool(threads: threads)
    pool.setPolicy(.always)
    let l3 = max(caches.l3 / 4, 2 * caches.l2 * threads)
    peaks.measure(.l3, bytes: l3 / threads, samples: 25, pool)
    peaks.measure(.memory, bytes: max(4 * caches.l3, 64 << 20) / threads, samples: 7, pool)
    return peaks
  }

  /// Measures a level, with a block of so many bytes for each thread of a pool.
  private mutating func measure(
    _ level: MemoryLevel, bytes: Int, samples: Int, _ pool: ThreadPool
  ) {
    let count = max(bytes / MemoryLayout<Float>.stride / 64 * 64, 64)
    let blocks = (0..<pool.threads).map { _ in Block<Float>(count: count) }
    // Some milliseconds a sample, and at least one pass.
    let passes = max((level == .memory ? 0 : 200 << 20) / blocks[0].bytes, 1)
    let amount = Double(blocks[0].bytes) * Double(passes * threads)
    read[level] = Peaks.best(of: samples, pool, amount: amount) {
      blocks[$0].read(count: count, passes: passes)
    }
    copy[level] = Peaks.best(of: samples, pool, amount: amount) {
      blocks[$0].copyHalf(count: count, passes: passes)
    }
  }

  /// The best rate of `amount` of work a run, one part on each thread.
  private static func best(
    of samples: Int, _ pool: ThreadPool, amount: Double, _ body: (_ part: Int) -> Void
  ) -> Double {
    (0..<samples).reduce(0) { best, _ in
      max(best, amount / seconds { pool.run(chunks: pool.threads) { part, _ in body(part) } })
    }
  }

  /// The machine and its peaks as the first result of a benchmark.
  package func record(of machine: Machine) -> Record {
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
