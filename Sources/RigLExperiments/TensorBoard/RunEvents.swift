import Foundation
import RigLCore

/// A run for TensorBoard: its metrics as scalars, and what its kept checkpoints have as histograms.
package enum RunEvents {
  /// Writes an event file of a run into a folder, in which no other is: TensorBoard takes a folder for
  /// a run.
  ///
  /// - Parameters:
  ///   - run: the run's folder.
  ///   - folder: the folder to write into; it is there.
  ///   - began: seconds since 1970 at which the run began; times in the file are these and the run's own.
  /// - Returns: the path of the file.
  /// - Throws: as ``RunReader``; `RigLError(.write)`.
  @discardableResult
  package static func write(
    _ run: String, to folder: String, began: Double
  ) throws(RigLError) -> String {
    let record = try RunReader.record(run)
    let opened = try RunFolder.open(run)
    var file = EventFile(wallTime: began)
    file.text("settings", table(of: record.settings), step: 0)
    file.hyperparameters(record.settings.mapValues(setting), wallTime: began)
    var last = began
    if FileSystem.item(opened.metricsPath) == .file {
      for row in try MetricsLog.rows(at: opened.metricsPath) {
        last = began + (row.elapsedSeconds ?? 0)
        add(row, to: &file, wallTime: last)
      }
    }
    for checkpoint in try opened.checkpoints().list() {
      try add(checkpoint, to: &file, wallTime: last)
    }
    if record.state == .finished { file.end(.success, wallTime: last) }
    let path = "\(folder)/" + EventFile.name(wallTime: began, host: "rigl", suffix: record.name)
    try AtomicFile.write(file.bytes, to: path)
    return path
  }

  /// Writes a run into a folder of its name below another one, in the place of an older event file.
  ///
  /// - Returns: the error of a run that cannot be read; nil: it is written.
  /// - Throws: `RigLError(.write)`.
  package static func replace(
    _ run: String, below output: String
  ) throws(RigLError) -> RigLError? {
    let place = "\(output)/\(FileSystem.split(RunFolder.trimmed(run)).name)"
    try prepare(place)
    // When the settings were written, the run began.
    let attributes = try? FileManager.default.attributesOfItem(atPath: "\(run)/config.yaml")
    let began = (attributes?[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
    var fault: RigLError?
    do throws(RigLError) {
      try write(run, to: place, began: began)
    } catch {
      fault = error
    }
    if let fault, fault.kind == .write { throw fault }
    return fault
  }

  /// Makes the folder of a run, without an older event file.
  private static func prepare(_ place: String) throws(RigLError) {
    let files = FileManager.default
    do {
      try files.createDirectory(atPath: place, withIntermediateDirectories: true)
      let names = try files.contentsOfDirectory(atPath: place)
      for name in names.filter({ $0.hasPrefix("events.out.tfevents.") }) {
        try files.removeItem(atPath: "\(place)/\(name)")
      }
    } catch {
      throw RigLError(.write, "\(place): cannot be written: \(error.localizedDescription)")
    }
  }

  private static func table(of settings: [String: String]) -> String {
    let rows = settings.sorted { $0.key < $1.key }.map { key, value in
      "| \(key) | \(value.map { $0 == "|" ? "\\|" : String($0) }.joined()) |\n"
    }
    return "| setting | value |\n| --- | --- |\n" + rows.joined()
  }

  private static func setting(_ text: String) -> EventFile.Setting {
    switch text {
    case "true": .flag(true)
    case "false": .flag(false)
    default: Double(text).map { .number($0) } ?? .text(text)
    }
  }

  private static func add(_ row: MetricsRow, to file: inout EventFile, wallTime: Double) {
    let split = row.split.rawValue
    var values: [(String, Double?)] = [
      ("loss/\(split)", row.loss), ("accuracy/\(split)", row.accuracy),
      ("top5_accuracy/\(split)", row.top5),
    ]
    if row.split == .train {
      values += [
        ("training/learning_rate", row.learningRate),
        ("training/gradient_norm", row.gradientNorm),
        ("training/samples_per_second", row.samplesPerSecond),
      ]
    }
    if GradientFlow.splits.contains(row.split) {
      values = [("gradient_norm/\(split)", row.gradientNorm)]
    }
    if row.split == .update {
      values += [
        ("topology/connections", row.connections.map(Double.init)),
        ("topology/connections_moved", row.connectionsMoved.map(Double.init)),
        ("topology/never_active_before", row.neverActiveBefore.map(Double.init)),
        ("topology/explored_share", row.exploredShare),
        ("topology/drop_fraction", row.dropFraction),
        ("topology/live_units", row.liveUnits.map(Double.init)),
      ]
    }
    for (tag, value) in values {
      if let value { file.scalar(tag, value, step: row.step, wallTime: wallTime) }
    }
  }

  /// Adds the weights of a checkpoint's active connections, and their ages where it has them.
  private static func add(
    _ checkpoint: Checkpoint, to file: inout EventFile, wallTime: Double
  ) throws(RigLError) {
    let tensors = try SafetensorsFile(path: checkpoint.path)
    for tensor in tensors.tensors {
      let parts = tensor.name.split(separator: ".")
      guard parts.count >= 2, let kind = parts.last else { continue }
      let layer = parts.dropLast().joined(separator: ".")
      switch kind {
      case "weight":
        let weights = try tensors.float32(tensor.name).lazy.map(Double.init)
        file.histogram("weights/\(layer)", of: weights, step: checkpoint.step, wallTime: wallTime)
      case Substring(Parameter.birth):
        let name = layer.hasSuffix(".weight") ? String(layer.dropLast(7)) : layer
        let ages = try tensors.int32(tensor.name).lazy.map { Double(checkpoint.step - Int($0)) }
        file.histogram("ages/\(name)", of: ages, step: checkpoint.step, wallTime: wallTime)
      default: continue
      }
    }
  }
}
