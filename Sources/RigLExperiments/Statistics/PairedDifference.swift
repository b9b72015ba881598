import RigLCore

/// The mean difference between runs of two kinds, A − B, over pairs that are equal in all settings
/// but the compared ones: equal in the seed, above all.
package struct PairedDifference: Hashable, Sendable {
  /// The difference; nil: there is no pair.
  package let difference: Interval?
  /// The runs of both kinds that are in no pair: without a partner, or without the figure.
  package let leftOut: Int
  /// The settings that are compared, ascending by name.
  package let compared: [String]

  /// The mean difference of a figure.
  ///
  /// - Parameters:
  ///   - a: runs of the one kind.
  ///   - b: runs of the other.
  ///   - compared: the settings that pairs may differ in; nil: those of which no value occurs in
  ///     both kinds.
  ///   - figure: the figure; a run without it is in no pair.
  /// - Throws: a `RigLError` where the two are of different data.
  package init(
    of a: [RunRecord], against b: [RunRecord], comparing compared: Set<String>? = nil,
    figure: (RunRecord) -> Double?
  ) throws(RigLError) {
    let compared = compared ?? Self.settingsThatSeparate(a, b)
    for key in RunRecord.dataSettings where compared.contains(key) {
      guard let (one, other) = Self.difference(in: key, a, b) else { continue }
      throw RigLError(
        .configuration,
        "\(one.name) and \(other.name) cannot be compared: \(key) is "
          + "\(one.settings[key] ?? "the default") and \(other.settings[key] ?? "the default")",
        hint: "Compare runs of the same data.")
    }
    self.init(pairing: a, b, comparing: compared, figure: figure)
  }

  /// As above, of runs whose data are known to be the same.
  init(
    pairing a: [RunRecord], _ b: [RunRecord], comparing compared: Set<String>,
    figure: (RunRecord) -> Double?
  ) {
    // Files that a seed starts from are its own, unless runs of one seed differ in nothing else.
    let ofSeed = compared.union(StartFiles.keys)
    let isFileOfSeed = Self.haveOneFile(a, without: ofSeed) && Self.haveOneFile(b, without: ofSeed)
    let ignored = isFileOfSeed ? ofSeed : compared
    let (first, second) = (
      Self.byPairKey(a, without: ignored, figure), Self.byPairKey(b, without: ignored, figure)
    )
    // Ascending by key, so that the sum does not depend on how the runs were listed.
    let pairs = first.keys.filter { second[$0] != nil }.sorted { $0.lexicographicallyPrecedes($1) }
    difference = Interval(of: pairs.map { first[$0]! - second[$0]! })
    leftOut = a.count + b.count - 2 * pairs.count
    self.compared = compared.sorted()
  }

  /// The settings, except the seed, of which no value occurs on both sides.
  private static func settingsThatSeparate(_ a: [RunRecord], _ b: [RunRecord]) -> Set<String> {
    var keys = Set((a + b).flatMap(\.settings.keys))
    keys.remove("seed")
    return keys.filter { key in
      Set(a.map { $0.settings[key] }).isDisjoint(with: b.map { $0.settings[key] })
    }
  }

  /// Two runs, one a side, whose values of a setting differ.
  private static func difference(
    in key: String, _ a: [RunRecord], _ b: [RunRecord]
  ) -> (RunRecord, RunRecord)? {
    for one in a {
      if let other = b.first(where: { $0.settings[key] != one.settings[key] }) {
        return (one, other)
      }
    }
    return nil
  }

  /// Whether runs that a partner cannot tell apart start from the same files.
  private static func haveOneFile(_ runs: [RunRecord], without ignored: Set<String>) -> Bool {
    Dictionary(grouping: runs) { pairKey(of: $0, without: ignored) }.values
      .allSatisfy { Set($0.map(StartFiles.files)).count == 1 }
  }

  /// What a run's partner must be equal in: `key=value` in order of the keys.
  private static func pairKey(of run: RunRecord, without ignored: Set<String>) -> [String] {
    run.settings.filter {
      !ignored.contains($0.key) && !RunRecord.settingsWithoutEffect.contains($0.key)
    }.map { "\($0.key)=\($0.value)" }.sorted()
  }

  /// The figure of each run by what its partner must be equal in. Of several runs with the same, the first by name.
  private static func byPairKey(
    _ runs: [RunRecord], without ignored: Set<String>, _ figure: (RunRecord) -> Double?
  ) -> [[String]: Double] {
    var figures: [[String]: Double] = [:]
    for run in runs.sorted(by: { $0.name < $1.name }) where run.state == .finished {
      guard let value = figure(run), value.isFinite else { continue }
      let key = pairKey(of: run, without: ignored)
      if figures[key] == nil { figures[key] = value }
    }
    return figures
  }
}
