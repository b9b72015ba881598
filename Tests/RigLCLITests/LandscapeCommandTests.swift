import Foundation
import Testing

/// `rigl landscape` and `rigl gradient-flow`, and what `rigl report` makes of both.
@Suite struct LandscapeCommandTests {
  private let data: SmallData
  private let folder: TemporaryFolder

  init() throws {
    data = try SmallData()
    folder = try TemporaryFolder()
    for (name, seed) in [("a", "1"), ("b", "2")] {
      try data.train(
        in: folder(name), ["--seed", seed, "--set", "track_gradient_norm=true"])
    }
  }

  private func evaluation(_ name: String) throws -> (loss: Double, accuracy: Double) {
    let test = try #require(
      try Rigl.run("evaluate", folder(name), "--json").object()["test"] as? [String: Any])
    return (
      try #require(test["loss"] as? Double), try #require(test["accuracy"] as? Double)
    )
  }

  @Test func aLandscapeIsMeasuredAndDrawn() throws {
    let outcome = try Rigl.run(
      "landscape", folder("a"), folder("b"), "--points", "5", "--steps", "40", "--json")
    #expect(outcome.status == 0, "\(outcome)")
    let object = try outcome.object()
    let file = folder("a/landscape-b.csv")
    #expect(object["file"] as? String == file && object["runs"] as? [String] == ["a", "b"])
    #expect(object["train_samples"] as? Int == 500 && object["test_samples"] as? Int == 120)
    let paths = try #require(object["paths"] as? [[String: Any]])
    #expect(paths.map { $0["path"] as? String } == ["linear", "bezier"])
    for path in paths {
      let points = try #require(path["points"] as? [[String: Double]])
      #expect(points.map { $0["t"] } == [0, 0.25, 0.5, 0.75, 1])
      for (point, name) in [(points[0], "a"), (points[4], "b")] {
        let (loss, accuracy) = try evaluation(name)
        #expect(abs(try #require(point["test_loss"]) - loss) < 1e-6)
        #expect(point["test_accuracy"] == accuracy)
      }
      #expect(try #require(path["train_barrier"] as? Double) >= 0)
    }
    let lines = String(decoding: try folder.bytes(of: "a/landscape-b.csv"), as: UTF8.self)
      .split(separator: "\n")
    #expect(lines.count == 11 && lines[0].hasPrefix("t,path,train_loss,train_accuracy,"))
    #expect(lines[1...].allSatisfy { $0.hasSuffix(",a,b") })
    // As a run is a run with it, it is one report's.
    let page = try Rigl.run("report", folder("a"), "--output", folder("page.html"))
    #expect(page.status == 0, "\(page)")
    let html = String(decoding: try folder.bytes(of: "page.html"), as: UTF8.self)
    #expect(html.contains("<h2>Loss landscape") && html.contains("a (t = 0) to b (t = 1)"))
    #expect(html.contains("Gradient flow"))

    // The same bits by one thread, in another file, that a report is told of.
    let again = try Rigl.run(
      "landscape", folder("a"), folder("b"), "--points", "5", "--steps", "40", "--threads", "1",
      "--output", folder("again.csv"), "--quiet")
    #expect(again.status == 0 && again.output.isEmpty && again.errors.isEmpty, "\(again)")
    #expect(try folder.bytes(of: "again.csv") == folder.bytes(of: "a/landscape-b.csv"))
    let other = try Rigl.run(
      "report", folder("b"), "--landscape", folder("again.csv"), "--output", folder("b.html"))
    #expect(other.status == 0, "\(other)")
    #expect(
      String(decoding: try folder.bytes(of: "b.html"), as: UTF8.self).contains("<h2>Loss landscape")
    )
    // A damaged one of a run's folder is named, and not fatal; one that is asked for is.
    try folder.write("t,path\n", to: "b/landscape-x.csv")
    let damaged = try Rigl.run("report", folder("b"), "--output", folder("c.html"))
    #expect(damaged.status == 0 && damaged.errors.contains("landscape-x.csv is left out"))
    let asked = try Rigl.run(
      "report", folder("b"), "--landscape", folder("b/landscape-x.csv"), "--output",
      folder("d.html"))
    #expect(asked.status == 65 && asked.errors.contains("not the columns of a landscape"))
    #expect(try !folder.names().contains("d.html"))
  }

  @Test func onePathAndSomeSamplesAreMeasured() throws {
    let outcome = try Rigl.run(
      [
        "landscape", folder("a"), folder("b"), "--path", "linear", "--points", "3", "--samples",
        "90",
      ],
      environment: ["COLUMNS": "60"])
    #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome)")
    #expect(!outcome.output.contains("bezier"))
    let words = outcome.output.split { $0.isWhitespace }.joined(separator: " ")
    #expect(words.contains("90 training and 90 test samples"))
    let lines = outcome.output.split(separator: "\n").filter { !$0.contains(folder.path) }
    #expect(lines.allSatisfy { $0.count <= 60 })
  }

  @Test func mistakesAreOneLineAndNothingIsWritten() throws {
    try data.train(in: folder("wide"), ["--set", "hidden=[24,20]"])
    try data.train(in: folder("few"), ["--set", "train_samples=300"])
    try data.train(in: folder("broken"))
    #expect(try Rigl.run("strip", folder("a"), "--output", folder("s.safetensors")).status == 0)
    for name in try folder.names(in: "broken/checkpoints") {
      try folder.write("no", to: "broken/checkpoints/\(name)")
    }
    let (a, b) = (folder("a"), folder("b"))
    let before = try [".", "a", "b"].map { try folder.names(in: $0) }
    for (arguments, status, text) in [
      ([a, folder("wide")], 64, "other networks: layer 3 is "),
      ([a, folder("few")], 64, "trained on other samples"),
      ([a, folder("none")], 66, "none: there is no such folder"),
      ([folder("broken"), a], 65, "broken/checkpoints"),
      ([a, folder("s.safetensors")], 64, "a stripped network"),
      ([a, b, "--points", "1"], 64, "--points: 1 is not in 2...10001"),
      ([a, b, "--steps", "0"], 64, "--steps: 0 is not"),
      ([a, b, "--learning-rate", "-1"], 64, "learning-rate"),
      ([a, b, "--path", "cubic"], 64, "cubic"),
      ([a, b, "--data-folder", folder("none")], 66, "none"),
      ([a, b, "--output", folder("a/metrics.csv")], 64, "a file of the run itself"),
      (
        [a, b, "--output", folder("no/x.csv"), "--points", "2", "--path", "linear"], 74, "no/x.csv"
      ),
    ] as [([String], Int32, String)] {
      let outcome = try Rigl.run(["landscape"] + arguments)
      #expect(outcome.status == status, "\(arguments): \(outcome)")
      #expect(outcome.errors.contains(text), "\(arguments): \(outcome.errors)")
      #expect(outcome.output.isEmpty)
    }
    #expect(try [".", "a", "b"].map { try folder.names(in: $0) } == before)
    // Of other data in the place of the run's.
    let others = try SmallData(trainCount: 400)
    let other = try Rigl.run("landscape", a, b, "--data-folder", others.path)
    #expect(other.status == 65 && other.errors.contains("bring it back"), "\(other)")
  }

  @Test func normsArePrinted() throws {
    let outcome = try Rigl.run("gradient-flow", folder("a"), "--json")
    #expect(outcome.status == 0, "\(outcome)")
    let results = try #require(
      try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [[String: Any]])
    let norms = try #require(results.first?["norms"] as? [[String: Any]])
    let steps = try #require(norms.map { $0["step"] as? Int } as? [Int])
    let kinds = norms.map { $0["kind"] as? String }
    // 75 steps, an update every tenth up to three quarters.
    #expect(steps == [0, 0, 10, 20, 30, 40, 50])
    #expect(kinds == ["initialisation"] + Array(repeating: "after_update", count: 6))
    #expect(norms.allSatisfy { $0["norm"] as? Double ?? 0 > 0 })
    let csv = try Rigl.run("gradient-flow", folder("a"), folder("b"), "--csv")
    let lines = csv.output.split(separator: "\n")
    #expect(csv.status == 0 && lines[0] == "run,round,step,kind,norm" && lines.count == 15)
    #expect(lines[1].hasPrefix("\(folder("a")),,0,initialisation,"))
    let text = try Rigl.run("gradient-flow", folder("a"))
    #expect(text.output.contains("after update") && text.output.contains("initialisation"))

    #expect(try Rigl.run("tensorboard", folder("a"), "--output", folder("events")).status == 0)
    let file = try #require(try folder.names(in: "events/a").first)
    let events = try folder.bytes(of: "events/a/\(file)")
    for kind in ["initialisation", "after_update"] {
      #expect(events.range(of: Data("gradient_norm/\(kind)".utf8)) != nil, "\(kind)")
    }

    try data.train(in: folder("plain"))
    for (arguments, status, words) in [
      (["gradient-flow", folder("a"), folder("plain")], 65, "track_gradient_norm=true"),
      (["gradient-flow", folder("none")], 66, "there is no run"),
      (["gradient-flow", folder("a"), "--csv", "--json"], 64, "exclude each other"),
    ] as [([String], Int32, String)] {
      let wrong = try Rigl.run(arguments)
      #expect(wrong.status == status && wrong.errors.contains(words), "\(wrong)")
      #expect(wrong.output.isEmpty)
    }
  }
}
