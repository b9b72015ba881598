internal import CZlib

/// The CRC-32 of bytes, in blocks as they come.
///
/// The format has no checksum of its own. A checksummed file's is that of the whole file with the
/// eight digits of the checksum itself as zeros; it is in the metadata, where other readers ignore it.
package struct SafetensorsChecksum {
  /// The metadata's key of the checksum.
  static let key = "rigl.crc32"
  /// The digits of the checksum while it is being computed.
  static let placeholder = "00000000"

  private var value: UInt = 0
  private var count = 0

  /// The checksum of no bytes.
  package init() {}

  /// Adds bytes at the end.
  mutating func append(_ bytes: RawSpan) {
    unsafe bytes.withUnsafeBytes { buffer in
      var done = 0
      while done < buffer.count {
        let block = min(buffer.count - done, 1 << 30)
        let start = unsafe (buffer.baseAddress! + done).assumingMemoryBound(to: UInt8.self)
        unsafe value = UInt(crc32(uLong(value), start, uInt(block)))
        done += block
      }
    }
    count += bytes.byteCount
  }

  /// Adds bytes at the end.
  package mutating func append(_ bytes: [UInt8]) {
    append(unsafe bytes.span.bytes)
  }

  /// Adds what another checksum has seen.
  mutating func append(_ other: SafetensorsChecksum) {
    value = UInt(crc32_combine(uLong(value), uLong(other.value), numericCast(other.count)))
    count += other.count
  }

  /// Eight hexadecimal digits.
  package var digits: String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: 8 - text.count) + text
  }
}
