import Foundation
import Testing

/// `rigl sweep` and `rigl runs`: what is trained, what is not trained again, and what is said.
@Suite struct SweepCommandTests {
  static let common =
    "settings: {data: synthetic, train_samples: 300, test_samples: 100, hidden: [12], batch_size: 20, "
    + "validation: 50, update_interval: 4, steps: 40, checkpoint_every: 5}\n"

  /// The lines of a table without measured figures, sorted.
  private func figures(_ folder: TemporaryFolder, _ name: String) throws -> [String] {
    let text = String(decoding: try folder.bytes(of: "\(name)/results.csv"), as: UTF8.self)
    let lines = text.split(separator: "\n").map { $0.split(separator: ",", maxSplits: 16) }
    let header = try #require(lines.first)
    #expect(header[16].hasPrefix("seconds,was_alone,peak_memory_bytes,program,settings"))
    return lines.map { $0.prefix(16).joined(separator: ",") }.sorted()
  }

  @Test func everyRunIsTrainedOnceAndAFailedOneIsNamed() throws {
    let folder = try TemporaryFolder()
    try folder.write(
      Self.common + """
        groups:
          - each: {method: [static, rigl], seed: [0, 1]}
          - each: {method: [static], seed: [2], learning_rate: [1e30]}
        """, to: "sweep.yaml")
    let arguments = ["sweep", folder("sweep.yaml"), "--output", folder("out"), "--jobs", "2"]
    let dry = try Rigl.run(arguments + ["--dry-run"])
    #expect(dry.status == 0 && dry.output.hasSuffix("5 runs, 0 finished\n"), "\(dry.output)")
    #expect(try folder.names() == ["sweep.yaml"])
    let untimed = try Rigl.run(arguments + ["--untimed"])
    #expect(untimed.status == 70, "\(untimed)")
    #expect(untimed.output.contains("2 runs finished, 1 failed, 2 left"), "\(untimed.output)")
    #expect(untimed.errors.contains("-seed2-"))
    #expect(untimed.errors.contains(" failed: step "))
    let first = try Rigl.run(arguments)
    #expect(first.status == 70 && first.output.contains("4 runs finished, 1 failed"))
    #expect(first.output.split(separator: "\n").count == 3, "\(first.output)")
    let table = try folder.bytes(of: "out/results.csv")
    let again = try Rigl.run(arguments + ["--json"])
    #expect(again.status == 70 && again.output.isEmpty, "\(again.output)")
    #expect(try folder.bytes(of: "out/results.csv") == table)

    let runs = try Rigl.run("runs", folder("out"), "--json")
    let list = try JSONSerialization.jsonObject(with: Data(runs.output.utf8)) as? [[String: Any]]
    let states = try #require(list).compactMap { $0["state"] as? String }
    #expect(states.filter { $0 == "finished" }.count == 4 && states.count == 5)
    let csv = try Rigl.run("runs", folder("out"), "--csv")
    #expect(csv.output.split(separator: "\n").count == 6)
    #expect(csv.output.contains("failed: step "))
    let text = try Rigl.run(
      ["runs", folder("out"), folder("out/results.csv")], environment: ["COLUMNS": "60"])
    #expect(text.output.split(separator: "\n").allSatisfy { $0.count <= 60 }, "\(text.output)")
    #expect(text.output.contains("finished"))
  }

  /// The run that a sweep trains is the one that the same settings are trained to alone.
  @Test func theRunIsTheOneOfItsSettings() throws {
    let folder = try TemporaryFolder()
    try folder.write(Self.common + "each: {method: [rigl], seed: [3]}", to: "sweep.yaml")
    let swept = try Rigl.run("sweep", folder("sweep.yaml"), "--output", folder("out"))
    #expect(swept.status == 0, "\(swept)")
    let name = try #require(try folder.names(in: "out/runs").first)
    let alone = try Rigl.run(
      "train", folder("out/runs/\(name)/config.yaml"), "--output", folder("alone"), "--threads", "2"
    )
    #expect(alone.status == 0, "\(alone.errors)")
    let file = "checkpoints/step-000000040.safetensors"
    #expect(
      try folder.bytes(of: "out/runs/\(name)/\(file)") == folder.bytes(of: "alone/\(file)"))
  }

  /// Killed at any point, it goes on to the same table.
  @Test func killsChangeNothing() throws {
    let folder = try TemporaryFolder()
    try folder.write(
      Self.common.replacingOccurrences(of: "steps: 40", with: "steps: 400")
        + "each: {method: [rigl, granet], seed: [0, 1]}", to: "sweep.yaml")
    let whole = try Rigl.run("sweep", folder("sweep.yaml"), "--output", folder("whole"))
    #expect(whole.status == 0, "\(whole)")
    let arguments = ["sweep", folder("sweep.yaml"), "--output", folder("killed")]
    var kills = 0
    for milliseconds in [700, 1500, 900, 2200, 1300] {
      let command = try RunningCommand(arguments)
      usleep(UInt32(milliseconds) * 1000)
      guard command.isRunning else { break }
      kills += 1
      command.send(kills == 2 ? SIGTERM : SIGKILL)
      _ = try command.wait()
    }
    #expect(kills > 0)
    let last = try Rigl.run(arguments)
    #expect(last.status == 0 && last.output.contains("4 runs finished"), "\(last)")
    #expect(try figures(folder, "killed") == figures(folder, "whole"))
    #expect(try !folder.names(in: "killed").contains("failures.csv"))
  }

  @Test func twoSweepsOnOneFolderAreRefused() throws {
    let folder = try TemporaryFolder()
    try folder.write(
      Self.common.replacingOccurrences(of: "steps: 40", with: "steps: 100000")
        + "each: {method: [rigl], seed: [0]}", to: "sweep.yaml")
    let arguments = ["sweep", folder("sweep.yaml"), "--output", folder("out")]
    let first = try RunningCommand(arguments)
    let end = Date().addingTimeInterval(60)
    while try !folder.names().contains("out") || folder.names(in: "out").isEmpty, Date() < end {
      usleep(5000)
    }
    let second = try Rigl.run(arguments)
    #expect(second.status == 64)
    #expect(second.errors.hasPrefix("rigl: \(folder("out")): another sweep is writing"))
    first.send(SIGINT)
    let outcome = try first.wait()
    #expect(outcome.status == 130, "\(outcome)")
    #expect(outcome.output.contains("0 runs finished, 1 left"), "\(outcome.output)")
    // What ran has stopped with a checkpoint, and nothing runs on.
    let name = try #require(try folder.names(in: "out/runs").first)
    let resumed = try Rigl.run("runs", folder("out/runs/\(name)"), "--json")
    #expect(resumed.status == 0 && resumed.output.contains("\"unfinished\""), "\(resumed)")
  }

  @Test(arguments: [
    (["sweep", "no.yaml", "--output", "out"], 66, "no.yaml: cannot be read"),
    (
      ["sweep", "bad.yaml", "--output", "out"], 64,
      "bad.yaml, line 1: there is no key 'epochs' here"
    ),
    (["sweep", "nothing.yaml", "--output", "out"], 64, "nothing.yaml: no runs: the file is empty"),
    (
      ["sweep", "word.yaml", "--output", "out"], 64,
      "word.yaml, line 2: method: there is no 'riggl'"
    ),
    (["sweep", "number.yaml", "--output", "out"], 64, "of the run with sparsity: 1.5"),
    (["sweep", "ok.yaml", "--output", "out", "--set", "seed"], 64, "--set seed: not a setting"),
    (["sweep", "ok.yaml", "--output", "out", "--set", "sed=1"], 64, "there is no key 'sed'"),
    (["sweep", "ok.yaml", "--output", "ok.yaml"], 74, "ok.yaml: cannot be made"),
    (["sweep", "ok.yaml", "--output", "broken"], 65, "results.csv: line 1: not the columns"),
    (["sweep", "ok.yaml", "--output", "out", "--jobs", "0"], 64, "--jobs and --threads"),
    (["runs", "none"], 66, "none: there is no such run, folder or table"),
    (["runs", "empty"], 66, "empty: there is no run"),
    (["report", "empty", "--output", "page.html"], 66, "empty: there is no run"),
    (["compare", "empty"], 66, "empty: there is no run"),
    (["tensorboard", "empty", "--output", "events"], 66, "empty: there is no run"),
    (["runs", "bad.yaml"], 65, "bad.yaml: line 1: not the columns of a table of runs"),
    (["runs", "empty", "--csv", "--json"], 64, "--csv and --json exclude each other"),
  ]) func mistakesAreOneLine(arguments: [String], status: Int, message: String) throws {
    let folder = try TemporaryFolder()
    try folder.write("epochs: 3\n", to: "bad.yaml")
    try folder.write("each: {seed: [1], data: [synthetic]}\n", to: "ok.yaml")
    try folder.write("", to: "nothing.yaml")
    try folder.write("each:\n  method: [rigl, riggl]\n", to: "word.yaml")
    try folder.write("each: {sparsity: [0.5, 1.5], data: [synthetic]}\n", to: "number.yaml")
    let before = try folder.names() + ["broken", "empty"]
    for name in ["empty", "broken"] {
      try FileManager.default.createDirectory(
        atPath: folder(name), withIntermediateDirectories: true)
    }
    try folder.write("a,b\n", to: "broken/results.csv")
    let names = before + ["no.yaml", "out", "none", "page.html", "events"]
    let outcome = try Rigl.run(arguments.map { names.contains($0) ? folder($0) : $0 })
    #expect(outcome.status == status, "\(outcome)")
    #expect(outcome.errors.contains(message) && outcome.output.isEmpty, "\(outcome)")
    // One line, and perhaps what to do, or how the command is used.
    let lines = outcome.errors.split(separator: "\n")
    #expect(lines.count { $0.hasPrefix("rigl: ") || $0.hasPrefix("Error: ") } == 1, "\(lines)")
    #expect(try folder.names() == before.sorted())
  }

  /// A metrics file that cannot be read is said, and the other runs are listed; of a run in the table,
  /// figures are known all the same.
  @Test func aDamagedRunIsLeftOut() throws {
    let folder = try TemporaryFolder()
    try folder.write(Self.common + "each: {method: [rigl], seed: [0, 1]}", to: "sweep.yaml")
    #expect(try Rigl.run("sweep", folder("sweep.yaml"), "--output", folder("out")).status == 0)
    let names = try folder.names(in: "out/runs")
    try folder.write("step,what\n1,2\n", to: "out/runs/\(names[0])/metrics.csv")
    let listed = try Rigl.run("runs", folder("out/runs"))
    #expect(listed.status == 0 && listed.output.contains(names[1]), "\(listed)")
    #expect(listed.errors.contains("metrics.csv: line 1: not the columns of a metrics file"))
    #expect(!listed.output.contains(names[0]))
    let page = try Rigl.run("report", folder("out"), "--output", folder("page.html"))
    #expect(page.status == 0 && page.output.contains("2 runs"), "\(page)")
    let warnings = page.errors.split(separator: "\n")
    #expect(warnings.count { $0.contains("what happened in ") } == 1, "\(page.errors)")
    let html = String(decoding: try folder.bytes(of: "page.html"), as: UTF8.self)
    #expect(html.contains(names[0]) && html.contains("Learning curves"))
    // Its folder alone has nothing to show.
    let alone = try Rigl.run(
      "report", folder("out/runs/\(names[0])"), "--output", folder("alone.html"))
    #expect(alone.status == 66, "\(alone)")
    #expect(try !folder.names().contains("alone.html"))
  }

  /// A run that another process is training is read as far as it is, and not trained a second time.
  @Test func aRunThatAnotherProcessWritesIsSaid() throws {
    let folder = try TemporaryFolder()
    try folder.write(
      Self.common.replacingOccurrences(of: "steps: 40", with: "steps: 4000000")
        + "each: {method: [rigl], seed: [0]}", to: "long.yaml")
    let planned = try Rigl.run(
      "sweep", folder("long.yaml"), "--output", folder("out"), "--dry-run", "--json")
    let list = try JSONSerialization.jsonObject(with: Data(planned.output.utf8)) as? [[String: Any]]
    let name = try #require(list?.first?["run"] as? String)
    // Another command trains the run in the sweep's folder.
    try FileManager.default.createDirectory(
      atPath: folder("out/runs"), withIntermediateDirectories: true)
    try folder.write(
      Self.common.replacingOccurrences(of: "steps: 40", with: "steps: 4000000")
        .replacingOccurrences(of: "settings: {", with: "{method: rigl, seed: 0, "), to: "one.yaml")
    let other = try RunningCommand(
      ["train", folder("one.yaml"), "--output", folder("out/runs/\(name)"), "--json"])
    try other.waitForOutput("\"epoch\"")
    let listed = try Rigl.run("runs", folder("out"), "--json")
    #expect(listed.status == 0 && listed.output.contains("\"unfinished\""), "\(listed)")
    let page = try Rigl.run("report", folder("out"), "--output", folder("page.html"))
    #expect(page.status == 0 && page.errors.isEmpty, "\(page)")
    let events = try Rigl.run("tensorboard", folder("out"), "--output", folder("events"))
    #expect(events.status == 0 && events.output.hasPrefix("1 run below"), "\(events)")
    let sweep = try Rigl.run("sweep", folder("long.yaml"), "--output", folder("out"))
    #expect(sweep.status == 70 && sweep.output.contains("0 runs finished, 1 failed"), "\(sweep)")
    #expect(sweep.errors.contains("\(name) failed: "), "\(sweep.errors)")
    #expect(sweep.errors.contains("another training"), "\(sweep.errors)")
    #expect(other.isRunning)
    other.send(SIGINT)
    #expect(try other.wait().status == 130)
  }
}
