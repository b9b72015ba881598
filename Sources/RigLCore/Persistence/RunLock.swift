/// The right to write in a run's folder, which one training at a time has.
///
/// It ends with this value, and with the process however that ends, killed included: the system
/// keeps it, not a file that would be left behind. Reading a run needs no lock.
package final class RunLock: Sendable {
  private let folder: OpenFile
  /// False where the file system has no locks, as some network file systems: then nothing keeps
  /// others away.
  package let isHeld: Bool

  fileprivate init(_ folder: OpenFile, isHeld: Bool) {
    self.folder = folder
    self.isHeld = isHeld
  }
}

extension RunFolder {
  /// Takes the right to write in the folder, without waiting for it.
  ///
  /// Every training takes it, from the folder's creation or before it goes on, to its end.
  ///
  /// - Throws: `RigLError(.configuration)` while another training has it, of this process or another;
  ///   `RigLError(.missingFile)` if the folder cannot be opened.
  package func lock() throws(RigLError) -> RunLock {
    let folder = try naming(.missingFile, "\(path): the run's folder cannot be opened") {
      () throws(SystemError) in try OpenFile(path, .folderLock)
    }
    switch folder.tryLock() {
    case .taken: return RunLock(folder, isHeld: true)
    case .unsupported: return RunLock(folder, isHeld: false)
    case .heldByAnother:
      throw RigLError(
        .configuration, "\(path): another training is writing in this run's folder",
        hint: "Wait until it ends or stop it, or start a run of its own by --output.")
    }
  }
}
