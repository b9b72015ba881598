internal import CSparseKernels

/// The kernels' argument checks are this library's own mistakes when they fail.
@inline(__always)
func expectOK(_ status: csk_status, _ operation: StaticString) {
  precondition(status == csk_status_ok, "\(operation) returned status \(status.rawValue)")
}

/// The instruction set that the kernels use: "avx2", "neon" or "scalar" (`CSK_ISA=scalar` forces
/// it).
public var instructionSet: String {
  unsafe String(cString: csk_isa_name(csk_isa_current()))
}
