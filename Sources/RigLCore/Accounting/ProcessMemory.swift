#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// The most memory this process has had so far, bytes, or nil where the system does not say.
///
/// Resident memory: what was used, not what was only reserved. `VmHWM` on Linux, whose `getrusage`
/// counts the process that started this one too; `getrusage` on macOS.
package func peakMemoryBytes() -> Int? {
  #if os(Linux)
    return statusBytes("VmHWM:")
  #else
    var usage = rusage()
    guard unsafe getrusage(RUSAGE_SELF, &usage) == 0 else { return nil }
    return usage.ru_maxrss
  #endif
}

/// The resident memory of this process, bytes, or nil where the system does not say.
package func currentMemoryBytes() -> Int? {
  #if os(Linux)
    return statusBytes("VmRSS:")
  #else
    var info = proc_taskinfo()
    let size = Int32(MemoryLayout<proc_taskinfo>.size)
    guard unsafe proc_pidinfo(getpid(), PROC_PIDTASKINFO, 0, &info, size) == size else {
      return nil
    }
    return Int(info.pti_resident_size)
  #endif
}

#if os(Linux)
  /// A line of `/proc/self/status`, which gives kibibytes: "VmHWM:     1234 kB".
  private func statusBytes(_ key: String) -> Int? {
    let words = statusWords(key)
    guard words.count == 2, words[1] == "kB", let kibibytes = Int(words[0]) else { return nil }
    return kibibytes * 1024
  }

  /// The words after a key in `/proc/self/status`.
  func statusWords(_ key: String) -> [Substring] {
    guard let bytes = try? FileSystem.contents(of: "/proc/self/status", limit: 1 << 16) else {
      return []
    }
    let text = String(decoding: bytes, as: UTF8.self)
    let line = text.split(separator: "\n").first { $0.hasPrefix(key) }
    return Array((line?.split { $0 == " " || $0 == "\t" } ?? []).dropFirst())
  }
#endif
