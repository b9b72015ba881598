import Foundation
@testable import RigLCore
import Testing

/// Files of stripped networks: what they keep, and what is said of those that are damaged.
@Suite struct StripFileTests {
  private let folder: TemporaryFolder
  private let run: SavedRun
  private let path: String
  private let file: SafetensorsFile

  init() throws {
    folder = try TemporaryFolder()
    let configuration = Configuration().changing {
      $0.data = "synthetic"
      ($0.trainSamples, $0.testSamples, $0.validation) = (100, 20, 0)
      ($0.hidden, $0.sparsity, $0.batchSize, $0.epochs) = ([30, 20], 0.98, 20, 1)
    }
    _ = try Trainer(configuration, options: RunOptions(threads: 1, output: folder("run"))).run()
    run = try SavedRun(folder("run"), threads: 1)
    path = folder("stripped.safetensors")
    _ = try run.strip(to: path)
    file = try SafetensorsFile(path: path)
  }

  /// Writes the file again, with other metadata or another list of inputs.
  private func write(
    _ architecture: String? = nil, used: [Int32]? = nil, without missing: String? = nil,
    more: [String: String] = [:]
  ) throws -> String {
    var metadata = file.metadata
    metadata["rigl.crc32"] = nil
    if let architecture { metadata["architecture"] = architecture }
    metadata.merge(more) { $1 }
    let tensors = file.tensors.filter { $0.name != missing }
    let other = folder("other.safetensors")
    var writer = try SafetensorsWriter(path: other, tensors: tensors, metadata: metadata)
    for tensor in tensors {
      if tensor.name == "inputs.used", let used {
        try writer.append(used, to: tensor.name)
      } else {
        let bytes = try file.bytes(tensor.name)
        try writer.append(bytes: unsafe bytes.span.bytes, to: tensor.name)
      }
    }
    try writer.finish()
    return other
  }

  /// The error that opening a file throws: one line that names it.
  private func error(_ path: String) throws -> RigLError {
    let error = try #require(rigLError { _ = try SavedRun(path, threads: 1) })
    #expect(error.kind == .data, "\(error)")
    #expect(error.what.hasPrefix(path), "\(error)")
    #expect(!error.what.contains("\n"), "\(error)")
    return error
  }

  @Test func theListOfInputsIsKept() throws {
    let used = try file.int32("inputs.used").map { Int($0) }
    let first = try #require(run.model.sparseLayers.first)
    let live = run.model.liveUnits()
    #expect(used.count == live.inputs && used.count < 784)
    // Each of them is one that a connection of the first layer reads.
    let read = Set(first.connectedPositions().map { $0 % first.inputs })
    #expect(used.allSatisfy { read.contains($0) })
    let stripped = try SavedRun(path, threads: 1)
    #expect(stripped.isStripped && stripped.sampleShape.count == 784)
    // Other inputs change nothing.
    var sample = [Float](repeating: 0.5, count: 784)
    let logits = try stripped.logits([sample])
    for input in 0..<784 where !used.contains(input) { sample[input] = Float(input) }
    #expect(try stripped.logits([sample]) == logits)
    let inspection = stripped.model.inspect()
    #expect((inspection.liveInputs, inspection.deadInputs) == (used.count, 784 - used.count))
  }

  @Test func otherSamplesAreRefused() throws {
    let stripped = try SavedRun(path, threads: 1)
    let short = rigLError { _ = try stripped.logits([[Float](repeating: 0, count: 100)]) }
    #expect(short?.kind == .data && short?.what.contains("784") == true)
    let samples = RandomSamples(count: 4, width: 100, classes: 10)
    let others = rigLError { _ = try stripped.evaluate(samples) }
    #expect(others?.kind == .data && others?.what.contains("1,28,28") == true)
  }

  @Test func truncatedFilesAreRefused() throws {
    let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    let cut = folder("cut.safetensors")
    for count in [0, 7, 100, bytes.count / 2, bytes.count - 1] {
      try bytes.prefix(count).write(to: URL(fileURLWithPath: cut))
      _ = try error(cut)
    }
    // A byte that is another one.
    var flipped = bytes
    flipped[bytes.count - 3] ^= 4
    try flipped.write(to: URL(fileURLWithPath: cut))
    #expect(try error(cut).what.contains("damaged"))
  }

  @Test func damagedDescriptionsAreRefused() throws {
    let json = try #require(file.metadata["architecture"])
    #expect(try write() != path)
    _ = try SavedRun(folder("other.safetensors"), threads: 1)
    let fc1 = "\"name\":\"fc1\""
    let changes: [(String, String)] = [
      (json, "["), (json, "{}"), (json, "{\"layers\":[]}"), (json, "null"),
      ("\"function\":\"relu\"", "\"function\":\"gelubrick\""), (fc1, "\"name\":\"fc2\""),
      (fc1, "\"nom\":\"fc1\""), ("\"inputs\":784", "\"inputs\":783"),
      ("\"inputs\":784", "\"inputs\":1"), ("\"kind\":\"inputs\"", "\"kind\":\"flatten\""),
      ("\"function\":\"relu\",\"kind\":\"activation\"", "\"kind\":\"residual\""),
      ("\"function\":\"relu\",\"kind\":\"activation\"", "\"kind\":\"batch_norm\""),
      (
        "\"function\":\"relu\",\"kind\":\"activation\"",
        "\"kind\":\"max_pool\",\"kernel\":99,\"stride\":1,\"padding\":0"
      ),
      ("\"function\":\"relu\",\"kind\":\"activation\"", "\"kind\":\"dropout\",\"probability\":1"),
      (
        "\"function\":\"relu\",\"kind\":\"activation\"",
        "\"kind\":\"inputs\",\"inputs\":5,\"outputs\":5"
      ),
      (
        "\"function\":\"relu\",\"kind\":\"activation\"",
        "\"kind\":\"conv2d\",\"name\":\"x\",\"inputs\":1,\"outputs\":268435456,\"kernel\":4096,"
          + "\"stride\":1,\"padding\":4096"
      ),
    ]
    for (old, new) in changes {
      let changed = json.replacingOccurrences(of: old, with: new)
      #expect(changed != json, "\(old)")
      _ = try error(try write(changed))
    }
    for number in ["0", "-5", "9223372036854775807", "268435456", "1e300", "\"3\""] {
      let changed = json.replacing(/"outputs":\d+/) { _ in "\"outputs\":\(number)" }
      _ = try error(try write(changed))
    }
    let nested =
      String(repeating: "{\"kind\":\"residual\",\"main\":[", count: 100)
      + String(repeating: "]}", count: 100)
    _ = try error(try write("{\"layers\":[\(nested)]}"))
  }

  @Test func damagedListsOfInputsAreRefused() throws {
    let used = try file.int32("inputs.used")
    var (twice, beyond, before) = (used, used, used)
    twice[1] = twice[0]
    beyond[used.count - 1] = 784
    before[0] = -1
    for list in [twice, beyond, before, used.reversed()] {
      #expect(try error(try write(used: list)).what.contains("inputs"))
    }
    #expect(try error(try write(without: "inputs.used")).what.contains("inputs.used"))
    #expect(try error(try write(without: "fc3.bias")).what.contains("fc3.bias"))
    #expect(try error(try write(more: ["classes": "9"])).what.contains("10 outputs for 9 classes"))
    #expect(try error(try write(more: ["input_shape": "1,28,27"])).what.contains("784"))
  }

  @Test func onlyAWholeNetworkIsTrainedFurther() throws {
    let imported = rigLError { _ = try NetworkImport(path, run.configuration) }
    let started = rigLError { _ = try NetworkStart(path) }
    let read = rigLError { _ = try NetworkImport.configuration(of: path) }
    let topology = rigLError {
      _ = try TopologyStart([path], run.configuration, run.model.layers)
    }
    for error in [imported, started, read, topology] {
      #expect(error?.kind == .data)
      #expect(error?.what.contains("stripped network") == true, "\(String(describing: error))")
    }
    let best = rigLError { _ = try SavedRun(path, best: true) }
    #expect(best?.kind == .configuration && best?.what.contains("stripped") == true)
    let given = rigLError { _ = try SavedRun(path, network: MLP(hidden: [3])) }
    #expect(given?.kind == .configuration && given?.what.contains("stripped") == true)
  }

  @Test func exportsCarryTheirLayers() throws {
    let stripped = try SavedRun(path, threads: 1)
    for isDense in [false, true] {
      let name = folder("export.safetensors")
      try stripped.export(to: name, isDense: isDense)
      try expectSameLogits(stripped.model, try SavedRun(name, threads: 1).model)
    }
    // A run's own files are not replaced.
    let own = rigLError { _ = try run.strip(to: folder("run/config.yaml")) }
    #expect(own?.kind == .configuration)
    let nowhere = rigLError { _ = try run.strip(to: folder("none/at/all.safetensors")) }
    #expect(nowhere?.kind == .write)
  }

  @Test func ownNetworksOfTheLibrarysLayersAreStripped() throws {
    struct Own: Network {
      func layers(input: SampleShape, classes: Int) -> Sequential {
        Sequential(
          SparseLinear("hidden", inputs: input.count, outputs: 40), ReLU(), Dropout(0.25),
          Sequential(SparseLinear("output", inputs: 40, outputs: classes)))
      }
    }
    let configuration = run.configuration.changing { $0.sparsity = 0.99 }
    _ = try Trainer(
      configuration, options: RunOptions(threads: 1, output: folder("own")), network: Own()
    ).run()
    let saved = try SavedRun(folder("own"), network: Own(), threads: 1)
    let report = try saved.strip(to: folder("own.safetensors"))
    #expect(!report.isAsBefore)
    // The file says all, so that nobody has to give the network.
    let stripped = try SavedRun(folder("own.safetensors"), threads: 1)
    try expectSameLogits(saved.model, stripped.model)
  }

  /// Every layer of the library, in a file and back; what it is called there does not change.
  @Test func everyLayerIsDescribedAndMadeAgain() throws {
    struct Own: Network {
      func layers(input: SampleShape, classes: Int) -> Sequential {
        Sequential(
          SparseConv2d("stem", inputs: 1, outputs: 6, kernel: 3, stride: 2, bias: true),
          LeakyReLU(0.25), Pool2d(.average, kernel: 2),
          Residual(
            before: [BatchNorm("norm", channels: 6, momentum: 0.75), SiLU()],
            main: [
              DepthwiseConv2d("depthwise", channels: 6, kernel: 3), Tanh(),
              Sequential(DenseConv2d("dense", inputs: 6, outputs: 6, kernel: 1)),
            ],
            shortcut: [SparseConv2d("past", inputs: 6, outputs: 6, kernel: 1)], activation: .gelu),
          Pool2d(.maximum, kernel: 3, stride: 2, padding: 1, name: "largest"),
          Residual(main: [SparseConv2d("plain", inputs: 6, outputs: 6, kernel: 3), Sigmoid()]),
          GlobalAveragePool(), Flatten(), SparseLinear("hidden", inputs: 6, outputs: 9), GELU(),
          Dropout(0.25), DenseLinear("output", inputs: 9, outputs: classes))
      }
    }
    let configuration = run.configuration.changing { $0.sparsity = 0.5 }
    _ = try Trainer(
      configuration, options: RunOptions(threads: 1, output: folder("all")), network: Own()
    ).run()
    let saved = try SavedRun(folder("all"), network: Own(), threads: 1)
    _ = try saved.strip(to: folder("all.safetensors"))
    let file = try SafetensorsFile(path: folder("all.safetensors"))
    let json = try #require(file.metadata["architecture"])
    let kinds = json.matches(of: /"kind":"(\w+)"/).map { String($0.output.1) }
    #expect(
      kinds == [
        "conv2d", "activation", "average_pool", "batch_norm", "activation", "residual",
        "depthwise_conv2d", "activation", "conv2d", "conv2d", "max_pool", "residual", "conv2d",
        "activation", "global_average_pool", "flatten", "linear", "activation", "dropout",
        "linear",
      ])
    let stripped = try SavedRun(folder("all.safetensors"), threads: 1)
    try expectSameLogits(saved.model, stripped.model)
    // Its layers say of themselves what the file says.
    #expect(try NetworkArchitecture(stripped.model.layers).json == json)
    #expect(stripped.model.layers.activationNames == saved.model.layers.activationNames)
    #expect(
      stripped.model.layers.activationNames == "leaky-relu 0.25, silu, tanh, gelu, sigmoid, gelu")
  }

  /// Files that were written before stay readable: the names and numbers of a layer in JSON.
  @Test func descriptionsKeepTheirNames() throws {
    let layers = Sequential(
      InputSelection([1, 2], of: 3, takesPlanes: true),
      SparseConv2d("a", inputs: 2, outputs: 4, kernel: 3, stride: 2, padding: 0),
      BatchNorm("n", channels: 4, momentum: 0.5, epsilon: 0.25), LeakyReLU(0.5),
      Residual(main: [DepthwiseConv2d("b", channels: 4, kernel: 1)], activation: .relu),
      Pool2d(.maximum, kernel: 2), Flatten(), Dropout(0.5),
      SparseLinear("c", inputs: 16, outputs: 2))
    #expect(
      try NetworkArchitecture(layers).json == """
        {"layers":[{"image":true,"inputs":3,"kind":"inputs","outputs":2},\
        {"bias":false,"inputs":2,"kernel":3,"kind":"conv2d","name":"a","outputs":4,"padding":0,\
        "sparse":true,"stride":2},\
        {"epsilon":0.25,"kind":"batch_norm","momentum":0.5,"name":"n","outputs":4},\
        {"function":"leaky-relu","kind":"activation","slope":0.5},\
        {"before":[],"function":"relu","kind":"residual","main":[{"bias":false,"inputs":4,\
        "kernel":1,"kind":"depthwise_conv2d","name":"b","outputs":4,"padding":0,"sparse":false,\
        "stride":1}],"shortcut":[]},\
        {"kernel":2,"kind":"max_pool","name":"pool","padding":0,"stride":2},{"kind":"flatten"},\
        {"kind":"dropout","probability":0.5},\
        {"bias":true,"inputs":16,"kind":"linear","name":"c","outputs":2,"sparse":true}]}
        """)
  }

  /// A layer of a program has no name in the table of kinds.
  @Test func ownLayersAreNotDescribed() throws {
    let own = Sequential(SparseConv1d("own", channels: 2, outputs: 3, kernel: 3))
    let error = try #require(rigLError { _ = try NetworkArchitecture(own) })
    #expect(error.kind == .configuration && error.what.contains("SparseConv1d"), "\(error)")
  }
}
