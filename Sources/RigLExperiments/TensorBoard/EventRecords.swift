import RigLCore

/// The records of an event file, read one by one, up to its end or the first that is not whole or whose
/// checksum is another: what a process that was killed has left of its last one.
struct EventRecords: Sequence, IteratorProtocol {
  /// What of a record says what it is.
  struct Event: Hashable {
    /// Seconds since 1970.
    var wallTime = 0.0
    var step = 0
    /// The tag of its value; nil: it has none, as the first record of a file.
    var tag: String?
    /// Whether it is the record that an event file begins with.
    var isVersion = false
    /// The offset behind the record.
    var end = 0
  }

  private let bytes: [UInt8]
  private var offset = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  mutating func next() -> Event? {
    let rest = bytes[offset...]
    let header = rest.prefix(8)
    guard rest.count >= 16,
      rest.dropFirst(8).fixedInteger(UInt32.self) == CRC32C.maskedChecksum(of: header),
      let length = header.fixedInteger(UInt64.self), length <= UInt64(rest.count - 16)
    else { return nil }
    let data = rest.dropFirst(12).prefix(Int(length))
    guard
      rest.dropFirst(12 + data.count).fixedInteger(UInt32.self) == CRC32C.maskedChecksum(of: data),
      var event = Self.event(data)
    else { return nil }
    offset += 16 + data.count
    event.end = offset
    return event
  }

  /// Reads an `Event`; nil: it is none.
  private static func event(_ data: ArraySlice<UInt8>) -> Event? {
    var (event, fields) = (Event(), ProtobufFields(data))
    while let (field, value) = fields.next() {
      switch (field, value) {
      case (1, .fixed64(let bits)): event.wallTime = Double(bitPattern: bits)
      case (2, .varint(let step)): event.step = Int(truncatingIfNeeded: step)
      case (3, .bytes): event.isVersion = true
      case (5, .bytes(let summary)):
        guard let value = ProtobufFields.first(1, of: summary) else { return nil }
        event.tag = ProtobufFields.first(1, of: value).map { String(decoding: $0, as: UTF8.self) }
      default: break
      }
    }
    return fields.isWhole ? event : nil
  }
}

/// The fields of a message in the wire format that ``ProtobufMessage`` writes, one by one.
struct ProtobufFields: IteratorProtocol {
  enum Value {
    case varint(UInt64)
    case fixed64(UInt64)
    case fixed32(UInt32)
    case bytes(ArraySlice<UInt8>)
  }

  private var rest: ArraySlice<UInt8>
  /// Whether nothing was left over, or damaged.
  private(set) var isWhole = true

  init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

  /// The bytes of the first field of a number; nil: there is none of bytes.
  static func first(_ field: Int, of message: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    var fields = ProtobufFields(message)
    while let (number, value) = fields.next() {
      if number == field, case .bytes(let bytes) = value { return bytes }
    }
    return nil
  }

  mutating func next() -> (field: Int, value: Value)? {
    guard !rest.isEmpty else { return nil }
    guard let key = varint(), let value = value(ofType: key & 7) else {
      (isWhole, rest) = (false, [])
      return nil
    }
    return (Int(truncatingIfNeeded: key >> 3), value)
  }

  private mutating func value(ofType type: UInt64) -> Value? {
    switch type {
    case 0: return varint().map { .varint($0) }
    case 1: return take(8)?.fixedInteger(UInt64.self).map { .fixed64($0) }
    case 2:
      guard let count = varint(), count <= UInt64(rest.count) else { return nil }
      return take(Int(count)).map { .bytes($0) }
    case 5: return take(4)?.fixedInteger(UInt32.self).map { .fixed32($0) }
    default: return nil
    }
  }

  private mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
    guard rest.count >= count else { return nil }
    defer { rest = rest.dropFirst(count) }
    return rest.prefix(count)
  }

  private mutating func varint() -> UInt64? {
    var number: UInt64 = 0
    for shift in stride(from: 0, to: 64, by: 7) {
      guard let byte = rest.popFirst() else { return nil }
      number |= UInt64(byte & 0x7F) << UInt64(shift)
      if byte < 0x80 { return number }
    }
    return nil
  }
}

extension ArraySlice<UInt8> {
  /// The number that the first bytes are, the lowest first; nil: there are too few.
  fileprivate func fixedInteger<Number: FixedWidthInteger>(_ type: Number.Type) -> Number? {
    let bytes = prefix(Number.bitWidth / 8)
    guard bytes.count == Number.bitWidth / 8 else { return nil }
    return bytes.reversed().reduce(0) { $0 << 8 | Number($1) }
  }
}
