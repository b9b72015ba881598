internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// The use of memory, to be named where there is none left.
enum MemoryUse: UInt8 {
  case work, data, network, optimizer, batch

  private var name: String {
    switch self {
    case .work: "the work at hand"
    case .data: "the data"
    case .network: "the network"
    case .optimizer: "the optimizer and topology updates"
    case .batch: "batches"
    }
  }

  /// The use of the memory that this process takes now.
  static var current: MemoryUse {
    get { MemoryUse(rawValue: use.load(ordering: .relaxed)) ?? .work }
    set { use.store(newValue.rawValue, ordering: .relaxed) }
  }

  fileprivate static var sentence: String { current.name }
}

private let use = Atomic<UInt8>(0)

/// Memory of at least one byte, aligned to 64 bytes, its bytes all zero; ``freeAligned(_:bytes:)`` gives it
/// back. Much memory is pages of its own, which go back to the system when they are freed: an allocator
/// may keep what was freed, and the network that is pruned would stay as large as it was.
///
/// nil: there is none. Much memory is taken only where some is left afterwards for the rest of the
/// process, which cannot go on without.
func allocateAligned(bytes: Int) -> UnsafeMutableRawPointer? {
  _ = unsafe emergency  // Made now, not when it is too late.
  if bytes >= muchMemory {
    guard let memory = unsafe map(bytes: bytes) else { return nil }
    if canMap(bytes: restOfProcess) { return unsafe memory }
    unsafe munmap(memory, bytes)
    return nil
  }
  var memory: UnsafeMutableRawPointer?
  let status = unsafe posix_memalign(&memory, 64, max(bytes, 64))
  guard status == 0, let memory = unsafe memory else { return nil }
  unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
  return unsafe memory
}

/// Frees memory of ``allocateAligned(bytes:)``, of so many bytes.
func freeAligned(_ memory: UnsafeMutableRawPointer, bytes: Int) {
  if bytes >= muchMemory { unsafe munmap(memory, bytes) } else { unsafe free(memory) }
}

/// Bytes from which on memory is pages of its own.
private let muchMemory = 1 << 20

/// Throws where there is no memory for something that the Swift runtime will allocate, which ends the
/// process without a word where it cannot.
package func requireAllocation(bytes: Int, for what: @autoclosure () -> String) throws(RigLError) {
  guard bytes >= muchMemory, !canMap(bytes: bytes + restOfProcess) else { return }
  throw noMemory(bytes: bytes, for: what())
}

/// The error of memory that the system does not give.
func noMemory(bytes: Int, for what: String) -> RigLError {
  RigLError(.memory, "out of memory: \(bytes) bytes needed for \(what)", hint: memoryHint)
}

/// What to do where the system gives no memory.
package let memoryHint =
  "Raise the limit of memory (ulimit -v, or the container's), or end other programs."

/// Ends the process where an allocation of so many bytes has failed, with a line that says how much
/// was needed and for what, and the status of ``RigLError/Kind/memory``: by then there is not enough to
/// do anything else.
func endWithoutMemory(bytes: Int) -> Never {
  // Makes room for the words.
  unsafe free(emergency)
  let line =
    "rigl: out of memory: \(bytes) bytes needed for \(MemoryUse.sentence); raise the limit of "
    + "memory, or choose smaller layers or batches\n"
  unsafe Array(line.utf8).withUnsafeBytes { bytes in
    _ = unsafe write(STDERR_FILENO, bytes.baseAddress, bytes.count)
  }
  _exit(RigLError.Kind.memory.rawValue)
}

/// Bytes that small allocations of the rest of the process may need.
private let restOfProcess = 16 << 20

private nonisolated(unsafe) let emergency = unsafe malloc(1 << 16)

/// Whether the system would give the process that many more bytes now.
private func canMap(bytes: Int) -> Bool {
  guard let memory = unsafe map(bytes: bytes) else { return false }
  unsafe munmap(memory, bytes)
  return true
}

/// Pages of zeros; nil: the system gives none.
private func map(bytes: Int) -> UnsafeMutableRawPointer? {
  let memory = unsafe mmap(
    nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
  guard let memory = unsafe memory, Int(bitPattern: memory) != -1 else { return nil }
  return unsafe memory
}
