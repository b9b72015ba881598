import Foundation
import RigLCore
import Testing

/// Which files of a folder are what.
@Suite struct PhotoFolderTests {
  static let png: [UInt8] = (try? ImageWriter.png([9, 8, 7], width: 1, height: 1)) ?? []
  static let training = PhotoTransform(side: 8, isRandom: true)

  private func paths(_ dataset: any Dataset, below folder: TemporaryFolder) throws -> [String] {
    let subset = dataset as? Subset
    let photos = try #require((subset?.base ?? dataset) as? PhotoSet)
    return (0..<dataset.count).map { sample in
      String(photos.path(of: subset?.baseIndex(of: sample) ?? sample).dropFirst(folder.path.count))
    }
  }

  @Test func readsSplitsByName() throws {
    let folder = try TemporaryFolder()
    try folder.write([
      "train/b/2.PNG": Self.png, "train/b/10.jpeg": Self.png, "train/a/x.jpg": Self.png,
      "train/a/notes.txt": [1], "train/.hidden/y.jpg": Self.png, "train/a/.y.jpg": Self.png,
      "train/c/é.png": Self.png, "val/b/1.png": Self.png, "test/a/1.png": Self.png,
    ])
    let parts = try PhotoFolder(path: folder.path).load(training: Self.training, seed: 1)
    #expect(
      try paths(parts.train, below: folder) == [
        "/train/a/x.jpg", "/train/b/10.jpeg", "/train/b/2.PNG", "/train/c/é.png",
      ])
    #expect((0..<4).map(parts.train.label) == [0, 1, 1, 2] && parts.train.classes == 3)
    #expect(try paths(try #require(parts.validation), below: folder) == ["/val/b/1.png"])
    #expect(parts.validation?.label(of: 0) == 1)
    #expect(try paths(parts.test, below: folder) == ["/test/a/1.png"])
    #expect((parts.test as? PhotoSet)?.transform.isRandom == false)
    #expect((parts.plainTrain.base as? PhotoSet)?.transform.isRandom == false)
    #expect((parts.train.base as? PhotoSet)?.transform.isRandom == true)
    // Damaged or not, a photo gives the same in any order; these are not JPEG but that is no matter.
    #expect(throws: Never.self) { try #require(parts.train.base as? PhotoSet).bytes(1) }
    try FileManager.default.removeItem(atPath: folder("test"))
    let two = try PhotoFolder(path: folder.path).load(training: Self.training, seed: 1)
    #expect(two.validation == nil && two.test.count == 1)
  }

  @Test func splitsWhatIsNotSplit() throws {
    let folder = try TemporaryFolder()
    for label in ["x", "y"] {
      try folder.write(
        Dictionary(uniqueKeysWithValues: (0..<15).map { ("\(label)/\($0).png", Self.png) }))
    }
    func split(_ seed: UInt64) throws -> (train: [String], test: [String]) {
      let parts = try PhotoFolder(path: folder.path).load(training: Self.training, seed: seed)
      return try (paths(parts.train, below: folder), paths(parts.test, below: folder))
    }
    let first = try split(1)
    #expect(first.train.count == 27 && first.test.count == 3)
    #expect(Set(first.train + first.test).count == 30)
    #expect(try split(1) == first)
    #expect(try (2..<9).contains { try split($0).test != first.test })
    #expect(try DataSource(name: folder.path) == .photos(PhotoFolder(path: folder.path)))
  }

  @Test func refusesFoldersWithoutSense() throws {
    func refuses(_ files: [String], _ kind: RigLError.Kind, _ text: String) throws {
      let folder = try TemporaryFolder()
      try folder.write(Dictionary(uniqueKeysWithValues: files.map { ($0, Self.png) }))
      let error = #expect(throws: RigLError.self) {
        try PhotoFolder(path: folder.path).load(training: Self.training, seed: 1)
      }
      #expect(error?.kind == kind && error?.what.contains(text) == true, "\(error?.what ?? "")")
    }
    try refuses([], .data, "no folders of classes")
    try refuses(["a.png"], .data, "no folders of classes")
    try refuses(["a/notes.txt"], .data, "no images")
    try refuses(["a/1.png", "b/notes.txt"], .data, "b: a class, but")
    try refuses(["a/1.png", "a/2.png"], .data, "only one class, a")
    try refuses(["train/a/1.png", "val/a/1.png"], .data, "train: there is only one class, a")
    let train = ["train/a/1.png", "train/c/1.png"]
    try refuses(train, .missingFile, "neither val nor test")
    try refuses(train + ["val/b/1.png"], .data, "val/b: a class that the training")
    let error = #expect(throws: RigLError.self) {
      try PhotoFolder(path: "/nowhere/at/all").load(training: Self.training, seed: 1)
    }
    #expect(error?.kind == .missingFile)
  }
}
