import RigLBench
import RigLCore
import Testing

/// What work needs at least, on a machine of round numbers.
@Suite struct BoundTests {
  static func peaks(threads: Int = 1) -> Peaks {
    var caches = Machine.Caches()
    (caches.l1, caches.l2, caches.l3) = (1000, 10_000, 100_000)
    return Peaks(
      threads: threads, flops: 100, read: [.l1: 80, .l2: 40, .l3: 20, .memory: 5],
      copy: [.l1: 60, .l2: 50, .l3: 20, .memory: 4], caches: caches)
  }

  @Test func levelsHoldWhatFits() {
    let peaks = BoundTests.peaks()
    let expected: [(Int, MemoryLevel)] = [
      (1000, .l1), (1001, .l2), (10_000, .l2), (10_001, .l3), (100_000, .l3), (100_001, .memory),
    ]
    for (bytes, level) in expected { #expect(peaks.level(holding: bytes) == level, "\(bytes)") }
    // Two threads bring two first and second levels, but share the third.
    let two = BoundTests.peaks(threads: 2)
    #expect(two.level(holding: 2000) == .l1)
    #expect(two.level(holding: 20_000) == .l2)
    #expect(two.level(holding: 100_001) == .memory)
  }

  @Test func theBoundIsWhateverTakesLonger() {
    let peaks = BoundTests.peaks()
    #expect(peaks.bound(flops: 300, bytes: 80, workingSet: 1) == 3)
    #expect(peaks.bound(flops: 100, bytes: 800, workingSet: 1) == 10)
    // The second level copies faster than it reads: neither is beyond its best.
    #expect(peaks.bound(flops: 0, bytes: 100, workingSet: 5000) == 2)
    #expect(peaks.bound(flops: 0, bytes: 100, workingSet: 1_000_000) == 20)
  }

  @Test func aLayersWork() {
    let work = LayerWork(LayerCase(inputs: 10, outputs: 20, batch: 4), connections: 7)
    #expect(work.flops == 6 * 7 * 4)
    // x twice and dx: 3 · 40; y and dy: 2 · 80; 32 bytes a connection.
    #expect(work.bytes == 4 * (120 + 160) + 7 * 32)
    #expect(work.workingSet == 4 * 2 * (40 + 80) + 7 * 24)
  }

  @Test(arguments: [
    ("1024x1024", 1024, 1024, 128), ("384x1536", 384, 1536, 2048), ("3x5", 3, 5, 128),
    ("3x5@7", 3, 5, 7), ("1024x1024@1", 1024, 1024, 1),
  ])
  func layersAreRead(_ text: String, _ inputs: Int, _ outputs: Int, _ batch: Int) throws {
    #expect(try LayerCase(text) == LayerCase(inputs: inputs, outputs: outputs, batch: batch))
  }

  @Test(arguments: [
    "", "x", "3", "3x", "x3", "3x4x5", "3x4@", "3x4@0", "3x4@1@2", "-3x4", "0x4", "1x1", "a",
    "1048576x1048576", "3x4@9999999999",
  ])
  func whatIsNoLayerIsRefused(_ text: String) {
    let error = #expect(throws: RigLError.self) { try LayerCase(text) }
    #expect(error?.kind == .configuration)
    #expect(error?.what.contains("'\(text)'") == true)
  }

  @Test func connectionsOfADensity() {
    let layer = LayerCase(inputs: 10, outputs: 10, batch: 1)
    #expect(layer.connections(density: 0.1) == 10)
    #expect(layer.connections(density: 0.0001) == 1)
    // All of them would be a dense layer.
    #expect(layer.connections(density: 0.9999) == 99)
  }

  /// A sparse step whose time is a straight line in the connections breaks even where it should.
  @Test(arguments: [0.1, 0.29, 0.31, 0.5, 0.69, 0.71, 0.9])
  func breakEvenIsFound(_ place: Double) {
    var measured = 0
    let search = BreakEven { sparsity in
      measured += 1
      return 0.1 + 0.9 * (1 - sparsity) / (1 - place)
    }
    #expect(search.sparsity.map { ($0 - place).magnitude < 1e-9 } == true, "\(search)")
    #expect(!search.isUpperBound)
    #expect(measured <= 6, "a measurement takes seconds")
  }

  @Test func breakEvenBeyondWhatIsMeasured() {
    let always = BreakEven { _ in 0.5 }
    #expect(always.sparsity == 0.05 && always.isUpperBound)
    let never = BreakEven { _ in 2 }
    #expect(never.sparsity == nil && !never.isUpperBound)
  }
}
