// How the folder of a run comes to be: whole or not at all, and nothing else is left behind.

extension RunFolder {
  /// Creates a run's folder, and those above it.
  ///
  /// It appears whole or not at all: a process that is killed meanwhile leaves nothing of its name,
  /// and the same command begins the run again.
  ///
  /// - Parameters:
  ///   - path: the path of the folder.
  ///   - configuration: what `config.yaml` says.
  ///   - rounds: rounds of a lottery ticket, which its checkpoints' names have.
  /// - Throws: `RigLError(.configuration)` if anything of that name exists, an empty folder included;
  ///   `RigLError(.write)` if it cannot be created, and then nothing of it is left.
  package static func create(
    at path: String, configuration: String, rounds: Int = 0
  ) throws(RigLError) -> RunFolder {
    let path = trimmed(path)
    try requireNothing(at: path)
    var maker = RunFolderMaker(rounds: rounds)
    do throws(RigLError) {
      guard let run = try maker.make(path, configuration) else { throw exists(path) }
      return run
    } catch {
      maker.removeParents()
      throw error
    }
  }

  /// Throws what ``create(at:configuration:rounds:)`` would, if anything of that name exists: so
  /// that one need not wait for the data to hear of it.
  package static func requireNothing(at path: String) throws(RigLError) {
    let path = trimmed(path)
    if path.isEmpty {
      throw RigLError(.configuration, "the output folder has no name", hint: "Give --output NAME.")
    }
    if FileSystem.item(path, followsLinks: false) != .nothing, !RunFolder(path: path).isBeginning {
      throw exists(path)
    }
  }

  private static func exists(_ path: String) -> RigLError {
    RigLError(
      .configuration, "\(path): the output folder exists already",
      hint: (RunFolder.isOne(at: path)
        ? "Go on with its run by --resume \(path), or choose " : "Choose ")
        + "another folder by --output.")
  }

  /// Creates the folder of a run that was not given one: `PARENT/NAME`, or the first of
  /// `PARENT/NAME-2`, `PARENT/NAME-3` and so on that does not exist.
  ///
  /// - Throws: `RigLError(.write)` if it cannot be created, and then nothing of it is left.
  package static func create(
    named name: String, in parent: String = "runs", configuration: String, rounds: Int = 0
  ) throws(RigLError) -> RunFolder {
    var (path, number) = ("\(trimmed(parent))/\(name)", 1)
    var maker = RunFolderMaker(rounds: rounds)
    do throws(RigLError) {
      while true {
        if let run = try maker.make(path, configuration) { return run }
        number += 1
        path = "\(trimmed(parent))/\(name)-\(number)"
      }
    } catch {
      maker.removeParents()
      throw error
    }
  }

  /// Removes a folder that was made a moment ago and could not be filled, without a checkpoint.
  func removeWhatCreationLeft() {
    try? FileSystem.remove(file: metricsPath)
    try? FileSystem.remove(file: configurationPath)
    try? FileSystem.remove(emptyFolder: checkpointsPath)
    try? FileSystem.remove(emptyFolder: path)
  }

  // MARK: - What killed processes leave

  /// Whether the folder holds no more than the beginning of a run that was killed before it had a
  /// configuration: `checkpoints`, empty, and half-written files.
  fileprivate var isBeginning: Bool {
    holdsOnly(["checkpoints"]) && FileSystem.item(checkpointsPath, followsLinks: false) == .folder
  }

  /// Whether nothing is in a folder but some of these names, half-written files, and no checkpoint.
  private func holdsOnly(_ expected: Set<String>) -> Bool {
    guard FileSystem.item(path, followsLinks: false) == .folder,
      let names = try? FileSystem.names(in: path),
      names.allSatisfy({ expected.contains($0) || AtomicFile.writer(ofTemporary: $0) != nil })
    else { return false }
    return (try? FileSystem.names(in: checkpointsPath))?.isEmpty ?? true
  }

  /// Removes a run's beginning that a killed process has left; false where it is being made, or is
  /// something else.
  fileprivate func removeBeginning() -> Bool {
    guard holdsOnly(["checkpoints", "config.yaml"]),
      let folder = try? OpenFile(path, .folderLock)
    else { return false }
    switch folder.tryLock() {
    case .taken: break
    case .heldByAnother: return false
    case .unsupported:
      if AtomicFile.writer(ofTemporary: FileSystem.split(path).name)
        .map(FileSystem.isRunning(process:)) ?? false
      {
        return false
      }
    }
    _ = try? removeStaleTemporaries()
    removeWhatCreationLeft()
    return FileSystem.item(path, followsLinks: false) == .nothing
  }
}

/// Makes a run's folder, and remembers which others it had to make.
private struct RunFolderMaker {
  private let rounds: Int
  private var parents: [String] = []

  init(rounds: Int) { self.rounds = rounds }

  /// Makes a run's folder under another name, fills it and gives it its own; nil where that is
  /// taken.
  mutating func make(_ path: String, _ configuration: String) throws(RigLError) -> RunFolder? {
    if FileSystem.item(path, followsLinks: false) != .nothing {
      let beginning = RunFolder(path: path)
      guard beginning.isBeginning, beginning.removeBeginning() else { return nil }
    }
    // The longest name that a run will ever ask for.
    let round = rounds == 0 ? "" : "round-\(rounds)-"
    try creating(path) { () throws(SystemError) in
      try FileSystem.requireLength(
        "\(path)/checkpoints/.\(round)step-000000000000000.safetensors.tmp-4194304-1000000000")
    }
    let parent = FileSystem.split(path).folder
    try makeParent(parent)
    removeDrafts(in: parent)
    let draft = try makeDraft(of: path)
    do throws(RigLError) {
      try fill(draft.folder, configuration)
      guard try rename(draft.folder, to: path) else {
        draft.folder.removeWhatCreationLeft()
        return nil
      }
    } catch {
      draft.folder.removeWhatCreationLeft()
      let what = error.what.replacing(draft.folder.path, with: path)
      throw RigLError(error.kind, what, hint: error.hint)
    }
    withExtendedLifetime(draft.lock) {}
    try synchronize(parent)
    return RunFolder(path: path)
  }

  /// Removes the folders above the run's that were made for it.
  mutating func removeParents() {
    while let last = parents.popLast() { try? FileSystem.remove(emptyFolder: last) }
  }

  /// Makes a folder and those above it, and waits until the disk has their names.
  private mutating func makeParent(_ path: String) throws(RigLError) {
    guard FileSystem.item(path) == .nothing else { return }
    let parent = FileSystem.split(path).folder
    try makeParent(parent)
    var isNew = false
    try creating(path) { () throws(SystemError) in isNew = try FileSystem.makeFolder(path) }
    // Not, if another process was faster.
    if isNew { parents.append(path) }
    try synchronize(parent)
  }

  /// A new folder beside the run's, with its lock, which keeps others from removing it.
  private func makeDraft(
    of path: String
  ) throws(RigLError) -> (folder: RunFolder, lock: RunLock) {
    while true {
      let draft = RunFolder(path: AtomicFile.temporaryPath(for: path))
      var isNew = false
      try creating(path) { () throws(SystemError) in
        isNew = try FileSystem.makeFolder(draft.path)
      }
      // Taken for a stale one between its creation and the lock, or of this process's number.
      if isNew, let lock = try? draft.lock(),
        FileSystem.item(draft.path, followsLinks: false) == .folder
      {
        return (draft, lock)
      }
    }
  }

  private func fill(_ run: RunFolder, _ configuration: String) throws(RigLError) {
    try creating(run.path) { () throws(SystemError) in
      _ = try FileSystem.makeFolder(run.checkpointsPath)
    }
    try AtomicFile.write(configuration, to: run.configurationPath)
  }

  /// Gives the folder its name; false where that is taken.
  private func rename(_ run: RunFolder, to path: String) throws(RigLError) -> Bool {
    do throws(SystemError) {
      try FileSystem.rename(run.path, to: path)
      return true
    } catch {
      if FileSystem.item(path, followsLinks: false) != .nothing { return false }
      throw RigLError(.write, "\(path): the folder cannot be created: \(error.text)")
    }
  }

  /// Removes the drafts of processes that were killed.
  private func removeDrafts(in parent: String) {
    for name in (try? FileSystem.names(in: parent)) ?? []
    where AtomicFile.writer(ofTemporary: name) != nil {
      _ = RunFolder(path: "\(parent)/\(name)").removeBeginning()
    }
  }

  private func synchronize(_ folder: String) throws(RigLError) {
    try creating(folder) { () throws(SystemError) in
      try FileSystem.synchronize(folder: folder)
    }
  }

  private func creating(
    _ path: String, _ body: () throws(SystemError) -> Void
  ) throws(RigLError) {
    try naming(
      .write, "\(path): the folder cannot be created", hint: "Choose another folder by --output.",
      body)
  }
}
