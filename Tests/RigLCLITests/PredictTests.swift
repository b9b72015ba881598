import Foundation
import RigLCore
import RigLImages
import Testing

/// `rigl predict` on pictures, folders of them, and pictures of other colours than the network's.
@Suite struct PredictTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func train(_ arguments: String...) throws {
    let outcome = try Rigl.run(
      ["train", "--quiet", "--validation", "0", "--set", "hidden=[8]", "--output", folder("run")]
        + arguments)
    try #require(outcome.status == 0, "\(outcome.errors)")
  }

  private func trainOnPhotos() throws {
    try GeneratedImageFolder(classes: 3, trainPerClass: 8, validationPerClass: 4, side: 24)
      .write(to: folder("photos"))
    try train(
      "--data", folder("photos"), "--set", "image_size=16", "--set", "batch_size=6", "--epochs", "1"
    )
  }

  private func predicted(_ arguments: String...) throws -> [[String: Any]] {
    let outcome = try Rigl.run(["predict", folder("run"), "--json", "--logits"] + arguments)
    try #require(outcome.status == 0, "\(outcome)")
    return try outcome.objects()
  }

  private func logits(_ arguments: String...) throws -> [[Double]] {
    let outcome = try Rigl.run(["predict", folder("run"), "--json", "--logits"] + arguments)
    try #require(outcome.status == 0, "\(outcome)")
    return try outcome.objects().map { try #require($0["logits"] as? [Double]) }
  }

  // MARK: - Folders

  @Test func picturesOfAFolderAreClassified() throws {
    try trainOnPhotos()
    let val = folder("photos/val")
    var files: [String] = []
    for name in try folder.names(in: "photos/val") {
      files += try folder.names(in: "photos/val/\(name)").map { "\(val)/\(name)/\($0)" }
    }
    let all = try predicted(val)
    #expect(all.map { $0["file"] as? String } == files)
    #expect(all.map { $0["sample"] as? Int } == Array(0..<files.count))
    #expect(try logits(val) == files.flatMap { try logits($0) })
    let csv = try Rigl.run("predict", folder("run"), val, files[0])
    let lines = csv.output.split(separator: "\n")
    #expect(lines.first == "sample,class,probability,name,file")
    #expect(lines.count == files.count + 2)
    #expect(lines.last?.hasSuffix(",\"\(files[0])\"") == true)
    // By their contents: another name, another folder, hidden ones, what is none.
    let some = folder("some")
    try FileManager.default.createDirectory(
      atPath: "\(some)/deep/deeper", withIntermediateDirectories: true)
    for name in ["deep/deeper/scan.dat", "b", ".hidden.png"] {
      try FileManager.default.copyItem(atPath: files[0], toPath: "\(some)/\(name)")
    }
    try folder.write("1 2 3", to: "some/notes.txt")
    try FileManager.default.createSymbolicLink(
      atPath: "\(some)/deep/back", withDestinationPath: some)
    let found = try Rigl.run("predict", folder("run"), some, "--json")
    #expect(found.status == 0)
    #expect(
      try found.objects().map { $0["file"] as? String }
        == ["\(some)/b", "\(some)/deep/deeper/scan.dat"])
    #expect(
      found.errors.contains("some: 1 file left out, neither JPEG nor PNG: notes.txt"),
      "\(found.errors)")
  }

  @Test func whatCannotBeReadInAFolderIsLeftOut() throws {
    try trainOnPhotos()
    try FileManager.default.createDirectory(
      atPath: folder("mixed"), withIntermediateDirectories: false)
    let name = try #require(try folder.names(in: "photos/val/disc").first)
    let whole = try folder.bytes(of: "photos/val/disc/\(name)")
    try whole.write(to: URL(fileURLWithPath: folder("mixed/a.jpg")))
    try whole.prefix(whole.count / 3).write(to: URL(fileURLWithPath: folder("mixed/b.jpg")))
    try folder.write("RIFF\u{1}\u{2}\u{3}\u{4}WEBPVP8 ", to: "mixed/c.jpg")
    try whole.write(to: URL(fileURLWithPath: folder("mixed/d.jpg")))
    for more in [[], ["--quiet"]] as [[String]] {
      let outcome = try Rigl.run(["predict", folder("run"), folder("mixed"), "--json"] + more)
      #expect(outcome.status == 65)
      #expect(
        try outcome.objects().map { $0["file"] as? String }
          == [folder("mixed/a.jpg"), folder("mixed/d.jpg")])
      for text in ["b.jpg: damaged", "c.jpg: neither", "WebP", "2 of 4 files could not be read"] {
        #expect(outcome.errors.contains(text), "\(outcome.errors)")
      }
    }
    // Named itself, such a file ends the command.
    let named = try Rigl.run("predict", folder("run"), folder("mixed/c.jpg"), folder("mixed/a.jpg"))
    #expect(named.status == 65 && named.output.isEmpty)
    try FileManager.default.createDirectory(
      atPath: folder("empty"), withIntermediateDirectories: false)
    try folder.write("1", to: "empty/x.txt")
    let empty = try Rigl.run("predict", folder("run"), folder("empty"))
    #expect(empty.status == 65 && empty.errors.contains("a folder without JPEG or PNG pictures"))
  }

  // MARK: - Colours

  /// Three channels from one.
  private func rgb(_ grey: [UInt8]) -> [UInt8] { grey.flatMap { [$0, $0, $0] } }

  private func write(_ pixels: [UInt8], _ side: Int, to name: String) throws -> String {
    try Data(try ImageWriter.png(pixels, width: side, height: side))
      .write(to: URL(fileURLWithPath: folder(name)))
    return folder(name)
  }

  /// A grey picture is what the same pixels in an IDX file are, padded or not.
  @Test(arguments: [[], ["--set", "pad_to=32"], ["--set", "per_image_standardization=true"]])
  func greyNetworksSeeGreyPictures(more: [String]) throws {
    let arguments = [
      "--data", "synthetic", "--set", "train_samples=200", "--set", "test_samples=20", "--epochs",
      "1",
    ]
    let outcome = try Rigl.run(
      ["train", "--quiet", "--validation", "0", "--set", "hidden=[8]", "--output", folder("run")]
        + arguments + more)
    try #require(outcome.status == 0, "\(outcome.errors)")
    let grey = (0..<784).map { UInt8($0 * 7 % 256) }
    try Data([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 28] + grey)
      .write(to: URL(fileURLWithPath: folder("images")))
    let expected = try logits(folder("images"))
    #expect(try logits(try write(rgb(grey), 28, to: "grey.png")) == expected)
    // Resized to what images were before they were padded.
    let flat = [UInt8](repeating: 77, count: 56 * 56)
    #expect(
      try logits(try write(rgb(flat), 56, to: "large.png"))
        == logits(try write(rgb(Array(flat.prefix(784))), 28, to: "small.png")))
    // Colours by their luma.
    let colors = (0..<784 * 3).map { UInt8($0 * 31 % 256) }
    let luma = (0..<784).map { index -> UInt8 in
      let sum =
        0.299 * Double(colors[3 * index]) + 0.587 * Double(colors[3 * index + 1])
        + 0.114 * Double(colors[3 * index + 2])
      return UInt8(sum.rounded())
    }
    let seen = try logits(try write(colors, 28, to: "colors.png"))
    let asGrey = try logits(try write(rgb(luma), 28, to: "luma.png"))
    #expect(zip(seen[0], asGrey[0]).allSatisfy { abs($0 - $1) < 1e-2 }, "\(seen) \(asGrey)")
  }

  /// A small picture is padded as the run's images were, of three channels too.
  @Test func smallPicturesArePadded() throws {
    let outcome = try Rigl.run(
      "train", "--quiet", "--validation", "0", "--set", "hidden=[8]", "--output", folder("run"),
      "--data", "synthetic-color", "--set", "image_size=16", "--set", "pad_to=20", "--set",
      "train_samples=100", "--set", "test_samples=20", "--epochs", "1")
    try #require(outcome.status == 0, "\(outcome.errors)")
    let colors = (0..<16 * 16 * 3).map { UInt8($0 * 31 % 256) }
    var padded: [Int] = []
    for channel in 0..<3 {
      for y in -2..<18 {
        for x in -2..<18 {
          let isInside = (0..<16).contains(y) && (0..<16).contains(x)
          padded.append(isInside ? Int(colors[(y * 16 + x) * 3 + channel]) : 0)
        }
      }
    }
    try folder.write(padded.map { "\($0)" }.joined(separator: " "), to: "padded.txt")
    let expected = try logits(folder("padded.txt"))
    #expect(try logits(try write(colors, 16, to: "colors.png")) == expected)
  }
}
