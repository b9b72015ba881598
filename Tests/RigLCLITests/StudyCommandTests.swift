import Foundation
import Testing

/// The file of the fair comparison: `--quick` makes a study of minutes of it, which must train all of its
/// groups and come to a page.
@Suite struct StudyCommandTests {
  private static let file = {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    return root.appendingPathComponent("Examples/fair-comparison.yaml").path
  }()

  private func list(_ outcome: Rigl.Outcome) throws -> [[String: Any]] {
    let json = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
    return try #require(json as? [[String: Any]], "\(outcome)")
  }

  @Test(
    .enabled(
      if: ProcessInfo.processInfo.environment["RIGL_BINARY"] != nil,
      "a debug build takes many minutes"))
  func theFairComparisonRunsToItsPage() throws {
    let folder = try TemporaryFolder()
    let arguments = ["sweep", Self.file, "--quick", "--output", folder("fair")]
    let planned = try list(try Rigl.run(arguments + ["--dry-run", "--json"]))
    let command = try RunningCommand(arguments + ["--quiet"])
    let swept = try command.wait(seconds: 300)
    #expect(swept.status == 0 && swept.errors.isEmpty, "\(swept)")

    let runs = try list(try Rigl.run("runs", folder("fair"), "--json"))
    #expect(runs.count == planned.count && runs.count > 70)
    for run in runs {
      #expect(run["state"] as? String == "finished", "\(run)")
      let accuracy = try #require(run["test_accuracy"] as? Double, "\(run)")
      #expect((0...1).contains(accuracy) && (run["training_flops"] as? Double ?? 0) > 0, "\(run)")
    }
    let methods = Set(runs.compactMap { ($0["settings"] as? [String: String])?["method"] })
    #expect(
      methods == [
        "dense", "small-dense", "static", "snip", "set", "snfs", "rigl", "granet", "pruning",
        "lottery",
      ])
    let page = try Rigl.run("report", folder("fair"), "--output", folder("fair.html"))
    #expect(page.status == 0 && page.errors.isEmpty, "\(page)")
    let html = String(decoding: try folder.bytes(of: "fair.html"), as: UTF8.self)
    #expect(html.utf8.count < 3_000_000 && !html.contains("failed or unfinished"))
    for method in methods { #expect(html.contains(">\(method)"), "\(method)") }
    for network in ["mlp", "lenet-5", "wrn-10-2"] { #expect(html.contains(network), "\(network)") }
    // Nothing is left to be trained.
    let again = try Rigl.run(arguments)
    #expect(again.status == 0 && again.output.hasPrefix("\(runs.count) runs finished"), "\(again)")
  }
}
