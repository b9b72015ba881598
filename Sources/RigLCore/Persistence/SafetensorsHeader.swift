/// The header of a safetensors file, checked against the file's size.
struct SafetensorsHeader {
  /// A tensor and where its bytes begin in the file.
  struct Entry {
    let tensor: SafetensorsTensor
    let begin: Int
  }

  /// A header is never longer, so that a damaged length cannot fill the memory; other readers of the
  /// format have the same limit.
  static let longest = 100_000_000

  private(set) var entries: [String: Entry] = [:]
  private(set) var metadata: [String: String] = [:]
  /// Where the digits of the checksum begin in the file, if there is one.
  private(set) var checksumPosition: Int?

  /// Checks the eight bytes before the header, which say how long it is.
  static func length(_ prefix: [UInt8], fileSize: Int) throws(HeaderProblem) -> Int {
    guard prefix.count == 8, fileSize >= 8 else {
      throw HeaderProblem("\(fileSize) bytes are too few for a safetensors file")
    }
    let length = prefix.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard length <= UInt64(longest) else {
      throw HeaderProblem("a header of \(length) bytes is longer than \(longest)")
    }
    guard length <= UInt64(fileSize - 8) else {
      throw HeaderProblem("a header of \(length) bytes does not fit in a file of \(fileSize)")
    }
    return Int(length)
  }

  /// Reads the header, after the eight bytes of its length, of a file whose data is `dataSize` bytes.
  init(_ bytes: [UInt8], dataSize: Int) throws(HeaderProblem) {
    var scanner = HeaderScanner(bytes, from: 8)
    var extents: [(begin: Int, end: Int, tensor: SafetensorsTensor)] = []
    try scanner.object { (scanner, name) throws(HeaderProblem) in
      if name == "__metadata__" {
        try readMetadata(&scanner)
      } else {
        let (tensor, begin, end) = try SafetensorsHeader.readTensor(&scanner, name: name)
        entries[name] = Entry(tensor: tensor, begin: bytes.count + begin)
        extents.append((begin, end, tensor))
      }
    }
    try scanner.expectOnlySpaces()
    extents.sort { ($0.begin, $0.end) < ($1.begin, $1.end) }
    var position = 0
    for (begin, end, tensor) in extents {
      guard begin == position else {
        throw HeaderProblem(
          "tensor \(tensor.name): its data begins at \(begin), "
            + (begin < position ? "inside another's, which ends" : "after a hole that begins")
            + " at \(position)")
      }
      position = end
    }
    guard position == dataSize else {
      throw HeaderProblem(
        position < dataSize
          ? "\(dataSize - position) bytes after the last tensor"
          : "cut short: \(dataSize) of \(position) bytes of data")
    }
  }

  private mutating func readMetadata(_ scanner: inout HeaderScanner) throws(HeaderProblem) {
    try scanner.object { (scanner, key) throws(HeaderProblem) in
      guard scanner.isAtString else { throw scanner.problem("metadata \(key): not a string") }
      let position = scanner.position
      let value = try scanner.string()
      metadata[key] = value
      if key == SafetensorsChecksum.key && scanner.position - position == value.utf8.count + 2 {
        checksumPosition = position + 1
      }
    }
  }

  private static func readTensor(
    _ scanner: inout HeaderScanner, name: String
  ) throws(HeaderProblem) -> (SafetensorsTensor, begin: Int, end: Int) {
    var (type, shape, offsets): (SafetensorsType?, [Int]?, [Int]?) = (nil, nil, nil)
    try scanner.object { (scanner, key) throws(HeaderProblem) in
      switch key {
      case "dtype":
        let text = try scanner.string()
        type = SafetensorsType(rawValue: text)
        if type == nil { throw scanner.problem("tensor \(name): unknown dtype \(text)") }
      case "shape": shape = try scanner.integers()
      case "data_offsets": offsets = try scanner.integers()
      default: throw scanner.problem("tensor \(name): unknown key \(key)")
      }
    }
    guard let type, let shape, let offsets else {
      let missing = type == nil ? "dtype" : shape == nil ? "shape" : "data_offsets"
      throw scanner.problem("tensor \(name): no \(missing)")
    }
    guard offsets.count == 2, offsets[0] <= offsets[1] else {
      throw scanner.problem("tensor \(name): data_offsets \(offsets) are not a range")
    }
    guard let count = SafetensorsTensor.count(type, shape: shape) else {
      throw scanner.problem("tensor \(name): a shape of \(shape) is too large")
    }
    guard count * type.size == offsets[1] - offsets[0] else {
      throw scanner.problem(
        "tensor \(name): \(offsets[1] - offsets[0]) bytes for shape \(shape) of \(type.rawValue), "
          + "which takes \(count * type.size)")
    }
    let tensor = SafetensorsTensor(name: name, type: type, shape: shape, count: count)
    return (tensor, offsets[0], offsets[1])
  }
}

/// What is wrong with a file's bytes; the reader adds the path.
struct HeaderProblem: Error {
  let what: String

  init(_ what: String) { self.what = what }
}
