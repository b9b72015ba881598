/// A message in the wire format of protocol buffers, field after field.
///
///     message  = { key value }
///     key      = varint(field << 3 | wire type)
///     varint   = base-128 digits, the lowest first; the eighth bit says that more follow
///
/// Every field that is appended is written, one with its default value too: a member of a `oneof`
/// is there only if it is.
///
/// Reference: <https://protobuf.dev/programming-guides/encoding/>
package struct ProtobufMessage: Hashable, Sendable {
  /// The fields so far.
  package private(set) var bytes: [UInt8] = []

  /// A message without fields.
  package init() {}

  /// Appends an `int64`, `int32`, or the number of an `enum`'s case.
  package mutating func append(_ value: Int, field: Int) {
    append(key: field, .varint)
    append(varint: UInt64(bitPattern: Int64(value)))
  }

  /// Appends a `bool`.
  package mutating func append(_ value: Bool, field: Int) {
    append(value ? 1 : 0, field: field)
  }

  /// Appends a `double`.
  package mutating func append(_ value: Double, field: Int) {
    append(key: field, .fixed64)
    bytes.append(littleEndian: value.bitPattern)
  }

  /// Appends a `float`.
  package mutating func append(_ value: Float, field: Int) {
    append(key: field, .fixed32)
    bytes.append(littleEndian: value.bitPattern)
  }

  /// Appends a `string`, or the `bytes` of its UTF-8.
  package mutating func append(_ value: String, field: Int) {
    append(key: field, .lengthDelimited)
    append(varint: UInt64(value.utf8.count))
    bytes.append(contentsOf: value.utf8)
  }

  /// Appends a message.
  package mutating func append(_ value: ProtobufMessage, field: Int) {
    append(key: field, .lengthDelimited)
    append(varint: UInt64(value.bytes.count))
    bytes.append(contentsOf: value.bytes)
  }

  /// Appends a packed `repeated double`.
  package mutating func append(packed values: [Double], field: Int) {
    append(key: field, .lengthDelimited)
    append(varint: UInt64(values.count * 8))
    for value in values { bytes.append(littleEndian: value.bitPattern) }
  }

  private enum WireType: Int {
    case varint = 0
    case fixed64 = 1
    case lengthDelimited = 2
    case fixed32 = 5
  }

  private mutating func append(key field: Int, _ type: WireType) {
    append(varint: UInt64(field << 3 | type.rawValue))
  }

  private mutating func append(varint value: UInt64) {
    var rest = value
    while rest > 0x7f {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }
}

extension [UInt8] {
  /// Appends the bytes of a number, the lowest first.
  mutating func append<Number: FixedWidthInteger & UnsignedInteger>(littleEndian number: Number) {
    for shift in stride(from: 0, to: Number.bitWidth, by: 8) {
      append(UInt8(truncatingIfNeeded: number >> shift))
    }
  }
}
