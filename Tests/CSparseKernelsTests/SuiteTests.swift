import CSparseKernelsSuite
import Testing

/// Runs the plain-C kernel tests inside `swift test`; the same sources also run natively and under
/// an emulator.
///
/// The suite's tests share state, so they run one after the other.
@Suite(.serialized) struct KernelSuite {
  @Test(arguments: KernelTest.all) func kernel(_ test: KernelTest) {
    var message = [CChar](repeating: 0, count: 512)
    let failures = unsafe csk_suite_run(
      csk_suite_test(test.number), &message, Int32(message.count))
    let text = String(
      decoding: message.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    #expect(failures == 0, "\(test): \(text)")
  }

  /// None is lost on the way from C, and a name is one test's.
  @Test func testsHaveNames() {
    let names = KernelTest.all.map(\.description)
    #expect(names.count > 140 && !names.contains(""))
    #expect(Set(names).count == names.count)
  }
}

/// A test of the C suite by its name.
struct KernelTest: CustomTestStringConvertible, CustomStringConvertible, Sendable {
  let number: Int32
  let description: String
  var testDescription: String { description }

  static let all: [KernelTest] = {
    var tests: [KernelTest] = []
    while let test = unsafe csk_suite_test(Int32(tests.count)) {
      let name = unsafe String(cString: test.pointee.name)
      tests.append(KernelTest(number: Int32(tests.count), description: name))
    }
    return tests
  }()
}
