/// A safetensors file that is read as its tensors are asked for.
///
/// Opening it reads the header and checks every length in it against the file, so that the sizes
/// in ``tensors`` are true: whatever is in the file, nothing larger than it is allocated. Every error
/// names the path.
public final class SafetensorsFile: Sendable {
  /// The path of the file.
  package let path: String
  /// The strings in the header.
  public let metadata: [String: String]
  /// The tensors, sorted by name.
  public let tensors: [SafetensorsTensor]

  /// The size of the file, bytes.
  package let size: Int

  private let source: SafetensorsSource
  private let header: SafetensorsHeader
  private let headerBytes: [UInt8]

  /// Opens a file.
  ///
  /// - Throws: `RigLError(.missingFile)` if it cannot be read, `RigLError(.data)` if it is damaged
  ///   or something else.
  public convenience init(path: String) throws(RigLError) {
    let file = try InputFile(path)
    try self.init(.file(file), size: file.size, path: path)
  }

  /// Reads a file that is in memory; errors call it `name`.
  ///
  /// - Throws: `RigLError(.data)` if it is damaged or something else.
  package convenience init(bytes: [UInt8], name: String) throws(RigLError) {
    try self.init(.memory(bytes), size: bytes.count, path: name)
  }

  private init(_ source: SafetensorsSource, size: Int, path: String) throws(RigLError) {
    let prefix = try source.bytes(at: 0, count: min(8, size), path: path)
    let hint = SafetensorsFile.hint(for: prefix, path: path)
    let length = try SafetensorsFile.checking(path, hint: hint) { () throws(HeaderProblem) in
      try SafetensorsHeader.length(prefix, fileSize: size)
    }
    let bytes = try source.bytes(at: 0, count: 8 + length, path: path)
    header = try SafetensorsFile.checking(path) { () throws(HeaderProblem) in
      try SafetensorsHeader(bytes, dataSize: size - bytes.count)
    }
    headerBytes = bytes
    self.source = source
    self.size = size
    self.path = path
    metadata = header.metadata
    tensors = header.entries.values.map(\.tensor)
      .sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
  }

  /// What a file is that does not begin as these do; nil: unknown.
  private static func hint(for prefix: [UInt8], path: String) -> String? {
    let write = "safetensors.torch.save_file(state_dict, path)."
    if prefix.starts(with: Array("PK\u{3}\u{4}".utf8)) || prefix.starts(with: [0x80, 2]) {
      return "It looks like PyTorch's own format: load it there, and write it by \(write)"
    }
    if path.hasSuffix(".index.json") || prefix.first == UInt8(ascii: "{") {
      return "It looks like the list of a model in several parts: load them together in PyTorch, "
        + "and write one file by \(write)"
    }
    return prefix.starts(with: Array("version ".utf8))
      ? "It looks like a Git LFS pointer. \(MistakenFile.pointerHint)" : nil
  }

  /// What the names of tensors that nobody asked for say of the file; nil: nothing.
  var hintOfNames: String? {
    if tensors.contains(where: { $0.name.hasSuffix("_orig") }) {
      return "torch.nn.utils.prune writes NAME_orig and NAME_mask: before saving, call "
        + "prune.remove(module, 'weight') for each pruned module."
    }
    if path.contains("-of-") {
      return "It looks like one part of a model in several: load them together in PyTorch, and "
        + "write one file."
    }
    return nil
  }

  // MARK: - Tensors

  /// The tensor of a name, or nil.
  package subscript(name: String) -> SafetensorsTensor? { header.entries[name]?.tensor }

  /// The tensor of a name, of the type and shape that it must have.
  ///
  /// - Throws: `RigLError(.data)` if there is none, or another.
  @discardableResult
  package func require(
    _ name: String, _ type: SafetensorsType? = nil, shape: [Int]? = nil
  ) throws(RigLError) -> SafetensorsTensor {
    guard let tensor = self[name] else { throw problem(name, "is not in the file") }
    if let type, tensor.type != type {
      throw problem(name, "is \(tensor.type.rawValue), expected \(type.rawValue)")
    }
    if let shape, tensor.shape != shape {
      throw problem(name, "has shape \(tensor.shape), expected \(shape)")
    }
    return tensor
  }

  /// Reads a tensor into memory that has its number of elements.
  ///
  /// - Throws: `RigLError(.data)` if there is none, or another, or the file has changed since it was
  ///   opened; `RigLError(.missingFile)` if it cannot be read.
  package func read<Element: SafetensorsElement>(
    _ name: String, shape: [Int]? = nil, into elements: inout MutableSpan<Element>
  ) throws(RigLError) {
    let tensor = try require(name, Element.safetensorsType, shape: shape)
    guard tensor.count == elements.count else {
      throw problem(name, "has \(tensor.count) elements, expected \(elements.count)")
    }
    // Numbers have no padding: any bytes are a value.
    var bytes = unsafe elements.mutableBytes
    try source.fill(&bytes, at: header.entries[name]?.begin ?? 0, path: path)
  }

  /// Reads a tensor into a buffer that has its number of elements.
  ///
  /// - Throws: as reading into a buffer.
  package func read<Element: SafetensorsElement>(
    _ name: String, shape: [Int]? = nil, into buffer: inout AlignedBuffer<Element>
  ) throws(RigLError) {
    try buffer.withMutableSpan { (span) throws(RigLError) in
      try read(name, shape: shape, into: &span)
    }
  }

  /// Reads a tensor.
  ///
  /// - Throws: as reading into a buffer.
  package func elements<Element: SafetensorsElement>(
    _ name: String, of type: Element.Type = Element.self, shape: [Int]? = nil
  ) throws(RigLError) -> [Element] {
    let tensor = try require(name, Element.safetensorsType, shape: shape)
    var elements = [Element](repeating: .zero, count: tensor.count)
    var span = elements.mutableSpan
    try read(name, into: &span)
    return elements
  }

  /// Reads the bytes of a tensor of any type.
  ///
  /// - Throws: as reading into a buffer.
  package func bytes(_ name: String) throws(RigLError) -> [UInt8] {
    let tensor = try require(name)
    let begin = header.entries[name]?.begin ?? 0
    return try source.bytes(at: begin, count: tensor.byteCount, path: path)
  }

  /// Reads a tensor of `F32`, of a shape if one is given.
  public func float32(_ name: String, shape: [Int]? = nil) throws(RigLError) -> [Float] {
    try elements(name, shape: shape)
  }

  /// Reads a tensor of `F64`, of a shape if one is given.
  package func float64(_ name: String, shape: [Int]? = nil) throws(RigLError) -> [Double] {
    try elements(name, shape: shape)
  }

  /// Reads a tensor of `I32`, of a shape if one is given.
  package func int32(_ name: String, shape: [Int]? = nil) throws(RigLError) -> [Int32] {
    try elements(name, shape: shape)
  }

  /// Reads a tensor of `I64`, of a shape if one is given.
  package func int64(_ name: String, shape: [Int]? = nil) throws(RigLError) -> [Int64] {
    try elements(name, shape: shape)
  }

  /// Reads a tensor of `U8`, of a shape if one is given.
  package func uint8(_ name: String, shape: [Int]? = nil) throws(RigLError) -> [UInt8] {
    try elements(name, shape: shape)
  }

  // MARK: - Checksum

  /// Reads the whole file, block by block, and compares it with its checksum.
  ///
  /// - Returns: whether the file has one; those of other programs do not.
  /// - Throws: `RigLError(.data)` if it does not match, `RigLError(.missingFile)` if the file cannot
  ///   be read.
  @discardableResult
  package func verifyChecksum() throws(RigLError) -> Bool {
    guard let expected = metadata[SafetensorsChecksum.key] else { return false }
    let placeholder = Array(SafetensorsChecksum.placeholder.utf8)
    guard let digits = header.checksumPosition, expected.utf8.count == placeholder.count else {
      throw RigLError(.data, "\(path): damaged: its checksum is not eight digits")
    }
    var head = headerBytes
    head.replaceSubrange(digits..<(digits + placeholder.count), with: placeholder)
    var checksum = SafetensorsChecksum()
    checksum.append(head)
    var position = head.count
    while position < size {
      let count = min(1 << 20, size - position)
      checksum.append(try source.bytes(at: position, count: count, path: path))
      position += count
    }
    guard checksum.digits == expected else {
      throw RigLError(
        .data, "\(path): damaged: its checksum is \(checksum.digits), expected \(expected)")
    }
    return true
  }

  private static func checking<Result>(
    _ path: String, hint: String? = nil, _ body: () throws(HeaderProblem) -> Result
  ) throws(RigLError) -> Result {
    do throws(HeaderProblem) {
      return try body()
    } catch {
      throw RigLError(
        .data, "\(path): not a readable safetensors file: \(error.what)", hint: hint)
    }
  }

  func problem(_ name: String, _ what: String) -> RigLError {
    RigLError(.data, "\(path): tensor \(name) \(what)")
  }
}
