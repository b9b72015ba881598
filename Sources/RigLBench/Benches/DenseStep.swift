import RigLCore

/// The same layer's step by three dense products, each in the quicker of its natural orientations,
/// with all operands in place: what a sparse layer has to beat.
final class DenseStep {
  /// How activations lie in a product.
  enum Orientation: String {
    case featuresByBatch = "features x batch"
    case batchByFeatures = "batch x features"
  }

  private let products: [[Orientation: DenseProduct]]
  private let pool: ThreadPool
  /// The orientations that were quicker: forward, input gradient, weight gradient.
  private(set) var chosen: [Orientation] = []

  /// Makes the operands and measures which orientations are quicker.
  init(_ layer: LayerCase, pool: ThreadPool) {
    self.pool = pool
    let (i, o, n) = (layer.inputs, layer.outputs, layer.batch)
    let w = DenseStep.operand(o * i, number: 0)
    let (x, dy) = (DenseStep.operand(i * n, number: 1), DenseStep.operand(o * n, number: 2))
    let (y, dx, dw) = (
      Block<Float>(count: o * n), Block<Float>(count: i * n), Block<Float>(count: o * i)
    )
    products = [
      [
        .featuresByBatch: DenseProduct(m: o, n: n, k: i, a: w, b: x, c: y),
        .batchByFeatures: DenseProduct(m: n, n: o, k: i, a: x, b: w, c: y, transposeB: true),
      ],
      [
        .featuresByBatch: DenseProduct(m: i, n: n, k: o, a: w, b: dy, c: dx, transposeA: true),
        .batchByFeatures: DenseProduct(m: n, n: i, k: o, a: dy, b: w, c: dx),
      ],
      [
        .featuresByBatch: DenseProduct(m: o, n: i, k: n, a: dy, b: x, c: dw, transposeB: true),
        .batchByFeatures: DenseProduct(m: o, n: i, k: n, a: dy, b: x, c: dw, transposeA: true),
      ],
    ]
    chosen = products.map { quicker($0) }
  }

  private func quicker(_ product: [Orientation: DenseProduct]) -> Orientation {
    var times: [Orientation: [Double]] = [:]
    for round in 0..<6 {
      for orientation in [Orientation.featuresByBatch, .batchByFeatures] {
        let time = seconds { run(product[orientation]) }
        if round > 0 { times[orientation, default: []].append(time) }
      }
    }
    let batchFirst = median(times[.batchByFeatures] ?? [])
    return batchFirst < median(times[.featuresByBatch] ?? []) ? .batchByFeatures : .featuresByBatch
  }

  /// One step: forward, input gradient, weight gradient.
  func run() {
    for (product, orientation) in zip(products, chosen) { run(product[orientation]) }
  }

  private func run(_ product: DenseProduct?) {
    guard let product else { trap("DenseStep: no product of this orientation") }
    // Whole tiles of rows for each thread; BLIS runs on the calling thread alone.
    let rows = (product.m + pool.threads - 1) / pool.threads
    let part = pool.threads == 1 ? rows : (rows + 5) / 6 * 6
    pool.run(chunks: (product.m + part - 1) / part) { chunk, _ in
      product.run(rows: chunk * part..<min((chunk + 1) * part, product.m))
    }
  }

  private static func operand(_ count: Int, number: Int) -> Block<Float> {
    let block = Block<Float>(count: count)
    block.fillAtRandom(number: number)
    return block
  }
}

extension Block where Element == Float {
  /// Numbers in -1 ..< 1, the same for the same number.
  func fillAtRandom(number: Int) {
    let random = CounterRandom(seed: 2, purpose: .synthetic, layer: number)
    for group in 0..<(count + 3) / 4 {
      let words = random.block(UInt64(group))
      for lane in 0..<min(4, count - 4 * group) {
        self[4 * group + lane] = Float(words[lane] >> 8) * 0x1p-23 - 1
      }
    }
  }
}
