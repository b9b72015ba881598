import RigLCore

/// The files that runs start from: settings that are paths, and often others for each seed.
///
/// They are a property of the seed: runs that are equal in all other settings, each of another seed,
/// are one group, whatever files they start from. Where several runs of one seed differ in these files
/// alone, those belong together whose paths are equal but for the seed in them ('rigl-seed3-0a1b2c3d',
/// as sweeps name their runs); and else those whose paths are equal.
enum StartFiles {
  /// The settings that name such files.
  static let keys = ["start_from", "topology"]

  /// The settings that tell the groups of some runs, by run: all that the weights depend on but the seed,
  /// and files as their group has them.
  static func groupSettings(of runs: [RunRecord]) -> [[String: String]] {
    var settings = runs.map(\.ownGroupSettings)
    let withFiles = runs.indices.filter { index in keys.contains { settings[index][$0] != nil } }
    // Whether there is such a file is no matter of the seed.
    let classes = Dictionary(grouping: withFiles) { index in
      settings[index].merging(keys.compactMap { settings[index][$0] == nil ? nil : ($0, "") }) {
        $1
      }
    }
    for runsOfClass in classes.values {
      for family in families(of: runsOfClass, in: runs) {
        for key in keys {
          let values = Set(family.compactMap { runs[$0].settings[key] })
          guard values.count > 1 else { continue }
          let patterns = Set(family.compactMap { pattern(of: runs[$0], key) })
          let shared = patterns.count == 1 ? patterns.first : nil
          for index in family { settings[index][key] = shared ?? "one for each seed" }
        }
      }
    }
    return settings
  }

  /// Runs that are equal but for seeds and files, as groups.
  private static func families(of indices: [Int], in runs: [RunRecord]) -> [[Int]] {
    func isOneASeed(_ family: [Int]) -> Bool {
      Dictionary(grouping: family) { runs[$0].seed }.values.allSatisfy { ofSeed in
        Set(ofSeed.map { files(of: runs[$0]) }).count == 1
      }
    }
    if isOneASeed(indices) { return [indices] }
    let alike = Dictionary(grouping: indices) { index in keys.map { pattern(of: runs[index], $0) } }
    return alike.values.flatMap { family -> [[Int]] in
      isOneASeed(family)
        ? [family] : Array(Dictionary(grouping: family) { files(of: runs[$0]) }.values)
    }
  }

  /// The files of a run.
  static func files(of run: RunRecord) -> [String?] { keys.map { run.settings[$0] } }

  /// A path with '*' for the run's seed, and for the number of all settings that follows it in the names
  /// of a sweep's runs.
  private static func pattern(of run: RunRecord, _ key: String) -> String? {
    run.settings[key].map { path in
      path.replacing(/(seed[-_=]?)(\d+)(-[0-9a-f]{8})?/) { match in
        let hasNumber = match.3 != nil
        return match.2 == run.seed ? "\(match.1)*\(hasNumber ? "-*" : "")" : String(match.0)
      }
    }
  }
}
