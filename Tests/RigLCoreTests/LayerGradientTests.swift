import RigLCore
import Testing

/// Finite differences against every layer's backward pass, through the public interface alone.
@Suite struct LayerGradientTests {
  /// What a network is made of, and how many connections its sparse layers have.
  struct Case: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var connections: [String: Int] = [:]
    var samples = 5
    var input = SampleShape(channels: 6)
    /// Samples of a step, where they are those of a window of streams.
    var streams: Int?
    var layers: @Sendable () -> [any Layer]

    /// What a bias, or a batch-norm's scale or shift, starts at. One of a plane's weights moves many
    /// pixels, and any that is near ReLU's corner spoils the difference: so there, channels are
    /// active or not as a whole.
    func value(_ parameter: Parameter, _ index: Int) -> Float {
      guard input.height * input.width > 1 else { return 0.3 + Float(index) / 10 }
      guard parameter.name.hasSuffix(".bias") else { return 0.4 + Float(index) / 20 }
      return (index % 3 == 1 ? -1 : 1) * (2 + Float(index) / 10)
    }
  }

  static let cases = [
    Case(testDescription: "dense") { [DenseLinear("a", inputs: 6, outputs: 4)] },
    Case(testDescription: "sparse", connections: ["a": 11]) {
      [SparseLinear("a", inputs: 6, outputs: 4)]
    },
    Case(testDescription: "sparse with every connection") {
      [SparseLinear("a", inputs: 6, outputs: 4)]
    },
    Case(testDescription: "sparse without a bias, three groups", connections: ["a": 9], samples: 70)
    { [SparseLinear("a", inputs: 6, outputs: 4, bias: false)] },
    Case(testDescription: "ReLU by itself") { [ReLU()] },
    Case(testDescription: "dropout by itself") { [Dropout(0.4)] },
    Case(testDescription: "ReLU after dropout by themselves") { [Dropout(0.4), ReLU()] },
    Case(testDescription: "sparse and ReLU", connections: ["a": 11]) {
      [SparseLinear("a", inputs: 6, outputs: 4), ReLU()]
    },
    Case(testDescription: "sparse, ReLU, dropout", connections: ["a": 11], samples: 40) {
      [SparseLinear("a", inputs: 6, outputs: 4), ReLU(), Dropout(0.3)]
    },
    Case(testDescription: "dense, dropout, ReLU") {
      [DenseLinear("a", inputs: 6, outputs: 4), Dropout(0.3), ReLU()]
    },
    Case(testDescription: "a dense layer between sparse ones", connections: ["a": 13, "c": 8]) {
      [
        SparseLinear("a", inputs: 6, outputs: 5), ReLU(), DenseLinear("b", inputs: 5, outputs: 7),
        Dropout(0.2), Dropout(0.1), SparseLinear("c", inputs: 7, outputs: 3),
      ]
    },
    Case(testDescription: "a sequence in a sequence", connections: ["a": 13]) {
      [
        Sequential(SparseLinear("a", inputs: 6, outputs: 5), ReLU()), Dropout(0.2),
        Sequential(ReLU(), DenseLinear("b", inputs: 5, outputs: 3)),
      ]
    },
    Case(testDescription: "an own layer", connections: ["a": 13]) {
      [SparseLinear("a", inputs: 6, outputs: 5), Scale(), ReLU()]
    },
  ]

  @Test(
    arguments: cases + PlaneCases.all + BlockCases.all + OwnLayerCases.all + ActivationCases.all
      + SequenceCases.all)
  func gradientsAreThoseOfTheForwardPass(_ one: Case) throws {
    let probe = Probe()
    let model = try Model(
      Sequential([probe] + one.layers()), input: one.input, capacity: one.samples,
      connections: one.connections, streams: one.streams)
    model.draw(seed: 3, initializer: Initializer(.heNormal))
    for parameter in model.parameters where !parameter.decays {
      for index in 0..<parameter.count {
        parameter.values[index] = one.value(parameter, index)
      }
    }
    let pass = Pass(pool: try ThreadPool(threads: 2), seed: 5)
    pass.isTraining = true
    pass.batchesConsumed = 7  // fixes the dropout masks

    var inputs = randomValues(one.input.count * one.samples, seed: 1)
    let weights = randomValues(model.outputs * one.samples, seed: 2)
    /// A number whose gradient by the logits is known: Σ weights · logits.
    func value() throws -> Double {
      model.setStates()
      let logits = try model.forward(model.makeInput(inputs), pass).values()
      return zip(logits, weights).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    }
    _ = try value()
    try model.backward(model.makeOutputGradient(weights), pass)

    var differences = Differences(value: value)
    for index in stride(from: 0, to: inputs.count, by: 1 + inputs.count / 60) {
      try differences.check(probe.gradient[index], "input \(index)") { inputs[index] += $0 }
    }
    let gradients = model.parameters.map { $0.gradient.array() }
    for (parameter, gradient) in zip(model.parameters, gradients) {
      for index in stride(from: 0, to: parameter.count, by: 1 + parameter.count / 60) {
        try differences.check(gradient[index], "\(parameter.name) \(index)") {
          parameter.values[index] += $0
          model.weightsDidChange()
        }
      }
    }
    #expect(differences.kinks * 10 <= differences.checked, "\(differences.kinks) kinks")
  }

  @Test(arguments: [0, 0.1] as [Float]) func crossEntropyOfALogit(smoothing: Float) throws {
    try check(CrossEntropy(labelSmoothing: smoothing))
    try check(SquaredError())
  }

  private func check(_ loss: some Loss) throws {
    let (samples, classes) = (9, 6)
    func makeTensor() -> Tensor {
      Tensor(shape: SampleShape(channels: classes), capacity: samples, lanes: 16)
    }
    let (logits, gradient) = (makeTensor(), makeTensor())
    logits.set(randomValues(samples * classes, seed: 4))
    let labels = Labels(capacity: samples)
    labels.count = samples
    for sample in 0..<samples { labels[sample] = sample % classes }
    let outcome = BatchPredictions(capacity: samples, classes: classes, lanes: 16)
    let pass = Pass(pool: try ThreadPool(threads: 1), seed: 0)
    func value() throws -> Double {
      try loss.evaluate(logits, labels: labels, gradient: gradient, outcome: outcome, pass: pass)
    }
    _ = try value()
    let analytic = gradient.values()
    var differences = Differences(value: value)
    for index in 0..<analytic.count {
      try differences.check(analytic[index], "\(type(of: loss)), logit \(index)") {
        logits[index / classes, index % classes] += $0
      }
    }
    #expect(differences.kinks == 0)
  }
}

/// Central differences of a value by whatever a closure moves.
private struct Differences {
  let value: () throws -> Double
  private(set) var checked = 0
  /// Places where the value has a corner within the step, as ReLU has.
  private(set) var kinks = 0

  init(value: @escaping () throws -> Double) { self.value = value }

  mutating func check(_ gradient: Float, _ what: String, move: (Float) -> Void) throws {
    // A power of two, so that moving there and back restores values of moderate size exactly
    // enough; rounding of the forward pass is some 1e-6, of the quotient some 1e-4.
    let step: Float = 1.0 / 128
    let middle = try value()
    move(step)
    let above = try value()
    move(-2 * step)
    let below = try value()
    move(step)
    checked += 1
    let (left, right) = ((middle - below) / Double(step), (above - middle) / Double(step))
    let scale = max(1, left.magnitude, right.magnitude)
    if (left - right).magnitude > 0.02 * scale {
      kinks += 1
      return
    }
    let difference = (left + right) / 2
    #expect((Double(gradient) - difference).magnitude <= 2e-3 * scale, "\(what): \(difference)")
  }
}

/// y = a x with a factor for every channel: an own layer in its entirety.
struct Scale: Layer {
  func makeStage(_ site: StageSite) throws(RigLError) -> any Stage { ScaleStage(site) }
}

/// What runs of it.
final class ScaleStage: Stage {
  let parameters: [Parameter]
  private let site: StageSite
  private var factor: Parameter { parameters[0] }

  init(_ site: StageSite) {
    self.site = site
    let width = site.input.shape.count
    let factor = Parameter(name: "scale.factor", shape: [width], count: width, decays: false)
    factor.values.fill(1)
    parameters = [factor]
  }

  func forward(_ pass: Pass) {
    site.output.samples = site.input.samples
    for sample in 0..<site.input.samples {
      for index in 0..<factor.count {
        site.output[sample, index] = factor.values[index] * site.input[sample, index]
      }
    }
  }

  func backward(_ pass: Pass) {
    if !pass.accumulatesGradients { factor.gradient.fill(0) }
    site.inputGradient?.samples = site.input.samples
    site.inputGradient?.zero()
    for sample in 0..<site.input.samples {
      for index in 0..<factor.count {
        let gradient = site.outputGradient[sample, index]
        factor.gradient[index] += gradient * site.input[sample, index]
        site.inputGradient?[sample, index] = gradient * factor.values[index]
      }
    }
  }
}

/// Half the squared distance of the logits from one-hot labels: an own loss in its entirety.
struct SquaredError: Loss {
  func loss(of logits: Span<Float>, label: Int, gradient: inout MutableSpan<Float>) -> Double {
    var sum = 0.0
    for index in logits.indices {
      let error = logits[index] - (index == label ? 1 : 0)
      gradient[index] = error
      sum += Double(error * error) / 2
    }
    return sum
  }
}
