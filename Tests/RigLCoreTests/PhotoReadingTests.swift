import Foundation
import RigLCore
import RigLImages
import Testing

/// What is said of folders of photos: which are for what, and how many.
@Suite struct PhotoReadingTests {
  private func write(_ parts: [String], each count: Int, to folder: TemporaryFolder) throws {
    for part in parts {
      for number in 0..<count { try folder.write(["\(part)/\(number).png": PhotoFolderTests.png]) }
    }
  }

  private func reading(
    _ folder: TemporaryFolder, _ change: (inout Configuration) -> Void = { _ in }
  ) throws -> (data: TrainingData, summary: String) {
    var configuration = PhotoTrainingTests.configuration()
    change(&configuration)
    let data = try TrainingData.load(configuration, folder: folder.path)
    return (data, try #require(PhotoReading(data).summary))
  }

  /// A share of a folder's photos is what is tested on, and said to be.
  @Test func saysThatAPartIsTestedOn() throws {
    let folder = try TemporaryFolder()
    try write(["a", "b"], each: 30, to: folder)
    let run = ["a", "b", "c", "d"]
    func reading(_ change: (inout Configuration) -> Void = { _ in }) throws -> String {
      var configuration = PhotoTrainingTests.configuration()
      change(&configuration)
      let test = try TrainingData.loadTest(configuration, folder: folder.path, classNames: run)
      #expect(test.classes == 4)
      return try #require(PhotoReading(test: test).summary).replacing(
        " \(test.count) of", with: " N of")
    }
    let part = "tests on N of 60 photos of \(folder.path)"
    #expect(
      try reading()
        == "\(part), held out from training: 2 classes (a, b); to test on all of a folder's photos, "
        + "put its classes in a folder test/")
    try FileManager.default.createDirectory(
      atPath: folder("test"), withIntermediateDirectories: false)
    for name in ["a", "b"] {
      try FileManager.default.moveItem(atPath: folder(name), toPath: folder("test/\(name)"))
    }
    #expect(try reading() == "tests on \(folder("test")): 2 classes (a, b)")
    #expect(
      try reading { $0.testSamples = 9 }
        == "tests on N of 60 photos of \(folder("test")): 2 classes (a, b)")
  }

  @Test func saysHowManyAreHeldOut() throws {
    let folder = try TemporaryFolder()
    try write(["a", "b"], each: 60, to: folder)
    let (data, summary) = try reading(folder) { $0.validation = 30 }
    let (test, held) = (data.test.count, try #require(data.validation?.count))
    #expect(held != 30 && data.train.count + held + test == 120)
    let start =
      "\(folder.path): 2 classes (a, b); of its 120 photos, \(test) are held out to test on"
    #expect(summary == "\(start) and \(held) to validate on")
    #expect(try reading(folder).summary == start)
    #expect(try reading(folder) { $0.validateOnTest = true }.summary == start)
  }

  @Test func saysHowManyOfAPartAreHeldOut() throws {
    let folder = try TemporaryFolder()
    try write(["train/a", "train/b"], each: 40, to: folder)
    try write(["test/a", "test/b"], each: 2, to: folder)
    let (data, summary) = try reading(folder) { $0.validation = 11 }
    let held = try #require(data.validation?.count)
    #expect(
      summary == "trains on \(folder("train")): 2 classes (a, b); validates on \(held) of its 80 "
        + "photos; tests on \(folder("test"))")
  }

  @Test func manyClassesAreNotAllNamed() throws {
    let folder = try TemporaryFolder()
    try write((10..<40).map { "c\($0)" }, each: 3, to: folder)
    #expect(
      try reading(folder).summary.contains("30 classes (c10, c11, c12, c13, c14 and 25 more)"))
  }
}
