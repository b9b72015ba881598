import Foundation
import RigLCore
import Testing

/// Trainings that start with the connections of files.
@Suite struct GivenTopologyTests {
  private let folder: TemporaryFolder

  private static let configuration = Configuration().changing {
    $0.data = "synthetic"
    ($0.trainSamples, $0.testSamples, $0.validation) = (200, 40, 20)
    $0.hidden = [24, 12]
    $0.batchSize = 20
    $0.epochs = 2
    $0.updateInterval = 4
    $0.method = .static
    $0.seed = 5
  }

  init() throws { folder = try TemporaryFolder() }

  private func options(_ topology: [String], _ output: String) -> RunOptions {
    var options = RunOptions()
    (options.threads, options.keep, options.checkpointEvery) = (1, 9, 3)
    (options.topology, options.output) = (topology, folder(output))
    return options
  }

  @discardableResult
  private func train(
    _ topology: [String] = [], in output: String = "run", until step: Int = .max,
    data: TrainingData? = nil, _ change: (inout Configuration) -> Void = { _ in }
  ) throws -> (trainer: Trainer, remarks: [String]) {
    let trainer = try Trainer(
      Self.configuration.changing(change), options: options(topology, output), data: data)
    let watcher = Watcher(stopAt: step, by: .interrupt)
    trainer.callbacks = [watcher]
    _ = try trainer.run()
    return (trainer, watcher.remarks)
  }

  /// The error of a training, which must have left nothing behind.
  private func problem(
    _ topology: [String], _ change: (inout Configuration) -> Void = { _ in }
  ) throws -> RigLError {
    let error = try #require(rigLError { try train(topology, in: "refused", change) })
    #expect(!FileManager.default.fileExists(atPath: folder("refused")), "\(error)")
    #expect(!error.what.contains("\n"), "\(error)")
    return error
  }

  private func write(_ text: String, to name: String) throws -> String {
    try writeFile(Array(text.utf8), to: folder(name))
    return folder(name)
  }

  private func last(_ run: String) throws -> [UInt8] {
    let list = try CheckpointStore(folder: folder("\(run)/checkpoints")).list()
    return try fileBytes(try #require(list.last).path)
  }

  /// The tensors of a checkpoint, without what it says of settings.
  private func expectSameTensors(_ one: SafetensorsFile, _ other: SafetensorsFile) throws {
    #expect(one.tensors.map(\.name) == other.tensors.map(\.name))
    for tensor in one.tensors {
      #expect(try one.bytes(tensor.name) == other.bytes(tensor.name), "\(tensor.name)")
    }
  }

  /// A layer's connections as a file of a kind has them, in an order that is nobody's.
  private func text(
    _ layer: LayerWeights, isCSV: Bool, hasValues: Bool, lineEnd: String = "\n"
  ) throws -> String {
    let weights = layer.dense(layer.weight.values)
    let inputs = weights.count / layer.shape[0]
    let first = isCSV ? 0 : 1
    var lines: [String] = []
    for (position, isThere) in layer.mask().enumerated() where isThere == 1 {
      let fields =
        ["\(position / inputs + first)", "\(position % inputs + first)"]
        + (hasValues ? ["\(weights[position])"] : [])
      lines.append(fields.joined(separator: isCSV ? "," : " "))
    }
    lines.sort { $0.reversed().lexicographicallyPrecedes($1.reversed()) }
    let head =
      isCSV
      ? [hasValues ? "row,column,value" : "row,column"]
      : [
        "%%MatrixMarket matrix coordinate \(hasValues ? "real" : "pattern") general",
        "% of a test", "", "\(layer.shape[0]) \(inputs) \(lines.count)",
      ]
    return (head + lines).joined(separator: lineEnd) + lineEnd
  }

  // MARK: - What is taken

  /// Positions alone: the weights are drawn as those of random connections are, so that a drawn
  /// topology that is given is the same training.
  @Test(arguments: [false, true]) func positionsAreTakenAndWeightsDrawn(isCSV: Bool) throws {
    let drawn = try train(in: "drawn", until: 0).trainer
    try train(in: "whole")
    let files = try drawn.model.weightLayers.map { layer in
      let path = try write(
        text(layer, isCSV: isCSV, hasValues: false, lineEnd: isCSV ? "\r\n" : "\n"),
        to: "\(layer.name).\(isCSV ? "csv" : "mtx")")
      return "\(layer.name)=\(path)"
    }
    let given = try train(files, in: "given") { $0.sparsity = 0.9 }
    try expectSameTensors(folder.checkpoint(of: "whole"), folder.checkpoint(of: "given"))
    #expect(given.remarks.count == 3 && given.remarks[0].hasSuffix("weights are drawn"))
  }

  /// Values are the weights, to the bit.
  @Test(arguments: [false, true]) func valuesAreTheWeights(isCSV: Bool) throws {
    let trained = try train(in: "trained").trainer
    let layer = try #require(trained.model.weightLayers.first { $0.name == "fc2" })
    let path = try write(
      text(layer, isCSV: isCSV, hasValues: true), to: "f.\(isCSV ? "csv" : "MTX")")
    let (given, remarks) = try train(["fc2=\(path)"], in: "given", until: 0) { $0.seed = 9 }
    let own = try #require(given.model.weightLayers.first { $0.name == "fc2" })
    #expect(own.mask() == layer.mask())
    #expect(own.dense(own.weight.values) == layer.dense(layer.weight.values))
    #expect(remarks.first?.contains("fc2 (\(own.count) connections); with their weights") == true)
  }

  /// A checkpoint and an export of the network, with and without zeros; numbers of connections are
  /// the file's.
  @Test(arguments: ["checkpoint", "sparse.safetensors", "dense.safetensors"])
  func networksAreTaken(kind: String) throws {
    let trained = try train(in: "trained") {
      ($0.sparsity, $0.lastLayerDense, $0.method) = (0.7, true, .rigl)
    }.trainer
    var path = try #require(
      try CheckpointStore(folder: folder("trained/checkpoints")).list().last
    ).path
    if kind != "checkpoint" {
      path = folder(kind)
      try SavedRun(folder("trained")).export(to: path, isDense: kind.hasPrefix("dense"))
    }
    let given = try train([path], in: "given", until: 0) { $0.seed = 8 }.trainer
    for (one, other) in zip(trained.model.weightLayers, given.model.weightLayers) {
      #expect(one.mask() == other.mask(), "\(one.name)")
      #expect(one.dense(one.weight.values) == other.dense(other.weight.values), "\(one.name)")
      #expect(other.bias?.values.array().allSatisfy { $0 == 0 } == true)
    }
    // One layer of it.
    let one = try train(["fc1=\(path)"], in: "one", until: 0) { $0.seed = 8 }.trainer
    #expect(one.model.weightLayers[0].mask() == given.model.weightLayers[0].mask())
    #expect(one.model.weightLayers[1].mask() != given.model.weightLayers[1].mask())
  }

  /// Convolutions, where a column is a place in input · k · k, and a layer with all its positions.
  @Test func convolutionsAreTaken() throws {
    func small(_ configuration: inout Configuration) {
      (configuration.data, configuration.network) = ("synthetic-color", "wrn-10-1")
      (configuration.widthMultiplier, configuration.distribution) = (0.25, .uniform)
      (configuration.imageSize, configuration.seed) = (8, 3)
    }
    let drawn = try train(in: "drawn", until: 0, small).trainer
    let layer = try #require(drawn.model.sparseLayers.first { $0.name == "layer2.0.conv1" })
    let weights = try #require(drawn.model.weightLayers.first { $0.name == layer.name })
    let path = try write(text(weights, isCSV: false, hasValues: true), to: "a=b.mtx")
    let given = try train(["\(layer.name)=\(path)"], in: "given", until: 0) {
      small(&$0)
      ($0.seed, $0.sparsity) = (4, 0.9)
    }.trainer
    let own = try #require(given.model.weightLayers.first { $0.name == layer.name })
    #expect(own.dense(own.weight.values) == weights.dense(weights.weight.values))

    let (rows, columns) = (weights.shape[0], weights.shape[1...].reduce(1, *))
    let all = (0..<rows).flatMap { row in (0..<columns).map { "\(row),\($0)" } }
    let whole = try write("row,column\n" + all.joined(separator: "\n"), to: "all.csv")
    let dense = try train(["\(layer.name)=\(whole)"], in: "dense", until: 0) {
      small(&$0)
    }.trainer
    #expect(dense.model.sparseLayers.allSatisfy { $0.name != layer.name })
    #expect(dense.model.sparseLayers.count > 3)
  }

  /// A run resumes without the file, to the bits of one that was not stopped, by every kind of method.
  @Test(arguments: [Configuration.Method.static, .rigl, .set, .pruning, .granet, .gse])
  func aRunGoesOnWithoutTheFile(method: Configuration.Method) throws {
    let seedling = try train(in: "seedling", until: 0) { $0.sparsity = 0.4 }.trainer
    let layer = try #require(seedling.model.weightLayers.first)
    let source = "fc1=\(try write(text(layer, isCSV: true, hasValues: false), to: "f.csv"))"
    func change(_ configuration: inout Configuration) {
      configuration.method = method
      (configuration.epochs, configuration.initialSparsity) = (3, method.prunes ? 0.25 : 0)
    }
    let whole = try train([source], in: "whole", change).trainer
    #expect(whole.step.weightSteps == whole.totalSteps)
    for step in [0, 5] { try train([source], in: "stopped \(step)", until: step, change) }
    try FileManager.default.removeItem(atPath: folder("f.csv"))
    for step in [0, 5] {
      let run = "stopped \(step)"
      let saved = try Configuration(yaml: folder.configuration(of: run), path: "config.yaml")
      #expect(try folder.configuration(of: run).contains(source))
      for threads in [2] {
        var options = RunOptions()
        options.threads = threads
        _ = try Trainer(saved, options: options).resume(folder(run))
      }
      #expect(try last("whole") == last(run), "\(method), stopped at \(step)")
    }
    let first = try #require(whole.allocation["fc1"])
    #expect(method.prunes || first.connections == layer.count)
  }

  /// The sparsity of pruning begins with the file's.
  @Test func schedulesBeginWithTheFilesSparsity() throws {
    let half = try train(in: "half", until: 0) { $0.sparsity = 0.5 }.trainer
    let layer = try #require(half.model.weightLayers.first)
    let path = try write(text(layer, isCSV: true, hasValues: false), to: "f.csv")
    var counts: [Int] = []
    let trainer = try Trainer(
      Self.configuration.changing {
        ($0.method, $0.sparsity, $0.epochs) = (.pruning, 0.9, 4)
        ($0.pruneBegin, $0.pruneEnd, $0.updateInterval) = (4, 24, 4)
      }, options: options(["fc1=\(path)"], "pruned"))
    final class Counter: TrainingCallback {
      var counts: [Int] = []
      func observe(_ event: TrainingEvent, in trainer: Trainer) -> TrainingDecision {
        if case .batch = event { counts.append(trainer.model.weightLayers[0].count) }
        return .proceed
      }
    }
    let counter = Counter()
    trainer.callbacks = [counter]
    _ = try trainer.run()
    counts = counter.counts
    let (positions, first) = (layer.shape[0] * layer.shape[1], Double(layer.count))
    let end = try #require(trainer.allocation["fc1"]).sparsity
    #expect(counts[0] == layer.count)
    let start = 1 - first / Double(positions)
    for step in stride(from: 4, through: 24, by: 4) {
      let left = 1 - Double(step - 4) / 20
      let sparsity = end + (start - end) * left * left * left
      let kept = Int((Double(positions) * (1 - sparsity) + 0.5).rounded(.down))
      #expect(counts[step] == kept, "step \(step)")
    }
  }

  // MARK: - What is refused

  private static let banner = "%%MatrixMarket matrix coordinate"
  private static let pattern = "\(banner) pattern general\n10 12"

  /// Files that are wrong, and a part of what is said of them. The layer is fc3: 10 x 12.
  static let broken: [(name: String, text: String, what: String)] = [
    (
      "a.mtx", "\(pattern) 2\n1 1\n11 1\n",
      "line 4: row 11, column 1 is outside"
    ),
    (
      "a.mtx", "\(pattern) 2\n1 1\n0 1\n",
      "line 4: row 0, column 1 is outside"
    ),
    ("a.mtx", "\(pattern) 2\n1 1\n1 13\n", "line 4: row 1, column 13"),
    ("a.csv", "row,column\n0,0\n10,0\n", "line 3: row 10, column 0 is outside"),
    ("a.csv", "row,column\n0,0\n0,12\n", "line 3: row 0, column 12 is outside"),
    ("a.csv", "row,column\n0,0\n-1,3\n", "line 3: '-1' is no whole number for a row"),
    ("a.csv", "row,column\n3,4\n0,0\n\n3,4\n", "lines 2 and 5: row 3, column 4 of layer fc3 is"),
    (
      "a.mtx", "\(banner) real general\n10 12 3\n% c\n3 4 1\n1 1 2\n3 4 1\n", "lines 4 and 6: row 3"
    ),
    (
      "a.mtx", "\(banner) pattern general\n12 10 1\n1 1\n",
      "a matrix of 12 x 10; layer fc3 is 10 x 12"
    ),
    ("a.mtx", "\(pattern) 5\n1 1\n", "ends after 1 of 5 entries"),
    ("a.mtx", "\(pattern) 1\n1 1\n1 2\n", "line 4: an entry more than the 1"),
    ("a.mtx", "\(pattern) 121\n1 1\n", "121 entries, more than the 120"),
    ("a.mtx", "\(pattern) 999999999999999999\n1 1\n", "999999999999999999 entries, more than"),
    (
      "a.mtx", "\(pattern) 99999999999999999999999\n1 1\n",
      "'99999999999999999999999' is no whole number for rows, columns"
    ),
    ("a.mtx", "\(pattern)\n", "rows, columns and entries is missing"),
    ("a.mtx", "\(banner) pattern general\n% only\n", "ends before the line of rows"),
    ("a.mtx", "\(banner) real symmetric\n10 12 1\n1 1 1\n", "kind 'symmetric', which is not read"),
    ("a.mtx", "\(banner) complex general\n10 12 1\n1 1 1 1\n", "kind 'complex', which is not read"),
    (
      "a.mtx", "%%MatrixMarket matrix array real general\n10 12\n1\n",
      "kind 'array', which is not read"
    ),
    ("a.mtx", "10 12 1\n1 1\n", "line 1: not the first line of a Matrix Market file"),
    (
      "a.mtx", "\(banner) real general\n10 12 1\n1 1 nan\n", "line 3: 'nan' is not a finite number"
    ),
    ("a.csv", "row,column,value\n0,0,1\n1,1,-inf\n", "line 3: '-inf' is not a finite number"),
    ("a.csv", "row,column,value\n0,0,1\n1,1,1e99\n", "line 3: '1e99' is not a finite number"),
    ("a.csv", "row,column,value\n0,0,1\n1,1,x\n", "line 3: 'x' is not a number"),
    ("a.csv", "row,column,value\n0,0,1\n1,1\n", "line 3: '1,1': a value is missing"),
    ("a.csv", "row,column\n0,0,5\n", "line 2: '0,0,5': more than a row, a column"),
    ("a.mtx", "\(pattern) 1\n1 1 5\n", "'1 1 5': more than a row, a column"),
    ("a.mtx", "\(banner) real general\n10 12 1\n1 1\n", "line 3: '1 1': a value is missing"),
    ("a.csv", "0,0\n1,1\n", "line 1: a header is missing: '0,0'"),
    ("a.csv", "column,row\n0,0\n", "line 1: not the header of connections: 'column,row'"),
    ("a.csv", "row,column\n", "has no positions"),
    ("a.csv", "\n\n", "is empty"), ("a.csv", "", "is empty"), ("a.mtx", "", "is empty"),
    ("a.csv", "row,column\n1,", "line 2: '1,': a column is missing"),
    ("a.csv", "row,column\n1.5,1\n", "'1.5' is no whole number for a row"),
    ("a.txt", "0 0\n", "neither safetensors, nor Matrix Market, nor CSV"),
    ("a.safetensors", "no header", "not a readable safetensors file"),
  ]

  @Test(arguments: broken) func brokenFilesAreRefused(
    one: (name: String, text: String, what: String)
  ) throws {
    let path = try write(one.text, to: one.name)
    let error = try problem(["fc3=\(path)"])
    #expect(error.what.contains(one.what), "\(error)")
    #expect(error.what.hasPrefix(path) && error.kind == .data, "\(error)")
  }

  @Test func whatIsNoFileIsRefused() throws {
    let gzip = folder("a.csv.gz")
    try writeFile([0x1F, 0x8B, 8, 0, 0], to: gzip)
    #expect(try problem(["fc1=\(gzip)"]).what.contains("compressed"))
    #expect(try problem(["fc1=\(folder.path)"]).what.contains("a folder"))
    let missing = try problem(["fc1=\(folder("none.mtx"))"])
    #expect(missing.kind == .missingFile, "\(missing)")
    let long = String(repeating: "1", count: 70_000)
    let path = try write("row,column\n\(long)\n", to: "long.csv")
    #expect(try problem(["fc1=\(path)"]).what.contains("line 2: longer than"))
  }

  @Test func layersThatCannotBeAreRefused() throws {
    let path = try write("row,column\n0,0\n1,1\n", to: "f.csv")
    let unknown = try problem(["fc9=\(path)"])
    #expect(unknown.what.contains("unknown layer in topology: 'fc9'"), "\(unknown)")
    #expect(unknown.hint?.contains("fc1, fc2, fc3") == true)
    let nameless = try problem([path])
    #expect(nameless.what.contains("names no layer, and the network has 3 sparse ones"))
    #expect(nameless.hint?.contains("fc1, fc2, fc3") == true)
    let twice = try problem(["fc1=\(path)", "fc1=\(path)"])
    #expect(twice.what.contains("layer fc1 is in"), "\(twice)")
    let dense = try problem(["fc3=\(path)"]) { $0.lastLayerDense = true }
    #expect(dense.what.contains("last_layer_dense"), "\(dense)")
    let all = try problem(["fc3=\(path)"]) { $0.method = .dense }
    #expect(all.what.contains("method dense"), "\(all)")
    let stem = try problem(["conv1=\(path)"]) {
      ($0.data, $0.network, $0.widthMultiplier) = ("synthetic-color", "mobilenet-v1", 0.5)
    }
    #expect(stem.what.contains("cannot be sparse"), "\(stem)")
    let depthwise = try problem(["layer1.depthwise=\(path)"]) {
      ($0.data, $0.network, $0.widthMultiplier) = ("synthetic-color", "mobilenet-v1", 0.5)
    }
    #expect(depthwise.what.contains("cannot be sparse"), "\(depthwise)")
    // The only sparse layer needs no name.
    let only = try train([path], in: "only", until: 0) {
      ($0.hidden, $0.lastLayerDense) = ([16], true)
    }.trainer
    #expect(only.model.sparseLayers.map(\.count) == [2])
  }

  @Test func otherNumbersThanTheSettingsAreRefused() throws {
    let path = try write("row,column\n0,0\n1,1\n", to: "f.csv")
    for change: (inout Configuration) -> Void in [
      { $0.sparsity = 0.5 }, { $0.sparsity = 0.9 }, { $0.layerSparsities = ["fc1": 0.5] },
      { $0.layerSparsityFactors = ["fc1": 0.5] },
    ] {
      let error = try problem(["fc1=\(path)"], change)
      #expect(error.what.contains("layer fc1 has 2 connections, but the settings ask for"))
      #expect(error.kind == .configuration)
    }
    // Another layer's sparsity says nothing of this one.
    let other = try train(["fc1=\(path)"], in: "other", until: 0) {
      $0.layerSparsities = ["fc2": 0.5]
    }.trainer
    #expect(other.model.sparseLayers.map(\.count).prefix(2) == [2, 144])
    let snip = try problem(["fc1=\(path)"]) { $0.method = .snip }
    #expect(snip.what.contains("snip chooses from all of them"), "\(snip)")
    let pruning = try problem(["fc1=\(path)"]) { $0.method = .pruning }
    #expect(pruning.what.contains("but the settings end with"), "\(pruning)")
    var options = options([path], "refused")
    options.startFrom = folder("nowhere")
    let both = rigLError { _ = try Trainer(Self.configuration, options: options).run() }
    #expect(both?.what.contains("excludes start_from") == true || both?.kind == .missingFile)
  }

  @Test func networksOfOtherLayersAreRefused() throws {
    try train(in: "other", until: 0) { $0.hidden = [24, 12, 8] }
    let deeper = try #require(
      try CheckpointStore(folder: folder("other/checkpoints")).list().last
    ).path
    #expect(try problem([deeper]).what.contains("unknown layer in \(deeper): 'fc4'"))
    try train(in: "wide", until: 0) { $0.hidden = [25, 12] }
    let wider = try #require(
      try CheckpointStore(folder: folder("wide/checkpoints")).list().last
    ).path
    #expect(try problem([wider]).what.contains("shape"))
    var bytes = try fileBytes(wider)
    bytes.removeLast(40)
    try writeFile(bytes, to: folder("cut.safetensors"))
    #expect(try problem([folder("cut.safetensors")]).kind == .data)
  }
}
