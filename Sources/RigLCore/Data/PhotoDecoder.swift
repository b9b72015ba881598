internal import CImages
internal import CPNG
internal import CTurboJPEG

/// Decodes JPEG and PNG files, one at a time, in memory that is kept from one to the next.
///
/// A thread needs one of its own. Whatever a library complains about, if only in a warning (as for
/// a JPEG that ends early), is an error here.
@safe
final class PhotoDecoder {
  /// The pixels decoded last, 4 bytes each: red, green, blue and one without meaning.
  private var pixels = AlignedBuffer<UInt8>(count: 0)
  private var file = AlignedBuffer<UInt8>(count: 0)
  private var workspace = AlignedBuffer<UInt8>(count: 0)
  /// The size of the picture in ``pixels``.
  private var size = (width: 0, height: 0)

  /// Bytes beyond which a file is refused.
  static let mostBytes = 1 << 28
  /// Pixels beyond which a picture is refused, after it was made smaller while decoding.
  static let mostPixels = 1 << 25

  /// Reads a file and makes of it what `plan` says, `side`² pixels of three channels.
  ///
  /// - Parameters:
  ///   - plan: what part of a picture of a size to take.
  ///   - pixels: 3 · side² bytes, channel by channel, row by row.
  /// - Throws: `missingFile` or `data`, with the path.
  func read(
    _ path: String, side: Int, into pixels: inout MutableSpan<UInt8>,
    plan: (_ width: Int, _ height: Int) -> PhotoCrop
  ) throws(RigLError) {
    let count = try load(path)
    try file.withSpan { (file) throws(RigLError) in
      try decode(file.extracting(0..<count), name: path, side: side, into: &pixels, plan: plan)
    }
  }

  /// The same for a file that is in memory.
  func decode(
    _ file: Span<UInt8>, name: String, side: Int, into pixels: inout MutableSpan<UInt8>,
    plan: (_ width: Int, _ height: Int) -> PhotoCrop
  ) throws(RigLError) {
    let crop: PhotoCrop
    let reduction: Int
    if PhotoDecoder.isPNG(file) {
      let (width, height) = try decodePNG(file, name)
      (crop, reduction) = (plan(width, height), 1)
    } else if PhotoDecoder.isJPEG(file) {
      (crop, reduction) = try decodeJPEG(file, name, side: side, plan: plan)
    } else {
      throw RigLError(.data, "\(name): neither a JPEG nor a PNG file")
    }
    try resample(crop, reduction: reduction, name, side: side, into: &pixels)
  }

  /// Whether a file begins as a JPEG or a PNG file does.
  static func isPhoto(_ file: [UInt8]) -> Bool { isPNG(file.span) || isJPEG(file.span) }

  /// Whether a file's name says that it is a JPEG or PNG file.
  static func isPhoto(named name: String) -> Bool {
    let lowercased = name.lowercased()
    return [".jpg", ".jpeg", ".png"].contains { lowercased.hasSuffix($0) }
  }

  private static func isPNG(_ file: Span<UInt8>) -> Bool {
    file.count >= 8 && file[0] == 0x89 && file[1] == 0x50 && file[2] == 0x4E && file[3] == 0x47
  }

  private static func isJPEG(_ file: Span<UInt8>) -> Bool {
    file.count >= 2 && file[0] == 0xFF && file[1] == 0xD8
  }

  /// Makes sure that a buffer has room.
  private func reserve(_ buffer: inout AlignedBuffer<UInt8>, _ count: Int) {
    // Half as much again, so that a slightly larger picture needs no new memory.
    if buffer.count < count { buffer = AlignedBuffer(count: count + count / 2) }
  }

  private func load(_ path: String) throws(RigLError) -> Int {
    let open = try naming(.missingFile, path) { () throws(SystemError) in
      try OpenFile(path, .read)
    }
    let size = try naming(.missingFile, path) { () throws(SystemError) in try open.size() }
    guard let size else { throw RigLError(.missingFile, "\(path): not a regular file") }
    guard size <= PhotoDecoder.mostBytes else {
      throw RigLError(
        .data, "\(path): \(size) bytes, more than the \(PhotoDecoder.mostBytes) that are accepted")
    }
    reserve(&file, size)
    return try file.withMutableSpan { (span) throws(RigLError) in
      var bytes = unsafe span.mutableBytes
      do throws(SystemError) {
        return try open.read(into: &bytes, at: 0)
      } catch {
        throw RigLError(.missingFile, "\(path): \(error.text)")
      }
    }
  }

  // MARK: - PNG

  private func decodePNG(
    _ file: Span<UInt8>, _ name: String
  ) throws(RigLError) -> (width: Int, height: Int) {
    var image = unsafe png_image()
    unsafe image.version = UInt32(PNG_IMAGE_VERSION)
    defer { unsafe png_image_free(&image) }
    let begun: Int32 = unsafe file.withUnsafeBufferPointer { file in
      unsafe png_image_begin_read_from_memory(&image, file.baseAddress, file.count)
    }
    guard begun != 0 else { throw unsafe damaged(name, image) }
    let (width, height) = unsafe (Int(image.width), Int(image.height))
    try require(width, height, name)
    // With alpha, so that nothing is mixed with a background; the alpha is then ignored.
    unsafe image.format = UInt32(PNG_FORMAT_FLAG_COLOR | PNG_FORMAT_FLAG_ALPHA)
    reserve(&pixels, 4 * width * height)
    let finished = unsafe png_image_finish_read(
      &image, nil, pixels.base, Int32(4 * width), nil)
    guard unsafe finished != 0 && image.warning_or_error & 3 == 0 else {
      throw unsafe damaged(name, image)
    }
    size = (width, height)
    return size
  }

  private func damaged(_ name: String, _ image: png_image) -> RigLError {
    let message = unsafe withUnsafeBytes(of: image.message) { bytes in
      unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
    return RigLError(.data, "\(name): damaged PNG: \(message)")
  }

  private func require(_ width: Int, _ height: Int, _ name: String) throws(RigLError) {
    guard width > 0, height > 0, width < 1 << 20, height < 1 << 20,
      width * height <= PhotoDecoder.mostPixels
    else {
      throw RigLError(
        .data,
        "\(name): \(width) × \(height) pixels; up to \(PhotoDecoder.mostPixels) are accepted")
    }
  }

  // MARK: - JPEG

  /// Decodes at the smallest of the sizes 1, 1/2, 1/4 and 1/8 at which the crop is not smaller
  /// than what is made of it.
  private func decodeJPEG(
    _ file: Span<UInt8>, _ name: String, side: Int,
    plan: (_ width: Int, _ height: Int) -> PhotoCrop
  ) throws(RigLError) -> (PhotoCrop, reduction: Int) {
    // A new one for each picture: one that was used keeps tables, and after an error its state, so
    // that what becomes of a damaged file would depend on the file before.
    guard let jpeg = unsafe tjInitDecompress() else {
      throw RigLError(.data, "\(name): TurboJPEG could not be started")
    }
    defer { unsafe tjDestroy(jpeg) }
    var (width, height, sampling, colours): (Int32, Int32, Int32, Int32) = (0, 0, 0, 0)
    let status = unsafe file.withUnsafeBufferPointer { file in
      unsafe tjDecompressHeader3(
        jpeg, file.baseAddress, UInt(file.count), &width, &height, &sampling, &colours)
    }
    guard status == 0, width > 0, height > 0 else { throw unsafe damaged(name, jpeg) }
    let crop = plan(Int(width), Int(height))
    let reduction = crop.reduction(side: side)
    // Pixels at the right and lower edge that fill no whole one are one.
    size = (Int(width).dividedUp(by: reduction), Int(height).dividedUp(by: reduction))
    try require(size.width, size.height, name)
    let hasInk = colours == Int32(TJCS_CMYK.rawValue) || colours == Int32(TJCS_YCCK.rawValue)
    let format = hasInk ? TJPF_CMYK : TJPF_RGBX
    reserve(&pixels, 4 * size.width * size.height)
    let decoded = unsafe file.withUnsafeBufferPointer { file in
      unsafe tjDecompress2(
        jpeg, file.baseAddress, UInt(file.count), pixels.base, Int32(size.width),
        Int32(4 * size.width), Int32(size.height), Int32(format.rawValue),
        TJFLAG_LIMITSCANS | TJFLAG_STOPONWARNING)
    }
    guard decoded == 0 else { throw unsafe damaged(name, jpeg) }
    if hasInk { mixInk() }
    return (crop, reduction)
  }

  private func damaged(_ name: String, _ jpeg: tjhandle) -> RigLError {
    let message = unsafe tjGetErrorStr2(jpeg).map { unsafe String(cString: $0) } ?? "no reason"
    return RigLError(.data, "\(name): damaged JPEG: \(message)")
  }

  /// Cyan, magenta, yellow and black as Adobe writes them, 255 for no ink, to red, green and blue.
  private func mixInk() {
    for pixel in 0..<size.width * size.height {
      let black = Int(pixels[4 * pixel + 3])
      for channel in 0..<3 {
        let product = Int(pixels[4 * pixel + channel]) * black
        pixels[4 * pixel + channel] = UInt8((product + 127) / 255)
      }
    }
  }

  // MARK: - Resampling

  private func resample(
    _ crop: PhotoCrop, reduction: Int, _ name: String, side: Int,
    into target: inout MutableSpan<UInt8>
  ) throws(RigLError) {
    precondition(
      target.count >= 3 * side * side, "resample: \(target.count) bytes of \(3 * side * side)")
    let unit = 1 / Double(reduction)
    let box = cim_box(
      left: crop.left * unit, top: crop.top * unit, width: crop.width * unit,
      height: crop.height * unit)
    var clip = cim_clip(left: 0, top: 0, right: Int32(size.width), bottom: Int32(size.height))
    if crop.hidesRest {
      clip.left = Int32(box.left.rounded(.down))
      clip.top = Int32(box.top.rounded(.down))
      clip.right = min(clip.right, Int32((box.left + box.width).rounded(.up)))
      clip.bottom = min(clip.bottom, Int32((box.top + box.height).rounded(.up)))
    }
    let needed = cim_resample_workspace(clip, box, Int32(side), Int32(side))
    precondition(needed > 0, "resample: \(crop) of \(size.width) × \(size.height) pixels")
    reserve(&workspace, needed)
    let isDone = unsafe target.withUnsafeMutableBufferPointer { target in
      unsafe cim_resample(
        pixels.base, 4 * size.width, clip, box, Int32(side), Int32(side), crop.isMirrored,
        workspace.base, target.baseAddress)
    }
    precondition(isDone, "cim_resample refused \(crop) of \(size.width) × \(size.height) pixels")
  }
}
