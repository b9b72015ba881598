import Foundation
import RigLCore
import Testing

/// `CSK_ISA` in a program on the library: in processes of their own, because it is read once.
@Suite struct InstructionSetTests {
  /// What both a model and a thread pool say, which every training, evaluation and prediction has:
  /// kernels never run, so none traps.
  private static func refusals() -> [String] {
    var refusals: [String] = []
    func record(_ body: () throws(RigLError) -> Void) {
      do throws(RigLError) { try body() } catch {
        refusals.append("\(error.kind == .configuration) \(error.what)")
      }
    }
    record { () throws(RigLError) in _ = try ThreadPool(threads: 2) }
    record { () throws(RigLError) in
      let shape = SampleShape(channels: 4)
      _ = try Model(MLP(hidden: [3]).layers(input: shape, classes: 2), input: shape, capacity: 8)
    }
    return refusals
  }

  @Test func oneThatIsNoneIsAnError() async {
    await #expect(processExitsWith: .success) {
      setenv("CSK_ISA", "avx9", 1)
      let refusals = InstructionSetTests.refusals()
      try #require(refusals.count == 2)
      for refusal in refusals {
        #expect(
          refusal.hasPrefix(
            "true CSK_ISA: 'avx9' is no instruction set that this machine runs (scalar"))
        #expect(refusal.hasSuffix("); unset it for the best one"))
      }
    }
  }

  @Test func anEmptyOneIsAnError() async {
    await #expect(processExitsWith: .success) {
      setenv("CSK_ISA", "", 1)
      try #require(InstructionSetTests.refusals().count == 2)
    }
  }

  /// One that some machine runs, and this one does not.
  @Test func oneOfAnotherMachineIsAnError() async {
    await #expect(processExitsWith: .success) {
      #if arch(arm64)
        setenv("CSK_ISA", "avx2", 1)
      #else
        setenv("CSK_ISA", "neon", 1)
      #endif
      try #require(InstructionSetTests.refusals().count == 2)
    }
  }

  @Test func onesOfThisMachineRun() async {
    await #expect(processExitsWith: .success) {
      setenv("CSK_ISA", "scalar", 1)
      try #require(InstructionSetTests.refusals().isEmpty)
      #expect(instructionSet == "scalar")
    }
  }
}
