internal import CZlib

/// Decompresses gzip data that is in memory, piece by piece, and checks its lengths and sums.
///
/// Never more is decompressed than is asked for, so what a file claims costs nothing.
@safe
struct Inflater: ~Copyable {
  private let name: String
  private let input: [UInt8]
  private var position = 0
  private var state = State.between
  // On the heap: zlib keeps a pointer to it.
  private let stream: UnsafeMutablePointer<z_stream>

  private enum State {
    /// Before, between or after members; a file may consist of several.
    case between
    case within
  }

  /// Whether data starts as gzip does.
  static func isGzip(_ bytes: [UInt8]) -> Bool {
    bytes.count >= 2 && bytes[0] == 0x1F && bytes[1] == 0x8B
  }

  /// - Parameter name: the file's path, for errors.
  init(_ input: [UInt8], name: String) throws(RigLError) {
    self.input = input
    self.name = name
    unsafe stream = .allocate(capacity: 1)
    unsafe stream.initialize(to: z_stream())
    let gzipOnly: Int32 = 15 + 16
    let status = unsafe inflateInit2_(
      stream, gzipOnly, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    guard status == Z_OK else { throw RigLError(.data, "\(name): zlib returned \(status)") }
  }

  deinit {
    unsafe inflateEnd(stream)
    unsafe stream.deallocate()
  }

  /// Decompresses into `output[range]`; returns how many bytes that were, fewer only at the end.
  mutating func read(into output: inout [UInt8], _ range: Range<Int>) throws(RigLError) -> Int {
    precondition(range.lowerBound >= 0 && range.upperBound <= output.count, "Inflater: \(range)")
    var filled = 0
    while filled < range.count && (state == .within || position < input.count) {
      filled += try step(&output, range.dropFirst(filled))
    }
    return filled
  }

  /// One call of zlib.
  private mutating func step(_ output: inout [UInt8], _ range: Range<Int>) throws(RigLError) -> Int
  {
    // zlib counts in 32 bits.
    let available = UInt32(clamping: input.count - position)
    let room = UInt32(clamping: range.count)
    let status = unsafe input.withUnsafeBufferPointer { input in
      unsafe output.withUnsafeMutableBufferPointer { output in
        // zlib reads only; its type lacks the const.
        unsafe stream.pointee.next_in = UnsafeMutablePointer(
          mutating: input.baseAddress.map { unsafe $0 + position })
        unsafe stream.pointee.avail_in = available
        unsafe stream.pointee.next_out = output.baseAddress.map { unsafe $0 + range.lowerBound }
        unsafe stream.pointee.avail_out = room
        return unsafe inflate(stream, Z_NO_FLUSH)
      }
    }
    let consumed = unsafe Int(available - stream.pointee.avail_in)
    let produced = unsafe Int(room - stream.pointee.avail_out)
    position += consumed
    switch status {
    case Z_OK where consumed > 0 || produced > 0:
      state = .within
    case Z_STREAM_END:
      state = .between
      unsafe inflateReset(stream)
    case Z_OK, Z_BUF_ERROR:
      throw RigLError(
        .data, "\(name): the gzip data ends too early, at byte \(input.count)",
        hint: "The file is incomplete: download or copy it again.")
    default:
      let message = unsafe stream.pointee.msg.map { unsafe String(cString: $0) }
      throw RigLError(
        .data, "\(name): damaged gzip data before byte \(position): \(message ?? "\(status)")",
        hint: "Download or copy the file again.")
    }
    return produced
  }
}
