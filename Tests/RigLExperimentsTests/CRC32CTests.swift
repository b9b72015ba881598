import RigLExperiments
import Testing

@Suite struct CRC32CTests {
  /// The examples of RFC 3720, appendix B.4, whose CRCs it lists lowest byte first, and the check
  /// value of the catalogue of parametrised CRC algorithms.
  @Test(
    arguments: [
      ([], 0),
      (Array("123456789".utf8), 0xe306_9283),
      ([UInt8](repeating: 0, count: 32), 0x8a91_36aa),
      ([UInt8](repeating: 0xff, count: 32), 0x62a8_ab43),
      (Array(0..<32), 0x46dd_794e),
      ((0..<32).reversed(), 0x113f_db5c),
    ] as [([UInt8], UInt32)])
  func matchesPublishedValues(bytes: [UInt8], checksum: UInt32) {
    #expect(CRC32C.checksum(of: bytes) == checksum)
  }

  /// Appendix B.4's SCSI Read (10) command PDU.
  @Test func matchesThePublishedCommand() {
    var command = [UInt8](repeating: 0, count: 48)
    for (index, byte) in [
      (0, 0x01), (1, 0xc0), (16, 0x14), (22, 0x04), (27, 0x14), (31, 0x18), (32, 0x28), (40, 0x02),
    ] as [(Int, UInt8)] { command[index] = byte }
    #expect(CRC32C.checksum(of: command) == 0xd996_3a56)
  }

  /// Rotating 0xe3069283 right by 15 bits gives 0x2507c60d; plus 0xa282ead8.
  @Test func isMaskedByARotationAndAConstant() {
    #expect(CRC32C.maskedChecksum(of: "123456789".utf8) == 0xc78a_b0e5)
    #expect(CRC32C.maskedChecksum(of: []) == 0xa282_ead8)
  }
}
