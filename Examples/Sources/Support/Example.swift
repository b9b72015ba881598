// What the examples have in common: a folder for their files, checks, and the status they end with.
import Foundation
import RigLCore

/// Runs an example, and ends the program: with status 0, or 1 and a line if a check or a file fails.
///
/// Its files go to the folder that the first argument names, or to a temporary one that is removed.
package func runExample(_ body: (Scratch) throws -> Void) -> Never {
  let name = (CommandLine.arguments[0] as NSString).lastPathComponent
  let given = CommandLine.arguments.dropFirst().first
  let path =
    given
    ?? FileManager.default.temporaryDirectory.path
    + "/\(name)-\(ProcessInfo.processInfo.processIdentifier)"
  var status: Int32 = 0
  do {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try body(Scratch(path: path))
  } catch {
    print("\(name): \(error)")
    status = 1
  }
  if given == nil { try? FileManager.default.removeItem(atPath: path) }
  exit(status)
}

/// The folder of an example's files.
package struct Scratch {
  /// Its path.
  package let path: String

  /// The path of a file or folder in it, of which nothing is left from an earlier run.
  package func fresh(_ name: String) throws -> String {
    let item = "\(path)/\(name)"
    if FileManager.default.fileExists(atPath: item) {
      try FileManager.default.removeItem(atPath: item)
    }
    return item
  }

  /// Options of a run whose folder is in it, on two threads.
  package func options(_ name: String) throws -> RunOptions {
    var options = RunOptions()
    options.output = try fresh(name)
    options.threads = 2
    return options
  }
}

/// What an example expects and does not find.
struct Unexpected: Error, CustomStringConvertible {
  let description: String
}

/// Ends the example with status 1 unless `holds`.
package func check(_ holds: Bool, _ what: String) throws {
  guard holds else { throw Unexpected(description: what) }
}

/// A number as text, with some digits after the point.
package func text(_ value: Double, digits: Int = 3) -> String {
  String(format: "%.\(digits)f", value)
}

/// Random numbers that are the same in every run (splitmix64).
package struct Numbers: RandomNumberGenerator {
  private var state: UInt64

  /// Numbers of a seed.
  package init(seed: Int) { state = UInt64(truncatingIfNeeded: seed) }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var bits = state
    bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
    bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
    return bits ^ (bits >> 31)
  }

  /// A number from -1 to 1, mostly near 0: the sum of three, each uniform.
  package mutating func noise() -> Float {
    (0..<3).reduce(0) { sum, _ in sum + Float.random(in: -1..<1, using: &self) } / 3
  }
}
