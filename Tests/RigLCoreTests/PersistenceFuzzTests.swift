import Foundation
import RigLCore
import Testing

/// Files that were damaged in thousands of ways: a RigLError or a correct reading, nothing else.
@Suite struct SafetensorsFuzzTests {
  /// A small checksummed file with everything that a header can hold.
  private static func original() throws -> [UInt8] {
    let folder = try TemporaryFolder()
    var writer = try SafetensorsWriter(
      path: folder("x"),
      tensors: [
        .init("a", .float32, shape: [2, 2]), .init("b.c", .uint8, shape: [3]),
        .init("empty", .int64, shape: [0]), .init("scalar", .float64, shape: []),
      ], metadata: ["op": "té\"\\st", "n": "\n"], checksummed: true)
    try writer.append([Float(1), 2, 3, 4], to: "a")
    try writer.append([UInt8(1), 2, 3], to: "b.c")
    try writer.append([0.5], to: "scalar")
    try writer.finish()
    return try fileBytes(folder("x"))
  }

  /// Opens a file and reads everything; returns false where it is refused.
  private func reads(_ bytes: [UInt8]) -> Bool {
    do throws(RigLError) {
      let file = try SafetensorsFile(bytes: bytes, name: "fuzz")
      var total = 0
      for tensor in file.tensors {
        total += try file.bytes(tensor.name).count
        #expect(tensor.byteCount == tensor.shape.reduce(tensor.type.size, *))
        _ = try? file.float32(tensor.name)
      }
      #expect(total <= bytes.count, "more data than there are bytes")
      _ = try file.verifyChecksum()
      return true
    } catch {
      #expect(error.kind == .data && error.what.hasPrefix("fuzz: "), "\(error)")
      return false
    }
  }

  @Test func everyCutIsRefused() throws {
    let bytes = try Self.original()
    #expect(reads(bytes))
    for count in bytes.indices { #expect(!reads(Array(bytes[..<count])), "\(count) bytes") }
    #expect(!reads(bytes + [0]))
  }

  /// With a checksum no change of a byte goes unnoticed, wherever it is.
  @Test func everyChangeOfAByteIsRefused() throws {
    let bytes = try Self.original()
    for index in bytes.indices {
      let values =
        (0..<8).map { bytes[index] ^ (1 << $0) } + [0, 0xFF] + Array("\"\\{}[],: 9".utf8)
      for value in values where value != bytes[index] {
        var changed = bytes
        changed[index] = value
        // Only the checksum's own key may be lost: the file is then one without a checksum.
        let isRead = reads(changed)
        if isRead {
          let file = try SafetensorsFile(bytes: changed, name: "fuzz")
          #expect(file.metadata["rigl.crc32"] == nil, "byte \(index) as \(value)")
        }
      }
    }
  }

  @Test func everyByteOfTheHeaderLeftOutOrTwice() throws {
    let bytes = try Self.original()
    let end = 8 + Int(bytes[0]) + Int(bytes[1]) << 8
    for index in 0..<end {
      var (without, twice) = (bytes, bytes)
      without.remove(at: index)
      twice.insert(bytes[index], at: index)
      _ = reads(without)
      _ = reads(twice)
    }
  }

  @Test func randomDamage() throws {
    let bytes = try Self.original()
    var random = SeededGenerator(seed: 1)
    let before = currentMemoryBytes() ?? 0
    let tokens = [
      "9223372036854775807", "18446744073709551616", "-1", "0", "[", "]", "{", "}", "\"", "\\u",
      "\\ud800", ",", ":", "null", "1e9", "\"dtype\":\"F64\"", "\"shape\":[]", "__metadata__",
      "[0,0]",
      "BOOL", "\u{0}", "\u{FEFF}",
    ].map { Array($0.utf8) }
    var refused = 0
    let rounds = fuzzRounds(20_000)
    for _ in 0..<rounds {
      var changed = bytes
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let index = Int.random(in: 0..<max(1, changed.count), using: &random)
        let end = min(changed.count, index + Int.random(in: 0...12, using: &random))
        switch Int.random(in: 0..<5, using: &random) {
        case 0: changed[index] = UInt8.random(in: 0...255, using: &random)
        case 1: changed.removeSubrange(index..<end)
        case 2: changed.insert(contentsOf: changed[index..<end], at: 0 + index)
        case 3:
          changed.replaceSubrange(index..<end, with: tokens.randomElement(using: &random) ?? [])
        default: changed[min(8, changed.count - 1)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        }
        if changed.isEmpty { changed = [0] }
        if Bool.random(using: &random), changed.count > 8 {
          // A length that fits, so that the damage is not stopped by the first check.
          let shift = changed.count - bytes.count
          let length = max(0, Int(bytes[0]) + Int(bytes[1]) << 8 + shift)
          for byte in 0..<8 { changed[byte] = UInt8(truncatingIfNeeded: length >> (8 * byte)) }
        }
      }
      if !reads(changed) { refused += 1 }
    }
    #expect(4 * refused > 3 * rounds, "\(refused) of \(rounds) were refused")
    let grown = (currentMemoryBytes() ?? 0) - before
    // Other tests run beside this one; a single trusted length would be gigabytes.
    #expect(grown < 1 << 30, "\(grown) bytes more")
  }

  /// Bytes without any structure, in all small sizes.
  @Test func noise() throws {
    var random = SeededGenerator(seed: 2)
    for count in 0..<2_000 {
      var bytes = (0..<(count % 200)).map { _ in UInt8.random(in: 0...255, using: &random) }
      if bytes.count > 8 {
        bytes.replaceSubrange(0..<8, with: [UInt8(bytes.count - 8), 0, 0, 0, 0, 0, 0, 0])
        bytes[8] = UInt8(ascii: "{")
      }
      #expect(!reads(bytes))
    }
  }
}
