import Foundation
import RigLCore
import Testing

@Suite struct ConfigurationTests {
  let data: SmallData
  let folder: TemporaryFolder

  init() throws {
    data = try SmallData()
    folder = try TemporaryFolder()
  }

  /// The resolved configuration of a dry run.
  private func resolved(_ arguments: [String]) throws -> [String: Any] {
    let outcome = try Rigl.run(["train", "--dry-run", "--json"] + arguments)
    let object = try #require(try? outcome.object(), "\(outcome.errors)")
    return try #require(object["configuration"] as? [String: Any])
  }

  @Test func flagsGoBeforeTheFileAndTheFileBeforeThePreset() throws {
    try folder.write(
      "data: idx\ndata_folder: \(data.path)\nhidden: [24]\nsparsity: 0.5\nepochs: 7\nkeep: 5\n"
        + "validation: 10\n", to: "c.yaml")
    let file = folder("c.yaml")
    let settings = try resolved([file, "--preset", "demo", "--sparsity", "0.25", "--set", "seed=9"])
    #expect(settings["sparsity"] as? Double == 0.25, "from the flag")
    #expect(settings["seed"] as? Int == 9, "from --set")
    #expect(settings["epochs"] as? Int == 7, "from the file, not the preset")
    #expect(settings["learning_rate"] as? Double == 0.1)
    #expect(settings["hidden"] as? [Int] == [24])
    let plain = try resolved([file])
    #expect(plain["sparsity"] as? Double == 0.5)
    let both = try resolved([file, "--epochs", "3", "--set", "epochs=2"])
    #expect(both["epochs"] as? Int == 2, "the later one")
  }

  @Test func aFileMayNameItsPresetAndAFlagAnother() throws {
    try folder.write("preset: lenet-300-100-paper\nvalidation: 5\n", to: "c.yaml")
    let arguments = [folder("c.yaml"), "--data", data.path, "--set", "layer_sparsities={}"]
    #expect(try resolved(arguments)["schedule"] as? String == "step")
    #expect(try resolved(arguments)["validation"] as? Int == 5)
    let other = try resolved(arguments + ["--preset", "lenet-300-100"])
    #expect(other["schedule"] as? String == "cosine")
    #expect(other["validation"] as? Int == 5)
  }

  @Test func theDefaultsAreTheLibrarys() throws {
    let settings = try resolved(["--data", data.path, "--set", "validation=50"])
    #expect(settings["hidden"] as? [Int] == [300, 100])
    #expect(settings["sparsity"] as? Double == 0.9)
    #expect(settings["method"] as? String == "rigl")
    #expect(settings["distribution"] as? String == "erk")
  }

  @Test func anUnknownKeyNamesTheLineAndTheNearest() throws {
    try folder.write("# settings\nepochs: 1\nsparsty: 0.5\n", to: "c.yaml")
    let outcome = try Rigl.run("train", folder("c.yaml"))
    #expect(outcome.status == 64)
    #expect(outcome.errors.contains("\(folder("c.yaml")), line 3: there is no key 'sparsty'"))
    #expect(outcome.errors.contains("Did you mean sparsity?"))
    let flag = try Rigl.run("train", "--set", "batchsize=3")
    #expect(flag.status == 64)
    #expect(flag.errors.contains("Did you mean batch_size?"))
  }

  @Test(arguments: [
    ["--sparsity", "1"], ["--sparsity", "-0.1"], ["--sparsity", "many"], ["--sparsity", ".nan"],
    ["--method", "rgl"], ["--distribution", "ek"], ["--epochs", "1.5"], ["--epochs", "-1"],
    ["--seed", "-1"], ["--threads", "0"], ["--threads", "x"], ["--threads", "99999"],
    ["--keep", "0"], ["--checkpoint-every", "0"], ["--set", "epochs"], ["--set", "hidden=[0]"],
    ["--set", "hidden=[a]"], ["--set", "hidden=[4000000000]"], ["--set", "update_forever=true"],
    ["--set", "layer_sparsities={fc9: 0.5}"], ["--set", "network=cnn"], ["--set", "batch_size=0"],
    ["--set", "learning_rate=0"], ["--set", "learning_rate=.inf"], ["--set", "multiplier=1e300"],
    ["--set", "milestones=[1e300]", "--set", "schedule=step"], ["--set", "epochs=1e18"],
    ["--set", "update_interval=9223372036854775807"], ["--set", "warmup_epochs=1e300"],
    ["--set", "validation=600"], ["--set", "train_samples=0"], ["--set", "momentum=1"],
    ["--set", "hidden=[2000000000,2000000000]", "--method", "dense"],
    // No layer is left to be sparse.
    ["--set", "hidden=[]", "--set", "last_layer_dense=true", "--distribution", "erk"],
    ["--preset", "dmo"], ["--data", "fashion"],
  ])
  func whatCannotBeUsedIs64(arguments: [String]) throws {
    let all = ["train", "--data", data.path, "--set", "validation=0", "--output", folder("run")]
    let outcome = try Rigl.run(all + arguments)
    #expect(outcome.status == 64)
    #expect(!outcome.hasCrashed)
    #expect(outcome.errors.hasPrefix("rigl: "))
    #expect((1...4).contains(outcome.errors.split(separator: "\n").count))
    #expect(try folder.names().isEmpty, "nothing is made of a run that cannot begin")
  }

  @Test func brokenFilesAreExplained() throws {
    try folder.write("epochs: [1\nb", to: "broken.yaml")
    try folder.write("- 1\n", to: "list.yaml")
    try folder.write("epochs: 1\nepochs: 2\n", to: "twice.yaml")
    for (name, text) in [
      ("broken.yaml", "line 3"), ("list.yaml", "not a mapping"), ("twice.yaml", "'epochs'"),
    ] {
      let outcome = try Rigl.run("train", folder(name))
      #expect(outcome.status == 64)
      #expect(outcome.errors.contains(name) && outcome.errors.contains(text))
    }
    try Data([0xFF, 0xFE, 0x00]).write(to: URL(fileURLWithPath: folder("bytes.yaml")))
    #expect(try Rigl.run("train", folder("bytes.yaml")).status == 65)
    #expect(try Rigl.run("train", folder("nothing.yaml")).status == 66)
  }

  @Test func aDryRunPrintsAndWritesNothing() throws {
    let outcome = try Rigl.run(data.arguments(["--dry-run", "--output", folder("run")]))
    #expect(outcome.status == 0)
    #expect(try folder.names().isEmpty)
    #expect(outcome.output.contains("hidden: [24, 16]"))
    #expect(outcome.output.contains("fc1    24x36"))
    #expect(outcome.output.contains("Memory: "))
    #expect(outcome.output.contains("Time: about "))

    let object = try Rigl.run(data.arguments(["--dry-run", "--json"])).object()
    let layers = try #require(object["layers"] as? [[String: Any]])
    #expect(layers.count == 3)
    let rehearsal = try #require(object["rehearsal"] as? [String: Any])
    // 500 samples in batches of 20, 3 epochs; updates at 0, 10, … 50 of trunc(.75 · 75) = 56.
    #expect(rehearsal["steps"] as? Int == 75)
    #expect(rehearsal["updates"] as? Int == 6)
    #expect(try #require(rehearsal["estimated_seconds"] as? Double) > 0)
  }

  /// Stages, what they apply, and their bytes: of a training, and of the run.
  @Test func thePlanIsPrinted() throws {
    let convolutions = [
      "--set", "network=wrn-10-1", "--set", "width_multiplier=0.5", "--set", "pad_to=8",
    ]
    let outcome = try Rigl.run(data.arguments(["--dry-run", "--plan"] + convolutions))
    #expect(outcome.status == 0, "\(outcome)")
    // 8 channels of 8 × 8, in whole groups of 8 samples, and 8 · 9 weights.
    #expect(
      outcome.output.contains("conv1: 8x8x8, output 48.0 KiB, parameters 288 B"), "\(outcome)")
    #expect(outcome.output.contains("  written by the main branch; sums layer2.0.bn1"))
    #expect(outcome.output.contains("Outputs and gradients of activations take "))
    let lines = outcome.output.split(separator: "\n")
    for line in lines where !line.hasPrefix("#") { #expect(line.count <= 80, "\(line)") }
    let object = try Rigl.run(
      data.arguments(["--dry-run", "--plan", "--json"] + convolutions)
    ).object()
    let plan = try #require(object["plan"] as? [String: Any])
    let stages = try #require(plan["stages"] as? [[String: Any]])
    #expect(stages.map { $0["stage"] as? String }.contains("layer1.0 sum"))
    let sum = stages.reduce(0) {
      $0 + ($1["output_bytes"] as? Int ?? 0) + ($1["gradient_bytes"] as? Int ?? 0)
    }
    let bytes = try #require(plan["tensor_bytes"] as? Int)
    #expect(bytes > 0 && bytes < sum, "gradients share memory")

    #expect(try Rigl.run(data.arguments(["--plan"])).status == 64)
    #expect(
      try Rigl.run(
        data.arguments(["--steps", "2", "--quiet", "--output", folder("run")] + convolutions)
      ).status == 0)
    let run = try Rigl.run("inspect", folder("run"), "--plan").output
    #expect(run.contains("global-pool: 32x1x1"), "\(run)")
  }

  @Test func aDryRunListsWhatIsUnset() throws {
    let outcome = try Rigl.run(data.arguments(["--dry-run", "--steps", "7"]))
    let lines = outcome.output.components(separatedBy: "\n\n")[0].split(separator: "\n")
    let keys = Configuration.Key.allCases.map(\.rawValue) + ["data_folder", "start_from"]
    for key in keys {
      let own = lines.filter { $0.hasPrefix("\(key): ") || $0.hasPrefix("# \(key): unset (") }
      #expect(own.count == 1, "\(key)")
    }
    #expect(lines.contains("# update_end: unset (three quarters of the training)"))
    #expect(lines.contains("steps: 7") && lines.contains("learning_rate: 0.1"))
    let object = try Rigl.run(data.arguments(["--dry-run", "--json"])).object()
    let unset = try #require(object["unset"] as? [String])
    #expect(unset.contains("steps") && unset.contains("clip_norm") && !unset.contains("epochs"))
    let settings = try #require(object["configuration"] as? [String: Any])
    #expect(Set(settings.keys).union(unset).count == Configuration.Key.allCases.count)
    #expect(Set(settings.keys).isDisjoint(with: unset))
  }

  @Test func aRunOfFewMovementsOrOfAnotherRateSaysSo() throws {
    let few = ["--set", "update_interval=40", "--set", "optimizer=adamw", "--set"]
    for (rate, isHigh) in [("0.1", true), ("0.001", false)] {
      for dry in [["--dry-run"], ["--output", folder("run\(rate)")]] {
        let outcome = try Rigl.run(data.arguments(few + ["learning_rate=\(rate)"] + dry))
        #expect(outcome.status == 0)
        #expect(
          outcome.errors.contains(
            "rigl: warning: update_interval: the topology will move only twice: "))
        #expect(outcome.errors.contains("learning_rate: 0.1 is high for adamw") == isHigh)
      }
    }
    // Who goes on has read it.
    let resumed = try Rigl.run("train", "--resume", folder("run0.1"))
    #expect(resumed.status == 0 && resumed.errors.isEmpty, "\(resumed.errors)")
    let settings = try resolved(["--preset", "demo", "--data", data.path, "--set", "validation=9"])
    #expect(settings["learning_rate"] as? Double == 0.1)
    let adam = try resolved([
      "--preset", "demo", "--data", data.path, "--set", "validation=9", "--set", "optimizer=adam",
    ])
    #expect(adam["learning_rate"] as? Double == 0.001)
  }

  @Test func whatADryRunPrintsIsAConfiguration() throws {
    let outcome = try Rigl.run(
      data.arguments(["--dry-run", "--set", "learning_rate=0.30000000000000004"]))
    let yaml = outcome.output.components(separatedBy: "\n\n")[0]
    #expect(yaml.contains("learning_rate: 0.30000000000000004\n"))
    #expect(yaml.contains("momentum: 0.9\n"))
    try folder.write(yaml, to: "c.yaml")
    let again = try Rigl.run("train", folder("c.yaml"), "--dry-run")
    #expect(again.output.components(separatedBy: "\n\n")[0] == yaml)
  }
}
