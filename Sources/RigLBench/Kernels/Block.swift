import RigLCore

/// Elements in memory of their own, aligned to 64 bytes, zero at first and so in place before
/// anything is timed.
@safe
final class Block<Element: BitwiseCopyable> {
  let base: UnsafeMutablePointer<Element>
  let count: Int

  init(count: Int) {
    trap(unless: count >= 0, "Block: \(count) elements")
    let bytes = count * MemoryLayout<Element>.stride
    let raw = UnsafeMutableRawPointer.allocate(byteCount: max(bytes, 64), alignment: 64)
    unsafe raw.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
    unsafe base = raw.bindMemory(to: Element.self, capacity: count)
    self.count = count
  }

  deinit { unsafe base.deallocate() }

  /// Bytes held.
  var bytes: Int { count * MemoryLayout<Element>.stride }

  subscript(index: Int) -> Element {
    get {
      trap(unless: index >= 0 && index < count, "index \(index) of \(count) elements")
      return unsafe base[index]
    }
    set {
      trap(unless: index >= 0 && index < count, "index \(index) of \(count) elements")
      unsafe base[index] = newValue
    }
  }

  /// Overwrites the elements with another block's, by `memcpy`.
  func copy(from other: Block) {
    trap(unless: other.count == count, "copy: \(other.count) elements into \(count)")
    unsafe UnsafeMutableRawPointer(base).copyMemory(from: other.base, byteCount: bytes)
  }
}
