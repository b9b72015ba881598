import Foundation
import RigLCore
import Testing

/// Networks to files for other programs, and back.
@Suite struct ExportTests {
  private let folder: TemporaryFolder
  private let saved: SavedRun

  init() throws {
    folder = try TemporaryFolder()
    let options = RunOptions(threads: 2, output: folder("run"))
    _ = try Trainer(Self.configuration(.rigl), options: options).run()
    saved = try SavedRun(folder("run"))
    try saved.export(to: folder("dense.safetensors"), isDense: true)
  }

  /// A thin WRN that is trained a little, so that averages and weights are not where they began.
  private static func configuration(_ method: Configuration.Method) -> Configuration {
    Configuration().changing {
      $0.data = "synthetic"
      $0.trainSamples = 64
      $0.testSamples = 32
      $0.validation = 0
      $0.network = "wrn-10-1"
      $0.widthMultiplier = 0.5
      $0.method = method
      $0.sparsity = 0.8
      $0.epochs = 1
      $0.batchSize = 16
      $0.updateInterval = 3
    }
  }

  /// Starts a run of no epochs from a file.
  private func start(
    _ configuration: Configuration, from file: String, _ name: String
  ) throws -> SavedRun {
    let options = RunOptions(threads: 1, output: folder(name), startFrom: folder(file))
    _ = try Trainer(configuration.changing { $0.epochs = 0 }, options: options).run()
    return try SavedRun(folder(name))
  }

  @Test func aDenseFileHasEveryWeightInPyTorchsShape() throws {
    let file = try SafetensorsFile(path: folder("dense.safetensors"))
    #expect(file.metadata["format"] == "pt")
    let model = saved.model
    #expect(file.tensors.count == model.parameters.count + model.averages.count)
    for layer in model.weightLayers {
      let expected = layer.dense(layer.weight.values)
      #expect(
        try file.float32("\(layer.name).weight", shape: layer.shape) == expected, "\(layer.name)")
      if let connections = layer.connections {
        #expect(expected.count { $0 != 0 } <= connections.count)
      }
    }
    #expect(try file.require("layer2.0.downsample.weight").shape == [16, 8, 1, 1])
    #expect(try file.require("layer2.0.conv1.weight").shape == [16, 8, 3, 3])
    for name in ["weight", "bias", "running_mean", "running_var"] {
      try file.require("layer3.0.bn2.\(name)", .float32, shape: [32])
    }
    try file.require("fc.weight", .float32, shape: [10, 32])
    for average in model.averages {
      #expect(try file.float32(average.name) == average.values.array())
    }
  }

  @Test func aSparseTrainingStartsWhereTheFileEnds() throws {
    let again = try start(Self.configuration(.static), from: "dense.safetensors", "sparse")
    for (old, new) in zip(saved.model.weightLayers, again.model.weightLayers) {
      #expect(old.dense(old.weight.values) == new.dense(new.weight.values), "\(old.name)")
      // Connections whose weight is exactly zero are no better than others.
      let (kept, all) = (
        Set(new.connections?.connectedPositions() ?? []), new.dense(new.weight.values)
      )
      #expect(
        all.indices.allSatisfy { all[$0] == 0 || new.connections == nil || kept.contains($0) })
    }
    for (old, new) in zip(saved.model.averages, again.model.averages) {
      #expect(old.values.array() == new.values.array(), "\(old.name)")
    }
  }

  @Test func aDenseNetworkReadsTheSameFunction() throws {
    let dense = try start(Self.configuration(.dense), from: "dense.safetensors", "full")
    #expect(dense.model.sparseLayers.isEmpty)
    let samples = [randomValues(784, seed: 3), randomValues(784, seed: 4)]
    for (one, other) in zip(try saved.logits(samples).joined(), try dense.logits(samples).joined())
    {
      #expect((one - other).magnitude < 1e-4)
    }
    // And what it exports is the file again, weight by weight.
    try dense.export(to: folder("again.safetensors"), isDense: true)
    let (first, second) = (
      try SafetensorsFile(path: folder("dense.safetensors")),
      try SafetensorsFile(path: folder("again.safetensors"))
    )
    #expect(first.tensors == second.tensors)
    for tensor in first.tensors {
      #expect(try first.bytes(tensor.name) == second.bytes(tensor.name))
    }
  }

  @Test func aSparseFileHasNoZeros() throws {
    try saved.export(to: folder("sparse.safetensors"), isDense: false)
    let file = try SafetensorsFile(path: folder("sparse.safetensors"))
    let layer = try #require(saved.model.sparseLayers.first)
    #expect(try file.require("\(layer.name).weight.values").count == layer.count)
    #expect(file.tensors.allSatisfy { !$0.name.hasSuffix("velocity") })
    let size = try SafetensorsFile(path: folder("dense.safetensors")).size
    #expect(file.size < size)
  }

  /// A file with changes: a copy of the dense one.
  private func write(
    _ name: String, leavingOut missing: String = "", adding extra: [SafetensorsTensor] = [],
    asDouble: String = "", reshaped: String = ""
  ) throws {
    let file = try SafetensorsFile(path: folder("dense.safetensors"))
    let tensors = file.tensors.filter { $0.name != missing }.map { tensor in
      SafetensorsTensor(
        tensor.name, tensor.name == asDouble ? .float64 : .float32,
        shape: tensor.name == reshaped ? tensor.shape.reversed() : tensor.shape)
    }
    var writer = try SafetensorsWriter(path: folder(name), tensors: tensors + extra)
    for tensor in tensors + extra {
      if tensor.type == .float32 && file[tensor.name] != nil {
        try writer.append(try file.float32(tensor.name), to: tensor.name)
      } else {
        let zeros = [UInt8](repeating: 0, count: tensor.byteCount)
        try writer.append(bytes: zeros.span.bytes, to: tensor.name)
      }
    }
    try writer.finish()
  }

  @Test func whatPyTorchAddsIsNoMistake() throws {
    try write(
      "torch.safetensors",
      adding: [SafetensorsTensor("bn.num_batches_tracked", .int64, shape: [])])
    _ = try start(Self.configuration(.static), from: "torch.safetensors", "torch")
  }

  @Test func everyMismatchIsADataError() throws {
    try write("missing.safetensors", leavingOut: "bn.running_var")
    try write("weightless.safetensors", leavingOut: "layer1.0.conv1.weight")
    try write("more.safetensors", adding: [SafetensorsTensor("fc2.weight", .float32, shape: [3])])
    try write("double.safetensors", asDouble: "fc.bias")
    try write("shape.safetensors", reshaped: "layer1.0.conv1.weight")
    for (name, culprit) in [
      ("missing", "bn.running_var"), ("weightless", "layer1.0.conv1.weight"),
      ("more", "fc2.weight"),
      ("double", "fc.bias"), ("shape", "layer1.0.conv1.weight"),
    ] {
      let error = try #require(throws: RigLError.self) {
        _ = try start(Self.configuration(.static), from: "\(name).safetensors", name)
      }
      #expect(error.kind == .data, "\(error)")
      #expect(
        error.what.contains(culprit) && error.what.contains("\(name).safetensors"), "\(error)")
    }
    // Another network, and the same one at another width.
    for (name, change) in [
      ("deeper", { $0.network = "wrn-16-1" }), ("wider", { $0.widthMultiplier = 1 }),
      ("mlp", { $0.network = "mlp" }),
    ] as [(String, (inout Configuration) -> Void)] {
      let error = try #require(throws: RigLError.self) {
        _ = try start(Self.configuration(.static).changing(change), from: "dense.safetensors", name)
      }
      #expect(error.kind == .data, "\(error)")
    }
  }
}
