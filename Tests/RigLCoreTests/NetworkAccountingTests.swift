import Foundation
import RigLCore
import Testing

/// Golden/accounting.json again, this time from the presets: the networks' own layers, as
/// `rigl flops PRESET --paper-accounting` counts them.
@Suite(
  .enabled(
    if: ProcessInfo.processInfo.environment["RIGL_GOLDEN"] == nil
      || FileManager.default.fileExists(atPath: "\(GoldenFolder.path)/accounting.json")))
struct NetworkAccountingTests {
  /// A preset, its network in the file, and the file's name of a layer.
  private struct Model: Sendable {
    let preset: String
    let key: String
    let layer: @Sendable (String) -> String
  }

  private static let models = [
    Model(preset: "lenet-300-100", key: "lenet_300_100") { "layer" + $0.dropFirst(2) },
    Model(preset: "cifar10-wrn-22-2", key: "wrn_22_2", layer: ofWRN),
    Model(preset: "wrn-22-2", key: "wrn_22_2", layer: ofWRN),
    Model(preset: "resnet-50", key: "resnet50", layer: ofResNet),
    Model(preset: "mobilenet-v1", key: "mobilenet", layer: ofMobileNet),
  ]

  /// `layer2.0.conv1` is `conv_3_0_1`, `layer2.0.downsample` is `skip_conv_3`.
  @Sendable private static func ofWRN(_ name: String) -> String {
    let parts = name.split(separator: ".")
    guard parts.count == 3, let stage = Int(parts[0].dropFirst(5)) else {
      return ["conv1": "conv_1", "fc": "logits"][name] ?? name
    }
    if parts[2] == "downsample" { return "skip_conv_\(stage + 1)" }
    return "conv_\(stage + 1)_\(parts[1])_\(parts[2].dropFirst(4))"
  }

  /// `layer2.0.conv1` is `g1b0a`, `layer2.0.downsample.0` is `g1b0p`.
  @Sendable private static func ofResNet(_ name: String) -> String {
    let parts = name.split(separator: ".")
    guard parts.count > 2, let stage = Int(parts[0].dropFirst(5)) else { return name }
    let letters = ["conv1": "a", "conv2": "b", "conv3": "c", "downsample": "p"]
    return "g\(stage - 1)b\(parts[1])\(letters[String(parts[2])] ?? "?")"
  }

  /// `layer3.depthwise` is `dw3`, `layer3.pointwise` is `pw3`.
  @Sendable private static func ofMobileNet(_ name: String) -> String {
    let parts = name.split(separator: ".")
    guard parts.count == 2 else { return name == "fc" ? "conv_preds" : name }
    return "\(parts[1].first ?? "?")w\(parts[0].dropFirst(5))"
  }

  private func golden(_ key: String) throws -> GoldenAccounting.Model {
    try #require(GoldenAccounting.read().models.first { $0.key.hasPrefix(key) }?.value)
  }

  @Test func presetsReproduceEveryCase() throws {
    var cases = 0
    for model in Self.models {
      let golden = try golden(model.key)
      for expected in golden.cases {
        cases += 1
        let name: Comment = "\(model.preset), \(expected.method) \(expected.sparsity)"
        let configuration = try #require(Preset.named(model.preset)).configuration.changing {
          $0.method = .rigl
          $0.distribution = expected.method
          $0.sparsity = expected.sparsity
          $0.layerSparsities = [:]  // Published, every layer is in the budget.
          // The file's LeNet has its first layer sparse; elsewhere a map makes it dense.
          $0.firstLayerSparse = expected.custom.values.allSatisfy { $0 > 0 }
        }
        let report = try configuration.accountingReport(.paper)
        #expect(isClose(report.flops, expected.flops), "\(name): \(report.flops)")
        #expect(isClose(report.sizeBytes, expected.size_bytes), "\(name): \(report.sizeBytes)")
        #expect(isClose(report.sparsity, expected.real_sparsity), name)
        let dense = try #require(golden.cases.first { $0.sparsity == 0 })
        #expect(isClose(report.denseFlops, dense.flops), name)
        #expect(isClose(report.denseSizeBytes, dense.size_bytes), name)
        #expect(report.layers.count == golden.layers.count, name)
        for layer in report.layers {
          let itsName = model.layer(layer.name)
          let sparsity = try #require(expected.layer_sparsity[itsName], "\(layer.name), \(itsName)")
          #expect(isClose(layer.sparsity, sparsity), "\(name) \(layer.name)")
          #expect(
            layer.shape.reduce(1, *) - layer.connections == expected.layer_zeros[itsName],
            "\(name) \(layer.name)")
        }
      }
    }
    #expect(cases == 16)
  }

  // Published training and test FLOPs of ResNet-50, relative to dense.
  @Test(arguments: [
    ("uniform", 0.8, 1.0, 0.23, 0.23), ("uniform", 0.8, 5, 1.14, 0.23),
    ("erk", 0.8, 1, 0.42, 0.42), ("erk", 0.8, 5, 2.09, 0.42),
    ("erk", 0.9, 1, 0.25, 0.24), ("erk", 0.9, 5, 1.23, 0.24),
  ])
  func resNetCostsAsPublished(
    distribution: String, sparsity: Double, longer: Double, training: Double, test: Double
  ) throws {
    let kind = try #require(SparsityDistribution.Kind(rawValue: distribution))
    let report = try Preset.find("resnet-50").configuration.changing {
      $0.distribution = kind
      $0.sparsity = sparsity
      $0.multiplier = longer
    }.accountingReport(.paper)
    #expect((report.denseFlops / 1e4).rounded() == 820_234, "8202.34 MFLOPs")
    #expect((report.denseSizeBytes / 1e3).rounded() == 102_122, "102.122 MB")
    #expect((report.trainMultiplier.rigl * 100).rounded() == (training * 100).rounded())
    #expect((report.flops / report.denseFlops * 100).rounded() == (test * 100).rounded())
  }

  /// In training MobileNet's stem is dense and out of the budget; published it is inside.
  @Test func mobileNetsStemIsCountedAsPublished() throws {
    let configuration = try Preset.find("mobilenet-v1").configuration.changing {
      $0.distribution = .uniform
      $0.firstLayerSparse = true
    }
    func stem(_ accounting: Accounting) throws -> Double {
      try #require(configuration.accountingReport(accounting).layers.first).sparsity
    }
    #expect(try stem(.paper) == 0.75)
    #expect(try stem(.real) == 0)
  }

  /// What the program itself does: geometric sizes, whole connections, biases that exist.
  @Test func realCountsOfResNet50() throws {
    let dense = try Preset.find("resnet-50").configuration.changing { $0.method = .dense }
    let report = try dense.accountingReport()
    // 4.089 G multiply-adds, as is published for version 1.5 at 224 × 224.
    #expect((report.flops / 2e6).rounded() == 4089, "\(report.flops)")
    #expect(report.sizeBytes == 4 * Double(25_557_032 - 53_120), "all but batch-norm")
    #expect(report.flops == report.denseFlops)
  }

  /// Whatever a preset trains on, it is counted for what its network was published for; others ask.
  @Test func countsAreOfTheNominalInput() throws {
    let fashion = try Preset.find("wrn-22-2").configuration
    #expect(try fashion.accountingReport().layers[0].shape == [16, 3, 3, 3])
    let own = try fashion.accountingReport(
      input: SampleShape(channels: 1, height: 28, width: 28), classes: 7)
    #expect(own.layers[0].shape == [16, 1, 3, 3])
    #expect(own.layers.last?.shape == [7, 128])
    #expect(throws: RigLError.self) {
      _ = try fashion.changing { $0.network = "vgg-16" }.accountingReport(
        input: SampleShape(channels: 1, height: 16, width: 16))
    }
  }
}
