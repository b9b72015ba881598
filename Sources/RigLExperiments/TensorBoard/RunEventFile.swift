import Foundation
import RigLCore

/// The event file of a run, in the run's folder or another one, in which no other may be: TensorBoard takes
/// a folder for a run.
package enum RunEventFile {
  private static let host = "rigl"

  /// The file that a run keeps in its own folder; nil: it keeps none.
  static func path(of run: RunFolder) throws(RigLError) -> String? {
    try folderNames(at: run.path)
      .first { $0.hasPrefix(RunFolder.eventFilePrefix) && $0.contains(".\(host).") }
      .map { "\(run.path)/\($0)" }
  }

  /// The path of a run's file in a folder.
  ///
  /// - Parameter began: seconds since 1970 at which the run began.
  static func path(in folder: String, began: Double, run: String) -> String {
    "\(folder)/" + EventFile.name(wallTime: began, host: host, suffix: run)
  }

  /// The bytes of a file.
  static func contents(_ path: String) throws(RigLError) -> [UInt8] {
    try naming(.missingFile, "\(path): cannot be read") { () throws(SystemError) in
      try FileSystem.contents(of: path, limit: 1 << 30)
    }
  }

  /// Writes a run into a folder of its name below another one, in the place of an older event file. What
  /// the run has kept itself, of checkpoints that are gone, is in it, too.
  ///
  /// - Returns: the error of a run that cannot be read; nil: it is written.
  /// - Throws: `RigLError(.write)`.
  package static func replace(
    _ run: String, below output: String
  ) throws(RigLError) -> RigLError? {
    let written: (bytes: [UInt8], began: Double, name: String)
    do throws(RigLError) {
      written = try bytes(of: run)
    } catch {
      return error
    }
    let place = "\(output)/\(written.name)"
    try prepare(place)
    try AtomicFile.write(
      written.bytes, to: path(in: place, began: written.began, run: written.name))
    return nil
  }

  private static func bytes(
    of path: String
  ) throws(RigLError) -> (bytes: [UInt8], began: Double, name: String) {
    let record = try RunReader.record(path)
    let run = try RunFolder.open(path)
    let rows =
      FileSystem.item(run.metricsPath) == .file ? try MetricsLog.rows(at: run.metricsPath) : []
    let checkpoints = try run.checkpoints().list()
    let own = try self.path(of: run).map { (path) throws(RigLError) in try contents(path) } ?? []
    // When the settings were written, the run began.
    let attributes = try? FileManager.default.attributesOfItem(atPath: run.configurationPath)
    let began = (attributes?[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
    var (kept, events) = try RunEvents.continuing(
      own, settings: record.settings, rows: rows, checkpoints: checkpoints,
      upTo: checkpoints.last.map(RunEvents.Place.init), began: began)
    if record.state == .finished { events.end() }
    return (own[..<kept] + events.takeBytes(), events.began, record.name)
  }

  /// Makes the folder of a run, without an older event file.
  private static func prepare(_ place: String) throws(RigLError) {
    let files = FileManager.default
    do {
      try files.createDirectory(atPath: place, withIntermediateDirectories: true)
      let names = try files.contentsOfDirectory(atPath: place)
      for name in names.filter({ $0.hasPrefix(RunFolder.eventFilePrefix) }) {
        try files.removeItem(atPath: "\(place)/\(name)")
      }
    } catch {
      throw RigLError(.write, "\(place): cannot be written: \(error.localizedDescription)")
    }
  }
}

/// Keeps the event file of a run while it trains: records are appended as rows and checkpoints come. Of a
/// run that goes on, those behind its checkpoint are cut off first, and a last one that is torn.
package final class EventFollower: RunFollower {
  private var events: RunEvents?
  private var file: (open: OpenFile, path: String, size: Int)?

  package init() {}

  package func begin(
    _ trainer: Trainer, in run: RunFolder, from checkpoint: Checkpoint?
  ) throws(RigLError) {
    let rows = try MetricsLog.rows(at: run.metricsPath)
    let known = try RunEventFile.path(of: run)
    let bytes = try known.map { (path) throws(RigLError) in try RunEventFile.contents(path) } ?? []
    let now = Date().timeIntervalSince1970 - (rows.last?.elapsedSeconds ?? 0)
    let continued = try RunEvents.continuing(
      bytes, settings: try RunSettings.texts(trainer.configuration, trainer.options), rows: rows,
      checkpoints: [checkpoint].compactMap(\.self), upTo: checkpoint.map(RunEvents.Place.init),
      began: min(max(now, 0), 9e9))
    var (kept, events) = continued
    let path =
      known
      ?? RunEventFile.path(
        in: run.path, began: events.began, run: FileSystem.split(run.path).name)
    if kept == 0 { try AtomicFile.write(events.takeBytes(), to: path, followsLinks: false) }
    file = try naming(.write, "\(path): cannot be written") { () throws(SystemError) in
      let open = try OpenFile(path, .append)
      if kept > 0 { try open.truncate(to: kept) }
      return (open, path, try open.size() ?? 0)
    }
    self.events = events
    try flush()
  }

  package func follow(_ row: MetricsRow) throws(RigLError) {
    events?.add(row)
    try flush()
  }

  package func follow(_ checkpoint: Checkpoint) throws(RigLError) {
    try events?.add(checkpoint)
    try flush()
    try synchronize()
  }

  package func end() throws(RigLError) {
    events?.end()
    try flush()
    try synchronize()
  }

  /// Appends what has come.
  private func flush() throws(RigLError) {
    guard let bytes = events?.takeBytes(), !bytes.isEmpty, let file else { return }
    do throws(SystemError) {
      try file.open.append(unsafe bytes.span.bytes)
    } catch {
      try? file.open.truncate(to: file.size)
      throw RigLError(
        .write, "\(file.path): cannot be written: \(error.text)",
        hint: "Free some space, and go on with the run by --resume.")
    }
    self.file?.size += bytes.count
  }

  private func synchronize() throws(RigLError) {
    guard let file else { return }
    try naming(.write, "\(file.path): cannot be written") { () throws(SystemError) in
      try file.open.synchronize()
    }
  }
}
