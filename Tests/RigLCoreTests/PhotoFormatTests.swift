import Foundation
import RigLCore
import RigLImages
import Testing

/// Kinds of JPEG and PNG files: which pixels they come to, and which files are refused.
@Suite struct PhotoFormatTests {
  /// Decodes files as they are, without a crop, into a square of `side` pixels.
  private struct Reader {
    let folder: TemporaryFolder
    let photos: PhotoSet

    init(side: Int, _ name: String) throws {
      folder = try TemporaryFolder()
      try folder.write(["class/\(name)": []])
      var transform = PhotoTransform(side: side, isRandom: false)
      transform.resizedSide = side
      photos = try PhotoSet(path: folder.path, transform: transform)
    }

    /// Red, green and blue of each pixel, row by row.
    func pixels(_ file: [UInt8]) throws -> [UInt8] {
      try writeFile(file, to: photos.path(of: 0))
      let planes = try photos.bytes(0)
      let size = planes.count / 3
      return (0..<size).flatMap { pixel in (0..<3).map { planes[$0 * size + pixel] } }
    }

    func error(_ file: [UInt8]) throws -> RigLError? {
      try writeFile(file, to: photos.path(of: 0))
      do {
        _ = try photos.bytes(0)
        return nil
      } catch let error as RigLError {
        return error
      }
    }

    func expectDamage(
      _ file: [UInt8], _ text: String = "damaged", _ comment: Comment? = nil,
      sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
      let error = try error(file)
      #expect(error?.kind == .data, comment, sourceLocation: sourceLocation)
      #expect(
        error?.what.contains(text) == true, "\(error?.what ?? "")", sourceLocation: sourceLocation)
    }
  }

  // MARK: - PNG

  /// Chunks that say how samples should look, or nothing at all, well-formed or not.
  static let remarks: [[UInt8]] = {
    let gamma = PNGFixture.chunk("gAMA", [0, 1, 0x86, 0xA0])
    var badSum = PNGFixture.chunk("tEXt", Array("Author".utf8))
    badSum[badSum.count - 1] ^= 1
    return [
      [], gamma, PNGFixture.chunk("gAMA", [0, 0, 0xB1, 0x8F]), gamma + gamma,
      PNGFixture.chunk("gAMA", [1]), PNGFixture.chunk("sRGB", [0]),
      PNGFixture.chunk("cHRM", [UInt8](repeating: 9, count: 32)),
      // A profile that is none.
      PNGFixture.chunk("iCCP", Array("grey".utf8) + [0, 0] + PNGFixture.stored([1, 2, 3])),
      PNGFixture.chunk("tIME", [0, 0, 99, 99, 99, 99, 99]), PNGFixture.chunk("juNk", [1, 2]),
      badSum,
      PNGFixture.chunk("sBIT", []) + PNGFixture.chunk("bKGD", [1]) + PNGFixture.chunk("eXIf", [2]),
      PNGFixture.chunk("tRNS", [7]) + PNGFixture.chunk("tRNS", []),
    ]
  }()

  /// The stored samples, of 16 bits the high byte, whatever else the file says.
  @Test(arguments: PNGFixture.Kind.allCases) func storedSamplesAreRead(kind: PNGFixture.Kind) throws
  {
    let reader = try Reader(side: 11, "a.png")
    for depth in kind.depths {
      for isInterlaced in [false, true] {
        var picture = PNGFixture.random(
          kind, depth: depth, width: 11, height: 11, isInterlaced: isInterlaced)
        for chunks in Self.remarks {
          picture.before = chunks
          #expect(
            try reader.pixels(picture.file) == picture.pixels,
            "\(depth) bits, interlaced: \(isInterlaced), \(chunks)")
        }
      }
    }
  }

  @Test func sixteenBitsGiveTheirHighByte() throws {
    let reader = try Reader(side: 1, "a.png")
    let picture = PNGFixture(depth: 16, kind: .colour, samples: [0x52FF, 0x5200, 0xFF7F])
    #expect(try reader.pixels(picture.file) == [0x52, 0x52, 0xFF])
  }

  /// A whole picture is whole, whatever comes behind its pixels.
  @Test func remarksBehindTheImageDoNotCount() throws {
    let reader = try Reader(side: 9, "a.png")
    let picture = PNGFixture.random(.colour, depth: 8, width: 9, height: 9)
    let (file, end) = (picture.file, 12)
    for tail in [[], PNGFixture.chunk("tIME", [1]), Array("garbage".utf8), [0, 0, 0, 9, 65]] {
      #expect(try reader.pixels(Array(file.dropLast(end)) + tail) == picture.pixels)
      #expect(try reader.pixels(file + tail) == picture.pixels)
    }
    // More than the rows need.
    #expect(
      try reader.pixels(picture.file(data: PNGFixture.stored(picture.rows + [1, 2, 3])))
        == picture.pixels)
    #expect(
      try reader.pixels(picture.file(data: PNGFixture.stored(picture.rows) + [1, 2, 3]))
        == picture.pixels)
  }

  @Test func damagedImageDataIsRefused() throws {
    let reader = try Reader(side: 9, "a.png")
    let picture = PNGFixture.random(.colour, depth: 8, width: 9, height: 9)
    let (rows, stream) = (picture.rows, PNGFixture.stored(picture.rows))
    try reader.expectDamage(picture.file(data: PNGFixture.stored(rows.dropLast())), "Not enough")
    try reader.expectDamage(picture.file(data: Array(stream.dropLast(40))))
    try reader.expectDamage(picture.file(data: stream.dropLast() + [stream.last! ^ 1]))
    var file = picture.file
    // In the pixels, and in the sum of their chunk.
    for place in [file.count - 60, file.count - 13] {
      file[place] ^= 1
      try reader.expectDamage(file)
      file[place] ^= 1
    }
    #expect(try reader.pixels(file) == picture.pixels)
    var unknown = picture
    unknown.before = PNGFixture.chunk("JUNK", [])
    try reader.expectDamage(unknown.file, "JUNK")
    var colourless = PNGFixture.random(.palette, depth: 8, width: 9, height: 9)
    colourless.palette = []
    try reader.expectDamage(colourless.file, "PLTE")
  }

  // MARK: - JPEG

  private func place(of marker: UInt8, in file: [UInt8]) throws -> Int {
    try #require(file.indices.dropLast().first { file[$0] == 0xFF && file[$0 + 1] == marker })
  }

  private func jpeg(_ side: Int = 24, isProgressive: Bool = false) throws -> [UInt8] {
    let picture = Picture.noise(side, side, seed: 4)
    return try ImageWriter.jpeg(
      picture.pixels, width: side, height: side, isProgressive: isProgressive)
  }

  @Test(arguments: [false, true]) func remarksOnJPEGsDoNotCount(isProgressive: Bool) throws {
    let reader = try Reader(side: 24, "a.jpg")
    let file = try jpeg(isProgressive: isProgressive)
    let expected = try reader.pixels(file)
    #expect(Set(expected).count > 50)
    let scan = try place(of: 0xDA, in: file)
    let stray: [UInt8] = [0, 1, 2, 3]
    #expect(try reader.pixels(file[..<scan] + stray + file[scan...]) == expected)
    #expect(try reader.pixels(file.dropLast(2) + stray + [0xFF, 0xD9]) == expected)
    #expect(try reader.pixels(file + stray) == expected)
    #expect(try reader.pixels(file + [0xFF, 0xD9]) == expected)
    // Nothing but the end marker is missing.
    #expect(try reader.pixels(file.dropLast(2)) == expected)
    #expect(try reader.pixels(file.dropLast(1)) == expected)
    // An odd version in the JFIF header.
    var version = file
    version[try place(of: 0xE0, in: file) + 9] = 9
    #expect(try reader.pixels(version) == expected)
    // An unknown transform in an Adobe marker, a comment and a segment of some maker.
    let adobe: [UInt8] = [0xFF, 0xEE, 0, 14] + Array("Adobe".utf8) + [0, 100, 0, 0, 0, 0, 7]
    let others: [UInt8] = [0xFF, 0xFE, 0, 3, 1, 0xFF, 0xE7, 0, 4, 1, 2]
    #expect(try reader.pixels(file[..<2] + others + file[2...]) == expected)
    #expect(try reader.error(file[..<scan] + adobe + file[scan...]) == nil)
  }

  /// As phones write them: not 0, 63, 0 in a file of one scan.
  @Test func spectralSelectionOfOneScanDoesNotCount() throws {
    let reader = try Reader(side: 24, "a.jpg")
    let file = try jpeg()
    let scan = try place(of: 0xDA, in: file)
    let numbers = scan + 2 + Int(file[scan + 3]) - 3
    #expect(file[numbers..<numbers + 3] == [0, 63, 0])
    for other in [[0, 0, 0], [1, 5, 0x11], [0, 64, 0]] as [[UInt8]] {
      #expect(
        try reader.pixels(file[..<numbers] + other + file[(numbers + 3)...]) == reader.pixels(file))
    }
  }

  @Test func progressiveGivesNearlyTheSame() throws {
    let reader = try Reader(side: 24, "a.jpg")
    #expect(
      try reader.pixels(jpeg(isProgressive: true)) == reader.pixels(jpeg(isProgressive: false)))
  }

  @Test(arguments: [false, true]) func damagedScansAreRefused(isProgressive: Bool) throws {
    let reader = try Reader(side: 24, "a.jpg")
    let file = try jpeg(isProgressive: isProgressive)
    for end in [[], [0xFF, 0xD9]] as [[UInt8]] {
      try reader.expectDamage(file.dropLast(5) + end)
      try reader.expectDamage(file[..<(file.count / 2)] + end)
    }
    // Two rows of blocks more than there are.
    var taller = file
    taller[try place(of: isProgressive ? 0xC2 : 0xC0, in: file) + 6] += 32
    try reader.expectDamage(taller)
    // Between two scans, which only the end marker would excuse.
    let scans = file.indices.dropLast().filter { file[$0] == 0xFF && file[$0 + 1] == 0xDA }
    #expect(scans.count == (isProgressive ? 10 : 1))
    for scan in scans.dropFirst() {
      let tables = try #require(
        file[..<scan].indices.dropLast().last { file[$0] == 0xFF && file[$0 + 1] == 0xC4 })
      try reader.expectDamage(Array(file[..<max(tables, scans[0])]))
      try reader.expectDamage(Array(file[..<scan]), "missing")
    }
  }

  @Test func unreadableKindsAreNamed() throws {
    let reader = try Reader(side: 24, "a.jpg")
    var file = try jpeg()
    let frame = try place(of: 0xC0, in: file)
    file[frame + 1] = 0xC3
    try reader.expectDamage(file, "not read: Unsupported JPEG process")
    file[frame + 1] = 0xC1
    file[frame + 4] = 12
    try reader.expectDamage(file, "not read: Unsupported JPEG data precision 12")
  }

  // MARK: - Size

  /// Of both formats the size that the file says counts, also where less of it would be decoded.
  @Test func bothFormatsHaveOneLimit() throws {
    func png(_ width: Int, _ height: Int) -> [UInt8] {
      PNGFixture(width: width, height: height).file(data: PNGFixture.stored([]))
    }
    func jpeg(_ width: Int, _ height: Int) throws -> [UInt8] {
      var file = try ImageWriter.jpeg([1, 2, 3], width: 1, height: 1)
      let frame = try place(of: 0xC0, in: file)
      for (index, value) in [height >> 8, height & 255, width >> 8, width & 255].enumerated() {
        file[frame + 5 + index] = UInt8(value)
      }
      return file
    }
    let (readers, side) = (try (Reader(side: 8, "a.png"), Reader(side: 8, "a.jpg")), 1 << 14)
    try readers.0.expectDamage(png(side, side / 2 + 1), "pixels; up to 134217728 are accepted")
    try readers.1.expectDamage(jpeg(side, side / 2 + 1), "pixels; up to 134217728 are accepted")
    try readers.1.expectDamage(jpeg(65500, 65500), "pixels; up to 134217728 are accepted")
    try readers.1.expectDamage(jpeg(65535, 65535), "65500")
    try readers.0.expectDamage(png(0, 5))
    try readers.1.expectDamage(jpeg(0, 5))
    try readers.0.expectDamage(png(1 << 20, 2), "1048576 × 2 pixels; sides of up to 1048575 are")
    try readers.0.expectDamage(png((1 << 20) - 1, 2), "Not enough")
    // As large as a phone's largest pictures: read, and missed.
    try readers.0.expectDamage(png(9000, 12000), "Not enough")
    try readers.1.expectDamage(jpeg(9000, 12000), "premature end")
  }

  /// What a progressive file of this size would hold before its first pixel is more than its pixels.
  @Test func progressiveFilesAreLimitedByTheirMemory() throws {
    let reader = try Reader(side: 8, "a.jpg")
    var file = try ImageWriter.jpeg([1, 2, 3], width: 1, height: 1, isProgressive: true)
    let frame = try place(of: 0xC2, in: file)
    // 11008 × 12000 pixels, colours at full resolution: 6 bytes of coefficients for each.
    for (index, value) in [0x2E, 0xE0, 0x2B, 0].enumerated() {
      file[frame + 5 + index] = UInt8(value)
    }
    #expect(file[frame + 11] == 0x22)
    file[frame + 11] = 0x11
    try reader.expectDamage(file, "in several scans")
  }

  /// One grey block, of scans that say nothing: each would cost a pass over a whole picture.
  @Test func endlessScansAreRefused() throws {
    let reader = try Reader(side: 8, "a.jpg")
    func segment(_ marker: UInt8, _ body: [UInt8]) -> [UInt8] {
      [0xFF, marker, 0, UInt8(body.count + 2)] + body
    }
    // A code of one bit, for "nothing".
    func codes(_ table: UInt8) -> [UInt8] {
      segment(0xC4, [table, 1] + [UInt8](repeating: 0, count: 16))
    }
    func file(_ scans: Int) -> [UInt8] {
      let head: [UInt8] =
        [0xFF, 0xD8] + segment(0xDB, [0] + [UInt8](repeating: 1, count: 64))
        + segment(0xC2, [8, 0, 8, 0, 8, 1, 1, 0x11, 0]) + codes(0) + codes(0x10)
      let first = segment(0xDA, [1, 1, 0, 0, 0, 0]) + [0x7F]
      let other = segment(0xDA, [1, 1, 0, 1, 63, 0]) + [0x7F]
      return head + first + (0..<scans).flatMap { _ in other } + [0xFF, 0xD9]
    }
    #expect(try reader.pixels(file(90)) == [UInt8](repeating: 128, count: 192))
    try reader.expectDamage(file(200), "too many scans")
  }

  // MARK: - Hostile files

  /// Random changes to files of every kind, by a fixed seed: an error or a picture, never a crash.
  @Test func survivesRandomChanges() throws {
    let reader = try Reader(side: 12, "a.png")
    var files = PNGFixture.Kind.allCases.flatMap { kind in
      [false, true].map {
        var picture = PNGFixture.random(
          kind, depth: kind.depths.last!, width: 12, height: 12, isInterlaced: $0)
        picture.before = Self.remarks.joined() + []
        return picture.file
      }
    }
    files += [try jpeg(12), try jpeg(12, isProgressive: true)]
    var draws = SeededGenerator(seed: 9)
    for number in 0..<3000 {
      var file = files[number % files.count]
      for _ in 0..<Int.random(in: 1...6, using: &draws) {
        let place = Int.random(in: file.indices, using: &draws)
        switch Int.random(in: 0..<4, using: &draws) {
        case 0: file.removeSubrange(place..<min(place + 20, file.count))
        case 1: file.insert(contentsOf: file[place..<min(place + 20, file.count)], at: place)
        default: file[place] = UInt8.random(in: 0...255, using: &draws)
        }
        if file.isEmpty { break }
      }
      if file.isEmpty { continue }
      let error = try reader.error(file)
      #expect(error == nil || error?.kind == .data)
    }
  }
}
