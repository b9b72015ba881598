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
    guard status == Z_OK else {
      throw RigLError(.memory, "\(name): out of memory: zlib returned \(status)")
    }
  }

  deinit {
    unsafe inflateEnd(stream)
    unsafe stream.deallocate()
  }

  /// The most bytes that data may decompress to: one of its bytes never becomes more than 1032.
  static func mostBytes(of input: [UInt8]) -> Int { input.count * 1032 }

  /// Decompresses some bytes, fewer only at the end. Memory is used as far as it is filled.
  mutating func read(_ count: Int) throws(RigLError) -> [UInt8] {
    try requireAllocation(bytes: count, for: name)
    var problem: RigLError?
    // Closures of the standard library that take uninitialized memory throw no errors of a type.
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { output, filled in
      do throws(RigLError) {
        while filled < count && hasMore {
          filled += unsafe try step(UnsafeMutableBufferPointer(rebasing: output[filled...]))
        }
      } catch {
        problem = error
      }
    }
    if let problem { throw problem }
    return bytes
  }

  /// Whether there is something left to decompress. Files are padded with zeros where blocks are
  /// written whole: those after the last member are none of it.
  private var hasMore: Bool {
    mutating get {
      if state == .within { return true }
      if position > 0, input[position...].allSatisfy({ $0 == 0 }) { position = input.count }
      return position < input.count
    }
  }

  /// One call of zlib.
  private mutating func step(
    _ output: UnsafeMutableBufferPointer<UInt8>
  ) throws(RigLError) -> Int {
    // zlib counts in 32 bits.
    let available = UInt32(clamping: input.count - position)
    let room = UInt32(clamping: output.count)
    let status = unsafe input.withUnsafeBufferPointer { input in
      // zlib reads only; its type lacks the const.
      unsafe stream.pointee.next_in = UnsafeMutablePointer(
        mutating: input.baseAddress.map { unsafe $0 + position })
      unsafe stream.pointee.avail_in = available
      unsafe stream.pointee.next_out = output.baseAddress
      unsafe stream.pointee.avail_out = room
      return unsafe inflate(stream, Z_NO_FLUSH)
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
    case Z_MEM_ERROR:
      throw RigLError(.memory, "\(name): out of memory: zlib needs some to decompress it")
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
