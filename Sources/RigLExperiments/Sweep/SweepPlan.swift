import RigLCore

/// The runs that a sweep consists of, each once.
package struct SweepPlan: Sendable {
  /// A run to be trained.
  package struct Run: Sendable {
    /// The name of its folder.
    package let name: String
    /// What it trains with.
    package let configuration: Configuration
    /// Where its data is, and what it starts from.
    package let options: RunOptions
    /// Its settings as ``RunRecord/settings``, by which it is found again.
    package let settings: [String: String]

    /// Makes a run of settings that are checked.
    init(_ stack: SettingsStack) throws(RigLError) {
      configuration = try stack.configuration()
      try configuration.validate()
      options = stack.options
      settings = try RunSettings.texts(configuration, options)
      name = RunSettings.name(settings)
    }

    /// The settings as a file that `rigl train` takes.
    package func yaml() throws(RigLError) -> String { try configuration.yaml(options) }

    /// What runs share whose seconds are the same but for chance: of these, one is trained alone.
    var kind: [String?] {
      ([.data, .network, .hidden, .widthMultiplier, .method, .sparsity] as [Configuration.Key])
        .map { settings[$0.rawValue] }
    }
  }

  /// The runs, in the order of the file.
  package private(set) var runs: [Run] = []

  /// Adds a run, unless it is there.
  mutating func add(_ run: Run) {
    if !runs.contains(where: { $0.settings == run.settings }) { runs.append(run) }
  }

  /// The first run of each method and sparsity, trained with nothing beside it so that its seconds can
  /// be compared.
  package var alone: [Run] {
    var kinds: Set<[String?]> = []
    return runs.filter { kinds.insert($0.kind).inserted }
  }
}
