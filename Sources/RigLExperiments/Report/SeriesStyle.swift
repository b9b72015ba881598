/// How a series is drawn: a colour and a marker by its method, a dash and a filling by the rest, so
/// that no two series need colours to be told apart.
struct SeriesStyle: Hashable, Sendable {
  /// One of the colours of the stylesheet.
  let color: Int
  /// One of `shapes`.
  let shape: Int
  /// One of the dashes of the stylesheet; markers of odd ones are hollow.
  let variant: Int

  static let colors = 10
  static let dashes = 4

  /// The outlines of markers about the origin.
  static let shapes = [
    "M4 0A4 4 0 1 1-4 0A4 4 0 1 1 4 0Z",
    "M-3.6-3.6H3.6V3.6H-3.6Z",
    "M0-4.8L4.6 3.4H-4.6Z",
    "M0-5L5 0L0 5L-5 0Z",
    "M0 4.8L4.6-3.4H-4.6Z",
    "M-1.6-4.6H1.6V-1.6H4.6V1.6H1.6V4.6H-1.6V1.6H-4.6V-1.6H-1.6Z",
    "M-4.8 0L3.4-4.6V4.6Z",
    "M0-4.8L4.6-1.5L2.8 3.9H-2.8L-4.6-1.5Z",
    "M4.8 0L-3.4-4.6V4.6Z",
    "M-4-4L0-1.8L4-4L1.8 0L4 4L0 1.8L-4 4L-1.8 0Z",
  ]

  /// The classes of an element that shows the series.
  var classes: String { "s\(color) v\(variant)" }
  var isHollow: Bool { !variant.isMultiple(of: 2) }

  /// The marker at a place.
  func marker(_ x: Double, _ y: Double, title: Markup = "") -> Markup {
    let kind: Markup = isHollow ? "m h" : "m"
    guard !title.isEmpty else {
      return "<use class=\"\(kind)\" href=\"#m\(shape)\" x=\"\(at: x)\" y=\"\(at: y)\"/>"
    }
    return """
      <use class="\(kind)" href="#m\(shape)" x="\(at: x)" y="\(at: y)"><title>\(title)</title></use>
      """
  }

  /// The outlines of all markers, once a page.
  static var definitions: Markup {
    let paths = shapes.enumerated().map { index, path -> Markup in
      "<path id=\"m\(index)\" d=\"\(path)\"/>"
    }
    return
      "<svg class=\"definitions\" width=\"0\" height=\"0\" aria-hidden=\"true\"><defs>\(paths)</defs></svg>"
  }

  /// A line, and a marker on it, for legends and tables.
  func key(line: Bool = true, marker: Bool = true) -> Markup {
    let path: Markup = line ? "<path class=\"l\" d=\"M1 6H29\"/>" : ""
    let (width, middle) = line ? (30, 15.0) : (12, 6.0)
    return """
      <svg class="key \(classes)" width="\(width)" height="12" viewBox="0 0 \(width) 12" \
      aria-hidden="true">\(path)\(marker ? self.marker(middle, 6) : "")</svg>
      """
  }
}

/// Groups that a line in a plot joins: they differ in sparsity.
struct Series: Sendable {
  let name: String
  let style: SeriesStyle
  let groups: [RunGroup]

  /// The series of groups. RigL's is the first colour, if it is there.
  static func all(of groups: [RunGroup]) -> [Series] {
    var names: [String] = []
    for group in groups where !names.contains(group.seriesName) { names.append(group.seriesName) }
    let byName = Dictionary(grouping: groups, by: \.seriesName)
    func method(_ name: String) -> String { byName[name]?.first?.method ?? "" }
    let methods = Set(names.map(method)).sorted {
      ($0 == "rigl") == ($1 == "rigl") ? MethodOrder.precedes($0, $1) : $0 == "rigl"
    }
    var seen: [String: Int] = [:]
    return names.enumerated().map { index, name in
      let variant = seen[method(name), default: 0]
      seen[method(name)] = variant + 1
      // Of one method alone the colours are free to tell the rest apart.
      let look = methods.count > 1 ? methods.firstIndex(of: method(name)) ?? 0 : index
      let rounds = look / SeriesStyle.colors
      let style = SeriesStyle(
        color: look % SeriesStyle.colors,
        shape: (look + 3 * rounds) % SeriesStyle.shapes.count,
        variant: (methods.count > 1 ? variant : rounds) % SeriesStyle.dashes)
      return Series(name: name, style: style, groups: byName[name] ?? [])
    }
  }
}
