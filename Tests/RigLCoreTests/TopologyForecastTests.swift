import RigLCore
import Testing

/// What is said of topologies that hardly move.
@Suite struct TopologyForecastTests {
  private func trainer(
    samples: Int = 400, _ change: (inout Configuration) -> Void
  ) throws -> Trainer {
    var configuration = Configuration()
    configuration.hidden = [40]
    configuration.batchSize = 20
    configuration.epochs = 1
    configuration.updateInterval = 5
    change(&configuration)
    let samples = RandomSamples(count: samples, width: 30, classes: 4)
    return try Trainer(configuration, data: TrainingData(train: samples, test: samples))
  }

  /// Topology updates of a whole training that move connections, counted.
  private func movements(_ trainer: Trainer) throws -> Int {
    var moves = 0
    var topology = trainer.model.sparseLayers.map { $0.connectedPositions() }
    while trainer.step.weightSteps < trainer.totalSteps {
      let report = try trainer.trainNextBatch()
      guard report.dropFraction != nil else { continue }
      let now = trainer.model.sparseLayers.map { $0.connectedPositions() }
      if now != topology { moves += 1 }
      topology = now
    }
    return moves
  }

  @Test(
    arguments: [Configuration.Method.rigl, .set],
    [(5, 1, 3), (7, 1, 2), (8, 1, 2), (15, 1, 1), (16, 1, 1), (100, 1, 1), (20, 2, 2)])
  func fewMovementsAreSaid(method: Configuration.Method, run: (Int, Int, Int)) throws {
    // 20 steps an epoch; updates end at step 15 of 20, or 30 of 40, where their fraction is 0.
    let (interval, epochs, expected) = run
    let trainer = try trainer {
      ($0.method, $0.updateInterval, $0.epochs) = (method, interval, epochs)
    }
    let said = trainer.warnings.filter { $0.contains("topology") }
    if expected >= 3 {
      #expect(said.isEmpty, "\(said)")
    } else {
      let words = ["never", "only once", "only twice"][expected]
      let text = try #require(said.first)
      #expect(said.count == 1 && text.contains("will move \(words)"), "\(said)")
      #expect(text.contains("every \(interval) steps"), "\(said)")
      #expect(text.contains("update_interval"), "\(said)")
    }
    let counted = try movements(trainer)
    #expect(counted >= 3 ? expected >= 3 : counted == expected)
  }

  @Test func theReasonIsTheOneThatCounts() throws {
    func said(_ trainer: Trainer) throws -> String {
      #expect(trainer.warnings.count == 1)
      return try #require(trainer.warnings.first)
    }
    let none = try trainer { $0.dropFraction = 0 }
    #expect(try said(none).contains("never"))
    #expect(try said(none).contains("drop_fraction"))
    let small = try trainer { ($0.sparsity, $0.dropFraction) = (0.95, 0.01) }
    #expect(try said(small).contains("drop_fraction of 0.01"))
    let dense = try trainer { $0.sparsity = 0 }
    #expect(try said(dense).contains("no layer is sparse"))
    let late = try trainer { ($0.updateBegin, $0.updateEnd) = (1000, 2000) }
    #expect(try said(late).contains("update_begin"))
    #expect(try movements(none) == 0)
  }

  @Test func whatDoesNotMoveByItsMethodIsNoSurprise() throws {
    for method in [Configuration.Method.static, .dense] {
      let trainer = try trainer { ($0.method, $0.updateInterval) = (method, 1000) }
      #expect(trainer.warnings.map { $0.prefix { $0 != " " } } == ["update_interval:"])
      #expect(!trainer.warnings.joined().contains("topology"))
    }
    #expect(try trainer { $0.epochs = 0 }.warnings.isEmpty)
    // The last update of all moves nothing: its fraction is 0.
    let cosine = try trainer { ($0.updateInterval, $0.updateEnd) = (5, 10) }
    #expect(cosine.warnings.first?.contains("only twice") == true, "\(cosine.warnings)")
    #expect(try movements(cosine) == 2)
  }
}
