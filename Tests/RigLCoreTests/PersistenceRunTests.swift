import Foundation
import RigLCore
import Testing

@Suite struct CheckpointStoreTests {
  private func write(
    _ step: Int, round: Int = 0, to store: CheckpointStore, value: Float? = nil
  ) throws {
    let tensor = SafetensorsTensor("w", .float32, shape: [2])
    try store.write(round: round, step: step, tensors: [tensor], metadata: ["step": "\(step)"]) {
      (writer) throws(RigLError) in
      try writer.append([value ?? Float(step), 1], to: "w")
    }
  }

  @Test func keepsTheLastFew() throws {
    let folder = try TemporaryFolder()
    let store = CheckpointStore(folder: folder.path, keep: 2)
    #expect(try store.latest() == nil && store.list().isEmpty)
    for step in [0, 100, 999_999_999, 1_000_000_000] { try write(step, to: store) }
    #expect(
      try folder.names() == ["step-1000000000.safetensors", "step-999999999.safetensors"],
      "by step, not by name")
    let latest = try #require(try store.latest())
    #expect(latest.checkpoint.step == 1_000_000_000 && latest.warnings.isEmpty)
    #expect(latest.file.metadata["step"] == "1000000000")
    #expect(store.path(step: 1234) == folder("step-000001234.safetensors"))
  }

  /// Of a lottery ticket, steps begin again in every round.
  @Test func roundsComeBeforeSteps() throws {
    let folder = try TemporaryFolder()
    let store = CheckpointStore(folder: folder.path, keep: 2)
    try write(20, to: store)
    try write(3, round: 1, to: store)
    #expect(try store.list().map { [$0.round, $0.step] } == [[0, 20], [1, 3]])
    for round in [2, 10] { try write(4, round: round, to: store) }
    #expect(
      try folder.names() == [
        "round-10-step-000000004.safetensors", "round-2-step-000000004.safetensors",
      ])
    #expect(try store.latest()?.checkpoint.round == 10)
    #expect(store.path(round: 10, step: 4) == folder("round-10-step-000000004.safetensors"))
    for name in ["round-0-step-000000009", "round-03-step-000000009", "round-x-step-000000009"] {
      try writeFile([], to: folder("\(name).safetensors"))
    }
    #expect(try store.list().map(\.round) == [2, 10], "names that no checkpoint has")
    try write(5, to: store)
    #expect(try store.list().map { [$0.round, $0.step] } == [[0, 5]], "later ones are gone")
  }

  @Test func replacesTheOneOfTheSameStep() throws {
    let folder = try TemporaryFolder()
    let store = CheckpointStore(folder: folder.path, keep: 1)
    try write(5, to: store, value: 1)
    try write(5, to: store, value: 2)
    #expect(try store.list().map(\.step) == [5])
    #expect(try store.latest()?.file.float32("w") == [2, 1])
  }

  @Test func keepsTheOldOnesWhereTheNewOneFails() throws {
    let folder = try TemporaryFolder()
    let store = CheckpointStore(folder: folder.path, keep: 1)
    try write(1, to: store)
    let failure = RigLError(.numerical, "a weight is not a number")
    let error = #expect(throws: RigLError.self) {
      let tensor = SafetensorsTensor("w", .float32, shape: [2])
      try store.write(step: 2, tensors: [tensor]) { (writer) throws(RigLError) in
        try writer.append([Float(1)], to: "w")
        #expect((try? store.list().map(\.step)) == [1], "removed before the new one is complete")
        throw failure
      }
    }
    #expect(error == failure)
    #expect(try folder.names() == ["step-000000001.safetensors"])
  }

  /// Damage of each kind in the newest: it is passed over, aloud.
  @Test(arguments: [
    "header", "data", "padding", "cut", "empty", "foreign", "unreadable", "dangling",
  ])
  func fallsBackToTheOneBefore(damage: String) throws {
    let folder = try TemporaryFolder()
    let store = CheckpointStore(folder: folder.path, keep: 3)
    for step in [1, 2, 3] { try write(step, to: store) }
    var bytes = try fileBytes(store.path(step: 3))
    switch damage {
    case "header": bytes[20] ^= 1
    case "data": bytes[bytes.count - 1] ^= 1
    case "padding": bytes[(bytes.firstIndex(of: UInt8(ascii: " ")) ?? 0)] = UInt8(ascii: "\t")
    case "cut": bytes.removeLast()
    case "empty": bytes = []
    default: bytes = safetensors("{}")
    }
    try FileManager.default.removeItem(atPath: store.path(step: 3))
    if damage == "dangling" {
      try FileManager.default.createSymbolicLink(
        atPath: store.path(step: 3), withDestinationPath: folder("none"))
    } else if damage == "unreadable" {
      try FileManager.default.createDirectory(
        atPath: store.path(step: 3), withIntermediateDirectories: false)
    } else {
      try writeFile(bytes, to: store.path(step: 3))
    }
    let latest = try #require(try store.latest())
    #expect(latest.checkpoint.step == 2)
    #expect(latest.warnings.count == 1)
    #expect(latest.warnings.first?.hasPrefix(store.path(step: 3)) == true)
    #expect(latest.warnings.first?.hasSuffix("going on from step 2 instead") == true)
    #expect(try latest.file.float32("w") == [2, 1])

    if damage == "unreadable" { return }
    // The next one is what the run goes on from, though the damaged one has a later step.
    try write(2, to: CheckpointStore(folder: folder.path, keep: 1))
    #expect(try store.list().map(\.step) == [2])
  }

  @Test func saysThatAllAreDamaged() throws {
    let folder = try TemporaryFolder()
    let store = CheckpointStore(folder: folder.path)
    for step in [1, 2] {
      try write(step, to: store)
      try writeFile([1, 2, 3], to: store.path(step: step))
    }
    let error = #expect(throws: RigLError.self) { try store.latest() }
    #expect(error?.kind == .data && error?.hint != nil)
    #expect(error?.what.contains("step-000000001.safetensors") == true)
    #expect(error?.what.contains("step-000000002.safetensors") == true)
  }

  /// The list names a file that the run, which goes on writing, has removed by the time it is opened.
  @Test func looksAgainWhereACheckpointHasGone() throws {
    let folder = try TemporaryFolder()
    let store = CheckpointStore(folder: folder.path, keep: 2)
    for step in [1, 2] { try write(step, to: store) }
    let latest = try store.latest { (file) throws(RigLError) in
      guard file.metadata["step"] == "2" else { return }
      do {
        try write(3, to: CheckpointStore(folder: folder.path, keep: 1))
      } catch { throw RigLError(.write, "\(error)") }
      throw RigLError(.data, "gone")
    }
    #expect(latest?.checkpoint.step == 3 && latest?.warnings == [])
  }

  @Test func asksTheCallerToo() throws {
    let folder = try TemporaryFolder()
    let store = CheckpointStore(folder: folder.path)
    for step in [1, 2] { try write(step, to: store) }
    let latest = try store.latest { (file) throws(RigLError) in
      if file.metadata["step"] == "2" { throw RigLError(.data, "not this one") }
    }
    #expect(latest?.checkpoint.step == 1)
    #expect(latest?.warnings == ["not this one; going on from step 1 instead"])
    let error = #expect(throws: RigLError.self) {
      try store.latest { _ throws(RigLError) in throw RigLError(.configuration, "another network") }
    }
    #expect(error?.what == "another network", "what is not damage is not passed over")
  }

  @Test func listsCheckpointsOnly() throws {
    let folder = try TemporaryFolder()
    let store = CheckpointStore(folder: folder.path)
    for name in [
      "step-1.safetensors", "step-0000000001.safetensors", "step-+00000001.safetensors",
      "step-.safetensors", "step-000000001.safetensors.bak", "last.safetensors",
      ".step-000000001.safetensors.tmp-1-1", "step-99999999999999999999.safetensors",
    ] { try writeFile([], to: folder(name)) }
    #expect(try store.list().isEmpty)
    let error = #expect(throws: RigLError.self) {
      try CheckpointStore(folder: folder("none")).list()
    }
    #expect(error?.kind == .missingFile)
  }

  @Test func equalContentsAreEqualBytes() throws {
    let (one, two) = (try TemporaryFolder(), try TemporaryFolder())
    for folder in [one, two] { try write(7, to: CheckpointStore(folder: folder.path)) }
    let name = "step-000000007.safetensors"
    #expect(try fileBytes(one(name)) == fileBytes(two(name)))
  }
}

@Suite struct RunFolderTests {
  @Test func createsAndOpens() throws {
    let folder = try TemporaryFolder()
    let run = try RunFolder.create(at: folder("a/b/run/"), configuration: "seed: 1\n")
    #expect(run.path == folder("a/b/run"))
    #expect(run.metricsPath == folder("a/b/run/metrics.csv"))
    let opened = try RunFolder.open(folder("a/b/run"))
    #expect(opened == run)
    #expect(try opened.configuration() == "seed: 1\n")
    #expect(try opened.checkpoints(keep: 3).list().isEmpty)
  }

  @Test func neverOverwrites() throws {
    let folder = try TemporaryFolder()
    _ = try RunFolder.create(at: folder("run"), configuration: "first")
    try writeFile("", to: folder("file"))
    try FileManager.default.createDirectory(
      atPath: folder("empty"), withIntermediateDirectories: false)
    for name in ["run", "file", "empty"] {
      let error = #expect(throws: RigLError.self) {
        try RunFolder.create(at: folder(name), configuration: "second")
      }
      #expect(error?.kind == .configuration && error?.kind.rawValue == 64)
      #expect(error?.what == "\(folder(name)): the output folder exists already")
      #expect(error?.hint?.contains("--resume \(folder(name))") == (name == "run"))
      #expect(error?.hint?.contains("--output") == true)
    }
    #expect(try RunFolder.open(folder("run")).configuration() == "first")
  }

  /// However far a process came, the same command begins the run again, and nothing of the first one
  /// is left.
  @Test func aRunThatWasKilledAtItsBeginningIsBegunAgain() async throws {
    let folder = try TemporaryFolder()
    let run = folder("run")
    // What older versions left: the folder, and no configuration yet.
    try FileManager.default.createDirectory(
      atPath: "\(run)/checkpoints", withIntermediateDirectories: true)
    try writeFile("seed", to: "\(run)/.config.yaml.tmp-1-1")
    // What this one leaves: a folder of another name, with and without its contents.
    for name in [".run.tmp-1-1", ".other.tmp-1-2", ".run.tmp-\(getpid())-1"] {
      try FileManager.default.createDirectory(
        atPath: folder("\(name)/checkpoints"), withIntermediateDirectories: true)
    }
    try writeFile("seed: 1\n", to: folder(".run.tmp-1-1/config.yaml"))
    try FileManager.default.createDirectory(
      atPath: folder(".run.tmp-1-3"), withIntermediateDirectories: false)
    // Somebody else's.
    try FileManager.default.createDirectory(
      atPath: folder(".run.tmp-1-4/mine"), withIntermediateDirectories: true)
    try RunFolder.requireNothing(at: run)
    let created = try RunFolder.create(at: run, configuration: "seed: 2\n")
    #expect(try created.configuration() == "seed: 2\n")
    #expect(try folder.names() == [".run.tmp-1-4", "run"])
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: run).sorted()
        == ["checkpoints", "config.yaml"])
  }

  @Test func whatHoldsACheckpointIsNoBeginning() throws {
    let folder = try TemporaryFolder()
    for (name, file) in [("a", "checkpoints/step-000000001.safetensors"), ("b", "notes.txt")] {
      try FileManager.default.createDirectory(
        atPath: folder("\(name)/checkpoints"), withIntermediateDirectories: true)
      try writeFile("", to: folder("\(name)/\(file)"))
      #expect(throws: RigLError.self) {
        try RunFolder.create(at: folder(name), configuration: "")
      }
      #expect(FileManager.default.fileExists(atPath: folder("\(name)/\(file)")))
    }
  }

  @Test func leavesNothingWhereANameIsTooLong() throws {
    let folder = try TemporaryFolder()
    let long = String(repeating: "n", count: 256)
    let deep = Array(repeating: String(repeating: "d", count: 200), count: 21)
      .joined(separator: "/")
    for path in [long, "a/b/\(long)", "\(long)/run", deep] {
      let error = #expect(throws: RigLError.self) {
        try RunFolder.create(at: folder(path), configuration: "")
      }
      #expect(error?.kind == .write && error?.what.hasSuffix("File name too long") == true)
      #expect(try folder.names().isEmpty, "\(path.count)")
    }
    // The longest that there is: a checkpoint in it still has a name.
    let room = 4095 - "/checkpoints/.step-000000000000000.safetensors.tmp-4194304-1000000000".count
    var path = folder.path
    while path.utf8.count < room - 250 { path += "/" + String(repeating: "p", count: 200) }
    path += "/" + String(repeating: "q", count: room - path.utf8.count - 1)
    #expect(throws: RigLError.self) { try RunFolder.create(at: path + "q", configuration: "") }
    // Rounds of a lottery ticket are in the names of its checkpoints.
    #expect(throws: RigLError.self) {
      try RunFolder.create(at: path, configuration: "", rounds: 1)
    }
    #expect(try folder.names().isEmpty)
    let run = try RunFolder.create(at: path, configuration: "")
    try run.checkpoints().write(step: 999_999_999_999_999, tensors: []) { _ in }
    try RunFolder.requireNothing(at: folder(String(repeating: "n", count: 255)))
    _ = try RunFolder.create(at: folder(String(repeating: "n", count: 255)), configuration: "")
  }

  @Test func linksInARunAreNotWrittenThrough() throws {
    let folder = try TemporaryFolder()
    let run = try RunFolder.create(at: folder("run"), configuration: "")
    try writeFile("precious", to: folder("precious"))
    func link(_ path: String) throws {
      try? FileManager.default.removeItem(atPath: path)
      try FileManager.default.createSymbolicLink(
        atPath: path, withDestinationPath: folder("precious"))
    }
    let store = run.checkpoints()
    try link(store.path(step: 1))
    try store.write(step: 1, tensors: []) { _ in }
    try link(run.metricsPath)
    let log = try MetricsLog.resume(at: run.metricsPath, batchesConsumed: 0)
    try log.append(.init(step: 0, batchesConsumed: 0, epoch: 0, split: .train))
    #expect(try fileBytes(folder("precious")) == Array("precious".utf8))
    #expect(try store.latest()?.checkpoint.step == 1)
    #expect(try MetricsLog.rows(at: run.metricsPath).count == 1)
  }

  @Test func findsANameThatIsFree() throws {
    let folder = try TemporaryFolder()
    let paths = try (0..<3).map { _ in
      try RunFolder.create(named: "lenet", in: folder("runs/"), configuration: "").path
    }
    #expect(paths == ["runs/lenet", "runs/lenet-2", "runs/lenet-3"].map { folder($0) })
  }

  @Test func saysWhyItCannotCreate() throws {
    let folder = try TemporaryFolder()
    try writeFile("", to: folder("file"))
    for path in [folder("file/run"), "/proc/rigl/run"] {
      let error = #expect(throws: RigLError.self) {
        try RunFolder.create(at: path, configuration: "")
      }
      #expect(error?.kind == .write)
      #expect(error?.what.contains("the folder cannot be created") == true)
    }
  }

  @Test func opensRunsOnly() throws {
    let folder = try TemporaryFolder()
    for path in [folder("none"), folder.path] {
      let error = #expect(throws: RigLError.self) { try RunFolder.open(path) }
      #expect(error?.kind == .missingFile && error?.what.hasPrefix(path) == true)
    }
    let run = try RunFolder.create(at: folder("run"), configuration: "")
    try writeFile([0xFF], to: run.configurationPath)
    let error = #expect(throws: RigLError.self) { try run.configuration() }
    #expect(error?.kind == .data)
  }

  @Test func oneAtATimeWrites() throws {
    let folder = try TemporaryFolder()
    let run = try RunFolder.create(at: folder("run"), configuration: "seed: 1\n")
    let other = try RunFolder.create(at: folder("other"), configuration: "")
    var lock: RunLock? = try run.lock()
    #expect(lock?.isHeld == true)
    #expect(try other.lock().isHeld, "another run is another matter")
    let error = #expect(throws: RigLError.self) { try RunFolder.open(folder("run/")).lock() }
    #expect(error?.kind == .configuration && error?.hint?.contains("--output") == true)
    #expect(error?.what.hasPrefix("\(run.path): another training") == true)
    // By another name, too.
    try FileManager.default.createSymbolicLink(
      atPath: folder("link"), withDestinationPath: run.path)
    #expect(throws: RigLError.self) { try RunFolder.open(folder("link")).lock() }
    #expect(try RunFolder.open(run.path).configuration() == "seed: 1\n", "reading needs none")
    lock = nil
    #expect(try run.lock().isHeld)
    #expect(try FileManager.default.contentsOfDirectory(atPath: run.path).count == 2, "no file")

    try FileManager.default.removeItem(atPath: run.path)
    let gone = #expect(throws: RigLError.self) { try run.lock() }
    #expect(gone?.kind == .missingFile)
  }

  @Test func removesWhatWasHalfWritten() throws {
    let folder = try TemporaryFolder()
    let run = try RunFolder.create(at: folder("run"), configuration: "")
    let names = [".metrics.csv.tmp-1-1", "checkpoints/.step-000000001.safetensors.tmp-1-2"]
    for name in names { try writeFile([1], to: "\(run.path)/\(name)") }
    #expect(
      try run.removeStaleTemporaries()
        == [".metrics.csv.tmp-1-1", ".step-000000001.safetensors.tmp-1-2"])
    #expect(try run.removeStaleTemporaries() == [])
  }
}
