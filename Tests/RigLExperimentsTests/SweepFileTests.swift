import RigLCore
import Testing

@testable import RigLExperiments

/// Files of experiments: which runs they come to, and what is said of those that are none.
@Suite struct SweepFileTests {
  private func plan(
    _ yaml: String, isQuick: Bool = false, _ overrides: [(key: String, value: String)] = []
  ) throws -> SweepPlan {
    try SweepFile(yaml: yaml, path: "sweep.yaml").plan(isQuick: isQuick, overrides: overrides)
  }

  private func problem(_ yaml: String) -> RigLError? {
    do {
      _ = try plan(yaml)
      return nil
    } catch {
      return error as? RigLError
    }
  }

  /// The last list changes fastest, settings are the file's, then the group's, then the lists'.
  @Test func everyCombinationIsARun() throws {
    let plan = try plan(
      """
      settings: {preset: lenet-300-100, data: synthetic, epochs: 3, hidden: [8]}
      groups:
        - settings: {epochs: 5}
          each: {method: [static, rigl], hidden: [[30, 10], [20]], seed: [4, 7]}
        - each: {method: [dense], seed: [4]}
      """)
    let runs = plan.runs.map { run in
      let settings = run.configuration
      return "\(settings.method.rawValue) \(settings.hidden) \(settings.seed) \(settings.epochs)"
    }
    #expect(
      runs == [
        "static [30, 10] 4 5", "static [30, 10] 7 5", "static [20] 4 5", "static [20] 7 5",
        "rigl [30, 10] 4 5", "rigl [30, 10] 7 5", "rigl [20] 4 5", "rigl [20] 7 5", "dense [8] 4 3",
      ])
    #expect(Set(plan.runs.map(\.name)).count == 9)
    // One of each method and network: the seed is no difference.
    #expect(plan.alone.map(\.configuration.seed) == [4, 4, 4, 4, 4])
  }

  /// However it is written, a run is one.
  @Test func whatIsTheSameIsTrainedOnce() throws {
    let plan = try plan(
      """
      groups:
        - settings: {data: synthetic, sparsity: 0.9}
          each: {method: [rigl, static]}
        - each: {method: [static], data: [synthetic], seed: [0, 1], sparsity: [9e-1]}
      """)
    #expect(plan.runs.count == 3)
    let again = try self.plan("each: {data: [synthetic], method: [static], seed: [1]}")
    #expect(again.runs[0].name == plan.runs[2].name)
    #expect(again.runs[0].settings == plan.runs[2].settings)
  }

  @Test func quickAndFlagsComeOnTop() throws {
    let yaml = """
      settings: {data: synthetic, epochs: 9}
      each: {method: [static, rigl], seed: [0, 1, 2]}
      quick: {settings: {epochs: 1}, each: {seed: [5], sparsity: [0.5]}}
      """
    let quick = try plan(yaml, isQuick: true, [("batch_size", "32")])
    // A list of quick stands for one that is there; others say nothing.
    #expect(quick.runs.map(\.configuration.seed) == [5, 5])
    #expect(quick.runs.allSatisfy { $0.configuration.sparsity == 0.9 })
    #expect(quick.runs.allSatisfy { $0.configuration.epochs == 1 })
    #expect(quick.runs.allSatisfy { $0.configuration.batchSize == 32 })
    #expect(try plan(yaml).runs.allSatisfy { $0.configuration.epochs == 9 })
  }

  /// A run's own file, read again, is the same run.
  @Test func aRunsFileIsTheRun() throws {
    let plan = try plan(
      """
      settings: {data: synthetic, network: lenet-5, layer_sparsities: {fc1: 0.5}}
      each: {method: [granet, small-dense, dense], initial_sparsity: [0]}
      """)
    for run in plan.runs {
      var stack = try SettingsStack()
      try stack.apply(yaml: try run.yaml(), path: "config.yaml", isSaved: true)
      #expect(
        try RunSettings.texts(stack.configuration(), stack.options) == run.settings, "\(run.name)")
    }
  }

  /// Names and settings are those of runs that earlier versions have trained: they count.
  @Test func theFairComparisonsRunsAreFoundAgain() throws {
    let root = #filePath.split(separator: "/").dropLast(3).map { "/\($0)" }.joined()
    let plan = try SweepFile(path: root + "/Examples/fair-comparison.yaml").plan()
    let finished = try RunTable(path: root + "/docs/data/fair-comparison.csv").records
    let planned = Dictionary(uniqueKeysWithValues: plan.runs.map { ($0.name, $0.settings) })
    for run in finished { #expect(planned[run.name] == run.settings, "\(run.name)") }
  }

  @Test(arguments: [
    ("", "sweep.yaml: no runs"),
    ("each: {}\nepochs: 3", "sweep.yaml, line 2: there is no key 'epochs' here"),
    ("settings: {epoch: 3}", "sweep.yaml, line 1: there is no key 'epoch'"),
    ("settings:\n  epochs: many", "sweep.yaml, line 2: epochs: 'many' is not a whole number"),
    ("each: {seed: 3}", "sweep.yaml, line 1: each: seed is no list of values: 3"),
    ("each: {seed: []}", "sweep.yaml, line 1: each: seed is no list of values: []"),
    ("each:\n  method: [rigl, riggl]", "sweep.yaml, line 2: method: there is no 'riggl'"),
    ("groups: []", "sweep.yaml, line 1: groups is not a list of groups"),
    ("groups: [3]", "sweep.yaml, line 1: a group is no mapping"),
    ("settings: [3]", "sweep.yaml, line 1: settings is no mapping"),
    ("each: [3]", "sweep.yaml, line 1: each is no mapping of lists"),
    ("- 3", "sweep.yaml: not a mapping of keys to values"),
    ("each: {sparsity: [0.5, 1.5]}", "of the run with sparsity: 1.5"),
  ]) func mistakesAreNamed(yaml: String, message: String) throws {
    let error = try #require(problem(yaml))
    #expect(error.kind == .configuration)
    #expect(error.what.contains(message), "\(error.what)")
  }

  @Test func tooManyRunsAreRefused() throws {
    let list = "[\((0..<300).map { "\($0)" }.joined(separator: ", "))]"
    let error = try #require(problem("each: {seed: \(list), batch_size: \(list)}"))
    #expect(error.what == "sweep.yaml: more than 10000 runs")
  }
}
