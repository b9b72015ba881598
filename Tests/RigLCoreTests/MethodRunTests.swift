import RigLCore
import Testing

/// Every method by its name in the settings.
@Suite struct MethodRunTests {
  static let configuration = ResumeTests.configuration.changing {
    ($0.testSamples, $0.validation) = (50, 50)
    $0.hidden = [32, 24]
    $0.epochs = 2
    $0.updateInterval = 4
    $0.clipNorm = 1
  }

  /// Variants of a method that take other ways.
  private func variants(_ method: Configuration.Method) -> [Configuration] {
    let usual = Self.configuration.changing { $0.method = method }
    switch method {
    case .snfs:
      return [
        usual,
        usual.changing {
          ($0.redistribution, $0.accumulation, $0.optimizer) = (true, 2, .adam)
          $0.learningRate = 0.003
        },
      ]
    case .granet, .pruning:
      return [
        usual,
        usual.changing {
          ($0.initialSparsity, $0.topologyScope) = (0.5, method.scope == .layer ? .global : .layer)
        },
      ]
    case .snip:
      return [usual, usual.changing { ($0.topologyScope, $0.accumulation) = (.global, 2) }]
    default: return [usual]
    }
  }

  @Test(arguments: Configuration.Method.allCases)
  func sameBitsForAnyThreadsAndAcrossStops(method: Configuration.Method) throws {
    for (number, configuration) in variants(method).enumerated() {
      let folder = try TemporaryFolder()
      let whole = try expectSameBits(configuration, in: folder, "\(method) \(number)") {
        [1, 4, $0 / 2]
      }
      // It evaluates as any other run, with the connections that it was to end with.
      let saved = try SavedRun(folder("whole"))
      #expect(saved.model.connections == whole.model.connections)
      let sparse = whole.allocation.layers.filter { $0.connections < $0.positions }
      let kept = whole.model.sparseLayers.reduce(0) { $0 + $1.count }
      let expected = sparse.reduce(0) { $0 + $1.connections }
      #expect(abs(kept - expected) <= sparse.count, "\(method) \(number): \(kept), \(expected)")
    }
  }

  struct AgeCase: CustomTestStringConvertible {
    var method: Configuration.Method
    var optimizer: Configuration.OptimizerKind
    var correction = Adam.Correction.connection
    var testDescription: String { "\(method), \(optimizer), \(correction)" }
  }

  static let ageCases =
    [Configuration.Method.rigl, .set, .pruning, .granet].flatMap { method in
      [
        AgeCase(method: method, optimizer: .sgd), AgeCase(method: method, optimizer: .adam),
        AgeCase(method: method, optimizer: .adamw, correction: .global),
      ]
    }

  /// Ages, too, are as if the training had not stopped, and no matter of threads.
  @Test(arguments: ageCases) func agesAreTheSameAcrossStops(one: AgeCase) throws {
    let configuration = Self.configuration.changing {
      ($0.method, $0.optimizer, $0.adamCorrection) = (one.method, one.optimizer, one.correction)
      ($0.learningRate, $0.updateInterval) = (0.003, 2)
      $0.trackAges = one.optimizer == .sgd
    }
    let folder = try TemporaryFolder()
    let whole = try expectSameBits(configuration, in: folder, one.testDescription) {
      [1, 5, $0 / 2, $0 - 1]
    }
    let path = checkpointPath(folder("whole"), whole.totalSteps)
    let births = try SafetensorsFile(path: path).tensors.filter { $0.name.hasSuffix(".birth") }
    #expect(births.isEmpty == (one.method == .pruning || one.correction == .global))
  }

  /// Connections at every update are those of the schedule.
  @Test(arguments: [0.0, 0.5]) func pruningFollowsItsSchedule(initial: Double) throws {
    let configuration = Self.configuration.changing {
      $0.method = .pruning
      $0.initialSparsity = initial
      ($0.distribution, $0.firstLayerSparse) = (.uniform, true)
      ($0.epochs, $0.pruneBegin, $0.pruneEnd) = (3, 5, 42)
    }
    let trainer = try Trainer(configuration)
    let layers = trainer.model.sparseLayers
    let first = layers.map(\.count)
    var steps: [Int] = []
    while trainer.step.weightSteps < trainer.totalSteps {
      guard let update = try trainer.trainNextBatch().update else { continue }
      steps.append(update.step)
      let left = 1 - Double(update.step - 5) / 37
      for (layer, first) in zip(layers, first) {
        let (start, end) = (initial, trainer.allocation[layer.name]?.sparsity ?? 0)
        let sparsity = end + (start - end) * left * left * left
        let expected = Int((Double(layer.positions) * (1 - sparsity) + 0.5).rounded(.down))
        #expect(layer.count == min(expected, first), "step \(update.step), layer \(layer.name)")
      }
    }
    #expect(steps == Array(stride(from: 5, to: 42, by: 4)) + [42])
  }

  /// SNIP keeps exactly the largest |g · w| of the dense network on the first batch.
  @Test(arguments: TopologyScope.allCases) func snipKeepsTheLargestScores(
    scope: TopologyScope
  ) throws {
    let configuration = Self.configuration.changing {
      ($0.method, $0.topologyScope) = (.snip, scope)
    }
    let dense = try Trainer(configuration.changing { $0.method = .pruning })
    // One step of the dense network shows its gradients: they stay until the next one.
    let weights = dense.model.sparseLayers.map { layer in
      layer.inPositionOrder(layer.parameter.values).array()
    }
    _ = try dense.trainNextBatch()
    let scores = zip(dense.model.sparseLayers, weights).map { layer, weights in
      zip(weights, layer.inPositionOrder(layer.parameter.gradient).array()).map {
        ($0 * $1).magnitude
      }
    }
    let trainer = try Trainer(configuration)
    let report = try trainer.trainNextBatch()
    #expect(report.update != nil && trainer.step.weightSteps == 0)
    var pool: [(score: Float, layer: Int, position: Int)] = []
    for (layer, scores) in scores.enumerated() {
      pool += scores.enumerated().map { ($0.element, layer, $0.offset) }
    }
    let counts = trainer.model.sparseLayers.map {
      trainer.allocation[$0.name]?.connections ?? 0
    }
    func largest(_ entries: [(score: Float, layer: Int, position: Int)], _ count: Int)
      -> [(score: Float, layer: Int, position: Int)]
    {
      Array(
        entries.sorted {
          $0.score != $1.score
            ? $0.score > $1.score : ($0.layer, $0.position) < ($1.layer, $1.position)
        }.prefix(count))
    }
    let kept =
      scope == .global
      ? largest(pool, counts.reduce(0, +))
      : counts.indices.flatMap { layer in largest(pool.filter { $0.layer == layer }, counts[layer])
      }
    for (index, layer) in trainer.model.sparseLayers.enumerated() {
      #expect(
        layer.connectedPositions() == kept.filter { $0.layer == index }.map(\.position).sorted(),
        "\(layer.name)")
    }
  }

  @Test func whatAMethodCannotDoIsSaid() throws {
    func problem(_ change: (inout Configuration) -> Void) throws -> String {
      let error = try #require(throws: RigLError.self) {
        _ = try Trainer(Self.configuration.changing(change))
      }
      #expect(error.kind == .configuration)
      return error.what
    }
    let late = try problem { ($0.method, $0.pruneEnd) = (.pruning, 100_000) }
    #expect(late.contains("prune_end") && late.contains("100000"))
    let reversed = try problem { ($0.method, $0.pruneBegin, $0.pruneEnd) = (.pruning, 9, 3) }
    #expect(reversed.contains("prune_end"))
    let none = try problem {
      ($0.method, $0.pruneEnd, $0.updateEnd) = (.granet, 30, 20)
    }
    #expect(none.contains("30") && none.contains("20"))
    let sparser = try problem { ($0.method, $0.initialSparsity) = (.granet, 0.9) }
    #expect(sparser.contains("initial_sparsity"))
    let blind = try problem { ($0.method, $0.newWeights) = (.snfs, .gradient) }
    #expect(blind.contains("new_weights"))
  }

  /// A layer may lose all its connections; that is said, and a minimum guards it.
  @Test func emptyLayersAreNamed() throws {
    let folder = try TemporaryFolder()
    let configuration = Self.configuration.changing {
      ($0.method, $0.topologyScope, $0.sparsity) = (.pruning, .global, 0.9995)
      ($0.hidden, $0.initializer) = ([300, 40], .heNormal)
    }
    let (trainer, warnings) = try trainRun(configuration, folder("none"))
    let empty = trainer.model.sparseLayers.filter { $0.count == 0 }.map(\.name)
    try #require(!empty.isEmpty)
    for name in empty {
      #expect(warnings.filter { $0.contains("layer \(name) has lost all") }.count == 1)
    }
    #expect(try SavedRun(folder("none")).model.connections == trainer.model.connections)
    let guarded = try trainRun(configuration.changing { $0.layerMinimum = 7 }, folder("some"))
      .trainer
    #expect(guarded.model.sparseLayers.allSatisfy { $0.count >= 7 })
    #expect(
      abs(guarded.model.connections - trainer.model.connections) <= 1, "the sum stays the same")
  }
}
