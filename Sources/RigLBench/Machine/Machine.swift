import Foundation
import RigLCore

/// The machine that numbers were measured on.
package struct Machine: Sendable {
  /// The processor's name; "unknown" where the system does not say.
  package let processor: String
  /// Processors that the process may use.
  package let processors: Int
  /// The instruction set that the kernels use.
  package let kernels: String
  /// The library of dense products: "BLIS" or "plain loop".
  package let dense: String
  /// Bytes of the caches of one processor, and of those it shares.
  package let caches: Caches

  /// Sizes of caches, bytes.
  package struct Caches: Hashable, Sendable {
    /// The first level's, for data.
    package var l1 = 32 << 10
    /// The second level's.
    package var l2 = 512 << 10
    /// The last level's.
    package var l3 = 16 << 20

    /// What is usual, for machines that do not say.
    package init() {}
  }

  /// This machine.
  package static func current() -> Machine {
    Machine(
      processor: processorName() ?? "unknown", processors: ThreadPool.processors,
      kernels: instructionSet, dense: denseIsBLIS ? "BLIS" : "plain loop", caches: cacheSizes())
  }
}

#if os(Linux)
  /// The processor's name in /proc/cpuinfo; ARM has none there.
  private func processorName() -> String? {
    let text = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)
    for line in (text ?? "").split(separator: "\n") where line.hasPrefix("model name") {
      guard let colon = line.firstIndex(of: ":") else { continue }
      return line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
    }
    return nil
  }

  private func cacheSizes() -> Machine.Caches {
    var caches = Machine.Caches()
    for index in 0..<8 {
      let folder = "/sys/devices/system/cpu/cpu0/cache/index\(index)/"
      func read(_ name: String) -> String? {
        let text = try? String(contentsOfFile: folder + name, encoding: .utf8)
        return text?.trimmingCharacters(in: .whitespacesAndNewlines)
      }
      guard let level = read("level"), read("type") != "Instruction",
        let size = read("size").flatMap(bytes)
      else { continue }
      switch level {
      case "1": caches.l1 = size
      case "2": caches.l2 = size
      case "3": caches.l3 = size
      default: break
      }
    }
    return caches
  }

  /// "512K" or "32M", as the kernel writes sizes.
  private func bytes(_ text: String) -> Int? {
    let factor = text.hasSuffix("K") ? 1 << 10 : text.hasSuffix("M") ? 1 << 20 : 1
    return Int(text.prefix { $0.isNumber }).flatMap { $0 > 0 ? $0 * factor : nil }
  }
#else
  import Darwin

  private func processorName() -> String? {
    var size = 0
    guard unsafe sysctlbyname("machdep.cpu.brand_string", nil, &size, nil, 0) == 0, size > 1 else {
      return nil
    }
    var name = [UInt8](repeating: 0, count: size)
    guard unsafe sysctlbyname("machdep.cpu.brand_string", &name, &size, nil, 0) == 0 else {
      return nil
    }
    return String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)
  }

  private func cacheSizes() -> Machine.Caches {
    func size(_ names: String...) -> Int? {
      for name in names {
        var (value, length) = (Int(0), MemoryLayout<Int>.size)
        if unsafe sysctlbyname(name, &value, &length, nil, 0) == 0, value > 0 { return value }
      }
      return nil
    }
    var caches = Machine.Caches()
    caches.l1 = size("hw.perflevel0.l1dcachesize", "hw.l1dcachesize") ?? caches.l1
    caches.l2 = size("hw.perflevel0.l2cachesize", "hw.l2cachesize") ?? caches.l2
    caches.l3 = size("hw.l3cachesize") ?? max(caches.l2, caches.l3)
    return caches
  }
#endif
