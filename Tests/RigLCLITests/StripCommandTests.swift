import Foundation
import Testing

/// `rigl strip`, and the other commands on what it writes.
@Suite struct StripCommandTests {
  private let data: SmallData
  private let folder: TemporaryFolder
  private let thin = ["--set", "hidden=[60,40]", "--sparsity", "0.97", "--distribution", "er"]

  init() throws {
    data = try SmallData()
    folder = try TemporaryFolder()
    try data.train(in: folder("run"), thin)
  }

  private func test(_ run: String, _ more: String...) throws -> NSDictionary {
    let object = try Rigl.run(["evaluate", run, "--json"] + more).object()
    return try #require(object["test"] as? NSDictionary)
  }

  @Test func theFileStandsInTheRunsPlace() throws {
    let outcome = try Rigl.run("strip", folder("run"), "--json")
    #expect(outcome.status == 0, "\(outcome.errors)")
    let object = try outcome.object()
    let file = folder("run/stripped.safetensors")
    #expect(object["file"] as? String == file)
    #expect(object["unchanged"] as? Bool == false)
    #expect(object["step"] as? Int == 75)
    let network = try #require(object["network"] as? [String: Any])
    let after = try #require(network["after"] as? [String: Any])
    let units = try #require(after["units"] as? [Int])
    #expect(units.count == 2 && units[0] < 60 && units[1] < 40)
    let bytes = try folder.bytes(of: "run/stripped.safetensors").count
    #expect(object["file_bytes"] as? Int == bytes)
    // A run is still a run.
    #expect(try Rigl.run("inspect", folder("run")).status == 0)

    let (whole, small) = (
      try test(folder("run")), try test(file, "--data-folder", data.path)
    )
    #expect(whole["accuracy"] as? Double == small["accuracy"] as? Double)
    #expect(whole["samples"] as? Int == small["samples"] as? Int)
    let (one, other) = (
      try Rigl.run("predict", folder("run"), data.testImages),
      try Rigl.run("predict", file, data.testImages)
    )
    func classes(_ outcome: Rigl.Outcome) -> [Substring] {
      outcome.output.split(separator: "\n").map { $0.split(separator: ",")[1] }
    }
    #expect(other.status == 0 && classes(one) == classes(other))
    #expect(classes(one).count == SmallData.testCount + 1)

    let inspected = try Rigl.run("inspect", file, "--json").object()
    #expect(inspected["stripped"] as? Bool == true)
    let described = try #require(inspected["network"] as? [String: Any])
    let layers = try #require(described["layers"] as? [[String: Any]])
    #expect(layers.dropLast().map { $0["live_units"] as? Int } == units)
    #expect(layers.dropLast().map { $0["dead_units"] as? Int } == [0, 0])
    #expect(layers[0]["live_inputs"] as? Int == after["inputs"] as? Int)
    let text = try Rigl.run("inspect", file).output
    #expect(text.contains("of the network alone"), "\(text)")
  }

  /// Some of what is dead has to stay, and nobody says otherwise.
  @Test func whatCanGoIsPromisedAlone() throws {
    let trained = try Rigl.run(data.arguments(["--output", folder("again")] + thin))
    let words = [trained.output, try Rigl.run("inspect", "--help").output].map {
      $0.split { $0.isWhitespace }.joined(separator: " ")
    }
    #expect(words[0].contains("rigl strip removes what can go of the others."), "\(trained)")
    #expect(words[1].contains("rigl strip removes what can go of what is dead"))
  }

  @Test func aSecondTimeNothingIsRemoved() throws {
    let file = folder("once.safetensors")
    #expect(try Rigl.run("strip", folder("run"), "--output", file, "--quiet").output.isEmpty)
    let unnamed = try Rigl.run("strip", file)
    #expect(unnamed.status == 64 && unnamed.errors.contains("--output"), "\(unnamed)")
    let again = try Rigl.run("strip", file, "--output", folder("twice.safetensors"))
    #expect(again.status == 0 && again.output.contains("Nothing could be removed"), "\(again)")
    #expect(
      try test(folder("twice.safetensors"), "--data-folder", data.path)
        == test(file, "--data-folder", data.path))
  }

  @Test func mistakesAreOneLine() throws {
    let file = folder("stripped.safetensors")
    #expect(try Rigl.run("strip", folder("run"), "--best", "--output", file).status == 0)
    let half = try folder.bytes(of: "stripped.safetensors").prefix(500)
    try Data(half).write(to: URL(fileURLWithPath: folder("half.safetensors")))
    let exported = folder("run/sparse.safetensors")
    #expect(try Rigl.run("export", folder("run")).status == 0)
    for (arguments, status, text) in [
      (["strip", folder("none")], 66, "there is no such folder"),
      (["strip", folder("half.safetensors"), "--output", folder("x")], 65, "half.safetensors"),
      (["evaluate", folder("half.safetensors")], 65, "half.safetensors"),
      (["inspect", exported], 66, "not the folder of a run"),
      (["strip", folder("run"), "--output", folder("run/config.yaml")], 64, "a run itself"),
      (["evaluate", file, "--best"], 64, "stripped"),
      (["import", file], 65, "stripped network"),
      (["train", "--start-from", file, "--data", data.path], 65, "stripped network"),
      (["evaluate", file, "--data", "synthetic"], 65, "shape"),
    ] as [([String], Int32, String)] {
      let outcome = try Rigl.run(arguments)
      #expect(outcome.status == status, "\(arguments): \(outcome)")
      #expect(outcome.errors.contains(text), "\(arguments): \(outcome.errors)")
      #expect(outcome.output.isEmpty)
    }
  }

  @Test(arguments: [100, 80, 40]) func linesFit(columns: Int) throws {
    let outcome = try Rigl.run(
      "strip", folder("run"), environment: ["COLUMNS": "\(columns)"])
    #expect(outcome.status == 0)
    let lines = outcome.output.split(separator: "\n").filter { !$0.contains(folder.path) }
    for line in lines { #expect(line.count <= columns, "\(line)") }
    #expect(outcome.output.contains("36-60-40 before"), "\(outcome.output)")
  }

  @Test func trainingSaysWhatIsLive() throws {
    let outcome = try Rigl.run(
      data.arguments(["--output", folder("other")] + thin), environment: ["COLUMNS": "400"])
    #expect(outcome.output.contains("hidden units"), "\(outcome.output)")
    let events = try Rigl.run(data.arguments(["--output", folder("third"), "--json"] + thin))
    let end = try #require(try events.objects().last)
    let widths = try #require(end["live_widths"] as? [Int])
    #expect(widths.count == 4 && end["hidden_units"] as? Int == 100)
    #expect(end["live_units"] as? Int == widths[1] + widths[2])
    #expect(end["live_inputs"] as? Int == widths[0] && end["inputs"] as? Int == 36)
    // The last update's are in the metrics.
    let metrics = try #require(
      String(data: try folder.bytes(of: "third/metrics.csv"), encoding: .utf8))
    let lines = metrics.split(separator: "\n")
    let column = try #require(lines[0].split(separator: ",").firstIndex(of: "live_widths"))
    let row = try #require(lines.last { $0.contains(",update,") })
    let cell = row.split(separator: ",", omittingEmptySubsequences: false)[column]
    #expect(cell.split(separator: "-").compactMap { Int($0) } == widths)
  }
}
