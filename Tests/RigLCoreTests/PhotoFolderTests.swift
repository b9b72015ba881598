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
    let parts = try PhotoFolder(path: folder.path).load(training: Self.training)
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
    let two = try PhotoFolder(path: folder.path).load(training: Self.training)
    #expect(two.validation == nil && two.test.count == 1)
  }

  /// The paths that are trained on and tested on.
  private func split(
    _ folder: TemporaryFolder
  ) throws -> (train: Set<String>, test: Set<String>) {
    let parts = try PhotoFolder(path: folder.path).load(training: Self.training)
    let (train, test) = try (paths(parts.train, below: folder), paths(parts.test, below: folder))
    #expect(train.count + test.count == Set(train + test).count)
    #expect(train == train.sorted() && test == test.sorted())
    return (Set(train), Set(test))
  }

  private func write(_ classes: [String: Int], to folder: TemporaryFolder) throws {
    for (label, count) in classes {
      try folder.write(
        Dictionary(uniqueKeysWithValues: (0..<count).map { ("\(label)/\($0).png", Self.png) }))
    }
  }

  /// Which of the two a photo is for depends on its own path, whatever else comes or goes.
  @Test func splitsWhatIsNotSplitByThePathAlone() throws {
    let folder = try TemporaryFolder()
    try write(["x": 60, "y": 60], to: folder)
    let first = try split(folder)
    #expect((5...22).contains(first.test.count) && first.train.count + first.test.count == 120)
    #expect(try DataSource(name: folder.path) == .photos(PhotoFolder(path: folder.path)))
    // The rule itself: other machines and versions hold out the same.
    #expect(
      first.test.sorted() == [
        "/x/0.png", "/x/16.png", "/x/18.png", "/x/26.png", "/x/28.png", "/x/36.png", "/x/42.png",
        "/y/26.png", "/y/27.png", "/y/31.png", "/y/34.png", "/y/47.png", "/y/48.png", "/y/5.png",
        "/y/50.png", "/y/53.png", "/y/8.png",
      ])

    // Photos and a class are added.
    try folder.write(["x/0a.png": Self.png, "y/zz.png": Self.png])
    try write(["a": 20], to: folder)
    let added = try split(folder)
    #expect(added.test.isSuperset(of: first.test) && added.train.isSuperset(of: first.train))
    // One of each is renamed, and another removed: nothing else moves.
    let (held, trained) = (first.test.min()!, first.train.min()!)
    for (path, name) in [(held, "new-1.png"), (trained, "new-2.png")] {
      try FileManager.default.moveItem(atPath: folder(path), toPath: folder("x/\(name)"))
    }
    try FileManager.default.removeItem(atPath: folder(first.test.max()!))
    try FileManager.default.removeItem(atPath: folder(first.train.max()!))
    let changed = try split(folder)
    let (lost, new) = (first.test.union(first.train), ["/x/new-1.png", "/x/new-2.png"])
    #expect(changed.test.subtracting(new).isSubset(of: added.test))
    #expect(changed.train.subtracting(new).isSubset(of: added.train))
    #expect(changed.test.union(changed.train).intersection(lost).count == 116)

    // A path is the same however its accents are written.
    let (composed, decomposed) = (try TemporaryFolder(), try TemporaryFolder())
    for number in 0..<40 {
      try composed.write(["a/\u{E9}\(number).png": Self.png, "b/\(number).png": Self.png])
      try decomposed.write(["a/e\u{301}\(number).png": Self.png, "b/\(number).png": Self.png])
    }
    #expect(try split(composed) == split(decomposed), "canonically equal")
  }

  /// A class without a test photo gives the one with the smallest hash; of a single photo, nothing
  /// can be both trained on and tested.
  @Test func everyClassIsInBothParts() throws {
    for count in 2...6 {
      let folder = try TemporaryFolder()
      let classes = (0..<12).map { "class\($0)" }
      try write(Dictionary(uniqueKeysWithValues: classes.map { ($0, count) }), to: folder)
      let parts = try split(folder)
      for name in classes {
        let held = parts.test.count { $0.hasPrefix("/\(name)/") }
        #expect(held >= 1 && held <= max(1, count - 2))
      }
    }
    let folder = try TemporaryFolder()
    try write(["cat": 5, "dog": 1], to: folder)
    let error = try #require(throws: RigLError.self) { try split(folder) }
    #expect(error.kind == .data && error.what.contains("class dog has a single sample"))
  }

  @Test func refusesFoldersWithoutSense() throws {
    func refuses(_ files: [String], _ kind: RigLError.Kind, _ text: String) throws {
      let folder = try TemporaryFolder()
      try folder.write(Dictionary(uniqueKeysWithValues: files.map { ($0, Self.png) }))
      let error = #expect(throws: RigLError.self) {
        try PhotoFolder(path: folder.path).load(training: Self.training)
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
      try PhotoFolder(path: "/nowhere/at/all").load(training: Self.training)
    }
    #expect(error?.kind == .missingFile)
  }
}
