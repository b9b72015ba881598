import RigLBench
import RigLCore
import Testing

/// The benchmarks themselves, small: that they run, measure what they say, and name it.
@Suite struct BenchTests {
  @Test(arguments: [1, 2]) func layers(threads: Int) throws {
    var bench = LayersBench()
    bench.cases = [LayerCase(inputs: 70, outputs: 50, batch: 33)]
    bench.densities = [0.2, 0.05]
    bench.threads = threads
    bench.rounds = 1
    var records: [Record] = []
    try bench.run(BoundTests.peaks(threads: threads)) { records.append($0) }
    #expect(records.map { $0["density"] } == [.number(0.2), .number(0.05)])
    #expect(records.map { $0["connections"] } == [.integer(700), .integer(175)])
    for record in records {
      var keys = [
        "bench", "case", "inputs", "outputs", "batch", "density", "connections", "threads",
        "speedup", "dense_ms", "sparse_ms",
      ]
      if threads > 1 { keys += ["one_thread_ms", "scaling"] }
      keys += [
        "bound_ms", "fraction_of_bound", "gflops", "residual", "rounds", "dense_forward",
        "dense_dx", "dense_dw",
      ]
      #expect(record.fields.map(\.key) == keys)
      // The largest sums have 33 terms, each product and sum rounded to 2^-24.
      let residual = number(record, "residual")
      #expect(residual >= 0 && residual <= 34 * 0x1p-24, "\(residual)")
      let (sparse, bound) = (number(record, "sparse_ms"), number(record, "bound_ms"))
      #expect(sparse > 0 && number(record, "dense_ms") > 0)
      #expect((number(record, "fraction_of_bound") / (bound / sparse) - 1).magnitude < 1e-9)
    }
    // gflops counts nonzeros: 6 for each and sample.
    let flops = 6.0 * 700 * 33
    let rate = flops / (number(records[0], "sparse_ms") * 1e6)
    #expect((number(records[0], "gflops") / rate - 1).magnitude < 1e-9)
  }

  @Test func selection() throws {
    var bench = SelectionBench()
    bench.count = 1 << 17
    bench.rounds = 1
    var records: [Record] = []
    bench.run { records.append($0) }
    #expect(records.map { $0["case"] } == [.text("random"), .text("ascending")])
    for record in records {
      #expect(record["k"] == .integer(3932))
      #expect(record["correct"] == .flag(true))
      #expect(number(record, "share_of_memcpy") > 0)
    }
  }

  @Test(arguments: [1, 3]) func evaluate(batch: Int) throws {
    var bench = EvaluateBench()
    bench.network = PresetNetwork("wrn-10-2", batch: batch)
    (bench.network.density, bench.rounds) = (0.1, 1)
    var records: [Record] = []
    try bench.run { records.append($0) }
    #expect(records.count == 1)
    // A single image is cut into strips, several are not.
    #expect(records[0]["strips"] == .integer(batch == 1 ? 8 : 1))
    let (time, rate) = (number(records[0], "batch_ms"), number(records[0], "samples_per_second"))
    #expect((rate * time / Double(batch) / 1e3 - 1).magnitude < 1e-9)
  }

  @Test func photos() throws {
    var bench = PhotosBench()
    bench.network = PresetNetwork("wrn-10-2", batch: 4)
    (bench.network.density, bench.rounds, bench.steps) = (0.1, 1, 2)
    var records: [Record] = []
    try bench.run { records.append($0) }
    #expect(records.count == 1)
    #expect(records[0]["photos"] == .integer(96))
    // Those of ImageNet have 110 KB.
    guard case .integer(let bytes)? = records[0]["photo_bytes"] else {
      Issue.record("no photo_bytes")
      return
    }
    #expect((50_000...150_000).contains(bytes))
    let quotient = number(records[0], "photos_ms") / number(records[0], "memory_ms")
    #expect((number(records[0], "ratio") / quotient - 1).magnitude < 1e-9)
  }

  @Test(arguments: [UpdateBench.Method.rigl, .gse])
  func update(method: UpdateBench.Method) throws {
    var bench = UpdateBench()
    bench.method = method
    (bench.width, bench.batch, bench.interval, bench.rounds) = (64, 16, 12, 2)
    var records: [Record] = []
    try bench.run { records.append($0) }
    #expect(records.count == 1)
    #expect(number(records[0], "ratio") > 0)
    #expect(records[0]["case"] == .text(method.rawValue))
    let update = number(records[0], "update_ms") / number(records[0], "\(method.rawValue)_step_ms")
    #expect((number(records[0], "update_steps") / update - 1).magnitude < 1e-9)
    #expect(records[0]["weight_steps"] == .integer(24))
    // The one at step 0, while warming up, and one in each round.
    #expect(records[0]["updates"] == .integer(3))
  }

  @Test func optimizers() throws {
    var bench = OptimizerBench()
    (bench.count, bench.rounds) = (1 << 12, 1)
    var records: [Record] = []
    try bench.run { records.append($0) }
    #expect(
      records.map { $0["case"] }
        == ["sgd", "momentum", "nesterov", "adam", "adamw", "adam_age"].map { .text($0) })
  }

  /// The layer of `bench memory` whose dense form no memory holds, smaller.
  @Test func aHugeLayerMovesItsConnections() throws {
    var bench = HugeLayer()
    (bench.width, bench.connections, bench.batch, bench.threads) = (3000, 9000, 8, 2)
    let record = try bench.run()
    #expect(record["connections"] == .integer(9000))
    #expect(record["dense_weight_bytes"] == .integer(36_000_000))
    for key in ["initialise_ms", "forward_ms", "backward_ms", "optimizer_ms", "update_ms"] {
      #expect(number(record, key) > 0, "\(key)")
    }
  }

  /// What is pruned goes back to the system: in a process of its own, whose memory nobody else's is.
  @Test func pruningGivesMemoryBack() async {
    await #expect(processExitsWith: .success) {
      var bench = PruningMemory()
      (bench.width, bench.batch, bench.interval, bench.threads) = (1024, 32, 2, 1)
      var records: [Record] = []
      try bench.run { records.append($0) }
      #expect(
        records.map { $0["phase"] } == ["static", "dense", "half", "pruned"].map { .text($0) })
      let positions = 2 * 1024 * 1024
      let density = records.map { record -> Double in
        guard case .integer(let count)? = record["connections"] else { return .nan }
        return Double(count) / Double(positions)
      }
      #expect((density[0] - 0.1).magnitude < 1e-6 && (density[3] - 0.1).magnitude < 1e-6)
      #expect(density[1] == 1 && density[2] <= 0.5 && density[2] > 0.1)
      let bytes = records.map { record -> Int in
        guard case .integer(let bytes)? = record["resident_bytes"] else { return -1 }
        return bytes
      }
      #expect(bytes[1] > 2 * bytes[3] && bytes[1] > bytes[2] && bytes[2] > bytes[3])
      #expect(records[3]["within_allowance"] == .flag(true), "\(bytes)")
    }
  }

  @Test func machine() {
    let record = BoundTests.peaks().record(of: Machine.current())
    #expect(record.fields.first?.value == .text("machine"))
    #expect(record["kernels"] == .text(instructionSet))
    #expect(record["l1_read_gb_per_s"] == .number(80e-9))
    guard case .text(let processor)? = record["cpu"] else {
      Issue.record("no processor")
      return
    }
    #expect(!processor.isEmpty)
  }

  private func number(_ record: Record, _ key: String) -> Double {
    guard case .number(let number)? = record[key] else {
      Issue.record("\(key) is no number: \(record.json)")
      return .nan
    }
    return number
  }
}
