import Foundation

/// Pictures of how many connections go out of each input.
enum InputMaps {
  /// The longest side of a picture; larger ones are averaged over squares.
  private static let longestSide = 64

  static func markup(of part: Part) -> Markup {
    let panels = part.groups.filter { $0.method != "dense" }.compactMap { panel(of: $0, part) }
    guard !panels.isEmpty else { return "" }
    return Figure(
      title: "Input map", panels: panels,
      caption:
        "Connections that leave each input pixel. A method that finds where the information is "
        + "leaves the margins dark; connections at random places cover the picture evenly."
        + part.networksSentence,
      isOfTiles: true
    ).markup
  }

  private static func panel(of group: RunGroup, _ part: Part) -> Figure.Panel? {
    guard let map = part.network(of: group)?.inputMap, map.width > 0, map.height > 0,
      map.connections.count == map.width * map.height
    else { return nil }
    let (values, width) = reduced(map.connections.map(Double.init), width: map.width)
    let most = values.max() ?? 0
    let levels = values.map { value in
      most > 0 ? UInt8((value / most * Double(ColorRamp.count - 1)).rounded()) : 0
    }
    let png = PNG(levels: levels, width: width, palette: ColorRamp.colors)
    let scale = "0 to \(trimmed((most * 10).rounded() / 10)) per pixel"
    let picture: Markup = """
      <img class="map" alt="Input map of \(group.name)" width="\(width)" \
      height="\(levels.count / width)" src="data:image/png;base64,\(png.base64)"/>
      """
    return Figure.Panel(title: group.name, picture: picture, caption: scale)
  }

  /// Means over squares, where the picture is too large.
  private static func reduced(_ values: [Double], width: Int) -> ([Double], Int) {
    let height = values.count / width
    let side = (max(width, height) + longestSide - 1) / longestSide
    guard side > 1 else { return (values, width) }
    let (across, down) = ((width + side - 1) / side, (height + side - 1) / side)
    let means = (0..<down * across).map { square -> Double in
      let (row, column) = square.quotientAndRemainder(dividingBy: across)
      let rows = row * side..<min((row + 1) * side, height)
      let columns = column * side..<min((column + 1) * side, width)
      let sum = rows.reduce(0) { sum, y in columns.reduce(sum) { $0 + values[y * width + $1] } }
      return sum / Double(rows.count * columns.count)
    }
    return (means, across)
  }
}

/// Colours from dark to bright, of evenly rising lightness.
enum ColorRamp {
  static let count = 64

  /// Stops, of red, green and blue.
  private static let stops: [(Double, Double, Double)] = [
    (13, 18, 38), (24, 52, 112), (24, 108, 168), (66, 168, 190), (164, 216, 190), (252, 250, 220),
  ]

  static let colors: [(red: UInt8, green: UInt8, blue: UInt8)] = (0..<count).map { level in
    let place = Double(level) / Double(count - 1) * Double(stops.count - 1)
    let index = min(Int(place), stops.count - 2)
    let (a, b, share) = (stops[index], stops[index + 1], place - Double(index))
    func mixed(_ x: Double, _ y: Double) -> UInt8 { UInt8((x + (y - x) * share).rounded()) }
    return (mixed(a.0, b.0), mixed(a.1, b.1), mixed(a.2, b.2))
  }
}
