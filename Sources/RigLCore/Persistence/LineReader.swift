/// A text file read line by line, block by block: however large it is, only a block is in memory.
struct LineReader {
  /// The path of the file.
  var path: String { file.path }
  /// The size of the file, bytes.
  var size: Int { file.size }
  /// The bytes in which the current line is.
  private(set) var block: [UInt8] = []
  /// The place of the current line in ``block``, without its end.
  private(set) var line = 0..<0
  /// The number of the current line, from 1.
  private(set) var number = 0

  private let file: InputFile
  private var chunk = [UInt8](repeating: 0, count: 1 << 18)
  private var next = 0
  private var offset = 0

  /// A line is never longer: what has no line ends is no text.
  private static let longestLine = 1 << 16

  /// Opens a file.
  ///
  /// - Throws: `RigLError(.missingFile)` if it cannot be read.
  init(_ path: String) throws(RigLError) { file = try InputFile(path) }

  /// Goes to the next line.
  ///
  /// - Returns: whether there is one.
  /// - Throws: `RigLError(.data)` for a line that is too long, `.missingFile` if the file cannot be
  ///   read on.
  mutating func advance() throws(RigLError) -> Bool {
    if number == 0 { try fill() }
    var end = next
    while true {
      while end < block.count, block[end] != UInt8(ascii: "\n") { end += 1 }
      guard end - next <= LineReader.longestLine else {
        throw RigLError(
          .data, "\(path), line \(number + 1): longer than \(LineReader.longestLine) characters")
      }
      if end < block.count { break }
      end -= next
      guard try fill() else { break }
    }
    if end == block.count, end == next { return false }
    line = next..<end
    if line.count > 0, block[end - 1] == UInt8(ascii: "\r") { line = next..<(end - 1) }
    number += 1
    next = min(end + 1, block.count)
    // A byte-order mark says nothing.
    if number == 1, block[line].starts(with: [0xEF, 0xBB, 0xBF]) {
      line = (line.lowerBound + 3)..<line.upperBound
    }
    return true
  }

  /// Adds what follows in the file, in the place of the lines before.
  @discardableResult
  private mutating func fill() throws(RigLError) -> Bool {
    block.removeSubrange(0..<next)
    next = 0
    let count = try LineReader.read(file, into: &chunk, at: offset)
    block.append(contentsOf: chunk[..<count])
    offset += count
    return count > 0
  }

  private static func read(
    _ file: InputFile, into chunk: inout [UInt8], at offset: Int
  ) throws(RigLError) -> Int {
    var span = chunk.mutableSpan
    var bytes = unsafe span.mutableBytes
    return try file.read(into: &bytes, at: offset)
  }

  /// The text of the current line, of a long one the beginning.
  var text: String { shortened(String(decoding: block[line], as: UTF8.self)) }

  /// The error for the current line.
  func problem(_ what: String, hint: String? = nil) -> RigLError {
    RigLError(.data, "\(path), line \(number): \(what)", hint: hint)
  }
}
