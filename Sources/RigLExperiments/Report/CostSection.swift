import RigLCore

/// The plots of accuracy against what a network costs.
enum CostSection {
  /// A cost: the axis of a plot.
  struct Cost: Sendable {
    var title: String
    var axis: String
    var scale: Axis.Scale
    var caption: String
    var value: @Sendable (RunGroup) -> Double?
  }

  private static func mean(
    _ figure: @escaping @Sendable (RunRecord) -> Double?
  ) -> @Sendable (RunGroup) -> Double? {
    { group in group.interval(of: figure)?.mean }
  }

  static let costs = [
    Cost(
      title: "Sparsity", axis: "sparsity, %", scale: .sparsity,
      caption: "How much accuracy each method keeps as connections go. Points of one sparsity are "
        + "moved apart a little.",
      value: { $0.sparsity }),
    Cost(
      title: "Training FLOPs", axis: "training FLOPs (logarithmic)", scale: .logarithmic,
      caption: "What the training costs. Farther up and left is better: more accuracy for fewer "
        + "operations.",
      value: mean { $0.figures.trainingFLOPs }),
    Cost(
      title: "Inference FLOPs", axis: "FLOPs of a prediction (logarithmic)", scale: .logarithmic,
      caption: "What one prediction costs. Of two networks at the same place across, the upper "
        + "one is better.",
      value: mean { $0.figures.inferenceFLOPs }),
    Cost(
      title: "Size", axis: "bytes (logarithmic)", scale: .logarithmic,
      caption: "What the stored network takes: weights, the places of its connections, and "
        + "biases.",
      value: mean { $0.figures.bytes.map(Double.init) }),
  ]

  static func markup(of part: Part) -> Markup {
    guard part.finished.count > 1 else { return "" }
    var shown = Shown()
    let panels = costs.compactMap { panel(for: $0, in: part, &shown) }
    guard !panels.isEmpty else { return "" }
    let caption = "Means over seeds with 95 % intervals. A line joins the sparsities of one method."
    return Figure(
      series: part.series.filter { shown.series.contains($0.name) }, key: .both, panels: panels,
      caption: caption + shown.sentence
    ).markup
  }

  /// What plots have shown.
  struct Shown {
    /// The names of the series.
    var series: Set<String> = []
    /// The groups that lie outside of the axis of accuracies, each with its own.
    var outside: [String] = []

    /// What a caption says of the groups outside: nothing, or a sentence after a space.
    var sentence: String {
      outside.isEmpty
        ? ""
        : " Far from the others, so drawn at the edge with an arrow: "
          + "\(firstOf(outside, most: 12))."
    }
  }

  /// The plot for a cost; nil: too few groups have it.
  static func panel(for cost: Cost, in part: Part, _ shown: inout Shown) -> Figure.Panel? {
    let all = points(for: cost, in: part)
    guard Set(all.map(\.x)).count > 1 || all.count > 1 && cost.scale == .sparsity else {
      return nil
    }
    shown.series.formUnion(all.map(\.group.seriesName))
    for point in all where point.isOutside {
      let text = "\(point.group.name) (\(fixed(point.y.mean, 2)) %)"
      if !shown.outside.contains(text) { shown.outside.append(text) }
    }
    // Dense networks are lines across, unless there is nothing else.
    func isReference(_ point: Point) -> Bool {
      cost.scale == .sparsity && point.group.method == "dense" && !point.isOutside
    }
    let hasOthers = all.contains { !isReference($0) }
    let references = hasOthers ? all.filter(isReference) : []
    let points = hasOthers ? all.filter { !isReference($0) } : all
    var plot = Plot(
      x: Axis(
        cost.axis, cost.scale, covering: points.map(\.x), length: Plot.across,
        direction: .horizontal, room: 0.1),
      y: accuracyAxis(all),
      label: "Test accuracy against \(cost.axis)")
    for point in references { drawAcross(point, part.style(of: point.group), in: &plot) }
    draw(points, part, movesApart: cost.scale == .sparsity, in: &plot)
    let dense = references.isEmpty ? "" : " The line across is a dense network."
    return Figure.Panel(title: cost.title, picture: plot.svg, caption: cost.caption + dense)
  }

  struct Point {
    var group: RunGroup
    var x: Double
    /// Percent.
    var y: Interval
    /// Whether it is so far from the others that the axis does not reach it.
    var isOutside = false
  }

  private static func points(for cost: Cost, in part: Part) -> [Point] {
    var points = part.finished.compactMap { group -> Point? in
      guard let x = cost.value(group), x.isFinite, cost.scale != .logarithmic || x > 0,
        let y = group.interval(of: { $0.figures.testAccuracy.map { 100 * $0 } })
      else { return nil }
      return Point(group: group, x: x, y: y)
    }
    let bulk = Bulk(of: points.map(\.y.mean), width: 0.25)
    for index in points.indices {
      points[index].isOutside = bulk?.range.contains(points[index].y.mean) == false
    }
    return points
  }

  /// The axis of accuracies. Of wide intervals it need not show the ends: two seeds alone can have
  /// one that is many times wider than all means are apart.
  private static func accuracyAxis(_ points: [Point]) -> Axis {
    let inside = points.filter { !$0.isOutside }
    let means = inside.map(\.y.mean)
    let (least, greatest) = (means.min() ?? 0, means.max() ?? 1)
    let range = max(greatest - least, 0.5)
    var ends = inside.flatMap { point in
      [max(point.y.lower, least - 0.6 * range), min(point.y.upper, greatest + 0.6 * range)]
    }
    // Room for what is drawn at the edges.
    if points.contains(where: { $0.isOutside && $0.y.mean < least }) {
      ends.append(least - 0.2 * range)
    }
    if points.contains(where: { $0.isOutside && $0.y.mean > greatest }) {
      ends.append(greatest + 0.2 * range)
    }
    return Axis(
      "test accuracy, %", covering: means + ends, length: Plot.upward, direction: .vertical)
  }

  /// Draws the points by their series.
  private static func draw(
    _ points: [Point], _ part: Part, movesApart: Bool, in plot: inout Plot
  ) {
    let all = part.series.map { series in
      (series, points.filter { $0.group.seriesName == series.name })
    }.filter { !$0.1.isEmpty }
    let step = movesApart ? min(5, 36 / Double(all.count)) : 0
    var edges: [EdgeMarks.Mark] = []
    for (index, (series, points)) in all.enumerated() {
      let shift = (Double(index) - Double(all.count - 1) / 2) * step
      draw(points, series.style, shift: shift, in: &plot)
      for point in points where point.isOutside {
        guard let place = plot.place(point.x, point.y.mean) else { continue }
        edges.append(
          EdgeMarks.Mark(
            style: series.style, across: place.x + shift, isBelow: place.y > 0,
            label: fixed(point.y.mean, 1), title: "\(point.group.name): \(text(of: point.y))"))
      }
    }
    plot.draw(EdgeMarks(edges, in: plot).markup)
  }

  private static func draw(
    _ points: [Point], _ style: SeriesStyle, shift: Double, in plot: inout Plot
  ) {
    let sorted = points.sorted { ($0.x, $0.y.mean) < ($1.x, $1.y.mean) }
    var marks: Markup = "<path class=\"l\" d=\"\(plot.path(sorted.map { ($0.x, $0.y.mean) }))\"/>"
    if sorted.count < 2 { marks = "" }
    for point in sorted where !point.isOutside {
      guard let place = plot.place(point.x, point.y.mean) else { continue }
      if point.y.halfWidth != nil, let low = plot.place(point.x, point.y.lower),
        let high = plot.place(point.x, point.y.upper)
      {
        marks += """
          <path class="e" d="M\(at: place.x) \(at: low.y)V\(at: high.y)\
          M\(at: place.x - 3) \(at: low.y)h6M\(at: place.x - 3) \(at: high.y)h6"/>
          """
      }
      marks += style.marker(place.x, place.y, title: "\(point.group.name): \(text(of: point.y))")
    }
    let moved: Markup = shift == 0 ? "" : " transform=\"translate(\(at: shift))\""
    plot.draw("<g class=\"\(style.classes)\"\(moved)>\(marks)</g>")
  }

  /// A line across the plot, and the band of its interval.
  private static func drawAcross(_ point: Point, _ style: SeriesStyle, in plot: inout Plot) {
    guard let up = plot.y.position(of: point.y.mean), let low = plot.y.position(of: point.y.lower),
      let high = plot.y.position(of: point.y.upper)
    else { return }
    let (down, length) = (plot.y.length - up, plot.x.length)
    plot.draw(
      """
      <g class="\(style.classes)"><title>\(point.group.name): \(text(of: point.y))</title>\
      <path class="band" d="M0 \(at: plot.y.length - high)H\(at: length)V\(at: plot.y.length - low)H0Z"/>\
      <path class="l" d="M0 \(at: down)H\(at: length)"/>\
      \(style.marker(length - 6, down))</g>
      """)
  }

  private static func text(of accuracy: Interval) -> String {
    fixed(accuracy.mean, 2) + (accuracy.halfWidth.map { " ± " + fixed($0, 2) } ?? "")
      + " % (\(counted(accuracy.count, "seed")))"
  }
}
