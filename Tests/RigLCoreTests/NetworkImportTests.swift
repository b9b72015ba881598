import Foundation
import RigLCore
import Testing

/// Networks from files of this and other programs, as runs.
@Suite struct NetworkImportTests {
  private let folder: TemporaryFolder
  private let saved: SavedRun
  private let samples = [randomValues(784, seed: 3), randomValues(784, seed: 4)]

  init() throws {
    folder = try TemporaryFolder()
    let options = RunOptions(threads: 2, output: folder("run"))
    _ = try Trainer(Self.configuration, options: options).run()
    saved = try SavedRun(folder("run"), threads: 1)
    try saved.export(to: folder("dense.safetensors"), isDense: true)
    try saved.export(to: folder("sparse.safetensors"), isDense: false)
  }

  /// Trained a little, so that averages and weights are not where they began, and without updates,
  /// so that no connection has weight 0.
  private static let configuration = Configuration().changing {
    $0.data = "synthetic"
    $0.trainSamples = 64
    $0.testSamples = 32
    $0.validation = 0
    $0.network = "wrn-10-1"
    $0.widthMultiplier = 0.5
    $0.method = .static
    $0.sparsity = 0.8
    $0.epochs = 1
    $0.batchSize = 16
  }

  private func options(_ name: String) -> RunOptions {
    RunOptions(threads: 2, output: folder(name))
  }

  @discardableResult
  private func imported(
    _ file: String, as name: String, _ configuration: Configuration = Self.configuration,
    prunes: Bool = false
  ) throws -> SavedRun {
    let network = try NetworkImport(folder(file), configuration, prunes: prunes)
    let run = try network.write(options(name))
    #expect(run.path == folder(name))
    return try SavedRun(run.path, threads: 1)
  }

  private func topology(_ model: Model) -> [[Int]?] {
    model.weightLayers.map { $0.connections?.connectedPositions() }
  }

  private func weights(_ model: Model) -> [[Float]] {
    model.weightLayers.map { $0.dense($0.weight.values) }
  }

  // MARK: - The same network

  @Test(arguments: ["dense.safetensors", "sparse.safetensors"])
  func exportedNetworksComeBack(file: String) throws {
    let configuration = try #require(try NetworkImport.configuration(of: folder(file)))
    #expect(configuration == Self.configuration)
    let again = try imported(file, as: "again", configuration)
    #expect(again.configuration == configuration)
    #expect(again.step == 0)
    #expect(topology(again.model) == topology(saved.model))
    #expect(weights(again.model) == weights(saved.model))
    #expect(try again.logits(samples) == saved.logits(samples))
    #expect(again.normalization == saved.normalization)
    #expect(again.sampleShape == saved.sampleShape)
    try again.export(to: folder("twice.safetensors"), isDense: file.hasPrefix("dense"))
    let first = try SafetensorsFile(path: folder(file))
    let second = try SafetensorsFile(path: folder("twice.safetensors"))
    #expect(first.tensors == second.tensors)
    for tensor in first.tensors {
      #expect(try first.bytes(tensor.name) == second.bytes(tensor.name), "\(tensor.name)")
    }
  }

  @Test func trainingGoesOnFromAnImport() throws {
    try imported("dense.safetensors", as: "again")
    let trainer = try Trainer(Self.configuration, options: options("unused"))
    let result = try trainer.resume(folder("again"))
    #expect(result.steps == 4 && !result.wasStopped)
    let trained = try SavedRun(folder("again"), threads: 1)
    #expect(trained.step == 4)
    #expect(topology(trained.model) == topology(saved.model))
    #expect(weights(trained.model) != weights(saved.model))
  }

  /// The zeros of the file count, whatever sparsity the settings have; and training goes on with
  /// just these connections.
  @Test func theFilesConnectionsAreKept() throws {
    var other = Self.configuration
    other.sparsity = 0.95
    other.distribution = .uniform
    other.lastLayerDense = true
    other.seed = 5
    let again = try imported("dense.safetensors", as: "again", other)
    for (old, new) in zip(saved.model.weightLayers, again.model.weightLayers) {
      #expect(old.dense(old.weight.values) == new.dense(new.weight.values), "\(old.name)")
      // The layers that these settings leave dense are stored so.
      let isDense = ["conv1", "fc"].contains(new.name)
      #expect(
        new.connections?.count == (isDense ? nil : old.connections?.count), "\(new.name)")
    }
    _ = try Trainer(again.configuration, options: options("unused")).resume(folder("again"))
  }

  @Test func onlyTheLargestStayIfAskedFor() throws {
    let network = try NetworkImport(
      folder("dense.safetensors"), Self.configuration.changing { $0.sparsity = 0.95 }, prunes: true)
    #expect(network.configuration.layerSparsities.isEmpty)
    let expected = try network.configuration.allocate(network.model.layers.weightLayers)
    #expect(network.model.connections == expected.connections)
    for (old, new) in zip(saved.model.weightLayers, network.model.weightLayers) {
      let (all, kept) = (old.dense(old.weight.values), new.dense(new.weight.values))
      let least = kept.filter { $0 != 0 }.map(\.magnitude).min() ?? 0
      for (one, other) in zip(all, kept) {
        #expect(other == one || other == 0 && one.magnitude <= least, "\(old.name)")
      }
    }
  }

  // MARK: - Other programs' files

  /// A copy of the dense file without metadata, tensors changed as told.
  private func write(
    _ name: String, type: (SafetensorsTensor) -> SafetensorsType = { _ in .float32 },
    value: (String, Int, Float) -> Float = { $2 }
  ) throws {
    let file = try SafetensorsFile(path: folder("dense.safetensors"))
    let tensors = file.tensors.map { SafetensorsTensor($0.name, type($0), shape: $0.shape) }
    var writer = try SafetensorsWriter(path: folder(name), tensors: tensors)
    for tensor in tensors {
      let numbers = try file.float32(tensor.name).enumerated().map {
        value(tensor.name, $0.offset, $0.element)
      }
      let bytes: [UInt8] =
        switch tensor.type {
        case .float16: numbers.flatMap { littleEndian(UInt64(halfBits($0)), 2) }
        case .bfloat16: numbers.flatMap { littleEndian(UInt64($0.bitPattern >> 16), 2) }
        case .float64: numbers.flatMap { littleEndian(Double($0).bitPattern, 8) }
        default: numbers.flatMap { littleEndian(UInt64($0.bitPattern), 4) }
        }
      try writer.append(bytes: bytes.span.bytes, to: tensor.name)
    }
    try writer.finish()
  }

  /// A dense network is one, whatever method the settings name; a few zeros are weights too.
  @Test func denseNetworksStayDense() throws {
    try write(
      "torch.safetensors", value: { $1 == 7 ? 0 : $2 == 0 ? 0.001 : $2 })
    let input = SampleShape(channels: 1, height: 28, width: 28)
    let network = try NetworkImport(folder("torch.safetensors"), Self.configuration, input: input)
    #expect(network.model.sparseLayers.isEmpty)
    #expect(network.configuration.method == .dense)
    #expect(network.classes == 10)
    let run = try network.write(options("full"))
    #expect(try SavedRun(run.path).configuration.method == .dense)
    // A layer of which nothing is left is no layer without connections.
    try write("zero.safetensors", value: { $0 == "layer3.0.conv2.weight" ? 0 : $2 })
    let zero = try NetworkImport(folder("zero.safetensors"), Self.configuration, input: input)
    let layer = zero.model.weightLayers.first { $0.name == "layer3.0.conv2" }
    #expect(layer != nil && layer?.connections == nil)
    #expect(zero.model.sparseLayers.count == saved.model.sparseLayers.count - 1)
  }

  @Test func theDataSaysWhatTheFileDoesNot() throws {
    try write("torch.safetensors")
    let network = try NetworkImport(folder("torch.safetensors"), Self.configuration)
    #expect(network.sampleShape == SampleShape(channels: 1, height: 28, width: 28))
    #expect(network.normalization == saved.normalization)
    let clothes = Self.configuration.changing {
      $0.data = "fashion-mnist"
      $0.padTo = 32
    }
    let other = try NetworkImport(folder("torch.safetensors"), clothes)
    #expect(other.sampleShape == SampleShape(channels: 1, height: 32, width: 32))
    #expect(other.normalization == .fashionMNIST)
  }

  @Test(arguments: [SafetensorsType.float16, .bfloat16])
  func halfPrecisionIsConverted(type: SafetensorsType) throws {
    try write("half.safetensors", type: { _ in type })
    let half = try imported("half.safetensors", as: "half")
    let limit: Float = type == .float16 ? 1.0 / 2048 : 1.0 / 128
    for (one, other) in zip(weights(saved.model).joined(), weights(half.model).joined()) {
      #expect((one - other).magnitude <= limit * one.magnitude + 0x1p-25)
    }
    // A training starts from it too.
    var options = options("start")
    options.startFrom = folder("half.safetensors")
    _ = try Trainer(Self.configuration.changing { $0.epochs = 0 }, options: options).run()
  }

  @Test func everyHalfIsRead() throws {
    let bits = (0...UInt16.max).map { $0 }
    let tensors = [
      SafetensorsTensor("half", .float16, shape: [1 << 16]),
      SafetensorsTensor("brain", .bfloat16, shape: [1 << 16]),
    ]
    var writer = try SafetensorsWriter(path: folder("bits.safetensors"), tensors: tensors)
    for tensor in tensors { try writer.append(bytes: bits.span.bytes, to: tensor.name) }
    try writer.finish()
    let file = try SafetensorsFile(path: folder("bits.safetensors"))
    var half = AlignedBuffer<Float>(count: 1 << 16)
    var brain = AlignedBuffer<Float>(count: 1 << 16)
    try file.readFloats("half", into: &half)
    try file.readFloats("brain", into: &brain)
    for pattern in bits {
      #expect(brain[Int(pattern)].bitPattern == UInt32(pattern) << 16)
      #if !(os(macOS) && arch(x86_64))
        let expected = Float(Float16(bitPattern: pattern))
        let found = half[Int(pattern)]
        #expect(found.bitPattern == expected.bitPattern || found.isNaN && expected.isNaN)
      #endif
    }
  }

  private func littleEndian(_ bits: UInt64, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: bits >> (8 * UInt64($0))) }
  }

  /// The nearest half of a number, by Swift's own conversion or, where there is none, cut off.
  private func halfBits(_ number: Float) -> UInt16 {
    #if os(macOS) && arch(x86_64)
      let bits = number.bitPattern
      let exponent = Int(bits >> 23 & 255) - 112
      let sign = UInt16(bits >> 16) & 0x8000
      return exponent <= 0 ? sign : sign | UInt16(exponent << 10) | UInt16(bits >> 13 & 1023)
    #else
      return Float16(number).bitPattern
    #endif
  }

  // MARK: - What cannot be imported

  @Test func whatDoesNotFitIsAnErrorAndLeavesNothing() throws {
    try write("double.safetensors", type: { $0.name == "fc.bias" ? .float64 : .float32 })
    try write(
      "nan.safetensors", value: { $0 == "layer1.0.conv1.weight" && $1 == 3 ? .nan : $2 })
    let wider = Self.configuration.changing { $0.widthMultiplier = 1 }
    let other = Self.configuration.changing { $0.network = "lenet-5" }
    let dense = Self.configuration.changing { $0.method = .dense }
    for (file, configuration, kind, word) in [
      ("double", Self.configuration, .data, "fc.bias"),
      ("nan", Self.configuration, .data, "layer1.0.conv1.weight"),
      ("dense", wider, .data, "conv1.weight"), ("dense", other, .data, "fc3.weight"),
      ("sparse", dense, .configuration, "--dense"),
      ("none", Self.configuration, .missingFile, "none.safetensors"),
    ] as [(String, Configuration, RigLError.Kind, String)] {
      let error = try #require(throws: RigLError.self) {
        try imported("\(file).safetensors", as: "no", configuration)
      }
      #expect(error.kind == kind, "\(error)")
      #expect("\(error.what) \(error.hint ?? "")".contains(word), "\(error)")
      #expect(!FileManager.default.fileExists(atPath: folder("no")))
    }
    try imported("dense.safetensors", as: "yes")
    #expect(throws: RigLError.self) { try imported("dense.safetensors", as: "yes") }
  }

  /// Sizes that only the file claims are not believed before it is that large.
  @Test(arguments: [
    "1048576,1048576,1048576", "3,1048576,1048576", "3,8192,8192", "1,28", "1,,28,28",
  ])
  func claimedSizesAreDistrusted(shape: String) throws {
    let tensors = [SafetensorsTensor("fc3.weight", .float32, shape: [10, 100])]
    var writer = try SafetensorsWriter(
      path: folder("claims.safetensors"), tensors: tensors,
      metadata: ["configuration": "network: mlp\ndata: fashion-mnist\n", "input_shape": shape])
    try writer.append(
      bytes: [UInt8](repeating: 1, count: 4000).span.bytes, to: "fc3.weight")
    try writer.finish()
    let configuration = Configuration().changing {
      $0.network = "mlp"
      $0.data = "fashion-mnist"
    }
    let error = try #require(throws: RigLError.self) {
      _ = try NetworkImport(folder("claims.safetensors"), configuration)
    }
    #expect(error.kind == .data, "\(error)")
    #expect(error.what.contains("fc1.weight"), "\(error)")
  }

  @Test func samplesHaveReasonableSizes() {
    #expect(SampleShape("3x224x224", separator: "x") != nil)
    #expect(SampleShape("1048576x16x16", separator: "x") != nil)
    for text in ["1048576x16x17", "3x224", "3x0x5", "3x-1x5", "3x 2x5", "", "axbxc"] {
      #expect(SampleShape(text, separator: "x") == nil, "\(text)")
    }
  }

  @Test(arguments: [SafetensorsType.float32, .float16, .bfloat16])
  func anotherNumberOfElementsIsAnError(type: SafetensorsType) throws {
    try write("half.safetensors", type: { _ in type })
    let file = try SafetensorsFile(path: folder("half.safetensors"))
    var buffer = AlignedBuffer<Float>(count: 9)
    let error = try #require(throws: RigLError.self) {
      try file.readFloats("fc.bias", into: &buffer)
    }
    #expect(error.kind == .data)
    #expect(error.what.contains("10 elements, expected 9"), "\(error)")
  }

  @Test func damageIsFoundByTheChecksum() throws {
    let url = URL(fileURLWithPath: saved.checkpointPath)
    _ = try NetworkImport(url.path, Self.configuration)
    var bytes = try Data(contentsOf: url)
    bytes[bytes.count - 5] ^= 1
    try bytes.write(to: url)
    let error = try #require(throws: RigLError.self) {
      _ = try NetworkImport(url.path, Self.configuration)
    }
    #expect(error.kind == .data)
    #expect(error.what.contains("damaged"), "\(error)")
    var options = options("start")
    options.startFrom = url.path
    let another = try #require(throws: RigLError.self) {
      _ = try Trainer(Self.configuration, options: options).run()
    }
    #expect(another.what == error.what)
  }

  /// Numbers that no network can use are noticed where they come in.
  @Test(arguments: [
    ("fc.bias", Float.nan), ("bn.weight", .infinity), ("layer1.0.conv1.weight", -.infinity),
    ("bn.running_mean", .nan), ("bn.running_var", -1), ("bn.running_var", .infinity),
  ])
  func unsoundNumbersAreRefused(tensor: String, number: Float) throws {
    try write("bad.safetensors", value: { $0 == tensor && $1 == 2 ? number : $2 })
    let error = try #require(throws: RigLError.self) {
      _ = try NetworkImport(folder("bad.safetensors"), Self.configuration)
    }
    #expect(error.kind == .data && error.what.contains(tensor), "\(error)")
    var options = options("start")
    options.startFrom = folder("bad.safetensors")
    let other = try #require(throws: RigLError.self) {
      _ = try Trainer(Self.configuration, options: options).run()
    }
    #expect(other.kind == .data && other.what.contains(tensor), "\(other)")
  }

  @Test func whatHasNoZerosIsNotPruned() throws {
    let error = try #require(throws: RigLError.self) {
      _ = try NetworkImport(folder("sparse.safetensors"), Self.configuration, prunes: true)
    }
    #expect(error.kind == .configuration && error.hint?.contains("--dense") == true, "\(error)")
  }

  /// Folded weights are not those of the network's names.
  @Test func foldedNetworksAreNotExported() async {
    await #expect(processExitsWith: .failure) { [path = folder("run") as String] in
      let run = try SavedRun(path, foldsBatchNorm: true, threads: 1)
      try run.export(to: path + "/folded.safetensors", isDense: true)
    }
    #expect(!FileManager.default.fileExists(atPath: folder("run") + "/folded.safetensors"))
  }

  @Test func picklesAreTurnedDownWithAWayOut() throws {
    try Data("PK\u{3}\u{4}archive/data.pkl".utf8).write(
      to: URL(fileURLWithPath: folder("model.pth")))
    let error = try #require(throws: RigLError.self) {
      _ = try NetworkImport(folder("model.pth"), Self.configuration)
    }
    #expect(error.kind == .data)
    #expect(error.hint?.contains("save_file") == true, "\(error)")
  }
}
