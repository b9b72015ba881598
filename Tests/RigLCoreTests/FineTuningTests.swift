import Foundation
import RigLCore
import Testing

/// New runs that start from the network of another one.
@Suite struct FineTuningTests {
  private let folder: TemporaryFolder

  private static let configuration = Configuration().changing {
    $0.network = "wrn-10-1"
    $0.widthMultiplier = 0.25
    $0.sparsity = 0.6
    $0.batchSize = 16
    $0.epochs = 2
    $0.updateInterval = 3
    $0.seed = 3
  }

  /// Images of 8 × 8 with a bright column that says their class.
  private static func images(
    _ count: Int, classes: Int = 4, names: [String]? = nil, side: Int = 8, shift: UInt8 = 0
  ) throws -> ImageSet {
    let labels = (0..<count).map { UInt8($0 % classes) }
    let pixels: [UInt8] = labels.enumerated().flatMap { number, label in
      (0..<side * side).map { place in
        UInt8((place % side == Int(label) ? 150 : 10) + (number * 31 + place * 17) % 60) + shift
      }
    }
    var set = try ImageSet(
      bytes: pixels, labels: labels,
      sampleShape: SampleShape(channels: 1, height: side, width: side), classes: classes)
    set.classNames = names
    return set
  }

  private static func data(
    classes: Int = 4, names: [String]? = nil, side: Int = 8, shift: UInt8 = 0
  ) throws -> TrainingData {
    let train = try images(96, classes: classes, names: names, side: side, shift: shift)
    var (held, test) = (train, train)
    held = try images(24, classes: classes, names: names, side: side, shift: shift)
    test = try images(32, classes: classes, names: names, side: side, shift: shift)
    (held.normalization, test.normalization) = (train.normalization, train.normalization)
    return TrainingData(train: train, validation: held, test: test)
  }

  init() throws {
    folder = try TemporaryFolder()
    _ = try Trainer(Self.configuration, options: options("run"), data: Self.data()).run()
  }

  private func options(_ name: String, threads: Int = 1) -> RunOptions {
    RunOptions(threads: threads, output: folder(name))
  }

  /// Starts from the run, and trains to a step or the end.
  @discardableResult
  private func tune(
    _ name: String, from start: String = "run", data: TrainingData? = nil, threads: Int = 1,
    to step: Int = .max, _ change: (inout Configuration) -> Void = { _ in }
  ) throws -> [String] {
    let trainer = try Trainer(
      startingFrom: folder(start), options: options(name, threads: threads),
      data: data ?? Self.data(), change: change)
    let watcher = Watcher(stopAt: step)
    trainer.callbacks = [watcher]
    _ = try trainer.run()
    return watcher.remarks
  }

  private func final(_ name: String) throws -> [UInt8] {
    let last = try CheckpointStore(folder: folder("\(name)/checkpoints")).list().last
    return try fileBytes(try #require(last).path)
  }

  private func expectSame(_ one: Model, _ other: Model, except layer: String? = nil) {
    for (own, its) in zip(one.weightLayers, other.weightLayers) where own.name != layer {
      #expect(own.mask() == its.mask(), "\(own.name)")
      #expect(own.dense(own.weight.values) == its.dense(its.weight.values), "\(own.name)")
    }
    for (own, its) in zip(one.averages, other.averages) {
      #expect(own.values.array() == its.values.array(), "\(own.name)")
    }
  }

  // MARK: - What is taken

  @Test func connectionsWeightsAndAveragesAreTaken() throws {
    let remarks = try tune("same") { $0.epochs = 0 }
    let (run, same) = (try SavedRun(folder("run")), try SavedRun(folder("same")))
    #expect(same.step == 0 && run.step == 12)
    #expect(run.model.sparseLayers.count > 3)
    expectSame(run.model, same.model)
    #expect(try same.evaluate(Self.data().test) == run.evaluate(Self.data().test))
    #expect(remarks.count == 1 && remarks.first?.contains(run.checkpointPath) == true)
    #expect(remarks.first?.contains("\(run.model.connections) connections") == true, "\(remarks)")
    #expect(
      same.configuration == run.configuration.changing { $0.epochs = 0 }, "settings are inherited")
    // Its own optimizer state, of a training that has not begun.
    let file = try SafetensorsFile(path: same.checkpointPath)
    let slots = file.tensors.filter { $0.name.hasSuffix(".velocity") }
    #expect(!slots.isEmpty)
    for slot in slots { #expect(try file.float32(slot.name).allSatisfy { $0 == 0 }) }
  }

  /// What is to be said of the samples is said, whatever numbers their pixels go through.
  @Test func warningsOfTheSamplesAreKept() throws {
    let many = Configuration().changing {
      $0.data = "synthetic"
      ($0.trainSamples, $0.testSamples) = (200, 20)
      ($0.hidden, $0.epochs) = ([8], 1)
    }
    _ = try Trainer(many, options: options("many")).run()
    let trainer = try Trainer(startingFrom: folder("many"), options: options("few")) {
      $0.trainSamples = 12
    }
    let watcher = Watcher()
    trainer.callbacks = [watcher]
    _ = try trainer.run()
    #expect(watcher.remarks.contains { $0.hasPrefix("pixels are normalised as the network was") })
    #expect(
      watcher.warnings.contains { $0.hasPrefix("validation: no samples are held out") },
      "\(watcher.warnings)")
  }

  @Test func aRunWithoutCheckpointsBeginsWhereItsSettingsSay() throws {
    try tune("new")
    for checkpoint in try RunFolder.open(folder("new")).checkpoints().list() {
      try FileManager.default.removeItem(atPath: checkpoint.path)
    }
    let settings = try SavedRun(folder("run")).configuration
    func resume(from start: String?) throws {
      var options = options("new")
      options.startFrom = start.map { folder($0) }
      _ = try Trainer(settings, options: options, data: Self.data()).resume(folder("new"))
    }
    for start in [nil, "run/checkpoints/best.safetensors"] {
      let error = try #require(throws: RigLError.self) { try resume(from: start) }
      #expect(error.kind == .configuration && error.what.hasPrefix("start_from: "), "\(error)")
    }
    try resume(from: "run")
    #expect(try SavedRun(folder("new")).step == 12)
  }

  @Test func bestWeightsCanBeChosen() throws {
    let best = "run/checkpoints/best.safetensors"
    try tune("best", from: best) { $0.epochs = 0 }
    expectSame(try SavedRun(folder("run"), best: true).model, try SavedRun(folder("best")).model)
  }

  @Test(arguments: [Configuration.Method.rigl, .set, .static])
  func fineTuningIsTheSameForAnyThreadsAndAfterAKill(method: Configuration.Method) throws {
    func change(_ configuration: inout Configuration) {
      configuration.method = method
      configuration.epochs = 3
      configuration.learningRate = 0.02
    }
    try tune("one", change)
    try tune("three", threads: 3, change)
    #expect(try final("one") == final("three"))
    // Killed before its first step: what it started from need not be there any more.
    try tune("killed", to: 0, change)
    try FileManager.default.moveItem(atPath: folder("run"), toPath: folder("gone"))
    let saved = try Configuration(
      yaml: try RunFolder.open(folder("killed")).configuration(), path: "config.yaml")
    for step in [7, Int.max] {
      let options = RunOptions(threads: 2, startFrom: folder("run"))
      let trainer = try Trainer(saved, options: options, data: Self.data())
      let watcher = Watcher(stopAt: step)
      trainer.callbacks = [watcher]
      _ = try trainer.resume(folder("killed"))
      #expect(trainer.step.weightSteps == min(step, 18))
    }
    #expect(try final("one") == final("killed"))
  }

  @Test func anEarlierCheckpointIsTakenForADamagedOne() throws {
    let store = CheckpointStore(folder: folder("run/checkpoints"))
    let last = try #require(try store.list().last)
    var bytes = try fileBytes(last.path)
    bytes[bytes.count - 9] ^= 1
    try writeFile(bytes, to: last.path)
    let remarks = try tune("earlier") { $0.epochs = 0 }
    #expect(remarks.first?.contains(store.path(step: 6)) == true, "\(remarks)")
  }

  // MARK: - Other data

  @Test(arguments: [3, 6])
  func otherClassesHaveANewLastLayer(classes: Int) throws {
    let data = try Self.data(classes: classes)
    let remarks = try tune("other", data: data) { $0.epochs = 0 }
    let (run, other) = (try SavedRun(folder("run")), try SavedRun(folder("other")))
    #expect(other.classes == classes)
    expectSame(run.model, other.model, except: "fc")
    #expect(
      remarks.contains {
        $0.contains("fc") && $0.contains("4 classes") && $0.contains("\(classes)")
      },
      "\(remarks)")
    // And it is a run as any other.
    try tune("trained", data: data, to: 4)
    let saved = try Configuration(
      yaml: try RunFolder.open(folder("trained")).configuration(), path: "config.yaml")
    let plain = RunOptions(threads: 1)
    _ = try Trainer(saved, options: plain, data: data).resume(folder("trained"))
    try tune("unbroken", data: data)
    #expect(try final("trained") == final("unbroken"))
    #expect(try SavedRun(folder("trained")).evaluate(data.test).accuracy > 0.5)
  }

  @Test func classesOfOtherNamesAreOtherClasses() throws {
    let names = ["ant", "bee", "cat", "dog"]
    try tune("named", data: Self.data(names: names)) { $0.epochs = 1 }
    let same = try tune("again", from: "named", data: Self.data(names: names)) { $0.epochs = 0 }
    #expect(same.count == 1, "\(same)")
    expectSame(try SavedRun(folder("named")).model, try SavedRun(folder("again")).model)
    let others = try Self.data(names: ["ape", "bee", "cat", "dog"])
    let remarks = try tune("others", from: "named", data: others) { $0.epochs = 0 }
    #expect(remarks.contains { $0.contains("fc") && $0.contains("ape") }, "\(remarks)")
    let (named, other) = (try SavedRun(folder("named")), try SavedRun(folder("others")))
    expectSame(named.model, other.model, except: "fc")
    let (own, its) = (named.model.weightLayers.last, other.model.weightLayers.last)
    #expect(own?.dense(own!.weight.values) != its?.dense(its!.weight.values))
  }

  @Test func pixelsAreNormalisedAsTheNetworkWasTrained() throws {
    let data = try Self.data(shift: 30)
    try #require(try data.normalization != Self.data().normalization)
    let remarks = try tune("brighter", data: data) { $0.epochs = 1 }
    #expect(remarks.contains { $0.contains("normalised") }, "\(remarks)")
    #expect(
      try SavedRun(folder("brighter")).normalization == SavedRun(folder("run")).normalization)
  }

  // MARK: - Other connections

  @Test func ofMoreConnectionsTheLargestAreKept() throws {
    let remarks = try tune("sparser") {
      $0.epochs = 0
      $0.sparsity = 0.85
    }
    let (run, other) = (try SavedRun(folder("run")), try SavedRun(folder("sparser")))
    #expect(other.model.connections < run.model.connections)
    #expect(remarks.first?.contains("the largest \(other.model.connections) of") == true)
    for (own, its) in zip(run.model.weightLayers, other.model.weightLayers) {
      let (weights, mask) = (own.dense(own.weight.values), own.mask())
      let kept = weights.indices.filter { mask[$0] == 1 }.sorted {
        (weights[$1].magnitude, $0) < (weights[$0].magnitude, $1)
      }.prefix(its.weight.count)
      var expected = [Float](repeating: 0, count: weights.count)
      for position in kept { expected[position] = weights[position] }
      #expect(its.dense(its.weight.values) == expected, "\(own.name)")
    }
  }

  @Test func ofADenseRunSparsityMakesASparseOne() throws {
    _ = try Trainer(
      Self.configuration.changing { $0.method = .dense }, options: options("dense"),
      data: Self.data()
    ).run()
    try tune("still", from: "dense") { $0.epochs = 0 }
    #expect(try SavedRun(folder("still")).model.sparseLayers.isEmpty)
    try tune("sparse", from: "dense") {
      $0.epochs = 1
      $0.sparsity = 0.7
    }
    let sparse = try SavedRun(folder("sparse"))
    #expect(sparse.configuration.method == .rigl && sparse.model.sparseLayers.count > 3)
  }

  /// Also to the value that the run has: of a dense run, the sparsity that it did not use.
  @Test func whatIsSetCounts() throws {
    _ = try Trainer(
      Self.configuration.changing {
        $0.method = .dense
        $0.totalSteps = 5
      }, options: options("dense"), data: Self.data()
    ).run()
    let dense = try SavedRun(folder("dense")).configuration
    try tune("sparse", from: "dense") {
      $0.sparsity = dense.sparsity
      $0.epochs = dense.epochs
    }
    let sparse = try SavedRun(folder("sparse"))
    #expect(sparse.configuration.method == .rigl && sparse.model.sparseLayers.count > 3)
    #expect(sparse.configuration.totalSteps == nil && sparse.step == 12)
  }

  @Test func ofAFileTheHintIsNotOfARun() throws {
    try SavedRun(folder("run")).export(to: folder("file.safetensors"), isDense: false)
    var options = options("new")
    options.startFrom = folder("file.safetensors")
    let other = Self.configuration.changing { $0.widthMultiplier = 0.5 }
    let error = try #require(throws: RigLError.self) {
      _ = try Trainer(other, options: options, data: Self.data()).run()
    }
    #expect(error.kind == .data && error.what.contains("width_multiplier"), "\(error)")
    #expect(error.hint?.contains("rigl import") == true, "\(error)")
  }

  @Test func whatContradictsTheNetworkIsAnError() throws {
    let cases: [(RigLError.Kind, String, TrainingData?, (inout Configuration) -> Void)] = [
      (.configuration, "connections", nil, { $0.sparsity = 0.3 }),
      (.configuration, "--dense", nil, { $0.method = .dense }),
      (.data, "width_multiplier", nil, { $0.widthMultiplier = 0.5 }),
      (.data, "network is wrn-10-1", nil, { $0.network = "wrn-16-1" }),
    ]
    for (kind, word, data, change) in cases {
      let error = try #require(throws: RigLError.self) {
        try tune("no", data: data) {
          $0.epochs = 0
          change(&$0)
        }
      }
      #expect(error.kind == kind && "\(error)".contains(word), "\(error)")
      #expect(!FileManager.default.fileExists(atPath: folder("no")))
    }
    for (path, kind) in [("nothing", RigLError.Kind.missingFile), ("run/config.yaml", .data)] {
      let error = try #require(throws: RigLError.self) { try tune("no", from: path) }
      #expect(error.kind == kind && error.what.contains(path), "\(error)")
    }
  }

  /// Of a layer without its zeros a file does not say how many inputs it has.
  @Test func samplesOfAnotherSizeAreNoInputsOfLinearLayers() throws {
    let mlp = Self.configuration.changing {
      $0.network = "mlp"
      $0.widthMultiplier = 1
      $0.hidden = [12]
    }
    _ = try Trainer(mlp, options: options("mlp"), data: Self.data()).run()
    let error = try #require(throws: RigLError.self) {
      try tune("no", from: "mlp", data: Self.data(side: 10))
    }
    #expect(error.kind == .data && error.what.contains("1,8,8"), "\(error)")
    #expect(error.hint?.contains("pad_to=8") == true, "\(error)")
    // Convolutions do not mind.
    try tune("larger", data: Self.data(side: 12)) { $0.epochs = 1 }
    #expect(try SavedRun(folder("larger")).sampleShape.height == 12)
  }

  @Test func networksOfOnesOwnAreTunedToo() throws {
    struct Narrow: Network {
      func layers(input: SampleShape, classes: Int) -> Sequential {
        Sequential(
          SparseLinear("one", inputs: input.count, outputs: 16), ReLU(),
          SparseLinear("two", inputs: 16, outputs: classes))
      }
    }
    let configuration = Self.configuration.changing {
      $0.network = "mlp"
      $0.widthMultiplier = 1
    }
    _ = try Trainer(
      configuration, options: options("own"), network: Narrow(), data: Self.data()
    ).run()
    let trainer = try Trainer(
      startingFrom: folder("own"), options: options("tuned"), network: Narrow(),
      data: Self.data(classes: 5)
    ) { $0.epochs = 0 }
    _ = try trainer.run()
    expectSame(
      try SavedRun(folder("own"), network: Narrow()).model,
      try SavedRun(folder("tuned"), network: Narrow()).model, except: "two")
  }
}
