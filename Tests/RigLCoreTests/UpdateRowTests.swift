import Foundation
import RigLCore
import Testing

/// A row of metrics for each topology update, and what else a row says of the training.
@Suite struct UpdateRowTests {
  /// A small training: 24 weight steps, an update every fifth, checkpoints every seventh.
  struct Case: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var network: (any Network)?
    var change: @Sendable (inout Configuration) -> Void

    init(
      _ name: String, network: (any Network)? = nil,
      _ change: @escaping @Sendable (inout Configuration) -> Void = { _ in }
    ) {
      testDescription = name
      self.network = network
      self.change = change
    }

    var configuration: Configuration {
      var configuration = Configuration()
      configuration.hidden = [40, 30]
      configuration.batchSize = 20
      configuration.epochs = 3
      configuration.sparsity = 0.9
      configuration.updateInterval = 5
      configuration.clipNorm = 1
      configuration.learningRate = 0.1
      configuration.validation = 0
      configuration.dropFraction = 0.5
      // Of a network of its own, nothing is hidden that a setting names.
      if network != nil { configuration.hidden = Configuration().hidden }
      change(&configuration)
      return configuration
    }

    func trainer(output: String?, threads: Int = 1, logEvery: Int = 3) throws -> Trainer {
      var options = RunOptions(threads: threads, output: output)
      options.logEvery = logEvery
      options.checkpointEvery = 7
      options.keep = 100
      let data: TrainingData
      if network == nil {
        let samples = RandomSamples(count: 160, width: 50, classes: 10)
        data = TrainingData(
          train: samples, validation: RandomSamples(count: 30, width: 50, classes: 10, seed: 2),
          test: samples)
      } else {
        let images = SyntheticImages(trainCount: 160, testCount: 20).load()
        data = TrainingData(train: images.train, validation: images.test, test: images.test)
      }
      return try Trainer(configuration, options: options, network: network, data: data)
    }
  }

  static let cases = [
    Case("RigL"),
    Case("SET") { $0.method = .set },
    Case("RigL with a dense layer") { $0.layerSparsities = ["fc2": 0] },
    Case("RigL, update then step") { $0.updateThenStep = true },
    Case("RigL, accumulation") {
      $0.accumulation = 3
      $0.epochs = 6
    },
    Case("SET, accumulation, Adam") {
      $0.method = .set
      $0.accumulation = 2
      $0.epochs = 6
      $0.optimizer = .adam
      $0.learningRate = 1e-3
    },
    Case("RigL, very sparse") {
      $0.sparsity = 0.985
      $0.distribution = .uniform
      $0.firstLayerSparse = true
    },
    Case("RigL, constant, every step") {
      $0.updateInterval = 1
      $0.annealing = .constant
    },
    // The checkpoint of step 7 is written between a weight step and the update of the same step.
    Case("RigL, updates at checkpoints") { $0.updateInterval = 7 },
    Case("SET, updates at checkpoints") {
      $0.method = .set
      $0.updateInterval = 7
    },
    Case("RigL, convolutions", network: WRN(depth: 10, width: 1, multiplier: 0.5)),
  ]

  /// Watches the connections of every layer.
  final class Watcher: TrainingCallback {
    var reports: [TrainingStep.Report] = []
    var warnings: [String] = []
    /// What the rows of updates must say.
    var expected: [(moved: Int, new: Int, share: Double, live: Int)] = []
    /// Ends the process, so to speak, at this batch.
    var killedAt: UInt64?
    private var current: [Set<Int>] = []
    private var ever: [Set<Int>] = []

    private func begin(_ trainer: Trainer) {
      current = trainer.model.sparseLayers.map { Set($0.connectedPositions()) }
      ever = current
    }

    func observe(_ event: TrainingEvent, in trainer: Trainer) throws(RigLError)
      -> TrainingDecision
    {
      if case .started = event { begin(trainer) }
      if case .warning(let text) = event { warnings.append(text) }
      guard case .batch(let report) = event else { return .proceed }
      reports.append(report)
      if report.update != nil {
        let now = trainer.model.sparseLayers.map { Set($0.connectedPositions()) }
        var (moved, new) = (0, 0)
        for (index, positions) in now.enumerated() {
          moved += positions.subtracting(current[index]).count
          new += positions.subtracting(ever[index]).count
          ever[index].formUnion(positions)
        }
        current = now
        let all = trainer.model.weightLayers.reduce(0) { $0 + $1.inputs * $1.outputs }
        let dense = all - trainer.model.sparseLayers.reduce(0) { $0 + $1.positions }
        let active = ever.reduce(dense) { $0 + $1.count }
        expected.append(
          (moved, new, Double(active) / Double(all), trainer.model.liveHiddenUnits()))
      }
      if trainer.step.batchesConsumed == killedAt {
        throw RigLError(.write, "killed")
      }
      return .proceed
    }
  }

  /// What is not the same in every run.
  static func withoutTimes(_ rows: [MetricsRow]) -> [MetricsRow] {
    rows.map { row in
      var row = row
      (row.samplesPerSecond, row.elapsedSeconds, row.peakMemoryBytes) = (nil, nil, nil)
      return row
    }
  }

  /// The path of a run's last checkpoint.
  static func lastCheckpoint(_ run: String) throws -> String {
    try #require(try RunFolder.open(run).checkpoints().list().last).path
  }

  @Test(arguments: cases) func anUpdateHasARow(_ one: Case) throws {
    let folder = try TemporaryFolder()
    let trainer = try one.trainer(output: folder("run"))
    let watcher = Watcher()
    trainer.callbacks = [watcher]
    _ = try trainer.run()
    #expect(watcher.warnings.isEmpty)
    let updates = watcher.reports.compactMap(\.update)
    let rows = try MetricsLog.rows(at: folder("run/metrics.csv")).filter { $0.split == .update }
    try #require(rows.count >= 2 && rows.count == updates.count)
    #expect(watcher.expected.contains { $0.new > 0 })
    for (row, (update, expected)) in zip(rows, zip(updates, watcher.expected)) {
      #expect(row.connectionsMoved == expected.moved)
      #expect(row.neverActiveBefore == expected.new)
      #expect(row.exploredShare == expected.share)
      #expect(row.liveUnits == expected.live)
      #expect(row.step == update.step && row.batchesConsumed == Int(update.batchesConsumed))
      #expect(row.dropFraction == update.dropFraction)
      #expect(row.connections == trainer.model.connections)
      #expect(row.elapsedSeconds != nil)
      #expect((row.loss, row.accuracy, row.learningRate) == (nil, nil, nil))
      #expect(row.gradientNorm == nil && row.samplesPerSecond == nil)
    }
    #expect(rows.map(\.step) == rows.map(\.step).sorted())
  }

  @Test(arguments: [Configuration.Method.static, .dense])
  func withoutUpdatesThereAreNoRows(method: Configuration.Method) throws {
    let folder = try TemporaryFolder()
    _ = try Case("") { $0.method = method }.trainer(output: folder("run")).run()
    let rows = try MetricsLog.rows(at: folder("run/metrics.csv"))
    #expect(rows.allSatisfy { $0.split != .update && $0.liveUnits == nil })
    let file = try SafetensorsFile(path: Self.lastCheckpoint(folder("run")))
    #expect(!file.tensors.contains { $0.name.contains("formerly_active") })
  }

  /// Wherever a training is killed, it goes on to the rows and the bytes of one that was not.
  @Test(arguments: cases) func aKillChangesNoRow(_ one: Case) throws {
    let folder = try TemporaryFolder()
    let whole = try one.trainer(output: folder("whole"))
    let watcher = Watcher()
    whole.callbacks = [watcher]
    _ = try whole.run()
    let rows = Self.withoutTimes(try MetricsLog.rows(at: folder("whole/metrics.csv")))
    let bytes = try fileBytes(Self.lastCheckpoint(folder("whole")))
    let updates = watcher.reports.compactMap { $0.update.map { Int($0.batchesConsumed) } }
    let batches = watcher.reports.count
    let kills = Set(updates + updates.map { $0 + 1 } + [7, batches / 2, batches - 1])
    for batch in kills.filter({ $0 > 0 && $0 < batches }).sorted() {
      let path = folder("killed-\(batch)")
      let killed = try one.trainer(output: path)
      let killer = Watcher()
      killer.killedAt = UInt64(batch)
      killed.callbacks = [killer]
      #expect(throws: RigLError.self) { try killed.run() }
      _ = try one.trainer(output: nil, threads: 2).resume(path)
      #expect(
        Self.withoutTimes(try MetricsLog.rows(at: path + "/metrics.csv")) == rows,
        "killed at batch \(batch)")
      #expect(try fileBytes(Self.lastCheckpoint(path)) == bytes, "killed at batch \(batch)")
    }
  }

  /// Nor does a stop that was asked for, right after an update too.
  @Test(arguments: [Configuration.Method.rigl, .set], [6, 7, 8, 9, 10, 11])
  func aStopChangesNoRow(method: Configuration.Method, batch: UInt64) throws {
    final class Stopper: TrainingCallback {
      let batch: UInt64
      init(_ batch: UInt64) { self.batch = batch }
      func observe(_ event: TrainingEvent, in trainer: Trainer) -> TrainingDecision {
        if case .batch = event, trainer.step.batchesConsumed == batch { return .stop }
        return .proceed
      }
    }
    let folder = try TemporaryFolder()
    let one = Case("") {
      $0.method = method
      $0.updateInterval = batch < 9 ? 5 : 7
    }
    _ = try one.trainer(output: folder("whole")).run()
    let stopped = try one.trainer(output: folder("run"))
    stopped.callbacks = [Stopper(batch)]
    #expect(try stopped.run().wasStopped)
    _ = try one.trainer(output: nil).resume(folder("run"))
    let rows = try ["whole", "run"].map {
      Self.withoutTimes(try MetricsLog.rows(at: folder("\($0)/metrics.csv")))
    }
    #expect(rows[0] == rows[1])
  }

  @Test(arguments: cases) func threadsChangeNoRow(_ one: Case) throws {
    let folder = try TemporaryFolder()
    var rows: [[MetricsRow]] = []
    var bytes: [[UInt8]] = []
    for threads in 1...3 {
      _ = try one.trainer(output: folder("\(threads)"), threads: threads).run()
      rows.append(Self.withoutTimes(try MetricsLog.rows(at: folder("\(threads)/metrics.csv"))))
      bytes.append(try fileBytes(Self.lastCheckpoint(folder("\(threads)"))))
    }
    #expect(rows[0] == rows[1] && rows[0] == rows[2])
    #expect(bytes[0] == bytes[1] && bytes[0] == bytes[2])
  }

  // MARK: - Other columns

  /// Norm and top-5 are those of the steps, whether clipping changes anything or not.
  @Test func rowsHaveTheNormAndTheFiveBest() throws {
    let folder = try TemporaryFolder()
    let trainer = try Case("").trainer(output: folder("run"))
    let watcher = Watcher()
    trainer.callbacks = [watcher]
    let result = try trainer.run()
    let rows = try MetricsLog.rows(at: folder("run/metrics.csv"))
    var (hits, samples, interval) = (0, 0, 0)
    let train = rows.filter { $0.split == .train }
    #expect(train.count == 8)
    for report in watcher.reports {
      hits += try #require(report.top5)
      samples += report.samples
      guard report.movedWeights else { continue }
      interval += 1
      guard interval % 3 == 0 else { continue }
      let row = train[interval / 3 - 1]
      #expect(row.gradientNorm == report.gradientNorm && row.gradientNorm ?? 0 > 0)
      #expect(row.top5 == Double(hits) / Double(samples))
      (hits, samples) = (0, 0)
    }
    #expect(rows.last?.split == .test && rows.last?.top5 == result.test?.top5)
    let validation = rows.filter { $0.split == .validation }
    #expect(validation.count == 3 && validation.allSatisfy { $0.top5 ?? 0 > 0.2 })
    #expect(rows.allSatisfy { $0.split == .train || $0.gradientNorm == nil })
  }

  @Test func whatIsNotKnownIsEmpty() throws {
    let folder = try TemporaryFolder()
    var options = RunOptions(threads: 1, output: folder("run"))
    options.logEvery = 3
    let configuration = Case("") { $0.clipNorm = nil }.configuration
    let samples = RandomSamples(count: 160, width: 50, classes: 5)
    let data = TrainingData(train: samples, validation: samples, test: samples)
    _ = try Trainer(configuration, options: options, data: data).run()
    let rows = try MetricsLog.rows(at: folder("run/metrics.csv"))
    #expect(rows.count > 10)
    #expect(rows.allSatisfy { $0.top5 == nil && $0.gradientNorm == nil })
  }

  /// Sleeps at events of its choice.
  struct Sleeper: TrainingCallback {
    var seconds: Double
    var at: @Sendable (TrainingEvent) -> Bool

    func observe(_ event: TrainingEvent, in trainer: Trainer) -> TrainingDecision {
      if at(event) { Thread.sleep(forTimeInterval: seconds) }
      return .proceed
    }
  }

  /// Three steps of 20 samples take far less than the .6 seconds of the checkpoint or the epoch's end
  /// between two rows.
  @Test func evaluationsAndCheckpointsDoNotCountInTheRate() throws {
    let folder = try TemporaryFolder()
    let trainer = try Case("").trainer(output: folder("run"))
    trainer.callbacks = [
      Sleeper(seconds: 0.6) { event in
        switch event {
        case .epoch, .checkpoint: true
        default: false
        }
      }
    ]
    _ = try trainer.run()
    let rows = try MetricsLog.rows(at: folder("run/metrics.csv")).filter { $0.split == .train }
    #expect(rows.count == 8)
    for row in rows { #expect(row.samplesPerSecond ?? 0 > 60 / 0.6, "step \(row.step)") }
    #expect(rows.last?.elapsedSeconds ?? 0 > 3, "they do count in what has elapsed")
  }

  /// A resumed run's first row counts the samples of its own process only: three batches of 20, each
  /// of which takes 20 ms at least, not those of the 21 steps before the checkpoint.
  @Test func aResumedRunsFirstRateIsItsOwn() throws {
    let folder = try TemporaryFolder()
    let one = Case("") { $0.updateInterval = 100 }
    let killed = try one.trainer(output: folder("run"), logEvery: 24)
    let killer = Watcher()
    killer.killedAt = 23
    killed.callbacks = [killer]
    #expect(throws: RigLError.self) { try killed.run() }
    let trainer = try one.trainer(output: nil, logEvery: 24)
    trainer.callbacks = [
      Sleeper(seconds: 0.02) { event in
        if case .batch = event { true } else { false }
      }
    ]
    _ = try trainer.resume(folder("run"))
    let rows = try MetricsLog.rows(at: folder("run/metrics.csv")).filter { $0.split == .train }
    #expect(rows.map(\.step) == [24])
    #expect(rows.first?.samplesPerSecond ?? .infinity <= 20 / 0.02)
  }
}
