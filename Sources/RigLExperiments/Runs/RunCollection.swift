import RigLCore

/// The runs that a command is given: each path a run's folder, a sweep's, a folder of either, or a
/// table of runs.
package enum RunCollection {
  /// Something that could not be read.
  package struct Fault: Sendable {
    /// What is not known for it.
    package enum Loss: Sendable {
      /// The run.
      case run
      /// What happened in it: its figures are known.
      case history
      /// The losses between two runs, which the file has.
      case landscape
    }

    /// The path of the run's folder, or of the file.
    package let path: String
    package let loss: Loss
    package let error: RigLError

    /// The fault in a line.
    package var sentence: String {
      switch loss {
      case .run, .landscape: "\(path) is left out: \(error.what)"
      case .history: "what happened in \(path) is left out: \(error.what)"
      }
    }
  }

  /// Reads runs.
  ///
  /// - Parameters:
  ///   - paths: where they are.
  ///   - hasHistory: whether what happened in them is asked for; what only networks say, of one run of
  ///     each group.
  /// - Returns: the runs, and what cannot be read.
  /// - Throws: `RigLError(.missingFile)` where a path has no run.
  package static func read(
    _ paths: [String], hasHistory: Bool = false
  ) throws(RigLError) -> (runs: [RunRecord], faults: [Fault]) {
    var (runs, faults): ([RunRecord], [Fault]) = ([], [])
    for path in paths {
      let before = runs.count + faults.count
      try add(path, hasHistory, &runs, &faults)
      guard runs.count + faults.count > before else {
        throw RigLError(
          .missingFile, "\(path): there is no run",
          hint: "Give run folders, the folder of a sweep, or its results.csv.")
      }
    }
    if hasHistory { addNetworks(to: &runs, &faults) }
    return (runs, faults)
  }

  /// Opens the network of the first run of each group, where none is known yet: opening all of them takes
  /// many seconds.
  private static func addNetworks(to runs: inout [RunRecord], _ faults: inout [Fault]) {
    for group in Grouping(runs).groups {
      let members = group.runs + group.others
      guard members.allSatisfy({ $0.history?.layers.isEmpty ?? true }) else { continue }
      for member in members {
        guard let folder = member.folder, var history = member.history,
          let index = runs.firstIndex(where: { $0.folder == folder && $0.name == member.name })
        else { continue }
        noting(.history, of: folder, in: &faults) { () throws(RigLError) in
          try RunReader.addNetwork(of: folder, to: &history)
        }
        runs[index].history = history
        if !history.layers.isEmpty { break }
      }
    }
  }

  /// Does what may fail for one run, which is then no failure of all.
  static func noting(
    _ loss: Fault.Loss, of path: String, in faults: inout [Fault],
    _ body: () throws(RigLError) -> Void
  ) {
    do throws(RigLError) {
      try body()
    } catch {
      faults.append(Fault(path: path, loss: loss, error: error))
    }
  }

  /// The folders of the runs at a path: a run's, a sweep's, or a folder of either.
  ///
  /// - Throws: `RigLError(.missingFile)` where there is none.
  package static func folders(_ path: String) throws(RigLError) -> [String] {
    func isRun(_ folder: String) -> Bool { FileSystem.item("\(folder)/config.yaml") == .file }
    if isRun(path) { return [path] }
    var folders: [String] = []
    if FileSystem.item(path) == .folder {
      let place = FileSystem.item("\(path)/runs") == .folder ? "\(path)/runs" : path
      for name in try folderNames(at: place) where isRun("\(place)/\(name)") {
        folders.append("\(place)/\(name)")
      }
    }
    guard folders.isEmpty else { return folders }
    throw RigLError(
      .missingFile, "\(path): there is no run", hint: "Give run folders, or the folder of a sweep.")
  }

  private static func add(
    _ path: String, _ hasHistory: Bool, _ runs: inout [RunRecord], _ faults: inout [Fault]
  ) throws(RigLError) {
    switch FileSystem.item(path) {
    case .file: runs += try RunTable(path: path).records
    case .folder where FileSystem.item("\(path)/config.yaml") == .file:
      addRun(path, hasHistory, &runs, &faults)
    case .folder where SweepFolder.isOne(at: path):
      try addSweep(path, hasHistory, &runs, &faults)
    case .folder:
      for name in try folderNames(at: path) {
        let folder = "\(path)/\(name)"
        if FileSystem.item("\(folder)/config.yaml") == .file {
          addRun(folder, hasHistory, &runs, &faults)
        } else if FileSystem.item("\(folder)/results.csv") == .file {
          try addSweep(folder, hasHistory, &runs, &faults)
        }
      }
    default:
      throw RigLError(.missingFile, "\(path): there is no such run, folder or table")
    }
  }

  private static func addRun(
    _ path: String, _ hasHistory: Bool, _ runs: inout [RunRecord], _ faults: inout [Fault]
  ) {
    noting(.run, of: path, in: &faults) { () throws(RigLError) in
      runs.append(try RunReader.record(path, hasHistory: hasHistory))
    }
  }

  private static func addSweep(
    _ path: String, _ hasHistory: Bool, _ runs: inout [RunRecord], _ faults: inout [Fault]
  ) throws(RigLError) {
    let more = try SweepFolder(path: path).records(hasHistory: hasHistory)
    runs += more.runs
    faults += more.faults
  }
}
