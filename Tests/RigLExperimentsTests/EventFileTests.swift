import RigLExperiments
import Testing

@Suite struct EventFileTests {
  /// The record of the version, at a wall time of 1.5 s: as every event file begins.
  private let version: [UInt8] = [
    0x18, 0, 0, 0, 0, 0, 0, 0, 0xa3, 0x7f, 0x4b, 0x22,  // 24 bytes
    0x09, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f,  // wall_time
    0x1a, 13, 0x62, 0x72, 0x61, 0x69, 0x6e, 0x2e,  // file_version: "brain.
    0x45, 0x76, 0x65, 0x6e, 0x74, 0x3a, 0x32,  // Event:2"
    0x2a, 0x28, 0x64, 0x6c,
  ]

  @Test func beginsWithItsVersion() {
    #expect(EventFile(wallTime: 1.5).bytes == version)
  }

  @Test func aScalarIsTheHandWorkedRecord() {
    var file = EventFile(wallTime: 1.5)
    file.scalar("loss", 0.25, step: 300, wallTime: 2)
    let record: [UInt8] = [
      0x1b, 0, 0, 0, 0, 0, 0, 0, 0x1a, 0x0d, 0x9e, 0x13,  // 27 bytes
      0x09, 0, 0, 0, 0, 0, 0, 0, 0x40,  // wall_time
      0x10, 0xac, 0x02,  // step: 300 = 2 · 128 + 44
      0x2a, 13,  // summary
      0x0a, 11,  // value
      0x0a, 4, 0x6c, 0x6f, 0x73, 0x73,  // tag: "loss"
      0x15, 0, 0, 0x80, 0x3e,  // simple_value
      0x2f, 0xb3, 0xdf, 0xf0,
    ]
    #expect(file.bytes == version + record)
  }

  @Test func negativeStepsTakeTenBytes() throws {
    var file = EventFile(wallTime: 0)
    _ = file.takeBytes()
    file.scalar("loss", 0.25, step: -1, wallTime: 2)
    let event = try #require(records(file.bytes).first)
    #expect(Array(event[9..<20]) == [0x10] + [UInt8](repeating: 0xff, count: 9) + [0x01])
    #expect(event[20...22] == [0x2a, 13, 0x0a])
  }

  @Test(
    arguments: [
      (.nan, Float.nan.bitPattern), (.infinity, 0x7f80_0000), (-.infinity, 0xff80_0000),
      (1e300, 0x7f80_0000), (0, 0), (-0.0, 0x8000_0000), (0.1, Float(0.1).bitPattern),
    ] as [(Double, UInt32)])
  func scalarsAreFloats(value: Double, bits: UInt32) throws {
    var file = EventFile(wallTime: 0)
    file.scalar("x", value, step: 0, wallTime: 0)
    let event = try #require(records(file.bytes).last)
    let written = event.suffix(5)
    #expect(written.first == 0x15)
    #expect(written.dropFirst().reversed().reduce(0) { $0 << 8 | UInt32($1) } == bits)
  }

  /// Min, max, num, sum and sum of squares of 0, 0 and NaN; then one bucket of two.
  @Test func aHistogramIsTheHandWorkedMessage() throws {
    var file = EventFile(wallTime: 0)
    let left = file.histogram("w", of: [0, .nan, 0], step: 1, wallTime: 0)
    #expect(left == 1)
    let zero = [UInt8](repeating: 0, count: 8)
    let two: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0x40]
    let limit = (0..<8).map { UInt8(truncatingIfNeeded: (1e-12).bitPattern >> (8 * $0)) }
    let message =
      [0x09] + zero + [0x11] + zero + [0x19] + two + [0x21] + zero + [0x29] + zero
      + [0x32, 8] + limit + [0x3a, 8] + two
    let event = try #require(records(file.bytes).last)
    #expect(event.count == 9 + 2 + 2 + 2 + 3 + 2 + 65)
    #expect(
      Array(event.dropFirst(9)) == [0x10, 1, 0x2a, 72, 0x0a, 70, 0x0a, 1, 0x77, 0x2a, 65] + message)
  }

  @Test func aHistogramThatWasCountedBeforeIsTheSame() {
    let values = [-3.5, 0, 1e-3, 8e25]
    var (counted, given) = (EventFile(wallTime: 0), EventFile(wallTime: 0))
    counted.histogram("w", of: values, step: 7, wallTime: 9)
    given.histogram("w", Histogram(of: values), step: 7, wallTime: 9)
    #expect(counted.bytes == given.bytes)
  }

  @Test func aTextIsAStringTensorOfItsPlugin() throws {
    var file = EventFile(wallTime: 1)
    file.text("t", "a|b", step: 0)
    let event = try #require(records(file.bytes).last)
    #expect(
      event == [
        0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x10, 0, 0x2a, 26, 0x0a, 24,
        0x0a, 1, 0x74,  // tag
        0x42, 9, 0x08, 7, 0x12, 0, 0x42, 3, 0x61, 0x7c, 0x62,  // tensor: dtype, shape, string
        0x4a, 8, 0x0a, 6, 0x0a, 4, 0x74, 0x65, 0x78, 0x74,  // metadata: the plugin "text"
      ])
  }

  @Test(arguments: [0, 1, 99, 100, 16_300, 300_000])
  func longTextIsWhole(count: Int) throws {
    let text = String(repeating: "é", count: count)
    var file = EventFile(wallTime: 0)
    file.text("settings/é", text, step: 0)
    let event = try #require(records(file.bytes).last)
    let end = Array("\u{4a}\u{8}\u{a}\u{6}\u{a}\u{4}text".utf8)
    #expect(Array(event.suffix(2 * count + end.count)) == Array(text.utf8) + end)
  }

  @Test func piecesAreTheWholeFile() {
    var (whole, parts) = (EventFile(wallTime: 3), EventFile(wallTime: 3))
    var pieces: [UInt8] = parts.takeBytes()
    for step in 0..<5 {
      whole.scalar("loss", Double(step), step: step, wallTime: 4)
      parts.scalar("loss", Double(step), step: step, wallTime: 4)
      pieces += parts.takeBytes()
      #expect(parts.bytes.isEmpty)
    }
    #expect(pieces == whole.bytes)
    #expect(records(pieces).count == 6)
  }

  @Test func settingsAreInTheOrderOfTheirNames() throws {
    let settings: [String: EventFile.Setting] = [
      "seed": .number(7), "method": .text("rigl"), "augment": .flag(false), "decay": .number(.nan),
    ]
    var file = EventFile(wallTime: 0)
    file.hyperparameters(settings, wallTime: 1)
    file.end(.failure, wallTime: 2)
    let events = records(file.bytes)
    let names = ["augment", "decay", "method", "seed"].map { Array($0.utf8) }
    let positions = try names.map { name in
      try #require(events[1].indices.first { events[1][$0...].starts(with: name) })
    }
    #expect(positions == positions.sorted())
    // method: { 2: { 3: "rigl" } }, seed: { 2: { 2: 7 } }, augment: { 2: { 4: false } }
    #expect(contains(events[1], Array("method".utf8) + [0x12, 6, 0x1a, 4] + Array("rigl".utf8)))
    #expect(
      contains(events[1], Array("seed".utf8) + [0x12, 9, 0x11, 0, 0, 0, 0, 0, 0, 0x1c, 0x40]))
    #expect(contains(events[1], Array("augment".utf8) + [0x12, 2, 0x20, 0]))
    #expect(contains(events[1], Array("decay".utf8) + [0x12, 5, 0x1a, 3] + Array("nan".utf8)))
    // session_end_info: { 1: failure, 2: 2.0 }
    #expect(contains(events[2], [0x22, 11, 0x08, 2, 0x11, 0, 0, 0, 0, 0, 0, 0, 0x40]))
  }

  @Test func namesSortByTime() {
    #expect(
      EventFile.name(wallTime: 1_700_000_000.9, host: "node1", suffix: "42.0")
        == "events.out.tfevents.1700000000.node1.42.0")
    #expect(
      EventFile.name(wallTime: 5, host: "a/b", suffix: "") == "events.out.tfevents.0000000005.a_b.")
    let names = [9, 10, 999_999_999, 1_000_000_000].map {
      EventFile.name(wallTime: $0, host: "h", suffix: "s")
    }
    #expect(names == names.sorted())
  }

  @Test func timesWithoutTenDigitsTrap() async {
    await #expect(processExitsWith: .failure) {
      _ = EventFile.name(wallTime: -1, host: "h", suffix: "s")
    }
    await #expect(processExitsWith: .failure) {
      _ = EventFile.name(wallTime: 1e10, host: "h", suffix: "s")
    }
    await #expect(processExitsWith: .failure) {
      _ = EventFile.name(wallTime: .nan, host: "h", suffix: "s")
    }
  }

  /// The data of each record, whose checksums must be right.
  private func records(_ bytes: [UInt8]) -> [[UInt8]] {
    var records: [[UInt8]] = []
    var rest = bytes[...]
    while !rest.isEmpty {
      let length = rest.prefix(8)
      let count = Int(number(length))
      let data = rest.dropFirst(12).prefix(count)
      #expect(number(rest.dropFirst(8).prefix(4)) == UInt64(CRC32C.maskedChecksum(of: length)))
      #expect(
        number(rest.dropFirst(12 + count).prefix(4)) == UInt64(CRC32C.maskedChecksum(of: data)))
      records.append(Array(data))
      rest = rest.dropFirst(16 + count)
    }
    return records
  }

  private func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  private func contains(_ bytes: [UInt8], _ part: [UInt8]) -> Bool {
    bytes.indices.contains { bytes[$0...].starts(with: part) }
  }
}
