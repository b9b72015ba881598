// The system calls of the command line: the only file with pointers, errno and signals.

import RigLCore
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Nobody reads standard output any more: no reason for a message.
struct ClosedOutput: Error {}

/// Standard output or standard error; what is written is out when the call returns.
struct Output: Sendable {
  static let standard = Output(descriptor: STDOUT_FILENO, name: "standard output")
  static let error = Output(descriptor: STDERR_FILENO, name: "standard error")

  fileprivate let descriptor: Int32
  private let name: String

  private init(descriptor: Int32, name: String) {
    self.descriptor = descriptor
    self.name = name
  }

  /// Writes all of a text.
  ///
  /// - Throws: ``ClosedOutput``, or a `RigLError` of kind `write`.
  func write(_ text: String) throws {
    let bytes = Array(text.utf8)
    var done = 0
    while done < bytes.count {
      let written = unsafe bytes[done...].withUnsafeBytes { unsafe System.write(descriptor, $0) }
      if written > 0 {
        done += written
      } else if written < 0, errno == EPIPE {
        throw ClosedOutput()
      } else if written == 0 || (errno != EINTR && errno != EAGAIN) {
        throw RigLError(.write, "\(name): \(unsafe String(cString: strerror(errno)))")
      }
    }
  }

  /// Writes a text, or what of it can be written.
  func tryWrite(_ text: String) { try? write(text) }
}

/// What a terminal shows.
struct Terminal: Sendable {
  static let standardOutput = Terminal(.standard)
  static let standardError = Terminal(.error)

  /// Whether the output is a terminal that can move its cursor.
  let isInteractive: Bool
  /// Whether the terminal may show colours: <https://no-color.org>.
  let showsColours: Bool
  /// Whether the terminal shows more than ASCII.
  let showsUnicode: Bool
  private let descriptor: Int32

  private init(_ output: Output) {
    descriptor = output.descriptor
    isInteractive = isatty(descriptor) == 1 && System.environment("TERM") != "dumb"
    showsColours = isInteractive && (System.environment("NO_COLOR") ?? "").isEmpty
    // The first of these that is set counts, whatever the others say.
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap { System.environment($0) }
      .first { !$0.isEmpty }
    let encoding = (locale ?? "").lowercased()
    showsUnicode = encoding.hasSuffix("utf-8") || encoding.hasSuffix("utf8")
  }

  /// Its width now: the terminal's own, or `COLUMNS`, or 80.
  var columns: Int {
    var size = winsize()
    if unsafe ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 {
      return Int(size.ws_col)
    }
    if let columns = System.environment("COLUMNS").flatMap({ Int($0) }), columns > 0 {
      return min(columns, 1000)
    }
    return 80
  }
}

enum System {
  static func environment(_ name: String) -> String? {
    unsafe getenv(name).map { unsafe String(cString: $0) }
  }

  /// Ends the process at once.
  static func exit(_ status: Int32) -> Never {
    #if canImport(Glibc)
      Glibc.exit(status)
    #elseif canImport(Musl)
      Musl.exit(status)
    #else
      Darwin.exit(status)
    #endif
  }

  fileprivate static func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
    #if canImport(Glibc)
      unsafe Glibc.write(descriptor, bytes.baseAddress, bytes.count)
    #elseif canImport(Musl)
      unsafe Musl.write(descriptor, bytes.baseAddress, bytes.count)
    #else
      unsafe Darwin.write(descriptor, bytes.baseAddress, bytes.count)
    #endif
  }

  /// All of standard input, at most `limit` bytes.
  static func standardInput(limit: Int = 1 << 32) throws(RigLError) -> [UInt8] {
    var contents: [UInt8] = []
    var block = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = unsafe block.withUnsafeMutableBytes {
        unsafe read(STDIN_FILENO, $0.baseAddress, $0.count)
      }
      if count == 0 { return contents }
      if count < 0 {
        if errno == EINTR { continue }
        throw RigLError(
          .missingFile, "standard input: \(unsafe String(cString: strerror(errno)))")
      }
      contents += block[..<count]
      guard contents.count <= limit else {
        throw RigLError(.data, "standard input: more than \(limit) bytes")
      }
    }
  }

  /// Opens standard input, output and error where the parent has closed them: else the next file that
  /// is opened, a run's metrics for example, would take their number, and messages go there.
  static func openStandardStreams() {
    for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] {
      guard fcntl(descriptor, F_GETFD) < 0, errno == EBADF else { continue }
      // The lowest number that is free is the one. Without devices: something that cannot be written.
      if unsafe open("/dev/null", O_RDWR) < 0 { _ = unsafe open("/", O_RDONLY) }
    }
  }

  /// Throws where an argument is not UTF-8: what would be read and written is another file.
  static func requireReadableArguments() throws(RigLError) {
    for index in 1..<max(1, Int(CommandLine.argc)) {
      guard let argument = unsafe CommandLine.unsafeArgv[index],
        unsafe String(validatingCString: argument) == nil
      else { continue }
      throw RigLError(
        .configuration, "argument \(index) is not UTF-8: \(unsafe String(cString: argument))",
        hint: "Rename the file or folder, or reach it by a link of another name.")
    }
  }

  /// Makes writing to a pipe that nobody reads, or a file beyond a limit, an error of the call, not
  /// the end of the process; and SIGQUIT its end at once, whatever the parent had it do.
  static func prepareSignals() {
    _ = signal(SIGPIPE, SIG_IGN)
    _ = signal(SIGXFSZ, SIG_IGN)
    Interruption.set(SIGQUIT, to: SIG_DFL)
  }
}

// MARK: - Interruption

/// The signal that asked the process to end, 0 if none did.
private let receivedSignal = Atomic<Int32>(0)

/// Runs between any two instructions of the program: sets a flag, or leaves.
private func receive(_ signal: Int32) {
  let isFirst = receivedSignal.compareExchange(
    expected: 0, desired: signal, ordering: .relaxed
  ).exchanged
  // The user does not want to wait for the checkpoint. But a terminal that goes away sends SIGHUP
  // more than once, by the shell and by the system.
  if !isFirst && signal != SIGHUP { _exit(128 + signal) }
}

/// Ctrl-C (SIGINT), SIGTERM and SIGHUP, which ask a training to stop with a checkpoint.
enum Interruption {
  /// From now on the first such signal only sets ``signal``; a second one ends the process.
  ///
  /// They count even where the parent had them ignored, as shells do for background jobs, or blocked,
  /// as happens to children of threads that want no signals: whoever sends one means it. Only SIGHUP
  /// stays ignored, as `nohup` wants it.
  static func watch() {
    _ = signal  // Global variables are made when they are first used: not in the handler.
    for number in [SIGINT, SIGTERM] { set(number, to: receive) }
    var hangup = sigaction()
    let isKnown = unsafe sigaction(SIGHUP, nil, &hangup) == 0
    if !(isKnown && ignores(hangup)) { set(SIGHUP, to: receive) }
  }

  /// Counts the end of standard input as SIGTERM, once.
  static func watchStandardInput() throws(RigLError) {
    let status = startThread {
      var byte: UInt8 = 0
      while true {
        let count = unsafe read(STDIN_FILENO, &byte, 1)
        if count == 0 || count < 0 && errno != EINTR { break }
      }
      _ = receivedSignal.compareExchange(expected: 0, desired: SIGTERM, ordering: .relaxed)
    }
    guard status == 0 else {
      throw RigLError(
        .memory,
        "standard input: no thread can watch it: \(unsafe String(cString: strerror(status)))")
    }
  }

  private static func ignores(_ action: sigaction) -> Bool {
    #if canImport(Darwin)
      let handler = unsafe action.__sigaction_u.__sa_handler
    #elseif canImport(Glibc)
      let handler = unsafe action.__sigaction_handler.sa_handler
    #else
      let handler = unsafe action.__sa_handler.sa_handler
    #endif
    return unsafe unsafeBitCast(handler, to: Int.self) == 1  // SIG_IGN
  }

  /// Sets what a signal does, and lets it through.
  static func set(_ number: Int32, to handler: (@convention(c) (Int32) -> Void)?) {
    #if canImport(Glibc)
      _ = Glibc.signal(number, handler)
    #elseif canImport(Musl)
      _ = Musl.signal(number, handler)
    #else
      _ = Darwin.signal(number, handler)
    #endif
    var mask = sigset_t()
    unsafe sigemptyset(&mask)
    unsafe sigaddset(&mask, number)
    unsafe pthread_sigmask(SIG_UNBLOCK, &mask, nil)
  }

  /// The signal that was received first.
  static var signal: Int32? {
    let number = receivedSignal.load(ordering: .relaxed)
    return number == 0 ? nil : number
  }

  /// Whether the terminal has gone.
  static var hasHungUp: Bool { signal == SIGHUP }

  /// The name of a signal as the user knows it.
  static func name(of signal: Int32) -> String {
    switch signal {
    case SIGINT: "Ctrl-C"
    case SIGHUP: "SIGHUP"
    default: "SIGTERM"
    }
  }

  /// The status of a process that nobody reads any more, as if SIGPIPE had ended it.
  static let closedOutputStatus = 128 + SIGPIPE
}
