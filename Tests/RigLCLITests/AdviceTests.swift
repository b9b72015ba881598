import Foundation
import RigLCore
import RigLImages
import Testing

/// Messages about what a user most likely meant otherwise.
@Suite struct AdviceTests {
  private let data: SmallData
  private let folder: TemporaryFolder

  init() throws {
    data = try SmallData()
    folder = try TemporaryFolder()
  }

  private func warnings(_ more: [String]) throws -> [String] {
    let outcome = try Rigl.run(data.arguments(["--dry-run", "--json"] + more))
    return try #require(try outcome.object()["warnings"] as? [String], "\(outcome.errors)")
  }

  // MARK: - Settings

  @Test(arguments: [
    (["--method", "dense", "--set", "drop_fraction=0.5"], "sparsity: has no effect with method"),
    (["--method", "static"], "update_interval: has no effect with method: static"),
    (["--set", "validate_on_test=true"], "validation: has no effect"),
    (
      [
        "--set", "optimizer=adamw", "--set", "weight_decay=0.1", "--set",
        "decoupled_weight_decay=0.2",
      ], "weight_decay: has no effect"
    ),
    (["--set", "label_smoothing=1"], "label_smoothing: with 1"),
    (["--set", "weight_decay=5"], "weight_decay: 5.0 times a learning_rate of 0.1 takes 50 %"),
    (["--set", "accumulation=500"], "accumulation: a weight step takes 500 batches"),
    (["--set", "batch_size=5000"], "batch_size: 5000 is more than all 500 training samples"),
  ])
  func settingsWithoutUseAreNamed(arguments: [String], text: String) throws {
    let said = try warnings(arguments)
    #expect(said.contains { $0.hasPrefix(text) }, "\(said)")
  }

  /// What a preset or another run says, the user has not set.
  @Test func onlyTheUsersSettingsAreNamed() throws {
    func named(_ arguments: [String]) throws -> [String] {
      let outcome = try Rigl.run(["train", "--dry-run", "--json"] + arguments)
      let said = try #require(try outcome.object()["warnings"] as? [String], "\(outcome.errors)")
      return said.filter { $0.contains("has no effect") }
    }
    let dense = ["--preset", "demo", "--data", data.path, "--method", "dense"]
    #expect(try named(dense) == [])
    try folder.write("preset: demo\nmethod: dense\n", to: "dense.yaml")
    #expect(try named([folder("dense.yaml"), "--data", data.path]) == [])
    #expect(
      try named([folder("dense.yaml"), "--data", data.path, "--sparsity", "0.95"])
        == ["sparsity: has no effect with method: dense"])
    try data.train(in: folder("run"))
    #expect(try named(["--start-from", folder("run"), "--method", "static"]) == [])
    let moved = ["--method", "static", "--set", "drop_fraction=0.2"]
    #expect(
      try named(["--start-from", folder("run")] + moved)
        == ["drop_fraction: has no effect with method: static"])
  }

  @Test func aNetworkThatIsCutInTwoIsNamed() throws {
    #expect(try warnings([]) == [])
    let arguments = ["--sparsity", "0.998", "--set", "validation=0"]
    let said = try warnings(arguments)
    #expect(
      said.contains { $0.hasPrefix("sparsity: ") && $0.contains("lower sparsity") }, "\(said)")
    let cut = said.filter { $0.contains("no output depends on") || $0.contains("no connections") }
    #expect(cut.count == 1, "\(said)")
  }

  @Test(arguments: [
    (["--sparsity", "0.7", "--set", "sparsity=0.25"], "sparsity", "0.25"),
    (["--set", "sparsity=0.25", "--sparsity", "0.75"], "sparsity", "0.75"),
    (["--method", "set", "--set", "method=static"], "method", "static"),
    (["--set", "method=static", "--method", "set"], "method", "set"),
    (["--seed", "3", "--set", "seed=4"], "seed", "4"),
    (["--epochs", "3", "--set", "epochs=2"], "epochs", "2"),
    (["--set", "epochs=2", "--epochs", "3"], "epochs", "3"),
    (["--validation", "30", "--set", "validation=40"], "validation", "40"),
    (["--normalization", "none", "--set", "normalization=standard"], "normalization", "standard"),
    (["--set", "normalization=standard", "--normalization", "none"], "normalization", "none"),
    (["--set", "data=synthetic", "--set", "train_samples=500"], "data", "synthetic"),
  ])
  func ofAFlagAndASettingTheLaterCounts(
    arguments: [String], key: String, value: String
  ) throws {
    let outcome = try Rigl.run(
      data.arguments(["--dry-run", "--set", "test_samples=20"] + arguments))
    #expect(outcome.status == 0, "\(outcome.errors)")
    let line = outcome.output.split(separator: "\n").first { $0.hasPrefix("\(key): ") } ?? ""
    #expect(line.hasSuffix(": \(value)"), "\(line)")
  }

  @Test(
    arguments: [
      (["--set", "learning_rat=1"], 64), (["--preset", "nosuch"], 64),
      (["--resume", "/nowhere"], 66), (["--start-from", "/nowhere"], 66),
      (["--data", "/nowhere/at/all"], 66), (["--sparsity", "2"], 64), (["c.yaml"], 66),
    ] as [([String], Int32)])
  func mistakesAreObjectsToo(arguments: [String], status: Int32) throws {
    for dry in [[], ["--dry-run"]] {
      let outcome = try Rigl.run(["train", "--json"] + arguments + dry)
      #expect(outcome.status == status, "\(outcome)")
      let objects = try outcome.objects()
      #expect(objects.count == 1 && objects[0]["event"] as? String == "error", "\(outcome)")
      #expect(objects.first?["status"] as? Int == Int(status))
      let error = try #require(objects.first?["error"] as? String)
      #expect(outcome.errors.contains(error))
    }
  }

  // MARK: - Data

  private func makePhotos() throws {
    try GeneratedImageFolder(classes: 3, trainPerClass: 20, validationPerClass: 4, side: 24)
      .write(to: folder("p"))
  }

  private func trainPhotos(_ more: String...) throws -> Rigl.Outcome {
    try Rigl.run(
      [
        "train", "--data", folder("p"), "--set", "image_size=16", "--set", "hidden=[8]", "--set",
        "batch_size=8", "--validation", "0", "--epochs", "1", "--threads", "1",
      ] + more)
  }

  @Test func picturesWithoutFoldersOfClassesAreCalledThat() throws {
    try makePhotos()
    #expect(try trainPhotos("--output", folder("run")).status == 0)
    let parts = try folder.names(in: "p/train")
    let flat = folder("p/train/\(try #require(parts.first))")
    try FileManager.default.createDirectory(
      atPath: folder("empty"), withIntermediateDirectories: false)
    for (path, text) in [
      (flat, "20 pictures, but no folders of classes"), (folder("empty"), "the folder is empty"),
    ] {
      for arguments in [
        ["train", "--data", path, "--epochs", "1"],
        ["train", "--data", path, "--set", "image_size=16"],
        ["evaluate", folder("run"), "--data", path],
      ] {
        let outcome = try Rigl.run(arguments)
        #expect(outcome.status == 66 && outcome.errors.contains(text), "\(outcome.errors)")
        #expect(outcome.errors.contains("CLASS/NAME.jpg"), "\(outcome.errors)")
      }
    }
    // Another run's settings are the mistake, not what they are for these data.
    let other = try Rigl.run("train", "--resume", folder("run"), "--set", "data=synthetic")
    #expect(
      other.status == 64 && other.errors.contains("data: the run was started with photos"),
      "\(other.errors)")
  }

  /// After a training whose test photos are damaged, what is advised works.
  @Test func whatToDoAboutDamagedPhotosIsSaid() throws {
    try makePhotos()
    let dry = try trainPhotos("--dry-run")
    #expect(
      dry.output.contains(
        "# photos that cannot be read are left out: at most one in a hundred of those trained on, "
          + "0 of the 12 test samples"), "\(dry.output)")
    let name = try #require(try folder.names(in: "p/val").first)
    let photo = "p/val/\(name)/\(try #require(try folder.names(in: "p/val/\(name)").first))"
    let whole = try folder.bytes(of: photo)
    let url = URL(fileURLWithPath: folder(photo))
    try whole.prefix(whole.count / 2).write(to: url)
    let trained = try trainPhotos("--output", folder("run"))
    #expect(trained.status == 65 && trained.errors.contains("1 of 12 samples"), "\(trained.errors)")
    for text in [
      "the one in a hundred", "rigl evaluate \(folder("run"))", "--start-from \(folder("run"))",
    ] {
      #expect(trained.errors.contains(text), "\(text): \(trained.errors)")
    }
    try FileManager.default.removeItem(at: url)
    let resumed = try Rigl.run("train", "--resume", folder("run"))
    #expect(resumed.status == 65 && resumed.errors.contains("rigl evaluate"), "\(resumed.errors)")
    #expect(try Rigl.run("evaluate", folder("run")).status == 0)
    let tuned = try Rigl.run(
      "train", "--start-from", folder("run"), "--epochs", "1", "--output", folder("tuned"))
    #expect(tuned.status == 0, "\(tuned.errors)")
  }

  // MARK: - Folders

  @Test func foldersThatAreNotWhatTheyShouldBe() throws {
    try FileManager.default.copyItem(atPath: data.path, toPath: folder("here"))
    let trained = try Rigl.run(
      "train", "--data", folder("here"), "--set", "hidden=[8]", "--epochs", "1", "--output",
      folder("run"))
    #expect(trained.status == 0, "\(trained.errors)")
    try FileManager.default.moveItem(atPath: folder("here"), toPath: folder("there"))
    let moved = try Rigl.run("train", "--resume", folder("run"))
    #expect(moved.status == 66 && moved.errors.contains("--data-folder PATH"), "\(moved.errors)")
    let found = try Rigl.run("train", "--resume", folder("run"), "--data-folder", folder("there"))
    #expect(found.status == 0, "\(found.errors)")

    try FileManager.default.createDirectory(
      atPath: folder("empty"), withIntermediateDirectories: false)
    let empty = try Rigl.run(data.arguments(["--output", folder("empty")]))
    #expect(empty.status == 64 && empty.errors.contains("Choose another folder by --output"))
    #expect(!empty.errors.contains("--resume"), "\(empty.errors)")
    try folder.write("x", to: "file")
    let file = try Rigl.run("evaluate", folder("file"))
    #expect(file.status == 66 && file.errors.contains("a file, not the folder"), "\(file.errors)")
  }
}
