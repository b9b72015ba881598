internal import CSparseKernels

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// The kernels' argument checks are this library's own mistakes when they fail.
@inline(__always)
func expectOK(_ status: csk_status, _ operation: StaticString) {
  trap(unless: status == csk_status_ok, sentence(on: status, of: operation))
}

private func sentence(on status: csk_status, of operation: StaticString) -> String {
  if status == csk_status_unsupported_isa, let error = instructionSetError() { return error.what }
  return "\(operation) returned status \(status.rawValue)"
}

/// The instruction set that the kernels use: "avx512", "avx2", "neon" or "scalar" (`CSK_ISA` in the
/// environment forces another one that the CPU has); "unsupported" if `CSK_ISA` names none of them,
/// and then no kernel runs.
package var instructionSet: String {
  unsafe String(cString: csk_isa_name(csk_isa_current()))
}

/// Requires that this CPU runs the instruction set that `CSK_ISA` asks for, if it does ask: a
/// mistyped one would otherwise end the program at its first kernel.
///
/// - Throws: `configuration`, with the value and what can stand in its place.
package func requireInstructionSet() throws(RigLError) {
  if let error = instructionSetError() { throw error }
}

private func instructionSetError() -> RigLError? {
  guard csk_isa_current() == csk_isa_unsupported else { return nil }
  let asked = unsafe getenv("CSK_ISA").map { unsafe String(cString: $0) } ?? ""
  var names: [String] = []
  for number in 0..<csk_isa_unsupported.rawValue where csk_isa_is_supported(csk_isa(number)) {
    names.append(unsafe String(cString: csk_isa_name(csk_isa(number))))
  }
  return RigLError(
    .configuration,
    "CSK_ISA: '\(shortened(asked))' is no instruction set that this machine runs "
      + "(\(names.joined(separator: ", "))); unset it for the best one")
}
