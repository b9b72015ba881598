import Foundation
import RigLCore
import Testing

/// Networks that are as wide as costs as much as another one: small-dense and big-sparse.
@Suite struct WidthMatchTests {
  struct Case: CustomTestStringConvertible {
    let network: String
    let match: Configuration.Match
    let isBig: Bool
    var distribution = SparsityDistribution.Kind.erdosRenyiKernel
    var testDescription: String { "\(network) \(match) \(isBig ? "big" : "small") \(distribution)" }

    var configuration: Configuration {
      Configuration().changing {
        ($0.network, $0.match, $0.bigSparse) = (network, match, isBig)
        ($0.method, $0.sparsity, $0.distribution) = (isBig ? .rigl : .smallDense, 0.9, distribution)
      }
    }
  }

  static let cases =
    ["mlp", "lenet-5", "wrn-10-2", "resnet-18", "resnet-50", "mobilenet-v1", "vgg-16"].flatMap {
      name in
      Configuration.Match.allCases.flatMap { match in
        [false, true].map { Case(network: name, match: match, isBig: $0) }
      }
    } + [Case(network: "wrn-10-2", match: .flops, isBig: true, distribution: .uniform)]

  /// FLOPs or parameters, counted layer by layer from the network itself.
  private func counted(
    _ configuration: Configuration, isSparse: Bool, input: SampleShape, classes: Int
  ) throws -> Double {
    let layers = try configuration.makeNetwork().layers(input: input, classes: classes)
    let sparse = configuration.changing { $0.method = isSparse ? .static : .dense }
    let allocation = try sparse.allocate(layers.weightLayers)
    let input = layers.takesPlanes ? input : SampleShape(channels: input.count)
    return zip(try layers.accounted(input: input), allocation.layers).reduce(0) { sum, pair in
      let (layer, own) = pair
      let biases = layer.hasBias ? layer.outputs : 0
      let places = configuration.match == .flops ? layer.outputHeight * layer.outputWidth : 1
      let each = configuration.match == .flops ? 2 : 1
      return sum + Double(places * (each * own.connections + biases))
    }
  }

  /// The figure does not exceed the other network's, and a millionth more does.
  @Test(arguments: cases) func widthIsTheLargest(one: Case) throws {
    var configuration = one.configuration
    let published = try NetworkName(one.network).published
    let input =
      published.input.height == 224
      ? SampleShape(channels: 3, height: 64, width: 64) : published.input
    let target = try counted(
      configuration, isSparse: !one.isBig, input: input, classes: published.classes)
    let match = try #require(
      try configuration.matchWidth(input: input, classes: published.classes))
    #expect(configuration.matchedWidth == match.width)
    #expect(one.isBig ? match.width > 1 : match.width < 1)
    func figure(_ width: Double) throws -> Double {
      try counted(
        configuration.changing { $0.matchedWidth = width }, isSparse: one.isBig, input: input,
        classes: published.classes)
    }
    let own = try figure(match.width)
    #expect(own == match.figure && target == match.target)
    #expect(own <= target)
    let wider = (match.width * 1e6).rounded() + 1
    #expect(try figure(wider / 1e6) > target, "\(match)")
    // Not far below: a unit of each layer is little.
    #expect(own > 0.6 * target, "\(match)")
  }

  @Test func hiddenLayersScaleAndKeepAUnit() throws {
    var configuration = Configuration().changing {
      ($0.method, $0.sparsity, $0.hidden) = (.smallDense, 0.98, [300, 100])
    }
    let input = SampleShape(channels: 1, height: 28, width: 28)
    let match = try #require(try configuration.matchWidth(input: input, classes: 10))
    let layers = try configuration.makeNetwork().layers(input: input, classes: 10).weightLayers
    #expect(layers.map(\.outputs) == [6, 2, 10])
    #expect(match.remark.hasPrefix("width \(match.width): \(Int(match.figure)) FLOPs a sample"))
    // So sparse that even a unit a layer is too much.
    var tiny = configuration.changing { ($0.sparsity, $0.matchedWidth) = (0.9999, nil) }
    let error = try #require(
      rigLError { _ = try tiny.matchWidth(input: input, classes: 10) })
    #expect(error.what.contains("even the narrowest network"), "\(error)")
    // Nothing to save.
    var all = configuration.changing { ($0.sparsity, $0.matchedWidth) = (0, nil) }
    #expect(try (all.matchWidth(input: input, classes: 10)?.width ?? 0) >= 1)
    #expect(
      try all.makeNetwork().layers(input: input, classes: 10).weightLayers.map(\.outputs)
        == [300, 100, 10])
  }

  // MARK: - Trainings

  private static let configuration = Configuration().changing {
    $0.data = "synthetic"
    ($0.trainSamples, $0.testSamples, $0.validation) = (200, 40, 20)
    ($0.hidden, $0.sparsity, $0.batchSize, $0.epochs) = ([64, 32], 0.8, 20, 2)
    $0.updateInterval = 4
  }

  /// The width is told, saved and kept: on resume, in evaluation, in an export, and by a training that
  /// starts from the run.
  @Test(arguments: [false, true]) func aRunKeepsItsWidth(isBig: Bool) throws {
    let folder = try TemporaryFolder()
    func trainer(_ output: String, _ change: (inout Configuration) -> Void = { _ in }) throws
      -> (Trainer, Watcher)
    {
      var options = RunOptions(threads: 1, output: folder(output))
      options.checkpointEvery = 3
      let trainer = try Trainer(
        Self.configuration.changing {
          if isBig { $0.bigSparse = true } else { $0.method = .smallDense }
          change(&$0)
        }, options: options)
      let watcher = Watcher(stopAt: output == "stopped" ? 5 : .max, by: .interrupt)
      trainer.callbacks = [watcher]
      return (trainer, watcher)
    }
    let (whole, watcher) = try trainer("whole")
    _ = try whole.run()
    let width = try #require(whole.configuration.matchedWidth)
    #expect(isBig ? width > 1 : width < 1)
    #expect(watcher.remarks.contains { $0.hasPrefix("width \(width): ") }, "\(watcher.remarks)")
    #expect(isBig == !whole.model.sparseLayers.isEmpty)
    #expect(try folder.configuration(of: "whole").contains("matched_width: \(width)"))
    let saved = try SavedRun(folder("whole"))
    #expect(saved.model.connections == whole.model.connections)
    _ = try trainer("stopped").0.run()
    let settings = try Configuration(yaml: folder.configuration(of: "stopped"), path: "config.yaml")
    _ = try Trainer(settings, options: RunOptions(threads: 2)).resume(folder("stopped"))
    for tensor in try folder.checkpoint(of: "whole").tensors {
      #expect(
        try folder.checkpoint(of: "whole").bytes(tensor.name)
          == folder.checkpoint(of: "stopped").bytes(tensor.name), "\(tensor.name)")
    }
    let tuned = try Trainer(
      startingFrom: folder("whole"), options: RunOptions(threads: 1, output: folder("tuned"))
    ) {
      ($0.epochs, $0.sparsity) = (1, isBig ? 0.9 : 0.5)
    }
    _ = try tuned.run()
    #expect(tuned.model.weightLayers.map(\.shape) == whole.model.weightLayers.map(\.shape))
    // A width of other settings is an error, not another network.
    let (stale, _) = try trainer("stale") { ($0.matchedWidth, $0.sparsity) = (width, 0.5) }
    let error = try #require(rigLError { _ = try stale.run() })
    #expect(error.what.hasPrefix("matched_width: \(width) is of other settings"), "\(error)")
    #expect(!FileManager.default.fileExists(atPath: folder("stale")))
  }

  @Test func whatHasNoWidthIsRefused() throws {
    let own = try #require(
      rigLError {
        _ = try Trainer(
          Self.configuration.changing { $0.method = .smallDense },
          network: CustomRunTests.Own())
      })
    #expect(own.what.hasPrefix("method: small-dense: a network that was given in Swift"), "\(own)")
    for method in [Configuration.Method.dense, .smallDense] {
      let error = try #require(
        rigLError {
          try Configuration().changing { ($0.method, $0.bigSparse) = (method, true) }.validate()
        })
      #expect(error.what.hasPrefix("big_sparse: method \(method.rawValue)"), "\(error)")
    }
    for width in [0, 1e-7, 1001, .nan] {
      #expect(
        rigLError { try Configuration().changing { $0.matchedWidth = width }.validate() } != nil)
    }
  }
}
