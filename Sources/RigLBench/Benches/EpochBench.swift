import RigLCore

/// Steps a second of a whole training, data and updates included, against its dense twin's.
package struct EpochBench: Sendable {
  /// The preset that is trained.
  package var preset = "lenet-300-100"
  /// Where samples come from: a name or a folder; nil: the preset's data, or generated images
  /// where those are not installed.
  package var data: String?
  /// Threads.
  package var threads = 1
  /// Weight steps of each training in a round.
  package var steps = 200
  /// Rounds, in each of which sparse and dense alternate.
  package var rounds = 9

  /// LeNet-300-100 at 98 %.
  package init() {}

  /// Measures.
  package func run(_ report: (Record) throws -> Void) throws {
    let sparseConfiguration = try Preset.find(preset).configuration
    var denseConfiguration = sparseConfiguration
    denseConfiguration.method = .dense
    let (name, data) = try load(sparseConfiguration)
    var options = RunOptions()
    options.threads = threads
    let sparse = try Trainer(sparseConfiguration, options: options, data: data)
    let dense = try Trainer(denseConfiguration, options: options, data: data)
    for trainer in [sparse, dense] { try train(trainer, steps: 20) }
    var (sparseTimes, denseTimes): ([Double], [Double]) = ([], [])
    for _ in 0..<rounds {
      sparseTimes.append(
        try seconds { () throws(RigLError) in try train(sparse, steps: steps) })
      denseTimes.append(try seconds { () throws(RigLError) in try train(dense, steps: steps) })
    }
    var record = Record("epoch")
    record.add("case", .text(preset), title: "preset")
    record.add("data", .text(name), title: "data")
    record.add("batch", .integer(sparseConfiguration.batchSize))
    let density = Double(sparse.model.connections) / Double(dense.model.connections)
    record.add("density", .number(density), title: "density")
    record.add("threads", .integer(threads))
    record.add("steps_per_epoch", .integer(sparse.stepsPerEpoch))
    let count = Double(steps)
    record.add("speedup", .number(medianRatio(denseTimes, sparseTimes)), title: "speedup")
    record.add("sparse_steps_per_s", .number(count / median(sparseTimes)), title: "sparse/s")
    record.add("dense_steps_per_s", .number(count / median(denseTimes)), title: "dense/s")
    let epoch = Double(sparse.stepsPerEpoch) / count
    record.add("sparse_epoch_s", .number(median(sparseTimes) * epoch))
    record.add("dense_epoch_s", .number(median(denseTimes) * epoch))
    record.add("rounds", .integer(rounds))
    try report(record)
  }

  /// Trains until the weights have moved so many times; updates come on top.
  private func train(_ trainer: Trainer, steps: Int) throws(RigLError) {
    var done = 0
    while done < steps {
      if try trainer.trainNextBatch().movedWeights { done += 1 }
    }
  }

  private func load(
    _ configuration: Configuration
  ) throws(RigLError) -> (name: String, data: TrainingData) {
    func load(_ name: String) throws(RigLError) -> (String, TrainingData) {
      let (train, test) = try DataSource(name: name).load()
      return (name, TrainingData(train: train, test: test))
    }
    if let data { return try load(data) }
    do {
      return try load(configuration.data)
    } catch  where error.kind == .missingFile {
      return try load("synthetic")
    }
  }
}
