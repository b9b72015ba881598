internal import CSparseKernels

/// The kernels' argument checks are this library's own mistakes when they fail.
@inline(__always)
func expectOK(_ status: csk_status, _ operation: StaticString) {
  trap(unless: status == csk_status_ok, "\(operation) returned status \(status.rawValue)")
}

/// The instruction set that the kernels use: "avx512", "avx2", "neon" or "scalar" (`CSK_ISA` in the
/// environment forces another one that the CPU has).
public var instructionSet: String {
  unsafe String(cString: csk_isa_name(csk_isa_current()))
}
