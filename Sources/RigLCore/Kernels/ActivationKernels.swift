internal import CSparseKernels

extension Activation? {
  /// As kernels take it; nil: identity.
  var view: csk_activation {
    switch self {
    case nil: csk_activation(kind: csk_activation_identity, slope: 0)
    case .relu: csk_activation(kind: csk_activation_relu, slope: 0)
    case .leakyReLU(let slope): csk_activation(kind: csk_activation_leaky_relu, slope: slope)
    case .gelu: csk_activation(kind: csk_activation_gelu, slope: 0)
    case .silu: csk_activation(kind: csk_activation_silu, slope: 0)
    case .tanh: csk_activation(kind: csk_activation_tanh, slope: 0)
    case .sigmoid: csk_activation(kind: csk_activation_sigmoid, slope: 0)
    }
  }

  /// Whether its gradient is one of its input, which is then kept; else it is one of its result.
  var needsInput: Bool { csk_activation_needs_input(view) }

  /// The function's values.
  func callAsFunction(_ values: SIMD8<Float>) -> SIMD8<Float> {
    var values = values
    unsafe withUnsafeMutableBytes(of: &values) { bytes in
      expectOK(
        unsafe csk_activate(view, bytes.assumingMemoryBound(to: Float.self).baseAddress, 8),
        "csk_activate")
    }
    return values
  }

  /// The function's value.
  func callAsFunction(_ value: Float) -> Float {
    guard self != nil else { return value }
    var value = value
    expectOK(unsafe csk_activate(view, &value, 1), "csk_activate")
    return value
  }
}
