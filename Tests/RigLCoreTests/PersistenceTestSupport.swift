import Foundation
import RigLCore

/// A folder of a test's own, removed with the value.
final class TemporaryFolder: Sendable {
  let path: String

  init() throws {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent(
      "rigl-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    path = url.path
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// The path of something in the folder.
  func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }

  /// The names in the folder, hidden ones included.
  func names() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: path).sorted()
  }
}

/// The golden fixtures: those of `Tests/Golden`, or of the folder that RIGL_GOLDEN names.
enum GoldenFolder {
  static let path: String =
    ProcessInfo.processInfo.environment["RIGL_GOLDEN"]
    ?? URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Golden").path

  /// Every safetensors file in it, sorted.
  static func files() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: path)
      .filter { $0.hasSuffix(".safetensors") }.sorted().map { "\(path)/\($0)" }
  }
}

/// Random numbers that are the same in every run (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}

func fileBytes(_ path: String) throws -> [UInt8] {
  [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
}

func writeFile(_ bytes: [UInt8], to path: String) throws {
  try Data(bytes).write(to: URL(fileURLWithPath: path))
}

func writeFile(_ text: String, to path: String) throws {
  try writeFile(Array(text.utf8), to: path)
}

/// A safetensors file in memory: a header and data.
func safetensors(_ header: String, data: [UInt8] = []) -> [UInt8] {
  let text = Array(header.utf8)
  return (0..<8).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) } + text + data
}

/// Rounds of random damage: a tenth of them where `scripts/test` says that a sanitizer is at work,
/// under which a round takes many times as long.
func fuzzRounds(_ count: Int) -> Int {
  ProcessInfo.processInfo.environment["RIGL_SANITIZED"] == nil ? count : count / 10
}

/// Writes a file again with other metadata and the same tensors, as another version would have.
func changeMetadata(of file: SafetensorsFile, _ change: (inout [String: String]) -> Void) throws {
  var metadata = file.metadata
  change(&metadata)
  metadata["rigl.crc32"] = nil
  var writer = try SafetensorsWriter(
    path: file.path, tensors: file.tensors, metadata: metadata, checksummed: true)
  for tensor in file.tensors {
    let bytes = try file.bytes(tensor.name)
    try unsafe writer.append(bytes: bytes.span.bytes, to: tensor.name)
  }
  try writer.finish()
}
