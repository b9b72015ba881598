#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// The memory that this process may have, bytes, or nil where the system does not say: the machine's,
/// or less where a control group (a container's limit) or `ulimit` says so.
package func memoryLimitBytes() -> Int? {
  let limits = [RLIMIT_AS, RLIMIT_DATA].compactMap { resource -> Int? in
    var limit = rlimit()
    #if canImport(Glibc)
      let number = __rlimit_resource_t(resource.rawValue)
    #else
      let number = resource
    #endif
    guard unsafe getrlimit(number, &limit) == 0 else { return nil }
    return limit.rlim_cur < UInt64(Int.max) ? Int(limit.rlim_cur) : nil
  }
  return ([machineMemoryBytes(), ControlGroup.own?.memoryBytes] + limits).compactMap { $0 }.min()
}

/// The memory of this machine, bytes, or nil where the system does not say.
package func machineMemoryBytes() -> Int? {
  let (pages, size) = (sysconf(Int32(_SC_PHYS_PAGES)), sysconf(Int32(_SC_PAGESIZE)))
  return pages > 0 && size > 0 ? pages * size : nil
}

/// Throws a configuration error where something is certain not to fit into the memory that this
/// process may have.
func requireMemory(_ bytes: Double, for what: String) throws(RigLError) {
  guard let available = memoryLimitBytes(), bytes > Double(available) else { return }
  let whose =
    available == machineMemoryBytes() ? "this machine has" : "this process is allowed"
  let unit = available >= 10 << 30 ? (name: "GiB", size: 0x1p30) : (name: "MiB", size: 0x1p20)
  throw RigLError(
    .configuration,
    "\(what) would take more than \(Int(min(bytes / unit.size, 1e15))) \(unit.name); "
      + "\(whose) \(Int(Double(available) / unit.size))",
    hint: "Raise the sparsity, or choose smaller layers or batches.")
}

/// The control groups that a process belongs to, which limit a container's memory and processors.
package struct ControlGroup {
  /// The folders that may hold a limit of memory, from the process's own group up.
  private let memoryFolders: [String]
  private let processorFolders: [String]

  /// The groups of this process; nil where the system has none.
  package static var own: ControlGroup? {
    guard let bytes = try? FileSystem.contents(of: "/proc/self/cgroup", limit: 1 << 20) else {
      return nil
    }
    return ControlGroup(membership: String(decoding: bytes, as: UTF8.self))
  }

  /// - Parameters:
  ///   - membership: `/proc/self/cgroup`: lines of number, controllers (none in version 2) and path.
  ///   - root: where the groups are mounted.
  package init(membership: String, root: String = "/sys/fs/cgroup") {
    var (memory, processors): ([String], [String]) = ([], [])
    for line in membership.split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3 else { continue }
      let controllers = parts[1].split(separator: ",")
      var mounts: [String] = []
      if controllers.isEmpty { mounts = [root, "\(root)/unified"] }
      if controllers.contains("memory") { mounts = ["\(root)/memory"] }
      if controllers.contains("cpu") { mounts = ["\(root)/cpu", "\(root)/\(parts[1])"] }
      let folders = mounts.flatMap { ControlGroup.upwards(from: parts[2], below: $0) }
      if controllers.isEmpty || controllers.contains("memory") { memory += folders }
      if controllers.isEmpty || controllers.contains("cpu") { processors += folders }
    }
    (memoryFolders, processorFolders) = (memory, processors)
  }

  /// A group and all above it. Inside a container, its own group may be mounted as the root.
  private static func upwards(from path: Substring, below mount: String) -> [String] {
    var parts = path.split(separator: "/")
    var folders: [String] = []
    while !parts.isEmpty {
      folders.append("\(mount)/\(parts.joined(separator: "/"))")
      parts.removeLast()
    }
    return folders + [mount]
  }

  /// The least limit of memory, bytes; nil: none.
  package var memoryBytes: Int? {
    memoryFolders.flatMap { ["\($0)/memory.max", "\($0)/memory.limit_in_bytes"] }
      .compactMap { ControlGroup.words(of: $0).first.flatMap { Int($0) } }
      .filter { $0 > 0 }.min()
  }

  /// The least share of processors, in processors; nil: none.
  package var processors: Double? {
    let version2 = processorFolders.compactMap { folder -> Double? in
      let words = ControlGroup.words(of: "\(folder)/cpu.max").compactMap { Double($0) }
      return words.count == 2 && words[1] > 0 ? words[0] / words[1] : nil
    }
    let version1 = processorFolders.compactMap { folder -> Double? in
      guard
        let quota = ControlGroup.words(of: "\(folder)/cpu.cfs_quota_us").first.flatMap(Double.init),
        let period = ControlGroup.words(of: "\(folder)/cpu.cfs_period_us").first
          .flatMap(Double.init), quota > 0, period > 0
      else { return nil }
      return quota / period
    }
    return (version2 + version1).min()
  }

  private static func words(of path: String) -> [Substring] {
    guard let bytes = try? FileSystem.contents(of: path, limit: 1 << 12) else { return [] }
    return String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace)
  }
}

/// The processors that this process may run on: its affinity, and the share of them that its control
/// group allows it, rounded up.
func allowedProcessors(of machine: Int) -> Int {
  var count = max(machine, 1)
  #if os(Linux)
    // A mask in hexadecimal, with commas between its words.
    let mask = statusWords("Cpus_allowed:").first ?? ""
    let allowed = mask.reduce(0) { $0 + ($1.hexDigitValue ?? 0).nonzeroBitCount }
    if allowed > 0 { count = allowed }
  #endif
  if let share = ControlGroup.own?.processors, share < Double(count) {
    count = max(1, Int(share.rounded(.up)))
  }
  return count
}
