import Foundation
import RigLCore
import Testing

/// Runs whose loss, topology method or optimizer were given in Swift: their files say so, and the
/// configuration's do not go on in their place.
@Suite struct CustomRuleTests {
  /// An own loss: squares of the distance from the label's unit vector.
  struct Squares: Loss {
    var scale = 1.0

    func loss(of logits: Span<Float>, label: Int, gradient: inout MutableSpan<Float>) -> Double {
      var sum = 0.0
      for index in logits.indices {
        let distance = logits[index] - (index == label ? 1 : 0)
        gradient[index] = 2 * distance * Float(scale)
        sum += scale * Double(distance * distance)
      }
      return sum
    }
  }

  /// The same under another name.
  struct Renamed: Loss {
    func loss(of logits: Span<Float>, label: Int, gradient: inout MutableSpan<Float>) -> Double {
      Squares().loss(of: logits, label: label, gradient: &gradient)
    }
  }

  struct Smallest: TopologyMethod {
    let timing = TopologyTiming.afterWeightStep

    func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
      try layer.dropSmallestMagnitudes(count)
      try layer.growAtRandom(count)
    }
  }

  /// An own optimizer with a slot of SGD's name.
  struct Signs: Optimizer {
    let slotNames = ["velocity"]

    func update(
      _ parameter: Parameter, slots: [Slot], range: Range<Int>, settings: StepSettings
    ) {
      for index in range {
        let gradient = parameter.gradient[index]
        slots[0].buffer[index] = 0.9 * slots[0].buffer[index] + 0.1 * gradient
        parameter.values[index] -= Float(settings.learningRate) * slots[0].buffer[index]
      }
    }
  }

  /// What a training is given.
  struct Parts {
    var loss: (any Loss)?
    var method: (any TopologyMethod)?
    var optimizer: (any Optimizer)?

    static let own = Parts(loss: Squares(), method: Smallest(), optimizer: Signs())
  }

  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  private func options(_ run: String? = nil) -> RunOptions {
    RunOptions(threads: 1, output: run.map { folder($0) })
  }

  private func trainer(
    _ parts: Parts = .own, in run: String? = nil, data: TrainingData = CustomRunTests.samples,
    _ change: (inout Configuration) -> Void = { _ in }
  ) throws -> Trainer {
    try Trainer(
      CustomRunTests.configuration.changing(change), options: options(run), data: data,
      loss: parts.loss, method: parts.method, optimizer: parts.optimizer)
  }

  @discardableResult
  private func train(
    _ run: String, _ parts: Parts = .own, to step: Int = .max,
    _ change: (inout Configuration) -> Void = { _ in }
  ) throws -> Trainer.Result {
    let trainer = try trainer(parts, in: run, change)
    trainer.callbacks = [Watcher(stopAt: step)]
    return try trainer.run()
  }

  // MARK: - What is written

  @Test func aRunSaysWhichRulesWereGivenInSwift() throws {
    try train("run", to: 5)
    let text = try folder.configuration(of: "run")
    #expect(text.contains("custom_parts: {"), "\(text)")
    for part in ["loss: \"Squares(scale: 1.0)\"", "method: Smallest", "optimizer: Signs"] {
      #expect(text.contains(part), "\(part): \(text)")
    }
    #expect(try folder.checkpoint(of: "run").metadata["configuration"]?.contains("Squares") == true)
    // The file reads as a run's own, and alone trains with nothing else in their place.
    var layers = try SettingsStack()
    try layers.apply(file: folder("run/config.yaml"))
    let configuration = try layers.configuration()
    let needed = rigLError { _ = try Trainer(configuration, data: CustomRunTests.samples) }
    #expect(needed?.kind == .configuration)
    #expect(needed?.what.contains("loss (Squares") == true, "\(needed as Any)")
    #expect(rigLError { try layers.set("custom_parts", to: "{}") }?.what.contains("no key") == true)
  }

  /// What the configuration names stays unnamed, whoever made it, with the same bits.
  @Test func whatTheConfigurationSaysIsNotCustom() throws {
    try train("named", Parts(), to: 8)
    let same = Parts(
      loss: CrossEntropy(), method: RigL(),
      optimizer: SGD(momentum: 0.9, nesterov: true, weightDecay: 1e-4))
    try train("given", same, to: 8)
    #expect(try folder.configuration(of: "given") == folder.configuration(of: "named"))
    #expect(try !folder.configuration(of: "named").contains("custom_parts"))
    #expect(
      try fileBytes(folder.checkpoint(of: "given").path)
        == fileBytes(folder.checkpoint(of: "named").path))
    let others = [
      Parts(loss: CrossEntropy(labelSmoothing: 0.1)), Parts(method: SET()),
      Parts(optimizer: SGD(momentum: 0.5)), Parts(optimizer: Adam()),
    ]
    for (number, parts) in others.enumerated() {
      try train("other-\(number)", parts, to: 2)
      #expect(try folder.configuration(of: "other-\(number)").contains("custom_parts: {"))
    }
  }

  // MARK: - Going on

  @Test func theSameRulesGoOnWithTheSameBits() throws {
    try train("whole")
    try train("broken", to: 13)
    let trainer = try trainer()
    let watcher = Watcher()
    trainer.callbacks = [watcher]
    _ = try trainer.resume(folder("broken"))
    #expect(watcher.warnings.isEmpty, "\(watcher.warnings)")
    #expect(
      try fileBytes(folder.checkpoint(of: "broken").path)
        == fileBytes(folder.checkpoint(of: "whole").path))
  }

  @Test func theConfigurationsDoNotGoOnInTheirPlace() throws {
    try train("run", to: 13)
    let bytes = try fileBytes(folder.checkpoint(of: "run").path)
    let config = try folder.configuration(of: "run")
    let given: [(Parts, String)] = [
      (Parts(), "loss (Squares(scale: 1.0)), its topology method (Smallest) and its optimizer"),
      (Parts(method: Smallest(), optimizer: Signs()), "its loss (Squares"),
      (Parts(loss: Squares(), optimizer: Signs()), "its topology method (Smallest)"),
      (Parts(loss: Squares(), method: Smallest()), "its optimizer (Signs)"),
      (
        Parts(loss: CrossEntropy(), method: Smallest(), optimizer: Signs()), "its loss (Squares"
      ),
    ]
    for (parts, words) in given {
      let refused = rigLError { _ = try trainer(parts).resume(folder("run")) }
      #expect(refused?.kind == .configuration, "\(refused as Any)")
      #expect(refused?.what.contains(words) == true, "\(words): \(refused as Any)")
      let longer = rigLError {
        _ = try Trainer(
          extending: folder("run"), by: 1, options: options(), data: CustomRunTests.samples,
          loss: parts.loss, method: parts.method, optimizer: parts.optimizer
        ).run()
      }
      #expect(longer?.what.contains(words) == true, "\(words): \(longer as Any)")
    }
    #expect(try fileBytes(folder.checkpoint(of: "run").path) == bytes)
    #expect(try folder.configuration(of: "run") == config)
    let longer = try Trainer(
      extending: folder("run"), by: 1, options: options(), data: CustomRunTests.samples,
      loss: Squares(), method: Smallest(), optimizer: Signs())
    #expect(try longer.run().steps == 40)
    #expect(try folder.configuration(of: "run").contains("custom_parts: {"))
  }

  @Test func aRunWithoutACheckpointKnowsItsRules() throws {
    try train("run", to: 5)
    try FileManager.default.removeItem(atPath: folder.checkpoint(of: "run").path)
    let refused = rigLError { _ = try trainer(Parts()).resume(folder("run")) }
    #expect(refused?.what.contains("its loss (Squares") == true, "\(refused as Any)")
    #expect(try trainer().resume(folder("run")).steps == 30)
  }

  /// A type may be renamed, or a number of its changed on purpose: that is said.
  @Test func anotherNameOrNumberIsSaid() throws {
    let others: [any Loss] = [Renamed(), Squares(scale: 2)]
    for (number, loss) in others.enumerated() {
      try train("run-\(number)", to: 13)
      var parts = Parts.own
      parts.loss = loss
      let trainer = try trainer(parts)
      let watcher = Watcher()
      trainer.callbacks = [watcher]
      _ = try trainer.resume(folder("run-\(number)"))
      #expect(watcher.warnings.count == 1, "\(watcher.warnings)")
      #expect(
        watcher.warnings.first?.contains("loss Squares(scale: 1.0)") == true, "\(watcher.warnings)")
    }
  }

  /// Runs of versions that did not say it: their own rules go on, and then it is said.
  @Test func anEarlierVersionsRunGoesOn() throws {
    try train("whole")
    try train("run", to: 13)
    func older(_ text: String) -> String {
      text.split(separator: "\n", omittingEmptySubsequences: false)
        .filter { !$0.hasPrefix("custom_parts") }.joined(separator: "\n")
    }
    try writeFile(older(try folder.configuration(of: "run")), to: folder("run/config.yaml"))
    try changeMetadata(of: folder.checkpoint(of: "run")) {
      $0["configuration"] = older($0["configuration"] ?? "")
    }
    let trainer = try trainer()
    let watcher = Watcher()
    trainer.callbacks = [watcher]
    _ = try trainer.resume(folder("run"))
    #expect(watcher.warnings.contains { $0.contains("Smallest") }, "\(watcher.warnings)")
    #expect(
      try fileBytes(folder.checkpoint(of: "run").path)
        == fileBytes(folder.checkpoint(of: "whole").path))
    #expect(try folder.configuration(of: "run").contains("custom_parts: {"))
    #expect(rigLError { _ = try self.trainer(Parts()).resume(folder("run")) } != nil)
  }

  @Test func aStartSaysWhatIsNotGiven() throws {
    try train("run")
    func start(_ run: String, _ parts: Parts) throws -> Watcher {
      let trainer = try Trainer(
        startingFrom: folder("run"), options: options(run), data: CustomRunTests.samples,
        loss: parts.loss, method: parts.method, optimizer: parts.optimizer
      ) { $0.epochs = 1 }
      let watcher = Watcher()
      trainer.callbacks = [watcher]
      _ = try trainer.run()
      return watcher
    }
    let silent = try start("same", .own)
    #expect(!silent.warnings.contains { $0.contains("given in Swift") }, "\(silent.warnings)")
    #expect(silent.remarks.first?.contains("Smallest goes on moving them") == true)
    let said = try start("other", Parts()).warnings.filter { $0.contains("given in Swift") }
    #expect(said.count == 1 && said[0].contains("loss (Squares"), "\(said)")
    #expect(said.first?.contains("optimizer (Signs)") == true)
  }

  // MARK: - Evaluating

  @Test func aRunOfAnOwnLossIsEvaluatedByIt() throws {
    let result = try train("run")
    let (run, best) = (try SavedRun(folder("run")), try SavedRun(folder("run"), best: true))
    let test = CustomRunTests.samples.test
    for run in [run, best] {
      let needed = rigLError { _ = try run.evaluate(test) }
      #expect(needed?.kind == .configuration)
      #expect(needed?.what.contains("loss (Squares(scale: 1.0)) was given in Swift") == true)
      #expect(needed?.hint?.contains("loss: …") == true)
    }
    #expect(try run.evaluate(test, loss: Squares()) == result.test)
    #expect(try best.evaluate(test, loss: Squares()) == result.bestTest)
    // What the network says needs no loss.
    #expect(try run.predict([[Float](repeating: 0.1, count: 12)]).count == 1)
    // Of a run without one, another may be asked for.
    let named = try train("named", Parts())
    let saved = try SavedRun(folder("named"))
    #expect(try saved.evaluate(test) == named.test)
    #expect(try saved.evaluate(test, loss: Squares()).loss != named.test?.loss)
    #expect(try saved.evaluate(test, loss: Squares()).accuracy == named.test?.accuracy)
  }

  /// An export is of the network, which needs none of the rules that it was trained by.
  @Test func anExportSaysNothingOfThem() throws {
    try train("run")
    let file = folder("net.safetensors")
    try SavedRun(folder("run")).export(to: file, isDense: false)
    let exported = try #require(try NetworkImport.configuration(of: file))
    let folder = try NetworkImport(file, exported).write(options("again"))
    #expect(try !folder.configuration().contains("custom_parts"))
    #expect(try SavedRun(folder.path).evaluate(CustomRunTests.samples.test).samples == 60)
  }
}
