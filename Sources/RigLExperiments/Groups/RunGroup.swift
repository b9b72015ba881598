/// Runs that differ only in the seed, and in the files that each seed starts from.
package struct RunGroup: Hashable, Sendable {
  /// The name by what the group differs in from others: 'rigl 98 % 5×'.
  package var name: String
  /// The name without the sparsity, shared by groups that a line in a plot joins.
  package var seriesName: String
  /// The settings of all its runs, without the seed.
  package var settings: [String: String]
  /// Finished runs, one a seed, ascending.
  package var runs: [RunRecord]
  /// Further finished runs of seeds that `runs` has already.
  package var repeats: [RunRecord]
  /// Failed and unfinished runs.
  package var others: [RunRecord]

  /// The method.
  package var method: String { settings["method"] ?? "unknown" }

  /// The mean over seeds and its interval; nil: no run has the figure.
  package func interval(of figure: (RunRecord) -> Double?) -> Interval? {
    Interval(of: runs.compactMap(figure))
  }

  /// The sparsity; nil: not known.
  var sparsity: Double? { (runs + others).first?.sparsity }
}

/// The groups of runs, and the settings that tell them apart.
package struct Grouping: Hashable, Sendable {
  /// The settings in which the runs differ, the seed apart: method, sparsity and multiplier first,
  /// then by name.
  package let differing: [String]
  /// Those of them that tell the groups apart: method, sparsity, multiplier, and what else is
  /// needed. The rest go along with these.
  package let telling: [String]
  /// The groups, by method, sparsity, multiplier and the rest.
  package let groups: [RunGroup]

  /// Groups runs; how they are listed does not matter.
  package init(_ runs: [RunRecord]) {
    let runs = runs.sorted { $0.name < $1.name }
    let ofRuns = StartFiles.groupSettings(of: runs)
    let settings = Set(ofRuns)
    let keys = Set(settings.flatMap(\.keys))
    differing = keys.filter { key in Set(settings.map { $0[key] }).count > 1 }
      .sorted(by: Self.isEarlier)
    telling = Self.telling(differing, apart: settings)
    let names = GroupNames(telling: telling, settings: settings)
    let bySettings = Dictionary(grouping: zip(ofRuns, runs)) { $0.0 }
    groups = settings.sorted { [differing] in Self.precedes($0, $1, by: differing) }
      .map { settings in
        let members = (bySettings[settings] ?? []).map { $0.1 }
        let finished = members.filter { $0.state == .finished }
        let bySeed = Dictionary(grouping: finished, by: \.seed)
        return RunGroup(
          name: names.name(of: settings), seriesName: names.name(of: settings, without: "sparsity"),
          settings: settings,
          runs: bySeed.keys.sorted(by: isOrdered).compactMap { bySeed[$0]?.first },
          repeats: finished.filter { bySeed[$0.seed]?.first != $0 },
          others: members.filter { $0.state != .finished })
      }
  }

  /// The first three, which say most, and the earliest of the rest that suffice to tell apart
  /// whatever all of them do.
  private static func telling(
    _ differing: [String], apart settings: Set<[String: String]>
  ) -> [String] {
    var telling: [String] = []
    var parts = 1
    for key in differing {
      let finer = Set(settings.map { each in (telling + [key]).map { each[$0] } }).count
      if finer > parts || principal.contains(key) { (telling, parts) = (telling + [key], finer) }
    }
    return telling
  }

  private static let principal = ["method", "sparsity", "multiplier"]

  /// The order of settings in names and tables.
  private static func isEarlier(_ a: String, _ b: String) -> Bool {
    let (i, j) = (
      principal.firstIndex(of: a) ?? principal.count, principal.firstIndex(of: b) ?? principal.count
    )
    return i == j ? a < b : i < j
  }

  private static func precedes(
    _ a: [String: String], _ b: [String: String], by keys: [String]
  ) -> Bool {
    for key in keys where a[key] != b[key] {
      if key == "method", let a = a[key], let b = b[key] { return MethodOrder.precedes(a, b) }
      return isOrdered(a[key], b[key])
    }
    return false
  }
}

extension RunGroup {
  /// Whether two groups on the same data differ in one of the settings that comparisons are about alone:
  /// the method, its sparsity, how that is shared, or the length of the training. The sparsity of a
  /// dense network says nothing.
  package func isComparable(with other: RunGroup) -> Bool {
    guard RunRecord.taskSettings.allSatisfy({ settings[$0] == other.settings[$0] }) else {
      return false
    }
    let isDense = method == "dense" || other.method == "dense"
    let keys = ["method", "multiplier"] + (isDense ? [] : ["sparsity", "distribution"])
    return keys.count { settings[$0] != other.settings[$0] } <= 1
  }
}
