import RigLCore
import Testing

/// A training whose numbers are no longer finite ends with its cause: a sample that was not to begin
/// with, or the learning rate, and then with one that does better.
@Suite struct DivergenceTests {
  /// Samples whose first value says the class, of a size of one's own; some values are given.
  private struct Own: Dataset {
    var count = 40
    var sampleShape = SampleShape(channels: 6)
    var scale: Float = 1
    var values: [Int: [Int: Float]] = [:]
    let classes = 2

    func label(of sample: Int) -> Int { sample % 2 }
    func write(_ sample: Int, into span: inout MutableSpan<Float>) {
      for index in span.indices {
        let sign: Float = (sample >> index) % 2 == 0 ? 1 : -1
        span[index] = values[sample]?[index] ?? scale * sign
      }
    }
  }

  /// Nothing in it dies or saturates.
  private struct Linear: Network {
    func layers(input: SampleShape, classes: Int) -> Sequential {
      Sequential(SparseLinear("output", inputs: input.count, outputs: classes))
    }
  }

  private static func trainer(
    _ data: TrainingData, _ folder: TemporaryFolder, network: (any Network)? = Linear(),
    loss: (any Loss)? = nil, _ change: (inout Configuration) -> Void = { _ in }
  ) throws -> Trainer {
    var configuration = Configuration()
    configuration.sparsity = 0.1
    configuration.batchSize = 10
    configuration.epochs = 100
    configuration.method = .static
    change(&configuration)
    let options = RunOptions(threads: 2, output: folder("run"))
    return try Trainer(configuration, options: options, network: network, data: data, loss: loss)
  }

  private func error(of trainer: Trainer) throws -> RigLError {
    try #require(throws: RigLError.self) { _ = try trainer.run() }
  }

  // MARK: - Samples

  @Test(arguments: [Float.nan, .infinity, -.infinity])
  func aValueOfATrainingSample(value: Float) throws {
    let folder = try TemporaryFolder()
    let data = TrainingData(train: Own(values: [17: [3: value]]), test: Own())
    for network in [Linear(), nil] as [(any Network)?] {
      let folder = try TemporaryFolder()
      let error = try error(of: Self.trainer(data, folder, network: network))
      #expect(error.kind == .data)
      #expect(
        error.what.hasSuffix("the input is not finite: value 3 of training sample 17 is \(value)"),
        "\(error)")
    }
    let trainer = try Self.trainer(data, folder)
    let error = try #require(throws: RigLError.self) { _ = try trainer.estimate() }
    #expect(error.what.contains("value 3 of training sample 17 is \(value)"))
  }

  @Test func aPixelOfATrainingSample() throws {
    let folder = try TemporaryFolder()
    let shape = SampleShape(channels: 3, height: 2, width: 4)
    let data = TrainingData(
      train: try Subset(Own(sampleShape: shape, values: [21: [14: .nan]]), 20..<40),
      test: Own(sampleShape: shape))
    let error = try error(of: Self.trainer(data, folder))
    #expect(
      error.what.hasSuffix("value 14 (channel 1, row 1, column 2) of training sample 1 is nan"))
  }

  @Test func aValueThatIsEvaluatedOn() throws {
    let folder = try TemporaryFolder()
    let broken = Own(values: [5: [0: .nan]])
    let data = TrainingData(train: Own(), validation: broken, test: Own())
    let error = try error(of: Self.trainer(data, folder))
    #expect(error.kind == .data && error.what.hasPrefix("step 4: the input is not finite"))
    #expect(error.what.hasSuffix("value 0 of validation sample 5 is nan"), "\(error)")
  }

  @Test func aValueThatIsPredictedOn() throws {
    let folder = try TemporaryFolder()
    _ = try Self.trainer(TrainingData(train: Own(), test: Own()), folder) { $0.epochs = 1 }.run()
    let run = try SavedRun(folder("run"), network: Linear(), threads: 1)
    let error = try #require(throws: RigLError.self) {
      _ = try run.predict([[0, 0, 0, 0, 0, 0], [0, 0, .nan, 0, 0, 0]])
    }
    #expect(error.kind == .data && error.what.hasSuffix("value 2 of sample 1 is nan"))
  }

  // MARK: - The learning rate

  /// Summed squares diverge at any rate above a bound, and without end.
  private static func diverging(
    _ folder: TemporaryFolder, _ change: (inout Configuration) -> Void = { _ in }
  ) throws -> Trainer {
    let data = Own(scale: 10)
    return try Self.trainer(
      TrainingData(train: data, test: data), folder, loss: SquaredError(), change)
  }

  /// What the hint names has been tried, and does; also where the first tenth does not.
  @Test func aRateThatDoesBetterIsNamed() throws {
    let folder = try TemporaryFolder()
    let error = try error(of: Self.diverging(folder))
    #expect(error.kind == .numerical)
    let hint = try #require(error.hint)
    #expect(hint.contains("learning_rate 0.1, the default of sgd, is too high"), "\(hint)")
    #expect(hint.contains("There is no checkpoint yet") || hint.contains("checkpoint is kept"))
    let words = try #require(hint.split(separator: "--set learning_rate=").last)
    let named = words.prefix { "0123456789.e-".contains($0) }
    let rate = try #require(Double(named.last == "." ? named.dropLast() : named))
    #expect(rate < 0.05)
    let other = try TemporaryFolder()
    let result = try Self.diverging(other) { $0.learningRate = rate }.run()
    #expect(result.test?.loss.isFinite == true)
  }

  @Test func aRateOfOnesOwnIsNoDefault() throws {
    let folder = try TemporaryFolder()
    let hint = try #require(
      error(
        of: Self.diverging(folder) {
          $0.learningRate = 0.7
          $0.minLearningRate = 0.5
        }
      ).hint)
    #expect(hint.contains("learning_rate 0.7 is too high"), "\(hint)")
  }

  /// A loss whose gradient is too large for any rate.
  private struct Broken: Loss {
    func loss(of logits: Span<Float>, label: Int, gradient: inout MutableSpan<Float>) -> Double {
      for index in gradient.indices { gradient[index] = -.greatestFiniteMagnitude }
      return 0
    }
  }

  @Test func whereNoRateDoesNoneIsNamed() throws {
    let folder = try TemporaryFolder()
    let data = TrainingData(train: Own(), test: Own())
    let error = try error(of: Self.trainer(data, folder, loss: Broken()))
    #expect(error.kind == .numerical)
    #expect(
      error.hint?.contains("A lower learning rate does not help (tried: 0.01, 0.001, 0.0001)")
        == true, "\(error)")
  }

  /// Drawn anew, weights that came from elsewhere would not be those that were tried.
  @Test func ofWeightsThatWereReadNoRateIsTried() throws {
    let folder = try TemporaryFolder()
    let first = try Self.diverging(folder)
    first.callbacks = [Watcher(stopAt: 0, by: .interrupt)]
    _ = try first.run()
    let error = try #require(throws: RigLError.self) {
      _ = try Self.diverging(folder).resume(folder("run"))
    }
    let hint = try #require(error.hint)
    #expect(error.kind == .numerical && !hint.contains("tried"), "\(hint)")
    #expect(hint.contains("learning_rate 0.1, the default of sgd, may be too high"), "\(hint)")
  }
}
