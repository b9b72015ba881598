import RigLCore
import RigLExperiments
import Testing

@Suite struct StatisticsTests {
  // Reference: mpmath, 1 − I(ν/(ν+t²); ν/2, 1/2) = 0.95 with 30 digits.
  @Test(arguments: [
    (1, 12.7062047361747),
    (2, 4.30265272974946),
    (3, 3.18244630528371),
    (4, 2.77644510519779),
    (5, 2.57058183563632),
    (6, 2.44691185114497),
    (7, 2.36462425159279),
    (8, 2.30600413520417),
    (9, 2.26215716279821),
    (10, 2.22813885198627),
    (14, 2.1447866879178),
    (19, 2.09302405440831),
    (29, 2.0452296421327),
    (30, 2.04227245630124),
    (60, 2.00029782201426),
    (99, 1.98421695158642),
    (120, 1.97993040508244),
    (1000, 1.96233908082641),
    (9999, 1.96020126362136),
  ])
  func quantilesAreThoseOfTheTable(degreesOfFreedom: Int, expected: Double) {
    let t = StudentT.quantile(degreesOfFreedom: degreesOfFreedom)
    #expect((t - expected).magnitude <= 1e-9 * expected)
  }

  @Test func otherProbabilitiesHaveQuantilesToo() {
    // ν = 1 is Cauchy's distribution: P(|T| ≤ 1) = 1/2. ν = 2: t = p √(2 / (1 − p²)).
    #expect((StudentT.quantile(twoSided: 0.5, degreesOfFreedom: 1) - 1).magnitude < 1e-14)
    let p = 0.99
    let expected = p * (2 / (1 - p * p)).squareRoot()
    #expect((StudentT.quantile(twoSided: p, degreesOfFreedom: 2) - expected).magnitude < 1e-12)
  }

  @Test func intervalOfHandWorkedValues() throws {
    // Mean 3, squares 4 + 1 + 0 + 1 + 4 = 10, s² = 10/4, s/√n = √(1/2), t₄ = 2.776445105.
    let interval = try #require(Interval(of: [1, 2, 3, 4, 5]))
    #expect(interval.mean == 3)
    #expect(interval.count == 5)
    let halfWidth = try #require(interval.halfWidth)
    #expect((halfWidth - 2.776445105197793 * 0.5.squareRoot()).magnitude < 1e-12)
    #expect(interval.lower == 3 - halfWidth)
    #expect(interval.upper == 3 + halfWidth)
  }

  @Test func oneValueHasNoInterval() throws {
    let interval = try #require(Interval(of: [0.25]))
    #expect(interval.mean == 0.25)
    #expect(interval.halfWidth == nil)
    #expect(interval.lower == 0.25 && interval.upper == 0.25)
    #expect(Interval(of: []) == nil)
    #expect(Interval(of: [.nan, .infinity]) == nil)
    #expect(Interval(of: [.nan, 7, -.infinity]) == Interval(of: [7]))
  }

  @Test func equalValuesHaveAnIntervalOfNoWidth() throws {
    let interval = try #require(Interval(of: [0.1, 0.1, 0.1]))
    #expect(interval.mean == 0.1)
    #expect(interval.halfWidth == 0)
  }
}

@Suite struct PairedDifferenceTests {
  static func run(
    _ name: String, _ accuracy: Double?, _ settings: [String: String],
    state: RunRecord.State = .finished
  ) -> RunRecord {
    var figures = RunRecord.Figures()
    figures.testAccuracy = accuracy
    return RunRecord(
      name: name, state: state, settings: settings, program: "1", figures: figures)
  }

  static func runs(_ method: String, _ accuracies: [Int: Double?]) -> [RunRecord] {
    accuracies.map { seed, accuracy in
      run("\(method)\(seed)", accuracy, ["method": method, "seed": "\(seed)", "sparsity": "0.9"])
    }
  }

  static func difference(
    _ a: [RunRecord], _ b: [RunRecord], comparing: Set<String>? = nil
  ) throws -> PairedDifference {
    try PairedDifference(of: a, against: b, comparing: comparing) { $0.figures.testAccuracy }
  }

  @Test func meanOverSeedsOfTheDifference() throws {
    // Differences 0.5, 0.25, 0.75: mean 0.5, s = 0.25, t₂ = 4.302652729749462.
    let paired = try Self.difference(
      Self.runs("rigl", [0: 1.5, 1: 2.25, 2: 3.75]), Self.runs("static", [0: 1, 1: 2, 2: 3]))
    let difference = try #require(paired.difference)
    #expect(difference.mean == 0.5)
    #expect(difference.count == 3)
    let expected = 4.302652729749462 * 0.25 / 3.0.squareRoot()
    #expect((try #require(difference.halfWidth) - expected).magnitude < 1e-12)
    #expect(paired.leftOut == 0)
    #expect(paired.compared == ["method"])
  }

  @Test func seedsWithoutPartnersAreLeftOutAndCounted() throws {
    let paired = try Self.difference(
      Self.runs("rigl", [0: 1, 1: 2, 2: 3, 5: nil]), Self.runs("static", [1: 1, 2: 1, 4: 1, 5: 1]))
    #expect(paired.difference?.count == 2)
    #expect(paired.difference?.mean == 1.5)
    #expect(paired.leftOut == 4)
  }

  @Test func onePairHasNoInterval() throws {
    let paired = try Self.difference(Self.runs("rigl", [0: 1, 1: 2]), Self.runs("set", [1: 1.5]))
    #expect(paired.difference == Interval(of: [0.5]))
    #expect(paired.difference?.halfWidth == nil)
    #expect(paired.leftOut == 1)
  }

  @Test func noPairHasNoDifference() throws {
    let paired = try Self.difference(Self.runs("rigl", [0: 1]), Self.runs("set", [1: 1.5]))
    #expect(paired.difference == nil)
    #expect(paired.leftOut == 2)
  }

  @Test func pairsAreEqualInAllThatIsNotCompared() throws {
    var a = Self.runs("rigl", [0: 1])
    var b = Self.runs("static", [0: 0])
    a.append(Self.run("x", 5, ["method": "rigl", "seed": "0", "sparsity": "0.98"]))
    b.append(Self.run("y", 3, ["method": "static", "seed": "0", "sparsity": "0.98"]))
    b.append(Self.run("z", 9, ["method": "static", "seed": "0", "sparsity": "0.98", "decay": "1"]))
    let paired = try Self.difference(a, b)
    #expect(paired.compared == ["method"])
    #expect(paired.difference?.mean == 1.5)
    #expect(paired.leftOut == 1)
    // What results do not depend on keeps no pair apart.
    a[1].settings["threads"] = "2"
    #expect(try Self.difference(a, b) == paired)
  }

  /// Each seed may start from a file of its own, on either side another.
  @Test func filesOfASeedKeepNoPairApart() throws {
    func runs(_ method: String, _ folder: String, _ accuracies: [Double]) -> [RunRecord] {
      accuracies.enumerated().map { seed, accuracy in
        Self.run(
          "\(method)\(folder)\(seed)", accuracy,
          ["method": method, "seed": "\(seed)", "topology": "[\(folder)/\(seed).csv]"])
      }
    }
    let (a, b) = (runs("rigl", "a", [1, 2]), runs("static", "b", [0.5, 1]))
    let paired = try Self.difference(a, b, comparing: ["method"])
    #expect(paired.difference == Interval(of: [0.5, 1]) && paired.leftOut == 0)
    // Where they tell runs of one side apart, partners have the same.
    let both = runs("static", "a", [0, 0]) + b
    let same = try Self.difference(a, both, comparing: ["method"])
    #expect(same.difference == Interval(of: [1, 2]) && same.leftOut == 2)
  }

  @Test func failedRunsAreInNoPair() throws {
    var a = Self.runs("rigl", [0: 1, 1: 3])
    a.sort { $0.name < $1.name }
    a[0].state = .failed("no")
    let paired = try Self.difference(a, Self.runs("set", [0: 1, 1: 1]))
    #expect(paired.difference == Interval(of: [2]))
    #expect(paired.leftOut == 2)
  }

  @Test func repeatedRunsCountOnce() throws {
    let a =
      Self.runs("rigl", [0: 1]) + [
        Self.run("zz", 9, ["method": "rigl", "seed": "0", "sparsity": "0.9"])
      ]
    let paired = try Self.difference(a, Self.runs("set", [0: 0.5]))
    #expect(paired.difference == Interval(of: [0.5]))
    #expect(paired.leftOut == 1)
  }

  @Test func differentDataCannotBeCompared() throws {
    let a = Self.runs("rigl", [0: 1])
    var b = Self.runs("set", [0: 1])
    b[0].settings["data"] = "cifar-10"
    let error = #expect(throws: RigLError.self) { try Self.difference(a, b) }
    let text = try #require(error).what
    #expect(text.contains("data") && text.contains("cifar-10") && text.contains("rigl0"))
  }

  @Test func theOrderOfRunsDoesNotMatter() throws {
    let (a, b) = (Invented.several.filter { $0.method == "rigl" }, Invented.several)
    let b1 = b.filter { $0.method == "set" }
    let one = try Self.difference(a, b1)
    #expect(try Self.difference(a.reversed(), b1.shuffled()) == one)
    #expect(one.difference?.count == 12)
  }
}
