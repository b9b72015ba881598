import RigLCore

/// The settings of the runs: those in which they differ, and those common to all.
enum SettingsSection {
  /// A table of a part's groups by the settings in which they differ.
  static func differing(in part: Part) -> Markup {
    let keys = part.grouping.differing
    guard !keys.isEmpty else { return "" }
    let rows = part.groups.map { group -> Markup in
      let seeds = (group.runs + group.others).map(\.seed)
      let values = keys.map { key -> Markup in
        guard let value = group.settings[key] else { return "<td class=\"none\">default</td>" }
        return "<td>\(value)</td>"
      }
      return """
        <tr><th scope="row">\(part.style(of: group).key(line: false))\(group.name)</th>\(values)\
        <td>\(Set(seeds).sorted(by: isOrdered).joined(separator: ", "))</td></tr>

        """
    }
    let headings = keys.map { key -> Markup in "<th scope=\"col\">\(key)</th>" }
    return """
      <div class="wide"><table class="settings">
      <thead><tr><th scope="col">Group</th>\(headings)<th scope="col">seed</th></tr></thead>
      <tbody>\(rows)</tbody></table></div>

      """
  }

  /// A list of the settings that all runs have with the same value.
  static func common(to runs: [RunRecord]) -> Markup {
    guard let first = runs.first else { return "" }
    let common = first.settings.filter { setting in
      runs.allSatisfy { $0.settings[setting.key] == setting.value }
    }
    guard !common.isEmpty else { return "" }
    let items = common.sorted { $0.key < $1.key }.map { key, value -> Markup in
      "<div><dt>\(key)</dt><dd>\(value)</dd></div>\n"
    }
    return """
      <dl class="common">
      \(items)</dl>
      <p class="caption">Settings that are not named have their defaults.</p>

      """
  }
}

/// The runs one by one.
enum RunsSection {
  /// The runs that have no figures to count, with their sentences.
  static func notice(of runs: [RunRecord]) -> Markup {
    let items = runs.compactMap { run -> Markup? in
      switch run.state {
      case .finished: return nil
      case .failed(let sentence):
        let lines = sentence.split(whereSeparator: \.isNewline).map { line -> Markup in
          "<span class=\"line\">\(String(line))</span>"
        }
        return "<li><b><bdi>\(run.name)</bdi></b> failed: \(lines)</li>\n"
      case .unfinished(let step, let all):
        return """
          <li><b><bdi>\(run.name)</bdi></b> is not finished: step \(grouped(step)) of \
          \(grouped(all)).</li>

          """
      }
    }
    guard !items.isEmpty else { return "" }
    let isAlone = items.count == runs.count
    return """
      <section id="unfinished" class="notice"><h2>\(heading(items.count))</h2>
      <ul>
      \(items)</ul>
      <p class="caption">\(isAlone ? "There is no finished run: curves show how far these came."
      : "They are in no mean, interval or curve.")</p></section>

      """
  }

  private static func heading(_ count: Int) -> String {
    "\(counted(count, "run")) failed or unfinished"
  }

  /// A table of all runs.
  static func table(of parts: [Part]) -> Markup {
    let rows = parts.flatMap { part in
      part.groups.flatMap { group in
        (group.runs + group.repeats + group.others).map { row(of: $0, in: group, part) }
      }
    }
    let repeats = parts.flatMap(\.groups).flatMap(\.repeats).map(\.name)
    let note: Markup =
      repeats.isEmpty
      ? ""
      : """
      <p class="caption">Not counted, for another run has the same settings and seed: \
      <bdi>\(firstOf(repeats, most: 20))</bdi>.</p>

      """
    return """
      <div class="wide"><table class="settings">
      <thead><tr><th scope="col">Run</th><th scope="col">Group</th>\
      <th scope="col" class="n">Seed</th><th scope="col">State</th>\
      <th scope="col" class="n">Test accuracy<span class="unit">%</span></th>\
      <th scope="col" class="n">Test loss</th><th scope="col">Program</th></tr></thead>
      <tbody>\(rows)</tbody></table></div>
      \(note)
      """
  }

  private static func row(of run: RunRecord, in group: RunGroup, _ part: Part) -> Markup {
    let state =
      switch run.state {
      case .finished: "finished"
      case .failed: "failed"
      case .unfinished: "unfinished"
      }
    let figures = run.figures
    return """
      <tr><th scope="row"><bdi>\(run.name)</bdi></th>\
      <td>\(part.style(of: group).key(line: false))\(group.name)</td>\
      <td class="n">\(run.seed)</td><td>\(state)</td>\
      <td class="n">\(figures.testAccuracy.map { fixed(100 * $0, 2) } ?? "–")</td>\
      <td class="n">\(figures.testLoss.map { fixed($0, 4) } ?? "–")</td><td>\(run.program)</td></tr>

      """
  }
}
