/// A plot: two axes and what is drawn between them.
struct Plot: Sendable {
  static let width = 380.0
  static let (left, right, top, bottom) = (50.0, 16.0, 30.0, 44.0)
  /// The lengths of the axes of plots of the usual size.
  static let across = width - left - right
  static let upward = 190.0

  let x: Axis
  let y: Axis
  /// What it shows, for those who cannot see it.
  let label: String
  /// Whether what lies outside of the axes is cut off.
  var clips = true
  private(set) var content = Markup()

  init(x: Axis, y: Axis, label: String) {
    (self.x, self.y, self.label) = (x, y, label)
  }

  /// Where a point lies between the axes; nil: nowhere.
  func place(_ x: Double, _ y: Double) -> (x: Double, y: Double)? {
    guard let across = self.x.position(of: x), let up = self.y.position(of: y) else { return nil }
    return (across, self.y.length - up)
  }

  mutating func draw(_ markup: Markup) { content += markup }

  /// The path through points, broken where one is nowhere.
  func path(_ points: [(x: Double, y: Double)]) -> String {
    var (text, isDown) = ("", false)
    for point in points {
      guard let place = place(point.x, point.y) else {
        isDown = false
        continue
      }
      text += "\(isDown ? "L" : "M")\(coordinate(place.x)) \(coordinate(place.y))"
      isDown = true
    }
    return text
  }

  /// The picture.
  var svg: Markup {
    let height = Self.top + y.length + Self.bottom
    return """
      <svg class="plot" viewBox="0 0 \(at: Self.width) \(at: height)" role="img" \
      aria-label="\(label)"><text class="t" x="0" y="12">\(y.title)</text>\
      <g transform="translate(\(at: Self.left) \(at: Self.top))">\(grid)\
      <svg width="\(at: x.length)" height="\(at: y.length)" \
      overflow="\(clips ? "hidden" : "visible")">\(content)</svg></g>\
      <text class="t" text-anchor="middle" x="\(at: Self.left + x.length / 2)" \
      y="\(at: height - 6)">\(x.title)</text></svg>
      """
  }

  /// Lines across at the ticks of y, the line of x, and the labels of both.
  private var grid: Markup {
    var grid = Markup()
    for tick in y.ticks {
      guard let up = y.position(of: tick.value) else { continue }
      let down = y.length - up
      grid += "<path class=\"g\" d=\"M0 \(at: down)H\(at: x.length)\"/>"
      grid += "<text text-anchor=\"end\" x=\"-8\" y=\"\(at: down + 4)\">\(tick.label)</text>"
    }
    grid += "<path class=\"a\" d=\"M0 \(at: y.length)H\(at: x.length)\"/>"
    for tick in x.ticks {
      guard let across = x.position(of: tick.value) else { continue }
      grid += "<path class=\"a\" d=\"M\(at: across) \(at: y.length)v4\"/>"
      grid += """
        <text text-anchor="middle" x="\(at: across)" y="\(at: y.length + 17)">\(tick.label)</text>
        """
    }
    return grid
  }
}
