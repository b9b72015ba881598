import RigLCore
import Testing

/// The positions that were ever active: in both forms, beyond the limit, in checkpoints.
@Suite struct ExploredPositionsTests {
  typealias Case = UpdateRowTests.Case
  typealias Watcher = UpdateRowTests.Watcher

  /// Layers so large that a list is smaller than a bitmap, and then no longer is: after every update
  /// the counts are those of sets.
  @Test(arguments: [
    // 8300², 68.9 million positions: a list up to 1.08 million former ones.
    (8300, 3000, 0.5, 12), (8300, 400_000, 1, 4),
  ])
  func countsAreThoseOfSets(width: Int, connections: Int, fraction: Double, updates: Int) throws {
    let model = try makeModel(
      SparseLinear("a", inputs: width, outputs: width, bias: false), ReLU(),
      SparseLinear("b", inputs: width, outputs: 4, bias: false), inputs: width, capacity: 8,
      connections: ["a": connections, "b": 100])
    model.draw(seed: 1, initializer: Initializer(.heNormal))
    var settings = TrainingStep.Settings()
    settings.method = SET()
    settings.schedule = UpdateSchedule(
      interval: 1, begin: 1, end: nil, initialFraction: fraction, annealing: .constant)
    let step = TrainingStep(
      model: model, loss: CrossEntropy(), optimizer: SGD(),
      learningRate: LearningRateSchedule(peak: 0.01), settings: settings,
      pool: try ThreadPool(threads: 1), seed: 3)
    let batch = Batch(for: model)
    batch.inputs.set(randomValues(width * 8, seed: 5))
    batch.labels.count = 8
    var ever = model.sparseLayers.map { Set($0.connectedPositions()) }
    while step.weightSteps < updates + 1 {
      guard let update = try step.train(on: batch).update else { continue }
      var new = 0
      for (index, layer) in model.sparseLayers.enumerated() {
        let before = ever[index].count
        ever[index].formUnion(layer.connectedPositions())
        new += ever[index].count - before
      }
      #expect(update.neverActiveBefore == new)
      let share = Double(ever[0].count + ever[1].count) / Double(width * width + 4 * width)
      #expect(update.exploredShare == share)
    }
  }

  /// The list of a large layer survives a kill, like the bitmaps of small ones.
  @Test func aListIsSaved() throws {
    struct Large: Network {
      func layers(input: SampleShape, classes: Int) -> Sequential {
        Sequential(
          SparseLinear("fc1", inputs: input.count, outputs: 8300), ReLU(),
          SparseLinear("fc2", inputs: 8300, outputs: 8300), ReLU(),
          SparseLinear("fc3", inputs: 8300, outputs: classes))
      }
    }
    let one = Case("", network: Large()) {
      $0.method = .set
      $0.layerSparsities = ["fc1": 0.99, "fc2": 0.99998, "fc3": 0.9]
      $0.epochs = 2
    }
    let folder = try TemporaryFolder()
    let whole = try one.trainer(output: folder("whole"))
    let watcher = Watcher()
    whole.callbacks = [watcher]
    _ = try whole.run()
    let rows = try MetricsLog.rows(at: folder("whole/metrics.csv"))
    #expect(
      rows.filter { $0.split == .update }.map(\.neverActiveBefore)
        == watcher.expected.map(\.new))
    let last = try UpdateRowTests.lastCheckpoint(folder("whole"))
    let list = try SafetensorsFile(path: last).int64("fc2.weight.formerly_active")
    #expect(!list.isEmpty && zip(list, list.dropFirst()).allSatisfy { $0 < $1 })

    let killed = try one.trainer(output: folder("killed"))
    let killer = Watcher()
    killer.killedAt = 12
    killed.callbacks = [killer]
    #expect(throws: RigLError.self) { try killed.run() }
    _ = try one.trainer(output: nil).resume(folder("killed"))
    let again = try MetricsLog.rows(at: folder("killed/metrics.csv"))
    #expect(UpdateRowTests.withoutTimes(again) == UpdateRowTests.withoutTimes(rows))
    #expect(
      try fileBytes(UpdateRowTests.lastCheckpoint(folder("killed"))) == fileBytes(last))
  }

  // MARK: - Unknown

  /// Beyond the limit two columns are empty, the others go on, and one line says so.
  @Test func beyondTheLimitTheColumnsAreEmpty() throws {
    let folder = try TemporaryFolder()
    // Some 140 bytes with each update.
    let one = Case("") {
      $0.updateInterval = 3
      $0.dropFraction = 0.05
      $0.annealing = .constant
    }
    _ = try one.trainer(output: folder("free")).run()
    let limited = try one.trainer(output: folder("limited"))
    let watcher = Watcher()
    limited.callbacks = [watcher]
    let explored = try #require(limited.step.explored)
    explored.limit = 300
    _ = try limited.run()
    #expect(!explored.isKnown)
    let all = try ["free", "limited"].map {
      try MetricsLog.rows(at: folder("\($0)/metrics.csv")).filter { $0.split == .update }
    }
    let known = all[1].prefix { $0.exploredShare != nil }.count
    #expect(0 < known && known < all[1].count, "\(known) of \(all[1].count)")
    for (index, (free, limited)) in zip(all[0], all[1]).enumerated() {
      #expect(limited.connectionsMoved == free.connectionsMoved)
      #expect(limited.liveUnits == free.liveUnits)
      #expect(limited.neverActiveBefore == (index < known ? free.neverActiveBefore : nil))
      #expect(limited.exploredShare == (index < known ? free.exploredShare : nil))
    }
    #expect(watcher.warnings.count == 1)
    #expect(watcher.warnings.first?.contains("explored_share") == true)

    // A checkpoint after that says nothing, and the training goes on without.
    let file = try SafetensorsFile(path: try UpdateRowTests.lastCheckpoint(folder("limited")))
    #expect(!file.tensors.contains { $0.name.contains("formerly_active") })
    let killed = try one.trainer(output: folder("killed"))
    try #require(killed.step.explored).limit = 300
    let killer = Watcher()
    killer.killedAt = 22
    killed.callbacks = [killer]
    #expect(throws: RigLError.self) { try killed.run() }
    let resumed = try one.trainer(output: nil)
    let said = Watcher()
    resumed.callbacks = [said]
    _ = try resumed.resume(folder("killed"))
    #expect(said.warnings.count == 1)
    #expect(
      UpdateRowTests.withoutTimes(try MetricsLog.rows(at: folder("killed/metrics.csv")))
        == UpdateRowTests.withoutTimes(try MetricsLog.rows(at: folder("limited/metrics.csv"))))
  }

  /// A tensor of a checkpoint.
  private struct Contents {
    var name: String
    var type: SafetensorsType
    var bytes: [UInt8]
  }

  /// Rewrites a run's last checkpoint, with a right checksum.
  private func rewrite(
    _ run: String, metadata: (inout [String: String]) -> Void = { _ in },
    _ change: (Contents) -> Contents?
  ) throws {
    let path = try UpdateRowTests.lastCheckpoint(run)
    let file = try SafetensorsFile(path: path)
    var contents: [(tensor: SafetensorsTensor, bytes: [UInt8])] = []
    for tensor in file.tensors {
      let bytes = try file.bytes(tensor.name)
      let old = Contents(name: tensor.name, type: tensor.type, bytes: bytes)
      guard let new = change(old) else { continue }
      let shape = new.bytes == bytes ? tensor.shape : [new.bytes.count / new.type.size]
      contents.append((SafetensorsTensor(new.name, new.type, shape: shape), new.bytes))
    }
    var strings = file.metadata.filter { $0.key != "rigl.crc32" }
    metadata(&strings)
    var writer = try SafetensorsWriter(
      path: path, tensors: contents.map(\.tensor), metadata: strings, checksummed: true)
    for (tensor, bytes) in contents { try writer.append(bytes: bytes.span.bytes, to: tensor.name) }
    try writer.finish()
  }

  private func kill(_ one: Case, at batch: UInt64, _ path: String) throws {
    let killed = try one.trainer(output: path)
    let killer = Watcher()
    killer.killedAt = batch
    killed.callbacks = [killer]
    #expect(throws: RigLError.self) { try killed.run() }
  }

  /// A checkpoint of an older version does not say: unknown is empty, not wrong. One from before the
  /// first update need not.
  @Test(arguments: [(0, true), (10, false)])
  func anOldCheckpointDoesNotSay(begin: Int, isUnknown: Bool) throws {
    let folder = try TemporaryFolder()
    let one = Case("") { $0.updateBegin = begin }
    try kill(one, at: 10, folder("run"))
    try rewrite(folder("run")) { strings in
      // Nor had it sums of the five best.
      strings["state"] = strings["state"]?.replacing(/,"top5":[0-9]+/, with: "")
    } _: {
      $0.name.contains("formerly_active") ? nil : $0
    }
    let resumed = try one.trainer(output: nil)
    let watcher = Watcher()
    resumed.callbacks = [watcher]
    _ = try resumed.resume(folder("run"))
    #expect(watcher.warnings.count == (isUnknown ? 1 : 0))
    let all = try MetricsLog.rows(at: folder("run/metrics.csv"))
    #expect(all.filter { $0.split == .train && $0.step > 9 }.allSatisfy { $0.top5 != nil })
    let rows = all.filter { $0.split == .update }
    #expect(rows.count >= 2)
    for row in rows where row.step > 7 {
      #expect((row.exploredShare == nil) == isUnknown)
      #expect((row.neverActiveBefore == nil) == isUnknown)
      #expect(row.connectionsMoved ?? 0 > 0 && row.liveUnits ?? 0 > 0)
    }
  }

  /// Damage that a checksum does not show is refused.
  @Test(arguments: [
    "missing", "short", "beyond", "connected", "unsorted", "negative", "too large", "too early",
  ])
  func impossiblePositionsAreRefused(damage: String) throws {
    let folder = try TemporaryFolder()
    // 50·5: 250 positions, 32 bytes, six bits of the last one unused; a few have been left.
    let one = Case("") {
      $0.hidden = [5]
      $0.sparsity = 0.5
      if damage == "too early" { $0.updateBegin = 10 }
    }
    try kill(one, at: 10, folder("run"))
    let columns = try SafetensorsFile(
      path: try UpdateRowTests.lastCheckpoint(folder("run"))
    ).int32("fc1.weight.columns")
    var touched = 0
    try rewrite(folder("run")) { old in
      guard old.name.hasPrefix("fc1.weight.formerly_active") else { return old }
      touched += 1
      var new = old
      func setList(_ positions: [Int64]) {
        new = Contents(
          name: "fc1.weight.formerly_active", type: .int64,
          bytes: positions.flatMap { position in
            (0..<8).map { UInt8(truncatingIfNeeded: position >> (8 * $0)) }
          })
      }
      switch damage {
      case "missing": return nil
      case "short": new.bytes.removeLast()
      case "beyond": new.bytes[31] |= 1 << 7
      case "connected": new.bytes[Int(columns[0]) / 8] |= 1 << UInt8(columns[0] % 8)
      case "too early": setList([249])
      case "unsorted": setList([9, 8])
      case "negative": setList([-1])
      default: setList([250])
      }
      return new
    }
    #expect(touched == 1)
    let error = #expect(throws: RigLError.self) {
      try one.trainer(output: nil).resume(folder("run"))
    }
    #expect(error?.kind == .data)
    #expect(error?.what.contains("formerly_active") == true, "\(error?.what ?? "")")
  }
}
