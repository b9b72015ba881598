import RigLCore
import Testing

/// Settings of what was given in Swift: they are told of, and not looked at; mistakes in what was
/// given are errors.
@Suite struct ReplacedSettingTests {
  typealias Parts = CustomRuleTests.Parts

  private func options() -> RunOptions {
    RunOptions(threads: 1)
  }

  private func trainer(_ optimizer: any Optimizer) throws -> Trainer {
    try Trainer(
      CustomRunTests.configuration, options: options(), data: CustomRunTests.samples,
      optimizer: optimizer)
  }

  private func void(
    _ parts: Parts = Parts(), network: (any Network)? = nil,
    _ change: (inout Configuration) -> Void
  ) throws -> [String] {
    let warnings = try Trainer(
      CustomRunTests.configuration.changing(change), options: options(), network: network,
      data: CustomRunTests.samples, loss: parts.loss, method: parts.method,
      optimizer: parts.optimizer
    ).warnings
    return warnings.filter { $0.contains("has no effect") }
  }

  @Test func settingsThatOwnPartsMakeVoidAreSaid() throws {
    func keys(_ lines: [String], _ reason: String) -> [String] {
      for line in lines { #expect(line.hasSuffix(reason), "\(line)") }
      return lines.map { String($0.prefix { $0 != ":" }) }
    }
    let data = try void {
      ($0.trainSamples, $0.testSamples, $0.validation) = (50, 7, 10)
      ($0.augmentation, $0.padTo, $0.cropPadding) = (.padCropFlip, 64, 2)
    }
    #expect(
      keys(data, "the samples were given in Swift") == [
        "train_samples", "test_samples", "validation", "augmentation", "crop_padding", "pad_to",
      ])
    let network = try void(network: CustomRunTests.Own()) {
      ($0.widthMultiplier, $0.dropout, $0.hidden) = (3, 0.5, [9])
    }
    #expect(
      keys(network, "the network was given in Swift") == ["hidden", "width_multiplier", "dropout"])
    let loss = try void(Parts(loss: CustomRuleTests.Squares())) { $0.labelSmoothing = 0.3 }
    #expect(keys(loss, "the loss was given in Swift") == ["label_smoothing"])
    let optimizer = try void(Parts(optimizer: CustomRuleTests.Signs())) {
      ($0.momentum, $0.nesterov, $0.weightDecay, $0.beta1) = (0.1, false, 0, 0.5)
    }
    #expect(
      keys(optimizer, "the optimizer was given in Swift") == [
        "momentum", "nesterov", "weight_decay", "beta1",
      ])
    let method = try void(Parts(method: CustomRuleTests.Smallest())) { $0.method = .set }
    #expect(keys(method, "the topology method was given in Swift") == ["method"])
    #expect(
      try void(CustomRuleTests.Parts.own, network: CustomRunTests.Own()) { $0.validation = 0 }
        .isEmpty)
  }

  /// Settings of a network or of data that others replace are not looked at.
  @Test func whatIsReplacedIsNotChecked() throws {
    let warnings = try void(network: CustomRunTests.Own()) {
      ($0.network, $0.dropout) = ("resnet-50", 0.5)
    }
    #expect(warnings.map { String($0.prefix { $0 != ":" }) } == ["dropout"])
    _ = try void(network: CustomRunTests.Own()) { $0.network = "no-such" }
    _ = try void { $0.augmentation = .randomResizedCrop }
    #expect(rigLError { _ = try void { ($0.network, $0.dropout) = ("resnet-50", 0.5) } } != nil)
  }

  // MARK: - Mistakes in them

  @Test func namesThatCannotBeTwiceAreErrors() throws {
    struct Twice: Network {
      func layers(input: SampleShape, classes: Int) -> Sequential {
        Sequential(
          SparseLinear("one", inputs: input.count, outputs: 8),
          SparseLinear("one", inputs: 8, outputs: classes))
      }
    }
    let layers = rigLError {
      _ = try Trainer(
        CustomRunTests.configuration, options: options(), network: Twice(),
        data: CustomRunTests.samples)
    }
    #expect(layers?.kind == .configuration && layers?.what == "two layers are called one")
    struct Slots: Optimizer {
      let slotNames: [String]
      func update(
        _ parameter: Parameter, slots: [Slot], range: Range<Int>, settings: StepSettings
      ) {}
    }
    for names in [["a", "a"], ["values"], [""], ["a.b"]] {
      let slots = rigLError { _ = try trainer(Slots(slotNames: names)) }
      #expect(slots?.kind == .configuration && slots?.what.contains("slot") == true, "\(names)")
    }
    _ = try trainer(Slots(slotNames: ["a", "b"]))
  }
}
