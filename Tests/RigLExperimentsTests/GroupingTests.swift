import RigLExperiments
import Testing

@Suite struct GroupingTests {
  static func run(_ settings: [String: String]) -> RunRecord {
    let name = settings.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    return RunRecord(
      name: name.joined(separator: ","), state: .finished, settings: settings, program: "1")
  }

  static func names(_ settings: [[String: String]]) -> [String] {
    Grouping(settings.map(run)).groups.map(\.name)
  }

  @Test func runsThatDifferInTheSeedAreAGroup() {
    let grouping = Grouping(Invented.several)
    #expect(grouping.groups.count == 13)
    #expect(grouping.differing == ["method", "sparsity"])
    for group in grouping.groups {
      #expect(group.runs.map(\.seed) == ["0", "1", "2"])
      #expect(group.repeats.isEmpty && group.others.isEmpty)
    }
  }

  @Test func namesSayWhatDiffersMethodFirst() {
    let names = Self.names([
      ["method": "rigl", "seed": "0", "sparsity": "0.98", "multiplier": "5", "momentum": "0.9"],
      ["method": "rigl", "seed": "0", "sparsity": "0.995", "momentum": "0.9"],
      ["method": "static", "seed": "0", "sparsity": "0.98", "momentum": "0.9"],
    ])
    #expect(names == ["static 98 % 1×", "rigl 98 % 5×", "rigl 99.5 % 1×"])
    #expect(Self.names([["method": "set", "seed": "3", "sparsity": "0.9"]]) == ["set"])
  }

  @Test func settingsThatGoAlongAreNotNamed() {
    let grouping = Grouping(
      [
        ["method": "rigl", "seed": "0"],
        ["method": "granet", "seed": "0", "initial_sparsity": "0.5"],
      ].map(Self.run))
    #expect(grouping.groups.map(\.name) == ["rigl", "granet"])
    #expect(grouping.differing == ["method", "initial_sparsity"])
    #expect(grouping.telling == ["method"])
  }

  @Test func wordsSpeakForThemselvesAndOthersNeedTheirKeys() {
    #expect(
      Self.names([
        ["method": "dense", "seed": "0", "schedule": "cosine"],
        ["method": "dense", "seed": "0", "schedule": "step"],
      ]) == ["dense cosine", "dense step"])
    #expect(
      Self.names([
        ["method": "dense", "seed": "0", "batch_size": "32", "nesterov": "true"],
        ["method": "dense", "seed": "0", "batch_size": "100", "nesterov": "true"],
        ["method": "dense", "seed": "0", "batch_size": "100"],
      ]) == [
        "dense batch_size 32 nesterov true", "dense batch_size 100 nesterov default",
        "dense batch_size 100 nesterov true",
      ])
  }

  @Test func namesAreUnique() {
    for runs in [Invented.several, Invented.hundred, Invented.troubled] {
      let names = Grouping(runs).groups.map(\.name)
      #expect(Set(names).count == names.count)
    }
  }

  @Test func settingsWithoutEffectDoNotSplitGroups() {
    let grouping = Grouping(
      [
        ["method": "rigl", "seed": "0", "threads": "1", "log_every": "10"],
        ["method": "rigl", "seed": "1", "threads": "2"],
      ].map(Self.run))
    #expect(grouping.groups.count == 1)
    #expect(grouping.differing.isEmpty)
  }

  @Test func aSeedCountsOnce() {
    var again = Self.run(["method": "rigl", "seed": "0"])
    again.name = "zz"
    var failed = again
    failed.name = "failed"
    failed.state = .failed("no")
    let runs = [again, failed] + [10, 9, 0].map { Self.run(["method": "rigl", "seed": "\($0)"]) }
    let groups = Grouping(runs).groups
    #expect(groups.count == 1)
    #expect(groups[0].runs.map(\.seed) == ["0", "9", "10"])
    #expect(groups[0].repeats.map(\.name) == ["zz"])
    #expect(groups[0].others.map(\.name) == ["failed"])
  }

  /// Runs of a method that start from files: for each seed one, as `path` says.
  static func starting(
    _ method: String, seeds: Range<Int>, _ path: (Int) -> String?
  ) -> [RunRecord] {
    seeds.map { seed in
      var settings = ["method": method, "seed": "\(seed)"]
      settings["start_from"] = path(seed)
      return run(settings)
    }
  }

  @Test func filesThatEachSeedStartsFromAreNoDifference() {
    // As sweeps name their runs, and by names that say nothing of the seed.
    let hashes = ["0a1b2c3d", "1b2c3d4e", "2c3d4e5f"]
    let swept = Self.starting("static", seeds: 0..<3) { "/s/rigl-0.98-seed\($0)-\(hashes[$0])" }
    let named = Self.starting("static", seeds: 0..<3) { ["/t/a", "/t/b", "/t/c"][$0] }
    for (runs, file) in [(swept, "/s/rigl-0.98-seed*-*"), (named, "one for each seed")] {
      let grouping = Grouping(runs)
      #expect(grouping.groups.map { $0.runs.map(\.seed) } == [["0", "1", "2"]])
      #expect(grouping.differing.isEmpty)
      #expect(grouping.groups[0].settings["start_from"] == file)
    }
    let same = Self.starting("static", seeds: 0..<3) { _ in "/t/seed0" }
    #expect(Grouping(same).groups.map { $0.settings["start_from"] } == ["/t/seed0"])
  }

  @Test func filesThatTellRunsOfOneSeedApartAreADifference() {
    let kinds = ["rigl", "set"].map { kind in
      Self.starting("static", seeds: 0..<2) { "/s/\(kind)/seed-\($0).safetensors" }
    }
    let byKind = Grouping(kinds.flatMap { $0 })
    #expect(byKind.groups.map { $0.runs.count } == [2, 2])
    #expect(
      byKind.groups.map { $0.settings["start_from"] }
        == ["/s/rigl/seed-*.safetensors", "/s/set/seed-*.safetensors"])
    // From none and from one for each seed.
    let fresh = Self.starting("static", seeds: 0..<2) { _ in nil }
    let named = Self.starting("static", seeds: 0..<2) { ["/t/a", "/t/b"][$0] }
    #expect(Grouping(fresh + named).groups.map { $0.runs.count } == [2, 2])
    // Nothing says which belong together.
    let others = Self.starting("static", seeds: 0..<2) { ["/t/c", "/t/d"][$0] }
    #expect(Grouping(named + others).groups.map { $0.runs.count } == [1, 1, 1, 1])
    // Another seed's number in a path is no seed.
    let wrong = Self.starting("static", seeds: 0..<2) { _ in "/s/seed7" } + kinds[0]
    #expect(Grouping(wrong).groups.map { $0.settings["start_from"] }.contains("/s/seed7"))
  }
}
