import Foundation
import Testing

/// What a system does to a program: signals, limits, closed descriptors, names and links.
@Suite struct SystemTests {
  let data: SmallData
  let folder: TemporaryFolder

  init() throws {
    data = try SmallData()
    folder = try TemporaryFolder()
  }

  /// Runs a command by a shell's line, in which "$0" "$@" stands for it.
  private func shell(_ line: String, _ arguments: [String]) throws -> Rigl.Outcome {
    try RunningCommand(["-c", line, Rigl.binary] + arguments, executable: "/bin/sh").wait()
  }

  private func checkpoints(_ run: String = "run") throws -> [String] {
    try folder.names(in: "\(run)/checkpoints").filter { $0.hasPrefix("step-") }
  }

  // MARK: - Descriptors

  @Test(arguments: ["<&- >&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-", ">&-"])
  func messagesNeverLandInFilesOfTheRun(closed: String) throws {
    let output = folder("run")
    let outcome = try shell(
      "exec \"$0\" \"$@\" \(closed)",
      data.arguments(["--output", output, "--set", "log_every=5", "--keep", "9"]))
    #expect(outcome.status == 0)
    let plain = folder("plain")
    #expect(
      try Rigl.run(data.arguments(["--output", plain, "--set", "log_every=5", "--keep", "9"]))
        .status == 0)
    for name in try checkpoints() {
      let path = "checkpoints/\(name)"
      #expect(try folder.bytes(of: "run/\(path)") == folder.bytes(of: "plain/\(path)"))
    }
    let lines = String(decoding: try folder.bytes(of: "run/metrics.csv"), as: UTF8.self)
      .split(separator: "\n")
    let header = try #require(lines.first)
    let columns = header.split(separator: ",", omittingEmptySubsequences: false).count
    #expect(header.hasPrefix("step,batches_consumed,"))
    for line in lines {
      #expect(line.split(separator: ",", omittingEmptySubsequences: false).count == columns)
    }
    // An error has nowhere to go; its status is there all the same.
    #expect(
      try shell("exec \"$0\" \"$@\" \(closed)", data.arguments(["--output", output])).status == 64)
  }

  // MARK: - Signals

  @Test func hangingUpWritesACheckpointToGoOnFrom() throws {
    let command = try RunningCommand(
      data.arguments(["--output", folder("run"), "--epochs", "1000000"]))
    try command.waitForOutput("  loss ")
    // The shell and the system both send it when a terminal goes.
    command.send(SIGHUP)
    command.send(SIGHUP)
    let outcome = try command.wait()
    #expect(!outcome.hasCrashed && outcome.status == 129)
    #expect(outcome.errors.contains("stopped by SIGHUP at step"))
    #expect(try checkpoints().isEmpty == false)
    let resumed = try RunningCommand(["train", "--resume", folder("run")])
    try resumed.waitForOutput("going on from step")
    resumed.send(SIGTERM)
    #expect(try resumed.wait().status == 143)
  }

  @Test func nohupKeepsATrainingAlive() throws {
    let command = try RunningCommand(
      ["-c", "trap '' HUP; exec \"$0\" \"$@\"", Rigl.binary]
        + data.arguments(["--output", folder("run"), "--epochs", "1000000"]),
      executable: "/bin/sh")
    try command.waitForOutput("  loss ")
    command.send(SIGHUP)
    let length = command.output.count
    let end = Date().addingTimeInterval(60)
    while command.output.count < length + 500, command.isRunning, Date() < end { usleep(2000) }
    #expect(command.isRunning && command.output.count >= length + 500)
    command.send(SIGINT)
    #expect(try command.wait().status == 130)
  }

  /// Even if the parent had it ignored, as shells do for what runs in the background.
  @Test func quittingEndsAtOnce() throws {
    let command = try RunningCommand(
      ["-c", "trap '' QUIT; ulimit -c 0; exec \"$0\" \"$@\"", Rigl.binary]
        + data.arguments([
          "--output", folder("run"), "--epochs", "1000000", "--checkpoint-every", "1000000",
        ]), executable: "/bin/sh")
    try command.waitForOutput("  loss ")
    command.send(SIGQUIT)
    let outcome = try command.wait()
    #expect(outcome.hasCrashed && outcome.status == SIGQUIT)
    #expect(try checkpoints().isEmpty && outcome.errors.isEmpty)
  }

  // MARK: - Processors and memory

  @Test func threadsAreAsManyAsProcessorsThatMayBeUsed() throws {
    let taskset = "/usr/bin/taskset"
    guard FileManager.default.isExecutableFile(atPath: taskset) else { return }
    let command = try RunningCommand(
      ["-c", "0", Rigl.binary] + data.arguments(["--dry-run", "--json"]), executable: taskset)
    let outcome = try command.wait()
    #expect(outcome.status == 0)
    #expect(try outcome.object()["threads"] as? Int == 1)
  }

  /// Whatever the limit, from too little to start to more than enough.
  @Test func anAllocationThatFailsIsOneLine() throws {
    var statuses: Set<Int32> = []
    for mebibytes in [120, 150, 200, 260] {
      let outcome = try shell(
        "ulimit -v \(mebibytes << 10); exec \"$0\" \"$@\"",
        data.arguments(["--output", folder("run-\(mebibytes)"), "--steps", "2", "--threads", "1"])
          + ["--set", "hidden=[2500,2500]", "--method", "dense", "--quiet"])
      #expect(!outcome.hasCrashed, "\(mebibytes) MiB: \(outcome.status) \(outcome.errors)")
      #expect([0, 64, 71, 127].contains(outcome.status), "\(mebibytes) MiB: \(outcome.errors)")
      statuses.insert(outcome.status)
      guard outcome.status == 71 else { continue }
      let lines = outcome.errors.split(separator: "\n")
      #expect(lines.first?.hasPrefix("rigl: out of memory: ") == true, "\(outcome.errors)")
      #expect(lines.first?.contains("bytes needed for ") == true)
      #expect(lines.count <= 2)
    }
    #expect(statuses.contains(71), "\(statuses)")
  }

  @Test func aLimitOfMemoryCountsBeforeAnythingIsTaken() throws {
    let outcome = try shell(
      "ulimit -v 2000000; exec \"$0\" \"$@\"",
      data.arguments(["--output", folder("run"), "--set", "hidden=[60000,60000]"]))
    #expect(outcome.status == 64)
    #expect(outcome.errors.contains("this process is allowed 1953"), "\(outcome.errors)")
    #expect(try folder.names().isEmpty)
  }

  /// A batch of a million is no larger than the 500 samples that there are.
  @Test func batchesAreNoLargerThanSamples() throws {
    let outcome = try Rigl.run(
      data.arguments(["--output", folder("a"), "--set", "batch_size=1000000", "--json"]))
    #expect(outcome.status == 0)
    #expect(try #require(outcome.objects().last?["peak_memory_bytes"] as? Int) < 200 << 20)
    try data.train(in: folder("b"), ["--set", "batch_size=600"])
    let (a, b) = (try checkpoints("a"), try checkpoints("b"))
    #expect(a == b && !a.isEmpty)
    let evaluation = try Rigl.run("evaluate", folder("a"), "--json")
    #expect(evaluation.status == 0)
  }

  // MARK: - Names

  @Test func aNameThatIsNotUTF8IsRefused() throws {
    for option in ["--output", "--resume", "--data"] {
      let outcome = try shell(
        "exec \"$0\" \"$@\" \(option) \"$(printf '\(folder.path)/run\\377')\"", ["train"])
      #expect(outcome.status == 64)
      #expect(outcome.errors.contains("is not UTF-8"))
    }
    #expect(try folder.names().isEmpty)
  }

  @Test func aNameThatIsTooLongLeavesNothing() throws {
    let outcome = try Rigl.run(
      data.arguments(["--output", folder("a/b/" + String(repeating: "n", count: 256))]))
    #expect(outcome.status == 74)
    #expect(outcome.errors.contains("File name too long"))
    #expect(try folder.names().isEmpty)
    try data.train(in: folder(String(repeating: "n", count: 255)))
    #expect(try Rigl.run(data.arguments(["--output", ""])).status == 64)
  }

  // MARK: - A run's own files

  @Test func anExportNeverReplacesAFileOfARun() throws {
    try data.train(in: folder("run"))
    let checkpoint = try #require(try checkpoints().last)
    try FileManager.default.createSymbolicLink(
      atPath: folder("link"), withDestinationPath: folder("run/config.yaml"))
    try FileManager.default.createSymbolicLink(
      atPath: folder("run/inner"), withDestinationPath: folder("run/metrics.csv"))
    try FileManager.default.createSymbolicLink(
      atPath: folder("place"), withDestinationPath: folder("run/checkpoints"))
    try FileManager.default.linkItem(
      atPath: folder("run/config.yaml"), toPath: folder("run/hard"))
    let before = try folder.bytes(of: "run/config.yaml")
    for path in [
      "run/config.yaml", "run/metrics.csv", "run/checkpoints/\(checkpoint)",
      "run/checkpoints/best.safetensors", "run/checkpoints/step-000000999.safetensors", "link",
      "run/inner", "place/new.safetensors", "run/../run/./config.yaml", "run/hard",
    ] {
      let outcome = try Rigl.run("export", folder("run"), "--output", folder(path))
      #expect(outcome.status == 64, "\(path): \(outcome.errors)")
      #expect(outcome.errors.contains("file of a run itself"))
    }
    #expect(try folder.bytes(of: "run/config.yaml") == before)
    #expect(try Rigl.run("export", folder("run"), "--output", folder("new")).status == 0)
    #expect(try Rigl.run("export", folder("run"), "--output", folder("run/new")).status == 0)
    // A link of the usual name is replaced, not written through.
    try folder.write("precious", to: "precious")
    try FileManager.default.createSymbolicLink(
      atPath: folder("run/dense.safetensors"), withDestinationPath: folder("precious"))
    #expect(try Rigl.run("export", folder("run"), "--dense").status == 0)
    #expect(try folder.bytes(of: "precious") == Data("precious".utf8))
    // A link of the user's own choice is followed.
    try FileManager.default.createSymbolicLink(
      atPath: folder("chosen"), withDestinationPath: folder("precious"))
    #expect(try Rigl.run("export", folder("run"), "--output", folder("chosen")).status == 0)
    #expect(try folder.bytes(of: "precious").count > 100)
  }

  @Test func optionsOfARunAreKept() throws {
    try data.train(in: folder("run"), ["--checkpoint-every", "10", "--keep", "4"])
    #expect(try checkpoints().count == 4)
    try FileManager.default.removeItem(atPath: folder("run/checkpoints/step-000000075.safetensors"))
    try FileManager.default.removeItem(atPath: folder("run/checkpoints/step-000000070.safetensors"))
    #expect(try Rigl.run("train", "--resume", folder("run"), "--quiet").status == 0)
    #expect(try checkpoints().count == 4)
    let text = String(decoding: try folder.bytes(of: "run/config.yaml"), as: UTF8.self)
    #expect(text.contains("\nkeep: 4\n") && text.contains("\ncheckpoint_every: 10\n"))
    #expect(text.contains("\nlog_every: 100\n"))
    // A dry run changes nothing, whatever it is asked.
    _ = try Rigl.run("train", "--resume", folder("run"), "--keep", "1", "--dry-run")
    #expect(String(decoding: try folder.bytes(of: "run/config.yaml"), as: UTF8.self) == text)
    #expect(try Rigl.run("train", "--resume", folder("run"), "--keep", "3").status == 0)
    let changed = String(decoding: try folder.bytes(of: "run/config.yaml"), as: UTF8.self)
    #expect(changed == text.replacingOccurrences(of: "\nkeep: 4\n", with: "\nkeep: 3\n"))
  }

  @Test func missingBestWeightsAreAWarning() throws {
    try data.train(in: folder("run"), ["--seed", "3"])
    let best = folder("run/checkpoints/best.safetensors")
    try FileManager.default.removeItem(atPath: best)
    let outcome = try Rigl.run("train", "--resume", folder("run"))
    #expect(outcome.status == 0)
    #expect(outcome.output.contains("final"))
    // Where the last weights are the best ones, nothing is read.
    #expect(
      outcome.errors.contains("warning: the best weights are not tested: \(best)")
        || outcome.output.contains("best on validation"))
  }

  /// Killed in the middle of its first moments, by the same command again and again.
  @Test func aRunKilledAtItsBeginningIsBegunByTheSameCommand() throws {
    let arguments = data.arguments(["--output", folder("deep/run"), "--quiet"])
    for delay in [3, 8, 15, 25, 40, 60] {
      let command = try RunningCommand(arguments)
      usleep(UInt32(delay) * 1000)
      command.send(SIGKILL)
      _ = try command.wait()
      if FileManager.default.fileExists(atPath: folder("deep/run/config.yaml")) {
        #expect(try Rigl.run("train", "--resume", folder("deep/run"), "--quiet").status == 0)
        try FileManager.default.removeItem(atPath: folder("deep"))
      }
    }
    let outcome = try Rigl.run(arguments)
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(try folder.names(in: "deep") == ["run"])
  }
}
