import Foundation
import RigLCore
import Testing

@Suite struct MetricsLogTests {
  private static let oldColumns =
    "step,batches_consumed,epoch,split,loss,accuracy,learning_rate,drop_fraction,connections,"
    + "samples_per_second,elapsed_seconds,peak_memory_bytes"
  private static let oldHeader = oldColumns + "\n"
  private static let header =
    oldColumns + ",top5_accuracy,gradient_norm,connections_moved,never_active_before,"
    + "explored_share,live_units,live_widths,round\n"

  private static let full = MetricsRow(
    step: 10, batchesConsumed: 11, epoch: 2, split: .validation, loss: 0.1, accuracy: 1 / 3,
    learningRate: 1e-5, dropFraction: 0.3, connections: 26_662, samplesPerSecond: 1e16,
    elapsedSeconds: 12, peakMemoryBytes: 1 << 40, top5: 0.75, gradientNorm: 2.5,
    connectionsMoved: 1200, neverActiveBefore: 900, exploredShare: 0.125, liveUnits: 317,
    liveWidths: [408, 217, 100, 10], round: 3)

  private func row(_ batches: Int) -> MetricsRow {
    MetricsRow(step: batches, batchesConsumed: batches, epoch: 0, split: .train, loss: 1)
  }

  private func log(_ rows: [MetricsRow], at path: String) throws {
    let log = try MetricsLog.create(at: path)
    for row in rows { try log.append(row) }
    try log.synchronize()
  }

  @Test func writesTheseLines() throws {
    let folder = try TemporaryFolder()
    let log = try MetricsLog.create(at: folder("m"))
    #expect(try fileBytes(folder("m")) == Array(Self.header.utf8))
    try log.append(.init(step: 0, batchesConsumed: 1, epoch: 0, split: .train))
    let first = Self.header + "0,1,0,train,,,,,,,,,,,,,,,,\n"
    #expect(try fileBytes(folder("m")) == Array(first.utf8), "in the file at once")
    try log.append(Self.full)
    let second =
      "10,11,2,validation,0.1,0.3333333333333333,0.00001,0.3,26662,10000000000000000.0,12.0,"
      + "1099511627776,0.75,2.5,1200,900,0.125,317,408-217-100-10,3\n"
    #expect(String(decoding: try fileBytes(folder("m")), as: UTF8.self) == first + second)
    #expect(log.place == Self.full.place)
    #expect(
      try MetricsLog.rows(at: folder("m"))
        == [.init(step: 0, batchesConsumed: 1, epoch: 0, split: .train), Self.full])
  }

  /// Numbers of every size come back with the same bits, and without an exponent.
  @Test func numbersComeBack() throws {
    let folder = try TemporaryFolder()
    var random = SeededGenerator(seed: 3)
    var values: [Double] = [
      0, -0.0, 1, -1, 9_007_199_254_740_991, 1e16, 1.5e16, 123_456_789e10, 1e-4, 1e-5, 1.25e-7,
      -1.5e-10, .greatestFiniteMagnitude, -.greatestFiniteMagnitude, .leastNormalMagnitude,
      .leastNonzeroMagnitude, .pi, .infinity, -.infinity, 0.1, 1e22, 1e23,
    ]
    while values.count < 2_000 {
      let value = Double(bitPattern: random.next())
      if value.isFinite { values.append(value) }
    }
    try log(
      values.map {
        MetricsRow(step: 0, batchesConsumed: 0, epoch: 0, split: .test, loss: $0)
      }, at: folder("m"))
    let read = try MetricsLog.rows(at: folder("m")).map { $0.loss?.bitPattern }
    #expect(read == values.map(\.bitPattern))
    let text = String(decoding: try fileBytes(folder("m")), as: UTF8.self).dropFirst(
      Self.header.count)
    let cells = text.split(separator: "\n").map { $0.split(separator: ",")[4] }
    #expect(cells.allSatisfy { !$0.contains("e") && ($0.contains(".") || $0.contains("inf")) })
    let small: [Substring] = [
      "0.0", "-0.0", "1.0", "-1.0", "9007199254740991.0", "10000000000000000.0",
    ]
    #expect(Array(cells[..<6]) == small)
    #expect(cells[10] == "0.000000125" && cells[11] == "-0.00000000015")
  }

  @Test func noNumberIsReadAsOne() throws {
    let folder = try TemporaryFolder()
    try log(
      [.init(step: 0, batchesConsumed: 0, epoch: 0, split: .train, loss: .nan)], at: folder("m"))
    #expect(try MetricsLog.rows(at: folder("m")).first?.loss?.isNaN == true)
  }

  /// An interrupted run's log, cut back and continued, equals an unbroken run's byte for byte.
  @Test(arguments: [0, 1, 4, 5, 9])
  func aResumedLogEqualsAnUnbrokenOne(checkpoint: Int) throws {
    let folder = try TemporaryFolder()
    // Two rows of batch 5: training and validation.
    let rows = [1, 2, 3, 5, 5, 6, 8, 9].map(row)
    try log(rows, at: folder("whole"))
    try log(rows.filter { $0.batchesConsumed <= 8 }, at: folder("broken"))
    var bytes = try fileBytes(folder("broken"))
    bytes += Array("9,9,0,tr".utf8)
    try writeFile(bytes, to: folder("broken"))

    let kept = rows.filter { $0.batchesConsumed <= min(checkpoint, 8) }
    let resumed = try MetricsLog.resume(at: folder("broken"), batchesConsumed: checkpoint)
    #expect(resumed.place.batchesConsumed == (kept.last?.batchesConsumed ?? 0))
    #expect(try MetricsLog.rows(at: folder("broken")) == kept)
    for row in rows.dropFirst(kept.count) { try resumed.append(row) }
    #expect(try fileBytes(folder("broken")) == fileBytes(folder("whole")))
    #expect(try folder.names() == ["broken", "whole"])
  }

  @Test func leavesOutAHalfWrittenLine() throws {
    let folder = try TemporaryFolder()
    try log([row(1), row(2)], at: folder("m"))
    let bytes = try fileBytes(folder("m"))
    let second = Self.header.utf8.count + (bytes.count - Self.header.utf8.count) / 2
    for count in 0...bytes.count {
      try writeFile(Array(bytes[..<count]), to: folder("m"))
      let lines = count < second ? 0 : count < bytes.count ? 1 : 2
      #expect(try MetricsLog.rows(at: folder("m")).count == lines, "\(count) bytes")
      let resumed = try MetricsLog.resume(at: folder("m"), batchesConsumed: 2)
      #expect(resumed.place.batchesConsumed == lines)
      for number in lines..<2 { try resumed.append(row(number + 1)) }
      #expect(try fileBytes(folder("m")) == bytes, "\(count) bytes")
    }
  }

  @Test func damageAfterTheCheckpointDoesNotMatter() throws {
    let folder = try TemporaryFolder()
    try log([row(1), row(2), row(3)], at: folder("m"))
    let good = try fileBytes(folder("m"))
    try writeFile(good + [0, 0, 0, 10, 0, 0], to: folder("m"))
    _ = try MetricsLog.resume(at: folder("m"), batchesConsumed: 2)
    #expect(try MetricsLog.rows(at: folder("m")).map(\.step) == [1, 2])
  }

  @Test(arguments: [
    ("step,loss\n1,2\n", "line 1: not the columns"),
    (oldColumns + ",loss\n1,2\n", "line 1: not the columns"),
    (header + "1,1,0,train,,,,,,,,\n", "line 2: 12 cells, expected 20"),
    (
      header + "1,1,0,train,,,,,,,,,,,,,,,,\n1,x,0,train,,,,,,,,,,,,,,,,\n",
      "line 3: batches_consumed is 'x'"
    ),
    (header + "1,1,0,train,0,5,,,,,,,,,,,,,,,,\n", "line 2: 22 cells"),
    (header + "1,1,0,update,,,,,,,,,,,many,,,,,\n", "line 2: connections_moved is 'many'"),
    (header + "1,1,0,update,,,,,,,,,,,,,,,8-x-2,\n", "line 2: live_widths is '8-x-2'"),
    (oldHeader + "1,1,0,train,,,,,,,\n", "line 2: 11 cells, expected 12"),
    (oldHeader + "1,,0,train,,,,,,,,\n", "line 2: batches_consumed is empty"),
    (oldHeader + "1,1,0,all,,,,,,,,\n", "line 2: split is 'all'"),
    (oldHeader + "1,1,0,train,zero,,,,,,,\n", "line 2: loss is 'zero'"),
    (header + "\n", "line 2: 1 cells"),
  ])
  func namesTheLineAndSetsItAside(text: String, says: String) throws {
    let folder = try TemporaryFolder()
    try writeFile(text, to: folder("m"))
    let error = #expect(throws: RigLError.self) { try MetricsLog.rows(at: folder("m")) }
    #expect(error?.kind == .data)
    #expect(error?.what.hasPrefix("\(folder("m")): \(says)") == true, "\(error?.what ?? "")")
    // A run goes on without it, and nothing is lost.
    let log = try MetricsLog.resume(at: folder("m"), batchesConsumed: 5)
    let number = try #require(says.split(separator: " ").dropFirst().first?.prefix { $0 != ":" })
    #expect(log.warnings.count == 1)
    let warning = log.warnings.first ?? ""
    #expect(
      warning.contains("in line \(number);") || warning.contains("in lines \(number), "),
      "\(warning)")
    #expect(log.warnings.first?.contains(folder("m.damaged")) == true)
    #expect(try fileBytes(folder("m.damaged")) == Array(text.utf8))
    try log.append(row(6))
    #expect(try MetricsLog.rows(at: folder("m")).last == row(6))
    #expect(try MetricsLog.resume(at: folder("m"), batchesConsumed: 6).warnings.isEmpty)
  }

  @Test func carriageReturnsAreNoDamage() throws {
    let folder = try TemporaryFolder()
    try log([1, 2, 4].map(row), at: folder("m"))
    let text = String(decoding: try fileBytes(folder("m")), as: UTF8.self)
    try writeFile(Array(text.replacing("\n", with: "\r\n").utf8), to: folder("m"))
    let log = try MetricsLog.resume(at: folder("m"), batchesConsumed: 4)
    #expect(log.warnings.isEmpty)
    #expect(try MetricsLog.rows(at: folder("m")) == [1, 2, 4].map(row))
  }

  @Test func keepsTheRowsAroundDamage() throws {
    let folder = try TemporaryFolder()
    try log([1, 2, 4, 6, 8, 9].map(row), at: folder("m"))
    let lines = String(decoding: try fileBytes(folder("m")), as: UTF8.self)
      .split(separator: "\n").map { String($0) }
    /// Replaces lines, and resumes from batch 6.
    func resumed(_ changes: [Int: [UInt8]]) throws -> (steps: [Int], warning: String?) {
      let bytes = lines.enumerated().map { changes[$0.offset] ?? Array($0.element.utf8) }
      try writeFile(Array(bytes.joined(separator: [10])) + [10], to: folder("m"))
      let log = try MetricsLog.resume(at: folder("m"), batchesConsumed: 6)
      #expect(log.warnings.count <= 1)
      return (try MetricsLog.rows(at: folder("m")).map(\.step), log.warnings.first)
    }
    let whole = try resumed([:])
    #expect(whole.steps == [1, 2, 4, 6] && whole.warning == nil)
    for junk in [[0xFF, 0xFE], [], Array("900,900,0,train,1.0,,,,,,,".utf8), [0, 0, 0]] as [[UInt8]]
    {
      let one = try resumed([2: junk])
      #expect(one.steps == [1, 4, 6])
      #expect(one.warning?.contains("in line 3;") == true, "\(one.warning ?? "")")
    }
    // What comes after the checkpoint does not matter.
    let later = try resumed([5: [0xFF]])
    #expect(later.steps == [1, 2, 4, 6])
    let several = try resumed([1: [1], 2: [2], 4: [0xC0]])
    #expect(several.steps == [4] && several.warning?.contains("in lines 2, 3;") == true)
    #expect(try folder.names().filter { $0.hasPrefix("m.damaged") }.count > 4, "never overwritten")
  }

  /// A log that an older version has begun goes on with today's columns, in one file that every
  /// reader understands.
  @Test func anOlderLogGetsTodaysColumns() throws {
    let folder = try TemporaryFolder()
    let old = ["1,2,0,train,2.5,0.25,0.1,0.3,100,1000.0,0.5,4096", "2,3,0,test,2.25,,,,,,,"]
    try writeFile(Self.oldHeader + old.joined(separator: "\n") + "\n3,4,0,tra", to: folder("m"))
    let rows = try MetricsLog.rows(at: folder("m"))
    #expect(rows.map(\.loss) == [2.5, 2.25] && rows.map(\.peakMemoryBytes) == [4096, nil])
    #expect(rows.allSatisfy { $0.top5 == nil && $0.liveUnits == nil })

    let log = try MetricsLog.resume(at: folder("m"), batchesConsumed: 3, lastUpdate: 0)
    try log.append(
      .init(step: 2, batchesConsumed: 4, epoch: 0, split: .update, connectionsMoved: 7))
    let expected =
      Self.header + old.map { $0 + ",,,,,,,,\n" }.joined() + "2,4,0,update,,,,,,,,,,,7,,,,,\n"
    #expect(String(decoding: try fileBytes(folder("m")), as: UTF8.self) == expected)
    #expect(try folder.names() == ["m"], "replaced as a whole")
  }

  /// Updates after the checkpoint are made again, those that draw no batch of their own too.
  @Test(arguments: [(-1, 2), (4, 2), (5, 3), (9, 3)])
  func rowsOfLaterUpdatesAreCutOff(lastUpdate: Int, left: Int) throws {
    let folder = try TemporaryFolder()
    try log(
      [
        row(4), row(5),
        MetricsRow(step: 5, batchesConsumed: 5, epoch: 0, split: .update, connectionsMoved: 1),
        row(6),
      ], at: folder("m"))
    _ = try MetricsLog.resume(at: folder("m"), batchesConsumed: 5, lastUpdate: lastUpdate)
    #expect(try MetricsLog.rows(at: folder("m")).count == left)
  }

  /// Of a lottery ticket, rows of a later round come after those of an earlier one, whatever their batches.
  @Test(arguments: [(0, 9, 2), (1, 3, 4), (1, 4, 5), (2, 0, 5)])
  func roundsComeBeforeBatches(round: Int, batches: Int, left: Int) throws {
    let folder = try TemporaryFolder()
    func row(_ round: Int, _ batches: Int) -> MetricsRow {
      MetricsRow(step: batches, batchesConsumed: batches, epoch: 0, split: .train, round: round)
    }
    var pruning = row(0, 9)
    pruning.split = .update
    try log([row(0, 1), row(0, 9), pruning, row(1, 3), row(1, 4)], at: folder("m"))
    // The pruning that ends a round is after its last checkpoint, and before the next round's.
    let resumed = try MetricsLog.resume(
      at: folder("m"), batchesConsumed: batches, round: round, lastUpdate: -1)
    #expect(resumed.warnings.isEmpty)
    #expect(try MetricsLog.rows(at: folder("m")).count == left)
    try resumed.append(row(round, batches))
  }

  @Test func createsOnceOnly() throws {
    let folder = try TemporaryFolder()
    try log([row(1)], at: folder("m"))
    let error = #expect(throws: RigLError.self) { try MetricsLog.create(at: folder("m")) }
    #expect(error?.kind == .write)
    let none = #expect(throws: RigLError.self) { try MetricsLog.rows(at: folder("none")) }
    #expect(none?.kind == .missingFile)
    _ = try MetricsLog.resume(at: folder("new"), batchesConsumed: 7)
    #expect(try fileBytes(folder("new")) == Array(Self.header.utf8))
  }
}
