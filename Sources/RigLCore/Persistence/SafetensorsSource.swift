/// The bytes of a safetensors file: on disk, or in memory.
enum SafetensorsSource {
  case file(InputFile)
  case memory([UInt8])

  /// Fills `bytes` from `offset` on; a file that ends before is damaged.
  func fill(_ bytes: inout MutableRawSpan, at offset: Int, path: String) throws(RigLError) {
    let read: Int
    switch self {
    case .file(let file): read = try file.read(into: &bytes, at: offset)
    case .memory(let contents):
      read = max(0, min(bytes.byteCount, contents.count - offset))
      for index in 0..<read {
        bytes.storeBytes(of: contents[offset + index], toByteOffset: index, as: UInt8.self)
      }
    }
    guard read == bytes.byteCount else {
      throw RigLError(
        .data, "\(path): cut short: \(read) of \(bytes.byteCount) bytes at byte \(offset)")
    }
  }

  /// The bytes of a range.
  func bytes(at offset: Int, count: Int, path: String) throws(RigLError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var span = bytes.mutableSpan
    var raw = unsafe span.mutableBytes
    try fill(&raw, at: offset, path: path)
    return bytes
  }
}
