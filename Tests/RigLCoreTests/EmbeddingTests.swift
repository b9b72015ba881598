import RigLCore
import Testing

/// Tokens in and logits of tokens out, by one table or two.
@Suite struct EmbeddingTests {
  private static let tokens = 7
  private static let features = 5

  /// Who reads an embedding's table: itself, another layer, too, or another one that is not there.
  enum Table: CaseIterable {
    case own, shared, sharedWithNobody
  }

  private static func layers(_ table: Table) -> [any Layer] {
    let embedding = Embedding("e", tokens: tokens, features: features, isTied: table != .own)
    let middle = DenseLinear("a", inputs: features, outputs: features)
    return [embedding, middle, Tanh()]
      + (table == .shared ? [TiedLinear("out", to: embedding)] : [])
  }

  private static func model(_ table: Table, capacity: Int) throws -> Model {
    let model = try Model(
      Sequential(layers(table)), input: SampleShape(channels: 1), capacity: capacity)
    model.draw(seed: 3, initializer: Initializer(.heNormal))
    return model
  }

  /// The gradient of the table is that of both places where it stands, also over several batches.
  @Test(arguments: Table.allCases, [false, true])
  func gradientsAreDifferences(table: Table, accumulates: Bool) throws {
    let samples = 50
    let model = try Self.model(table, capacity: samples)
    let pass = Pass(pool: try ThreadPool(threads: 2), seed: 0)
    pass.isTraining = true
    let input = model.makeInput((0..<samples).map { Float($0 * $0 % Self.tokens) })
    let weights = randomValues(samples * model.outputs, seed: 2)
    func value() throws -> Double {
      zip(try model.forward(input, pass).values(), weights)
        .reduce(0) { $0 + Double($1.0) * Double($1.1) }
    }
    // Without accumulation, what a pass before has left is not added to.
    for round in 0..<2 {
      pass.accumulatesGradients = accumulates && round > 0
      _ = try value()
      try model.backward(model.makeOutputGradient(weights), pass)
    }
    let times: Double = accumulates ? 2 : 1
    for parameter in model.parameters {
      for index in 0..<parameter.count {
        let step: Float = 1.0 / 128
        parameter.values[index] += step
        let above = try value()
        parameter.values[index] -= 2 * step
        let below = try value()
        parameter.values[index] += step
        let slope = times * (above - below) / Double(2 * step)
        let difference = (Double(parameter.gradient[index]) - slope).magnitude
        #expect(difference <= 3e-3 * max(1, slope.magnitude), "\(parameter.name) \(index)")
      }
    }
  }

  /// A shared table is one parameter, and is counted once.
  @Test func aTiedTableIsOneParameter() throws {
    let model = try Self.model(.shared, capacity: 8)
    #expect(
      model.parameters.map(\.name) == ["e.weight", "a.weight", "a.bias", "out.bias"])
    let costs = model.weightLayers.map { Accounting.real.cost(of: $0.accounted) }
    #expect(costs[0].flops == 2 * 35 && costs[0].bytes == 4 * 35)
    let alone = try Self.model(.own, capacity: 8)
    let cost = Accounting.real.cost(of: alone.weightLayers[0].accounted)
    #expect(cost.flops == 0 && cost.bytes == 4 * 35)
  }

  @Test(arguments: [-1, 7, 0.5, .nan, .infinity] as [Float])
  func aTokenThatIsNoneIsNamed(token: Float) throws {
    let model = try Self.model(.shared, capacity: 40)
    let input = model.makeInput((0..<40).map { $0 == 37 ? token : 3 })
    let error = try #require(throws: RigLError.self) {
      try model.forward(input, Pass(pool: ThreadPool(threads: 2), seed: 0))
    }
    #expect(error.kind == .data && error.what.contains("token \(token) of sample 37"))
  }

  @Test func aTiedLayerNeedsItsEmbedding() throws {
    let embedding = Embedding("e", tokens: 7, features: 5, isTied: true)
    let error = try #require(throws: RigLError.self) {
      try makeModel(TiedLinear("out", to: embedding), inputs: 5, capacity: 8)
    }
    #expect(error.what == "layer out: there is no embedding e before it")
  }
}
