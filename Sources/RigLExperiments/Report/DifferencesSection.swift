import RigLCore

/// The paired differences of a part's groups against those of a baseline.
enum DifferencesSection {
  /// The setting that is compared, its baseline and the differences to it.
  struct Comparison {
    /// What the baseline is called.
    var baseline: String
    var rows: [Row]
    /// Groups that no group of the baseline is comparable with.
    var withoutPartner: [RunGroup]
  }

  /// A group against one of the baseline that is equal in all else.
  struct Row {
    var group: RunGroup
    var partner: RunGroup
    /// Of test accuracies, percentage points.
    var paired: PairedDifference
  }

  /// The comparison of a part: of methods, or where there is one alone, of the first setting that
  /// tells groups apart, sparsity last. The baseline is RigL, or else what comes first.
  static func comparison(in part: Part) -> Comparison? {
    let groups = part.finished
    let telling = part.grouping.telling.filter { $0 != "sparsity" } + ["sparsity"]
    guard let key = telling.first(where: { key in Set(groups.map { $0.settings[key] }).count > 1 })
    else { return nil }
    let values = groups.map { $0.settings[key] }
    let baseline = key == "method" && values.contains("rigl") ? "rigl" : values[0]
    let others = Set(part.grouping.telling).subtracting([key])
    let partners = groups.filter { $0.settings[key] == baseline }
    var comparison = Comparison(
      baseline: name(of: key, baseline), rows: [], withoutPartner: [])
    for group in groups where group.settings[key] != baseline {
      let rows = partners.filter { isComparable(group, $0, equalIn: others) }
        .compactMap { row(of: group, against: $0) }
      comparison.rows += rows
      if rows.isEmpty { comparison.withoutPartner.append(group) }
    }
    return comparison.rows.isEmpty ? nil : comparison
  }

  private static func name(of key: String, _ value: String?) -> String {
    let text = value ?? "the default"
    return key == "method" ? text : "\(key) \(text)"
  }

  /// Whether two groups are equal in some settings. The sparsity of a dense network says nothing.
  private static func isComparable(
    _ a: RunGroup, _ b: RunGroup, equalIn keys: Set<String>
  ) -> Bool {
    let isDense = a.method == "dense" || b.method == "dense"
    return keys.allSatisfy { key in
      a.settings[key] == b.settings[key] || isDense && key == "sparsity"
    }
  }

  private static func row(of group: RunGroup, against partner: RunGroup) -> Row? {
    let compared = Set(group.settings.keys).union(partner.settings.keys)
      .filter { group.settings[$0] != partner.settings[$0] }
    let paired = PairedDifference(
      pairing: group.runs, partner.runs, comparing: compared,
      figure: { $0.figures.testAccuracy.map { 100 * $0 } })
    return paired.difference == nil ? nil : Row(group: group, partner: partner, paired: paired)
  }

  // MARK: - The table

  static func markup(of part: Part) -> Markup {
    guard let comparison = comparison(in: part) else { return "" }
    let forest = Forest(comparison.rows.compactMap(\.paired.difference))
    let leavesOut = comparison.rows.contains { $0.paired.leftOut > 0 }
    let rows = comparison.rows.enumerated().map { index, row -> Markup in
      let isNew = index > 0 && comparison.rows[index - 1].group.method != row.group.method
      return markup(of: row, in: part, forest, isNew: isNew, leavesOut: leavesOut)
    }
    let leftOut: Markup =
      leavesOut ? "<th scope=\"col\" class=\"n\">Left out<span class=\"unit\">runs</span></th>" : ""
    return """
      <div class="wide"><table class="forest">
      <thead><tr><th scope="col">Group − its partner</th>\
      <th scope="col" class="n">Difference<span class="unit">points</span></th>\
      <th scope="col" class="picture">\(forest.axis)</th>\
      <th scope="col" class="n">Pairs</th>\(leftOut)</tr></thead>
      <tbody>\(rows)</tbody></table></div>
      <p class="caption">\(caption(comparison, forest))</p>

      """
  }

  private static func markup(
    of row: Row, in part: Part, _ forest: Forest, isNew: Bool, leavesOut: Bool
  ) -> Markup {
    guard let difference = row.paired.difference else { return "" }
    let style = part.style(of: row.group)
    let width = difference.halfWidth.map { "± " + fixed($0, 2) } ?? "one pair"
    let leftOut: Markup = leavesOut ? "<td class=\"n\">\(row.paired.leftOut)</td>" : ""
    return """
      <tr\(isNew ? " class=\"new\"" as Markup : "")>\
      <th scope="row">\(style.key(line: false))\(row.group.name)\
      <span class="partner"> − \(row.partner.name)</span></th>\
      <td class="n">\(signed(difference.mean, 2))<span class="pm w8">\(width)</span></td>\
      <td class="picture">\(forest.row(difference, style))</td>\
      <td class="n">\(difference.count)</td>\(leftOut)</tr>

      """
  }

  private static func caption(_ comparison: Comparison, _ forest: Forest) -> String {
    var text =
      "Test accuracy in percentage points, run for run of the same seed and settings: left of "
      + "the line, \(comparison.baseline) is better. An interval (95 %, Student’s t) that "
      + "crosses the line decides nothing; a single pair has none."
    if comparison.rows.contains(where: { $0.paired.difference.map(forest.isOutside) ?? false }) {
      text += " An arrow at the edge is a difference far from the others."
    }
    if !comparison.withoutPartner.isEmpty {
      let names = comparison.withoutPartner.map(\.name)
      text += " Without a partner: \(firstOf(names, most: 12))."
    }
    return text
  }
}

/// The pictures in a table of differences: each row has its interval on a common axis.
struct Forest {
  static let (width, height) = (260.0, 36.0)
  private let x: Axis

  init(_ differences: [Interval]) {
    // A difference far from the others is an arrow at the edge: its number stands beside it.
    let bulk = Bulk(of: [0] + differences.map(\.mean), width: 0.1)
    let inside = differences.filter { bulk?.range.contains($0.mean) != false }
    let means = inside.map(\.mean)
    let (least, greatest) = (min(means.min() ?? 0, 0), max(means.max() ?? 0, 0))
    // Intervals of few pairs may be very wide: they are cut off, and end without a stroke.
    let most = max(greatest - least, 0.2)
    let ends = inside.flatMap {
      [max($0.lower, least - most), min($0.upper, greatest + most)]
    }
    x = Axis(
      "", covering: [0] + means + ends, length: Self.width - 24, direction: .horizontal,
      room: 0.04)
  }

  /// Whether a difference lies outside of the axis.
  func isOutside(_ difference: Interval) -> Bool {
    x.position(of: difference.mean).map { !(0...x.length ~= $0) } ?? false
  }

  var axis: Markup {
    let labels = x.ticks.compactMap { tick in
      x.position(of: tick.value).map { across -> Markup in
        """
        <text text-anchor="middle" x="\(at: across + 12)" y="12">\(tick.label)</text>\
        <path class="a" d="M\(at: across + 12) 17v5"/>
        """
      }
    }
    return picture(of: "\(labels)", height: 22)
  }

  func row(_ difference: Interval, _ style: SeriesStyle) -> Markup {
    let (middle, right) = (Self.height / 2, x.length + 12)
    var marks = Markup()
    for tick in x.ticks {
      guard let across = x.position(of: tick.value) else { continue }
      let kind = tick.value == 0 ? "zero" : "g"
      marks += "<path class=\"\(kind)\" d=\"M\(at: across + 12) 0V\(at: Self.height)\"/>"
    }
    guard let mean = x.position(of: difference.mean), let low = x.position(of: difference.lower),
      let high = x.position(of: difference.upper)
    else { return picture(of: marks) }
    guard !isOutside(difference) else {
      let (edge, tip) = mean < 0 ? (20.0, 8.0) : (x.length + 4, x.length + 16)
      let back = mean < 0 ? 4.0 : -4
      marks += style.marker(edge, middle)
      marks += """
        <path class="i" d="M\(at: edge) \(at: middle)H\(at: tip)l\(at: back) -4\
        M\(at: tip) \(at: middle)l\(at: back) 4"/>
        """
      return picture(of: "<g class=\"\(style.classes)\">\(marks)</g>")
    }
    if difference.halfWidth != nil {
      let (from, to) = (max(low + 12, 12), min(high + 12, right))
      marks += "<path class=\"i\" d=\"M\(at: from) \(at: middle)H\(at: to)"
      if low >= 0 { marks += "M\(at: from) \(at: middle - 4)v8" }
      if high + 12 <= right { marks += "M\(at: to) \(at: middle - 4)v8" }
      marks += "\"/>"
    }
    marks += style.marker(mean + 12, middle)
    return picture(of: "<g class=\"\(style.classes)\">\(marks)</g>")
  }

  private func picture(of marks: Markup, height: Double = Self.height) -> Markup {
    """
    <svg class="forest" viewBox="0 0 \(at: Self.width) \(at: height)" \
    aria-hidden="true">\(marks)</svg>
    """
  }
}
