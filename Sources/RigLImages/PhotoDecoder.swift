internal import CImages
import RigLCore

/// Decodes JPEG and PNG files, one at a time, in memory that is kept from one to the next.
///
/// A thread needs one of its own. A picture of which image data is missing or damaged is an error,
/// even where a library would make something up; remarks that leave every pixel as it is are not.
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
  /// Pixels beyond which a picture is refused, by the size that its file says: 512 MiB decoded.
  static let mostPixels = 1 << 27
  /// Pixels of a side beyond which a picture is refused.
  static let mostSide = (1 << 20) - 1
  /// Bytes beyond which what a JPEG of several scans needs while it is decoded is refused.
  static let mostCoefficientBytes = 1 << 29
  /// Bytes beyond which memory is not kept for the next picture.
  private static let mostKept = 1 << 26

  /// Reads a file and makes of it what `plan` says, `side`² pixels of three channels.
  ///
  /// - Parameters:
  ///   - plan: what part of a picture of a size to take.
  ///   - pixels: 3 · side² bytes, channel by channel, row by row.
  /// - Throws: `missingFile`, `data`, or `memory` where there is not enough; with the path.
  func read(
    _ path: String, side: Int, into pixels: inout MutableSpan<UInt8>,
    plan: (_ width: Int, _ height: Int) -> PhotoCrop
  ) throws(RigLError) {
    defer { releaseUnusual() }
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
    if PictureFormat.isPNG(file) {
      let (width, height) = try decodePNG(file, name)
      (crop, reduction) = (plan(width, height), 1)
    } else if PictureFormat.isJPEG(file) {
      (crop, reduction) = try decodeJPEG(file, name, side: side, plan: plan)
    } else {
      throw PictureFormat.error(file, name)
    }
    try resample(crop, reduction: reduction, name, side: side, into: &pixels)
  }

  /// Makes sure that a buffer has room.
  ///
  /// - Throws: `memory`, naming the picture `name`.
  private func reserve(
    _ buffer: inout AlignedBuffer<UInt8>, _ count: Int, _ name: String
  ) throws(RigLError) {
    guard buffer.count < count else { return }
    buffer = AlignedBuffer(count: 0)
    // Half as much again, so that a slightly larger picture needs no new memory, where there is that.
    let wanted = max(count, min(count + count / 2, PhotoDecoder.mostKept))
    do throws(RigLError) {
      buffer = try AlignedBuffer(count: wanted, for: name)
    } catch {
      buffer = try AlignedBuffer(count: count, for: name)
    }
  }

  /// Gives back what a picture of unusual size has taken: every thread has a decoder.
  private func releaseUnusual() {
    if pixels.count > PhotoDecoder.mostKept { pixels = AlignedBuffer(count: 0) }
    if file.count > PhotoDecoder.mostKept { file = AlignedBuffer(count: 0) }
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
    try reserve(&file, size, path)
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
    var (width, height): (UInt32, UInt32) = (0, 0)
    var message = cim_message()
    let isPNG = unsafe file.withUnsafeBufferPointer { file in
      unsafe cim_png_size(file.baseAddress, file.count, &width, &height)
    }
    guard isPNG else { throw RigLError(.data, "\(name): damaged PNG: it has no header") }
    try require(Int(width), Int(height), name)
    try reserve(&pixels, 4 * Int(width) * Int(height), name)
    let status = unsafe file.withUnsafeBufferPointer { file in
      unsafe cim_png_read(file.baseAddress, file.count, width, height, pixels.base, &message)
    }
    try check(status, message, "PNG", name)
    size = (Int(width), Int(height))
    return size
  }

  private func require(
    _ width: Int, _ height: Int, coefficientBytes: UInt64 = 0, _ name: String
  ) throws(RigLError) {
    guard max(width, height) <= PhotoDecoder.mostSide else {
      throw RigLError(
        .data,
        "\(name): \(width) × \(height) pixels; sides of up to \(PhotoDecoder.mostSide) are accepted",
        hint: "Make it smaller, or remove it.")
    }
    guard width * height <= PhotoDecoder.mostPixels else {
      throw RigLError(
        .data,
        "\(name): \(width) × \(height) pixels; up to \(PhotoDecoder.mostPixels) are accepted",
        hint: "Make it smaller, or remove it.")
    }
    guard coefficientBytes <= UInt64(PhotoDecoder.mostCoefficientBytes) else {
      throw RigLError(
        .data,
        "\(name): \(width) × \(height) pixels in several scans, which take \(coefficientBytes) "
          + "bytes; up to \(PhotoDecoder.mostCoefficientBytes) are accepted",
        hint: "Save it as a JPEG that is not progressive, or make it smaller.")
    }
  }

  private func check(
    _ status: cim_status, _ message: cim_message, _ format: String, _ name: String
  ) throws(RigLError) {
    guard status != cim_status_ok else { return }
    let text = unsafe withUnsafeBytes(of: message.text) { bytes in
      unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
    switch status {
    case cim_status_damaged: throw RigLError(.data, "\(name): damaged \(format): \(text)")
    case cim_status_unsupported:
      throw RigLError(
        .data, "\(name): a kind of \(format) that is not read: \(text)",
        hint: "Save it as an ordinary \(format) file of 8 bits a colour.")
    default:
      throw RigLError(
        .memory, "\(name): out of memory: there is not enough to decode it", hint: memoryHint)
    }
  }

  // MARK: - JPEG

  /// Decodes at the smallest of the sizes 1, 1/2, 1/4 and 1/8 at which the crop is not smaller
  /// than what is made of it.
  private func decodeJPEG(
    _ file: Span<UInt8>, _ name: String, side: Int,
    plan: (_ width: Int, _ height: Int) -> PhotoCrop
  ) throws(RigLError) -> (PhotoCrop, reduction: Int) {
    var header = cim_jpeg_header()
    var message = cim_message()
    var status = unsafe file.withUnsafeBufferPointer { file in
      unsafe cim_jpeg_read_header(file.baseAddress, file.count, &header, &message)
    }
    try check(status, message, "JPEG", name)
    let (width, height) = (Int(header.width), Int(header.height))
    try require(width, height, coefficientBytes: header.coefficient_bytes, name)
    let crop = plan(width, height)
    let reduction = crop.reduction(side: side)
    // Pixels at the right and lower edge that fill no whole one are one.
    size = (width.dividedUp(by: reduction), height.dividedUp(by: reduction))
    try reserve(&pixels, 4 * size.width * size.height, name)
    // libjpeg would take the last memory, and leave none to the other threads.
    try requireAllocation(bytes: Int(header.coefficient_bytes), for: name)
    status = unsafe file.withUnsafeBufferPointer { file in
      unsafe cim_jpeg_read(
        file.baseAddress, file.count, Int32(reduction), pixels.base, &message)
    }
    try check(status, message, "JPEG", name)
    if header.has_ink { mixInk() }
    return (crop, reduction)
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
    trap(
      unless: target.count >= 3 * side * side,
      "resample: \(target.count) bytes of \(3 * side * side)")
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
    trap(unless: needed > 0, "resample: \(crop) of \(size.width) × \(size.height) pixels")
    try reserve(&workspace, needed, name)
    let isDone = unsafe target.withUnsafeMutableBufferPointer { target in
      unsafe cim_resample(
        pixels.base, 4 * size.width, clip, box, Int32(side), Int32(side), crop.isMirrored,
        workspace.base, target.baseAddress)
    }
    trap(unless: isDone, "cim_resample refused \(crop) of \(size.width) × \(size.height) pixels")
  }
}
