import Foundation
import RigLCore
import Testing

/// Apart, as sanitizers need memory of their own.
@Suite struct DecompressionMemoryTests {
  /// Memory is used as far as data fills it, not as far as a header or a capacity that grows says.
  @Test func takesNoMoreMemoryThanThereIsData() async {
    await #expect(processExitsWith: .success) {
      let stored = IDXFixture.gzip(
        IDXFixture.idx([1 << 12, 1 << 10, 1 << 8], [UInt8](repeating: 0, count: 60_000)))
      // Of zeros, so that 1 GiB could be in the file.
      let file = stored + IDXFixture.gzip([UInt8](repeating: 1, count: 60_000))
      let padded = file + [UInt8](repeating: 0, count: 2 << 20)
      let before = try #require(peakMemoryBytes())
      let error = #expect(throws: RigLError.self) {
        try IDXArray(padded, name: "file", rank: 3)
      }
      #expect(error?.kind == .data)
      let grown = try #require(peakMemoryBytes()) - before
      #expect(grown < 16 << 20, "\(grown) bytes more")
    }
  }
}
