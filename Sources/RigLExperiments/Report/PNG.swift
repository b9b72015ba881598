import RigLCore

import Foundation

/// A small picture of few colours as a PNG file, not compressed: it is the same on every machine.
package struct PNG: Sendable {
  /// The bytes of the file.
  package let bytes: [UInt8]

  /// A picture.
  ///
  /// - Parameters:
  ///   - levels: the colour of each pixel, by row, as an index of the palette.
  ///   - width: the pixels of a row.
  ///   - palette: 256 colours at most.
  package init(levels: [UInt8], width: Int, palette: [(red: UInt8, green: UInt8, blue: UInt8)]) {
    trap(
      unless: width > 0 && !levels.isEmpty && levels.count.isMultiple(of: width),
      "a picture of \(levels.count) pixels in rows of \(width)")
    let height = levels.count / width
    var bytes: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
    // 8 bits, of a palette; standard compression and filters; not interlaced.
    Self.append(
      "IHDR", Self.bigEndian(UInt32(width)) + Self.bigEndian(UInt32(height)) + [8, 3, 0, 0, 0],
      to: &bytes)
    Self.append("PLTE", palette.flatMap { [$0.red, $0.green, $0.blue] }, to: &bytes)
    // Each row begins with its filter: none.
    let rows = (0..<height).flatMap { [0] + levels[$0 * width..<($0 + 1) * width] }
    Self.append("IDAT", Self.stored(rows), to: &bytes)
    Self.append("IEND", [], to: &bytes)
    self.bytes = bytes
  }

  /// The file as text.
  package var base64: String { Data(bytes).base64EncodedString() }

  private static func append(_ type: String, _ data: [UInt8], to bytes: inout [UInt8]) {
    let body = Array(type.utf8) + data
    bytes += bigEndian(UInt32(data.count)) + body + bigEndian(checksum(body))
  }

  private static func bigEndian(_ value: UInt32) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
  }

  /// A zlib stream of stored blocks.
  private static func stored(_ data: [UInt8]) -> [UInt8] {
    var stream: [UInt8] = [0x78, 0x01]
    for start in stride(from: 0, to: data.count, by: 65_535) {
      let block = data[start..<min(start + 65_535, data.count)]
      let (low, high) = (UInt8(block.count & 0xFF), UInt8(block.count >> 8))
      stream += [block.endIndex == data.count ? 1 : 0, low, high, ~low, ~high] + block
    }
    return stream + bigEndian(adler32(data))
  }

  /// CRC-32, as PNG asks for.
  private static func checksum(_ data: [UInt8]) -> UInt32 {
    ~data.reduce(0xFFFF_FFFF as UInt32) { crc, byte in
      (0..<8).reduce(crc ^ UInt32(byte)) { value, _ in
        value & 1 == 1 ? 0xEDB8_8320 ^ (value >> 1) : value >> 1
      }
    }
  }

  /// Adler-32, as zlib asks for.
  private static func adler32(_ data: [UInt8]) -> UInt32 {
    let (a, b) = data.reduce((1 as UInt32, 0 as UInt32)) { sums, byte in
      let a = (sums.0 + UInt32(byte)) % 65_521
      return (a, (sums.1 + a) % 65_521)
    }
    return b << 16 | a
  }
}
