import RigLCore
import Foundation
import RigLExperiments
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

@Suite struct ReportTests {
  static let samples = [
    "one": Invented.one, "several": Invented.several, "hundred": Invented.hundred,
    "troubled": Invented.troubled, "bare": [bare],
  ]

  /// A run of which little is known.
  static let bare = RunRecord(
    name: "bare", state: .finished, settings: ["method": "rigl", "seed": "0"], program: "1")

  @Test(arguments: samples.keys.sorted())
  func isWellFormedAndComplete(name: String) throws {
    let runs = try #require(Self.samples[name])
    let page = try Report.html(of: runs, title: "T < & \" ' \u{1B} \u{FFFE}")
    let reader = PageReader(page)
    #expect(reader.error == nil, "\(name)")
    #expect(Set(reader.identifiers).count == reader.identifiers.count)
    #expect(reader.links.isSubset(of: reader.identifiers))
    #expect(reader.texts.contains { $0.contains("T < & \" ' \\u{1B} \\u{FFFE}") })
    for run in runs where !run.name.contains("<") {
      #expect(reader.texts.contains(run.name), "\(run.name)")
    }
    // Nothing is fetched, and nothing runs.
    #expect(!reader.elements.contains("script"))
    #expect(!page.contains("url(") && !page.contains("@import"))
    for address in reader.addresses {
      #expect(address.hasPrefix("#") || address.hasPrefix("data:"))
    }
  }

  /// A run that is read from its folder says nothing of the program.
  @Test func programsAreNamedWhereTheyAreKnown() throws {
    var unknown = Self.bare
    (unknown.name, unknown.program) = ("unknown", "")
    #expect(try !Report.html(of: [unknown], title: "T").contains("Program</dt>"))
    let page = try Report.html(of: [unknown, Self.bare], title: "T")
    #expect(page.contains("<dt>Program</dt><dd>1</dd>"))
  }

  @Test func hostileNamesAreText() throws {
    let page = try Report.html(of: Invented.troubled, title: "x")
    #expect(!page.contains("<script"))
    #expect(
      page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;quotes&quot;"))
    #expect(page.contains("\\u{1B}[31m \\u{202E} \\u{FFFF}"))
    #expect(page.contains("of layer &lt;linear1&gt; &amp; co"))
    #expect(page.contains("step 12\u{202F}300 of 20\u{202F}000"))
    #expect(!page.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" })
  }

  @Test(arguments: samples.keys.sorted())
  func theSameRunsGiveTheSamePage(name: String) throws {
    let runs = try #require(Self.samples[name])
    let page = try Report.html(of: runs, title: "x")
    #expect(try Report.html(of: runs.shuffled(), title: "x") == page)
    #expect(try Report.html(of: runs.reversed(), title: "x") == page)
  }

  @Test func secondsStandInMarkedPlacesOnly() throws {
    var slower = Invented.several
    for index in slower.indices {
      slower[index].figures.seconds = 7777
      slower[index].figures.peakMemoryBytes = 5
    }
    let (page, other) = (
      try Report.html(of: Invented.several, title: "x"), try Report.html(of: slower, title: "x")
    )
    #expect(page != other)
    #expect(page.contains("id=\"part-1-seconds\""))
    let without = try Report.html(of: Invented.several, title: "x", measuresSeconds: false)
    #expect(try Report.html(of: slower, title: "x", measuresSeconds: false) == without)
    #expect(!without.contains("<!-- measured seconds -->"))
    #expect(Self.withoutMeasured(page) == without)
    #expect(Self.withoutMeasured(other) == without)
  }

  /// The page without what stands between the marks.
  static func withoutMeasured(_ page: String) -> String {
    let parts = page.components(separatedBy: "<!-- measured seconds -->\n")
    let end = "<!-- /measured seconds -->\n"
    return parts[0] + parts.dropFirst().map { $0.components(separatedBy: end)[1] }.joined()
  }

  @Test func onlySecondsOfRunsAloneAreShown() throws {
    var runs = Invented.one
    runs[0].figures.wasAlone = false
    #expect(!(try Report.html(of: runs, title: "x")).contains("measured seconds"))
  }

  @Test func aHundredRunsAreLessThanThreeMegabytes() throws {
    #expect(Invented.hundred.count == 100)
    #expect(try Report.html(of: Invented.hundred, title: "x").utf8.count < 3_000_000)
  }

  @Test func longHistoriesAreThinnedOut() throws {
    let long = [Invented.run("rigl", 0.98, 0, points: 20_000)]
    #expect(try Report.html(of: long, title: "x").utf8.count < 100_000)
  }

  @Test func whatIsNotKnownHasNoSection() throws {
    let page = try Report.html(of: [Self.bare], title: "x")
    for heading in ["Results", "Learning curves", "Topology", "Layers", "Seconds", "Paired"] {
      #expect(!page.contains("<h2>\(heading)"), "\(heading)")
    }
    #expect(!page.contains("<figure"))
    let reader = PageReader(page)
    #expect(reader.texts.contains("bare"))
  }

  @Test func unfinishedRunsAloneShowTheirCurves() throws {
    var runs = Invented.one
    runs[0].state = .unfinished(step: 5, of: 10)
    runs[0].figures = RunRecord.Figures()
    let page = try Report.html(of: runs, title: "x")
    #expect(page.contains("Validation accuracy") && page.contains("is not finished: step 5 of 10"))
    #expect(!page.contains("<h2>Results"))
  }

  @Test func numbersThatAreNoneDoNoHarm() throws {
    var run = Invented.run("rigl", 0.9, 0)
    run.figures.testAccuracy = .nan
    run.figures.trainingFLOPs = .infinity
    run.figures.inferenceFLOPs = -1
    run.figures.bytes = 0
    run.history?.points[3].loss = .infinity
    run.history?.points[5].accuracy = -.greatestFiniteMagnitude
    run.history?.inputMap?.connections = [1]
    run.history?.ages?.counts = [0]
    run.history?.layers[0].positions = 0
    for runs in [[run], Invented.several + [run]] {
      let page = try Report.html(of: runs, title: "x")
      #expect(PageReader(page).error == nil)
      #expect(!page.contains("nan") && !page.contains("inf\""))
    }
  }

  @Test func failedAndUnfinishedRunsAreInNoMean() throws {
    let page = try Report.html(of: Invented.several, title: "x", measuresSeconds: false)
    var failed = Invented.run("rigl", 0.98, 9)
    failed.figures.testAccuracy = 0.01
    failed.state = .failed("no")
    var stopped = failed
    stopped.name = "stopped"
    stopped.state = .unfinished(step: 1, of: 2)
    let other = try Report.html(
      of: Invented.several + [failed, stopped], title: "x", measuresSeconds: false)
    let table = { (page: String) in
      page.components(separatedBy: "id=\"part-1-costs\"")[1]
        .components(separatedBy: "id=\"part-1-settings\"")[0]
    }
    #expect(table(page) == table(other))
    #expect(other.contains("<b><bdi>stopped</bdi></b> is not finished: step 1 of 2."))
    #expect(other.contains("2 runs failed or unfinished"))
  }

  @Test func noRunsAreAnError() {
    #expect(throws: RigLError.self) { try Report.html(of: [], title: "x") }
  }

  @Test func differencesAreTakenToRigL() throws {
    // rigl − static by seed: 0.02, 0.01, 0.03 → static − rigl is −2 points, s = 1, t₂ s / √3.
    let accuracies = ["rigl": [0.82, 0.83, 0.86], "static": [0.80, 0.82, 0.83]]
    let runs = accuracies.flatMap { method, values in
      values.enumerated().map { seed, value in
        var run = Self.bare
        run.name = "\(method)\(seed)"
        run.settings = ["method": method, "seed": "\(seed)", "sparsity": "0.9"]
        run.figures.testAccuracy = value
        return run
      }
    }
    let page = try Report.html(of: runs, title: "x")
    #expect(page.contains("−2.00<span class=\"pm w8\">± 2.48</span>"))
    #expect(page.contains("static<span class=\"partner\"> − rigl</span>"))
    // 81.67 ± t₂ · 1.5275 / √3
    #expect(page.contains("81.67<span class=\"pm w4\">± 3.79</span>"))
  }

  /// One group far below does not squeeze the differences of the others: half a point is seen.
  @Test func anOutlierIsAtTheEdge() throws {
    let near = Invented.several
    var runs = near
    for seed in 0..<3 {
      var far = Invented.run("small-dense", 0.98, seed)
      far.figures.testAccuracy = 0.4 + 0.001 * Double(seed)
      runs.append(far)
    }
    func costs(_ page: String) -> String {
      page.components(separatedBy: "id=\"part-1-costs\"")[1]
        .components(separatedBy: "id=\"part-1-differences\"")[0]
    }
    let (page, without) = (
      try Report.html(of: runs, title: "x"), try Report.html(of: near, title: "x")
    )
    #expect(costs(page).contains("with an arrow: small-dense 98 % (40.10 %)."))
    #expect(costs(page).contains(">40.1</text>") && !costs(without).contains("with an arrow"))
    // The labels of the axis: a step of two points at most, none of them near 40.
    let ticks = costs(page).matches(of: /x="-8" y="[0-9.]+">([0-9.]+)</).compactMap {
      Double($0.output.1)
    }
    #expect(!ticks.isEmpty && ticks.allSatisfy { $0 > 80 }, "\(ticks)")
    #expect(zip(ticks, ticks.dropFirst()).allSatisfy { $1 < $0 || $1 - $0 <= 2 }, "\(ticks)")
    #expect(page.contains("An arrow at the edge is a difference far from the others."))
    #expect(!without.contains("An arrow at the edge"))
    #expect(PageReader(page).error == nil)
  }

  /// One line for each schedule, and who has it.
  @Test func learningRatesAreDrawnOnce() throws {
    func figure(_ runs: [RunRecord]) throws -> String {
      let page = try Report.html(of: runs, title: "x")
      return page.components(separatedBy: "<h3>Learning rate</h3>")[1]
        .components(separatedBy: "</figure>")[0]
    }
    func lines(_ figure: String) -> Int {
      figure.components(separatedBy: "<path class=\"l\"").count - 1
    }
    var runs = Invented.several
    // A key in the legend, and a line.
    let one = try figure(runs)
    #expect(lines(one) == 2 && one.contains("The line of dense is that of static, set, rigl, too."))
    for index in runs.indices where runs[index].method == "rigl" {
      runs[index].history?.points[4].learningRate = 0.05
    }
    let two = try figure(runs)
    #expect(lines(two) == 4 && two.contains("The line of dense is that of static, set, too."))
  }

  @Test func networksAreShownApart() throws {
    let page = try Report.html(of: Invented.troubled, title: "x")
    #expect(page.contains("<h2 class=\"part\">hidden [1568, 1568, 1568]</h2>"))
    #expect(page.contains("<h2 class=\"part\">hidden [300, 100]</h2>"))
    #expect(page.contains("Not counted, for another run has the same settings and seed"))
  }
}

/// What a page consists of, read as XML.
final class PageReader: NSObject, XMLParserDelegate {
  private(set) var elements: Set<String> = []
  private(set) var identifiers: Set<String> = []
  private(set) var links: Set<String> = []
  private(set) var addresses: [String] = []
  private(set) var texts: [String] = []
  private(set) var error: String?
  private var text = ""

  init(_ page: String) {
    super.init()
    let parser = XMLParser(data: Data(page.utf8))
    parser.delegate = self
    if !parser.parse() {
      error = "line \(parser.lineNumber): \(parser.parserError.map { "\($0)" } ?? "")"
    }
  }

  func parser(
    _ parser: XMLParser, didStartElement name: String, namespaceURI: String?,
    qualifiedName: String?, attributes: [String: String]
  ) {
    endText()
    elements.insert(name)
    if let id = attributes["id"] { identifiers.insert(id) }
    for address in [attributes["href"], attributes["src"]].compactMap({ $0 }) {
      addresses.append(address)
      if address.hasPrefix("#") { links.insert(String(address.dropFirst())) }
    }
  }

  func parser(_ parser: XMLParser, foundCharacters string: String) { text += string }
  func parser(
    _ parser: XMLParser, didEndElement: String, namespaceURI: String?, qualifiedName: String?
  ) { endText() }

  private func endText() {
    if !text.isEmpty { texts.append(text) }
    text = ""
  }
}
