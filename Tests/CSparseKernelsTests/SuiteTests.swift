import CSparseKernelsSuite
import Testing

/// Runs the plain-C kernel tests inside `swift test`; the same sources also run natively and under
/// an emulator.
@Suite struct KernelSuite {
  /// The suite's tests share state, so one Swift test runs them in turn.
  @Test func everyKernelTestPasses() {
    var index: Int32 = 0
    while let test = unsafe csk_suite_test(index) {
      var message = [CChar](repeating: 0, count: 512)
      let failures = unsafe csk_suite_run(test, &message, Int32(message.count))
      let name = unsafe String(cString: test.pointee.name)
      let text = String(
        decoding: message.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
      #expect(failures == 0, "\(name): \(text)")
      index += 1
    }
    #expect(index > 50, "only \(index) kernel tests")
  }
}
