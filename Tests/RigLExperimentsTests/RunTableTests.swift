import Foundation
import RigLCore
import Testing

@testable import RigLExperiments

/// Tables of runs: what is written is read again, and what is none is refused with its line.
@Suite struct RunTableTests {
  private func path() -> String {
    FileManager.default.temporaryDirectory.appendingPathComponent(
      "rigl-table-\(UUID().uuidString).csv"
    ).path
  }

  private func record(_ name: String, seed: Int) -> RunRecord {
    var figures = RunRecord.Figures()
    figures.testAccuracy = 0.1 + Double(seed) / 3
    figures.testLoss = 1e-9
    figures.trainingFLOPs = 1.5e17
    figures.bytes = 12
    figures.wasAlone = seed == 0
    return RunRecord(
      name: name, state: .finished,
      settings: ["seed": "\(seed)", "method": "rigl", "data_folder": "/a \"b\",\nc"],
      program: "0.1.0 abc", figures: figures)
  }

  @Test func whatIsWrittenIsRead() throws {
    let path = path()
    defer { try? FileManager.default.removeItem(atPath: path) }
    var table = try RunTable(path: path)
    #expect(table.records.isEmpty)
    for seed in 0..<3 { try table.add(record("run, \"\(seed)\"", seed: seed)) }
    #expect(try RunTable(path: path).records == table.records)
    #expect(table.record(of: record("", seed: 2).settings)?.name == "run, \"2\"")
    // The same settings again take the place of the earlier run.
    try table.add(record("other", seed: 1))
    #expect(try RunTable(path: path).records.map(\.name) == ["run, \"0\"", "run, \"2\"", "other"])
  }

  /// A run that has every figure, each another.
  private var full: RunRecord {
    var full = record("full", seed: 0)
    full.figures.bestTestAccuracy = 0.25
    full.figures.inferenceFLOPs = 1e300
    (full.figures.connections, full.figures.positions) = (2, 3)
    (full.figures.hiddenUnits, full.figures.liveUnits) = (4, 5)
    (full.figures.exploredShare, full.figures.seconds) = (0.125, 6.5)
    full.figures.peakMemoryBytes = 7
    return full
  }

  /// All that a record has is in the table: nothing of it is lost on the way through the file.
  @Test func everyFigureHasAColumn() throws {
    let figures = Mirror(reflecting: full.figures).children
    #expect(figures.allSatisfy { "\($0.value)" != "nil" }, "\(figures.map { $0 })")
    let path = path()
    defer { try? FileManager.default.removeItem(atPath: path) }
    var table = try RunTable(path: path)
    try table.add(full)
    #expect(try RunTable(path: path).records == [full])
    let header = try #require(RunTable.csv([]).split(separator: "\n").first)
    #expect(header == RunColumn.all.map(\.name).joined(separator: ",") + ",state")
  }

  @Test func aLineOfJSONHasTheColumns() throws {
    var failed = full
    failed.state = .failed("no")
    failed.figures = RunRecord.Figures()
    func object(_ record: RunRecord) throws -> [String: Any] {
      let data = try JSONEncoder().encode(RunLine(record))
      return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    }
    let line = try object(full)
    let settings = ["method", "sparsity", "multiplier", "seed"]
    #expect(Set(line.keys) == Set(RunColumn.all.map(\.name) + ["state"]).subtracting(settings))
    #expect(line["settings"] as? [String: String] == full.settings)
    #expect(line["live_units"] as? Int == 5 && line["was_alone"] as? Bool == true)
    #expect(
      Set(try object(failed).keys) == ["run", "was_alone", "program", "settings", "state", "error"])
  }

  /// The table that is committed: one that an earlier version wrote.
  @Test func tablesWrittenSoFarAreRead() throws {
    let path = #filePath.split(separator: "/").dropLast(3).map { "/\($0)" }.joined()
    let table = try RunTable(path: path + "/docs/data/fair-comparison.csv")
    #expect(table.records.count >= 160)
    let run = try #require(table.records.first { $0.name == "static-0.8-seed1-d0d90b6a" })
    #expect(run.figures.testAccuracy == 0.8936 && run.figures.connections == 53_241)
    #expect(run.figures.bestTestAccuracy == nil && !run.figures.wasAlone)
    #expect(run.settings["distribution"] == "erk" && run.program == "0.1.0 fa3f199+")
  }

  @Test(arguments: [
    ("a,b\n1,2\n", "line 1: not the columns of a table of runs (there is no 'a')"),
    ("run,seed\nx,0\n", "line 1: not the columns of a table of runs"),
    ("run,settings\nx\n", "line 2: 1 cells, expected 2"),
    ("run,settings\nx,{}\n\ny,3\n", "line 4: a run needs a name and its settings, as JSON"),
    ("run,settings,bytes\nx,{},many\n", "line 2: bytes is 'many'"),
    ("run,settings\n\"x,{}\n", "a quotation mark is not closed"),
  ]) func damagedTablesAreNamed(text: String, message: String) throws {
    let path = path()
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    do {
      _ = try RunTable(path: path)
      Issue.record("it was read")
    } catch {
      #expect(error.kind == .data && error.what == "\(path): \(message)", "\(error)")
    }
  }

  @Test func cellsAreQuotedWhereTheyMustBe() throws {
    #expect(CSVText.line(["a", "b,c", "d\"e", "", "f\ng"]) == "a,\"b,c\",\"d\"\"e\",,\"f\ng\"")
    let rows = try #require(CSVText.rows("a,\"b,\"\"c\"\r\n\n,\n\"x\ny\",z"))
    #expect(rows.map(\.cells) == [["a", "b,\"c"], ["", ""], ["x\ny", "z"]])
    #expect(rows.map(\.line) == [1, 3, 4])
    #expect(CSVText.rows("\"a\"b") == nil)
  }
}
