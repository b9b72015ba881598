import RigLCore

/// How much memory training takes, and how long each part of a step. Every case wants a process of
/// its own, since what one has used stays with the process.
package struct MemoryBench: Sendable {
  /// The training whose memory is measured.
  package enum Case: String, CaseIterable, Sendable {
    /// One layer 200 000 → 200 000 with 4 million connections: 160 GB if it were dense.
    case huge
    /// 4096-4096-4096-10 at 95 %, batch 128, with RigL.
    case mlp
    /// The mlp with a topology that never changes.
    case mlpStatic = "mlp-static"
    /// Two layers of 2048, pruned from dense to 90 %, and the same that sparse from the start.
    case pruning
  }

  /// Threads; each has scratch of its own.
  package var threads = ThreadPool.processors

  /// All processors.
  package init() {}

  /// Trains a case and measures.
  package func run(_ which: Case, _ report: (Record) throws -> Void) throws {
    switch which {
    case .huge:
      var huge = HugeLayer()
      huge.threads = threads
      try report(try huge.run())
    case .mlp: try report(try runMLP(.rigl))
    case .mlpStatic: try report(try runMLP(.static))
    case .pruning:
      var pruning = PruningMemory()
      pruning.threads = threads
      try pruning.run(report)
    }
  }

  // MARK: - 4096-4096-4096-10

  /// Samples without memory: their values follow from their numbers.
  private struct Samples: Dataset {
    let count = 1024
    let sampleShape = SampleShape(channels: 4096)
    let classes = 10

    func label(of sample: Int) -> Int { sample % classes }

    func write(_ sample: Int, into values: inout MutableSpan<Float>) {
      let random = CounterRandom(seed: 5, purpose: .synthetic, stream: UInt64(sample))
      for index in 0..<sampleShape.count {
        values[index] = random.uniform(UInt64(index), in: -1..<1)
      }
    }
  }

  private func runMLP(_ method: Configuration.Method) throws(RigLError) -> Record {
    var configuration = Configuration()
    configuration.hidden = [4096, 4096]
    configuration.method = method
    configuration.sparsity = 0.95
    configuration.batchSize = 128
    configuration.learningRate = 0.01
    configuration.validation = 0
    var options = RunOptions()
    options.threads = threads
    let data = TrainingData(train: Samples(), test: Samples())
    let before = currentMemoryBytes() ?? 0
    let trainer = try Trainer(configuration, options: options, data: data)
    // A topology update, if there are any, then weight steps.
    for _ in 0..<5 { try trainer.trainNextBatch() }
    let peak = peakMemoryBytes() ?? 0

    var record = Record("memory", layout: .list)
    record.add(
      "case", .text((method == .rigl ? Case.mlp : .mlpStatic).rawValue), title: "case")
    record.add("method", .text(method.rawValue), title: "method")
    record.add("layers", .text("4096-4096-4096-10"), title: "layers")
    record.add("batch", .integer(configuration.batchSize), title: "batch")
    record.add("sparsity", .number(configuration.sparsity), title: "sparsity")
    record.add("optimizer", .text("SGD with momentum"), title: "optimizer")
    record.add("threads", .integer(threads), title: "threads")
    record.add("connections", .integer(trainer.model.connections), title: "connections")
    addParts(of: trainer, before: before, peak: peak, to: &record)
    return record
  }

  /// What the memory is for, as far as it is known, and what it may be.
  private func addParts(of trainer: Trainer, before: Int, peak: Int, to record: inout Record) {
    let connections = trainer.model.connections
    let activations = activationBytes(trainer.model)
    let allowance = 48 * connections + 16 << 20 + activations
    let layers = trainer.model.weightLayers.reduce(0) { sum, layer in
      sum + (layer.connections?.bytes ?? 8 * layer.weight.count)
    }
    let slots = trainer.step.optimizer.slots.joined().reduce(0) { $0 + 4 * $1.buffer.count }
    let parts = layers + slots + activations
    record.addMegabytes("rss_before", before, title: "before the model, MB")
    record.addMegabytes("peak_rss", peak, title: "peak, MB")
    record.addMegabytes("model", peak - before, title: "for the model, MB")
    record.addMegabytes("activation", activations, title: "of it activations, MB")
    record.addMegabytes("layer", layers, title: "weights, gradients, lists, MB")
    record.addMegabytes("optimizer", slots, title: "optimizer state, MB")
    record.addMegabytes("other", peak - before - parts, title: "all else, MB")
    let perConnection = Double(peak - before - activations) / Double(connections)
    record.add(
      "bytes_per_connection", .number(perConnection), title: "bytes a connection, no activations")
    record.addMegabytes("allowance", allowance, title: "48 B a connection + 16 MiB + activations")
    record.add("within_allowance", .flag(peak - before <= allowance), title: "within that")
  }

  /// Bytes of a batch's activations and their gradients: input, each layer's output, the two
  /// buffers that gradients take turns in, and the gradient of the logits.
  private func activationBytes(_ model: Model) -> Int {
    let widths = model.weightLayers.map(\.outputs)
    let inputs = model.weightLayers.dropFirst().map(\.inputs).max() ?? 0
    let channels = model.inputShape.count + widths.reduce(0, +) + 2 * inputs + model.outputs
    return 4
      * Tensor.elements(
        shape: SampleShape(channels: channels), capacity: model.capacity, lanes: model.lanes)
  }
}

extension Record {
  /// Bytes in JSON, megabytes for people.
  fileprivate mutating func addMegabytes(_ key: String, _ bytes: Int, title: String) {
    add("\(key)_bytes", .integer(bytes))
    add("\(key)_mb", .number(Double(bytes) / 1e6), title: title)
  }
}

// MARK: - 200 000 x 200 000

/// A layer whose dense form no memory holds, from drawing its connections to moving them.
package struct HugeLayer: Sendable {
  package var width = 200_000
  package var connections = 4_000_000
  package var batch = 32
  package var threads = ThreadPool.processors

  package init() {}

  package func run() throws(RigLError) -> Record {
    let before = currentMemoryBytes() ?? 0
    let pool = try ThreadPool(threads: threads)
    let layer = TimedLayer(SparseLinear("layer", inputs: width, outputs: width))
    var made: TrainingStep?
    let initialise = try seconds { () throws(RigLError) in made = try make(layer, pool: pool) }
    guard let step = made else { trap("HugeLayer: nothing was made") }
    let batch = Batch.random(for: step.model, number: 0)

    // The first step moves weights, the second connections.
    _ = try step.train(on: batch)
    let (forward, backward) = (layer.times.forward, layer.times.backward)
    let optimizer = seconds {
      step.optimizer.step(learningRate: 0.01, gradientScale: 1, pool: pool)
      step.model.weightsDidChange()
    }
    var moved: Double?
    let update = try seconds { () throws(RigLError) in
      moved = try step.train(on: batch).dropFraction
    }
    trap(unless: moved == 0.3, "HugeLayer: the update moved \(moved ?? 0)")
    let peak = peakMemoryBytes() ?? 0
    var record = Record("memory", layout: .list)
    record.add("case", .text("huge"), title: "case")
    record.add("layers", .text("\(width)-\(width)"), title: "layers")
    record.add("batch", .integer(self.batch), title: "batch")
    record.add("density", .number(Double(connections) / Double(width * width)), title: "density")
    record.add("threads", .integer(threads), title: "threads")
    record.add("connections", .integer(connections), title: "connections")
    record.addMegabytes("dense_weight", 4 * width * width, title: "its dense weight, MB")
    record.addMegabytes("rss_before", before, title: "before the model, MB")
    record.addMegabytes("peak_rss", peak, title: "peak, MB")
    record.add("initialise_ms", .number(initialise * 1e3), title: "initialise, ms")
    record.add("forward_ms", .number(forward * 1e3), title: "forward, ms")
    record.add("backward_ms", .number(backward * 1e3), title: "backward, ms")
    record.add("optimizer_ms", .number(optimizer * 1e3), title: "optimizer, ms")
    record.add("update_ms", .number(update * 1e3), title: "RigL update, ms")
    record.add("allowance_bytes", .integer(500_000_000))
    record.add("within_allowance", .flag(peak <= 500_000_000), title: "within 500 MB")
    return record
  }

  private func make(_ layer: TimedLayer, pool: ThreadPool) throws(RigLError) -> TrainingStep {
    let model = try Model(
      Sequential(Entrance(), layer), input: SampleShape(channels: width), capacity: batch,
      connections: ["layer": connections])
    model.draw(seed: 1, initializer: Initializer(.glorotUniform))
    var settings = TrainingStep.Settings()
    settings.method = RigL()
    settings.schedule = UpdateSchedule(begin: 1, end: nil, annealing: .constant)
    return TrainingStep(
      model: model, loss: CrossEntropy(), optimizer: SGD(momentum: 0.9),
      learningRate: LearningRateSchedule(peak: 0.01), settings: settings, pool: pool, seed: 1)
  }
}
