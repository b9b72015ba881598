/// A checkpoint's file in a run's `checkpoints/`.
package struct Checkpoint: Hashable, Sendable {
  /// The path of the file.
  package let path: String
  /// The round in its name, 0 of a training without rounds: prunings of a lottery ticket so far.
  package let round: Int
  /// The step in its name, of that round's training.
  package let step: Int
  /// What went wrong after it was written, and is no loss of it: an older one that cannot be
  /// removed, for example.
  package fileprivate(set) var warnings: [String] = []

  /// Whether a training had come less far.
  fileprivate func isBefore(_ other: Checkpoint) -> Bool {
    (round, step) < (other.round, other.step)
  }
}

/// The checkpoints of a run: `step-000001234.safetensors`, the last few of them; in the rounds of a
/// lottery ticket after the first training `round-1-step-000001234.safetensors`.
///
/// A checkpoint is written beside the older ones, and they are removed only when the disk has all of
/// it; at every moment one complete checkpoint exists.
package struct CheckpointStore: Hashable, Sendable {
  /// The path of the folder.
  package let folder: String
  /// Checkpoints that stay after one is written, itself included.
  package let keep: Int

  /// The checkpoints in a folder; two are kept, so that a damaged one is no loss of the run.
  package init(folder: String, keep: Int = 2) {
    trap(unless: keep >= 1, "CheckpointStore: \(keep) checkpoints to keep, expected 1 or more")
    self.folder = folder
    self.keep = keep
  }

  /// The path of the checkpoint of a step, in a round's training.
  package func path(round: Int = 0, step: Int) -> String {
    trap(unless: round >= 0 && step >= 0, "CheckpointStore: round \(round), step \(step)")
    let digits = String(step)
    let zeros = String(repeating: "0", count: max(0, 9 - digits.count))
    return "\(folder)/\(round == 0 ? "" : "round-\(round)-")step-\(zeros)\(digits).safetensors"
  }

  /// The checkpoints that are there, oldest first, complete or not.
  ///
  /// - Throws: `RigLError(.missingFile)` if the folder cannot be read.
  package func list() throws(RigLError) -> [Checkpoint] {
    let names = try naming(.missingFile, "\(folder): cannot be read") { () throws(SystemError) in
      try FileSystem.names(in: folder)
    }
    return names.compactMap { checkpoint(named: $0) }.sorted { $0.isBefore($1) }
  }

  /// The checkpoint of a file's name; nil: it is none's.
  private func checkpoint(named name: String) -> Checkpoint? {
    let (first, prefix, suffix) = ("round-", "step-", ".safetensors")
    var (rest, round) = (name[...], 0)
    if name.hasPrefix(first) {
      let digits = name.dropFirst(first.count).prefix { $0 != "-" }
      guard let number = Int(digits), number > 0 else { return nil }
      (rest, round) = (name.dropFirst(first.count + digits.count + 1), number)
    }
    guard rest.hasPrefix(prefix), rest.hasSuffix(suffix) else { return nil }
    let digits = rest.dropFirst(prefix.count).dropLast(suffix.count)
    // Only the name that a step has, so that no two files are of one step.
    guard let step = Int(digits), step >= 0,
      path(round: round, step: step) == "\(folder)/\(name)"
    else { return nil }
    return Checkpoint(path: "\(folder)/\(name)", round: round, step: step)
  }

  /// Writes the checkpoint of a step, then removes those before it beyond ``keep``, and later ones:
  /// they are damaged, or of a future that this run did not take.
  ///
  /// - Parameters:
  ///   - round: the round whose training the step is of.
  ///   - step: the step.
  ///   - tensors: what `body` writes, every element of it.
  ///   - metadata: strings that come back as ``SafetensorsFile/metadata``.
  ///   - body: writes the elements.
  /// - Returns: the checkpoint; once it is on the disk, what goes wrong with others is a warning.
  /// - Throws: `RigLError(.write)`; the older ones are all still there. What `body` throws.
  @discardableResult
  package func write(
    round: Int = 0, step: Int, tensors: [SafetensorsTensor], metadata: [String: String] = [:],
    _ body: (inout SafetensorsWriter) throws(RigLError) -> Void
  ) throws(RigLError) -> Checkpoint {
    var checkpoint = Checkpoint(
      path: path(round: round, step: step), round: round, step: step)
    var writer = try SafetensorsWriter(
      path: checkpoint.path, tensors: tensors, metadata: metadata, checksummed: true,
      followsLinks: false)
    try body(&writer)
    try writer.finish()
    do throws(RigLError) {
      try removeOthers(than: checkpoint)
    } catch {
      checkpoint.warnings = [error.what]
    }
    return checkpoint
  }

  private func removeOthers(than new: Checkpoint) throws(RigLError) {
    let others = try list().filter { $0.path != new.path }
    let earlier = others.filter { $0.isBefore(new) }
    var problem: RigLError?
    // Later ones first: a run must not go on from them.
    for old in others.filter({ new.isBefore($0) }) + earlier.dropLast(keep - 1) {
      do throws(RigLError) {
        try naming(.write, "\(old.path): cannot be removed") { () throws(SystemError) in
          try FileSystem.remove(file: old.path)
        }
      } catch {
        problem = problem ?? error
      }
    }
    if let problem { throw problem }
  }

  /// A checkpoint to go on from.
  package struct Latest: Sendable {
    /// Which one it is.
    package let checkpoint: Checkpoint
    /// The checkpoint's file, open and checked.
    package let file: SafetensorsFile
    /// What was wrong with newer ones, newest first; to be shown to the user.
    package let warnings: [String]
  }

  /// The newest checkpoint that is complete, or nil where there is none at all.
  ///
  /// Every byte is compared with the file's checksum. A checkpoint that is damaged or cannot be read
  /// is passed over, with a warning, for the one before it.
  ///
  /// - Parameter check: further conditions; a `RigLError(.data)` passes a checkpoint over, other
  ///   errors are thrown.
  /// - Throws: `RigLError(.data)` if there are checkpoints and all are damaged,
  ///   `RigLError(.missingFile)` if the folder, or not one of the checkpoints, can be read.
  package func latest(
    checking check: (SafetensorsFile) throws(RigLError) -> Void = { _ in }
  ) throws(RigLError) -> Latest? {
    var problems: [RigLError] = []
    var checkpoints = try list()
    while let checkpoint = checkpoints.popLast() {
      let (file, problem) = try usable(checkpoint, check)
      if let file {
        let place =
          (checkpoint.round == 0 ? "" : "round \(checkpoint.round), ")
          + "step \(checkpoint.step)"
        let warnings = problems.map { "\($0.what); going on from \(place) instead" }
        return Latest(checkpoint: checkpoint, file: file, warnings: warnings)
      }
      if let problem { problems.append(problem) }
      // Removed since it was listed, by the run itself after it wrote another: look again.
      let listed = try list()
      if !listed.contains(checkpoint) { (problems, checkpoints) = ([], listed) }
    }
    if problems.isEmpty { return nil }
    throw RigLError(
      problems.allSatisfy { $0.kind == .missingFile } ? .missingFile : .data,
      "\(folder): no checkpoint can be used: \(problems.map(\.what).joined(separator: "; "))",
      hint: "Start the run again, with another --output.")
  }

  /// Opens and checks a checkpoint; what is wrong with it, where that may not be so with others.
  private func usable(
    _ checkpoint: Checkpoint, _ check: (SafetensorsFile) throws(RigLError) -> Void
  ) throws(RigLError) -> (file: SafetensorsFile?, problem: RigLError?) {
    let file: SafetensorsFile
    do throws(RigLError) {
      file = try SafetensorsFile(path: checkpoint.path)
      guard try file.verifyChecksum() else {
        throw RigLError(.data, "\(checkpoint.path): not a checkpoint: it has no checksum")
      }
    } catch {
      return (nil, error)
    }
    do throws(RigLError) {
      try check(file)
    } catch {
      guard error.kind == .data else { throw error }
      return (nil, error)
    }
    return (file, nil)
  }
}
