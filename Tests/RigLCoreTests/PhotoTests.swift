import Foundation
import RigLCore
import RigLImages
import Testing

/// Photos from files: what is cropped, how it is resampled, and what happens to damaged ones.
@Suite struct PhotoTests {
  /// A set of one photo.
  private func set(
    _ file: [UInt8], _ name: String, _ transform: PhotoTransform,
    in folder: TemporaryFolder
  ) throws -> PhotoSet {
    try folder.write(["class/\(name)": file])
    return try PhotoSet(path: folder.path, transform: transform)
  }

  /// Bytes are roundings of these values.
  private func expect(
    _ bytes: [UInt8], roundedFrom values: [Double], tolerance: Double = 0.501,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(bytes.count == values.count, sourceLocation: sourceLocation)
    let worst = zip(bytes, values).map { abs(Double($0) - $1) }.max() ?? 0
    #expect(worst <= tolerance, sourceLocation: sourceLocation)
  }

  // MARK: - Evaluation

  /// Larger and smaller pictures, both orientations, sides without a common factor.
  @Test(arguments: [(50, 37), (37, 50), (21, 21), (9, 14), (64, 17), (5, 3), (1, 1)])
  func evaluationCutsTheMiddle(width: Int, height: Int) throws {
    let folder = try TemporaryFolder()
    let picture = Picture.noise(width, height, seed: 5)
    let file = try ImageWriter.png(picture.pixels, width: width, height: height)
    let transform = PhotoTransform(side: 14, isRandom: false)
    #expect(transform.resizedSide == 16)
    let bytes = try set(file, "a.png", transform, in: folder).bytes(0)
    let long = 16 * max(width, height) / min(width, height)
    let (across, down) = width <= height ? (16, long) : (long, 16)
    let whole = picture.resized(to: across, down)
    // Halves are rounded to even, as Python does.
    let left = Int((Double(across - 14) / 2).rounded(.toNearestOrEven))
    let top = Int((Double(down - 14) / 2).rounded(.toNearestOrEven))
    var expected: [Double] = []
    for c in 0..<3 {
      for y in top..<top + 14 {
        for x in left..<left + 14 { expected.append(whole[(c * down + y) * across + x]) }
      }
    }
    expect(bytes, roundedFrom: expected)
  }

  // MARK: - Random resized crops

  @Test(arguments: [(50, 37), (30, 61), (12, 9)])
  func randomCropsAreResizedParts(width: Int, height: Int) throws {
    let folder = try TemporaryFolder()
    let picture = Picture.noise(width, height, seed: 6)
    let file = try ImageWriter.png(picture.pixels, width: width, height: height)
    let transform = PhotoTransform(side: 13, isRandom: true)
    let photos = try set(file, "a.png", transform, in: folder)
    var mirrored = 0
    for epoch in 0..<12 {
      let context = SampleContext(seed: 8, epoch: epoch)
      let crop = transform.crop(width: width, height: height, draws: context.draws(for: 0))
      mirrored += crop.isMirrored ? 1 : 0
      let part = picture.cropped(
        left: Int(crop.left), top: Int(crop.top), width: Int(crop.width), height: Int(crop.height))
      var expected = part.resized(to: 13, 13)
      if crop.isMirrored {
        expected = (0..<expected.count).map { expected[$0 / 13 * 13 + 12 - $0 % 13] }
      }
      expect(try photos.bytes(0, in: context), roundedFrom: expected)
    }
    #expect((1...11).contains(mirrored))
  }

  @Test func cropsKeepTheirRanges() {
    let transform = PhotoTransform(side: 224, isRandom: true)
    let (width, height) = (500, 375)
    let area = Double(width * height)
    var (shares, ratios): ([Double], [Double]) = ([], [])
    for sample in 0..<2000 {
      let crop = transform.crop(
        width: width, height: height, draws: SampleContext(seed: 2).draws(for: sample))
      #expect(crop.left >= 0 && crop.left + crop.width <= 500 && crop.left == crop.left.rounded())
      #expect(crop.top >= 0 && crop.top + crop.height <= 375 && crop.hidesRest)
      shares.append(crop.width * crop.height / area)
      ratios.append(crop.width / crop.height)
    }
    #expect(shares.min()! > 0.078 && shares.min()! < 0.09 && shares.max()! > 0.9)
    #expect(ratios.min()! > 0.745 && ratios.min()! < 0.77)
    #expect(ratios.max()! < 1.34 && ratios.max()! > 1.3)
    // Uniform but for the larger ones, of which some do not fit and are drawn again.
    #expect((0.4...0.54).contains(shares.reduce(0, +) / 2000))
  }

  /// Pictures no crop of these ratios fits into: the middle, at the nearest ratio.
  @Test func narrowPicturesGiveTheirMiddle() {
    let transform = PhotoTransform(side: 8, isRandom: true)
    let draws = SampleContext(seed: 2).draws(for: 1)
    var crop = transform.crop(width: 1000, height: 30, draws: draws)
    #expect((crop.left, crop.top, crop.width, crop.height) == (480, 0, 40, 30))
    crop = transform.crop(width: 30, height: 1000, draws: draws)
    #expect((crop.left, crop.top, crop.width, crop.height) == (0, 480, 30, 40))
  }

  // MARK: - JPEG

  /// Decoded at a half, a quarter or an eighth: nearly what decoding in full and resizing gives.
  @Test(arguments: [(90, 70), (150, 131), (270, 262)])
  func largeJPEGsAreReducedWhileDecoding(width: Int, height: Int) throws {
    let folder = try TemporaryFolder()
    let picture = Picture.waves(width, height)
    let file = try ImageWriter.jpeg(picture.pixels, width: width, height: height, quality: 98)
    for isRandom in [false, true] {
      let transform = PhotoTransform(side: 28, isRandom: isRandom)
      let bytes = try set(file, "a.jpg", transform, in: folder).bytes(0)
      let crop = transform.crop(width: width, height: height, draws: SampleContext().draws(for: 0))
      var expected: [Double]
      if isRandom {
        expected = picture.cropped(
          left: Int(crop.left), top: Int(crop.top), width: Int(crop.width),
          height: Int(crop.height)
        ).resized(to: 28, 28)
        if crop.isMirrored {
          expected = (0..<expected.count).map { expected[$0 / 28 * 28 + 27 - $0 % 28] }
        }
      } else {
        let short = Double(min(width, height))
        let scale = short / 32
        let (across, down) = (Int(Double(width) / scale), Int(Double(height) / scale))
        let whole = picture.resized(to: across, down)
        let (left, top) = (
          Int((Double(across - 28) / 2).rounded(.toNearestOrEven)),
          Int((Double(down - 28) / 2).rounded(.toNearestOrEven))
        )
        expected = (0..<3).flatMap { c in
          (top..<top + 28).flatMap { y in
            (left..<left + 28).map { x in whole[(c * down + y) * across + x] }
          }
        }
      }
      // Colours have half the resolution in the file.
      let differences = zip(bytes, expected).map { abs(Double($0) - $1) }
      #expect(differences.reduce(0, +) / Double(differences.count) < 3)
      #expect(differences.max()! < 40)
    }
  }

  // MARK: - Damage

  /// Every truncation, and every byte flipped in two ways: an error or an image, never a trap; an
  /// image that lacks its end is an error, even where libjpeg would make something up.
  @Test(arguments: ["a.jpg", "a.png"]) func survivesEveryDamage(name: String) throws {
    let folder = try TemporaryFolder()
    let picture = Picture.waves(20, 17)
    let file =
      name == "a.jpg"
      ? try ImageWriter.jpeg(picture.pixels, width: 20, height: 17)
      : try ImageWriter.png(picture.pixels, width: 20, height: 17)
    let photos = try set(file, name, PhotoTransform(side: 9, isRandom: true), in: folder)
    let decoder = photos.makeScratch()
    var pixels = [UInt8](repeating: 0, count: photos.sampleShape.count)
    func decode(_ bytes: [UInt8]) throws -> RigLError? {
      try writeFile(bytes, to: folder("class/\(name)"))
      var span = pixels.mutableSpan
      do throws(RigLError) {
        try photos.writePixels(0, in: SampleContext(), with: decoder, into: &span)
        return nil
      } catch {
        #expect(error.kind == .data && error.what.contains(name))
        return error
      }
    }
    #expect(try decode(file) == nil)
    // A PNG is whole before its last chunk, which holds nothing.
    for length in 0..<file.count - (name == "a.jpg" ? 2 : 12) {
      #expect(try decode(Array(file[..<length])) != nil, "\(length) of \(file.count) bytes")
    }
    for place in file.indices {
      for flip in [0x01, 0x80, 0xFF] as [UInt8] {
        var bytes = file
        bytes[place] ^= flip
        _ = try decode(bytes)
      }
    }
    var generator = SeededGenerator(seed: 3)
    for _ in 0..<300 {
      var bytes = file
      for _ in 0..<Int.random(in: 1...8, using: &generator) {
        bytes[Int.random(in: bytes.indices, using: &generator)] =
          UInt8.random(in: 0...255, using: &generator)
      }
      _ = try decode(bytes)
    }
    #expect(try decode(file) == nil)
  }

  @Test func namesWhatIsNoImage() throws {
    let folder = try TemporaryFolder()
    let photos = try set(Array("GIF89a".utf8), "a.jpg", PhotoTransform(isRandom: false), in: folder)
    let error = #expect(throws: RigLError.self) { try photos.bytes(0) }
    #expect(error?.kind == .data && error?.what.contains("class/a.jpg: neither") == true)
    try FileManager.default.removeItem(atPath: folder("class/a.jpg"))
    #expect(throws: RigLError.self) { try photos.bytes(0) }
    try FileManager.default.createDirectory(
      atPath: folder("class/a.jpg"), withIntermediateDirectories: false)
    #expect(throws: RigLError.self) { try photos.bytes(0) }
  }

  /// A header that promises more pixels than anyone has memory for.
  @Test func refusesHugePictures() throws {
    let folder = try TemporaryFolder()
    var file = try ImageWriter.png([1, 2, 3], width: 1, height: 1)
    for (place, byte) in [0, 0, 0xFF, 0xFF, 0, 0, 0xFF, 0xFF].enumerated() {
      file[16 + place] = UInt8(byte)
    }
    let photos = try set(file, "a.png", PhotoTransform(isRandom: false), in: folder)
    #expect(throws: RigLError.self) { try photos.bytes(0) }
    var jpeg = try ImageWriter.jpeg([1, 2, 3], width: 1, height: 1)
    // The frame header: marker FFC0, length, precision, height, width.
    let frame = try #require(
      jpeg.indices.dropLast().first { jpeg[$0] == 0xFF && jpeg[$0 + 1] == 0xC0 })
    for place in 5...8 { jpeg[frame + place] = 0xE0 }
    try folder.write(["class/a.png": jpeg])
    let error = #expect(throws: RigLError.self) { try photos.bytes(0) }
    #expect(error?.what.contains("pixels; up to") == true, "\(error?.what ?? "")")
  }
}
