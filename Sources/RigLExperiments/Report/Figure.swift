/// Plots that belong together: one legend, and a caption that says what to see.
struct Figure: Sendable {
  /// One of the plots.
  struct Panel: Sendable {
    var title: String?
    var picture: Markup
    var caption: String?
  }

  var title: String?
  /// The series of the legend, in its order; none: no legend.
  var series: [Series] = []
  /// How the plots show a series.
  var key: Key = .line
  var panels: [Panel]
  var caption: String?
  /// Whether its pictures are small ones.
  var isOfTiles = false

  /// What stands for a series in a legend.
  enum Key: Sendable { case line, marker, both }

  var markup: Markup {
    let title: Markup = self.title.map { "<h3>\($0)</h3>" } ?? ""
    let caption: Markup = self.caption.map { "<figcaption>\($0)</figcaption>" } ?? ""
    let panels = self.panels.map { panel -> Markup in
      let title: Markup = panel.title.map { "<h4>\($0)</h4>" } ?? ""
      let caption: Markup = panel.caption.map { "<p class=\"caption\">\($0)</p>" } ?? ""
      return "<div class=\"panel\">\(title)\(panel.picture)\(caption)</div>\n"
    }
    return """
      <figure><div class="head">\(title)\(legend)</div>
      <div class="\(isOfTiles ? "tiles" : "grid")">\(panels)</div>\(caption)</figure>

      """
  }

  /// The list that says which line is whose.
  private var legend: Markup {
    guard !series.isEmpty else { return "" }
    let items = series.map { each -> Markup in
      "<li>\(each.style.key(line: key != .marker, marker: key != .line))\(each.name)</li>"
    }
    return "<ul class=\"legend\">\(items)</ul>"
  }

  /// Figures one below the other; those of one plot each side by side, with one legend.
  static func arranged(_ figures: [Figure], in part: Part) -> Markup {
    guard figures.count > 1, figures.allSatisfy({ $0.panels.count == 1 }) else {
      return "\(figures.map(\.markup))"
    }
    let shown = Set(figures.flatMap { $0.series.map(\.name) })
    let panels = figures.flatMap { figure in
      figure.panels.map { panel in
        Panel(title: figure.title, picture: panel.picture, caption: figure.caption)
      }
    }
    return Figure(
      series: part.series.filter { shown.contains($0.name) }, key: figures[0].key, panels: panels
    ).markup
  }
}
