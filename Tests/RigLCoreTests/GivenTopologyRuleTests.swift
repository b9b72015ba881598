import Foundation
import RigLCore
import Testing

/// What connections of files mean for the layers that they do not give, and for pools of layers; what
/// networks' files are refused for, and what is said of them.
@Suite struct GivenTopologyRuleTests {
  private let folder: TemporaryFolder

  private static let configuration = Configuration().changing {
    $0.data = "synthetic"
    ($0.trainSamples, $0.testSamples, $0.validation) = (200, 40, 20)
    $0.hidden = [24, 12]
    ($0.batchSize, $0.epochs, $0.updateInterval) = (20, 2, 4)
    ($0.method, $0.seed) = (.static, 5)
  }

  init() throws { folder = try TemporaryFolder() }

  @discardableResult
  private func train(
    _ topology: [String] = [], in output: String, until step: Int = .max,
    _ change: (inout Configuration) -> Void = { _ in }
  ) throws -> (trainer: Trainer, remarks: [String]) {
    var options = RunOptions()
    (options.threads, options.topology, options.output) = (1, topology, folder(output))
    let trainer = try Trainer(Self.configuration.changing(change), options: options)
    let watcher = Watcher(stopAt: step, by: .interrupt)
    trainer.callbacks = [watcher]
    _ = try trainer.run()
    return (trainer, watcher.remarks)
  }

  private func checkpoint(of run: String) throws -> String {
    try #require(try CheckpointStore(folder: folder("\(run)/checkpoints")).list().last).path
  }

  /// Positions of a layer, row by row.
  private func positions(_ count: Int, inputs: Int) throws -> String {
    let lines = (0..<count).map { "\($0 / inputs),\($0 % inputs)" }
    let path = folder("\(count).csv")
    try writeFile(Array((["row,column"] + lines).joined(separator: "\n").utf8), to: path)
    return path
  }

  /// Whether a layer has one connection more than planned or hundreds fewer, the others have what the
  /// settings say.
  @Test(
    arguments: [SparsityDistribution.Kind.erdosRenyi, .erdosRenyiKernel],
    [Configuration.Method.static, .pruning])
  func otherLayersKeepTheirConnections(
    kind: SparsityDistribution.Kind, method: Configuration.Method
  ) throws {
    func set(_ configuration: inout Configuration) {
      (configuration.method, configuration.distribution) = (method, kind)
      configuration.firstLayerSparse = true
    }
    let drawn = try train(in: "drawn", until: 0, set).trainer.allocation
    let planned = try #require(drawn["fc1"]).connections
    for count in [2, planned - 1, planned + 1, 3 * planned] {
      if method == .pruning, count < planned { continue }
      let given = try train(
        ["fc1=\(try positions(count, inputs: 784))"], in: "given-\(count)", until: 0, set
      ).trainer
      for name in ["fc2", "fc3"] {
        #expect(given.allocation[name]?.connections == drawn[name]?.connections, "\(count)")
      }
      #expect(given.model.weightLayers[0].count == count)
      // A run that goes on has the same.
      let saved = try Configuration(yaml: folder.configuration(of: "given-\(count)"), path: "")
      let again = try saved.allocate(given.model.layers.weightLayers).layers
      #expect(again.map(\.connections) == given.allocation.layers.map(\.connections))
    }
  }

  /// A pool may leave a layer fewer connections than its own share: what one training has come to,
  /// another starts with.
  @Test(arguments: [Configuration.Method.granet, .pruning]) func aPoolTakesWhatAPoolHasLeft(
    method: Configuration.Method
  ) throws {
    func set(_ configuration: inout Configuration) {
      (configuration.method, configuration.topologyScope) = (method, .global)
      (configuration.epochs, configuration.pruneBegin, configuration.pruneEnd) = (3, 2, 10)
      configuration.updateInterval = 2
    }
    let pruned = try train(in: "pruned", set).trainer
    let counts = pruned.model.weightLayers.map(\.count)
    let planned = pruned.allocation.layers.map(\.connections)
    #expect(zip(counts, planned).contains { $0 < $1 }, "\(counts), \(planned)")
    #expect(counts.reduce(0, +) == planned.reduce(0, +))
    let source = try checkpoint(of: "pruned")
    let start = try train([source], in: "start", until: 0, set).trainer
    #expect(start.model.weightLayers.map(\.count) == counts)
    let whole = try train([source], in: "whole", set).trainer
    #expect(whole.model.weightLayers.reduce(0) { $0 + $1.count } == planned.reduce(0, +))
    // Each layer for itself cannot.
    let error = rigLError {
      try train([source], in: "layers") {
        set(&$0)
        $0.topologyScope = .layer
      }
    }
    #expect(error?.what.contains("but the settings end with") == true)
    let few = rigLError {
      try train([source], in: "few") {
        set(&$0)
        ($0.sparsity, $0.distribution, $0.firstLayerSparse) = (0.5, .uniform, true)
      }
    }
    #expect(
      few?.what.contains("together, but the settings end with") == true,
      "\(String(describing: few))")
    #expect(few?.kind == .configuration)
  }

  /// Weights of another function are refused; positions alone have none.
  @Test func weightsOfAnotherActivationAreRefused() throws {
    let trained = try train(in: "trained") { $0.activation = .gelu }.trainer
    let source = try checkpoint(of: "trained")
    try SavedRun(folder("trained")).export(to: folder("dense.safetensors"), isDense: true)
    for source in [source, "fc2=\(source)", folder("dense.safetensors")] {
      let error = try #require(rigLError { try train([source], in: "refused") })
      #expect(error.kind == .data && error.what.contains("activation is gelu, and here it is relu"))
      #expect(error.hint?.contains(".mtx") == true, "\(error)")
      #expect(!FileManager.default.fileExists(atPath: folder("refused")))
    }
    let same = try train([source], in: "same", until: 0) { $0.activation = .gelu }
    #expect(
      same.remarks[0].hasSuffix("biases and batch-norm are new: --start-from takes those, too"))
    let layer = try #require(trained.model.weightLayers.last)
    let lines = layer.mask().enumerated().filter { $1 == 1 }.map { "\($0.0 / 12),\($0.0 % 12)" }
    let path = folder("positions.csv")
    try writeFile(Array((["row,column"] + lines).joined(separator: "\n").utf8), to: path)
    let positions = try train(["fc3=\(path)"], in: "positions", until: 0)
    #expect(positions.remarks[0].hasSuffix("weights are drawn"))
    #expect(positions.trainer.model.weightLayers.last?.mask() == layer.mask())
  }
}
