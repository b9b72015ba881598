import Foundation
import RigLCore

/// The folder of a sweep: `results.csv` with the finished runs, `failures.csv`, the runs' folders below
/// `runs`, and what their processes print below `logs`.
package struct SweepFolder {
  /// The path of the folder.
  package let path: String
  /// The finished runs.
  package var resultsPath: String { "\(path)/results.csv" }
  /// The runs that failed.
  package var failuresPath: String { "\(path)/failures.csv" }

  /// Whether a folder is a sweep's.
  package static func isOne(at path: String) -> Bool {
    FileSystem.item("\(path)/results.csv") == .file || FileSystem.item("\(path)/runs") == .folder
  }

  package init(path: String) { self.path = path }

  func run(_ name: String) -> String { "\(path)/runs/\(name)" }
  func logs(_ name: String) -> String { "\(path)/logs/\(name)" }

  /// Makes the folders that are not there, and takes the right to write in them, which ends with what
  /// is returned.
  ///
  /// - Throws: `RigLError(.configuration)` while another sweep has it; `.write` where a folder cannot be
  ///   made.
  func lock() throws(RigLError) -> OpenFile {
    for folder in [path, "\(path)/runs", "\(path)/logs"] {
      do {
        try FileManager.default.createDirectory(
          atPath: folder, withIntermediateDirectories: true)
      } catch {
        throw RigLError(.write, "\(folder): cannot be made: \(error.localizedDescription)")
      }
    }
    let folder = try naming(.missingFile, "\(path): cannot be opened") { () throws(SystemError) in
      try OpenFile(path, .folderLock)
    }
    guard folder.tryLock() != .heldByAnother else {
      throw RigLError(
        .configuration, "\(path): another sweep is writing in this folder",
        hint: "Wait until it ends or stop it, or choose another folder by --output.")
    }
    return folder
  }

  /// All runs of the folder: those of the table, those that failed, and those that are not finished.
  ///
  /// - Parameter hasHistory: whether what happened in them is read, too.
  /// - Returns: the runs, and what of their folders cannot be read.
  /// - Throws: `RigLError` where the table or the list of failures is damaged.
  package func records(
    hasHistory: Bool = false
  ) throws(RigLError) -> (runs: [RunRecord], faults: [RunCollection.Fault]) {
    var (records, faults) = (try RunTable(path: resultsPath).records, [RunCollection.Fault]())
    for index in records.indices where isRun(records[index].name) {
      let folder = run(records[index].name)
      records[index].folder = folder
      guard hasHistory else { continue }
      RunCollection.noting(.history, of: folder, in: &faults) { () throws(RigLError) in
        records[index].history = try RunReader.history(folder)
      }
    }
    let failures = try SweepFailures(path: failuresPath)
    let known = Set(records.map(\.name))
    guard FileSystem.item("\(path)/runs") == .folder else { return (records, faults) }
    for name in try folderNames(at: "\(path)/runs") where !known.contains(name) && isRun(name) {
      RunCollection.noting(.run, of: run(name), in: &faults) { () throws(RigLError) in
        var record = try RunReader.record(run(name), hasHistory: hasHistory)
        if let failure = failures[name] { record.state = .failed(failure.error) }
        records.append(record)
      }
    }
    return (records.sorted { $0.name < $1.name }, faults)
  }

  /// Whether the folder of a run is there.
  private func isRun(_ name: String) -> Bool {
    FileSystem.item("\(run(name))/config.yaml") == .file
  }
}
