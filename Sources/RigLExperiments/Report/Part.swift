/// Runs of the same network on the same data, and how they are shown.
struct Part: Sendable {
  /// What tells it from the others; nil: there are no others.
  let title: String?
  /// The beginning of the identifiers of its sections.
  let identifier: String
  let grouping: Grouping
  let series: [Series]
  /// Whether unfinished runs are drawn: where none is finished.
  let drawsUnfinished: Bool

  var groups: [RunGroup] { grouping.groups }
  /// The groups that have a finished run.
  var finished: [RunGroup] { groups.filter { !$0.runs.isEmpty } }

  /// The parts of a report, by the settings that they differ in.
  static func all(of runs: [RunRecord]) -> [Part] {
    func task(_ run: RunRecord) -> [String?] { RunRecord.taskSettings.map { run.settings[$0] } }
    let byTask = Dictionary(grouping: runs, by: task)
    let tasks = byTask.keys.sorted { a, b in
      zip(a, b).first { $0 != $1 }.map { isOrdered($0, $1) } ?? false
    }
    let differing = RunRecord.taskSettings.indices.filter { index in
      Set(tasks.map { $0[index] }).count > 1
    }
    let noneFinished = !runs.contains { $0.state == .finished }
    return tasks.enumerated().map { index, task in
      let title = differing.map { name(of: RunRecord.taskSettings[$0], task[$0]) }
        .joined(separator: " · ")
      let grouping = Grouping(byTask[task] ?? [])
      return Part(
        title: tasks.count > 1 ? title : nil, identifier: "part-\(index + 1)",
        grouping: grouping, series: Series.all(of: grouping.groups),
        drawsUnfinished: noneFinished)
    }
  }

  /// A setting in a title: a word speaks for itself.
  private static func name(of key: String, _ value: String?) -> String {
    guard let value else { return "default \(key)" }
    return value.first?.isLetter == true ? value : "\(key) \(value)"
  }

  /// The runs of a group whose histories are drawn.
  func drawn(_ group: RunGroup) -> [RunRecord] {
    group.runs + (drawsUnfinished ? group.others : [])
  }

  /// What the network of a group's first run says: not all are opened for it.
  func network(of group: RunGroup) -> RunHistory? {
    drawn(group).compactMap(\.history).first { !$0.layers.isEmpty }
  }

  /// What a caption says of whose networks are shown: nothing, or a sentence after a space.
  var networksSentence: String {
    groups.contains { drawn($0).count > 1 } ? " Of the first seed of each group." : ""
  }

  /// The style of a group's series.
  func style(of group: RunGroup) -> SeriesStyle {
    series.first { $0.name == group.seriesName }?.style
      ?? SeriesStyle(color: 0, shape: 0, variant: 0)
  }

  /// The series of a legend, of the names shown; none where there is nothing to tell apart.
  func legend(of shown: Set<String>) -> [Series] {
    groups.count > 1 ? series.filter { shown.contains($0.name) } : []
  }

  /// Groups of one sparsity, which are drawn in one plot.
  struct Facet: Sendable {
    var title: String?
    var groups: [RunGroup]
    /// Dense networks, drawn beside those of each sparsity.
    var references: [RunGroup] = []
  }

  /// The groups by sparsity.
  var facets: [Facet] {
    let dense = groups.filter { $0.method == "dense" }
    let sparse = groups.filter { $0.method != "dense" }
    guard !sparse.isEmpty else { return [Facet(groups: dense)] }
    let bySparsity = Dictionary(grouping: sparse) { facetSparsity($0) }
    let all = bySparsity.keys.sorted { ($0 ?? -1) < ($1 ?? -1) }
    return all.map { sparsity in
      Facet(
        title: all.count > 1 ? sparsity.map { "\(percentage($0)) sparse" } ?? "Other" : nil,
        groups: bySparsity[sparsity] ?? [], references: dense)
    }
  }

  /// The sparsity to a tenth of a percent: measured ones differ a little from the asked ones.
  private func facetSparsity(_ group: RunGroup) -> Double? {
    group.sparsity.map { ($0 * 1000).rounded() / 1000 }
  }
}
