import Foundation
import RigLCore
import Testing

/// Every case of Golden/, or of the folder that RIGL_GOLDEN names, by the operation it is of.
///
/// The expected values come from PyTorch (NumPy for topology updates) in double precision: 1e-5 of
/// a tensor's largest magnitude, topologies exactly, trajectories to 1e-4.
@Suite struct GoldenTests {
  /// What checks a case, by its operation.
  static let checks: [String: @Sendable (GoldenCase) throws -> Void] = [
    "linear": checkLinear, "cross_entropy": checkCrossEntropy, "optimizer": checkOptimizer,
    "optimizer_age": checkOptimizerByAge, "clip_grad_norm": checkClipping,
    "schedule": checkSchedule,
    "topology_update": checkTopologyUpdate, "trajectory": checkTrajectory,
    "conv2d": checkConvolution, "batchnorm2d": checkBatchNorm, "maxpool2d": checkMaxPool,
    "globalavgpool2d": checkGlobalAveragePool, "redistribute": checkRedistribution,
    "gru": checkGRU, "embedding": checkEmbedding,
  ]

  @Test func everyFileOfTheFolder() throws {
    var passed = 0
    for name in try FileManager.default.contentsOfDirectory(atPath: GoldenFolder.path).sorted() {
      if name.hasSuffix(".md") { continue }
      if name == "accounting.json" { continue }  // AccountingGoldenTests
      guard name.hasSuffix(".safetensors") else {
        Issue.record("\(name): no test reads files of this kind")
        continue
      }
      do {
        let golden = try GoldenCase(path: "\(GoldenFolder.path)/\(name)")
        if let check = Self.checks[golden.operation] {
          try check(golden)
          passed += 1
        } else {
          Issue.record("\(name): unknown operation '\(golden.operation)'")
        }
      } catch {
        Issue.record("\(name): \(error)")
      }
    }
    print("Golden cases: \(passed) checked")
    #expect(passed > 0, "\(GoldenFolder.path) holds no golden case")
  }
}

/// One golden case: what is given and what is expected.
struct GoldenCase {
  let name: String
  let operation: String
  let file: SafetensorsFile
  let attributes: Attributes

  /// The attributes of all operations.
  struct Attributes: Decodable {
    var label_smoothing: Float?
    // optimizer, schedule
    var kind: String?
    var lr: Double?
    var momentum: Float?
    var nesterov: Bool?
    var weight_decay: Float?
    var betas: [Double]?
    var eps: Float?
    var max_norm: Double?
    var steps: Int?
    var min_lr: Double?
    var first_cycle: Int?
    var cycle_multiplier: Int?
    var milestones: [Int]?
    var factor: Double?
    // topology_update
    var drop_fraction: Double?
    var grow_score: String?
    var k: Int?
    // trajectory
    var model: String?
    var dims: [Int]?
    var batch: Int?
    var batches_consumed: Int?
    var update_every: Int?
    var anneal: String?
    var update_end: Int?
    var weight_decay_on_bias: Bool?
    var densities: [Double]?
    var order: String?
    // trajectory by a method other than RigL
    var method: String?
    var scope: String?
    var sparsity: Double?
    var initial_sparsity: Double?
    var prune_begin: Int?
    var prune_end: Int?
    var update_begin: Int?
    var redistribution: Bool?
    var momentum_decay: Float?
    // redistribute
    var total: Int?
    var means: [Double]?
    var caps: [Int]?
    // planes
    var stride: Int?
    var padding: Int?
    var groups: Int?
    var kernel: Int?
    // gru
    var gate_order: String?
    var reset_after: Bool?

    enum CodingKeys: String, CodingKey, CaseIterable {
      case label_smoothing, kind, lr, momentum, nesterov, weight_decay, betas, eps, max_norm, steps
      case min_lr, first_cycle, cycle_multiplier, milestones, factor, drop_fraction, grow_score, k
      case model, dims, batch, batches_consumed, update_every, anneal, update_end
      case method, scope, sparsity, initial_sparsity, prune_begin, prune_end, update_begin
      case redistribution, momentum_decay, total, means, caps
      case weight_decay_on_bias, densities, order, stride, padding, groups, kernel
      case gate_order, reset_after
    }
  }

  init(path: String) throws {
    name = URL(fileURLWithPath: path).lastPathComponent
    file = try SafetensorsFile(path: path)
    operation = try #require(file.metadata["op"], "\(name): no op in its metadata")
    let attributes = Data((file.metadata["attrs"] ?? "{}").utf8)
    // What a case asks for and this reader does not know must not be passed over.
    let keys = try #require(JSONSerialization.jsonObject(with: attributes) as? [String: Any]).keys
    let known = Set(Attributes.CodingKeys.allCases.map(\.rawValue))
    for key in keys.sorted() where !known.contains(key) {
      Issue.record("\(name): unknown attribute '\(key)'")
    }
    self.attributes = try JSONDecoder().decode(Attributes.self, from: attributes)
  }

  func shape(_ tensor: String) throws -> [Int] {
    try #require(file[tensor], "\(name): no tensor '\(tensor)'").shape
  }

  /// Rows and columns of a weight: (out, in) of a linear layer, (out, in · height · width) in OIHW
  /// order of a convolution.
  func matrix(_ tensor: String) throws -> (outputs: Int, inputs: Int) {
    let shape = try shape(tensor)
    return (shape[0], shape.dropFirst().reduce(1, *))
  }

  /// Compares with an expected tensor, to a share of its largest magnitude.
  func expect(
    _ actual: [Float], _ tensor: String, _ what: String = "", within tolerance: Float = 1e-5
  )
    throws
  {
    let expected = try file.float32(tensor)
    try #require(actual.count == expected.count, "\(name): \(tensor) \(what)")
    let scale = expected.reduce(0) { max($0, $1.magnitude) }
    // Written so that NaN fails.
    let isClose = zip(actual, expected).allSatisfy { ($0 - $1).magnitude <= tolerance * scale }
    let worst = zip(actual, expected).map { ($0 - $1).magnitude }.max() ?? 0
    #expect(isClose, "\(name): \(tensor) \(what) is off by \(worst), largest value \(scale)")
  }

  func expect<Element: Equatable>(_ actual: [Element], equals expected: [Element], _ what: String) {
    let first = zip(actual, expected).enumerated().first { $1.0 != $1.1 }
    #expect(
      actual.count == expected.count && first == nil,
      "\(name): \(what) differs, first at \(first?.offset ?? 0)")
  }
}
