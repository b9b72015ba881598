import Foundation
import Testing

/// `rigl train --start-from` and `--extend`.
@Suite struct FineTuningCommandTests {
  private let data: SmallData
  private let folder: TemporaryFolder

  init() throws {
    data = try SmallData()
    folder = try TemporaryFolder()
    try data.train(in: folder("run"))
  }

  private func inspected(_ name: String) throws -> [String: Any] {
    try Rigl.run("inspect", folder(name), "--json").object()
  }

  private func accuracy(_ name: String) throws -> Double {
    let test = try Rigl.run("evaluate", folder(name), "--json").object()["test"] as? [String: Any]
    return try #require(test?["accuracy"] as? Double)
  }

  /// The network of two classes of the data: its first two quarters.
  private func twoClasses() throws -> String {
    try FileManager.default.createDirectory(
      atPath: folder("two"), withIntermediateDirectories: false)
    for (name, count) in [("train", 300), ("t10k", 80)] {
      var (pixels, labels): ([UInt8], [UInt8]) = ([], [])
      for sample in 0..<count {
        labels.append(UInt8(sample % 2))
        for place in 0..<36 {
          let value: Int = (sample * 31 + place * 7919 + sample % 2 * 90) % 160
          pixels.append(UInt8(value))
        }
      }
      let size: [UInt8] = [0, 0, UInt8(count / 256), UInt8(count % 256)]
      let images: [UInt8] = [0, 0, 8, 3] + size + [0, 0, 0, 6, 0, 0, 0, 6] + pixels
      let classes: [UInt8] = [0, 0, 8, 1] + size + labels
      for (kind, bytes) in [("images-idx3", images), ("labels-idx1", classes)] {
        let path = folder("two/\(name)-\(kind)-ubyte")
        try Data(bytes).write(to: URL(fileURLWithPath: path))
      }
    }
    return folder("two")
  }

  // MARK: - Starting from a run

  @Test func aSparseRunIsTunedInOneStep() throws {
    let outcome = try Rigl.run(
      "train", "--start-from", folder("run"), "--epochs", "1", "--set", "learning_rate=0.01",
      "--output", folder("tuned"))
    #expect(outcome.status == 0, "\(outcome.errors)")
    for text in [
      "settings are those of \(folder("run"))", "epochs: 1 (there 3)",
      "learning_rate: 0.01 (there 0.1)", "step-000000075.safetensors", "657 of 1,312 connections",
    ] {
      #expect(outcome.output.contains(text), "\(text): \(outcome.output)")
    }
    // Data, network and connections are the run's.
    let untouched = try Rigl.run(
      "train", "--start-from", folder("run"), "--epochs", "0", "--output", folder("same"), "--json")
    #expect(try untouched.objects().last?["connections"] as? Int == 657, "\(untouched.errors)")
    #expect(untouched.errors.contains("settings are those of"), "\(untouched.errors)")
    #expect(try accuracy("same") == accuracy("run"))
    // Its own settings begin it again.
    let again = try Rigl.run(
      "train", folder("tuned/config.yaml"), "--output", folder("again"), "--quiet")
    #expect(again.status == 0 && again.output.isEmpty, "\(again)")
    let name = "checkpoints/step-000000025.safetensors"
    #expect(try folder.bytes(of: "tuned/\(name)") == folder.bytes(of: "again/\(name)"))
  }

  @Test func otherDataOfFewerClassesIsTaken() throws {
    let two = try twoClasses()
    let outcome = try Rigl.run(
      "train", "--start-from", folder("run"), "--data", two, "--epochs", "1", "--output",
      folder("tuned"))
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.output.contains("fc3") && outcome.output.contains("drawn anew"))
    #expect(outcome.output.contains("data_folder: \(two)"), "\(outcome.output)")
    #expect(outcome.output.contains("normalised"), "\(outcome.output)")
    let layers = try #require(
      (try inspected("tuned")["network"] as? [String: Any])?["layers"] as? [[String: Any]])
    let before = try #require(
      (try inspected("run")["network"] as? [String: Any])?["layers"] as? [[String: Any]])
    #expect(
      layers.map { $0["connections"] as? Int }.dropLast()
        == before.map { $0["connections"] as? Int }.dropLast())
    #expect(layers.last?["shape"] as? [Int] == [2, 16])
    #expect(try Rigl.run("train", "--resume", folder("tuned")).status == 0)
    #expect(try Rigl.run("evaluate", folder("tuned")).status == 0)
  }

  @Test func aFileOrPresetThatNamesANetworkIsTheBase() throws {
    try folder.write("start_from: run\nepochs: 1\n", to: "part.yaml")
    let part = try Rigl.run("train", folder("part.yaml"), "--output", folder("part"))
    #expect(part.status == 0 && part.output.contains("settings are those of"), "\(part)")
    try folder.write(
      "start_from: run\nnetwork: mlp\nhidden: [24, 16]\ndata: \(data.path)\nepochs: 1\n"
        + "validation: 100\nsparsity: 0.6\n", to: "whole.yaml")
    let whole = try Rigl.run("train", folder("whole.yaml"), "--output", folder("whole"))
    #expect(whole.status == 0 && !whole.output.contains("settings are those of"), "\(whole)")
    #expect(whole.output.contains("the largest"), "\(whole.output)")
    let preset = try Rigl.run(
      "train", "--preset", "demo", "--start-from", folder("run"), "--data", data.path,
      "--validation", "100", "--output", folder("no"))
    #expect(preset.status == 65 && preset.errors.contains("hidden is [24, 16] there"), "\(preset)")
    #expect(!FileManager.default.fileExists(atPath: folder("no")))
  }

  @Test func aDenseRunStaysDenseUnlessSparsityIsAskedFor() throws {
    try data.train(in: folder("dense"), ["--method", "dense"])
    for (arguments, connections) in [([], 1312...1312), (["--sparsity", "0.75"], 328...331)] {
      let outcome = try Rigl.run(
        [
          "train", "--start-from", folder("dense"), "--epochs", "1", "--json", "--output",
          folder("tuned-\(connections.lowerBound)"),
        ] + arguments)
      #expect(outcome.status == 0, "\(outcome.errors)")
      let count = try #require(try outcome.objects().last?["connections"] as? Int)
      #expect(connections.contains(count), "\(count)")
    }
  }

  @Test func whatContradictsIsSaidBeforeAnythingIsWritten() throws {
    for (arguments, status, word) in [
      (["--sparsity", "0.1"], 64, "connections"), (["--method", "dense"], 64, "--dense"),
      (["--set", "hidden=[8]"], 65, "hidden"), (["--set", "pad_to=9"], 65, "1,9,9"),
    ] as [([String], Int32, String)] {
      for dry in [[], ["--dry-run"]] {
        let outcome = try Rigl.run(
          ["train", "--start-from", folder("run"), "--output", folder("no")] + arguments + dry)
        #expect(outcome.status == status && outcome.errors.contains(word), "\(outcome)")
        #expect(!FileManager.default.fileExists(atPath: folder("no")))
      }
    }
  }

  // MARK: - Making a run longer

  @Test func aFinishedRunIsMadeLonger() throws {
    let said = try Rigl.run("train", "--resume", folder("run")).output
    #expect(said.contains("--extend"), "\(said)")
    let outcome = try Rigl.run("train", "--resume", folder("run"), "--extend", "2")
    #expect(outcome.status == 0, "\(outcome.errors)")
    for text in [
      "from 3 epochs to 5 epochs", "end at step 56", "the learning rate jumps from", "epoch 5/5",
    ] {
      #expect(outcome.output.contains(text), "\(text): \(outcome.output)")
    }
    let settings = String(decoding: try folder.bytes(of: "run/config.yaml"), as: UTF8.self)
    for line in ["epochs: 5\n", "update_end: 56\n", "extended_at: [75]\n"] {
      #expect(settings.contains(line), "\(settings)")
    }
    #expect(try inspected("run")["step"] as? Int == 125)
    #expect(try Rigl.run("train", "--resume", folder("run")).output.contains("finished already"))
    let metrics = String(decoding: try folder.bytes(of: "run/metrics.csv"), as: UTF8.self)
    #expect(metrics.split(separator: "\n").filter { $0.contains(",test,") }.count == 2)
    // It can be started from as any other.
    let tuned = try Rigl.run(
      "train", "--start-from", folder("run"), "--epochs", "1", "--output", folder("tuned"))
    #expect(tuned.status == 0 && !tuned.errors.contains("extended_at"), "\(tuned.errors)")
  }

  @Test func aKilledExtensionGoesOn() throws {
    let long = ["--epochs", "40", "--checkpoint-every", "37", "--set", "validation=0"]
    for name in ["killed", "whole"] { try data.train(in: folder(name), long) }
    #expect(
      try Rigl.run("train", "--resume", folder("whole"), "--extend", "60", "--quiet").status == 0)
    // At any moment: also before anything of the longer run is written.
    let command = try RunningCommand(["train", "--resume", folder("killed"), "--extend", "60"])
    usleep(60_000)
    command.send(SIGKILL)
    _ = try command.wait()
    #expect(try Rigl.run("evaluate", folder("killed")).status == 0)
    let settings = String(decoding: try folder.bytes(of: "killed/config.yaml"), as: UTF8.self)
    let more = settings.contains("epochs: 100\n") ? [] : ["--extend", "60"]
    let next = try RunningCommand(["train", "--resume", folder("killed")] + more)
    try next.waitForOutput("epoch  50")
    next.send(SIGKILL)
    _ = try next.wait()
    #expect(try Rigl.run("train", "--resume", folder("killed"), "--quiet").status == 0)
    let name = "checkpoints/step-000003000.safetensors"
    #expect(try folder.bytes(of: "killed/\(name)") == folder.bytes(of: "whole/\(name)"))
  }

  @Test func extensionsThatCannotBeChangeNothing() throws {
    let before = try folder.bytes(of: "run/config.yaml")
    for (arguments, status, word) in [
      (["--resume", folder("run"), "--extend", "0"], 64, "from 1"),
      (["--resume", folder("run"), "--extend", "1", "--seed", "7"], 64, "seed"),
      (["--resume", folder("run"), "--extend", "1", "--epochs", "9"], 64, "epochs"),
      (["--extend", "1"], 64, "--resume"), (["--resume", folder("no"), "--extend", "1"], 66, "no"),
      (["--resume", folder("run"), "--extend", "1", "--dry-run"], 0, ""),
    ] as [([String], Int32, String)] {
      let outcome = try Rigl.run(["train"] + arguments)
      #expect(
        outcome.status == status && outcome.errors.contains(word) || word.isEmpty, "\(outcome)")
    }
    #expect(try folder.bytes(of: "run/config.yaml") == before)
    let moved = try Rigl.run(
      "train", "--resume", folder("run"), "--extend", "1", "--set", "update_end=90")
    #expect(moved.status == 0 && moved.output.contains("end at step 90"), "\(moved)")
    // The end that the first extension has written does not stand in the way of none.
    try data.train(in: folder("constant"), ["--set", "annealing=constant"])
    for more in [[], ["--set", "update_forever=true"]] {
      let outcome = try Rigl.run(
        ["train", "--resume", folder("constant"), "--extend", "1"] + more)
      #expect(outcome.status == 0, "\(outcome.errors)")
    }
    let forever = try String(contentsOfFile: folder("constant/config.yaml"), encoding: .utf8)
    #expect(forever.contains("update_forever: true\n") && !forever.contains("update_end:"))
    // A key of a run's file alone.
    let own = try Rigl.run(
      "train", "--resume", folder("run"), "--set", "extended_at=[1]", "--epochs", "9")
    #expect(own.status == 64 && own.errors.contains("extended_at"), "\(own)")
  }

  /// Advice that is followed leads on, not back.
  @Test func hintsDoNotPointAtEachOther() throws {
    let resumed = try Rigl.run("train", "--resume", folder("run"), "--set", "learning_rate=0.01")
    #expect(resumed.status == 64)
    #expect(resumed.errors.contains("--extend") && resumed.errors.contains("--start-from"))
    let started = try Rigl.run(
      "train", "--start-from", folder("run"), "--set", "learning_rate=0.01", "--epochs", "1",
      "--output", folder("tuned"))
    #expect(started.status == 0, "\(started.errors)")
  }
}
