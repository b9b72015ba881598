import Foundation
import RigLCore
import Testing

@Suite struct AtomicFileTests {
  private func text(_ path: String) throws -> String {
    String(decoding: try fileBytes(path), as: UTF8.self)
  }

  @Test func replacesAFileAtOnce() throws {
    let folder = try TemporaryFolder()
    try AtomicFile.write("old", to: folder("x"))
    var file = try AtomicFile(replacing: folder("x"))
    try file.write(Array("new, ".utf8))
    try file.write(Array("longer".utf8), at: 5)
    try file.write([UInt8(ascii: "N")], at: 0)
    #expect(file.size == 11)
    #expect(try text(folder("x")) == "old", "until the commit")
    try file.commit()
    #expect(try text(folder("x")) == "New, longer")
    #expect(try folder.names() == ["x"])
  }

  @Test func leavesTheOldFileWithoutACommit() throws {
    let folder = try TemporaryFolder()
    try AtomicFile.write("old", to: folder("x"))
    do {
      var file = try AtomicFile(replacing: folder("x"))
      try file.write([1, 2, 3])
    }
    #expect(try text(folder("x")) == "old")
    #expect(try folder.names() == ["x"])
  }

  @Test func followsLinksAndLeavesWhatIsNoFile() throws {
    let folder = try TemporaryFolder()
    try AtomicFile.write("old", to: folder("x"))
    try FileManager.default.createSymbolicLink(
      atPath: folder("link"), withDestinationPath: folder("x"))
    try AtomicFile.write("new", to: folder("link"))
    #expect(try text(folder("x")) == "new")
    #expect(
      try FileManager.default.destinationOfSymbolicLink(atPath: folder("link")) == folder("x"))
    #expect(mkfifo(folder("pipe"), 0o600) == 0)
    let error = try #require(throws: RigLError.self) {
      try AtomicFile.write("new", to: folder("pipe"))
    }
    #expect(error.kind == .write && error.what.contains("no regular file"), "\(error)")
    #expect(try folder.names() == ["link", "pipe", "x"])
  }

  /// In the folder of a run, a link that is named like one of its files is replaced, and what it
  /// leads to stays as it is.
  @Test func replacesALinkItselfWhereAskedTo() throws {
    let folder = try TemporaryFolder()
    try AtomicFile.write("other", to: folder("other"))
    for target in [folder("other"), folder("none"), folder.path] {
      try FileManager.default.createSymbolicLink(
        atPath: folder("link"), withDestinationPath: target)
      try AtomicFile.write("new", to: folder("link"), followsLinks: false)
      #expect(try text(folder("link")) == "new")
      #expect(try text(folder("other")) == "other")
      #expect((try? FileManager.default.destinationOfSymbolicLink(atPath: folder("link"))) == nil)
      try FileManager.default.removeItem(atPath: folder("link"))
    }
    #expect(try folder.names() == ["other"])
  }

  @Test(arguments: [0o600, 0o640, 0o444, 0o755, 0o000])
  func keepsWhoMayReadAFile(mode: Int) throws {
    let folder = try TemporaryFolder()
    try AtomicFile.write("old", to: folder("x"))
    try AtomicFile.write("old", to: folder("new"))
    let usual = try permissions(folder("new"))
    chmod(folder("x"), mode_t(mode))
    var file = try AtomicFile(replacing: folder("x"))
    let temporary = try #require(try folder.names().first { $0.hasPrefix(".x.tmp-") })
    #expect(try permissions(folder(temporary)) & ~0o700 == mode & ~0o700, "not even meanwhile")
    try file.write([1])
    try file.commit()
    #expect(try permissions(folder("x")) == mode)
    #expect(usual & 0o600 == 0o600)
  }

  private func permissions(_ path: String) throws -> Int {
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    return try #require(attributes[.posixPermissions] as? Int) & 0o777
  }

  /// A name of the most bytes that there may be: the temporary's must not be longer.
  @Test func writesFilesOfTheLongestName() throws {
    let folder = try TemporaryFolder()
    for name in [String(repeating: "n", count: 255), String(repeating: "é", count: 127)] {
      try AtomicFile.write("x", to: folder(name))
      #expect(try text(folder(name)) == "x")
    }
    #expect(try folder.names().count == 2)
  }

  @Test func writesAtRelativePaths() throws {
    let name = "rigl-test-\(UUID().uuidString)"
    defer { unlink(name) }
    try AtomicFile.write("here", to: name)
    #expect(try text(name) == "here")
  }

  @Test func saysWhyItCannotWrite() throws {
    let folder = try TemporaryFolder()
    try FileManager.default.createDirectory(
      atPath: folder("sub"), withIntermediateDirectories: false)
    try AtomicFile.write("", to: folder("file"))
    for (path, reason) in [
      (folder("sub"), "it is a folder"), (folder("none/x"), "No such file or directory"),
      (folder("file/x"), "Not a directory"), ("/proc/self/x", ""),
      (folder(String(repeating: "n", count: 300)), "File name too long"),
    ] {
      let error = #expect(throws: RigLError.self) { try AtomicFile.write("x", to: path) }
      #expect(error?.kind == .write)
      #expect(error?.what.hasPrefix("\(path): cannot be ") == true, "\(error?.what ?? "")")
      #expect(error?.what.hasSuffix(reason) == true, "\(error?.what ?? "")")
    }
    #expect(try folder.names() == ["file", "sub"])
  }

  @Test(.enabled(if: geteuid() != 0, "root may write everywhere"))
  func needsPermissionToWrite() throws {
    let folder = try TemporaryFolder()
    chmod(folder.path, 0o500)
    defer { chmod(folder.path, 0o700) }
    let error = #expect(throws: RigLError.self) { try AtomicFile.write("x", to: folder("x")) }
    #expect(error?.kind == .write && error?.what.contains("Permission denied") == true)
  }

  /// In a process of its own, because the limit is the process's: the first block is written short,
  /// the next one fails.
  @Test func removesTheTemporaryWhereThereIsNoSpace() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      signal(SIGXFSZ, SIG_IGN)
      var limit = rlimit(rlim_cur: 10_000, rlim_max: 10_000)
      try #require(setrlimit(fileSizeLimit, &limit) == 0)
      try withoutSpaceForAFile(folder)
      try withoutSpaceForACheckpoint(folder)
      try withoutSpaceForALog(folder)
      try withoutSpaceForARun(folder)
    }
  }

  /// A process that is killed leaves a temporary; the next start removes it, and no other file.
  @Test func removesWhatAKilledProcessLeft() async throws {
    let folder = try TemporaryFolder()
    let path = folder("x")
    await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
      var file = try AtomicFile(replacing: path)
      try file.write([1, 2, 3])
      kill(getpid(), SIGKILL)
      try file.commit()
    }
    let left = try folder.names()
    #expect(left.count == 1 && left.first?.hasPrefix(".x.tmp-") == true)
    // Named as one that this very process could be writing: numbers are used again.
    let reused = ".y.tmp-\(getpid())-1"
    let others = [
      ".tmp-1-1", ".x.tmp-1", ".x.tmp-a-1", "x.tmp-1-1", ".x.temp-1-1", ".x.tmp-1-1.gz",
    ]
    for name in others + [reused] { try writeFile([0], to: folder(name)) }
    try FileManager.default.createDirectory(
      atPath: folder(".z.tmp-1-1"), withIntermediateDirectories: false)

    var file = try AtomicFile(replacing: path)
    try file.write([4])
    #expect(try AtomicFile.removeStaleTemporaries(in: folder.path) == (left + [reused]).sorted())
    try file.commit()
    #expect(try fileBytes(path) == [4], "one that is being written stays")
    #expect(try Set(folder.names()) == Set(others + ["x", ".z.tmp-1-1"]))
  }
  @Test func cannotCleanAFolderThatIsNotThere() throws {
    let folder = try TemporaryFolder()
    let error = #expect(throws: RigLError.self) {
      try AtomicFile.removeStaleTemporaries(in: folder("none"))
    }
    #expect(error?.kind == .missingFile)
  }
}

/// Files of more than 10 000 bytes cannot be written here.
private func withoutSpaceForAFile(_ folder: TemporaryFolder) throws {
  try AtomicFile.write("old", to: folder("x"))
  let error = #expect(throws: RigLError.self) {
    try AtomicFile.write([UInt8](repeating: 1, count: 50_000), to: folder("x"))
  }
  #expect(error?.kind == .write && error?.hint != nil)
  #expect(error?.what == "\(folder("x")): cannot be written: File too large")
  #expect(try folder.names() == ["x"])
  #expect(try fileBytes(folder("x")) == Array("old".utf8))
}

/// The older checkpoint must survive, though only one is to be kept.
private func withoutSpaceForACheckpoint(_ folder: TemporaryFolder) throws {
  let store = CheckpointStore(folder: folder("checkpoints"), keep: 1)
  try FileManager.default.createDirectory(
    atPath: store.folder, withIntermediateDirectories: false)
  try store.write(step: 1, tensors: []) { _ in }
  let error = #expect(throws: RigLError.self) {
    let tensor = SafetensorsTensor("x", .float32, shape: [50_000])
    try store.write(step: 2, tensors: [tensor]) { (writer) throws(RigLError) in
      try writer.append([Float](repeating: 1, count: 50_000), to: "x")
    }
  }
  #expect(error?.kind == .write)
  #expect(try store.latest()?.checkpoint.step == 1)
  #expect(
    try FileManager.default.contentsOfDirectory(atPath: store.folder)
      == ["step-000000001.safetensors"])
}

/// A run that could not be created leaves its name free.
private func withoutSpaceForARun(_ folder: TemporaryFolder) throws {
  let error = #expect(throws: RigLError.self) {
    try RunFolder.create(
      at: folder("run"), configuration: String(repeating: " ", count: 50_000))
  }
  #expect(error?.kind == .write)
  #expect(try !folder.names().contains("run"))
}

/// A log is cut back to its last whole line.
private func withoutSpaceForALog(_ folder: TemporaryFolder) throws {
  let log = try MetricsLog.create(at: folder("metrics.csv"))
  let error = #expect(throws: RigLError.self) {
    for step in 0..<10_000 {
      try log.append(.init(step: step, batchesConsumed: step, epoch: 0, split: .train))
    }
  }
  #expect(error?.kind == .write)
  let bytes = try fileBytes(folder("metrics.csv"))
  let rows = try MetricsLog.rows(at: folder("metrics.csv"))
  #expect(bytes.count > 9_900 && bytes.last == UInt8(ascii: "\n"))
  #expect(rows.count > 300 && rows.last?.step == rows.count - 1)
}

#if canImport(Glibc)
  private let fileSizeLimit = __rlimit_resource_t(RLIMIT_FSIZE.rawValue)
#else
  private let fileSizeLimit = RLIMIT_FSIZE
#endif
