import Foundation
import RigLCore

/// A training in a process of its own, which stops with a checkpoint when this process is gone.
final class ChildProcess {
  private let process = Process()
  /// The child reads its end, which says only one thing: that this one is closed.
  private let tie = Pipe()
  /// The files with its standard output, a line of JSON for each epoch, and its standard error.
  private let output: String
  private let errors: String

  /// Starts a program.
  ///
  /// - Parameters:
  ///   - binary: the path of the program.
  ///   - arguments: its arguments.
  ///   - logs: the beginning of the paths of two files for its output, `.jsonl` and `.log`.
  /// - Throws: `RigLError(.write)` where a file cannot be made or the program not be started.
  init(_ binary: String, _ arguments: [String], logs: String) throws(RigLError) {
    (output, errors) = ("\(logs).jsonl", "\(logs).log")
    process.executableURL = URL(fileURLWithPath: binary)
    process.arguments = arguments
    process.standardInput = tie
    do {
      process.standardOutput = try ChildProcess.file(output)
      process.standardError = try ChildProcess.file(errors)
      try process.run()
    } catch {
      throw RigLError(.write, "\(binary): cannot be started: \(error.localizedDescription)")
    }
    try? tie.fileHandleForReading.close()
  }

  private static func file(_ path: String) throws -> FileHandle {
    try Data().write(to: URL(fileURLWithPath: path))
    return try FileHandle(forWritingTo: URL(fileURLWithPath: path))
  }

  /// Whether it has not ended yet.
  var isRunning: Bool { process.isRunning }

  /// Its exit status, once it has ended; of one that a signal ended, 128 and the signal's number.
  var status: Int32 {
    (process.terminationReason == .uncaughtSignal ? 128 : 0) + process.terminationStatus
  }

  /// Lets it stop with a checkpoint; does not wait for it.
  func stop() { try? tie.fileHandleForWriting.close() }

  /// The last whole line of its output that is an object of JSON; nil: there is none yet.
  var lastLine: Line? {
    guard let file = FileHandle(forReadingAtPath: output) else { return nil }
    defer { try? file.close() }
    let size = (try? file.seekToEnd()) ?? 0
    // A line has some 400 bytes.
    try? file.seek(toOffset: size > 8192 ? size - 8192 : 0)
    guard let data = try? file.readToEnd(), let end = data.lastIndex(of: UInt8(ascii: "\n")) else {
      return nil
    }
    let lines = data[..<end].split(separator: UInt8(ascii: "\n"))
    return lines.last.flatMap { try? JSONDecoder().decode(Line.self, from: $0) }
  }

  /// The last line of its standard error.
  var lastError: String {
    let text = (try? String(contentsOfFile: errors, encoding: .utf8)) ?? ""
    let line = text.split(separator: "\n").last { !$0.hasPrefix(" ") } ?? ""
    return String(line.hasPrefix("rigl: ") ? line.dropFirst(6) : line[...])
  }

  /// What of a line of `rigl train --json` counts here.
  struct Line: Decodable {
    let event: String
    let step: Int?
    let totalSteps: Int?
    let bestTestAccuracy: Double?
    let error: String?

    private enum CodingKeys: String, CodingKey {
      case event, step, error
      case totalSteps = "total_steps"
      case bestTestAccuracy = "best_test_accuracy"
    }
  }
}
