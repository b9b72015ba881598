import RigLCore

/// Reads a run's folder: its settings, what came out of it, and what happened in it.
package enum RunReader {
  /// Reads a run.
  ///
  /// - Parameter hasHistory: whether what happened in it is asked for, too: curves, updates, layers.
  /// - Throws: `RigLError(.missingFile)` where the folder is none of a run, `.data` where its metrics or
  ///   its last checkpoint are damaged.
  package static func record(
    _ folder: String, hasHistory: Bool = false
  ) throws(RigLError) -> RunRecord {
    let run = try RunFolder.open(folder)
    var stack = try SettingsStack()
    try stack.apply(file: run.configurationPath, isSaved: true)
    let configuration = try stack.configuration()
    let rows = try metrics(of: run)
    var record = RunRecord(
      name: FileSystem.split(run.path).name, state: .unfinished(step: rows.last?.step ?? 0, of: 0),
      settings: try RunSettings.texts(configuration, stack.options), program: "",
      figures: RunRecord.Figures())
    record.folder = run.path
    record.figures.seconds = rows.last?.elapsedSeconds
    record.figures.peakMemoryBytes = rows.compactMap(\.peakMemoryBytes).max()
    record.figures.exploredShare = rows.last { $0.exploredShare != nil }?.exploredShare
    if hasHistory { record.history = history(rows) }
    guard try run.hasCheckpoint else { return record }
    return try whileItTrains(run) { () throws(RigLError) in
      var whole = record
      try read(run, configuration, rows, into: &whole)
      return whole
    }
  }

  /// Reads the last checkpoint; again if the run itself, which another process trains, has replaced it
  /// meanwhile.
  private static func whileItTrains<Result>(
    _ run: RunFolder, _ body: () throws(RigLError) -> Result
  ) throws(RigLError) -> Result {
    var last = try run.checkpoints().list().last
    for _ in 0..<50 {
      do throws(RigLError) {
        return try body()
      } catch {
        let now = try run.checkpoints().list().last
        guard error.kind == .missingFile, now != last else { throw error }
        last = now
      }
    }
    return try body()
  }

  /// What the metrics of a run say of what happened in it, without what its network says.
  ///
  /// - Throws: as ``record(_:hasHistory:)``.
  static func history(_ folder: String) throws(RigLError) -> RunHistory {
    history(try metrics(of: try RunFolder.open(folder)))
  }

  /// Adds what a run's network says: its layers, the input map, and the ages of connections. Nothing of a
  /// run without a checkpoint, or whose network only Swift can make.
  ///
  /// - Throws: as ``record(_:hasHistory:)``.
  static func addNetwork(of folder: String, to history: inout RunHistory) throws(RigLError) {
    let run = try RunFolder.open(folder)
    guard try run.hasCheckpoint, try !run.hasCustomNetwork() else { return }
    history = try whileItTrains(run) { () throws(RigLError) in
      var whole = history
      try addNetwork(try SavedRun(folder, threads: 1), to: &whole)
      return whole
    }
  }

  /// The rows of the metrics; none where there are none yet.
  private static func metrics(of run: RunFolder) throws(RigLError) -> [MetricsRow] {
    FileSystem.item(run.metricsPath) == .nothing ? [] : try MetricsLog.rows(at: run.metricsPath)
  }

  /// Adds what the last checkpoint says.
  private static func read(
    _ run: RunFolder, _ configuration: Configuration, _ rows: [MetricsRow],
    into record: inout RunRecord
  ) throws(RigLError) {
    // A network that was made in Swift has figures, but only Swift can count its operations.
    guard !configuration.hasCustomNetwork else {
      return finish(rows, steps: rows.last?.step ?? 0, &record)
    }
    let saved = try SavedRun(run.path, threads: 1)
    let samples = try trainSamples(of: saved)
    finish(rows, steps: configuration.steps(samples: samples), &record)
    let network = saved.model.inspect()
    let live = saved.model.liveUnits()
    record.figures.bytes = network.bytes
    record.figures.connections = network.connections
    record.figures.positions = network.positions
    record.figures.liveUnits = live.hidden
    record.figures.hiddenUnits = saved.model.weightLayers.dropLast().reduce(0) { $0 + $1.shape[0] }
    record.figures.inferenceFLOPs = saved.model.inferenceFLOPs
    record.figures.trainingFLOPs = try configuration.trainingFLOPs(
      input: saved.sampleShape, classes: saved.classes, samples: samples)
    guard var history = record.history else { return }
    try addNetwork(saved, to: &history)
    record.history = history
  }

  private static func addNetwork(
    _ saved: SavedRun, to history: inout RunHistory
  ) throws(RigLError) {
    history.layers = saved.model.inspect().layers.map { layer in
      RunHistory.Layer(
        name: layer.name, shape: layer.shape, connections: layer.connections,
        positions: layer.shape.reduce(1, *), liveUnits: layer.liveUnits, deadUnits: layer.deadUnits)
    }
    history.inputMap = inputMap(saved)
    history.ages = try ages(saved)
  }

  /// Samples that the run was trained on.
  private static func trainSamples(of saved: SavedRun) throws(RigLError) -> Int {
    guard let samples = saved.trainSamples, samples > 0 else {
      throw RigLError(
        .data, "\(saved.checkpointPath): does not say how many samples were trained on")
    }
    return samples
  }

  /// Says how far the run has come, and its test result.
  private static func finish(_ rows: [MetricsRow], steps: Int, _ record: inout RunRecord) {
    guard let test = rows.last, test.split == .test, test.step >= steps else {
      record.state = .unfinished(step: rows.last?.step ?? 0, of: steps)
      return
    }
    record.state = .finished
    record.figures.testAccuracy = test.accuracy
    record.figures.testLoss = test.loss
  }

  // MARK: - History

  private static func history(_ rows: [MetricsRow]) -> RunHistory {
    var history = RunHistory()
    for row in rows {
      if row.split == .update {
        var update = RunHistory.Update(step: row.step)
        (update.connections, update.moved) = (row.connections, row.connectionsMoved)
        update.neverActiveBefore = row.neverActiveBefore
        (update.exploredShare, update.dropFraction) = (row.exploredShare, row.dropFraction)
        update.liveUnits = row.liveUnits
        history.updates.append(update)
      } else {
        var point = RunHistory.Point(step: row.step, split: row.split.rawValue)
        (point.loss, point.accuracy) = (row.loss, row.accuracy)
        (point.learningRate, point.gradientNorm) = (row.learningRate, row.gradientNorm)
        history.points.append(point)
      }
    }
    return history
  }

  /// Outgoing connections of each input, where the first layer sees pixels one by one.
  private static func inputMap(_ saved: SavedRun) -> RunHistory.InputMap? {
    guard let first = saved.model.weightLayers.first, !saved.isStripped, first.shape.count == 2
    else {
      return nil
    }
    let shape = saved.sampleShape
    guard first.inputs == shape.count, shape.height > 1 else { return nil }
    var counts = [Int](repeating: 0, count: shape.height * shape.width)
    guard let connections = first.connections else { return nil }
    connections.forEachConnection { _, position, _ in
      counts[position % first.inputs % counts.count] += 1
    }
    return RunHistory.InputMap(width: shape.width, height: shape.height, connections: counts)
  }

  /// The ages of connections, where the last checkpoint has them.
  private static func ages(_ saved: SavedRun) throws(RigLError) -> RunHistory.Ages? {
    let file = try SafetensorsFile(path: saved.checkpointPath)
    let names = file.tensors.map(\.name).filter { $0.hasSuffix(".birth") }
    guard !names.isEmpty else { return nil }
    var births: [Int32] = []
    for name in names { births += try file.int32(name) }
    // Twenty bins of the training's length.
    let bins = 20
    let end = max(saved.step, 1)
    var ages = RunHistory.Ages(
      from: (0..<bins).map { $0 * end / bins }, counts: Array(repeating: 0, count: bins), end: end)
    for birth in births {
      let age = min(max(end - Int(birth), 0), end)
      ages.counts[min(age * bins / end, bins - 1)] += 1
    }
    return ages
  }
}
