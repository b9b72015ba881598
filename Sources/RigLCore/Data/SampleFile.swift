/// Samples without labels from a file, as a saved run takes them.
///
/// A JPEG or PNG file; an IDX file of images, gzip or not; or text: one sample a line, its values
/// between commas or white space. Pixels (0 to 255, and not all of a text at most 1) are normalised
/// as they were in training.
///
/// A picture is resized, and its middle cut out, as in an evaluation. Runs on padded images resize it
/// to what those were before (28 for Fashion-MNIST), and put it in the middle of black; where that is
/// not known, a picture that has room stays as it is. Grey pictures have three equal channels. Runs of
/// one channel see the luma of colours: 0.299 red + 0.587 green + 0.114 blue.
package struct SampleFile: Sendable {
  /// The number of samples.
  package let count: Int

  private let name: String
  private let shape: SampleShape
  private let bytes: [UInt8]
  private let content: Content

  /// Whether each sample is brought to mean 0 and deviation 1 by its own pixels.
  private let standardizes: Bool

  private enum Content: Sendable {
    /// Channel by channel, of a height and width that may be less than the run's, for a run that pads.
    case images(PixelNormalization, height: Int, width: Int)
    /// Lines that are not empty, and their numbers from 1.
    case text([(range: Range<Int>, number: Int)], PixelNormalization?)
  }

  /// Opens a file.
  ///
  /// - Parameters:
  ///   - path: the path of the file.
  ///   - run: what says the size of a sample and the normalisation.
  ///   - areNormalized: whether the numbers of a text are what the network sees, not pixels.
  /// - Throws: `RigLError(.missingFile)` or `.data`, with the path.
  package init(
    contentsOf path: String, for run: SavedRun, areNormalized: Bool = false
  ) throws(RigLError) {
    if FileSystem.item(path) == .folder {
      throw RigLError(
        .data, "\(path): a folder; samples come from files",
        hint: "Name its files, for example \(path)/*.jpg; rigl predict takes folders of pictures.")
    }
    let bytes = try fileBytes(at: path, limit: IDXArray.defaultLimit)
    try self.init(bytes, name: path, for: run, areNormalized: areNormalized)
  }

  /// Takes a file that is in memory; errors call it `name`.
  ///
  /// - Throws: `RigLError(.data)`.
  package init(
    _ bytes: [UInt8], name: String, for run: SavedRun, areNormalized: Bool = false
  ) throws(RigLError) {
    self.name = name
    shape = run.sampleShape
    standardizes = run.configuration.perImageStandardization
    if !PictureFormat.isRead(bytes), PictureFormat.name(of: bytes.span) != nil {
      throw PictureFormat.error(bytes.span, name)
    }
    let kind = FileKind.name(of: bytes.span)
    if PictureFormat.isRead(named: name), !PictureFormat.isRead(bytes) {
      throw RigLError(
        .data,
        "\(name): neither a JPEG nor a PNG file\(kind.map { ", but \($0)" } ?? ""), whatever its "
          + "name says")
    }
    if PictureFormat.isRead(bytes) {
      let normalization = try SampleFile.normalization(of: run, name)
      let picture = try SampleFile.pixels(bytes, name, for: run)
      content = .images(normalization, height: picture.side, width: picture.side)
      self.bytes = picture.pixels
      count = 1
      return
    }
    let start = bytes.prefix(512)
    if let hint = MistakenFile.hint(forContents: start)
      ?? MistakenFile.hint(forSamples: start, name: name)
    {
      throw RigLError(.data, "\(name): neither a picture, nor IDX, nor text", hint: hint)
    }
    if let kind {
      throw RigLError(
        .data, "\(name): neither a picture, nor IDX, nor text, but \(kind)",
        hint: "Samples are JPEG or PNG pictures, IDX files of images, or text.")
    }
    guard Inflater.isGzip(bytes) || bytes.starts(with: [0, 0]) else {
      guard !FileKind.isBinary(bytes.span) else {
        throw RigLError(
          .data,
          "\(name): neither a picture, nor IDX, nor text: its first bytes are "
            + bytes.prefix(8).map { String($0, radix: 16, uppercase: true) }
            .map { $0.count < 2 ? "0\($0)" : $0 }.joined(separator: " "),
          hint: "Samples are JPEG or PNG pictures, IDX files of images, or text.")
      }
      let lines = SampleFile.lines(of: bytes)
      self.bytes = bytes
      content = .text(lines, areNormalized ? nil : run.normalization)
      count = lines.count
      try requirePixels()
      return
    }
    let images = try IDXArray(bytes, name: name, rank: 3)
    let (height, width) = (images.dimensions[1], images.dimensions[2])
    let isPadded = run.configuration.padTo != nil
    guard shape.channels == 1,
      (height, width) == (shape.height, shape.width)
        || isPadded && height <= shape.height && width <= shape.width
    else {
      throw RigLError(
        .data,
        "\(name): images of \(height) × \(width); the run takes samples of \(shape.channels) × "
          + "\(shape.height) × \(shape.width) (channels, height, width)",
        hint: shape.channels == 1
          ? nil : "Give their pixels as text, one sample a line, channel by channel.")
    }
    let normalization = try SampleFile.normalization(of: run, name)
    self.bytes = images.bytes
    content = .images(normalization, height: height, width: width)
    count = images.dimensions[0]
  }

  /// Whether a file's first bytes say that it is a JPEG or PNG picture, which is a single sample.
  package static func isPicture(at path: String) -> Bool {
    guard FileSystem.item(path) == .file,
      let start = try? FileSystem.contents(of: path, limit: 16)
    else { return false }
    return PictureFormat.isRead(start)
  }

  private static func normalization(
    of run: SavedRun, _ name: String
  ) throws(RigLError) -> PixelNormalization {
    if let normalization = run.normalization { return normalization }
    throw RigLError(
      .data, "\(name): pixels, but the run does not say how they become values",
      hint: "Give the values as text, one sample a line, with --normalized.")
  }

  /// A picture as evaluation sees it, but for black around it: a square, channel by channel.
  private static func pixels(
    _ bytes: [UInt8], _ name: String, for run: SavedRun
  ) throws(RigLError) -> (pixels: [UInt8], side: Int) {
    let (shape, configuration) = (run.sampleShape, run.configuration)
    guard [1, 3].contains(shape.channels), shape.height == shape.width else {
      throw RigLError(
        .data,
        "\(name): a picture; the run takes samples of \(shape.channels) × \(shape.height) × "
          + "\(shape.width), not squares of one channel or three",
        hint: "Give the pixels as an IDX file or as text.")
    }
    // Only photos lose their borders; small pictures are taken as they are.
    let cutsBorders = configuration.dataFormat?.preparation == .resized
    func decoded(_ side: Int) throws(RigLError) -> (pixels: [UInt8], longest: Int) {
      let (pixels, longest) = try PictureDecoder.decode(
        bytes, name: name, side: side, cutsBorders: cutsBorders)
      return (shape.channels == 1 ? luma(of: pixels) : pixels, longest)
    }
    let known = configuration.dataFormat?.sampleShape(configuration)?.height
    let unpadded = configuration.padTo == nil ? shape.height : known
    let side = min(unpadded ?? shape.height, shape.height)
    let (pixels, longest) = try decoded(side)
    // Whatever the images were before they were padded, this one fits.
    guard unpadded == nil, longest < side else { return (pixels, side) }
    return (try decoded(longest).pixels, longest)
  }

  /// Red, green and blue, one after the other, as grey: equal ones stay as they are.
  private static func luma(of pixels: [UInt8]) -> [UInt8] {
    let plane = pixels.count / 3
    return (0..<plane).map { index in
      let (red, green) = (Int(pixels[index]), Int(pixels[plane + index]))
      // 0.299, 0.587 and 0.114 of 2^16, which they add up to.
      let sum = 19595 * red + 38470 * green + 7471 * Int(pixels[2 * plane + index])
      return UInt8((sum + 1 << 15) >> 16)
    }
  }

  /// Some of the samples, each of the run's `sampleShape.count` values.
  ///
  /// - Throws: `RigLError(.data)` for a line that is not a sample, with its number.
  package func samples(_ range: Range<Int>) throws(RigLError) -> [[Float]] {
    trap(unless: range.lowerBound >= 0 && range.upperBound <= count, "samples \(range) of \(count)")
    var samples: [[Float]] = []
    for index in range {
      switch content {
      case .images(let normalization, let height, let width):
        let size = shape.channels * height * width
        let pixels = bytes[index * size..<(index + 1) * size].map { Float($0) }
        samples.append(normalized(padded(pixels, height, width), normalization))
      case .text(let lines, let normalization):
        let values = try parse(lines[index], arePixels: normalization != nil)
        samples.append(normalization.map { normalized(values, $0) } ?? values)
      }
    }
    return samples
  }

  /// An image in the middle of the run's size, on black.
  private func padded(_ pixels: [Float], _ height: Int, _ width: Int) -> [Float] {
    if pixels.count == shape.count { return pixels }
    var padded = [Float](repeating: 0, count: shape.count)
    let (top, left) = ((shape.height - height) / 2, (shape.width - width) / 2)
    for row in 0..<shape.channels * height {
      let target = (row / height * shape.height + top + row % height) * shape.width + left
      for x in 0..<width { padded[target + x] = pixels[row * width + x] }
    }
    return padded
  }

  /// Pixels as the network sees them.
  private func normalized(_ pixels: [Float], _ normalization: PixelNormalization) -> [Float] {
    if standardizes {
      let own = ImageStandardization(of: pixels)
      return pixels.map { own.scale * $0 + own.shift }
    }
    let plane = max(shape.height * shape.width, 1)
    return pixels.enumerated().map { index, pixel in
      let channel = index / plane
      return normalization.scale(of: channel) * pixel + normalization.shift(of: channel)
    }
  }

  // MARK: - Text

  private static func lines(of bytes: [UInt8]) -> [(range: Range<Int>, number: Int)] {
    var lines: [(range: Range<Int>, number: Int)] = []
    var (begin, number) = (bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0, 1)
    while begin < bytes.count {
      let end = bytes[begin...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
      if !bytes[begin..<end].allSatisfy(isSpace) { lines.append((begin..<end, number)) }
      (begin, number) = (end + 1, number + 1)
    }
    return lines
  }

  private static func isSpace(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r")
  }

  /// Throws for a text of pixels that are all at most 1, but not all 0: it has another scale.
  private func requirePixels() throws(RigLError) {
    guard case .text(let lines, _?) = content else { return }
    var largest: Float = 0
    for line in lines {
      largest = try parse(line, arePixels: true).reduce(largest, max)
      // Other mistakes are reported in their turn, after the samples before them.
      if largest > 1 { return }
    }
    guard largest > 0 else { return }
    throw RigLError(
      .data, "\(name): all values are in 0...1, but pixels go from 0 to 255",
      hint: "Multiply them by 255; or, if they are what the network sees, say so by --normalized.")
  }

  /// The numbers of a line.
  ///
  /// - Parameter arePixels: whether they have to lie in 0...255.
  private func parse(
    _ line: (range: Range<Int>, number: Int), arePixels: Bool
  ) throws(RigLError) -> [Float] {
    let text = bytes[line.range]
    let comma = UInt8(ascii: ",")
    // Where there are commas, nothing between two of them is a mistake and not a wider gap.
    let words =
      text.contains(comma)
      ? text.split(separator: comma, omittingEmptySubsequences: false)
      : text.split(whereSeparator: SampleFile.isSpace)
    guard words.count == shape.count else {
      throw RigLError(
        .data,
        "\(name), line \(line.number): \(words.count) \(words.count == 1 ? "value" : "values"); the run takes \(shape.count)",
        hint: "A sample is a line of numbers between commas or white space.")
    }
    var values: [Float] = []
    values.reserveCapacity(words.count)
    for (column, word) in words.enumerated() {
      let trimmed = word.drop(while: SampleFile.isSpace).reversed()
        .drop(while: SampleFile.isSpace).reversed()
      let text = String(decoding: Array(trimmed), as: UTF8.self)
      guard let value = Float(text), value.isFinite else {
        throw RigLError(
          .data,
          "\(name), line \(line.number), value \(column + 1): '\(text.prefix(20))' is not a number")
      }
      guard !arePixels || (0...255).contains(value) else {
        throw RigLError(
          .data,
          "\(name), line \(line.number), value \(column + 1): \(text) is not a pixel, 0 to 255",
          hint: "If the values are what the network sees, say so by --normalized.")
      }
      values.append(value)
    }
    return values
  }
}
