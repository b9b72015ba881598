import RigLCore
import Testing

/// Numbers that are none end a training with an error that names layer and step.
@Suite struct NumericalErrorTests {
  private struct Training {
    let model: Model
    let step: TrainingStep
    let batch: Batch

    init(
      loss: any Loss = CrossEntropy(), method: any TopologyMethod = StaticTopology(),
      clipNorm: Double? = nil
    ) throws {
      model = try makeModel(
        SparseLinear("hidden", inputs: 6, outputs: 5), ReLU(),
        SparseLinear("output", inputs: 5, outputs: 3), inputs: 6, capacity: 4,
        connections: ["hidden": 12])
      model.draw(seed: 1, initializer: Initializer(.heUniform))
      var settings = TrainingStep.Settings()
      settings.method = method
      settings.clipNorm = clipNorm
      settings.schedule = UpdateSchedule(interval: 3, end: nil, annealing: .constant)
      step = TrainingStep(
        model: model, loss: loss, optimizer: SGD(),
        learningRate: LearningRateSchedule(peak: 0.01), settings: settings,
        pool: try ThreadPool(threads: 2), seed: 1)
      batch = Batch(for: model)
      batch.inputs.set(randomValues(24, seed: 2))
      batch.labels.count = 4
    }

    var hidden: SparseWeights { model.sparseLayers[0] }

    /// Trains until an error, and returns it.
    func error() throws -> RigLError {
      do {
        for _ in 0..<5 { _ = try step.train(on: batch) }
      } catch {
        #expect(error.kind == .numerical)
        return error
      }
      throw RigLError(.data, "no error in five batches")
    }
  }

  /// A loss that is infinite for some samples.
  private struct Broken: Loss {
    func loss(of logits: Span<Float>, label: Int, gradient: inout MutableSpan<Float>) -> Double {
      for index in gradient.indices { gradient[index] = 0 }
      return .infinity
    }
  }

  /// Before the first weight step the learning rate has no part in it.
  @Test func aLossThatIsInfinite() throws {
    let error = try Training(loss: Broken()).error()
    #expect(error.what.hasPrefix("step 0: loss is inf; all weights are finite"))
    #expect(error.hint?.contains("No weight has moved yet") == true)
  }

  @Test(arguments: [("hidden.weight", 0), ("hidden.bias", 1), ("output.weight", 2)])
  func aWeightThatIsNone(name: String, parameter: Int) throws {
    let training = try Training()
    _ = try training.step.train(on: training.batch)
    training.model.parameters[parameter].values.fill(.nan)
    training.model.weightsDidChange()
    let error = try training.error()
    #expect(error.what == "step 1: loss is nan; the values of \(name) are not finite")
    #expect(error.hint?.contains("Lower the learning rate (0.01 at this step)") == true)
  }

  /// ReLU does not hide a NaN; and it is the input's, not the training's.
  @Test(arguments: [Float.nan, .infinity, -.infinity])
  func anInputThatIsNone(value: Float) throws {
    let training = try Training()
    for place in 1..<6 { training.batch.inputs[2, place] = value }
    let error = try #require(throws: RigLError.self) {
      _ = try training.step.train(on: training.batch)
    }
    #expect(error.kind == .data)
    #expect(
      error.what
        == "step 0: the input is not finite: value 1 of sample 2 of the batch is \(value)")
  }

  @Test func aGradientThatIsClipped() throws {
    let gradient = [Float](repeating: .nan, count: 12)
    let training = try Training(loss: GivenGradient(gradient: gradient), clipNorm: 1)
    let before = training.hidden.parameter.values.array()
    let error = try training.error()
    #expect(
      error.what
        == "step 0: the gradients' norm is nan; the gradient of hidden.weight is not finite")
    #expect(training.hidden.parameter.values.array() == before, "nothing has moved")
  }

  @Test func aGradientThatIsScored() throws {
    let gradient = [Float](repeating: .nan, count: 12)
    let training = try Training(loss: GivenGradient(gradient: gradient), method: RigL())
    let before = (training.hidden.connectedPositions(), training.hidden.parameter.values.array())
    let error = try training.error()
    #expect(error.what == "layer hidden, step 0: a gradient is not a number")
    #expect(training.hidden.connectedPositions() == before.0)
    #expect(training.hidden.parameter.values.array() == before.1)
  }

  @Test func aWeightThatIsScored() throws {
    let zeros = [Float](repeating: 0, count: 12)
    let training = try Training(loss: GivenGradient(gradient: zeros), method: SET())
    training.hidden.parameter.values[3] = .nan
    training.model.weightsDidChange()
    #expect(try training.error().what == "layer hidden, step 1: a weight is not a number")
  }

  @Test func aLabelOutOfRange() throws {
    for loss in [CrossEntropy(), SquaredError()] as [any Loss] {
      let training = try Training(loss: loss)
      training.batch.labels[2] = 3
      do {
        _ = try training.step.train(on: training.batch)
        Issue.record("no error")
      } catch {
        #expect(error.kind == .data && error.what == "label 3: the network has 3 outputs")
      }
    }
  }
}
