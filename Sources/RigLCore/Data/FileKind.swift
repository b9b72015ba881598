/// Kinds of files that hold no samples, known by their first bytes, whatever their names say.
enum FileKind {
  /// What a file is, with its article; nil: none of these.
  static func name(of file: Span<UInt8>) -> String? {
    func has(_ bytes: [UInt8], at place: Int = 0) -> Bool {
      file.count >= place + bytes.count
        && bytes.indices.allSatisfy { file[place + $0] == bytes[$0] }
    }
    for (mark, name) in marks where has(mark) { return name }
    if has(Array("ftyp".utf8), at: 4) { return "a video or sound in MP4" }
    if has(Array("RIFF".utf8)) {
      if has(Array("AVI ".utf8), at: 8) { return "an AVI video" }
      if has(Array("WAVE".utf8), at: 8) { return "a WAV sound" }
    }
    // The header's length, and the header.
    if has([UInt8(ascii: "{"), UInt8(ascii: "\"")], at: 8), has([0, 0, 0], at: 5) {
      return "a safetensors file"
    }
    return markup(file)
  }

  private static let marks: [([UInt8], String)] = [
    (Array("%PDF-".utf8), "a PDF document"), (Array("%!PS".utf8), "a PostScript document"),
    (Array("{\\rtf".utf8), "an RTF document"), ([0x7F] + Array("ELF".utf8), "a program or library"),
    ([0xCF, 0xFA, 0xED, 0xFE], "a program or library"), (Array("#!".utf8), "a script"),
    ([0xCA, 0xFE, 0xBA, 0xBE], "a program or library"), (Array("GGUF".utf8), "a GGUF file"),
    (Array("SQLite format 3\0".utf8), "an SQLite database"), ([0x93] + Array("NUMPY".utf8), numPy),
    ([0x89] + Array("HDF\r\n".utf8), "an HDF5 file"), (Array("PAR1".utf8), "a Parquet file"),
    ([0x1A, 0x45, 0xDF, 0xA3], "a Matroska or WebM video"), (Array("ID3".utf8), "an MP3 sound"),
    (Array("OggS".utf8), "an Ogg file"), (Array("fLaC".utf8), "a FLAC sound"),
    (Array("PK\u{3}\u{4}".utf8), "a ZIP archive"), ([0x80, 2], pickle), ([0x80, 3], pickle),
    ([0x80, 4], pickle), ([0x80, 5], pickle),
  ]

  private static let numPy = "a NumPy array"
  private static let pickle = "a Python pickle"

  /// Pages and drawings, after white space and a byte-order mark.
  private static func markup(_ file: Span<UInt8>) -> String? {
    var bytes = (0..<min(file.count, 512)).map { file[$0] }
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes.removeFirst(3) }
    let rest = bytes.drop { [0x20, 0x09, 0x0A, 0x0D].contains($0) }
    let text = String(decoding: rest, as: UTF8.self).lowercased()
    guard text.hasPrefix("<") else { return nil }
    if text.contains("<svg") { return "an SVG drawing" }
    if text.hasPrefix("<!doctype html") || text.hasPrefix("<html") { return "a page of HTML" }
    return text.hasPrefix("<?xml") ? "an XML document" : nil
  }

  /// Whether a file cannot be a text: there are bytes near its beginning that no text has.
  static func isBinary(_ file: Span<UInt8>) -> Bool {
    (0..<min(file.count, 512)).contains { index in
      let byte = file[index]
      return byte < 0x20 && ![0x09, 0x0A, 0x0C, 0x0D].contains(byte) || byte == 0x7F
    }
  }
}
