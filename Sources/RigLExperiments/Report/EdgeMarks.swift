/// Points outside of a plot's upward axis, drawn at its edge: a marker, an arrow to where the point is,
/// and its value.
struct EdgeMarks {
  /// One of the points.
  struct Mark {
    var style: SeriesStyle
    /// Where it lies across the plot.
    var across: Double
    /// Whether it lies below the axis, or else above.
    var isBelow: Bool
    /// The value.
    var label: String
    /// What it is, for who points at it.
    var title: String
  }

  private static let rowHeight = 15.0
  /// More rows of labels would hide the plot: what has no room is drawn without one.
  private static let mostRows = 4

  private let marks: [Mark]
  private let plot: Plot

  init(_ marks: [Mark], in plot: Plot) { (self.marks, self.plot) = (marks, plot) }

  var markup: Markup {
    [true, false].reduce(into: Markup()) { markup, isBelow in
      var rows: [[ClosedRange<Double>]] = []
      for mark in marks.filter({ $0.isBelow == isBelow }).sorted(by: { $0.across < $1.across }) {
        let width = 15 + estimatedWidth(mark.label)
        // To the right of the marker, or where there is no room, to the left.
        let isRight = mark.across + width < plot.x.length
        let place =
          isRight ? mark.across - 8...mark.across + width : mark.across - width...mark.across + 8
        let row = rows.firstIndex { $0.allSatisfy { !$0.overlaps(place) } } ?? rows.count
        let hasLabel = row < Self.mostRows
        if row == rows.count, hasLabel { rows.append([]) }
        if hasLabel { rows[row].append(place) }
        markup += self.markup(of: mark, row: hasLabel ? row : 0, isRight, hasLabel: hasLabel)
      }
    }
  }

  private func markup(of mark: Mark, row: Int, _ isRight: Bool, hasLabel: Bool) -> Markup {
    let fromEdge = 8 + Double(row) * Self.rowHeight
    let middle = mark.isBelow ? plot.y.length - fromEdge : fromEdge
    let side = isRight ? 1.0 : -1
    let (arrow, text) = (mark.across + side * 9, mark.across + side * 14)
    let (tip, back) = mark.isBelow ? (middle + 5, -3.0) : (middle - 5, 3)
    let label: Markup = """
      <text class="o"\(isRight ? "" : " text-anchor=\"end\"" as Markup) x="\(at: text)" \
      y="\(at: middle + 4)">\(mark.label)</text>
      """
    return """
      <g class="\(mark.style.classes)">\(mark.style.marker(mark.across, middle, title: "\(mark.title)"))\
      <path class="e" d="M\(at: arrow) \(at: 2 * middle - tip)V\(at: tip)l-3 \(at: back)\
      M\(at: arrow) \(at: tip)l3 \(at: back)"/>\(hasLabel ? label : "")</g>
      """
  }
}
