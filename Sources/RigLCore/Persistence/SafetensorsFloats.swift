// Tensors of half the precision, as other programs write them, read as single precision.

extension SafetensorsFile {
  /// Reads a tensor of `F32`, `F16` or `BF16` as single precision, which holds every value of all
  /// three.
  ///
  /// - Throws: as reading into a buffer; `F64` and whole numbers are refused, since they would lose
  ///   digits.
  package func readFloats(
    _ name: String, shape: [Int]? = nil, into buffer: inout AlignedBuffer<Float>
  ) throws(RigLError) {
    let tensor = try requireFloats(name, shape: shape)
    let value: (UInt16) -> Float
    switch tensor.type {
    case .float16: value = single(half:)
    case .bfloat16: value = { Float(bitPattern: UInt32($0) << 16) }
    default: return try read(name, shape: shape, into: &buffer)
    }
    guard buffer.count == tensor.count else {
      throw problem(name, "has \(tensor.count) elements, expected \(buffer.count)")
    }
    let bytes = try bytes(name)
    for index in 0..<tensor.count {
      buffer[index] = value(UInt16(bytes[2 * index]) | UInt16(bytes[2 * index + 1]) << 8)
    }
  }
}

extension SafetensorsFile {
  /// The tensor of a name, of numbers that ``readFloats(_:shape:into:)`` reads.
  ///
  /// - Throws: `RigLError(.data)` if there is none, or another.
  @discardableResult
  func requireFloats(_ name: String, shape: [Int]? = nil) throws(RigLError) -> SafetensorsTensor {
    let tensor = try require(name, shape: shape)
    guard [.float16, .bfloat16, .float32].contains(tensor.type) else {
      throw RigLError(
        .data, "\(path): tensor \(name) is \(tensor.type.rawValue), expected F32, F16 or BF16",
        hint: "Save it in single precision; in PyTorch, tensor.float().")
    }
    return tensor
  }
}

/// The number of an IEEE 754 half; not by `Float16`, which not every platform has.
private func single(half: UInt16) -> Float {
  let sign = UInt32(half >> 15) << 31
  let (exponent, fraction) = (UInt32(half >> 10) & 31, UInt32(half) & 1023)
  switch exponent {
  case 0:
    // Below the smallest normal half: fraction · 2⁻²⁴, which a single holds exactly.
    let magnitude = Float(fraction) * 0x1p-24
    return sign == 0 ? magnitude : -magnitude
  case 31: return Float(bitPattern: sign | 0x7F80_0000 | fraction << 13)
  default: return Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
  }
}
