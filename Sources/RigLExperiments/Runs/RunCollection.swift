import RigLCore

/// The runs that a command is given: each path a run's folder, a sweep's, a folder of either, or a
/// table of runs.
package enum RunCollection {
  /// A path that could not be read.
  package struct Fault: Sendable {
    package let path: String
    package let error: RigLError
  }

  /// Reads runs; of two with the same settings, the later one takes the place of the earlier.
  ///
  /// - Parameters:
  ///   - paths: where they are.
  ///   - hasHistory: whether what happened in them is asked for.
  /// - Returns: the runs, and those of folders that could not be read.
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
    return (runs, faults)
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
      runs += try SweepFolder(path: path).records(hasHistory: hasHistory)
    case .folder:
      for name in try folderNames(at: path) {
        let folder = "\(path)/\(name)"
        if FileSystem.item("\(folder)/config.yaml") == .file {
          addRun(folder, hasHistory, &runs, &faults)
        } else if FileSystem.item("\(folder)/results.csv") == .file {
          runs += try SweepFolder(path: folder).records(hasHistory: hasHistory)
        }
      }
    default:
      throw RigLError(.missingFile, "\(path): there is no such run, folder or table")
    }
  }

  private static func addRun(
    _ path: String, _ hasHistory: Bool, _ runs: inout [RunRecord], _ faults: inout [Fault]
  ) {
    do throws(RigLError) {
      runs.append(try RunReader.record(path, hasHistory: hasHistory))
    } catch {
      faults.append(Fault(path: path, error: error))
    }
  }
}
