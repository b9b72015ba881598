import Foundation
import RigLCore
import RigLImages
import Testing

/// `rigl import`, and `rigl predict` on pictures.
@Suite struct ImportTests {
  private let data: SmallData
  private let folder: TemporaryFolder

  init() throws {
    data = try SmallData()
    folder = try TemporaryFolder()
  }

  private func accuracy(_ run: String, _ more: String...) throws -> Double {
    let outcome = try Rigl.run(["evaluate", folder(run), "--json"] + more)
    try #require(outcome.status == 0, "\(outcome.errors)")
    let test = try outcome.object()["test"] as? [String: Any]
    return try #require(test?["accuracy"] as? Double)
  }

  @Test func anExportedNetworkIsARunAgain() throws {
    try data.train(in: folder("run"), ["--method", "static"])
    #expect(try Rigl.run("export", folder("run"), "--dense").status == 0)
    let file = folder("run/dense.safetensors")
    // Its settings are in the file; where the data is, is not.
    let again = ["import", file, "--data-folder", data.path]
    let imported = try Rigl.run(again + ["--output", folder("again"), "--json"])
    #expect(imported.status == 0, "\(imported.errors)")
    let object = try imported.object()
    #expect(object["run"] as? String == folder("again"))
    #expect(object["input_shape"] as? [Int] == [1, 6, 6])
    #expect(object["classes"] as? Int == 4)
    #expect(object["method"] as? String == "static")
    #expect(try #require(object["sparsity"] as? Double) > 0.4)
    #expect(try accuracy("again") == accuracy("run"))
    let inspected = try Rigl.run("inspect", folder("again"), "--json").object()
    #expect(inspected["step"] as? Int == 0)
    let (one, other) = (
      try Rigl.run("predict", folder("run"), data.testImages, "--logits"),
      try Rigl.run("predict", folder("again"), data.testImages, "--logits")
    )
    #expect(one.output == other.output)
    #expect(one.output.hasPrefix("sample,class,probability,file,logit0,logit1,logit2,logit3\n"))
    // Nothing is overwritten, and training goes on from its first step.
    #expect(try Rigl.run(again + ["--output", folder("again")]).status == 64)
    let shorter = try Rigl.run(
      data.arguments(["--steps", "7", "--json", "--output", folder("seven")]))
    #expect(try shorter.objects().last?["total_steps"] as? Int == 7, "\(shorter.errors)")
    let resumed = try Rigl.run("train", "--resume", folder("again"), "--json")
    #expect(resumed.status == 0, "\(resumed.errors)")
    #expect(try resumed.objects().last?["step"] as? Int == 75)
    let tuned = try Rigl.run(
      "train", "--start-from", folder("again"), "--epochs", "0", "--output", folder("tuned"))
    #expect(tuned.status == 0, "\(tuned.errors)")
    #expect(try accuracy("tuned") == accuracy("again"))
  }

  @Test func otherProgramsFilesNeedSettings() throws {
    let tensors = [
      SafetensorsTensor("fc1.weight", .float32, shape: [8, 36]),
      SafetensorsTensor("fc1.bias", .float32, shape: [8]),
      SafetensorsTensor("fc2.weight", .float32, shape: [4, 8]),
      SafetensorsTensor("fc2.bias", .float32, shape: [4]),
    ]
    var writer = try SafetensorsWriter(path: folder("torch.safetensors"), tensors: tensors)
    for tensor in tensors {
      let values = (0..<tensor.count).map { Float($0 % 7) / 7 - 0.4 }
      try writer.append(values, to: tensor.name)
    }
    try writer.finish()
    let file = folder("torch.safetensors")
    let bare = try Rigl.run("import", file, "--output", folder("run"))
    #expect(bare.status == 64 && bare.errors.contains("--preset"), "\(bare)")
    let settings = ["--set", "network=mlp", "--set", "hidden=[8]", "--data", data.path]
    let outcome = try Rigl.run(["import", file, "--output", folder("run")] + settings)
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.output.contains("1x6x6"), "\(outcome.output)")
    #expect(outcome.output.contains("320 of 320"), "\(outcome.output)")
    let pruned = try Rigl.run(
      ["import", file, "--output", folder("pruned"), "--prune", "--sparsity", "0.5", "--json"]
        + settings)
    #expect(try #require(try pruned.object()["connections"] as? Int) == 160, "\(pruned)")
    let input = try Rigl.run(
      ["import", file, "--output", folder("input"), "--input", "1x4x9", "--json"] + settings)
    #expect(try input.object()["input_shape"] as? [Int] == [1, 4, 9])
    for (arguments, status, word) in [
      (["import", file, "--start-from", file] + settings, 64, "--start-from"),
      (["import", file, "--input", "6x6"] + settings, 64, "3x224x224"),
      (["import", file, "--set", "network=wrn-10-1"], 65, "fc.weight"),
      (
        ["import", file, "--set", "network=mlp", "--set", "hidden=[9]"] + settings.suffix(2), 65,
        "fc1"
      ),
      (["import", folder("none"), "--preset", "demo"], 66, "none"),
      (["import", data.testImages, "--preset", "demo"], 65, "safetensors"),
    ] as [([String], Int32, String)] {
      let outcome = try Rigl.run(arguments + ["--output", folder("no")])
      #expect(outcome.status == status && outcome.errors.contains(word), "\(arguments) \(outcome)")
      #expect(!FileManager.default.fileExists(atPath: folder("no")))
    }
  }

  @Test func picturesAreClassified() throws {
    try GeneratedImageFolder(classes: 3, trainPerClass: 8, validationPerClass: 4, side: 24)
      .write(to: folder("photos"))
    let trained = try Rigl.run(
      "train", "--data", folder("photos"), "--output", folder("run"), "--quiet", "--validation",
      "0",
      "--set", "image_size=16", "--set", "hidden=[24]", "--set", "batch_size=6", "--epochs", "1")
    #expect(trained.status == 0, "\(trained.errors)")
    let evaluated = try Rigl.run("evaluate", folder("run"), "--json").object()["test"]
    let confusion = try #require((evaluated as? [String: Any])?["confusion"] as? [[Int]])
    // The same pictures, without any to train on.
    try FileManager.default.createDirectory(
      atPath: folder("held"), withIntermediateDirectories: true)
    try FileManager.default.copyItem(atPath: folder("photos/val"), toPath: folder("held/val"))
    let alone = try Rigl.run("evaluate", folder("run"), "--data", folder("held"), "--json")
    #expect(alone.status == 0, "\(alone.errors)")
    #expect(
      (try alone.object()["test"] as? [String: Any])?["confusion"] as? [[Int]] == confusion)
    // All test pictures, by class: predicted as evaluated.
    var (files, labels): ([String], [Int]) = ([], [])
    let classes = try folder.names(in: "photos/val")
    for (label, name) in classes.enumerated() {
      for file in try folder.names(in: "photos/val/\(name)") {
        files.append(folder("photos/val/\(name)/\(file)"))
        labels.append(label)
      }
    }
    let outcome = try Rigl.run(["predict", folder("run")] + files + ["--json", "--logits"])
    #expect(outcome.status == 0, "\(outcome.errors)")
    var counts = [[Int]](repeating: [Int](repeating: 0, count: 3), count: 3)
    for (index, line) in outcome.output.split(separator: "\n").enumerated() {
      let object = try #require(
        try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
      #expect(object["sample"] as? Int == index)
      #expect((object["logits"] as? [Double])?.count == 3)
      counts[labels[index]][try #require(object["class"] as? Int)] += 1
    }
    #expect(counts == confusion)
    // A text that is called a picture, and a picture that is cut off.
    try folder.write("not a picture", to: "a.jpg")
    let text = try Rigl.run("predict", folder("run"), folder("a.jpg"))
    #expect(text.status == 65 && text.errors.contains("a.jpg"), "\(text)")
    try folder.bytes(
      of: "photos/val/\(classes[0])/\(folder.names(in: "photos/val/\(classes[0])")[0])"
    )
    .prefix(200).write(to: URL(fileURLWithPath: folder("b.jpg")))
    let cut = try Rigl.run("predict", folder("run"), folder("b.jpg"))
    #expect(cut.status == 65 && cut.errors.contains("b.jpg"), "\(cut)")
  }

  /// A network that was trained on pixels from 0 to 1: said, and what to do about it.
  @Test func importsSayTheInput() throws {
    try data.train(in: folder("run"), ["--normalization", "none"])
    #expect(
      String(decoding: try folder.bytes(of: "run/config.yaml"), as: UTF8.self)
        .contains("\nnormalization: none\n"))
    try #require(
      try Rigl.run("export", folder("run"), "--dense", "--output", folder("own.safetensors"))
        .status == 0)
    // As PyTorch would have written it.
    let file = try SafetensorsFile(path: folder("own.safetensors"))
    var writer = try SafetensorsWriter(path: folder("torch.safetensors"), tensors: file.tensors)
    for tensor in file.tensors {
      var values = AlignedBuffer<Float>(count: tensor.count)
      try file.readFloats(tensor.name, into: &values)
      try writer.append(values, to: tensor.name)
    }
    try writer.finish()
    let settings = [
      "import", folder("torch.safetensors"), "--set", "network=mlp", "--set", "hidden=[24, 16]",
      "--sparsity", "0.5", "--data", data.path, "--validation", "100", "--epochs", "1",
    ]
    func imported(_ name: String, _ more: String...) throws -> String {
      let outcome = try Rigl.run(settings + ["--output", folder(name)] + more)
      try #require(outcome.status == 0, "\(outcome.errors)")
      return outcome.output.replacing("\n", with: " ")
    }
    let standard = try imported("standard")
    #expect(standard.contains("It will be given pixels from 0 to 1, less 0.2"), "\(standard)")
    #expect(standard.contains("--normalization none"), "\(standard)")
    #expect(
      try imported("none", "--normalization", "none").contains("pixels from 0 to 1 as they are"))
    #expect(
      try imported("half", "--set", "normalization={mean: 0.5, std: [0.25]}")
        .contains("less 0.5, divided by 0.25"))
    #expect(
      try imported("own", "--set", "per_image_standardization=true")
        .contains("each image brought to mean 0 and deviation 1"))
    let expected = try accuracy("run")
    #expect(try accuracy("none") == expected)
    let (one, other) = (
      try Rigl.run("predict", folder("run"), data.testImages, "--logits").output,
      try Rigl.run("predict", folder("none"), data.testImages, "--logits").output
    )
    #expect(one == other)
    for name in ["standard", "half", "own"] {
      #expect(
        try Rigl.run("predict", folder(name), data.testImages, "--logits").output != one, "\(name)")
    }
    // As JSON, and later.
    let object = try Rigl.run(
      settings + ["--output", folder("json"), "--json", "--normalization", "none"]
    ).object()
    let numbers = try #require(object["normalization"] as? [String: [Double]])
    #expect(numbers == ["mean": [0], "deviation": [1]])
    #expect(object["per_image_standardization"] as? Bool == false)
    let inspected = try Rigl.run("inspect", folder("none"), "--json").object()
    #expect(inspected["normalization"] as? [String: [Double]] == numbers)
    #expect(
      try Rigl.run("inspect", folder("none")).output.contains("1x6x6, pixels from 0 to 1 as they"))
    // Numbers of other channels, and none that can be.
    for (value, text) in [
      ("imagenet", "3 channels, but samples have 1"), ("{mean: 0, deviation: 0}", "deviation of 0"),
      ("ImageNet", "not standard, none, imagenet"), ("{mean: [1, 2], std: 1}", "2 means"),
    ] {
      let outcome = try Rigl.run(
        settings + ["--output", folder("no"), "--normalization", value])
      #expect(outcome.status == 64 && outcome.errors.contains(text), "\(outcome)")
      #expect(!FileManager.default.fileExists(atPath: folder("no")))
    }
    // It goes on with the same input.
    let resumed = try Rigl.run("train", "--resume", folder("none"), "--quiet")
    #expect(resumed.status == 0, "\(resumed.errors)")
    #expect(
      try Rigl.run("inspect", folder("none"), "--json").object()["normalization"]
        as? [String: [Double]] == numbers)
  }
}
