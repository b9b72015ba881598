/// A run's folder: its configuration, its metrics and its checkpoints.
///
/// A folder is made once and never overwritten; a run that goes on opens it again.
public struct RunFolder: Hashable, Sendable {
  /// The path of the folder.
  public let path: String

  /// The resolved configuration, YAML.
  public var configurationPath: String { "\(path)/config.yaml" }
  /// The metrics, for ``MetricsLog``.
  public var metricsPath: String { "\(path)/metrics.csv" }
  /// The folder of the checkpoints.
  public var checkpointsPath: String { "\(path)/checkpoints" }

  private init(path: String) { self.path = path }

  /// The run's checkpoints.
  public func checkpoints(keep: Int = 2) -> CheckpointStore {
    CheckpointStore(folder: checkpointsPath, keep: keep)
  }

  // MARK: - Creating

  /// Creates a run's folder, and those above it.
  ///
  /// - Parameter configuration: what `config.yaml` says.
  /// - Throws: `RigLError(.configuration)` if anything of that name exists, an empty folder included;
  ///   `RigLError(.write)` if it cannot be created, and then nothing of it is left.
  public static func create(
    at path: String, configuration: String
  ) throws(RigLError) -> RunFolder {
    let path = trimmed(path)
    guard try makeFolder(path) else { throw exists(path) }
    return try RunFolder(path: path).filled(configuration)
  }

  /// Throws what ``create(at:configuration:)`` would, if anything of that name exists: so that one
  /// need not wait for the data to hear of it.
  public static func requireNothing(at path: String) throws(RigLError) {
    let path = trimmed(path)
    if FileSystem.item(path) != .nothing { throw exists(path) }
  }

  private static func exists(_ path: String) -> RigLError {
    RigLError(
      .configuration, "\(path): the output folder exists already",
      hint: "Go on with its run by --resume \(path), or choose another folder by --output.")
  }

  /// Creates the folder of a run that was not given one: `PARENT/NAME`, or the first of
  /// `PARENT/NAME-2`, `PARENT/NAME-3` and so on that does not exist.
  ///
  /// - Throws: `RigLError(.write)` if it cannot be created, and then nothing of it is left.
  public static func create(
    named name: String, in parent: String = "runs", configuration: String
  ) throws(RigLError) -> RunFolder {
    var (path, number) = ("\(trimmed(parent))/\(name)", 1)
    while try !makeFolder(path) {
      number += 1
      path = "\(trimmed(parent))/\(name)-\(number)"
    }
    return try RunFolder(path: path).filled(configuration)
  }

  /// Writes what a new folder holds; where that fails, removes it.
  private func filled(_ configuration: String) throws(RigLError) -> RunFolder {
    do throws(RigLError) {
      _ = try RunFolder.makeFolder(checkpointsPath)
      try AtomicFile.write(configuration, to: configurationPath)
      return self
    } catch {
      removeWhatCreationLeft()
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

  /// Makes a folder and those above it; returns false where something of its name exists.
  private static func makeFolder(_ path: String) throws(RigLError) -> Bool {
    let parent = FileSystem.split(path).folder
    // False for a parent says that another process was faster, or that a file is in the way, which
    // the next call reports.
    if FileSystem.item(parent) == .nothing { _ = try makeFolder(parent) }
    return try naming(
      .write, "\(path): the folder cannot be created", hint: "Choose another folder by --output."
    ) { () throws(SystemError) in try FileSystem.makeFolder(path) }
  }

  // MARK: - Opening

  /// Opens the folder of a run, to read it or to go on; changes nothing.
  ///
  /// - Throws: `RigLError(.missingFile)` if it is not there or not a run's.
  public static func open(_ path: String) throws(RigLError) -> RunFolder {
    let run = RunFolder(path: trimmed(path))
    guard FileSystem.item(run.path) == .folder else {
      throw RigLError(.missingFile, "\(run.path): there is no such folder")
    }
    guard FileSystem.item(run.configurationPath) == .file else {
      throw RigLError(
        .missingFile, "\(run.path): not the folder of a run: it has no config.yaml",
        hint: "Give the folder that holds config.yaml and checkpoints/.")
    }
    return run
  }

  /// The text of `config.yaml`.
  ///
  /// - Throws: `RigLError(.missingFile)` if it cannot be read, `RigLError(.data)` if it is not UTF-8.
  public func configuration() throws(RigLError) -> String {
    try text(of: configurationPath)
  }

  /// Removes what a killed process of this run has left half-written; call it before going on.
  ///
  /// - Returns: the names of what was removed, sorted.
  /// - Throws: `RigLError(.missingFile)` if the folder cannot be read.
  @discardableResult
  public func removeStaleTemporaries() throws(RigLError) -> [String] {
    var removed = try AtomicFile.removeStaleTemporaries(in: path)
    if FileSystem.item(checkpointsPath) == .folder {
      removed += try AtomicFile.removeStaleTemporaries(in: checkpointsPath)
    }
    return removed
  }

  /// A path without slashes at its end.
  private static func trimmed(_ path: String) -> String {
    var path = path[...]
    while path.utf8.count > 1, path.utf8.last == UInt8(ascii: "/") { path = path.dropLast() }
    return String(path)
  }
}

/// The text of a file of this library, which is small: of fewer than `limit` bytes.
func text(of path: String, limit: Int = 1 << 30) throws(RigLError) -> String {
  let bytes = try naming(.missingFile, "\(path): cannot be read") { () throws(SystemError) in
    try FileSystem.contents(of: path, limit: limit)
  }
  guard bytes.count < limit, let text = String(validating: bytes, as: UTF8.self) else {
    throw RigLError(.data, "\(path): not a text in UTF-8, or too large")
  }
  return text
}
