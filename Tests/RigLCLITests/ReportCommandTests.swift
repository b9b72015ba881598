import Foundation
import Testing

/// `rigl report`, `rigl compare` and `rigl tensorboard`: what they make of runs that a sweep has trained.
@Suite struct ReportCommandTests {
  private func sweep(_ folder: TemporaryFolder) throws {
    try folder.write(
      SweepCommandTests.common + """
        groups:
          - settings: {track_ages: true}
            each: {method: [static, rigl], seed: [0, 1, 2]}
          - each: {method: [dense], seed: [0, 1]}
        """, to: "sweep.yaml")
    let outcome = try Rigl.run("sweep", folder("sweep.yaml"), "--output", folder("out"))
    #expect(outcome.status == 0, "\(outcome)")
  }

  private func accuracies(_ folder: TemporaryFolder) throws -> [String: [Double]] {
    let listed = try Rigl.run("runs", folder("out"), "--json")
    let runs = try JSONSerialization.jsonObject(with: Data(listed.output.utf8)) as? [[String: Any]]
    var accuracies: [String: [Double]] = [:]
    for run in try #require(runs) {
      let settings = try #require(run["settings"] as? [String: String])
      accuracies[try #require(settings["method"]), default: []].append(
        try #require(run["test_accuracy"] as? Double))
    }
    return accuracies
  }

  @Test func differencesAreThoseOfPairs() throws {
    let folder = try TemporaryFolder()
    try sweep(folder)
    let compared = try Rigl.run("compare", folder("out"), "--json")
    #expect(compared.status == 0, "\(compared)")
    let rows = try #require(
      try JSONSerialization.jsonObject(with: Data(compared.output.utf8)) as? [[String: Any]])
    let row = try #require(
      rows.first {
        $0["runs"] as? String == "rigl 90 %" && $0["against"] as? String == "static 90 %"
      })
    // Runs are sorted by name, and so by seed.
    let all = try accuracies(folder)
    let (rigl, fixed) = (try #require(all["rigl"]), try #require(all["static"]))
    let differences = zip(rigl, fixed).map { 100 * ($0 - $1) }
    let mean = differences.reduce(0, +) / 3
    let variance = differences.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 2
    #expect(abs(try #require(row["difference"] as? Double) - mean) < 1e-9)
    // t of 2 degrees of freedom.
    let halfWidth = 4.302652729911275 * (variance / 3).squareRoot()
    #expect(abs(try #require(row["half_width"] as? Double) - halfWidth) < 1e-9)
    #expect(row["pairs"] as? Int == 3 && row["left_out"] as? Int == 0)
    let dense = rows.first { row in
      row["against"] as? String == "dense" && row["runs"] as? String == "rigl 90 %"
    }
    #expect(dense?["pairs"] as? Int == 2 && dense?["left_out"] as? Int == 1, "\(rows)")
    for width in [40, 80] {
      let text = try Rigl.run(["compare", folder("out")], environment: ["COLUMNS": "\(width)"])
      #expect(text.status == 0 && text.output.contains("rigl"))
      #expect(text.output.split(separator: "\n").allSatisfy { $0.count <= width })
    }

    let page = try Rigl.run("report", folder("out"), "--output", folder("page.html"))
    #expect(page.status == 0 && page.output.contains("8 runs"), "\(page)")
    let html = String(decoding: try folder.bytes(of: "page.html"), as: UTF8.self)
    for word in [
      "<svg", "rigl", "Paired differences", "Learning curves", "Topology", "prefers-color",
    ] {
      #expect(html.contains(word), "\(word)")
    }
    #expect(!html.contains("<script") && !html.contains("http://") || html.contains("w3.org"))
    // A single run, and a table without folders, have a page, too.
    let name = try #require(try folder.names(in: "out/runs").first)
    for path in ["out/runs/\(name)", "out/results.csv"] {
      let one = try Rigl.run("report", folder(path), "--output", folder("one.html"), "--quiet")
      #expect(one.status == 0 && one.output.isEmpty, "\(one)")
    }
    let events = try Rigl.run("tensorboard", folder("out"), "--output", folder("events"))
    #expect(events.status == 0 && events.output.hasPrefix("8 runs below"), "\(events)")
    #expect(try folder.names(in: "events").count == 8)
    let again = try Rigl.run(
      "tensorboard", folder("out/runs/\(name)"), "--output", folder("events"))
    #expect(again.status == 0)
    let files = try folder.names(in: "events/\(name)")
    #expect(files.count == 1 && files[0].hasPrefix("events.out.tfevents."))
    let bytes = try folder.bytes(of: "events/\(name)/\(files[0])")
    for tag in ["loss/validation", "accuracy/test", "weights/fc1"] {
      #expect(bytes.range(of: Data(tag.utf8)) != nil, "\(tag)")
    }
  }

  /// A run that is killed while it keeps an event file goes on with one that has all of it once.
  @Test func killedRunsKeepTheirEvents() throws {
    let folder = try TemporaryFolder()
    try folder.write(
      SweepCommandTests.common.replacingOccurrences(of: "steps: 40", with: "steps: 3000")
        .replacingOccurrences(of: "settings: {", with: "{log_every: 2, "), to: "run.yaml")
    var arguments = [
      "train", folder("run.yaml"), "--output", folder("run"), "--tensorboard", "--quiet",
    ]
    for milliseconds: UInt32 in [900, 700, 1100] {
      let command = try RunningCommand(arguments)
      usleep(milliseconds * 1000)
      command.send(SIGKILL)
      _ = try command.wait()
      guard try folder.names().contains("run") else { continue }
      arguments = ["train", "--resume", folder("run"), "--quiet"]
    }
    let last = try Rigl.run(arguments)
    #expect(last.status == 0, "\(last)")
    let names = try folder.names(in: "run").filter { $0.hasPrefix("events.out.tfevents.") }
    #expect(names.count == 1)
    let own = try folder.bytes(of: "run/\(try #require(names.first))")
    // What is converted has nothing twice and is whole: that is the file which the run has.
    let converted = try Rigl.run("tensorboard", folder("run"), "--output", folder("events"))
    #expect(converted.status == 0, "\(converted)")
    #expect(try folder.bytes(of: "events/run/\(names[0])") == own)
    for tag in ["loss/train", "accuracy/validation", "topology/connections_moved", "weights/fc1"] {
      #expect(own.range(of: Data(tag.utf8)) != nil, "\(tag)")
    }
    // A sweep's runs have one if it is asked for.
    try folder.write(
      SweepCommandTests.common + "each: {method: [rigl], seed: [0, 1]}", to: "sweep.yaml")
    let swept = try Rigl.run(
      "sweep", folder("sweep.yaml"), "--output", folder("out"), "--tensorboard")
    #expect(swept.status == 0, "\(swept)")
    for name in try folder.names(in: "out/runs") {
      let files = try folder.names(in: "out/runs/\(name)")
      #expect(files.contains { $0.hasPrefix("events.out.tfevents.") }, "\(files)")
    }
  }

  /// What only networks say is of one run of each group: others are not opened for it.
  @Test func oneNetworkOfEachGroupIsOpened() throws {
    let folder = try TemporaryFolder()
    try folder.write(
      SweepCommandTests.common + "each: {method: [static, rigl], seed: [0, 1]}", to: "sweep.yaml")
    #expect(try Rigl.run("sweep", folder("sweep.yaml"), "--output", folder("out")).status == 0)
    func damage(_ run: String) throws {
      let name = try #require(try folder.names(in: "out/runs").first { $0.hasPrefix(run) })
      try folder.write(
        "nothing", to: "out/runs/\(name)/checkpoints/step-000000040.safetensors")
    }
    func report() throws -> (errors: [Substring], densities: Int) {
      let page = try Rigl.run("report", folder("out"), "--output", folder("page.html"))
      #expect(page.status == 0, "\(page)")
      let html = String(decoding: try folder.bytes(of: "page.html"), as: UTF8.self)
      let plot = "aria-label=\"Density by layer\""
      let panel = try #require(html.components(separatedBy: plot).last)
        .components(separatedBy: "</svg>")[0]
      return (
        page.errors.split(separator: "\n"), panel.components(separatedBy: "<rect").count - 1
      )
    }
    let whole = try report()
    #expect(whole.errors.isEmpty && whole.densities == 4)
    try damage("rigl-0.9-seed1")
    let same = try report()
    #expect(same.errors.isEmpty && same.densities == 4)
    // The next seed's is taken, if there is one.
    try damage("static-0.9-seed0")
    let other = try report()
    #expect(other.errors.count { $0.contains("what happened in ") } == 1, "\(other.errors)")
    #expect(other.densities == 4)
    try damage("rigl-0.9-seed0")
    let fewer = try report()
    #expect(fewer.errors.count { $0.contains("what happened in ") } == 3, "\(fewer.errors)")
    #expect(fewer.densities == 2)
  }

  @Test func whatCannotBeComparedIsSaid() throws {
    let folder = try TemporaryFolder()
    try folder.write(
      SweepCommandTests.common + """
        groups:
          - each: {method: [static], seed: [0]}
          - settings: {train_samples: 200}
            each: {method: [rigl], seed: [0]}
        """, to: "sweep.yaml")
    #expect(try Rigl.run("sweep", folder("sweep.yaml"), "--output", folder("out")).status == 0)
    let names = try folder.names(in: "out/runs")
    let other = try Rigl.run(
      "compare", folder("out/runs/\(names[0])"), folder("out/runs/\(names[1])"))
    #expect(other.status == 64 && other.errors.contains("train_samples is "), "\(other)")
    let none = try Rigl.run("compare", folder("out"))
    #expect(none.status == 65 && none.errors.contains("nothing to compare"), "\(none)")
    let own = try Rigl.run(
      "report", folder("out"), "--output", folder("out/runs/\(names[0])/metrics.csv"))
    #expect(own.status == 64 && own.errors.contains("a file of the run itself"), "\(own)")
    let missing = try Rigl.run("report", folder("none"), "--output", folder("page.html"))
    #expect(missing.status == 66 && missing.errors.contains("there is no such run"), "\(missing)")
    let place = try Rigl.run("report", folder("out"), "--output", folder("no/page.html"))
    #expect(place.status == 74, "\(place)")
    let events = try Rigl.run("tensorboard", folder("none"))
    #expect(events.status == 66 && events.errors.contains("there is no run"), "\(events)")
  }
}
