import Foundation
import RigLCore
import RigLImages
import Testing

/// What is given in the place of what was meant is named.
@Suite struct MistakenFileTests {
  private static let pointer =
    "version https://git-lfs.github.com/spec/v1\noid sha256:\(String(repeating: "a", count: 64))\n"
    + "size 12345\n"

  private func hint(data path: String) -> String {
    var configuration = Configuration()
    do throws(RigLError) {
      var layers = try SettingsStack()
      try layers.set(data: path)
      configuration = try layers.configuration()
      _ = try TrainingData.load(configuration, folder: layers.options.dataFolder)
      return "nothing is wrong"
    } catch {
      #expect(error.what.contains(path), "\(error)")
      return error.hint ?? "no hint"
    }
  }

  @Test func namesCIFARsPythonVersion() throws {
    ImageFormats.register()
    for names in [
      ["data_batch_1", "data_batch_2", "test_batch", "batches.meta"], ["train", "test", "meta"],
    ] {
      let folder = try TemporaryFolder()
      for name in names { try writeFile([0x80, 2, 0x7D], to: folder(name)) }
      #expect(hint(data: folder.path).contains("CIFAR's Python version"), "\(names)")
    }
    let outer = try TemporaryFolder()
    try FileManager.default.createDirectory(
      atPath: outer("cifar-10-batches-py"), withIntermediateDirectories: false)
    try writeFile([0x80, 2], to: outer("cifar-10-batches-py/data_batch_1"))
    #expect(hint(data: outer.path).contains("CIFAR's Python version"))
  }

  @Test(
    arguments: [
      ("cifar-10-binary.tar.gz", [0x1F, 0x8B, 8]), ("photos.zip", [0x50, 0x4B, 3, 4]),
      ("renamed", [0x50, 0x4B, 3, 4]), ("photos.tar", []), ("x.TGZ", []),
    ] as [(String, [UInt8])])
  func namesAnArchive(name: String, start: [UInt8]) throws {
    let folder = try TemporaryFolder()
    try writeFile(start + [1, 2, 3], to: folder(name))
    #expect(hint(data: folder(name)).contains("unpack it"))
    // By its own name, too.
    ImageFormats.register()
    for data in ["mnist", "cifar-10", "photos"] {
      var configuration = Configuration()
      configuration.data = data
      let error = #expect(throws: RigLError.self) {
        try TrainingData.load(configuration, folder: folder(name))
      }
      #expect(error?.hint?.contains("unpack it") == true, "\(data)")
    }
    if name.contains(".") { #expect(hint(data: folder.path).contains("Unpack \(name)")) }
  }

  @Test func namesAPointerOfGitLFS() throws {
    let folder = try TemporaryFolder()
    for name in ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"] {
      try writeFile(Self.pointer, to: folder(name))
    }
    #expect(hint(data: folder.path).contains("git lfs pull"))
    let cifar = try TemporaryFolder()
    for number in 1...5 { try writeFile(Self.pointer, to: cifar("data_batch_\(number).bin")) }
    try writeFile(Self.pointer, to: cifar("test_batch.bin"))
    #expect(hint(data: cifar.path).contains("git lfs pull"))
    // Photos of which a few are missing are left out with these words.
    let photos = try TemporaryFolder()
    try photos.write(["a/1.png": Array(Self.pointer.utf8), "b/1.jpg": Array(Self.pointer.utf8)])
    let set = try PhotoSet(path: photos.path, transform: PhotoTransform(side: 8, isRandom: false))
    for sample in 0..<2 {
      let error = #expect(throws: RigLError.self) { try set.bytes(sample) }
      #expect(error?.what == "\(set.path(of: sample)): a Git LFS pointer, not the file itself")
      #expect(error?.kind == .data && error?.hint?.contains("git lfs pull") == true)
    }
    try writeFile(Self.pointer, to: folder("model.safetensors"))
    let error = #expect(throws: RigLError.self) {
      try SafetensorsFile(path: folder("model.safetensors"))
    }
    #expect(error?.kind == .data && error?.hint?.contains("git lfs pull") == true)
  }

  @Test func namesTheListOfAModelInParts() throws {
    let folder = try TemporaryFolder()
    try writeFile(
      #"{"metadata":{"total_size":1},"weight_map":{"fc.weight":"model-00001-of-00002.safetensors"}}"#,
      to: folder("model.safetensors.index.json"))
    let error = #expect(throws: RigLError.self) {
      try SafetensorsFile(path: folder("model.safetensors.index.json"))
    }
    #expect(error?.hint?.contains("several parts") == true)
  }

  @Test(arguments: [
    (["fc1.weight_orig", "fc1.weight_mask", "fc2.weight_orig", "fc2.weight_mask"], "prune.remove"),
    (["fc1.weight_orig", "fc1.weight_mask", "fc2.weight"], "prune.remove"),
  ])
  func namesWhatPruningWrites(names: [String], says: String) throws {
    let folder = try TemporaryFolder()
    let shapes = ["fc1": [6, 4], "fc2": [3, 6]]
    let tensors = names.map {
      SafetensorsTensor($0, .float32, shape: shapes[String($0.prefix(3))] ?? [])
    }
    var writer = try SafetensorsWriter(path: folder("x.safetensors"), tensors: tensors)
    for tensor in tensors {
      try writer.append([Float](repeating: 1, count: tensor.count), to: tensor.name)
    }
    try writer.finish()
    let configuration = Configuration().changing {
      $0.hidden = [6]
      $0.method = .dense
    }
    let error = #expect(throws: RigLError.self) {
      try NetworkImport(
        folder("x.safetensors"), configuration, input: SampleShape(channels: 4))
    }
    #expect(error?.hint?.contains(says) == true, "\(error?.description ?? "")")
  }
}
