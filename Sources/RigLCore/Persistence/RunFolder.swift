/// A run's folder: its configuration, its metrics and its checkpoints.
///
/// A folder is made once and never overwritten; a run that goes on opens it again.
public struct RunFolder: Hashable, Sendable {
  /// The path of the folder.
  public let path: String

  /// The resolved configuration, YAML.
  package var configurationPath: String { "\(path)/config.yaml" }
  /// The metrics, for ``MetricsLog``.
  package var metricsPath: String { "\(path)/metrics.csv" }
  /// The beginning of the names of event files for TensorBoard.
  package static let eventFilePrefix = "events.out.tfevents."
  /// The folder of the checkpoints.
  package var checkpointsPath: String { "\(path)/checkpoints" }

  init(path: String) { self.path = path }

  /// The run's checkpoints.
  package func checkpoints(keep: Int = 2) -> CheckpointStore {
    CheckpointStore(folder: checkpointsPath, keep: keep)
  }

  /// Whether the run has a checkpoint, whole or not: what it started from is then not needed.
  package var hasCheckpoint: Bool {
    get throws(RigLError) { try !checkpoints().list().isEmpty }
  }

  // MARK: - Opening

  /// Opens the folder of a run, to read it or to go on; changes nothing.
  ///
  /// - Throws: `RigLError(.missingFile)` if it is not there or not a run's.
  package static func open(_ path: String) throws(RigLError) -> RunFolder {
    let run = RunFolder(path: trimmed(path))
    guard FileSystem.item(run.path) == .folder else {
      let isFile = FileSystem.item(run.path) == .file
      throw RigLError(
        .missingFile,
        "\(run.path): \(isFile ? "a file, not the folder of a run" : "there is no such folder")",
        hint: isFile && run.path.hasSuffix(".safetensors")
          ? "rigl import makes a run of a safetensors file." : nil)
    }
    guard FileSystem.item(run.configurationPath) == .file else {
      throw RigLError(
        .missingFile, "\(run.path): not the folder of a run: it has no config.yaml",
        hint: "Give the folder that holds config.yaml and checkpoints/.")
    }
    return run
  }

  /// Whether the folder at a path is a run's.
  static func isOne(at path: String) -> Bool {
    FileSystem.item(RunFolder(path: path).configurationPath) == .file
  }

  /// Whether a file, that exists or not, is one that a run itself reads and writes, by whatever name
  /// or link.
  package static func owns(_ path: String) -> Bool {
    let (folder, name) = FileSystem.split(FileSystem.real(path))
    let place = FileSystem.real(folder)
    if isOne(at: place), let names = try? FileSystem.names(in: place) {
      let own =
        ["config.yaml"]
        + names.filter { $0.hasPrefix("metrics") || $0.hasPrefix(eventFilePrefix) }
      if ["metrics.csv", "metrics-sums.json"].contains(name) || name.hasPrefix("metrics.csv.") {
        return true
      }
      if own.contains(where: { $0 == name || FileSystem.isSame("\(place)/\($0)", path) }) {
        return true
      }
    }
    let above = FileSystem.split(place)
    return above.name == "checkpoints" && isOne(at: above.folder)
  }

  /// The text of `config.yaml`.
  ///
  /// - Throws: `RigLError(.missingFile)` if it cannot be read, `RigLError(.data)` if it is not UTF-8.
  package func configuration() throws(RigLError) -> String {
    try text(of: configurationPath)
  }

  /// Removes what a killed process of this run has left half-written; call it before going on.
  ///
  /// - Returns: the names of what was removed, sorted.
  /// - Throws: `RigLError(.missingFile)` if the folder cannot be read.
  @discardableResult
  package func removeStaleTemporaries() throws(RigLError) -> [String] {
    var removed = try AtomicFile.removeStaleTemporaries(in: path)
    if FileSystem.item(checkpointsPath) == .folder {
      removed += try AtomicFile.removeStaleTemporaries(in: checkpointsPath)
    }
    return removed
  }

  /// A path without slashes at its end.
  package static func trimmed(_ path: String) -> String {
    var path = path[...]
    while path.utf8.count > 1, path.utf8.last == UInt8(ascii: "/") { path = path.dropLast() }
    return String(path)
  }
}

/// The text of a file of this library, which is small: of fewer than `limit` bytes.
package func text(of path: String, limit: Int = 1 << 30) throws(RigLError) -> String {
  let bytes = try naming(.missingFile, "\(path): cannot be read") { () throws(SystemError) in
    try FileSystem.contents(of: path, limit: limit)
  }
  guard bytes.count < limit, let text = String(validating: bytes, as: UTF8.self) else {
    throw RigLError(.data, "\(path): not a text in UTF-8, or too large")
  }
  return text
}

extension RunFolder {
  /// The weights that were best on the validation samples.
  var bestPath: String { "\(checkpointsPath)/best.safetensors" }

  /// What a lottery ticket's rounds go back to: the first training at the rewinding step.
  var rewindPath: String { "\(checkpointsPath)/rewind.safetensors" }

  /// What a lottery ticket's rounds go back to, compared with its checksum.
  ///
  /// - Parameter step: the step that it must be of.
  /// - Throws: `RigLError(.missingFile)` or `.data`.
  func rewindPoint(of step: Int) throws(RigLError) -> (file: SafetensorsFile, state: TrainingState)
  {
    let hint = "The run cannot prune again without it: start it again, with another --output."
    do throws(RigLError) {
      let file = try SafetensorsFile(path: rewindPath)
      guard try file.verifyChecksum() else {
        throw RigLError(.data, "\(rewindPath): damaged: it has no checksum")
      }
      let state = try TrainingState.decode(file.metadata["state"], path: rewindPath)
      guard state.weightSteps == step, state.round == 0 else {
        throw RigLError(
          .data,
          "\(rewindPath): is of step \(state.weightSteps), round \(state.round ?? 0), expected step "
            + "\(step), round 0")
      }
      return (file, state)
    } catch {
      throw RigLError(error.kind, error.what, hint: hint)
    }
  }

  /// The best weights, compared with their checksum.
  ///
  /// - Parameter step: the step that they must be of; nil: any.
  /// - Throws: `RigLError(.missingFile)` or `.data`.
  func bestWeights(of step: Int? = nil) throws(RigLError) -> SafetensorsFile {
    let file = try SafetensorsFile(path: bestPath)
    guard try file.verifyChecksum() else {
      throw RigLError(.data, "\(bestPath): damaged: it has no checksum")
    }
    let state = try TrainingState.decode(file.metadata["state"], path: bestPath)
    if let step, state.weightSteps != step {
      throw RigLError(.data, "\(bestPath): is of step \(state.weightSteps), expected \(step)")
    }
    return file
  }
}
