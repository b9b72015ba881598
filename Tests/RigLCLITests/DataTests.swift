import Foundation
import RigLCore
import RigLImages
import Testing

/// What data a run is on, however it is named, and what other data a run is shown.
@Suite struct DataTests {
  let data: SmallData
  let folder: TemporaryFolder

  init() throws {
    data = try SmallData()
    folder = try TemporaryFolder()
  }

  private static let photoSettings = [
    "--validation", "0", "--set", "image_size=16", "--set", "hidden=[24]", "--set", "batch_size=6",
    "--set", "learning_rate=0.01", "--epochs", "2", "--quiet",
  ]

  private func writePhotos(to name: String = "photos", classes: Int = 3) throws {
    try GeneratedImageFolder(classes: classes, trainPerClass: 8, validationPerClass: 4, side: 24)
      .write(to: folder(name))
  }

  private func bytes(_ name: String) throws -> Data {
    let last = try #require(
      try folder.names(in: "\(name)/checkpoints").last { $0.hasPrefix("step-") })
    return try folder.bytes(of: "\(name)/checkpoints/\(last)")
  }

  private func test(_ arguments: String...) throws -> [String: Any] {
    let outcome = try Rigl.run(["evaluate"] + arguments + ["--json"])
    let object = try #require(try? outcome.object(), "\(outcome.errors)")
    return try #require(object["test"] as? [String: Any])
  }

  // MARK: - Naming it

  @Test func dataMeansTheSameEverywhere() throws {
    try writePhotos()
    try FileManager.default.createDirectory(
      atPath: folder("settings"), withIntermediateDirectories: false)
    try folder.write("data: ../photos\n", to: "settings/path.yaml")
    try folder.write("data_folder: ../photos\ndata: photos\n", to: "settings/name.yaml")
    let ways = [
      ["--data", folder("photos")], ["--set", "data=\(folder("photos"))"],
      ["--set", "data_folder=\(folder("photos"))", "--set", "data=photos"],
      ["--data", "photos", "--set", "data_folder=\(folder("photos"))"],
      [folder("settings/path.yaml")], [folder("settings/name.yaml")],
    ]
    for (number, way) in ways.enumerated() {
      let outcome = try Rigl.run(
        ["train"] + way + ["--output", folder("\(number)")] + Self.photoSettings)
      try #require(outcome.status == 0, "\(way) \(outcome.errors)")
      #expect(try bytes("\(number)") == bytes("0"), "\(way)")
      #expect(
        try folder.bytes(of: "\(number)/config.yaml") == folder.bytes(of: "0/config.yaml"),
        "\(way)")
    }
    let saved = String(decoding: try folder.bytes(of: "0/config.yaml"), as: UTF8.self)
    #expect(saved.contains("data: photos\n") && saved.contains("data_folder: \(folder("photos"))"))
    // An earlier run that has the path itself: pictures are cut as photos.
    let picture = folder("photos/val/disc/00001.jpg")
    let expected = try Rigl.run("predict", folder("1"), picture, "--logits").output
    #expect(try Rigl.run("predict", folder("0"), picture, "--logits").output == expected)
    let evaluation = try test(folder("0"))
    for source in [["--data", folder("photos")], ["--data", "photos"]] {
      let outcome = try Rigl.run(["evaluate", folder("1")] + source + ["--json"])
      #expect(
        (try outcome.object()["test"] as? [String: Any])?["loss"] as? Double
          == evaluation["loss"] as? Double)
    }
    // A name forgets the folder of another layer, whichever way it is given.
    for way in [["--data", "synthetic"], ["--set", "data=synthetic"]] {
      let outcome = try Rigl.run(
        ["train", folder("settings/path.yaml"), "--dry-run", "--set", "image_size=null"] + way
          + ["--validation", "0", "--set", "train_samples=100", "--set", "test_samples=100"])
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(!outcome.output.contains("\ndata_folder: "))
    }
  }

  @Test func pathsInAFileAreRelativeToIt() throws {
    try data.train(in: folder("dense"), ["--method", "dense"])
    try FileManager.default.createSymbolicLink(
      atPath: folder("images"), withDestinationPath: data.path)
    try folder.write(
      "data: ./images\nstart_from: dense\nhidden: [24, 16]\nvalidation: 100\nsparsity: 0.5\n"
        + "epochs: 1\n",
      to: "c.yaml")
    let outcome = try Rigl.run(
      "train", folder("c.yaml"), "--output", folder("run"), "--quiet")
    #expect(outcome.status == 0, "\(outcome.errors)")
    let saved = String(decoding: try folder.bytes(of: "run/config.yaml"), as: UTF8.self)
    #expect(saved.contains("data: idx\n") && saved.contains("data_folder: \(folder("images"))"))
    #expect(saved.contains("start_from: \(folder("dense"))"))
    try folder.write("data: ./nowhere\n", to: "c.yaml")
    let missing = try Rigl.run("train", folder("c.yaml"))
    #expect(missing.status == 66 && missing.errors.contains("c.yaml, line 1: ./nowhere"))
  }

  // MARK: - Showing a run other data

  /// The run's own numbers count, whatever other data's training images would say; those need not be
  /// there.
  @Test func otherDataIsNormalizedAsTheRunWas() throws {
    try data.train(in: folder("run"))
    // Half as bright, with training images that are black.
    let dim = try folder.makeFolder("dim")
    for name in ["t10k-labels-idx1-ubyte", "train-labels-idx1-ubyte"] {
      try FileManager.default.copyItem(atPath: "\(data.path)/\(name)", toPath: "\(dim)/\(name)")
    }
    for (name, divisor) in [
      ("t10k-images-idx3-ubyte", 2 as UInt8), ("train-images-idx3-ubyte", 99),
    ] {
      let whole = [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(data.path)/\(name)")))
      try Data(whole[..<16] + whole[16...].map { $0 / divisor })
        .write(to: URL(fileURLWithPath: "\(dim)/\(name)"))
    }
    let accuracy = try #require(try test(folder("run"), "--data", dim)["accuracy"] as? Double)
    let predicted = try Rigl.run("predict", folder("run"), "\(dim)/t10k-images-idx3-ubyte").output
      .split(separator: "\n").dropFirst().map { Int($0.split(separator: ",")[1]) }
    let labels = try Data(contentsOf: URL(fileURLWithPath: "\(dim)/t10k-labels-idx1-ubyte"))
    let right = zip(predicted, labels.dropFirst(8)).count { $0 == Int($1) }
    #expect(abs(accuracy - Double(right) / Double(SmallData.testCount)) < 1e-9)
    for name in ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"] {
      try FileManager.default.removeItem(atPath: "\(dim)/\(name)")
      #expect(try test(folder("run"), "--data", dim)["accuracy"] as? Double == accuracy)
    }
  }

  @Test func labelsAreNumberedByTheRunsClasses() throws {
    try writePhotos()
    try #require(
      try Rigl.run(
        ["train", "--data", folder("photos"), "--output", folder("run")] + Self.photoSettings
      ).status == 0)
    let all = try #require(try test(folder("run"))["confusion"] as? [[Int]])
    // Classes: cross, disc, square. Without the first, the others keep their labels.
    for part in ["train", "val"] {
      try FileManager.default.removeItem(atPath: folder("photos/\(part)/cross"))
    }
    let outcome = try Rigl.run("evaluate", folder("run"), "--data", folder("photos"), "--json")
    #expect(try outcome.object()["absent_classes"] as? [String] == ["cross"])
    let some = try #require(
      (try outcome.object()["test"] as? [String: Any])?["confusion"] as? [[Int]])
    #expect(some[0] == [0, 0, 0] && some[1] == all[1] && some[2] == all[2])
    let text = try Rigl.run("evaluate", folder("run"), "--data", folder("photos")).output
    #expect(text.contains("Of 1 of the run's 3 classes there are no samples: cross."))
    for part in ["train", "val"] {
      try FileManager.default.moveItem(
        atPath: folder("photos/\(part)/disc"), toPath: folder("photos/\(part)/moon"))
    }
    let unknown = try Rigl.run("evaluate", folder("run"), "--data", folder("photos"))
    #expect(unknown.status == 65 && unknown.errors.contains("moon"), "\(unknown)")
  }

  // MARK: - Classes

  /// Classes by their folders' names, in a table that fits, and for programs.
  @Test func classesAreNamed() throws {
    try writePhotos()
    try #require(
      try Rigl.run(
        ["train", "--data", folder("photos"), "--output", folder("run")] + Self.photoSettings
      ).status == 0)
    let object = try Rigl.run("evaluate", folder("run"), "--json").object()
    let confusion = try #require((object["test"] as? [String: Any])?["confusion"] as? [[Int]])
    let classes = try #require(object["classes"] as? [[String: Any]])
    #expect(classes.map { $0["name"] as? String } == ["cross", "disc", "square"])
    for (label, entry) in classes.enumerated() {
      let (row, samples) = (confusion[label], confusion[label].reduce(0, +))
      #expect(entry["class"] as? Int == label && entry["samples"] as? Int == samples)
      #expect(entry["accuracy"] as? Double == Double(row[label]) / Double(samples))
      let others = row.indices.filter { $0 != label && row[$0] > 0 }
      let most = others.map { row[$0] }.max()
      #expect(entry["taken_for"] as? Int == most ?? 0)
      #expect(entry["most_taken_for"] as? Int == others.first { row[$0] == most })
    }
    for columns in [120, 80, 40, 24] {
      let outcome = try Rigl.run(
        "evaluate", folder("run"), environment: ["COLUMNS": "\(columns)"])
      let lines = outcome.output.split(separator: "\n").filter { !$0.contains(folder.path) }
      #expect(lines.allSatisfy { $0.count <= columns }, "\(outcome.output)")
      for (name, row) in zip(["cross", "disc", "square"], confusion.enumerated()) {
        let line = try #require(lines.first { $0.hasPrefix(name) }, "\(outcome.output)")
        let share = 100 * Double(row.element[row.offset]) / Double(row.element.reduce(0, +))
        #expect(line.contains(String(format: "%.2f %%", share)), "\(line)")
      }
    }
  }

  /// CIFAR's names are in a file of its folder; of many classes, the worst are shown.
  @Test(arguments: [true, false]) func namesOfCIFARAreThoseOfItsFile(hasNames: Bool) throws {
    let cifar = try folder.makeFolder("cifar")
    func records(_ count: Int, _ labels: Int) -> Data {
      Data(
        (0..<count).flatMap { [UInt8($0 % labels)] + [UInt8](repeating: UInt8($0), count: 3072) })
    }
    for name in (1...5).map({ "data_batch_\($0)" }) + ["test_batch"] {
      try records(20, 10).write(to: URL(fileURLWithPath: "\(cifar)/\(name).bin"))
    }
    let names = (0..<10).map { "thing \($0)" }
    if hasNames {
      try folder.write(names.joined(separator: "\n") + "\n\n", to: "cifar/batches.meta.txt")
    }
    let trained = try Rigl.run(
      "train", "--data", cifar, "--output", folder("run"), "--validation", "0", "--set",
      "hidden=[4]", "--epochs", "1", "--quiet")
    try #require(trained.status == 0, "\(trained.errors)")
    let outcome = try Rigl.run("evaluate", folder("run"))
    #expect(outcome.output.contains("\nthing 7 ") == hasNames, "\(outcome.output)")
    let classes = try Rigl.run("evaluate", folder("run"), "--json").object()["classes"]
    let found = (classes as? [[String: Any]])?.compactMap { $0["name"] as? String }
    #expect(found == (hasNames ? names : []))
    // A run from before there were names, on data that has them.
    if !hasNames {
      try folder.write(names.joined(separator: "\n"), to: "cifar/batches.meta.txt")
      #expect(try Rigl.run("evaluate", folder("run")).output.contains("\nthing 7 "))
    }
  }

  @Test func otherShapesAndNumbersOfClassesAreRefused() throws {
    try data.train(in: folder("run"))
    let other = try folder.makeFolder("other")
    func write(_ change: ([UInt8]) -> [UInt8], _ kind: String) throws {
      for name in try FileManager.default.contentsOfDirectory(atPath: data.path) {
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(data.path)/\(name)")))
        try Data(name.contains(kind) ? change(bytes) : bytes)
          .write(to: URL(fileURLWithPath: "\(other)/\(name)"))
      }
    }
    // 9 × 4 instead of 6 × 6.
    try write({ $0[..<8] + [0, 0, 0, 9, 0, 0, 0, 4] + $0[16...] }, "images")
    let wide = try Rigl.run("evaluate", folder("run"), "--data", other)
    #expect(wide.status == 65 && wide.errors.contains("1,9,4"), "\(wide)")
    let images = try Rigl.run("predict", folder("run"), "\(other)/t10k-images-idx3-ubyte")
    #expect(images.status == 65 && images.errors.contains("images of 9 × 4"), "\(images)")
    try write({ $0[..<8] + $0[8...].map { $0 % 3 } }, "labels")
    let fewer = try Rigl.run("evaluate", folder("run"), "--data", other)
    #expect(fewer.status == 65 && fewer.errors.contains("3 classes; the run knows 4"), "\(fewer)")
  }

  @Test func textThatIsNotPixelsIsRefused() throws {
    try data.train(in: folder("run"), ["--epochs", "1"])
    func predict(_ lines: [[Double]], _ more: String...) throws -> Rigl.Outcome {
      let text = lines.map { $0.map { "\($0)" }.joined(separator: " ") }.joined(separator: "\n")
      return try Rigl.run(["predict", folder("run"), "-"] + more, input: text)
    }
    let pixels = data.testPixels.prefix(3).map { $0.map { Double($0) } }
    #expect(try predict(pixels).status == 0)
    for value in [-1, 255.5, 1000] {
      var wrong = pixels
      wrong[2][4] = value
      let outcome = try predict(wrong)
      #expect(outcome.status == 65 && outcome.errors.contains("line 3, value 5: \(value)"))
      #expect(try predict(wrong, "--normalized").status == 0)
    }
    let shares = pixels.map { $0.map { $0 / 255 } }
    let scaled = try predict(shares)
    #expect(scaled.status == 65 && scaled.output.isEmpty)
    #expect(scaled.errors.contains("0...1") && scaled.errors.contains("Multiply them by 255"))
    #expect(try predict(shares, "--normalized").status == 0)
    // Black is black on both scales; one bright sample says which it is.
    #expect(try predict([[Double](repeating: 0, count: 36)]).status == 0)
    #expect(try predict([shares[0], pixels[0]]).status == 0)
  }

  // MARK: - Going on

  @Test(arguments: [
    ("train-labels-idx1-ubyte", "labels of the"), ("train-images-idx3-ubyte", "pixels of the"),
    ("t10k-labels-idx1-ubyte", "labels of the test"),
    ("t10k-images-idx3-ubyte", "pixels of the test"),
  ])
  func changedContentsEndARun(name: String, words: String) throws {
    try data.train(in: folder("run"))
    let path = "\(data.path)/\(name)"
    let original = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    var bytes = original
    // Two of them change places: sums and counts stay.
    let first = try #require(bytes[40...].firstIndex { $0 != bytes[20] })
    bytes.swapAt(20, first)
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    let outcome = try Rigl.run("train", "--resume", folder("run"))
    #expect(outcome.status == 65 && outcome.errors.contains(words), "\(outcome)")
    try Data(original).write(to: URL(fileURLWithPath: path))
    #expect(try Rigl.run("train", "--resume", folder("run")).status == 0)
  }

  @Test func renamedAndChangedPhotosEndARun() throws {
    try writePhotos()
    try #require(
      try Rigl.run(
        ["train", "--data", folder("photos"), "--output", folder("run")] + Self.photoSettings
      ).status == 0)
    let (old, new) = (folder("photos/train/disc/00000.jpg"), folder("photos/train/disc/0.jpg"))
    func refuses(_ words: String) throws {
      let outcome = try Rigl.run("train", "--resume", folder("run"))
      #expect(outcome.status == 65 && outcome.errors.contains(words), "\(outcome)")
    }
    try FileManager.default.moveItem(atPath: old, toPath: new)
    try refuses("names or sizes of the training samples")
    try FileManager.default.moveItem(atPath: new, toPath: old)
    #expect(try Rigl.run("train", "--resume", folder("run")).status == 0)
    let picture = folder("photos/val/disc/00000.jpg")
    let bytes = try folder.bytes(of: "photos/val/disc/00000.jpg")
    try (bytes + [0]).write(to: URL(fileURLWithPath: picture))
    try refuses("names or sizes of the test samples")
  }

  /// A run of a version that drew the test photos by the seed says nothing of its split.
  @Test func anEarlierSplitOfPhotosIsRefused() throws {
    try writePhotos()
    let settings = ["--output", folder("run")] + Self.photoSettings
    try #require(
      try Rigl.run(["train", "--data", folder("photos/train")] + settings).status == 0)
    #expect(try Rigl.run("evaluate", folder("run")).status == 0)
    let yaml = String(decoding: try folder.bytes(of: "run/config.yaml"), as: UTF8.self)
    #expect(yaml.contains("split: random\n"))
    try folder.write(
      yaml.replacingOccurrences(of: "split: random\n", with: ""), to: "run/config.yaml")
    for arguments in [["train", "--resume"], ["evaluate"]] {
      let outcome = try Rigl.run(arguments + [folder("run")])
      #expect(outcome.status == 64 && outcome.errors.contains("split: sequential"), "\(outcome)")
      #expect(outcome.errors.contains("by the run's seed"))
    }
  }
}

extension TemporaryFolder {
  /// Makes a folder below; returns its path.
  fileprivate func makeFolder(_ name: String) throws -> String {
    try FileManager.default.createDirectory(
      atPath: self(name), withIntermediateDirectories: false)
    return self(name)
  }
}
