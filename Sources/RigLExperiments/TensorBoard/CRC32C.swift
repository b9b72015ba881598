/// The CRC-32C (Castagnoli) of bytes, the checksum of iSCSI and of TensorFlow's records.
///
///     generator 0x1EDC6F41, bits reflected (0x82F63B78); initial value and last XOR 0xFFFFFFFF
///
/// Reference: RFC 3720, section 12.1 and appendix B.4. zlib's `crc32` has another generator.
package enum CRC32C {
  /// The checksum of `bytes`.
  package static func checksum(of bytes: some Sequence<UInt8>) -> UInt32 {
    let table = table
    var remainder = UInt32.max
    for byte in bytes {
      remainder = table[Int(UInt8(truncatingIfNeeded: remainder) ^ byte)] ^ (remainder >> 8)
    }
    return ~remainder
  }

  /// The checksum of `bytes` as records carry it: rotated right by 15 bits, plus a constant, since
  /// the checksum of bytes that hold a checksum of their own says little.
  package static func maskedChecksum(of bytes: some Sequence<UInt8>) -> UInt32 {
    let checksum = checksum(of: bytes)
    return ((checksum >> 15) | (checksum << 17)) &+ 0xa282_ead8
  }

  /// What each value of the lowest byte adds to the remainder once its eight bits are shifted out.
  private static let table: [UInt32] = (0..<256).map { byte in
    var remainder = UInt32(byte)
    for _ in 0..<8 {
      remainder = (remainder & 1 == 0 ? 0 : 0x82f6_3b78) ^ (remainder >> 1)
    }
    return remainder
  }
}
