/// Kinds of pictures that are known by their first bytes: JPEG and PNG, which are read, and others.
package enum PictureFormat {
  /// Whether a file begins as a JPEG or a PNG file does.
  package static func isRead(_ file: [UInt8]) -> Bool { isPNG(file.span) || isJPEG(file.span) }

  /// Whether a file's name says that it is a JPEG or PNG file.
  package static func isRead(named name: String) -> Bool {
    let lowercased = name.lowercased()
    return [".jpg", ".jpeg", ".png"].contains { lowercased.hasSuffix($0) }
  }

  /// Whether a file begins as a PNG file does.
  package static func isPNG(_ file: Span<UInt8>) -> Bool {
    file.count >= 8 && file[0] == 0x89 && file[1] == 0x50 && file[2] == 0x4E && file[3] == 0x47
  }

  /// Whether a file begins as a JPEG file does.
  package static func isJPEG(_ file: Span<UInt8>) -> Bool {
    file.count >= 2 && file[0] == 0xFF && file[1] == 0xD8
  }

  /// The name of a file's format that is not read; nil: none of these.
  static func name(of file: Span<UInt8>) -> String? {
    func has(_ text: String, at place: Int = 0) -> Bool {
      let bytes = Array(text.utf8)
      guard file.count >= place + bytes.count else { return false }
      return bytes.indices.allSatisfy { file[place + $0] == bytes[$0] }
    }
    func has(_ bytes: [UInt8]) -> Bool {
      file.count >= bytes.count && bytes.indices.allSatisfy { file[$0] == bytes[$0] }
    }
    if has("RIFF") && has("WEBP", at: 8) { return "WebP" }
    if has("GIF87a") || has("GIF89a") { return "GIF" }
    // The size of the header comes at byte 14, as 4 bytes: a text that begins with BM has no zeros.
    if has("BM"), file.count < 18 || (2..<18).contains(where: { file[$0] == 0 }) { return "BMP" }
    if has([0, 0, 1, 0]) { return "ICO" }
    if has("P"), file.count > 2, [0x09, 0x0A, 0x0D, 0x20, 0x23].contains(file[2]) {
      switch file[1] {
      case UInt8(ascii: "1"), UInt8(ascii: "4"): return "PBM"
      case UInt8(ascii: "2"), UInt8(ascii: "5"): return "PGM"
      case UInt8(ascii: "3"), UInt8(ascii: "6"): return "PPM"
      default: break
      }
    }
    if has([0x49, 0x49, 0x2A, 0]) || has([0x4D, 0x4D, 0, 0x2A]) { return "TIFF" }
    if has("ftypavif", at: 4) || has("ftypavis", at: 4) { return "AVIF" }
    if ["heic", "heix", "hevc", "mif1", "msf1"].contains(where: { has("ftyp\($0)", at: 4) }) {
      return "HEIF"
    }
    if has([0xFF, 0x0A]) || has([0, 0, 0, 0x0C, 0x4A, 0x58, 0x4C, 0x20]) { return "JPEG XL" }
    if has([0, 0, 0, 0x0C, 0x6A, 0x50, 0x20, 0x20]) { return "JPEG 2000" }
    if has("8BPS") { return "Photoshop" }
    return nil
  }

  /// What is wrong with a file that is neither JPEG nor PNG.
  package static func error(_ file: Span<UInt8>, _ name: String) -> RigLError {
    if MistakenFile.isPointer(file) { return MistakenFile.pointer(name) }
    guard let format = Self.name(of: file) else {
      let kind = FileKind.name(of: file).map { ", but \($0)" } ?? ""
      return RigLError(.data, "\(name): neither a JPEG nor a PNG file\(kind)")
    }
    return RigLError(
      .data, "\(name): neither a JPEG nor a PNG file, but \(format)",
      hint: "Convert it to PNG, for example by magick \(name) NAME.png")
  }
}
