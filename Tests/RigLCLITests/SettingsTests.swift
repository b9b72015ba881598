import Foundation
import Testing

/// Flags that must have an effect, or say that they have none; and settings of every kind.
@Suite struct SettingsTests {
  let data: SmallData
  let folder: TemporaryFolder

  init() throws {
    data = try SmallData()
    folder = try TemporaryFolder()
  }

  private func dryRun(_ arguments: [String]) throws -> [String: Any] {
    let outcome = try Rigl.run(data.arguments(["--dry-run", "--json"]) + arguments)
    return try #require(try? outcome.object(), "\(outcome.errors)")
  }

  // MARK: - The later one counts

  @Test(arguments: [
    (["--steps", "7", "--epochs", "2"], 50), (["--epochs", "2", "--steps", "7"], 7),
    (["--steps", "7", "--set", "epochs=2"], 50), (["--set", "epochs=2", "--steps", "7"], 7),
    (["--epochs", "2", "--set", "steps=7"], 7), (["--set", "steps=7", "--epochs", "2"], 50),
    (["--set", "steps=7", "--set", "epochs=2"], 50),
    (["--set", "epochs=2", "--set", "steps=7"], 7),
    (["--steps=7", "--epochs=2"], 50), (["--epochs=2", "--seed", "1", "--steps=7"], 7),
  ])
  func ofStepsAndEpochsTheLaterCounts(arguments: [String], steps: Int) throws {
    // Without the epochs of the usual arguments.
    let outcome = try Rigl.run(
      [
        "train", "--data", data.path, "--dry-run", "--json", "--set", "validation=100", "--set",
        "batch_size=20", "--set", "hidden=[5]",
      ] + arguments)
    let object = try #require(try? outcome.object(), "\(outcome.errors)")
    let rehearsal = try #require(object["rehearsal"] as? [String: Any])
    #expect(rehearsal["steps"] as? Int == steps)
  }

  @Test func aRunThatGoesOnHasItsOwnWeights() throws {
    try data.train(in: folder("run"))
    for arguments in [["--start-from", folder("run")], ["--set", "start_from=/elsewhere"]] {
      let outcome = try Rigl.run(["train", "--resume", folder("run")] + arguments)
      #expect(outcome.status == 64)
      #expect(outcome.errors.contains("weights of its own"), "\(outcome.errors)")
      #expect(outcome.errors.lowercased().contains("leave out --resume"))
    }
  }

  @Test func sparsityReachesThePaperPreset() throws {
    let object = try dryRun([
      "--preset", "lenet-300-100-paper", "--sparsity", "0.9", "--epochs", "1",
    ])
    let layers = try #require(object["layers"] as? [[String: Any]])
    let sparsities = layers.compactMap { $0["sparsity"] as? Double }
    #expect(sparsities.count == 3)
    for (sparsity, expected) in zip(sparsities, [0.9, 0.81, 0]) {
      #expect(abs(sparsity - expected) < 1e-12)
    }
  }

  @Test func whatCannotBeTogetherNamesWhatWasGiven() throws {
    try FileManager.default.createDirectory(
      atPath: folder("other"), withIntermediateDirectories: false)
    for (arguments, says) in [
      (["--data-folder", folder("other")], "data names the folder"),
      (["--set", "schedule=step", "--set", "milestones=[1.5,1.5]"], "milestones: [1.5, 1.5]"),
      (["--set", "update_begin=1125899906842624"], "end at step"),
    ] {
      let outcome = try Rigl.run(data.arguments(["--dry-run"] + arguments))
      #expect(outcome.status == 64 && outcome.errors.contains(says), "\(outcome.errors)")
      #expect(!outcome.errors.contains("1500000"), "\(outcome.errors)")
    }
    try Data("preset: demoo\n".utf8).write(to: URL(fileURLWithPath: folder("p.yaml")))
    let outcome = try Rigl.run("train", folder("p.yaml"), "--dry-run")
    #expect(outcome.errors.contains("p.yaml, line 1: preset: there is no preset 'demoo'"))
  }

  @Test func whatHasNoEffectIsToldOnStandardError() throws {
    let useless = ["--set", "update_end=10000", "--set", "milestones=[1]"]
    let run = try Rigl.run(data.arguments(["--output", folder("run")] + useless))
    #expect(run.status == 0)
    #expect(run.errors.contains("rigl: warning: update_end: "), "\(run.errors)")
    #expect(run.errors.contains("rigl: warning: milestones: "))
    let dry = try Rigl.run(data.arguments(["--dry-run"] + useless))
    #expect(dry.errors.contains("rigl: warning: update_end: "))
    #expect(!dry.output.contains("warning"))
    let quiet = try Rigl.run(data.arguments(["--quiet", "--output", folder("quiet")] + useless))
    #expect(quiet.status == 0 && quiet.errors.isEmpty)
    let map = try Rigl.run(
      data.arguments(["--dry-run", "--set", "layer_sparsities={fc1: 0.75, fc2: 0.75, fc3: 0}"]))
    #expect(map.errors.contains("rigl: warning: sparsity: 0.5 has no effect"))
  }

  // MARK: - Files

  @Test func aSeedWithZerosBeforeItIsDecimal() throws {
    let settings = try #require(
      try dryRun(["--seed", "010"])["configuration"] as? [String: Any])
    #expect(settings["seed"] as? Int == 10)
    try folder.write("epochs: 2\nseed: 0x10\n", to: "c.yaml")
    let outcome = try Rigl.run("train", folder("c.yaml"))
    #expect(outcome.status == 64)
    #expect(outcome.errors.contains("\(folder("c.yaml")), line 2: seed: '0x10'"))
    for flag in ["--seed", "--epochs", "--threads", "--keep", "--validation", "--sparsity"] {
      #expect(try Rigl.run("train", flag, "1:30").status == 64)
    }
  }

  @Test func aBombIsRefusedAtOnce() throws {
    var text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    for level in 1..<9 {
      let aliases = Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ", ")
      text += "a\(level): &a\(level) [\(aliases)]\n"
    }
    try folder.write(text, to: "bomb.yaml")
    let started = Date()
    let outcome = try Rigl.run("train", folder("bomb.yaml"))
    #expect(outcome.status == 64)
    #expect(outcome.errors.contains("anchors"))
    #expect(Date().timeIntervalSince(started) < 20)
  }

  /// What training would refuse, no command takes.
  @Test(arguments: [
    "batch_size: 0", "image_size: 3", "crop_padding: -1", "network: wrn-11-1", "hidden: [0]",
    "sparsity: 2", "test_samples: 0", "multiplier: 0", "seed: [1]", "a: &a 1",
  ])
  func everyCommandChecksTheSavedSettings(line: String) throws {
    try data.train(in: folder("run"))
    let key = line.prefix { $0 != ":" }
    let saved = try #require(String(data: try folder.bytes(of: "run/config.yaml"), encoding: .utf8))
    let others = saved.split(separator: "\n").filter { !$0.hasPrefix("\(key):") }
    try folder.write(
      others.joined(separator: "\n") + "\n\(line)\n", to: "run/config.yaml")
    for command in [
      ["train", "--resume"], ["evaluate"], ["inspect"], ["export"],
    ] {
      let outcome = try Rigl.run(command + [folder("run")])
      #expect(!outcome.hasCrashed && outcome.status == 64, "\(command): \(outcome.errors)")
    }
    let predict = try Rigl.run("predict", folder("run"), data.testImages)
    #expect(!predict.hasCrashed && predict.status == 64)
  }

  // MARK: - Settings of every kind

  /// Runs the program that tries files of settings, which stands beside the command.
  private func tryFiles(from first: Int, count: Int) throws {
    let program =
      URL(fileURLWithPath: Rigl.builtBinary).deletingLastPathComponent().path
      + "/settings-fuzz"
    let outcome = try RunningCommand(["\(first)", "\(count)"], executable: program).wait()
    let last = outcome.output.split(separator: "\n").suffix(2).joined(separator: "; ")
    #expect(
      outcome.status == 0 && !outcome.hasCrashed,
      "\(last)\n\(outcome.errors.prefix(2000))\nsee: settings-fuzz show NUMBER")
  }

  /// More of them: scripts/settings-fuzz.
  @Test func noSettingsTrap() throws {
    // Not all at once: each command has its time.
    for first in stride(from: 0, to: 300, by: 20) { try tryFiles(from: first, count: 20) }
  }

  /// By the command itself, to the end or an error's status.
  @Test func someRandomSettingsAreRun() throws {
    let program =
      URL(fileURLWithPath: Rigl.builtBinary).deletingLastPathComponent().path
      + "/settings-fuzz"
    for number in 1000..<1012 {
      let file = try RunningCommand(["show", "\(number)"], executable: program).wait().output
      try folder.write(file, to: "\(number).yaml")
      let outcome = try Rigl.run(
        "train", folder("\(number).yaml"), "--data", data.path, "--set", "validation=20", "--steps",
        "2", "--set", "multiplier=1", "--threads", "1", "--set", "width_multiplier=0.1", "--set",
        "batch_size=8", "--set", "network=mlp", "--output", folder("\(number)"))
      #expect(
        !outcome.hasCrashed && (outcome.status == 0 || (64...74).contains(outcome.status)),
        "\(file)\n\(outcome.errors)")
    }
  }
}
