import Foundation
import Testing

/// Runs the `rigl` command as a user would.
///
/// The binary is the one that RIGL_BINARY names, or the one that was built with the tests.
enum Rigl {
  /// What a command has left behind.
  struct Outcome {
    let status: Int32
    /// Whether a signal, a trap for example, ended the process.
    let hasCrashed: Bool
    let output: String
    let errors: String

    /// The lines of the output as JSON objects.
    func objects() throws -> [[String: Any]] {
      try output.split(separator: "\n").map { line in
        let json = try JSONSerialization.jsonObject(with: Data(line.utf8))
        return try #require(json as? [String: Any], "not a JSON object: \(line)")
      }
    }

    /// The output as a JSON object.
    func object() throws -> [String: Any] {
      let json = try JSONSerialization.jsonObject(with: Data(output.utf8))
      return try #require(json as? [String: Any], "not a JSON object: \(output)")
    }
  }

  static let binary: String = {
    ProcessInfo.processInfo.environment["RIGL_BINARY"] ?? builtBinary
  }()

  /// The binary that was built with the tests.
  static let builtBinary: String = {
    let bundles = Bundle.allBundles.map(\.bundleURL).filter { $0.pathExtension == "xctest" }
    let places = bundles + [URL(fileURLWithPath: CommandLine.arguments[0]), Bundle.main.bundleURL]
    let candidates = places.flatMap { place in
      [place.deletingLastPathComponent().path + "/rigl", place.path + "/rigl"]
    }
    return candidates.first { FileManager.default.isExecutableFile(atPath: $0) }
      ?? "rigl: not found beside the tests; build it, or name it by RIGL_BINARY"
  }()

  /// Runs a command to its end.
  static func run(
    _ arguments: String..., input: String? = nil, environment: [String: String] = [:]
  ) throws -> Outcome {
    try run(arguments, input: input, environment: environment)
  }

  /// Runs a command to its end.
  static func run(
    _ arguments: [String], input: String? = nil, environment: [String: String] = [:]
  ) throws -> Outcome {
    let command = try RunningCommand(arguments, input: input, environment: environment)
    return try command.wait()
  }

  /// An environment that does not depend on where the tests run.
  static func environment(_ changes: [String: String]) -> [String: String] {
    var environment = ProcessInfo.processInfo.environment
    for name in ["COLUMNS", "LINES", "NO_COLOR"] { environment[name] = nil }
    environment["TERM"] = "xterm"
    environment["LC_ALL"] = "C.UTF-8"
    return environment.merging(changes) { $1 }
  }
}

/// A command that is running; its output goes to files, which never make it wait.
final class RunningCommand {
  private let process = Process()
  private let folder: TemporaryFolder

  init(
    _ arguments: [String], executable: String = Rigl.binary, input: String? = nil,
    environment: [String: String] = [:], output: FileHandle? = nil, errors: FileHandle? = nil
  ) throws {
    folder = try TemporaryFolder()
    process.executableURL = URL(fileURLWithPath: executable)
    process.arguments = arguments
    process.environment = Rigl.environment(environment)
    try Data((input ?? "").utf8).write(to: URL(fileURLWithPath: folder("in")))
    process.standardInput = FileHandle(forReadingAtPath: folder("in"))
    for name in ["out", "err"] {
      try folder.write("", to: name)
    }
    process.standardOutput = output ?? FileHandle(forWritingAtPath: folder("out"))
    process.standardError = errors ?? FileHandle(forWritingAtPath: folder("err"))
    try process.run()
  }

  deinit { if process.isRunning { send(SIGKILL) } }

  var isRunning: Bool { process.isRunning }

  /// What has been printed so far.
  var output: String { (try? String(contentsOfFile: folder("out"), encoding: .utf8)) ?? "" }

  /// Waits until something has been printed; at most a minute.
  func waitForOutput(_ text: String) throws {
    let end = Date().addingTimeInterval(60)
    while !output.contains(text) {
      try #require(Date() < end && process.isRunning, "'\(text)' never came: \(output)")
      usleep(2000)
    }
  }

  /// Sends a signal.
  func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

  /// Waits for the end; a command that takes longer is stopped.
  func wait(seconds: Double = 120) throws -> Rigl.Outcome {
    let end = Date().addingTimeInterval(seconds)
    while process.isRunning, Date() < end { usleep(2000) }
    if process.isRunning {
      send(SIGKILL)
      Issue.record("took too long: \(process.arguments ?? [])")
    }
    process.waitUntilExit()
    return Rigl.Outcome(
      status: process.terminationStatus, hasCrashed: process.terminationReason != .exit,
      output: output, errors: try String(contentsOfFile: folder("err"), encoding: .utf8))
  }
}

/// A folder of a test's own, removed with the value.
final class TemporaryFolder: Sendable {
  let path: String

  init() throws {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent(
      "rigl-cli-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    path = url.path
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// The path of something in the folder.
  func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }

  /// The names in a folder below, hidden ones included.
  func names(in name: String = ".") throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: self(name)).sorted()
  }

  /// Writes a text.
  func write(_ text: String, to name: String) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: self(name)))
  }

  func bytes(of name: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: self(name)))
  }
}
