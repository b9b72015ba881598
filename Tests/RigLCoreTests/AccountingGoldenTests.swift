import Foundation
import RigLCore
import Testing

/// Golden/accounting.json: the layers of published networks, and what distributions and paper
/// counting make of them. The folder comes from RIGL_GOLDEN where that is set.
struct GoldenAccounting: Decodable {
  struct Layer: Decodable {
    let name: String
    let kind: String
    let input_size: Int
    let kernel_shape: [Int]  // HWIO, or (in, out)
    let stride: Int
    let params: Int
  }

  struct Case: Decodable {
    let method: SparsityDistribution.Kind
    let sparsity: Double
    let custom: [String: Double]
    let epsilon: Double?
    let dense_set: [String]
    let flops: Double
    let size_bytes: Double
    let real_sparsity: Double
    let layer_sparsity: [String: Double]
    let layer_zeros: [String: Int]
  }

  struct Model: Decodable {
    let layers: [Layer]
    let cases: [Case]
  }

  let models: [String: Model]

  static func read() throws -> GoldenAccounting {
    let folder =
      ProcessInfo.processInfo.environment["RIGL_GOLDEN"].map { URL(fileURLWithPath: $0) }
      ?? URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Golden")
    let data = try Data(contentsOf: folder.appendingPathComponent("accounting.json"))
    return try JSONDecoder().decode(GoldenAccounting.self, from: data)
  }
}

extension GoldenAccounting.Layer {
  /// The file has depthwise layers as convolutions to one output channel.
  var isDepthwise: Bool { kind == "conv" && kernel_shape[3] == 1 }

  func accounted() throws -> AccountedLayer {
    if kind == "fc" { return .linear(name, inputs: kernel_shape[0], outputs: kernel_shape[1]) }
    try #require(kind == "conv", "unknown kind of layer '\(kind)'")
    // Paper counting has a geometry of its own; the padding only has to make sense.
    let padding = kernel_shape[0] / 2
    return isDepthwise
      ? .depthwise(
        name, channels: kernel_shape[2], kernel: kernel_shape[0], stride: stride, padding: padding,
        inputHeight: input_size, inputWidth: input_size)
      : .conv(
        name, inputs: kernel_shape[2], outputs: kernel_shape[3], kernel: kernel_shape[0],
        stride: stride, padding: padding, inputHeight: input_size, inputWidth: input_size)
  }
}

func isClose(_ actual: Double, _ expected: Double) -> Bool {
  abs(actual - expected) <= 1e-9 * abs(expected)
}

/// Another golden folder need not have the file.
@Suite(
  .enabled(
    if: ProcessInfo.processInfo.environment["RIGL_GOLDEN"] == nil
      || FileManager.default.fileExists(atPath: "\(GoldenFolder.path)/accounting.json")))
struct AccountingGoldenTests {
  private let golden: GoldenAccounting

  init() throws {
    golden = try GoldenAccounting.read()
  }

  /// A network's layers with the connections that a distribution gives them.
  private func sparsify(
    _ layers: [GoldenAccounting.Layer], _ distribution: SparsityDistribution
  ) throws -> (layers: [AccountedLayer], allocation: SparsityAllocation) {
    let accounted = try layers.map { try $0.accounted() }
    let allocation = try distribution.allocate(
      over: zip(layers, accounted).enumerated().map { index, layer in
        SparsifiableLayer(
          name: layer.0.name, shape: layer.1.shape, isFirst: index == 0,
          isLast: index == layers.count - 1, canBeSparse: !layer.0.isDepthwise)
      })
    return (zip(accounted, allocation.layers).map { $0.sparsified($1) }, allocation)
  }

  @Test func everyCaseIsReproduced() throws {
    var cases = 0
    for (model, contents) in golden.models.sorted(by: { $0.key < $1.key }) {
      for expected in contents.cases {
        cases += 1
        let name: Comment = "\(model), \(expected.method) \(expected.sparsity)"
        // The file's own maps say which first layers are dense.
        let (layers, allocation) = try sparsify(
          contents.layers,
          SparsityDistribution(
            expected.method, sparsity: expected.sparsity, firstLayerSparse: true,
            overrides: expected.custom))
        #expect(layers.map(\.positions) == contents.layers.map(\.params), name)

        #expect(allocation.denseSet.sorted() == expected.dense_set.sorted(), name)
        #expect((allocation.epsilon == nil) == (expected.epsilon == nil), name)
        if let epsilon = allocation.epsilon, let golden = expected.epsilon {
          #expect(isClose(epsilon, golden), name)
        }
        for layer in allocation.layers {
          let sparsity = try #require(expected.layer_sparsity[layer.name])
          #expect(isClose(layer.sparsity, sparsity), "\(name) \(layer.name)")
          #expect(
            layer.positions - layer.connections == expected.layer_zeros[layer.name],
            "\(name) \(layer.name)")
        }
        #expect(isClose(allocation.sparsity, expected.real_sparsity), name)

        let cost = Accounting.paper.cost(of: layers)
        #expect(isClose(cost.flops, expected.flops), name)
        #expect(isClose(cost.bytes, expected.size_bytes), name)
      }
    }
    #expect(cases > 0)
  }

  private func resnet50() throws -> [GoldenAccounting.Layer] {
    try #require(golden.models.first { $0.key.hasPrefix("resnet50") }?.value.layers)
  }

  @Test func denseResNet50AsPublished() throws {
    let dense = try Accounting.paper.cost(of: resnet50().map { try $0.accounted() })
    #expect((dense.flops / 1e4).rounded() == 820_234, "8202.34 MFLOPs")
    #expect((dense.bytes / 1e3).rounded() == 102_122, "102.122 MB")
  }

  // Published training and test FLOPs of ResNet-50, relative to dense.
  @Test(arguments: [
    (SparsityDistribution.Kind.uniform, 0.8, TrainingMethodCost.static, 1, 0.23, 0.23),
    (.uniform, 0.8, .snip, 1, 0.23, 0.23),
    (.uniform, 0.8, .set, 1, 0.23, 0.23),
    (.uniform, 0.8, .rigl(interval: 100), 1, 0.23, 0.23),
    (.uniform, 0.8, .rigl(interval: 100), 5, 1.14, 0.23),
    (.erdosRenyiKernel, 0.8, .static, 1, 0.42, 0.42),
    (.erdosRenyiKernel, 0.8, .rigl(interval: 100), 1, 0.42, 0.42),
    (.erdosRenyiKernel, 0.8, .rigl(interval: 100), 5, 2.09, 0.42),
    (.erdosRenyiKernel, 0.8, .snfs, 1, 0.61, 0.42),
    (.erdosRenyiKernel, 0.9, .static, 1, 0.24, 0.24),
    (.erdosRenyiKernel, 0.9, .rigl(interval: 100), 1, 0.25, 0.24),
    (.erdosRenyiKernel, 0.9, .rigl(interval: 100), 5, 1.23, 0.24),
    (.erdosRenyiKernel, 0.9, .snfs, 1, 0.50, 0.24),
  ])
  func multipliersAsPublished(
    kind: SparsityDistribution.Kind, sparsity: Double, method: TrainingMethodCost, longer: Double,
    training: Double, test: Double
  ) throws {
    let (layers, _) = try sparsify(
      resnet50(), SparsityDistribution(kind, sparsity: sparsity))
    let sparse = Accounting.paper.cost(of: layers).flops
    let dense = Accounting.paper.cost(of: layers.map(\.dense)).flops
    let multiplier = method.multiplier(sparse: sparse, dense: dense, trainingMultiplier: longer)
    #expect((multiplier * 100).rounded() == (training * 100).rounded(), "\(multiplier)")
    #expect((sparse / dense * 100).rounded() == (test * 100).rounded(), "\(sparse / dense)")
  }
}
