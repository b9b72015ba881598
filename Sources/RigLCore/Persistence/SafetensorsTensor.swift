/// The type of a tensor's elements in a safetensors file; its raw value is its name there.
public enum SafetensorsType: String, CaseIterable, Hashable, Sendable {
  /// IEEE 754 double precision.
  case float64 = "F64"
  /// IEEE 754 single precision.
  case float32 = "F32"
  /// IEEE 754 half precision.
  case float16 = "F16"
  /// The upper half of a single.
  case bfloat16 = "BF16"
  /// Signed, 64 bits.
  case int64 = "I64"
  /// Signed, 32 bits.
  case int32 = "I32"
  /// Signed, 16 bits.
  case int16 = "I16"
  /// Signed, 8 bits.
  case int8 = "I8"
  /// Unsigned, 64 bits.
  case uint64 = "U64"
  /// Unsigned, 32 bits.
  case uint32 = "U32"
  /// Unsigned, 16 bits.
  case uint16 = "U16"
  /// Unsigned, 8 bits.
  case uint8 = "U8"
  /// A byte that is 0 or 1; its bytes only.
  case bool = "BOOL"

  /// Bytes of one element.
  package var size: Int {
    switch self {
    case .float64, .int64, .uint64: 8
    case .float32, .int32, .uint32: 4
    case .float16, .bfloat16, .int16, .uint16: 2
    case .int8, .uint8, .bool: 1
    }
  }
}

/// A number that can be read from and written to safetensors files as it lies in memory.
package protocol SafetensorsElement: Numeric, BitwiseCopyable, Sendable {
  /// The type's name in a file.
  static var safetensorsType: SafetensorsType { get }
}

// The format is little-endian, and tensors are read straight into memory.
#if _endian(big)
  #error("safetensors files are read and written on little-endian machines only")
#endif

extension Double: SafetensorsElement {
  /// `F64`.
  package static var safetensorsType: SafetensorsType { .float64 }
}
extension Float: SafetensorsElement {
  /// `F32`.
  package static var safetensorsType: SafetensorsType { .float32 }
}
extension Int64: SafetensorsElement {
  /// `I64`.
  package static var safetensorsType: SafetensorsType { .int64 }
}
extension Int32: SafetensorsElement {
  /// `I32`.
  package static var safetensorsType: SafetensorsType { .int32 }
}
extension Int16: SafetensorsElement {
  /// `I16`.
  package static var safetensorsType: SafetensorsType { .int16 }
}
extension Int8: SafetensorsElement {
  /// `I8`.
  package static var safetensorsType: SafetensorsType { .int8 }
}
extension UInt64: SafetensorsElement {
  /// `U64`.
  package static var safetensorsType: SafetensorsType { .uint64 }
}
extension UInt32: SafetensorsElement {
  /// `U32`.
  package static var safetensorsType: SafetensorsType { .uint32 }
}
extension UInt16: SafetensorsElement {
  /// `U16`.
  package static var safetensorsType: SafetensorsType { .uint16 }
}
extension UInt8: SafetensorsElement {
  /// `U8`.
  package static var safetensorsType: SafetensorsType { .uint8 }
}

/// What a safetensors file says of a tensor: everything but its elements.
public struct SafetensorsTensor: Hashable, Sendable {
  /// Its name, unique in the file.
  public let name: String
  /// The type of its elements.
  public let type: SafetensorsType
  /// Its dimensions, the last one innermost; empty for a single number.
  public let shape: [Int]
  /// The number of its elements: the product of the dimensions.
  package let count: Int

  /// Describes a tensor.
  public init(_ name: String, _ type: SafetensorsType, shape: [Int]) {
    let count = SafetensorsTensor.count(type, shape: shape)
    trap(unless: count != nil, "tensor \(name): a shape of \(shape) is negative or too large")
    self.init(name: name, type: type, shape: shape, count: count ?? 0)
  }

  /// Describes a tensor whose count is known to be the shape's.
  init(name: String, type: SafetensorsType, shape: [Int], count: Int) {
    self.name = name
    self.type = type
    self.shape = shape
    self.count = count
  }

  /// Bytes of all elements.
  package var byteCount: Int { count * type.size }

  /// The elements of a shape, or nil where their bytes do not fit an Int.
  static func count(_ type: SafetensorsType, shape: [Int]) -> Int? {
    var bytes = type.size
    for dimension in shape {
      let (product, overflow) = bytes.multipliedReportingOverflow(by: dimension)
      if overflow || dimension < 0 { return nil }
      bytes = product
    }
    return bytes / type.size
  }
}
