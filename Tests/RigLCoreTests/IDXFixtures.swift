/// Files in IDX and gzip, made by hand.
enum IDXFixture {
  /// Elements of a 4 × 5 × 6 array that compress.
  static let elements = (0..<120).map { index in
    let (large, small) = (index * index % 7 * 30, index % 3)
    return UInt8(large + small)
  }
  static let plain = idx([4, 5, 6], elements)
  /// ``plain`` compressed by zlib at level 9, with Huffman codes and matches.
  static let compressed = bytes(
    hex: "1f8b08000000000002036360e0606660606001625620666390afb2b1ad92"
      + "6354a8b0b5ab906792abb4b3a954a0832000a5d605d088000000")

  /// An IDX file.
  static func idx(_ dimensions: [Int], _ elements: [UInt8]) -> [UInt8] {
    [0, 0, 8, UInt8(dimensions.count)] + dimensions.flatMap { word($0).reversed() } + elements
  }

  /// A gzip member that stores its data, by RFC 1952 and 1951, uncompressed.
  static func gzip(_ data: [UInt8], extra: [UInt8] = []) -> [UInt8] {
    precondition(data.count < 1 << 16)
    let header: [UInt8] = [0x1F, 0x8B, 8, extra.isEmpty ? 0 : 4, 0, 0, 0, 0, 0, 3]
    let length = Array(word(data.count)[0..<2])
    let block = [1] + length + length.map { ~$0 } + data
    return header + extra + block + word(Int(crc(data))) + word(data.count)
  }

  /// A 32-bit number, little-endian.
  static func word(_ value: Int) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }

  /// CRC-32, as gzip and PNG have it.
  static func crc(_ data: [UInt8]) -> UInt32 {
    var crc: UInt32 = .max
    for byte in data {
      crc ^= UInt32(byte)
      for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
    }
    return ~crc
  }

  private static func bytes(hex: String) -> [UInt8] {
    let digits = hex.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
  }
}
