import Foundation
import RigLExperiments
import Testing

@Suite struct AxisTests {
  struct Case: Sendable {
    var scale: Axis.Scale
    var values: [Double]
  }

  static let cases: [Case] = [
    Case(scale: .linear, values: [0, 1]), Case(scale: .linear, values: [88.1, 88.4]),
    Case(scale: .linear, values: [7]), Case(scale: .linear, values: [0]),
    Case(scale: .linear, values: []), Case(scale: .linear, values: [-3, 1e9]),
    Case(scale: .linear, values: [0.00001, 0.00002]), Case(scale: .linear, values: [.nan, 2, 3]),
    Case(scale: .linear, values: [1e15, 1e15 + 1]),
    Case(scale: .linear, values: [-1.7e308, 1.7e308, 1]),
    Case(scale: .linear, values: [-1e299, 1e299]),
    Case(scale: .logarithmic, values: [1, 1e12]), Case(scale: .logarithmic, values: [2e12, 3e12]),
    Case(scale: .logarithmic, values: [12_800, 534_000]), Case(scale: .logarithmic, values: [5]),
    Case(scale: .logarithmic, values: [0, -1, 10, 90]),
    Case(scale: .logarithmic, values: [1e-9, 1]),
    Case(scale: .sparsity, values: [0.8, 0.9, 0.95, 0.98, 0.99]),
    Case(scale: .sparsity, values: (1...99).map { Double($0) / 100 }),
    Case(scale: .sparsity, values: [0, 0.9999, 1]), Case(scale: .sparsity, values: [0.9]),
    Case(scale: .sparsity, values: [0.9, 0.9001, 0.9002]),
  ]

  @Test(arguments: cases, [Axis.Direction.horizontal, .vertical])
  func labelsDoNotOverlap(of each: Case, along direction: Axis.Direction) throws {
    for length in [190.0, 236, 314] {
      let axis = Axis("x", each.scale, covering: each.values, length: length, direction: direction)
      var end = -Double.infinity
      for tick in axis.ticks {
        let middle = try #require(axis.position(of: tick.value))
        let extent = axis.extent(of: tick.label)
        #expect(middle - extent / 2 >= end, "\(each), \(tick)")
        end = middle + extent / 2
        #expect((-1e-6...length + 1e-6).contains(middle), "\(each), \(tick)")
      }
      #expect(Set(axis.ticks.map(\.label)).count == axis.ticks.count, "\(each)")
      let known = each.values.filter { axis.position(of: $0) != nil }
      #expect(known.isEmpty || !axis.ticks.isEmpty, "\(each)")
    }
  }

  @Test func sparsitiesLieByTheirNines() throws {
    let axis = Axis(
      "s", .sparsity, covering: [0.9, 0.99, 0.999], length: 100, direction: .horizontal)
    let places = try [0.9, 0.99, 0.999].map { try #require(axis.position(of: $0)) }
    #expect((places[1] - places[0] - (places[2] - places[1])).magnitude < 1e-9)
    #expect(axis.ticks.map(\.label) == ["90", "99", "99.9"])
    #expect(axis.position(of: 1) == nil)
  }

  @Test func textsAreEstimatedWide() {
    // Digits of DejaVu Sans, a wide font, are 0.636 em.
    #expect(estimatedWidth("0000", size: 10) >= 4 * 6.36)
    #expect(estimatedWidth("", size: 10) == 0)
    #expect(estimatedWidth("88.15", size: 12) > estimatedWidth("88.1", size: 12))
  }
}

@Suite struct BulkTests {
  @Test(
    arguments: [
      ([89, 88.5, 88, 87.5, 40], 87.5...89),
      ([40, 89, 88.5], 88.5...89),
      ([89, 88.5, 88, 87.5], 87.5...89),
      // From one to the next it is not far.
      ([88, 88.1, 88.2, 87.9, 88.3, 86, 84, 40], 84...88.3),
      ([90, 90, 90, 89.9, 89], 89...90),
      // Two halves are no outliers of each other.
      ([89, 88, 40, 41], 40...89),
      ([89, 40], 40...89), ([7], 7...7),
      ([88, 88, 88, 88, 10, 100], 88...88),
      ([88.1, .nan, 88.2, .infinity, 20, 88.3], 88.1...88.3),
    ] as [([Double], ClosedRange<Double>)])
  func isTheRangeOfMost(of values: [Double], range: ClosedRange<Double>) {
    #expect(Bulk(of: values, width: 0.25)?.range == range)
    #expect(Bulk(of: values.reversed(), width: 0.25)?.range == range)
  }

  @Test func nothingHasNone() {
    #expect(Bulk(of: [], width: 1) == nil)
    #expect(Bulk(of: [.nan], width: 1) == nil)
  }
}

@Suite struct PNGTests {
  @Test func aPictureIsWhatWasAskedFor() {
    // One grey pixel: checksums by zlib's crc32 and adler32.
    let png = PNG(levels: [0], width: 1, palette: [(1, 2, 3)])
    let expected: [UInt8] = [
      0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0x00, 0x00, 0x00, 0x0D,
      0x49, 0x48, 0x44, 0x52, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01,
      0x08, 0x03, 0x00, 0x00, 0x00, 0x28, 0xCB, 0x34, 0xBB, 0x00, 0x00, 0x00,
      0x03, 0x50, 0x4C, 0x54, 0x45, 0x01, 0x02, 0x03, 0x0D, 0x87, 0x64, 0xD5,
      0x00, 0x00, 0x00, 0x0D, 0x49, 0x44, 0x41, 0x54, 0x78, 0x01, 0x01, 0x02,
      0x00, 0xFD, 0xFF, 0x00, 0x00, 0x00, 0x02, 0x00, 0x01, 0x7E, 0x05, 0x0D,
      0xD2, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4E, 0x44, 0xAE, 0x42, 0x60,
      0x82,
    ]
    #expect(png.bytes == expected)
    #expect(Data(base64Encoded: png.base64) == Data(expected))
  }

  @Test func picturesOfManyBlocksAreWhole() {
    let png = PNG(
      levels: [UInt8](repeating: 1, count: 90_000), width: 300, palette: [(0, 0, 0), (9, 9, 9)])
    // Two stored blocks, each with five bytes before it.
    #expect(png.bytes.count == 8 + 25 + (12 + 6) + (12 + 2 + 300 * 301 + 2 * 5 + 4) + 12)
  }
}
