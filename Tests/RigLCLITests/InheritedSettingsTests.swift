import Foundation
import RigLCore
import RigLImages
import Testing

/// What settings `rigl train --start-from` takes of a run or a file, and what it says of them.
@Suite struct InheritedSettingsTests {
  private let data: SmallData
  private let folder: TemporaryFolder

  init() throws {
    data = try SmallData()
    folder = try TemporaryFolder()
  }

  private func settings(of run: String) throws -> String {
    String(decoding: try folder.bytes(of: "\(run)/config.yaml"), as: UTF8.self)
  }

  private func train(_ arguments: String..., output: String? = nil) throws -> Rigl.Outcome {
    try Rigl.run(
      ["train"] + arguments + (output.map { ["--output", folder($0)] } ?? ["--dry-run"]))
  }

  // MARK: - Other data

  /// Numbers of samples are those of the data that they were asked of.
  @Test func otherDataComesWithoutTheRunsNumbersOfSamples() throws {
    try data.train(
      in: folder("part"),
      ["--set", "train_samples=550", "--set", "test_samples=119", "--set", "split=sequential"])
    // The same samples, elsewhere: none of the settings is wrong for them.
    try FileManager.default.copyItem(atPath: data.path, toPath: folder("other"))
    let start = ["--start-from", folder("part"), "--epochs", "1"]
    let other = try train(start[0], start[1], "--data", folder("other"), output: "tuned")
    #expect(other.status == 0, "\(other.errors)")
    for text in [
      "train_samples: unset (there 550)", "test_samples: unset (there 119)",
      "validation: unset (there 100)", "split: random (there sequential)",
      "data_folder: \(folder("other"))",
    ] {
      #expect(other.output.contains(text), "\(text): \(other.output)")
    }
    #expect(try !settings(of: "tuned").contains("_samples"))
    let asked = try train(
      start[0], start[1], start[2], start[3], "--data", folder("other"), "--set",
      "train_samples=550", "--validation", "100", output: "asked")
    #expect(asked.status == 0, "\(asked.errors)")
    #expect(try settings(of: "asked").contains("train_samples: 550\nvalidation: 100\n"))
    let same = try train(
      start[0], start[1], start[2], start[3], "--data", data.path, output: "same")
    #expect(same.status == 0, "\(same.errors)")
    #expect(
      try settings(of: "same").contains(
        "train_samples: 550\ntest_samples: 119\nvalidation: 100\nsplit: sequential\n"))
  }

  /// A number that the other data does not have is no error: nobody has asked for it.
  @Test func aRunOfMoreSamplesCanBeStartedFrom() throws {
    try data.train(in: folder("part"), ["--set", "train_samples=550"])
    let less = try SmallData(trainCount: 300)
    let outcome = try train("--start-from", folder("part"), "--data", less.path, "--epochs", "1")
    #expect(outcome.status == 0, "\(outcome.errors)")
    let none = try train(
      "--start-from", folder("part"), "--data", less.path, "--set", "train_samples=550")
    #expect(none.status == 64 && none.errors.contains("there are 300"), "\(none.errors)")
  }

  /// What images of another kind cannot go through is not taken, and their size is said.
  @Test func photosAfterSmallImages() throws {
    try GeneratedImageFolder(classes: 3, trainPerClass: 20, validationPerClass: 4, side: 24)
      .write(to: folder("p"))
    let small = try train(
      "--data", "synthetic-color", "--set", "network=wrn-10-1", "--set", "width_multiplier=0.25",
      "--set", "train_samples=300", "--set", "test_samples=16", "--set", "batch_size=16",
      "--epochs", "1", "--validation", "0", "--set", "augmentation=pad_crop_flip", output: "small")
    #expect(small.status == 0, "\(small.errors)")
    let start = ["--start-from", folder("small"), "--data", folder("p")]
    let photos = try train(start[0], start[1], start[2], start[3], "--set", "batch_size=4")
    #expect(photos.status == 0, "\(photos.errors)")
    #expect(photos.output.contains("augmentation: none (there pad_crop_flip)"), "\(photos.output)")
    #expect(photos.output.contains("validation: 0\n"), "none were held out")
    #expect(
      photos.errors.contains(
        "warning: image_size: the network was trained on images of 32 x 32, and goes on with "
          + "224 x 224; image_size=32 keeps its size"), "\(photos.errors)")
    let same = try train(start[0], start[1], start[2], start[3], "--set", "image_size=32")
    #expect(same.status == 0 && !same.errors.contains("was trained on images"), "\(same.errors)")
    // Of other channels, nothing but these is wrong.
    let grey = try train("--start-from", folder("small"), "--data", data.path)
    #expect(
      grey.status == 65 && grey.errors.contains("any height and width, but 3 channels"),
      "\(grey.errors)")
  }

  // MARK: - The end of updates

  @Test func theEndOfUpdatesIsTheTrainingsOwn() throws {
    try data.train(in: folder("run"))
    #expect(try Rigl.run("train", "--resume", folder("run"), "--extend", "2").status == 0)
    #expect(try settings(of: "run").contains("update_end: 56\n"))
    let long = try train("--start-from", folder("run"), "--epochs", "40", output: "long")
    #expect(long.status == 0, "\(long.errors)")
    #expect(long.output.contains("update_end: unset (there 56)"), "\(long.output)")
    #expect(try !settings(of: "long").contains("update_end"))
    let metrics = String(decoding: try folder.bytes(of: "long/metrics.csv"), as: UTF8.self)
    let updates = metrics.split(separator: "\n").filter { $0.contains(",update,") }
    // To three quarters of 1000 steps, every 10.
    #expect(updates.count >= 75, "\(updates.count)")
    let asked = try train(
      "--start-from", folder("run"), "--epochs", "4", "--set", "update_end=56", output: "asked")
    #expect(asked.status == 0, "\(asked.errors)")
    #expect(try settings(of: "asked").contains("update_end: 56\n"))
  }

  // MARK: - Files

  /// A file without what rigl writes into it beside the tensors.
  private func removeMetadata(of path: String) throws {
    let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    let count = bytes.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
    let json = try JSONSerialization.jsonObject(with: bytes.dropFirst(8).prefix(count))
    var header = try #require(json as? [String: Any])
    header["__metadata__"] = nil
    var text = try JSONSerialization.data(withJSONObject: header)
    while text.count % 8 != 0 { text.append(UInt8(ascii: " ")) }
    let length = (0..<8).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) }
    try (Data(length) + text + bytes.dropFirst(8 + count)).write(to: URL(fileURLWithPath: path))
  }

  @Test func aDryRunReadsWhatTheRunStartsFrom() throws {
    try data.train(in: folder("run"))
    let file = folder("bare.safetensors")
    #expect(try Rigl.run("export", folder("run"), "--dense", "--output", file).status == 0)
    try removeMetadata(of: file)
    for (more, status) in [
      ([], 65), (["--set", "hidden=[24,16]"], 0), (["--set", "hidden=[24]"], 65),
      (["--set", "network=wrn-10-1"], 65),
    ] as [([String], Int32)] {
      let arguments = ["train", "--start-from", file, "--data", data.path, "--epochs", "1"] + more
      let real = try Rigl.run(arguments + ["--output", folder("r\(more.joined())")])
      let dry = try Rigl.run(arguments + ["--dry-run"])
      #expect(real.status == status && dry.status == status, "\(more): \(dry)")
      if status != 0 { #expect(dry.errors == real.errors && !dry.errors.isEmpty) }
    }
  }

  /// The advice of an error leads to a training.
  @Test func aNetworkIsStartedFromWithMoreConnections() throws {
    try data.train(in: folder("run"))
    let more = try train("--start-from", folder("run"), "--sparsity", "0.3")
    #expect(more.status == 64 && more.errors.contains("rigl export --dense"), "\(more.errors)")
    let file = folder("dense.safetensors")
    #expect(try Rigl.run("export", folder("run"), "--dense", "--output", file).status == 0)
    let outcome = try train(
      "--start-from", file, "--sparsity", "0.3", "--data", data.path, "--epochs", "1",
      output: "more")
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.output.contains("settings are those of \(file)"), "\(outcome.output)")
    #expect(try settings(of: "more").contains("hidden: [24, 16]"))
    let network = try Rigl.run("inspect", folder("more"), "--json").object()["network"]
    let connections = (network as? [String: Any])?["connections"] as? Int
    #expect((915...921).contains(connections ?? 0), "\(connections ?? 0)")
  }

  /// Nobody has set what a run was given by the one that it started from.
  @Test func aSecondStartWarnsOfNothing() throws {
    let other = try SmallData(classes: 3)
    try data.train(in: folder("run"))
    for (start, output) in [("run", "once"), ("once", "twice")] {
      let outcome = try train(
        "--start-from", folder(start), "--data", other.path, "--epochs", "1", output: output)
      #expect(outcome.status == 0 && !outcome.errors.contains("sparsity"), "\(outcome.errors)")
    }
  }
}
