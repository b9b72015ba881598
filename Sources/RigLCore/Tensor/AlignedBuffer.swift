/// Elements in memory that this value alone owns, aligned to 64 bytes and zeroed.
///
/// A buffer cannot be copied by accident; ``copy(from:)`` says so where a copy is meant. Read it
/// through ``withSpan(_:)``, write it through ``withMutableSpan(_:)``. Its number of elements changes
/// for topologies alone, within the memory that it has.
@safe
public struct AlignedBuffer<Element: BitwiseCopyable>: ~Copyable {
  /// The first element, for the wrappers of the C kernels.
  package private(set) var base: UnsafeMutablePointer<Element>

  /// The number of elements.
  public private(set) var count: Int

  /// Elements that there is memory for.
  private(set) var capacity: Int

  /// Allocates `count` elements whose bytes are all zero; ends the process with a line that says what
  /// for, and the status of ``RigLError/Kind/memory``, where there is no memory for them.
  public init(count: Int) {
    unsafe base = AlignedBuffer.allocate(count)
    self.count = count
    capacity = count
  }

  /// Allocates `count` elements whose bytes are all zero, where the process can go on without them.
  ///
  /// To ask ``requireAllocation(bytes:for:)`` before is not the same: another thread may take the memory
  /// in between.
  ///
  /// - Parameter what: what they are for.
  /// - Throws: `memory`, naming it.
  package init(count: Int, for what: @autoclosure () -> String) throws(RigLError) {
    guard let memory = unsafe AlignedBuffer.allocateIfPossible(count) else {
      throw noMemory(bytes: AlignedBuffer.bytes(count), for: what())
    }
    unsafe base = memory
    self.count = count
    capacity = count
  }

  /// Bytes of so many elements; more than there can be where they are not to be counted.
  private static func bytes(_ count: Int) -> Int {
    trap(unless: count >= 0, "AlignedBuffer: \(count) elements")
    let (bytes, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
    return overflow ? .max : bytes
  }

  private static func allocateIfPossible(_ count: Int) -> UnsafeMutablePointer<Element>? {
    let bytes = bytes(count)
    guard bytes < .max, let memory = unsafe allocateAligned(bytes: bytes) else { return nil }
    return unsafe memory.bindMemory(to: Element.self, capacity: count)
  }

  private static func allocate(_ count: Int) -> UnsafeMutablePointer<Element> {
    guard let memory = unsafe allocateIfPossible(count) else {
      endWithoutMemory(bytes: bytes(count))
    }
    return unsafe memory
  }

  private static func free(_ base: UnsafeMutablePointer<Element>, _ capacity: Int) {
    unsafe freeAligned(base, bytes: capacity * MemoryLayout<Element>.stride)
  }

  /// Makes it memory of so many elements, and keeps those that fit.
  mutating func reallocate(_ newCapacity: Int) {
    guard newCapacity != capacity else { return }
    let kept = Swift.min(count, newCapacity)
    let memory = unsafe AlignedBuffer.allocate(newCapacity)
    unsafe memory.update(from: base, count: kept)
    unsafe AlignedBuffer.free(base, capacity)
    unsafe base = memory
    (count, capacity) = (kept, newCapacity)
  }

  /// Changes the number of elements within the memory that there is. What is beyond the old number is
  /// whatever was there.
  mutating func resize(_ newCount: Int) {
    trap(
      unless: newCount >= 0 && newCount <= capacity,
      "AlignedBuffer: \(newCount) elements in memory of \(capacity)")
    count = newCount
  }

  /// Changes the number of elements; allocates only where there is no memory for them.
  mutating func makeRoom(_ newCount: Int) {
    if newCount > capacity { reallocate(newCount) }
    count = newCount
  }

  /// Makes its memory that of `most` elements, if it is much more; what they were is lost then.
  mutating func shrink(to most: Int) {
    if most < capacity - capacity / 4 { self = AlignedBuffer(count: most) }
  }

  /// Makes it so many elements in memory of so many; what they were is lost where memory changes.
  mutating func setSize(_ newCount: Int, _ newCapacity: Int) {
    if newCapacity != capacity { self = AlignedBuffer(count: newCapacity) }
    resize(newCount)
  }

  /// A buffer with the elements of an array.
  public init(_ elements: [Element]) {
    self.init(count: elements.count)
    for (index, element) in elements.enumerated() { unsafe base[index] = element }
  }

  deinit {
    unsafe AlignedBuffer.free(base, capacity)
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
