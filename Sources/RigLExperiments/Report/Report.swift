import RigLCore

/// The page that `rigl report` writes: runs compared, in one file that needs nothing else.
package enum Report {
  /// The page of runs, as HTML that is well-formed XML too. The same runs give the same bytes,
  /// however they are listed.
  ///
  /// - Parameters:
  ///   - runs: the runs, of unique names.
  ///   - landscapes: the loss along paths between runs, these or others.
  ///   - title: the title of the page.
  ///   - measuresSeconds: whether measured seconds and memory are shown, which are never twice the
  ///     same.
  /// - Throws: a `RigLError` where there is no run.
  package static func html(
    of runs: [RunRecord], landscapes: [Landscape] = [], title: String,
    measuresSeconds: Bool = true
  ) throws(RigLError) -> String {
    guard !runs.isEmpty else {
      throw RigLError(.missingFile, "there is no run to report", hint: "Train one first.")
    }
    let runs = runs.sorted { $0.name < $1.name }
    let parts = Part.all(of: runs)
    let bodies = parts.map { sections(of: $0, measuresSeconds: measuresSeconds) }
    let closing = closing(runs, landscapes, parts)
    let page: Markup = """
      <!DOCTYPE html>
      <html lang="en" xmlns="http://www.w3.org/1999/xhtml"><head><meta charset="utf-8"/>
      <meta name="viewport" content="width=device-width, initial-scale=1"/>
      <meta name="color-scheme" content="light dark"/>
      <title>\(title)</title>
      <link rel="icon" href="data:,"/>
      <style>
      \(Stylesheet.css)</style></head>
      <body>\(SeriesStyle.definitions)
      <header><h1>\(title)</h1>
      \(summary(of: runs, parts))</header>
      \(contents(parts, bodies, closing))<main>
      \(RunsSection.notice(of: runs))\(zip(parts, bodies).map { markup(of: $0, $1) })\
      \(closing.map(\.markup))</main>
      </body></html>

      """
    return page.text
  }

  /// A section with its heading.
  private struct Section {
    var identifier: String
    var heading: String
    var body: Markup
    /// The whole, where the heading is inside already.
    var isWhole = false

    var markup: Markup {
      guard !isWhole else { return body }
      return """
        <section id="\(identifier)"><h2>\(heading)</h2>
        \(body)</section>

        """
    }
  }

  private static func sections(of part: Part, measuresSeconds: Bool) -> [Section] {
    let id = part.identifier
    let layers = LayersSection.markup(of: part) + InputMaps.markup(of: part)
    let seconds = measuresSeconds ? SecondsSection.markup(of: part) : ""
    return [
      Section(
        identifier: "\(id)-results", heading: "Results", body: ResultsSection.markup(of: part)),
      Section(
        identifier: "\(id)-costs", heading: "Accuracy against cost",
        body: CostSection.markup(of: part)),
      Section(
        identifier: "\(id)-differences", heading: "Paired differences",
        body: DifferencesSection.markup(of: part)),
      Section(identifier: "\(id)-seconds", heading: "Seconds", body: seconds, isWhole: true),
      Section(
        identifier: "\(id)-curves", heading: "Learning curves",
        body: TrainingSections.curves(of: part)),
      Section(
        identifier: "\(id)-topology", heading: "Topology", body: TrainingSections.topology(of: part)
      ),
      Section(identifier: "\(id)-layers", heading: "Layers and inputs", body: layers),
      Section(
        identifier: "\(id)-settings", heading: "Settings that differ",
        body: SettingsSection.differing(in: part)),
    ].filter { !$0.body.isEmpty }
  }

  private static func closing(
    _ runs: [RunRecord], _ landscapes: [Landscape], _ parts: [Part]
  ) -> [Section] {
    [
      Section(
        identifier: "landscapes", heading: "Loss landscape",
        body: LandscapeSection.markup(of: landscapes)),
      Section(
        identifier: "common-settings",
        heading: runs.count > 1 ? "Settings common to all" : "Settings",
        body: SettingsSection.common(to: runs)),
      Section(
        identifier: "runs", heading: runs.count > 1 ? "Runs" : "Run",
        body: RunsSection.table(of: parts)),
    ].filter { !$0.body.isEmpty }
  }

  private static func markup(of part: Part, _ sections: [Section]) -> Markup {
    guard let title = part.title else { return "\(sections.map(\.markup))" }
    return """
      <article id="\(part.identifier)"><h2 class="part">\(title)</h2>
      \(sections.map(\.markup))</article>

      """
  }

  /// The list of sections at the top.
  private static func contents(
    _ parts: [Part], _ bodies: [[Section]], _ closing: [Section]
  ) -> Markup {
    func links(_ sections: [Section]) -> [Markup] {
      sections.map { section in
        let link: Markup = "<li><a href=\"#\(section.identifier)\">\(section.heading)</a></li>\n"
        // With its section, what is measured is left out of comparisons.
        guard section.isWhole else { return link }
        return "<!-- measured seconds -->\n\(link)<!-- /measured seconds -->\n"
      }
    }
    let lists = zip(parts, bodies).map { part, sections -> Markup in
      let title: Markup =
        part.title.map { "<li class=\"part\"><a href=\"#\(part.identifier)\">\($0)</a></li>\n" }
        ?? ""
      return "<ul>\(title)\(links(sections))</ul>\n"
    }
    guard parts.count > 1 else {
      let all = (bodies.first ?? []) + closing
      return "<nav aria-label=\"Contents\"><ul>\(links(all))</ul></nav>\n"
    }
    return "<nav aria-label=\"Contents\">\(lists)<ul>\(links(closing))</ul></nav>\n"
  }

  // MARK: - What is compared

  private static func summary(of runs: [RunRecord], _ parts: [Part]) -> Markup {
    let groups = parts.reduce(0) { $0 + $1.groups.count }
    let unfinished = runs.filter { $0.state != .finished }.count
    var facts = [
      ("Runs", "\(runs.count)" + (unfinished > 0 ? ", \(unfinished) without figures" : "")),
      ("Methods", methods(of: runs)),
      ("Seeds", list(runs.map(\.seed))),
      ("Data", list(runs.map { $0.settings["data"] ?? "default" })),
    ]
    // Only a table of runs says which program trained them.
    let programs = runs.map(\.program).filter { !$0.isEmpty }
    if !programs.isEmpty { facts.append(("Program", list(programs))) }
    if groups > 1 { facts.insert(("Groups", "\(groups), seeds apart"), at: 1) }
    let items = facts.map { name, value -> Markup in "<div><dt>\(name)</dt><dd>\(value)</dd></div>"
    }
    return "<dl class=\"facts\">\(items)</dl>\n"
  }

  private static func methods(of runs: [RunRecord]) -> String {
    Set(runs.map(\.method)).sorted(by: MethodOrder.precedes).joined(separator: ", ")
  }

  private static func list(_ values: [String]) -> String {
    firstOf(Set(values).sorted { isOrdered($0, $1) }, most: 12)
  }
}
