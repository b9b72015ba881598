import RigLCore

/// The table of groups.
enum ResultsSection {
  /// A column of figures, all in one unit and with as many decimals.
  struct Column {
    var title: String
    var unit: String
    var factor: Double
    var decimals: Int
    var values: [Interval?]

    /// A column, without an interval where it would be 0 everywhere; nil: no group has the figure.
    ///
    /// - Parameters:
    ///   - suffix: the unit that a letter for thousands, millions and so on is put before.
    ///   - scale: a fixed factor and count of decimals; nil: by the values.
    init?(
      _ title: String, _ suffix: String, of groups: [RunGroup],
      scale: (factor: Double, decimals: Int)? = nil, _ interval: (RunGroup) -> Interval?
    ) {
      let values = groups.map(interval)
      let means = values.compactMap { $0?.mean.magnitude }.filter { $0 > 0 }
      guard values.contains(where: { $0 != nil }) else { return nil }
      (self.title, self.values) = (title, values)
      if let scale {
        (unit, factor, decimals) = (suffix, scale.factor, scale.decimals)
      } else {
        let prefix = MetricPrefix(of: means.max() ?? 1)
        unit = prefix.letter + suffix
        factor = 1 / prefix.factor
        // The least one has two digits or more, but none has more than three decimals.
        let least = (means.min() ?? 1) * factor
        decimals = least >= 100 ? 0 : least >= 10 ? 1 : least >= 1 ? 2 : 3
      }
    }

    var heading: Markup {
      "<th scope=\"col\" class=\"n\">\(title)<span class=\"unit\">\(unit)</span></th>"
    }

    /// A figure and its interval.
    func cell(_ index: Int) -> Markup {
      guard let value = values[index] else { return "<td class=\"n none\">–</td>" }
      return "<td class=\"n\">\(text(of: factor * value.mean))\(width(of: value))</td>"
    }

    private func text(of value: Double) -> String {
      decimals == 0 && value.magnitude < 1e15
        ? grouped(Int(value.rounded())) : fixed(value, decimals)
    }

    private func width(of value: Interval) -> Markup {
      let widths = values.map { $0?.halfWidth.map { fixed(factor * $0, decimals) } ?? nil }
      func isSomething(_ text: String) -> Bool { text.contains { "123456789".contains($0) } }
      guard let widest = widths.compactMap({ $0 }).filter(isSomething).map(\.count).max() else {
        return ""
      }
      let own = value.halfWidth.map { "± " + fixed(factor * $0, decimals) } ?? ""
      return "<span class=\"pm w\(min(widest, 9))\">\(own)</span>"
    }
  }

  /// The columns of figures that groups have.
  static func columns(of groups: [RunGroup]) -> [Column] {
    func column(
      _ title: String, _ unit: String, scale: (Double, Int)? = nil,
      _ figure: @escaping (RunRecord) -> Double?
    ) -> Column? {
      Column(title, unit, of: groups, scale: scale) { $0.interval(of: figure) }
    }
    return [
      column("Test accuracy", "%", scale: (100, 2)) { $0.figures.testAccuracy },
      column("Best weights", "%", scale: (100, 2)) { $0.figures.bestTestAccuracy },
      column("Training", "FLOPs") { $0.figures.trainingFLOPs },
      column("Inference", "FLOPs") { $0.figures.inferenceFLOPs },
      column("Size", "B") { $0.figures.bytes.map(Double.init) },
      column("Connections", "", scale: (1, 0)) { $0.figures.connections.map(Double.init) },
      column("Live units", "%", scale: (100, 1)) { $0.liveShare },
      column("Explored", "%", scale: (100, 1)) { $0.figures.exploredShare },
    ].compactMap { $0 }
  }

  static func markup(of part: Part) -> Markup {
    let groups = part.finished
    guard !groups.isEmpty else { return "" }
    let columns = columns(of: groups)
    guard !columns.isEmpty else { return "" }
    let rows = groups.enumerated().map { index, group -> Markup in
      let isNewMethod = index > 0 && groups[index - 1].method != group.method
      let failed: Markup =
        group.others.isEmpty
        ? "" : "<span class=\"unit\">of \(group.runs.count + group.others.count)</span>"
      return """
        <tr\(isNewMethod ? " class=\"new\"" as Markup : "")>\
        <th scope="row">\(part.style(of: group).key(line: false))\(group.name)</th>\
        <td class="n">\(group.runs.count)\(failed)</td>\(columns.indices.map { columns[$0].cell(index) })</tr>

        """
    }
    return """
      <div class="wide"><table>
      <thead><tr><th scope="col">Group</th><th scope="col" class="n">Seeds</th>\
      \(columns.map(\.heading))</tr></thead>
      <tbody>\(rows)</tbody></table></div>
      <p class="caption">\(caption(columns, groups))</p>

      """
  }

  private static func caption(_ columns: [Column], _ groups: [RunGroup]) -> String {
    var text = "Means over seeds"
    if groups.contains(where: { $0.runs.count > 1 }) {
      text += " ± half the 95 % interval of the mean, by Student’s t"
    }
    if groups.contains(where: { $0.runs.count == 1 }) { text += "; one seed has no interval" }
    let powers = columns.filter { $0.unit != "%" && !$0.unit.isEmpty }
      .compactMap { column -> String? in
        let prefix = MetricPrefix(of: 1 / column.factor)
        return prefix.power.map { "\(prefix.letter) = \($0)" }
      }
    let explained = Set(powers).sorted().joined(separator: ", ")
    return text + "." + (explained.isEmpty ? "" : " \(explained).")
  }
}

extension RunRecord {
  /// The share of hidden units that are joined to inputs and outputs.
  var liveShare: Double? {
    guard let live = figures.liveUnits, let all = figures.hiddenUnits, all > 0 else { return nil }
    return Double(live) / Double(all)
  }
}
