import RigLCore
import Testing

/// Batches of a loop of one's own.
@Suite struct BatchFillTests {
  static let dataset = RandomSamples(count: 50, width: 12, classes: 3)

  private func model(_ capacity: Int = 32, width: Int = 12) throws -> Model {
    try makeModel(SparseLinear("a", inputs: width, outputs: 3), inputs: width, capacity: capacity)
  }

  private func values(_ dataset: some Dataset, _ sample: Int) -> [Float] {
    var values = [Float](repeating: 0, count: dataset.sampleShape.count)
    var span = values.mutableSpan
    dataset.write(sample, into: &span)
    return values
  }

  @Test func indicesAndRangesAreTheSamplesMeant() throws {
    let batch = Batch(for: try model())
    let pool = try ThreadPool(threads: 2)
    for indices in [[7], [3, 49, 3, 0], Array(10..<42)] {
      for threads in [nil, pool] {
        #expect(try batch.fill(from: Self.dataset, indices: indices, pool: threads).isEmpty)
        #expect(batch.inputs.values() == indices.flatMap { values(Self.dataset, $0) })
        #expect(batch.labels.count == indices.count)
        #expect(indices.indices.map { batch.labels[$0] } == indices.map(Self.dataset.label))
      }
    }
    try batch.fill(from: Self.dataset, 20..<25)
    #expect(batch.inputs.values() == (20..<25).flatMap { values(Self.dataset, $0) })
    let subset = try Subset(Self.dataset, indices: [40, 1, 2])
    try batch.fill(from: subset, indices: [2, 0])
    #expect(batch.inputs.values() == values(Self.dataset, 2) + values(Self.dataset, 40))
  }

  /// Images, of bytes and for planes, go in as a training's do.
  @Test func aPackerOfImagesFillsPlanes() throws {
    let images = SyntheticImages(trainCount: 40, testCount: 1).load().train
    let model = try Model(
      Sequential(
        SparseConv2d("conv", inputs: 1, outputs: 4, kernel: 3), GlobalAveragePool(),
        DenseLinear("output", inputs: 4, outputs: 10)), input: images.sampleShape, capacity: 16)
    let (batch, other) = (Batch(for: model), Batch(for: model))
    let packer = try BatchPacker(images, for: model)
    try packer.take(8..<24)
    try batch.fill(from: packer, pool: try ThreadPool(threads: 2))
    try other.fill(from: images, 8..<24)
    // Packing multiplies and adds in one rounding, reading a sample in two.
    let expected = (8..<24).flatMap { values(images, $0) }
    let packed = batch.inputs.values()
    #expect(packed.count == expected.count)
    let worst = zip(packed, expected).map { ($0 - $1).magnitude / max(1, $1.magnitude) }.max()
    #expect(worst.map { $0 <= 2 * .ulpOfOne } == true, "\(worst as Any)")
    #expect((0..<16).map { batch.labels[$0] } == (8..<24).map(images.label))
    #expect(other.inputs.values() == batch.inputs.values())
    let wrong = try BatchPacker(images, capacity: 16, layout: .vectors)
    try wrong.take(0..<2)
    #expect(throws: RigLError.self) { try batch.fill(from: wrong) }
  }

  private struct Mislabelled: Dataset {
    let count = 5
    let classes = 3
    let sampleShape = SampleShape(channels: 12)
    func label(of sample: Int) -> Int { sample }
    func write(_ sample: Int, into values: inout MutableSpan<Float>) {}
  }

  @Test func mistakesAreErrors() throws {
    let batch = Batch(for: try model())
    func kind(_ body: () throws -> Void) -> RigLError.Kind? {
      do { try body() } catch { return (error as? RigLError)?.kind }
      return nil
    }
    let data = Self.dataset
    #expect(kind { try batch.fill(from: data, indices: [50]) } == .data)
    #expect(kind { try batch.fill(from: data, indices: [-1]) } == .data)
    #expect(kind { try batch.fill(from: data, indices: []) } == .data)
    #expect(kind { try batch.fill(from: data, 0..<33) } == .configuration)
    #expect(kind { try batch.fill(from: Mislabelled(), indices: [3]) } == .data)
    let other = Batch(for: try model(width: 11))
    #expect(kind { try other.fill(from: data, indices: [1]) } == .data)
  }
}
