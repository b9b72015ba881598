/// Writes a safetensors file, tensor by tensor and piece by piece, from memory that it borrows.
///
/// All tensors are named at the start, because the header comes first; their elements follow in any
/// order. The bytes depend on the contents alone: names and metadata are sorted, and data lies in
/// the order of element size, largest first, and then of name, so that every tensor is aligned. The
/// file has its name when ``finish()`` has written all of it, and not before.
public struct SafetensorsWriter: ~Copyable {
  private struct Part {
    let tensor: SafetensorsTensor
    let begin: Int
    var written = 0
    var checksum = SafetensorsChecksum()
  }

  private var file: AtomicFile
  private var parts: [Part] = []
  private var indices: [String: Int] = [:]
  private var header: [UInt8]
  private let isChecksummed: Bool

  /// Starts a file.
  ///
  /// - Parameters:
  ///   - path: the path of the file.
  ///   - tensors: what the file will hold, in any order; names are unique.
  ///   - metadata: strings that come back as ``SafetensorsFile/metadata``.
  ///   - checksummed: adds a checksum to the metadata, which readers verify.
  ///   - followsLinks: whether a link at the path stays one, and the file that it leads to is replaced.
  /// - Throws: `RigLError(.write)` if the file cannot be written.
  public init(
    path: String, tensors: [SafetensorsTensor], metadata: [String: String] = [:],
    checksummed: Bool = false, followsLinks: Bool = true
  ) throws(RigLError) {
    var metadata = metadata
    if checksummed {
      trap(
        unless: metadata[SafetensorsChecksum.key] == nil,
        "metadata: \(SafetensorsChecksum.key) is taken")
      metadata[SafetensorsChecksum.key] = SafetensorsChecksum.placeholder
    }
    let ordered = tensors.sorted {
      $0.type.size != $1.type.size
        ? $0.type.size > $1.type.size : $0.name.utf8.lexicographicallyPrecedes($1.name.utf8)
    }
    var position = 0
    for tensor in ordered {
      let isNew = indices.updateValue(parts.count, forKey: tensor.name) == nil
      trap(unless: isNew && tensor.name != "__metadata__", "tensor name \(tensor.name) is taken")
      parts.append(Part(tensor: tensor, begin: position))
      position += tensor.byteCount
    }
    header = SafetensorsWriter.header(parts, metadata: metadata)
    for index in parts.indices {
      parts[index] = Part(tensor: parts[index].tensor, begin: header.count + parts[index].begin)
    }
    isChecksummed = checksummed
    var file = try AtomicFile(replacing: path, followsLinks: followsLinks)
    try file.write(header)
    self.file = file
  }

  /// Writes the next elements of a tensor, whose type is the elements'.
  ///
  /// - Throws: `RigLError(.write)`: no space, for example.
  package mutating func append<Element: SafetensorsElement>(
    _ elements: Span<Element>, to name: String
  ) throws(RigLError) {
    let type = indices[name].map { parts[$0].tensor.type }
    trap(
      unless: type == Element.safetensorsType,
      "tensor \(name): \(Element.safetensorsType) elements for \(type.map { "\($0)" } ?? "no tensor")"
    )
    // Numbers have no padding: their bytes are their value.
    try append(bytes: unsafe elements.bytes, to: name)
  }

  /// Writes the next elements of a tensor, whose type is the elements'.
  ///
  /// - Throws: `RigLError(.write)`: no space, for example.
  package mutating func append<Element: SafetensorsElement>(
    _ elements: [Element], to name: String
  ) throws(RigLError) {
    try append(elements.span, to: name)
  }

  /// Writes the next elements of a tensor, whose type is the elements'.
  ///
  /// - Throws: `RigLError(.write)`: no space, for example.
  package mutating func append<Element: SafetensorsElement>(
    _ elements: borrowing AlignedBuffer<Element>, to name: String
  ) throws(RigLError) {
    try elements.withSpan { (span) throws(RigLError) in try append(span, to: name) }
  }

  /// Writes the next elements of a tensor of `F32`.
  ///
  /// - Throws: `RigLError(.write)`: no space, for example.
  public mutating func append(_ elements: [Float], to name: String) throws(RigLError) {
    try append(elements.span, to: name)
  }

  /// Writes the next bytes of a tensor of any type.
  ///
  /// - Throws: `RigLError(.write)`: no space, for example.
  public mutating func append(bytes: RawSpan, to name: String) throws(RigLError) {
    guard let index = indices[name] else { trap("no tensor \(name) in the file") }
    let part = parts[index]
    trap(
      unless: part.written + bytes.byteCount <= part.tensor.byteCount,
      "tensor \(name): \(part.written + bytes.byteCount) bytes of \(part.tensor.byteCount)")
    try file.write(bytes, at: part.begin + part.written)
    parts[index].written += bytes.byteCount
    if isChecksummed { parts[index].checksum.append(bytes) }
  }

  /// Completes the file: it is on the disk and has its name.
  ///
  /// - Throws: `RigLError(.write)`; an older file of that name is then still there.
  public consuming func finish() throws(RigLError) {
    var checksum = SafetensorsChecksum()
    checksum.append(header)
    for part in parts {
      trap(
        unless: part.written == part.tensor.byteCount,
        "tensor \(part.tensor.name): \(part.written) bytes of \(part.tensor.byteCount) at the end")
      checksum.append(part.checksum)
    }
    if isChecksummed {
      let key = Array("\"\(SafetensorsChecksum.key)\":\"".utf8)
      guard let position = SafetensorsWriter.end(of: key, in: header) else {
        trap("a checksummed header without its key")
      }
      try file.write(Array(checksum.digits.utf8), at: position)
    }
    try file.commit()
  }

  /// The header with its length before it and spaces after it, a multiple of 8 bytes.
  private static func header(_ parts: [Part], metadata: [String: String]) -> [UInt8] {
    var members: [String] = []
    if !metadata.isEmpty {
      let strings = metadata.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        .map { "\(json($0.key)):\(json($0.value))" }
      members.append("\"__metadata__\":{\(strings.joined(separator: ","))}")
    }
    for part in parts.sorted(by: {
      $0.tensor.name.utf8.lexicographicallyPrecedes($1.tensor.name.utf8)
    }) {
      let (tensor, begin) = (part.tensor, part.begin)
      let shape = tensor.shape.map(String.init).joined(separator: ",")
      members.append(
        "\(json(tensor.name)):{\"dtype\":\"\(tensor.type.rawValue)\",\"shape\":[\(shape)],"
          + "\"data_offsets\":[\(begin),\(begin + tensor.byteCount)]}")
    }
    var text = Array("{\(members.joined(separator: ","))}".utf8)
    text += Array(repeating: UInt8(ascii: " "), count: -text.count & 7)
    trap(
      unless: text.count <= SafetensorsHeader.longest, "a safetensors header of \(text.count) bytes"
    )
    let length = (0..<8).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) }
    return length + text
  }

  /// A string in JSON.
  private static func json(_ string: String) -> String {
    var text = "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\u{0}"..<" ":
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text + "\""
  }

  /// Where the first occurrence of some bytes ends.
  private static func end(of pattern: [UInt8], in bytes: [UInt8]) -> Int? {
    (0...max(0, bytes.count - pattern.count))
      .first { bytes[$0...].starts(with: pattern) }
      .map { $0 + pattern.count }
  }
}
