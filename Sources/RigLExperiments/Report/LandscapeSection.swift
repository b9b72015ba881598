/// The loss along paths between runs.
enum LandscapeSection {
  /// A figure for each landscape, however they are listed.
  static func markup(of landscapes: [Landscape]) -> Markup {
    let sorted = landscapes.sorted { a, b in
      let (one, other) = (LandscapeFile.csv(a), LandscapeFile.csv(b))
      return (a.first, a.second, one) < (b.first, b.second, other)
    }
    guard !sorted.isEmpty else { return "" }
    return "<p class=\"caption\">\(introduction)</p>\n\(sorted.map { figure(of: $0).markup })"
  }

  private static let introduction =
    "The loss of networks between two runs, on the union of their connections. A hill on the linear path: "
    + "the two have found different valleys. A curve that stays low where the linear path rises: a bent "
    + "valley joins them."

  /// What a plot shows of a point.
  private struct Quantity {
    var title: String
    /// The quantity and its unit.
    var axis: String
    var value: (Landscape.Point) -> Double
    var isLoss = true
  }

  private static var quantities: [Quantity] {
    [
      Quantity(title: "Training loss", axis: "training loss", value: { $0.trainLoss }),
      Quantity(title: "Test loss", axis: "test loss", value: { $0.testLoss }),
      Quantity(
        title: "Test accuracy", axis: "test accuracy, %", value: { 100 * $0.testAccuracy },
        isLoss: false),
    ]
  }

  private static let straight = SeriesStyle(color: 9, shape: 9, variant: 2)

  private static func style(of path: LandscapePath) -> SeriesStyle {
    switch path {
    case .linear: SeriesStyle(color: 1, shape: 1, variant: 0)
    case .bezier: SeriesStyle(color: 0, shape: 0, variant: 0)
    }
  }

  private static func name(of path: LandscapePath) -> String {
    switch path {
    case .linear: "linear path"
    case .bezier: "trained Bézier curve"
    }
  }

  private static func figure(of landscape: Landscape) -> Figure {
    let series =
      landscape.curves.map {
        Series(name: name(of: $0.path), style: style(of: $0.path), groups: [])
      }
      + [Series(name: "straight line between the ends", style: straight, groups: [])]
    return Figure(
      title: "\(landscape.first) (t = 0) to \(landscape.second) (t = 1)", series: series,
      panels: quantities.map { quantity in
        Figure.Panel(
          title: quantity.title,
          picture: picture(of: landscape, quantity))
      }, caption: caption(of: landscape))
  }

  private static func caption(of landscape: Landscape) -> String {
    let barriers = landscape.curves.map { curve in
      "\(name(of: curve.path)) \(fixed(curve.barrier(\.trainLoss), 3)) on training and "
        + "\(fixed(curve.barrier(\.testLoss), 3)) on test samples"
    }
    return "Barrier, the greatest height above the straight line between the ends: "
      + "\(barriers.joined(separator: "; "))."
  }

  private static func picture(of landscape: Landscape, _ quantity: Quantity) -> Markup {
    let values = landscape.curves.flatMap { $0.points.map(quantity.value) }
    var plot = Plot(
      x: Axis(
        "t, place on the path", covering: [0, 1], length: Plot.across, direction: .horizontal,
        room: 0, label: trimmed),
      y: Axis(
        quantity.axis, covering: quantity.isLoss ? [0] + values : values, length: Plot.upward,
        direction: .vertical, startsAtLeast: quantity.isLoss),
      label: "\(quantity.title) from \(landscape.first) to \(landscape.second)")
    if let points = landscape.curves.first?.points, points.count > 1 {
      let ends = [points[0], points[points.count - 1]]
      plot.draw(path(ends, quantity, straight, "straight line between the ends", in: plot))
    }
    for curve in landscape.curves {
      plot.draw(
        path(curve.points, quantity, style(of: curve.path), name(of: curve.path), in: plot))
    }
    return plot.svg
  }

  private static func path(
    _ points: [Landscape.Point], _ quantity: Quantity, _ style: SeriesStyle, _ name: String,
    in plot: Plot
  ) -> Markup {
    let path = plot.path(points.map { ($0.t, quantity.value($0)) })
    return """
      <g class="\(style.classes)"><title>\(name)</title><path class="l" d="\(path)"/></g>
      """
  }
}
