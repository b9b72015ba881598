import RigLCore

/// Random numbers of a seed: SplitMix64.
struct Random: RandomNumberGenerator {
  private var state: UInt64

  init(seed: Int) { state = UInt64(truncatingIfNeeded: seed) &* 0x9E37_79B9_7F4A_7C15 }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  mutating func chance(_ share: Double) -> Bool { Double.random(in: 0..<1, using: &self) < share }

  mutating func one<Element>(of elements: [Element]) -> Element {
    elements[Int.random(in: 0..<elements.count, using: &self)]
  }
}

/// A file of settings as a number says: of some keys, with values that people give, values at the
/// borders of what is allowed, and absurd ones.
struct RandomSettings {
  let yaml: String

  /// Keys without a generator: there must be none.
  static var missingKeys: [String] {
    (Configuration.Key.allCases.map(\.rawValue) + RunOptions.keys).filter {
      generators[$0] == nil
    }
  }

  init(number: Int) {
    var random = Random(seed: number)
    var lines: [String] = []
    if random.chance(0.2) { lines.append("preset: \(random.one(of: Preset.all.map(\.name)))") }
    let isAbsurd = random.chance(0.25)
    var keys = Self.generators.keys.sorted()
    keys.shuffle(using: &random)
    for key in keys.prefix(Int.random(in: 1...16, using: &random)) {
      guard let generate = Self.generators[key] else { continue }
      let value =
        isAbsurd && random.chance(0.2) ? random.one(of: Self.absurd) : generate(&random)
      lines.append("\(key): \(value)")
    }
    yaml = lines.joined(separator: "\n") + "\n"
  }

  // MARK: - Values

  private typealias Generator = @Sendable (inout Random) -> String

  /// What may stand where a value belongs.
  private static let absurd = [
    "010", "1:30", "1_000", "0x10", "0b1", "0o17", "+5", "-1", "0", "1e3", "1e308", "-1e308",
    "1e-320", "1e999", ".5", "5.", ".inf", "-.inf", ".nan", "~", "null", "''", "yes", "no", "true",
    "[]", "[1]", "[a, b]", "[[1]]", "[~]", "{}", "{a: 1}", "{a: [1]}", "2020-01-01", "é",
    "9223372036854775807", "9223372036854775808", "18446744073709551615", "-9223372036854775808",
    "1.0", "abc", "&a 1", "*a", "!!int 3", "|\n  text", "\"\\0\"",
    String(repeating: "long ", count: 60), "[\(String(repeating: "1, ", count: 5000))1]",
  ]

  private static func words(_ words: [String]) -> Generator { { $0.one(of: words) } }

  private static func words<Words: CaseIterable & RawRepresentable>(
    _ type: Words.Type
  ) -> Generator where Words.RawValue == String {
    words(type.allCases.map(\.rawValue))
  }

  private static let truth = words(["true", "false"])

  /// A number of a range, or one of the rarer values.
  private static func whole(_ range: ClosedRange<Int>, _ others: [Int]) -> Generator {
    { random in
      random.chance(0.85)
        ? "\(Int.random(in: range, using: &random))" : "\(random.one(of: others))"
    }
  }

  private static func number(_ range: ClosedRange<Double>, _ others: [Double]) -> Generator {
    { random in
      random.chance(0.85)
        ? "\(Double.random(in: range, using: &random))" : "\(random.one(of: others))"
    }
  }

  private static func orNull(_ generator: @escaping Generator) -> Generator {
    { random in random.chance(0.2) ? "null" : generator(&random) }
  }

  private static func list(_ range: ClosedRange<Int>, of generator: @escaping Generator)
    -> Generator
  {
    { random in
      let count = Int.random(in: range, using: &random)
      return "[\((0..<count).map { _ in generator(&random) }.joined(separator: ", "))]"
    }
  }

  private static let layers: Generator = { random in
    let names = random.chance(0.3) ? ["fc1", "fc2", "fc4", "conv1", "fc"] : ["fc1", "fc2"]
    let chosen = names.shuffled(using: &random).prefix(Int.random(in: 0...3, using: &random))
    let pairs = chosen.map { name in
      "\(name): \(random.one(of: [0, 0.5, 0.6, 0.9, 0.9, 1, 0.999_999_999_999_999_9]))"
    }
    return "{\(pairs.joined(separator: ", "))}"
  }

  private static let normalization: Generator = { random in
    if random.chance(0.7) {
      return random.one(of: ["standard", "standard", "none", "imagenet", "ImageNet"])
    }
    let values: Generator = number(0...1, [0, 0, 1, 10, 11, -1, 1e-6, 1e-7, 1e3, 1e308])
    let key = random.one(of: ["deviation", "deviation", "std", "deviations"])
    let (means, deviations) = (list(0...3, of: values)(&random), list(1...3, of: values)(&random))
    return "{mean: \(means), \(key): \(deviations)}"
  }

  private static let hidden: Generator = { random in
    if random.chance(0.7) { return list(0...4, of: whole(1...64, [1, 2, 300, 1000]))(&random) }
    let width = random.one(of: [1, 2, 5])
    let depth = random.one(of: [10, 84, 85, 86, 126, 127, 128, 129, 254, 255, 256, 300])
    return random.one(of: [
      "[\(Array(repeating: "\(width)", count: depth).joined(separator: ", "))]", "[0]", "7",
      "[2147483647]", "[2147483648]", "[400000000, 400000000]", "[1000000000, 1000000000]",
      "[1, 9223372036854775807]", "[-1]", "[010, 010]",
    ])
  }

  private static let epochs = number(0...5, [0, 0.001, 0.1, 1, 10, 1e6, 1e7])

  private static let lastStep = 1 << 50

  private static let generators: [String: Generator] = {
    var generators: [Configuration.Key: Generator] = data
    generators.merge(network) { $1 }
    generators.merge(sparsity) { $1 }
    generators.merge(training) { $1 }
    var named = Dictionary(uniqueKeysWithValues: generators.map { ($0.key.rawValue, $0.value) })
    named.merge(options) { $1 }
    return named
  }()

  private static let data: [Configuration.Key: Generator] = [
    .data: words([
      "synthetic", "synthetic", "synthetic", "synthetic-color", "synthetic-color", "photos", "idx",
      "mnist", "cifar-10", "nothing", "''",
    ]),
    .trainSamples: orNull(whole(1...60, [0, 1, 2, 60_000, 60_001, 1 << 32, .max])),
    .testSamples: orNull(whole(1...30, [0, 1, 10_000, 10_001, .max])),
    .validation: orNull(whole(0...20, [0, 0, 39, 40, 60_000, .max])),
    .validateOnTest: truth,
    .split: words(Configuration.Split.self),
    .augmentation: words(Configuration.Augmentation.self),
    .cropPadding: whole(1...8, [0, 1, 28, 100, 1024, 1025]),
    .cropPaddingMode: words(CropPaddingMode.self),
    .padTo: orNull(whole(28...40, [1, 27, 28, 32, 64, 4096, 4097])),
    .imageSize: orNull(whole(16...48, [7, 8, 9, 224, 4096, 4097])),
    .normalization: normalization,
    .perImageStandardization: truth,
  ]

  private static let network: [Configuration.Key: Generator] = [
    .network: words([
      "mlp", "mlp", "mlp", "mlp", "lenet-5", "wrn-10-1", "wrn-16-1", "wrn-508-1", "wrn-1000-1",
      "wrn-1006-1", "wrn-10-1000", "wrn-10-0", "wrn--4-1", "wrn-11-1", "resnet-18", "resnet-50",
      "resnet-101", "resnet-19", "mobilenet-v1", "vgg-16", "transformer",
    ]),
    .hidden: hidden,
    .widthMultiplier: number(0.01...0.2, [0, 0.001, 0.01, 1, 3, 100, 101]),
    .match: words(Configuration.Match.self),
    .bigSparse: { random in random.chance(0.1) ? "true" : "false" },
    .matchedWidth: { random in
      random.chance(0.9) ? "null" : random.one(of: ["1", "0.01", "0.5", "0", "3", "1001"])
    },
    .activation: words(Configuration.ActivationKind.self),
    .dropout: number(0...0.9, [0, 0.5, 0.999_999_9, 1, -0.1]),
    .initializer: words(Initializer.Distribution.self),
    .initializerCountsConnections: truth,
    .linearDeviation: orNull(number(0...0.1, [0, 1e-45, 1e38, 1e39, -1])),
  ]

  private static let sparsity: [Configuration.Key: Generator] = [
    .method: words(Configuration.Method.self),
    .sparsity: number(0...0.99, [0, 0.5, 0.999, 0.999_999_999_999_999_9, 1, -0.1]),
    .distribution: words(SparsityDistribution.Kind.self),
    .layerSparsities: layers,
    .layerSparsityFactors: layers,
    .firstLayerSparse: truth,
    .lastLayerDense: truth,
    .topologyScope: orNull(words(TopologyScope.self)),
    .layerMinimum: whole(0...20, [0, 1, 1 << 40, -1]),
    .initialSparsity: number(0...0.99, [0, 0.5, 0.999_999_999_999_999_9, 1, -0.1]),
    .pruneBegin: orNull(whole(0...10, [0, 1, 1000, lastStep, lastStep + 1])),
    .pruneEnd: orNull(whole(0...20, [0, 1, 1000, lastStep, lastStep + 1])),
    .lotteryRounds: whole(1...4, [0, 1, 5, 1000, 1001]),
    .rewindStep: whole(0...6, [0, 1, 1000, lastStep, lastStep + 1]),
    .ticketControl: words(Configuration.TicketControl.self),
    .ticketMethod: words(Configuration.TicketMethod.self),
    .storageBelow: number(0...1, [0, 1, 1.1, -1]),
    .updateInterval: whole(1...5, [0, 1, 100, 1000, lastStep, lastStep + 1]),
    .updateBegin: whole(0...5, [0, 1, 10, 1000, lastStep, lastStep + 1]),
    .updateEnd: orNull(whole(0...20, [0, 1, 1000, lastStep, lastStep + 1])),
    .updateForever: truth,
    .dropFraction: orNull(number(0...1, [0, 1e-9, 0.5, 1, 1.000_1])),
    .annealing: words(UpdateSchedule.Annealing.self),
    .annealingPower: number(0.5...5, [0, 1e-300, 1, 1e300, -1]),
    .newWeights: words(Configuration.NewWeights.self),
    .newWeightDivisor: number(0.5...10, [0, 1e-46, 1e-30, 1e39, -1]),
    .updateThenStep: truth,
    .momentDecay: number(0...0.99, [0, 0.999_999_99, 1]),
    .redistribution: truth,
    .candidates: number(0...3, [0, 1, 1000, 1001, -1]),
    .growthBatches: whole(0...4, [0, 1, 40, 1_000_001, -1]),
  ]

  private static let training: [Configuration.Key: Generator] = [
    .epochs: whole(0...5, [0, 1, 20, 1_000_000, 1_000_001, -1]),
    .totalSteps: orNull(whole(0...20, [0, 1, 1000, lastStep, lastStep + 1, -1])),
    .batchSize: whole(1...40, [0, 1, 7, 8, 9, 1 << 20, 1 << 21]),
    .multiplier: number(0.1...5, [1e-6, 1e-7, 0.001, 0.01, 1, 1000, 1001]),
    .seed: { random in random.one(of: ["0", "1", "007", "18446744073709551615", "-1"]) },
    .labelSmoothing: number(0...0.5, [0, 1, 1.1]),
    .optimizer: words(Configuration.OptimizerKind.self),
    .learningRate: number(0.001...0.5, [0, .leastNonzeroMagnitude, 1e-30, 1e30, 1e308]),
    .momentum: number(0...0.99, [0, 0.999_999, 1]),
    .nesterov: truth,
    .weightDecay: number(0...0.01, [0, 1, 1e38, -1]),
    .decoupledWeightDecay: number(0...0.01, [0, 1, 1e38, -1]),
    .beta1: number(0...0.99, [0, 0.999_999_999, 1]),
    .beta2: number(0...0.99, [0, 0.999_999_999, 1]),
    .epsilon: number(1e-9...1e-3, [0, 1e-45, 1, 1e38]),
    .adamCorrection: words(Adam.Correction.self),
    .trackAges: truth,
    .trackGradientNorm: truth,
    .clipNorm: orNull(number(0.1...10, [0, .leastNonzeroMagnitude, 1e-30, 1e308])),
    .accumulation: whole(1...3, [0, 1, 65_536, 65_537]),
    .schedule: words(Configuration.ScheduleKind.self),
    .milestones: list(0...4, of: epochs),
    .factor: number(0.1...3, [0, 1e-300, 1, 2, 1e300]),
    .minLearningRate: number(0...0.01, [0, .leastNonzeroMagnitude, 1, -1]),
    .firstCycle: epochs,
    .cycleMultiplier: whole(1...4, [0, 1, 1000, 1001]),
    .warmupEpochs: epochs,
  ]

  private static let options: [String: Generator] = [
    "threads": whole(1...2, [0, 1024, 1025, .max]),
    "data_folder": words(["/nowhere", "null", "''", "[a]"]),
    "start_from": words(["null", "/nowhere", "[a]"]),
    "topology": words(["null", "null", "/nowhere", "[a]", "{fc1: /nowhere}", "[[a]]"]),
    "checkpoint_every": orNull(whole(1...10, [0, .max])),
    "keep": whole(1...3, [0, .max]),
    "log_every": whole(1...10, [0, .max]),
    "tensorboard": truth,
    "growth_buffer": orNull(whole(1...4, [0, 1 << 20, (1 << 20) + 1])),
  ]
}
