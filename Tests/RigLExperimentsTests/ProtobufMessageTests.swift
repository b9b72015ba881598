import RigLExperiments
import Testing

@Suite struct ProtobufMessageTests {
  /// Seven bits a byte, the lowest first; 150 is the encoding guide's own example.
  @Test(
    arguments: [
      (0, [0x00]),
      (1, [0x01]),
      (127, [0x7f]),
      (128, [0x80, 0x01]),
      (150, [0x96, 0x01]),
      (16_383, [0xff, 0x7f]),
      (16_384, [0x80, 0x80, 0x01]),
      (.max, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
      (-1, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
      (-2, [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
      (.min, [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]),
    ] as [(Int, [UInt8])])
  func writesVarints(value: Int, digits: [UInt8]) {
    var message = ProtobufMessage()
    message.append(value, field: 1)
    #expect(message.bytes == [0x08] + digits)
  }

  /// From field 16 on a key takes two bytes.
  @Test(
    arguments: [
      (1, [0x08]), (15, [0x78]), (16, [0x80, 0x01]), (2047, [0xf8, 0x7f]),
      (2048, [0x80, 0x80, 0x01]),
    ] as [(Int, [UInt8])])
  func writesKeys(field: Int, key: [UInt8]) {
    var message = ProtobufMessage()
    message.append(true, field: field)
    #expect(message.bytes == key + [1])
  }

  @Test func writesNumbersLowestByteFirst() {
    var message = ProtobufMessage()
    message.append(-2.0, field: 1)
    message.append(Float(0.15625), field: 2)
    message.append(packed: [], field: 3)
    message.append(packed: [1, 0.5], field: 4)
    #expect(
      message.bytes == [
        0x09, 0, 0, 0, 0, 0, 0, 0, 0xc0,
        0x15, 0, 0, 0x20, 0x3e,
        0x1a, 0,
        0x22, 16, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 0xe0, 0x3f,
      ])
  }

  @Test func nestsMessagesAndCountsBytesOfText() {
    var inner = ProtobufMessage()
    inner.append("Bézier", field: 1)
    var outer = ProtobufMessage()
    outer.append(inner, field: 3)
    outer.append("", field: 2)
    outer.append(ProtobufMessage(), field: 1)
    let text: [UInt8] = [0x42, 0xc3, 0xa9, 0x7a, 0x69, 0x65, 0x72]
    #expect(outer.bytes == [0x1a, 9, 0x0a, 7] + text + [0x12, 0, 0x0a, 0])
  }

  @Test(arguments: [127, 128, 16_383, 16_384, 100_000])
  func writesLongText(count: Int) {
    var length = ProtobufMessage()
    length.append(count, field: 1)
    var message = ProtobufMessage()
    message.append(String(repeating: "x", count: count), field: 1)
    let text = [UInt8](repeating: UInt8(ascii: "x"), count: count)
    #expect(message.bytes == [0x0a] + length.bytes.dropFirst() + text)
  }
}
