import RigLCore

/// A quantity over the steps of training, in a plot for each sparsity: seeds as thin lines, their
/// mean as a bold one.
struct CurveFigure {
  /// A point of a curve.
  typealias Point = (step: Int, value: Double)

  /// What an axis covers.
  enum Range {
    /// The values.
    case own
    /// The values, without curves that end far from the others.
    case ofBulk
    /// The values and 0.
    case fromZero
    /// The values, by their logarithms where they are far from each other.
    case ofOrders
  }

  var title: String
  /// The quantity and its unit.
  var axis: String
  var caption: String
  /// Whether the first twentieth of the steps, where much happens at once, may lie outside.
  var leavesOutTheBeginning = false
  /// How the quantity's axis is chosen.
  var range = Range.own
  /// The points of a run, in order of their steps.
  var points: (RunRecord) -> [Point]

  /// The figure; nil: no run has points.
  func figure(of part: Part) -> Figure? {
    var (shown, outside): (Set<String>, [String]) = ([], [])
    let lines = part.groups.reduce(0) { $0 + part.drawn($1).count }
    // No more points than can be told apart in a plot, and no page of many megabytes.
    let most = min(100, max(20, 40_000 / max(lines, 1)))
    let panels = part.facets.compactMap { panel($0, in: part, most: most, &shown, &outside) }
    guard !panels.isEmpty else { return nil }
    let left = outside.isEmpty ? "" : " Below or above the axis: \(firstOf(outside, most: 12))."
    return Figure(
      title: title, series: part.legend(of: shown), panels: panels, caption: caption + left)
  }

  private func panel(
    _ facet: Part.Facet, in part: Part, most: Int, _ shown: inout Set<String>,
    _ outside: inout [String]
  ) -> Figure.Panel? {
    func curves(of group: RunGroup) -> Curves {
      let runs = part.drawn(group).filter { points($0).count > 1 }
      return Curves(
        group: group, seeds: runs.map(points), steps: runs.map(\.lastStep).max() ?? 0)
    }
    let own = facet.groups.map(curves).filter { !$0.seeds.isEmpty }
    let references = facet.references.map(curves).filter { !$0.seeds.isEmpty }
    guard !own.isEmpty else { return nil }
    let all = own + references
    shown.formUnion(all.map(\.group.seriesName))
    let inside = inside(all)
    outside += all.filter { curves in !inside.contains { $0.group == curves.group } }
      .map { "\($0.group.name) (\(fixed($0.end ?? 0, 2)))" }
      .filter { !outside.contains($0) }
    var plot = plot(of: all, covering: inside, facet)
    for curves in all {
      let isReference = facet.references.contains(curves.group)
      draw(
        curves, part.style(of: curves.group), most: most, asShares: Self.differInLength(all),
        alone: !isReference, in: &plot)
    }
    return Figure.Panel(title: facet.title, picture: plot.svg)
  }

  /// Whether one training is so much longer than another that steps would squeeze the shorter.
  private static func differInLength(_ all: [Curves]) -> Bool {
    let steps = all.map(\.steps)
    return (steps.max() ?? 0) > 2 * (steps.min() ?? 0)
  }

  /// The curves that the axis covers.
  private func inside(_ all: [Curves]) -> [Curves] {
    guard range == .ofBulk, let bulk = Bulk(of: all.compactMap(\.end), width: 0.25) else {
      return all
    }
    return all.filter { $0.end.map(bulk.range.contains) ?? true }
  }

  private func plot(
    of all: [Curves], covering inside: [Curves], _ facet: Part.Facet
  ) -> Plot {
    let lines = inside.flatMap(\.seeds)
    let values = lines.flatMap { line in
      line.filter { point in
        !leavesOutTheBeginning || point.step * 20 >= line[line.count - 1].step
      }.map(\.value)
    }
    let isOfShares = Self.differInLength(all)
    let across = all.flatMap { curves in
      curves.seeds.flatMap { $0.map { curves.across($0.step, asShare: isOfShares) } }
    }
    let least = values.filter { $0 > 0 }.min() ?? 0
    let isWide =
      range == .ofOrders && least > 0 && values.allSatisfy { $0 > 0 }
      && (values.max() ?? 0) > 30 * least
    return Plot(
      x: Axis(
        isOfShares ? "weight steps, % of the training" : "weight steps", covering: across,
        length: Plot.across, direction: .horizontal, room: 0.02, startsAtLeast: true,
        label: short),
      y: Axis(
        isWide ? axis + " (logarithmic)" : axis, isWide ? .logarithmic : .linear,
        covering: range == .fromZero ? [0] + values : values, length: Plot.upward,
        direction: .vertical, startsAtLeast: range == .fromZero),
      label: title + (facet.title.map { ", \($0)" } ?? ""))
  }

  private func draw(
    _ curves: Curves, _ style: SeriesStyle, most: Int, asShares: Bool, alone: Bool,
    in plot: inout Plot
  ) {
    func path(_ points: [Point]) -> String {
      plot.path(
        Self.thinned(points, to: most).map {
          (curves.across($0.step, asShare: asShares), $0.value)
        })
    }
    var marks = Markup()
    if alone && curves.seeds.count > 1 {
      for seed in curves.seeds { marks += "<path class=\"t\" d=\"\(path(seed))\"/>" }
    }
    let mean = curves.mean
    if mean.count > 1 { marks += "<path class=\"l\" d=\"\(path(mean))\"/>" }
    plot.draw("<g class=\"\(style.classes)\"><title>\(curves.group.name)</title>\(marks)</g>")
  }

  /// The last of each of equally many neighbouring points, and the first.
  static func thinned(_ points: [Point], to most: Int) -> [Point] {
    guard points.count > most else { return points }
    let lasts = (1..<most).map { points[$0 * (points.count - 1) / (most - 1)] }
    return [points[0]] + lasts
  }
}

/// The curves of a group's seeds.
private struct Curves {
  var group: RunGroup
  var seeds: [[CurveFigure.Point]]
  /// The weight steps of its runs.
  var steps: Int

  /// Where a step lies: itself, or its share of all, percent.
  func across(_ step: Int, asShare: Bool) -> Double {
    asShare ? 100 * Double(step) / Double(max(steps, 1)) : Double(step)
  }

  /// The mean over seeds of the last points.
  var end: Double? { Interval(of: seeds.compactMap { $0.last?.value })?.mean }

  /// The mean over seeds at the steps that all of them have.
  var mean: [CurveFigure.Point] {
    var sums: [Int: (sum: Double, count: Int)] = [:]
    for point in seeds.joined() {
      let old = sums[point.step] ?? (0, 0)
      sums[point.step] = (old.sum + point.value, old.count + 1)
    }
    return sums.filter { $0.value.count == seeds.count }
      .map { ($0.key, $0.value.sum / Double($0.value.count)) }
      .sorted { $0.step < $1.step }
  }
}

extension RunRecord {
  /// The last step of which its history tells.
  fileprivate var lastStep: Int {
    max(history?.points.map(\.step).max() ?? 0, history?.updates.map(\.step).max() ?? 0)
  }

  /// A quantity of the points of a split; of several at one step, the last. What is no number is
  /// left out.
  func curve(_ split: String, _ value: (RunHistory.Point) -> Double?) -> [CurveFigure.Point] {
    Self.ascending(
      (history?.points ?? []).filter { $0.split == split }.map { ($0.step, value($0)) })
  }

  /// A quantity of the topology updates.
  func updates(_ value: (RunHistory.Update) -> Double?) -> [CurveFigure.Point] {
    Self.ascending((history?.updates ?? []).map { ($0.step, value($0)) })
  }

  private static func ascending(_ points: [(Int, Double?)]) -> [CurveFigure.Point] {
    var values: [Int: Double] = [:]
    for (step, value) in points {
      if let value, value.isFinite { values[step] = value }
    }
    return values.map { ($0.key, $0.value) }.sorted { $0.step < $1.step }
  }
}
