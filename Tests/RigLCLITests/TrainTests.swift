import Foundation
import Testing

@Suite struct TrainTests {
  let data: SmallData
  let folder: TemporaryFolder

  init() throws {
    data = try SmallData()
    folder = try TemporaryFolder()
  }

  // MARK: - Runs

  @Test func aRunIsSummarised() throws {
    let outcome = try Rigl.run(data.arguments(["--output", folder("run"), "--json"]))
    #expect(outcome.status == 0)
    let summary = try #require(try outcome.objects().last)
    #expect(summary["step"] as? Int == 75)
    #expect(summary["stopped"] as? Bool == false)
    #expect(try #require(summary["test_accuracy"] as? Double) > 0.5)
    #expect(summary["best_test_accuracy"] is Double)
    #expect(try #require(summary["samples_per_second"] as? Double) > 0)
    #expect(try #require(summary["peak_memory_bytes"] as? Int) > 1 << 20)
    // 36 · 24 + 24 · 16 + 16 · 4 positions.
    #expect(summary["positions"] as? Int == 1312)
    #expect(summary["connections"] as? Int == 657)
    #expect(outcome.errors.contains("epoch 3/3"), "progress stays off standard output")
    #expect(
      try folder.names(in: "run") == ["checkpoints", "config.yaml", "metrics.csv"])
  }

  @Test func linesForPeople() throws {
    let outcome = try Rigl.run(data.arguments(["--output", folder("run")]))
    #expect(outcome.status == 0)
    for text in ["epoch 1/3  loss ", "final", "best on validation", "samples/s", folder("run")] {
      #expect(outcome.output.contains(text))
    }
    #expect(outcome.errors.isEmpty)
    #expect(!outcome.output.contains("\u{1B}"))
  }

  @Test func quietPrintsNothing() throws {
    let quiet = try Rigl.run(data.arguments(["--output", folder("a"), "--quiet"]))
    #expect(quiet.status == 0)
    #expect(quiet.output.isEmpty && quiet.errors.isEmpty)
    let json = try Rigl.run(data.arguments(["--output", folder("b"), "--quiet", "--json"]))
    #expect(json.errors.isEmpty)
    #expect(try json.objects().last?["step"] as? Int == 75)
  }

  @Test func theSavedConfigurationReproducesTheRun() throws {
    try data.train(in: folder("a"), ["--set", "learning_rate=0.0735", "--seed", "5"])
    let again = try Rigl.run(
      "train", folder("a/config.yaml"), "--output", folder("b"), "--threads", "1", "--quiet")
    #expect(again.status == 0)
    let name = "checkpoints/step-000000075.safetensors"
    #expect(try folder.bytes(of: "a/\(name)") == folder.bytes(of: "b/\(name)"))
    #expect(try folder.bytes(of: "a/config.yaml") == folder.bytes(of: "b/config.yaml"))
    let other = try Rigl.run(
      "train", folder("a/config.yaml"), "--output", folder("c"), "--seed", "6", "--quiet")
    #expect(other.status == 0)
    #expect(try folder.bytes(of: "a/\(name)") != folder.bytes(of: "c/\(name)"))
  }

  @Test func checkpointsAreWrittenAndKeptAsAsked() throws {
    try data.train(in: folder("run"), ["--checkpoint-every", "10", "--keep", "3"])
    let names = try folder.names(in: "run/checkpoints").filter { $0.hasPrefix("step-") }
    #expect(names.map { $0.prefix(14) } == ["step-000000060", "step-000000070", "step-000000075"])
  }

  @Test func anExistingFolderIsNeverOverwritten() throws {
    try FileManager.default.createDirectory(
      atPath: folder("run"), withIntermediateDirectories: false)
    let outcome = try Rigl.run(data.arguments(["--output", folder("run")]))
    #expect(outcome.status == 64)
    #expect(outcome.errors.contains(folder("run")) && outcome.errors.contains("exists"))
    #expect(try folder.names(in: "run").isEmpty)
  }

  // MARK: - Going on

  @Test func aFinishedRunSaysSo() throws {
    try data.train(in: folder("run"))
    let metrics = try folder.bytes(of: "run/metrics.csv")
    let outcome = try Rigl.run("train", "--resume", folder("run"))
    #expect(outcome.status == 0)
    #expect(outcome.output.contains("is finished already"))
    #expect(outcome.output.contains("final"))
    #expect(try folder.bytes(of: "run/metrics.csv") == metrics, "no line twice")
  }

  @Test func anotherConfigurationNamesTheKey() throws {
    try data.train(in: folder("run"))
    let before = try folder.names(in: "run/checkpoints")
    for (arguments, key) in [
      (["--seed", "1"], "seed"), (["--set", "hidden=[8]"], "hidden"),
      (["--epochs", "9"], "epochs"),
      (["--preset", "demo"], "data"),
    ] {
      let outcome = try Rigl.run(["train", "--resume", folder("run")] + arguments)
      #expect(outcome.status == 64)
      #expect(outcome.errors.contains("rigl: \(key): the run was started with"))
    }
    #expect(try folder.names(in: "run/checkpoints") == before)
    // What does not reach the result may differ.
    #expect(try Rigl.run("train", "--resume", folder("run"), "--threads", "1").status == 0)
  }

  @Test(arguments: [(SIGINT, 130, "Ctrl-C"), (SIGTERM, 143, "SIGTERM")])
  func aSignalWritesACheckpointToGoOnFrom(signal: Int32, status: Int32, name: String) throws {
    let endless = data.arguments(["--output", folder("run"), "--epochs", "1000000"])
    let command = try RunningCommand(endless)
    try command.waitForOutput("  loss ")
    command.send(signal)
    let outcome = try command.wait()
    #expect(!outcome.hasCrashed)
    #expect(outcome.status == status)
    #expect(outcome.errors.contains("stopped by \(name) at step"))
    #expect(outcome.errors.contains("rigl train --resume \(folder("run"))"))
    #expect(try folder.names(in: "run/checkpoints").allSatisfy { $0.hasSuffix(".safetensors") })

    let first = try #require(try inspected("run")["step"] as? Int)
    let resumed = try RunningCommand(["train", "--resume", folder("run")])
    try resumed.waitForOutput("going on from step")
    try resumed.waitForOutput("  loss ")
    resumed.send(signal)
    #expect(try resumed.wait().status == status)
    #expect(try #require(try inspected("run")["step"] as? Int) > first)
  }

  @Test func aStoppedRunThatGoesOnEqualsAnUnbrokenOne() throws {
    // Long enough to be stopped in the middle; most likely with a step's gradients half summed, as
    // there is no validation to spend time on.
    let long = [
      "--epochs", "1500", "--checkpoint-every", "100000", "--set", "accumulation=8", "--set",
      "validation=0",
    ]
    let command = try RunningCommand(data.arguments(["--output", folder("a")] + long))
    try command.waitForOutput("epoch   30")
    command.send(SIGINT)
    #expect(try command.wait().status == 130)
    let step = try #require(try inspected("a")["step"] as? Int)
    #expect(step > 0 && step < 6000)
    #expect(try Rigl.run("train", "--resume", folder("a"), "--quiet").status == 0)
    try data.train(in: folder("b"), long)
    let name = "checkpoints/step-000006000.safetensors"
    #expect(try folder.bytes(of: "a/\(name)") == folder.bytes(of: "b/\(name)"))
  }

  @Test func jsonOfAStoppedRun() throws {
    let command = try RunningCommand(
      data.arguments(["--output", folder("run"), "--epochs", "1000000", "--json", "--quiet"]))
    while !FileManager.default.fileExists(atPath: folder("run/metrics.csv")) { usleep(2000) }
    command.send(SIGINT)
    let outcome = try command.wait()
    #expect(outcome.status == 130)
    let last = try #require(try outcome.objects().last)
    #expect(last["event"] as? String == "end" && last["stopped"] as? Bool == true)
    #expect(last["test_accuracy"] == nil)
  }

  /// One object a line for each epoch, and one at the end; the same numbers as in the metrics.
  @Test(arguments: [[], ["--quiet"]]) func epochsAsLinesOfJSON(more: [String]) throws {
    let outcome = try Rigl.run(data.arguments(["--output", folder("run"), "--json"] + more))
    #expect(outcome.status == 0)
    #expect(more.isEmpty != outcome.errors.isEmpty, "\(outcome.errors)")
    let lines = try outcome.objects()
    #expect(lines.map { $0["event"] as? String } == ["epoch", "epoch", "epoch", "end"])
    let metrics = String(decoding: try folder.bytes(of: "run/metrics.csv"), as: UTF8.self)
      .split(separator: "\n").map { $0.split(separator: ",", omittingEmptySubsequences: false) }
    let rows = metrics.filter { $0[3] == "validation" }
    for (index, line) in lines.prefix(3).enumerated() {
      #expect(line["epoch"] as? Int == index + 1 && line["epochs"] as? Int == 3)
      #expect(line["step"] as? Int == 25 * (index + 1) && line["total_steps"] as? Int == 75)
      #expect(line["connections"] as? Int == 657)
      for key in ["loss", "accuracy", "learning_rate", "seconds"] {
        #expect((line[key] as? Double).map { $0 >= 0 } == true, "\(key)")
      }
      let loss = try #require(line["validation_loss"] as? Double)
      let accuracy = try #require(line["validation_accuracy"] as? Double)
      #expect(abs(loss - (try #require(Double(rows[index][4])))) < 1e-9)
      #expect(abs(accuracy - (try #require(Double(rows[index][5])))) < 1e-9)
    }
    #expect(lines.last?["stopped"] as? Bool == false)
    // Gone through already: there is nothing but the end.
    let again = try Rigl.run("train", "--resume", folder("run"), "--json")
    #expect(try again.objects().map { $0["event"] as? String } == ["end"])
    // Nothing to validate on: no such fields.
    let plain = try Rigl.run(
      data.arguments(["--output", folder("plain"), "--json", "--validation", "0"]))
    #expect(try #require(try plain.objects().first)["validation_loss"] == nil)
  }

  /// However a training ends, the last line says so.
  @Test func theEndAsALineOfJSON() throws {
    let endless = data.arguments([
      "--output", folder("run"), "--epochs", "1000000", "--json",
    ])
    let command = try RunningCommand(endless)
    try command.waitForOutput("\"epoch\":3,")
    command.send(SIGINT)
    let stopped = try command.wait()
    #expect(stopped.status == 130)
    let lines = try stopped.objects()
    #expect(lines.dropLast().allSatisfy { $0["event"] as? String == "epoch" })
    #expect(lines.count > 3 && lines.last?["event"] as? String == "end")
    #expect(lines.last?["stopped"] as? Bool == true && lines.last?["run"] is String)
    let diverged = try Rigl.run(
      data.arguments(["--output", folder("nan"), "--set", "learning_rate=1e30", "--json"]))
    #expect(diverged.status == 70)
    let last = try #require(try diverged.objects().last)
    #expect(last["event"] as? String == "error" && last["status"] as? Int == 70)
    #expect(last["run"] as? String == folder("nan") && last["step"] is Int)
    #expect(diverged.errors.contains(try #require(last["error"] as? String)))
    // Nobody reads it: a checkpoint, and nothing else.
    let pipe = Pipe()
    try pipe.fileHandleForReading.close()
    let unread = try RunningCommand(
      data.arguments(["--output", folder("unread"), "--epochs", "1000000", "--json", "--quiet"]),
      output: pipe.fileHandleForWriting
    ).wait()
    #expect(unread.status == 141 && unread.errors.isEmpty, "\(unread)")
    #expect(try folder.names(in: "unread/checkpoints").contains { $0.hasPrefix("step-") })
  }

  @Test func aReaderThatHasGoneStopsTheRunWithACheckpoint() throws {
    let pipe = Pipe()
    try pipe.fileHandleForReading.close()
    let command = try RunningCommand(
      data.arguments(["--output", folder("run"), "--epochs", "1000000"]),
      output: pipe.fileHandleForWriting)
    let outcome = try command.wait()
    #expect(!outcome.hasCrashed)
    #expect(outcome.status == 141)
    #expect(outcome.errors.isEmpty)
    #expect(try folder.names(in: "run/checkpoints").contains { $0.hasPrefix("step-") })
  }

  private func inspected(_ name: String) throws -> [String: Any] {
    try Rigl.run("inspect", folder(name), "--json").object()
  }
}
