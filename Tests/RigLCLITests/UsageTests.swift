import Foundation
import RigLCore
import Testing

@Suite struct UsageTests {
  @Test func versionIsPrinted() throws {
    let outcome = try Rigl.run("--version")
    #expect(outcome.status == 0)
    #expect(outcome.output == "0.1.0\n")
  }

  @Test(arguments: [
    "train", "evaluate", "predict", "inspect", "presets", "settings", "flops", "export", "strip",
    "import", "bench", "bench step", "bench layers", "landscape", "gradient-flow",
  ])
  func everyCommandHasHelpThatFits(command: String) throws {
    let words = command.split(separator: " ").map(String.init)
    let outcome = try Rigl.run(words + ["--help"], environment: ["COLUMNS": "80"])
    #expect(outcome.status == 0)
    #expect(outcome.output.contains("USAGE: rigl \(command)"))
    // The argument parser does not wrap the line of usage.
    for line in outcome.output.split(separator: "\n") where !line.hasPrefix("USAGE: ") {
      #expect(line.count <= 80, "\(command): \(line)")
    }
    if command != "bench" { #expect(outcome.output.contains("--json")) }
    if words[0] != "bench" { #expect(outcome.output.contains("--quiet")) }
    let help = try Rigl.run(["help"] + words)
    #expect(help.status == 0)
  }

  @Test(arguments: [
    ["train", "--frobnicate"], ["frobnicate"], ["evaluate"], ["predict", "run"], ["inspect"],
    ["flops"], ["train", "a.yaml", "b.yaml"], ["train", "--output"],
    ["train", "--output", "a", "--resume", "b"],
  ])
  func wrongUsageIs64(arguments: [String]) throws {
    let outcome = try Rigl.run(arguments)
    #expect(outcome.status == 64)
    #expect(outcome.output.isEmpty)
    #expect(outcome.errors.contains("Usage: rigl"))
  }

  @Test(arguments: ["avx9", "", "AVX2", "scalar ", " avx2", "avx2,scalar", "unsupported", "\u{7}"])
  func anInstructionSetThatIsNoneIs64(name: String) throws {
    for arguments in [
      ["settings"], ["train", "--preset", "demo", "--dry-run"], ["bench", "step", "demo"],
      ["--help"], ["--version"], ["frobnicate"],
    ] {
      let outcome = try Rigl.run(arguments, environment: ["CSK_ISA": name])
      #expect(!outcome.hasCrashed && outcome.status == 64)
      #expect(outcome.output.isEmpty)
      let lines = outcome.errors.split(separator: "\n")
      try #require(lines.count == 1, "\(outcome.errors)")
      let shown = name == "\u{7}" ? "\\u{7}" : name
      #expect(
        lines[0].hasPrefix(
          "rigl: CSK_ISA: '\(shown)' is no instruction set that this machine runs (scalar"))
      #expect(lines[0].hasSuffix("); unset it for the best one"))
    }
  }

  @Test func everyInstructionSetThatIsNamedRuns() throws {
    let refusal = try Rigl.run("presets", environment: ["CSK_ISA": "none"]).errors
    let list = try #require(refusal.split(separator: "(").last?.split(separator: ")").first)
    let names = list.split(separator: ", ").map(String.init)
    #expect(names.first == "scalar")
    for name in names {
      #expect(try Rigl.run("presets", environment: ["CSK_ISA": name]).status == 0)
    }
  }

  @Test func aReaderThatHasGoneIsNoCrash() throws {
    for arguments in [["presets", "--json"], ["flops", "demo"], ["--help"]] {
      let pipe = Pipe()
      try pipe.fileHandleForReading.close()
      let command = try RunningCommand(arguments, output: pipe.fileHandleForWriting)
      let outcome = try command.wait()
      #expect(!outcome.hasCrashed)
      #expect(outcome.status == 0)
      #expect(outcome.errors.isEmpty)
    }
  }

  #if os(Linux)
    @Test func aFullOutputIs74() throws {
      let full = try #require(FileHandle(forWritingAtPath: "/dev/full"))
      for arguments in [["presets"], ["bench", "--help"], ["--version"]] {
        let outcome = try RunningCommand(arguments, output: full).wait()
        #expect(outcome.status == 74, "\(arguments)")
        #expect(outcome.errors.contains("standard output"))
      }
    }
  #endif
}

@Suite struct CatalogueTests {
  @Test func presetsAreListed() throws {
    let text = try Rigl.run("presets")
    #expect(text.status == 0)
    #expect(text.output.contains("lenet-300-100-paper"))
    let json = try Rigl.run("presets", "--json")
    let list = try #require(
      try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [[String: Any]])
    #expect(list.compactMap { $0["name"] as? String }.contains("demo"))
    #expect(list.allSatisfy { $0["configuration"] is [String: Any] })
    #expect(try Rigl.run("presets", "--quiet").output.isEmpty)
  }

  @Test func settingsAreListedAndExplained() throws {
    let list = try Rigl.run("settings", environment: ["COLUMNS": "80"])
    #expect(list.status == 0)
    let lines = list.output.split(separator: "\n")
    #expect(lines.allSatisfy { $0.count <= 80 })
    #expect(!list.output.contains("…"), "each one's first sentence fits")
    for key in Configuration.Key.allCases.map(\.rawValue) + RunOptions.keys {
      #expect(lines.filter { $0.hasPrefix("  \(key) ") }.count == 1, "\(key)")
    }
    for section in ["Data", "Topology updates", "Running"] {
      #expect(lines.contains { $0 == section })
    }
    let wide = try Rigl.run("settings", environment: ["COLUMNS": "140"]).output
    #expect(wide.contains("unset: 0.1 for sgd"))

    let rate = try Rigl.run("settings", "learning_rate").output
    for text in ["a number above 0", "unset: 0.1 for sgd, 0.001 for adam, 0.001 for adamw"] {
      #expect(rate.contains(text), "\(rate)")
    }
    let method = try Rigl.run("settings", "new-weights").output
    #expect(method.contains("matters for  method rigl, rigl-inverted, set, snfs,"), "\(method)")
    #expect(method.contains("  gradient_sign  the gradient's sign, likewise"), "\(method)")
    #expect(try Rigl.run("settings", "--quiet").output.isEmpty)
  }

  @Test func settingsAsJSON() throws {
    let json = try Rigl.run("settings", "--json").output
    let list = try #require(
      try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [[String: Any]])
    #expect(list.count == Configuration.Key.allCases.count + RunOptions.keys.count)
    let one = try Rigl.run("settings", "batch_size", "--json").object()
    #expect(one["default"] as? String == "128")
    #expect(one["matters_for"] is NSNull && one["unset"] is NSNull)
    #expect(one["section"] as? String == "Training")
    let method = try Rigl.run("settings", "method", "--json").object()
    #expect((method["words"] as? [String: String])?["dense"] != nil)
    let markdown = try Rigl.run("settings", "--markdown")
    #expect(markdown.output == SettingReference.markdown)
    #expect(try Rigl.run("settings", "--markdown", "--json").status == 64)
  }

  @Test(arguments: [
    ("lr", "Did you mean learning_rate"), ("demo", "--preset demo"),
    ("wrn-28-10", "--set network=wrn-28-10"), ("zzz", "rigl settings"),
  ])
  func anUnknownSettingNamesWhatIsNear(name: String, hint: String) throws {
    let outcome = try Rigl.run("settings", name)
    #expect(outcome.status == 64 && outcome.output.isEmpty)
    #expect(outcome.errors.contains("there is no setting '\(name)'"))
    #expect(outcome.errors.contains(hint), "\(outcome.errors)")
  }

  @Test func flopsCountsAPreset() throws {
    let text = try Rigl.run("flops", "wrn-10-2").output
    #expect(text.hasPrefix("Counted for samples of 3x32x32 and 10 classes"), "\(text)")
    let object = try Rigl.run("flops", "lenet-300-100", "--json").object()
    let layers = try #require(object["layers"] as? [[String: Any]])
    #expect(layers.compactMap { $0["name"] as? String } == ["fc1", "fc2", "fc3"])
    #expect(layers[0]["shape"] as? [Int] == [300, 784])
    // 2 FLOPs a connection, 1 a bias.
    let connections = try layers.reduce(0) { $0 + (try #require($1["connections"] as? Int)) }
    #expect(object["flops"] as? Int == 2 * connections + 410)
    #expect(object["dense_flops"] as? Int == 2 * 266_200 + 410)
    let costs = try #require(object["train_multiplier"] as? [String: Double])
    let (flops, denseFlops) = (Double(2 * connections + 410), Double(2 * 266_200 + 410))
    #expect(abs(try #require(costs["static"]) - flops / denseFlops) < 1e-12)
    #expect(costs["dense"] == 1)
    let rigl = try #require(costs["rigl"])
    #expect(abs(rigl - (3 * flops * 100 + 2 * flops + denseFlops) / 101 / (3 * denseFlops)) < 1e-12)
  }

  @Test func flopsTakesSettings() throws {
    func flops(_ more: String...) throws -> Int {
      let outcome = try Rigl.run(["flops", "lenet-300-100", "--json"] + more)
      return try #require(try outcome.object()["flops"] as? Int, "\(outcome.errors)")
    }
    let dense = 2 * 266_200 + 410
    #expect(try flops("--method", "dense") == dense)
    #expect(try flops("--sparsity", "0") == dense)
    // The first layer stays dense; the others lose floor(0.5 N) each.
    #expect(
      try flops("--sparsity", "0.5", "--distribution", "uniform") == dense - 2 * (15_000 + 500))
    #expect(try flops("--set", "hidden=[10]", "--method", "dense") == 2 * 7_940 + 20)
    let paper = try Rigl.run("flops", "lenet-300-100", "--paper-accounting", "--json").object()
    #expect(paper["accounting"] as? String == "paper")
  }

  /// 0.99999 of the positions are not all of them, and a connection in 100 000 is one.
  @Test(arguments: [("0.99999", "99.999 %"), ("0.99996", "99.996 %"), ("0.999999", "99.9999 %")])
  func whatIsLeftIsNotRoundedAway(sparsity: String, shown: String) throws {
    let text = try Rigl.run(
      "flops", "demo", "--set", "hidden=[100000]", "--sparsity", sparsity, "--distribution",
      "uniform", "--set", "first_layer_sparse=true")
    #expect(text.output.contains(shown) && !text.output.contains("100.0"), "\(text.output)")
  }

  @Test func anUnknownPresetNamesTheNearest() throws {
    let outcome = try Rigl.run("flops", "lenet-300-10")
    #expect(outcome.status == 64)
    #expect(outcome.errors.contains("Did you mean lenet-300-100 or lenet-300-100-paper?"))
  }

  @Test(arguments: [
    (["--preset", "wrn-28-10"], "--set network=wrn-28-10"),
    (["--preset", "mlp"], "It is a network: --set network=mlp"),
    (["--preset", "vgg"], "Did you mean the network: --set network=vgg-16?"),
    (["--preset", "lenet"], "Did you mean lenet-300-100 or lenet-300-100-paper?"),
    (["--set", "network=demo"], "It is a preset: --preset demo"),
    (["--set", "network=lenet-300-100"], "It is a preset: --preset lenet-300-100"),
    (["--set", "network=cifar10-wrn"], "Did you mean the preset: --preset cifar10-wrn-22-2?"),
    (["--set", "network=wrn"], "Did you mean wrn-22-2, wrn-10-2 or wrn-16-8?"),
    (["--set", "lr=0.1"], "Did you mean learning_rate or min_learning_rate?"),
    (["--set", "warmup=5"], "Did you mean warmup_epochs?"),
    (["--data", "cifar10"], "Did you mean cifar-10?"),
  ])
  func presetsNetworksAndSettingsAreToldApart(arguments: [String], hint: String) throws {
    let outcome = try Rigl.run(["train", "--data", "synthetic"] + arguments)
    #expect(outcome.status == 64)
    #expect(outcome.errors.contains(hint), "\(outcome.errors)")
  }

  @Test(arguments: [["--preset", "zzz"], ["--set", "network=zzz"], ["--set", "frobnicate=1"]])
  func nothingIsSuggestedWhereNothingIsNear(arguments: [String]) throws {
    let outcome = try Rigl.run(["train", "--data", "synthetic"] + arguments)
    #expect(outcome.status == 64)
    #expect(!outcome.errors.contains("Did you mean"), "\(outcome.errors)")
  }
}
