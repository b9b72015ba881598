#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// A fixed number of elements in memory that this value alone owns, aligned to 64 bytes and zeroed.
///
/// A buffer never grows and cannot be copied by accident; ``copy(from:)`` says so where a copy is
/// meant. Read it through ``span``, write it through ``mutableSpan``.
@safe
public struct AlignedBuffer<Element: BitwiseCopyable>: ~Copyable {
  /// The first element, for the wrappers of the C kernels.
  package let base: UnsafeMutablePointer<Element>

  /// The number of elements.
  public let count: Int

  /// Allocates `count` elements whose bytes are all zero; ends the process with a line that says what
  /// for, and the status of ``RigLError/Kind/memory``, where there is no memory for them.
  public init(count: Int) {
    trap(unless: count >= 0, "AlignedBuffer: \(count) elements")
    let (bytes, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
    if overflow { endWithoutMemory(bytes: .max) }
    let raw = unsafe allocateAligned(bytes: bytes)
    unsafe raw.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
    unsafe base = raw.bindMemory(to: Element.self, capacity: count)
    self.count = count
  }

  /// A buffer with the elements of an array.
  public init(_ elements: [Element]) {
    self.init(count: elements.count)
    for (index, element) in elements.enumerated() { unsafe base[index] = element }
  }

  deinit {
    unsafe free(base)
  }

  // Out of line, and without a closure to be made before: an access is a comparison and a branch.
  @inline(never)
  private static func refuse(_ index: Int, of count: Int) -> Never {
    trap("index \(index) of \(count) elements")
  }

  /// The element at an index.
  public subscript(index: Int) -> Element {
    get {
      if index < 0 || index >= count { Self.refuse(index, of: count) }
      return unsafe base[index]
    }
    set {
      if index < 0 || index >= count { Self.refuse(index, of: count) }
      unsafe base[index] = newValue
    }
  }

  /// Calls `body` with the elements, to read.
  public borrowing func withSpan<Result, Failure>(
    _ body: (Span<Element>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try unsafe body(Span(_unsafeStart: base, count: count))
  }

  /// Calls `body` with the elements, to write.
  public mutating func withMutableSpan<Result, Failure>(
    _ body: (inout MutableSpan<Element>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    var span = unsafe MutableSpan(_unsafeStart: base, count: count)
    return try body(&span)
  }

  /// Overwrites the elements with those of another buffer of the same count.
  public mutating func copy(from other: borrowing AlignedBuffer) {
    trap(unless: other.count == count, "copy: \(other.count) elements into \(count)")
    unsafe base.update(from: other.base, count: count)
  }

  /// Sets every element.
  public mutating func fill(_ element: Element) {
    unsafe base.update(repeating: element, count: count)
  }

  /// The elements, copied into an array.
  public func array() -> [Element] {
    unsafe Array(UnsafeBufferPointer(start: base, count: count))
  }
}

// Safe to send: the memory has one owner, and moves with it.
extension AlignedBuffer: @unchecked Sendable where Element: Sendable {}
