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
