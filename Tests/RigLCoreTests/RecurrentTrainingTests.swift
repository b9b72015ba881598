import RigLCore
import Testing

/// Weight steps and topology updates of a network on tokens.
@Suite struct RecurrentTrainingTests {
  /// A training on streams of 0 1 0 2 0 1 0 2 …: what follows a 0 is what the token before it was not, so
  /// that a network without a memory has a loss of ln 2 / 2 = 0.35 at the least.
  struct Training {
    static let (streams, steps, tokens) = (8, 6, [0, 1, 0, 2])
    let model: Model
    let pool: ThreadPool
    let step: TrainingStep
    let batch: Batch

    init(_ method: any TopologyMethod, threads: Int, isLSTM: Bool) throws {
      let embedding = Embedding("e", tokens: 3, features: 6, isTied: true)
      let recurrent: any Layer =
        isLSTM
        ? SparseLSTM("r", inputs: 6, hidden: 24) : SparseGRU("r", inputs: 6, hidden: 24)
      let gates = isLSTM ? 96 : 72
      model = try Model(
        Sequential(
          embedding, recurrent, LayerNorm("n", features: 24),
          SparseLinear("a", inputs: 24, outputs: 6), Tanh(), TiedLinear("out", to: embedding)),
        input: SampleShape(channels: 1), capacity: Self.streams * Self.steps,
        connections: method.counts == .constant
          ? ["r.ih": gates * 3, "r.hh": gates * 6, "a": 72] : [:],
        variable: method.counts == .constant ? [] : ["r.ih", "r.hh", "a"], streams: Self.streams)
      model.draw(seed: 1, initializer: Initializer(.glorotUniform))
      var settings = TrainingStep.Settings()
      settings.method = method
      settings.schedule = UpdateSchedule(interval: 5, end: nil, annealing: .constant)
      settings.clipNorm = 1
      pool = try ThreadPool(threads: threads)
      pool.setPolicy(.always)
      step = TrainingStep(
        model: model, loss: CrossEntropy(), optimizer: Adam(),
        learningRate: LearningRateSchedule(peak: 0.02), settings: settings, pool: pool, seed: 9)
      batch = Batch(for: model)
    }

    /// Trains on a window of the streams.
    func train(window: Int) throws -> TrainingStep.Report {
      let (streams, steps) = (Self.streams, Self.steps)
      func token(_ index: Int) -> Int {
        Self.tokens[(window * steps + index / streams + index % streams) % 4]
      }
      batch.inputs.set((0..<streams * steps).map { Float(token($0)) })
      batch.labels.count = streams * steps
      for index in 0..<streams * steps { batch.labels[index] = token(index + streams) }
      return try step.train(on: batch)
    }

    var numbers: [Float] { model.weightLayers.flatMap { $0.dense($0.weight.values) } }
  }

  static let methods: [any TopologyMethod] = [
    StaticTopology(), RigL(), SET(), SNFS(), GSE(), InvertedRigL(),
    MagnitudePruning(PruningSchedule(to: LayerSparsities(0.7), begin: 10, end: 40)),
  ]

  @Test(arguments: methods, [false, true])
  func everyMethodLearnsWithTheSameBits(method: any TopologyMethod, isLSTM: Bool) throws {
    var results: [[Float]] = []
    for threads in [1, 3] {
      let training = try Training(method, threads: threads, isLSTM: isLSTM)
      let before = training.model.connections
      var (losses, updates) = ([Float](), 0)
      for window in 0..<120 {
        let report = try training.train(window: window)
        losses.append(Float(report.loss))
        updates += report.update == nil ? 0 : 1
      }
      #expect(losses[0] > 0.8 && losses.suffix(10).allSatisfy { $0 < 0.2 }, "\(losses.suffix(10))")
      #expect(method is StaticTopology ? updates == 0 : updates > 5)
      let isPruned = method.counts == .pruned
      #expect(isPruned ? training.model.connections < before : training.model.connections == before)
      results.append(losses + training.numbers)
    }
    #expect(results[0] == results[1])
  }
}
