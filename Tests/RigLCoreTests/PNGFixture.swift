/// PNG files of every kind, made by hand by the specification.
struct PNGFixture {
  var width = 1
  var height = 1
  var depth = 8
  var kind = Kind.colour
  var isInterlaced = false
  /// Of a palette; each of three values.
  var palette: [[Int]] = []
  /// Chunks before the image data, as they are.
  var before: [UInt8] = []
  /// The samples, row by row, in 0..<2^depth.
  var samples: [Int] = []

  enum Kind: UInt8, CaseIterable {
    case grey = 0
    case colour = 2
    case palette = 3
    case greyAlpha = 4
    case colourAlpha = 6

    var channels: Int {
      switch self {
      case .grey, .palette: 1
      case .greyAlpha: 2
      case .colour: 3
      case .colourAlpha: 4
      }
    }

    var depths: [Int] {
      switch self {
      case .grey: [1, 2, 4, 8, 16]
      case .palette: [1, 2, 4, 8]
      default: [8, 16]
      }
    }
  }

  static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

  /// A picture with random samples.
  static func random(
    _ kind: Kind, depth: Int, width: Int, height: Int, isInterlaced: Bool = false, seed: UInt64 = 1
  ) -> PNGFixture {
    var draws = SeededGenerator(seed: seed)
    var picture = PNGFixture(
      width: width, height: height, depth: depth, kind: kind, isInterlaced: isInterlaced)
    var most = 1 << depth
    if kind == .palette {
      most = min(most, 200)
      picture.palette = (0..<most).map { _ in
        (0..<3).map { _ in Int.random(in: 0...255, using: &draws) }
      }
    }
    picture.samples = (0..<width * height * kind.channels).map { _ in
      Int.random(in: 0..<most, using: &draws)
    }
    return picture
  }

  /// The file.
  var file: [UInt8] { file(data: Self.stored(rows)) }

  /// The file with other image data.
  func file(data: [UInt8]) -> [UInt8] {
    let sizes = [width, height].flatMap { IDXFixture.word($0).reversed() }
    let head = sizes + [UInt8(depth), kind.rawValue, 0, 0, isInterlaced ? 1 : 0]
    let colours =
      palette.isEmpty ? [] : Self.chunk("PLTE", palette.joined().map { UInt8($0) })
    return Self.signature + Self.chunk("IHDR", head) + before + colours + Self.chunk("IDAT", data)
      + Self.chunk("IEND", [])
  }

  /// What a training should see: red, green and blue of each pixel, row by row.
  var pixels: [UInt8] {
    (0..<width * height).flatMap { pixel -> [UInt8] in
      let own = (0..<kind.channels).map { samples[pixel * kind.channels + $0] }
      if kind == .palette { return palette[own[0]].map { UInt8($0) } }
      // 16 bits: the high byte; fewer than 8: spread evenly.
      let bytes = own.map { depth == 16 ? UInt8($0 >> 8) : UInt8($0 * 255 / (1 << depth - 1)) }
      return kind.channels < 3 ? [bytes[0], bytes[0], bytes[0]] : Array(bytes[..<3])
    }
  }

  /// The rows before compression, each with the filter "none".
  var rows: [UInt8] {
    guard isInterlaced else { return rows(0, 0, 1, 1) }
    // Adam7: the first column and row of each pass, and the steps.
    let passes = [
      (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
      (0, 1, 1, 2),
    ]
    return passes.flatMap(rows)
  }

  private func rows(_ left: Int, _ top: Int, _ across: Int, _ down: Int) -> [UInt8] {
    guard left < width else { return [] }
    var bytes: [UInt8] = []
    for y in stride(from: top, to: height, by: down) {
      bytes.append(0)
      var (bits, count) = (0, 0)
      for x in stride(from: left, to: width, by: across) {
        for channel in 0..<kind.channels {
          bits = bits << depth | samples[(y * width + x) * kind.channels + channel]
          count += depth
          while count >= 8 {
            bytes.append(UInt8(truncatingIfNeeded: bits >> (count - 8)))
            count -= 8
          }
          bits &= 1 << count - 1
        }
      }
      if count > 0 { bytes.append(UInt8(truncatingIfNeeded: bits << (8 - count))) }
    }
    return bytes
  }

  /// A chunk with its length and sum.
  static func chunk(_ type: String, _ data: [UInt8]) -> [UInt8] {
    let body = Array(type.utf8) + data
    return IDXFixture.word(data.count).reversed() + body
      + IDXFixture.word(Int(IDXFixture.crc(body))).reversed()
  }

  /// zlib's format (RFC 1950) around data that is not compressed.
  static func stored(_ data: [UInt8]) -> [UInt8] {
    var (low, high) = (1, 0)
    for byte in data {
      low = (low + Int(byte)) % 65521
      high = (high + low) % 65521
    }
    var stream: [UInt8] = [0x78, 0x01]
    var begin = 0
    repeat {
      let end = min(begin + 65535, data.count)
      let length = Array(IDXFixture.word(end - begin)[..<2])
      stream += [end == data.count ? 1 : 0] + length + length.map { ~$0 } + data[begin..<end]
      begin = end
    } while begin < data.count
    return stream + IDXFixture.word(high << 16 | low).reversed()
  }
}
