import RigLCore

/// What moving connections costs: a method against a static topology over the same number of weight
/// steps.
package struct UpdateBench: Sendable {
  /// The method that moves connections.
  package enum Method: String, Sendable {
    /// By the dense gradient.
    case rigl
    /// By sampled candidates.
    case gse
  }

  /// The method.
  package var method = Method.rigl
  /// Features of the input and of both layers.
  package var width = 2048
  /// Samples in a batch.
  package var batch = 256
  /// The share of connections that exist.
  package var density = 0.1
  /// Weight steps between updates (ΔT).
  package var interval = 100
  /// The fraction of connections that every update moves (α), without annealing.
  package var fraction = 0.3
  /// Threads.
  package var threads = 1
  /// Rounds of one update interval each, in which both trainings take turns every few batches.
  package var rounds = 7

  /// Two layers of 2048 at 90 %, batch 256, ΔT 100.
  package init() {}

  /// Batches of one training before the other takes its turn.
  private static let turn = 10

  /// Measures.
  package func run(_ report: (Record) throws -> Void) throws {
    let pool = try ThreadPool(threads: threads)
    let moving = try Training(
      self, method: method == .rigl ? RigL() : GSE(candidates: 1), pool: pool)
    let still = try Training(self, method: StaticTopology(), pool: pool)
    for training in [moving, still] { try training.train(weightSteps: 3) }
    var (movingTimes, stillTimes): ([Double], [Double]) = ([], [])
    for _ in 0..<rounds {
      var (movingTime, stillTime, done) = (0.0, 0.0, 0)
      while done < interval {
        let steps = min(UpdateBench.turn, interval - done)
        stillTime += try seconds { () throws(RigLError) in try still.train(weightSteps: steps) }
        movingTime += try seconds { () throws(RigLError) in try moving.train(weightSteps: steps) }
        done += steps
      }
      movingTimes.append(movingTime)
      stillTimes.append(stillTime)
    }
    var record = Record("update")
    record.add("case", .text(method.rawValue), title: "method")
    record.add("layers", .text("\(width)-\(width)-\(width)"), title: "layers")
    record.add("batch", .integer(batch))
    record.add("density", .number(density), title: "density")
    record.add("interval", .integer(interval))
    record.add("threads", .integer(threads))
    let steps = Double(interval)
    record.add("ratio", .number(medianRatio(movingTimes, stillTimes)), title: "ratio to static")
    record.add("static_ms", .number(median(stillTimes) / steps * 1e3), title: "static ms")
    record.add(
      "\(method.rawValue)_ms", .number(median(movingTimes) / steps * 1e3), title: "moving ms")
    let (update, step) = (median(moving.updateTimes), median(moving.stepTimes))
    record.add("update_ms", .number(update * 1e3), title: "update ms")
    record.add("update_steps", .number(update / step), title: "update, weight steps")
    record.add("static_step_ms", .number(median(still.stepTimes) * 1e3))
    record.add("\(method.rawValue)_step_ms", .number(step * 1e3))
    record.add("weight_steps", .integer(rounds * interval))
    record.add("updates", .integer(moving.updateTimes.count))
    record.add("rounds", .integer(rounds))
    try report(record)
  }

  /// A training on batches in memory.
  private final class Training {
    private let step: TrainingStep
    private let batches: [Batch]
    private var next = 0
    /// Seconds of each update, with the forward and backward pass it consists of.
    private(set) var updateTimes: [Double] = []
    /// Seconds of each weight step.
    private(set) var stepTimes: [Double] = []

    init(
      _ bench: UpdateBench, method: any TopologyMethod, pool: ThreadPool
    ) throws(RigLError) {
      let count = LayerCase(inputs: bench.width, outputs: bench.width, batch: bench.batch)
        .connections(density: bench.density)
      let model = try Model(
        MLP(hidden: [bench.width]).layers(
          input: SampleShape(channels: bench.width), classes: bench.width),
        input: SampleShape(channels: bench.width), capacity: bench.batch,
        connections: ["fc1": count, "fc2": count])
      model.draw(seed: 1, initializer: Initializer(.glorotUniform))
      var settings = TrainingStep.Settings()
      settings.method = method
      settings.schedule = UpdateSchedule(
        interval: bench.interval, end: nil, initialFraction: bench.fraction, annealing: .constant)
      step = TrainingStep(
        model: model, loss: CrossEntropy(), optimizer: SGD(momentum: 0.9, nesterov: true),
        learningRate: LearningRateSchedule(peak: 0.01), settings: settings, pool: pool, seed: 1)
      batches = (0..<4).map { Batch.random(for: model, number: $0) }
    }

    /// Trains until the weights have moved so many times.
    func train(weightSteps: Int) throws(RigLError) {
      var done = 0
      while done < weightSteps {
        var moved = false
        let time = try seconds { () throws(RigLError) in
          moved = try step.train(on: batches[next % batches.count]).movedWeights
        }
        next += 1
        if moved {
          done += 1
          stepTimes.append(time)
        } else {
          updateTimes.append(time)
        }
      }
    }
  }
}

extension Batch {
  /// A batch of random inputs and labels for a model.
  static func random(for model: Model, number: Int) -> Batch {
    let batch = Batch(for: model)
    batch.inputs.fillAtRandom(seed: 3, number: number)
    let random = CounterRandom(seed: 4, purpose: .synthetic, layer: number)
    batch.labels.count = model.capacity
    for sample in 0..<model.capacity {
      batch.labels[sample] = Int(random.integer(UInt64(sample), below: UInt64(model.outputs)))
    }
    return batch
  }
}
