import Foundation
import RigLCore
import RigLImages
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
    #expect(try DataSource(name: folder.path) == DataSource(name: "photos", folder: folder.path))
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

  // MARK: - Names

  /// é as one character, and as e with an accent: to look at, the same.
  private static let (composed, decomposed) = ("caf\u{E9}", "cafe\u{301}")

  /// A class is one class, however its name is written; each folder is opened by its own bytes.
  @Test func namesThatLookTheSameAreOneClass() throws {
    for (train, test) in [
      (Self.composed, Self.decomposed), (Self.decomposed, Self.composed),
    ] {
      let folder = try TemporaryFolder()
      try folder.write([
        "train/\(train)/1.png": Self.png, "train/x/1.png": Self.png,
        "val/\(test)/2.png": Self.png, "val/x/2.png": Self.png,
      ])
      #expect(try Set(folder.names(of: "train")) != Set(folder.names(of: "val")))
      let parts = try PhotoFolder(path: folder.path).load(training: Self.training)
      #expect(parts.test.count == 2 && parts.test.classes == 2)
      let photos = try #require(parts.test as? PhotoSet)
      #expect(photos.remarks == [])
      for sample in 0..<2 { _ = try photos.bytes(sample) }
      // As predict and evaluate read a folder, by the names of a run.
      let again = try PhotoSet(
        path: folder("val"), classNames: [Self.composed, "x"], transform: Self.training)
      #expect(again.count == 2 && again.label(of: 0) == 0)
    }
  }

  /// The numbers of classes do not depend on how their names are written.
  @Test func classesAreNumberedByWhatTheyLookLike() throws {
    for name in [Self.composed, Self.decomposed] {
      let folder = try TemporaryFolder()
      try folder.write(["\(name)/1.png": Self.png, "caff/1.png": Self.png, "b/1.png": Self.png])
      let photos = try PhotoSet(path: folder.path, transform: Self.training)
      #expect(photos.classNames == ["b", "caff", Self.composed])
      for sample in 0..<3 { _ = try photos.bytes(sample) }
    }
  }

  @Test func namesThatCannotBeNamedAreRefused() throws {
    func refuses(_ text: String, in part: String, _ files: [String]) throws {
      let folder = try TemporaryFolder()
      let all = files + ["train/a/1.png", "train/b/1.png", "val/a/1.png"]
      // Not in one dictionary, to which names that look the same are one.
      for file in all { try folder.write([file: Self.png]) }
      // Latin-1's é, which is no UTF-8.
      let bytes = Array("\(folder(part))/caf".utf8) + [0xE9]
      if files.isEmpty { #expect(mkdir((bytes + [0]).map { CChar(bitPattern: $0) }, 0o700) == 0) }
      let error = #expect(throws: RigLError.self) {
        try PhotoFolder(path: folder.path).load(training: Self.training)
      }
      #expect(error?.kind == .data && error?.what.contains(text) == true, "\(error?.what ?? "")")
    }
    for part in ["train", "val"] { try refuses("\(part)/caf\\xe9: the name is not", in: part, []) }
    try refuses(
      "two folders have this name", in: "train",
      ["train/\(Self.composed)/1.png", "train/\(Self.decomposed)/1.png"])
  }

  // MARK: - Parts and classes

  /// Classes may be called as parts are: a folder with photos is a class.
  @Test func classesMayBeCalledAsParts() throws {
    let names = ["dev", "test", "testing", "train", "training", "val", "valid", "validation"]
    let folder = try TemporaryFolder()
    try folder.write(
      Dictionary(
        uniqueKeysWithValues: names.flatMap { name in
          (0..<4).map { ("\(name)/\($0).png", Self.png) }
        }))
    let parts = try PhotoFolder(path: folder.path).load(training: Self.training)
    let photos = try #require(parts.train.base as? PhotoSet)
    #expect(photos.classNames == names && photos.folder == folder.path && photos.count == 32)
    var configuration = PhotoTrainingTests.configuration()
    configuration.data = folder.path
    #expect(try DataSource(name: folder.path) == DataSource(name: "photos", folder: folder.path))
    configuration.data = "photos"
    // An evaluation reads it as the training does.
    let test = try TrainingData.loadTest(configuration, folder: folder.path, classNames: names)
    let trained = try TrainingData.load(configuration, folder: folder.path)
    #expect(test.count == trained.test.count && test.count > 0)
    let reading = PhotoReading(trained)
    #expect(reading.summary?.contains("8 classes (dev, test, testing") == true)
    #expect(PhotoReading(test: test).summary?.contains("of 32 photos of \(folder.path)") == true)
  }

  @Test(arguments: [
    ["train", "val", "test"], ["training", "valid", "testing"], ["Train", "dev", "Test"],
    ["train", "validation", "test"],
  ]) func partsHaveSeveralNames(names: [String]) throws {
    let folder = try TemporaryFolder()
    for name in names {
      // A class may be called as a part, in each of them.
      try folder.write(["\(name)/test/1.png": Self.png, "\(name)/b/1.png": Self.png])
    }
    let parts = try PhotoFolder(path: folder.path).load(training: Self.training)
    #expect((parts.train.base as? PhotoSet)?.folder == folder(names[0]))
    #expect(parts.validation?.folder == folder(names[1]))
    #expect((parts.test as? PhotoSet)?.folder == folder(names[2]))
    #expect(parts.train.base.classes == 2)
    var configuration = PhotoTrainingTests.configuration()
    let data = try TrainingData.load(configuration, folder: folder.path)
    let summary = try #require(PhotoReading(data).summary)
    for name in names { #expect(summary.contains(folder(name)), "\(summary)") }
    // Without the training's part, an evaluation takes the same test samples.
    try FileManager.default.removeItem(atPath: folder(names[0]))
    configuration.testSamples = nil
    let test = try TrainingData.loadTest(
      configuration, folder: folder.path, classNames: ["b", "test"])
    #expect((test as? PhotoSet)?.folder == folder(names[2]))
  }

  // MARK: - What is not used

  @Test func whatIsNotUsedIsCounted() throws {
    let folder = try TemporaryFolder()
    try folder.write([
      "train/a/1.png": Self.png, "train/a/2.webp": [1], "train/a/3.WEBP": [1], "train/a/n.txt": [1],
      "train/b/1.png": Self.png, "train/b/more/1.png": Self.png, "train/b/more/2.jpg": Self.png,
      "train/b/noending": [1], "train/c/1.png": Self.png, "train/stray.png": Self.png,
      "train/a/.hidden": [1], "val/a/1.png": Self.png, "val/c/1.gif": [1],
      "extra/x/1.png": Self.png, "train/b/more/deep/3.png": Self.png, "labels.csv": [1],
      "one.png": Self.png, "two.jpg": Self.png, "train/c/deep/x/y/z/1.png": Self.png,
    ])
    // A photo whose name is not UTF-8, and a link that leads back.
    let bytes = Array(folder("train/b/more/deep/caf").utf8) + [0xE9] + Array(".png".utf8) + [0]
    let file = open(bytes.map { CChar(bitPattern: $0) }, O_CREAT | O_WRONLY, 0o600)
    #expect(file >= 0 && close(file) == 0)
    try FileManager.default.createSymbolicLink(
      atPath: folder("train/b/more/back"), withDestinationPath: folder("train"))
    let data = try TrainingData.load(PhotoTrainingTests.configuration(), folder: folder.path)
    let remarks = PhotoReading(data).remarks
    let (train, val) = (folder("train"), folder("val"))
    #expect(
      remarks == [
        "\(train): 1 photo beside the classes' folders not used: no folder says its class",
        "\(train): 4 files not used: 2 .webp, 1 .txt, 1 without an ending; only .jpg, .jpeg and "
          + ".png are",
        "\(train): 2 folders within classes not used, with 5 photos: b/more, c/deep",
        "\(folder.path): 2 photos beside its parts not used: no folder says their class",
        "\(folder.path): 1 file not used: 1 .csv; only .jpg, .jpeg and .png are",
        "\(folder.path): 1 folder beside its parts not used, with 1 photo: extra",
        "\(val): 1 file not used: 1 .gif; only .jpg, .jpeg and .png are",
        "\(val): no images of 2 classes that the training has: b, c",
      ])
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
    try refuses(
      train + (0..<9).map { "val/x\($0)/1.png" }, .data,
      "val: 9 classes that the training images do not have: x0, x1, x2, x3, x4 and 4 more")
    try refuses(train + ["training/a/1.png"], .data, "train and training are both")
    try refuses(train + ["val/a/1.png", "dev/a/1.png"], .data, "dev and val are both")
    try refuses(["test/a/1.png", "val/a/1.png"], .missingFile, "none to train on")
    // Folders of classes and of parts side by side.
    try refuses(["a/1.png", "b/1.png", "test/a/1.png"], .data, "test: a class, but")
    let error = #expect(throws: RigLError.self) {
      try PhotoFolder(path: "/nowhere/at/all").load(training: Self.training)
    }
    #expect(error?.kind == .missingFile)
  }
}
