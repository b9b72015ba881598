/// What was measured and is another value the next time: seconds and memory. All of it is here,
/// between two comments, so that a comparison of reports can leave it out.
enum SecondsSection {
  static func markup(of part: Part) -> Markup {
    let groups = part.finished.filter { seconds(of: $0) != nil }
    guard !groups.isEmpty else { return "" }
    let columns = [
      ResultsSection.Column("Training", "s", of: groups, scale: (1, 1), seconds(of:)),
      ResultsSection.Column("Peak memory", "B", of: groups) { group in
        Interval(of: alone(group).compactMap { $0.figures.peakMemoryBytes.map(Double.init) })
      },
    ].compactMap { $0 }
    let rows = groups.enumerated().map { index, group -> Markup in
      """
      <tr><th scope="row">\(part.style(of: group).key(line: false))\(group.name)</th>\
      <td class="n">\(alone(group).count)</td>\(columns.map { $0.cell(index) })</tr>

      """
    }
    return """
      <!-- measured seconds -->
      <section id="\(part.identifier)-seconds"><h2>Seconds</h2>
      <div class="beside">\(plot(of: part))<div class="wide"><table><thead><tr><th scope="col">Group</th>\
      <th scope="col" class="n">Runs</th>\(columns.map(\.heading))</tr></thead>
      <tbody>\(rows)</tbody></table></div></div>
      <p class="caption">Only of runs that nothing else ran beside. Seconds and memory are measured: \
      they differ a little each time.</p></section>
      <!-- /measured seconds -->

      """
  }

  private static func plot(of part: Part) -> Markup {
    let cost = CostSection.Cost(
      title: "", axis: "seconds of training (logarithmic)", scale: .logarithmic,
      caption: "Accuracy for the time that a training takes. Farther up and left is better.",
      value: { seconds(of: $0)?.mean })
    var shown = CostSection.Shown()
    guard var panel = CostSection.panel(for: cost, in: part, &shown) else { return "" }
    panel.title = nil
    panel.caption = (panel.caption ?? "") + shown.sentence
    return Figure(
      series: part.series.filter { shown.series.contains($0.name) }, key: .both, panels: [panel]
    ).markup
  }

  private static func alone(_ group: RunGroup) -> [RunRecord] {
    (group.runs + group.repeats).filter(\.figures.wasAlone)
  }

  private static func seconds(of group: RunGroup) -> Interval? {
    Interval(of: alone(group).compactMap(\.figures.seconds))
  }
}
