import Foundation
import RigLCore
import Testing

@Suite struct ProcessMemoryTests {
  private func group(_ files: [String: String], _ membership: String) throws -> (Int?, Double?) {
    let folder = try TemporaryFolder()
    for (name, text) in files {
      let path = folder(name)
      try FileManager.default.createDirectory(
        atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
      try writeFile(text, to: path)
    }
    let group = ControlGroup(membership: membership, root: folder.path)
    return (group.memoryBytes, group.processors)
  }

  @Test func readsTheLimitsOfControlGroups() throws {
    // Version 2: the least of a group and those above it.
    let (memory, processors) = try group(
      [
        "a/b/memory.max": "max\n", "a/memory.max": "1000000\n", "memory.max": "2000000\n",
        "a/b/cpu.max": "150000 100000\n", "a/cpu.max": "max 100000\n",
      ], "0::/a/b\n")
    #expect(memory == 1_000_000 && processors == 1.5)
    // Version 1, in a container, where the own group is mounted as the root.
    let (older, quota) = try group(
      [
        "memory/memory.limit_in_bytes": "9223372036854771712\n",
        "memory/x/memory.limit_in_bytes": "5000\n", "cpu,cpuacct/cpu.cfs_quota_us": "50000\n",
        "cpu,cpuacct/cpu.cfs_period_us": "100000\n", "cpu/y/cpu.cfs_quota_us": "-1\n",
      ], "5:cpu,cpuacct:/docker/y\n4:memory:/x\n3:cpuset:/\n")
    #expect(older == 5000 && quota == 0.5)
    let (none, nobody) = try group(["memory.max": "max", "cpu.max": "max 100000"], "0::/\n")
    #expect(none == nil && nobody == nil)
    #expect(try group(["memory.max": "junk", "cpu.max": "1"], "junk\n0::/../..\n") == (nil, nil))
  }

  @Test func ulimitCounts() async {
    await #expect(processExitsWith: .success) {
      let limits = try #require(memoryLimitBytes())
      #expect(limits <= (machineMemoryBytes() ?? 0))
      var limit = rlimit(rlim_cur: 3 << 30, rlim_max: 3 << 30)
      #if canImport(Glibc)
        try #require(setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0)
      #else
        try #require(setrlimit(RLIMIT_AS, &limit) == 0)
      #endif
      #expect(memoryLimitBytes() == min(limits, 3 << 30))
    }
  }

  @Test func seesMemoryBeingUsed() throws {
    let before = try #require(currentMemoryBytes())
    #expect(try #require(peakMemoryBytes()) >= before)
    let size = 256 << 20
    let memory = [UInt8](repeating: 1, count: size)
    let now = try #require(currentMemoryBytes())
    #expect(memory[size / 2] == 1)
    // Tests beside this one release memory as well as use it.
    #expect(now > size && now - before > size / 2)
    #expect(try #require(peakMemoryBytes()) > size)
  }
}
