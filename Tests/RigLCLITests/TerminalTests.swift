import Foundation
import Testing

/// A terminal without a screen, which commands can be run in.
private final class PseudoTerminal {
  private let master: Int32
  private let slave: Int32
  /// What a command takes for its output.
  let handle: FileHandle
  /// All that was written to it.
  private(set) var text = ""

  init(columns: Int) throws {
    var size = winsize(ws_row: 24, ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
    var (first, second): (Int32, Int32) = (-1, -1)
    try #require(openpty(&first, &second, nil, nil, &size) == 0)
    (master, slave) = (first, second)
    handle = FileHandle(fileDescriptor: slave, closeOnDealloc: true)
    _ = fcntl(master, F_SETFL, O_NONBLOCK)
  }

  deinit { close(master) }

  /// Takes what has been written, so that nobody has to wait for room.
  func drain() {
    var block = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = read(master, &block, block.count)
      guard count > 0 else { return }
      text += String(decoding: block[..<count], as: UTF8.self)
    }
  }
}

@Suite struct TerminalTests {
  let data: SmallData
  let folder: TemporaryFolder

  init() throws {
    data = try SmallData()
    folder = try TemporaryFolder()
  }

  /// What a training of a second or two writes to a terminal.
  private func shown(
    columns: Int, environment: [String: String] = [:], _ more: [String] = []
  ) throws -> (text: String, seconds: Double) {
    let terminal = try PseudoTerminal(columns: columns)
    let begin = Date()
    let command = try RunningCommand(
      data.arguments(["--output", folder("run"), "--epochs", "1000000"] + more),
      environment: environment, output: terminal.handle, errors: terminal.handle)
    while command.isRunning, Date() < begin.addingTimeInterval(2) {
      terminal.drain()
      usleep(2000)
    }
    command.send(SIGINT)
    while command.isRunning { terminal.drain() }
    #expect(try command.wait().status == 130)
    terminal.drain()
    return (terminal.text, Date().timeIntervalSince(begin))
  }

  /// The bars: what stands between the start of a line and the end of its clearing.
  private func bars(_ text: String) -> [String] {
    text.split(separator: "\r").filter { $0.contains(" %") && $0.hasSuffix("\u{1B}[K") }
      .map { String($0.dropLast(3)) }
  }

  /// The lines that a terminal shows in the end.
  private func screen(_ text: String) -> [String] {
    var (lines, column): ([[Character]], Int) = ([[]], 0)
    for piece in withoutColours(text).split(
      separator: "\u{1B}[K", omittingEmptySubsequences: false)
    {
      lines[lines.count - 1].removeLast(max(0, lines[lines.count - 1].count - column))
      for character in piece {
        if character == "\r" {
          column = 0
        } else if character.isNewline {
          lines.append([])
          column = 0
        } else {
          let line = lines.count - 1
          if column < lines[line].count { lines[line].remove(at: column) }
          lines[line].insert(character, at: column)
          column += 1
        }
      }
    }
    return lines.map { String($0) }
  }

  private func withoutColours(_ text: String) -> String {
    text.replacing(/\u{1B}\[[0-9]*m/, with: "")
  }

  @Test(arguments: [120, 60, 30, 12])
  func theBarFits(columns: Int) throws {
    let (text, seconds) = try shown(columns: columns)
    let bars = bars(text).map(withoutColours)
    #expect(bars.count >= 2)
    #expect(Double(bars.count) <= 10 * seconds + 2, "at most ten times a second")
    for bar in bars {
      #expect(bar.count <= columns - 3)
      #expect(!bar.contains("\n"))
    }
    if columns >= 60 {
      #expect(bars.last?.contains("loss ") == true && bars.last?.contains(" left") == true)
    }
    let screen = screen(text)
    #expect(!screen.contains { $0.contains("░") }, "the bar is taken away")
    #expect(screen.contains { $0.hasPrefix("rigl: stopped by Ctrl-C") })
  }

  @Test func coloursAreShownUnlessTheyAreNotWanted() throws {
    let coloured = try shown(columns: 80)
    #expect(bars(coloured.text).contains { $0.contains("\u{1B}[32m") })
    try FileManager.default.removeItem(atPath: folder("run"))
    let plain = try shown(columns: 80, environment: ["NO_COLOR": "1"])
    #expect(bars(plain.text).count >= 2)
    #expect(!plain.text.contains("\u{1B}[32m"))
    #expect(plain.text.contains("░"))
  }

  @Test func asciiWhereNothingElseIsShown() throws {
    let (text, _) = try shown(columns: 80, environment: ["LC_ALL": "C"])
    #expect(bars(text).contains { $0.contains(".") })
    #expect(!text.contains { !$0.isASCII })
  }

  @Test func noBarWhereItCannotBeDrawnOrIsNotWanted() throws {
    let (dumb, _) = try shown(columns: 80, environment: ["TERM": "dumb"])
    #expect(!dumb.contains("\u{1B}") && dumb.contains("epoch"))
    try FileManager.default.removeItem(atPath: folder("run"))
    let (quiet, _) = try shown(columns: 80, ["--quiet"])
    #expect(quiet.hasPrefix("rigl: stopped"), "only why it stopped: \(quiet)")
  }
}
