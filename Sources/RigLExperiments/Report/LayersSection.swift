/// The layers at the end of training: their densities and dead units.
enum LayersSection {
  static func markup(of part: Part) -> Markup {
    let density = figure(
      part, title: "Density by layer", axis: "active connections, % of positions",
      caption: "Where the connections are. Bars of one layer that differ between methods show "
        + "connections that moved from layer to layer, or another distribution.",
      share: { $0.positions > 0 ? Double($0.connections) / Double($0.positions) : nil })
    let dead = figure(
      part, title: "Dead units by layer", axis: "dead units, %",
      caption: "Units that no path of connections joins to inputs and outputs: rigl strip takes "
        + "them out.",
      share: { layer in
        let all = layer.liveUnits + layer.deadUnits
        return all > 0 ? Double(layer.deadUnits) / Double(all) : nil
      })
    return Figure.arranged([density, dead].compactMap(\.self), in: part)
  }

  private static func figure(
    _ part: Part, title: String, axis: String, caption: String,
    share: @escaping (RunHistory.Layer) -> Double?
  ) -> Figure? {
    var shown: Set<String> = []
    let panels = part.facets.compactMap { facet -> Figure.Panel? in
      let bars = Bars(
        facet.groups.compactMap { group in part.network(of: group).map { (group, $0) } },
        share: share)
      guard bars.hasSomething else { return nil }
      shown.formUnion(bars.groups.map(\.seriesName))
      return Figure.Panel(
        title: facet.title,
        picture: bars.picture(
          part, axis: axis, label: "\(title)\(facet.title.map { ", \($0)" } ?? "")"))
    }
    guard !panels.isEmpty else { return nil }
    return Figure(
      title: title, series: part.legend(of: shown), key: .marker, panels: panels,
      caption: caption
        + (part.groups.count > 1 ? " In the order of the legend." : "") + part.networksSentence)
  }
}

/// A share for each layer and group, as bars side by side; as markers on a line for each layer where
/// that would be too many bars.
private struct Bars {
  private(set) var groups: [RunGroup] = []
  private var layers: [String] = []
  /// Percent, by group and name of the layer.
  private var shares: [[String: Double]] = []

  init(_ all: [(RunGroup, RunHistory)], share: (RunHistory.Layer) -> Double?) {
    for (group, history) in all {
      var own: [String: Double] = [:]
      for layer in history.layers {
        guard let share = share(layer) else { continue }
        if !layers.contains(layer.name) { layers.append(layer.name) }
        own[layer.name] = 100 * share
      }
      guard !own.isEmpty else { continue }
      groups.append(group)
      shares.append(own)
    }
  }

  var hasSomething: Bool { shares.contains { $0.values.contains { $0 > 0 } } }

  private static let (barHeight, gap) = (11.0, 10.0)
  private var isOfBars: Bool { layers.count * groups.count <= 64 }
  private var rowHeight: Double {
    isOfBars ? Double(groups.count) * Self.barHeight + Self.gap : 18
  }

  func picture(_ part: Part, axis: String, label: String) -> Markup {
    let left = min(118, 10 + (layers.map { estimatedWidth($0) }.max() ?? 0))
    let right = isOfBars ? 44.0 : 16
    let x = Axis(
      axis, covering: [0] + shares.flatMap(\.values), length: Plot.width - left - right,
      direction: .horizontal, room: 0.02, startsAtLeast: true, label: trimmed)
    let height = Double(layers.count) * rowHeight
    var content = Markup()
    for tick in x.ticks {
      guard let across = x.position(of: tick.value) else { continue }
      content += """
        <path class="g" d="M\(at: across) 0V\(at: height)"/>\
        <text text-anchor="middle" x="\(at: across)" y="\(at: height + 16)">\(tick.label)</text>
        """
    }
    for (row, layer) in layers.enumerated() {
      let top = Double(row) * rowHeight
      content += """
        <text text-anchor="end" x="-8" y="\(at: top + rowHeight / 2 + 4)">\
        \(layer.shortened(to: left - 8))<title>\(layer)</title></text>
        """
      content += marks(of: layer, from: top, part, x)
    }
    return """
      <svg class="plot" viewBox="0 0 \(at: Plot.width) \(at: height + 46)" role="img" \
      aria-label="\(label)"><g transform="translate(\(at: left) 4)">\(content)\
      <path class="a" d="M0 0V\(at: height)"/></g><text class="t" text-anchor="middle" \
      x="\(at: left + x.length / 2)" y="\(at: height + 40)">\(axis)</text></svg>
      """
  }

  private func marks(of layer: String, from top: Double, _ part: Part, _ x: Axis) -> Markup {
    var marks = Markup()
    for (index, group) in groups.enumerated() {
      guard let share = shares[index][layer], let across = x.position(of: share) else { continue }
      let style = part.style(of: group)
      let text = trimmed((share * 100).rounded() / 100)
      let title: Markup = "\(group.name), \(layer): \(text) %"
      guard isOfBars else {
        marks += "<g class=\"\(style.classes)\">\(style.marker(across, top + 9, title: title))</g>"
        continue
      }
      let y = top + Self.gap / 2 + Double(index) * Self.barHeight
      marks += """
        <g class="\(style.classes)"><rect class="\(style.isHollow ? "bar h" : "bar")" x="0" y="\(at: y + 1)" \
        width="\(at: across)" height="\(at: Self.barHeight - 2)"><title>\(title)</title></rect>\
        <text class="v" x="\(at: across + 5)" y="\(at: y + 9)">\(text)</text></g>
        """
    }
    return marks
  }
}
