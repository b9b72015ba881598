import Foundation
import Testing

@Suite struct BenchTests {
  private static let arguments = ["bench", "step", "wrn-10-2", "--batch", "8", "--rounds", "2"]

  @Test func aStepIsTakenApart() throws {
    let outcome = try Rigl.run(Self.arguments + ["--threads", "2", "--density", "0.1", "--json"])
    #expect(outcome.status == 0, "\(outcome.errors)")
    let records = try outcome.output.split(separator: "\n").map { line in
      let object = try JSONSerialization.jsonObject(with: Data(line.utf8))
      return try #require(object as? [String: Any], "\(line)")
    }
    #expect(records.count > 12)
    #expect(records.first?["bench"] as? String == "machine")
    let step = records[1]
    #expect(step["bench"] as? String == "step")
    for key in [
      "step_ms", "update_ms", "peak_memory_bytes", "clocked_step_ms", "clocked_update_ms",
    ] {
      #expect(step[key] is NSNumber, "\(key)")
    }
    let stages = try #require(step["stages"] as? [String: [String: Any]])
    for stage in ["forward_pack", "backward_kernel", "forward_unpack", "optimizer", "join"] {
      let own = try #require(stages[stage], "\(stage)")
      for key in ["ms", "bytes", "bound_ms", "share_of_bound"] {
        #expect((own[key] as? NSNumber)?.doubleValue ?? 0 > 0, "\(stage) \(key)")
      }
    }
    #expect(stages["growth"] == nil)
    #expect((step["update_stages"] as? [String: Any])?["growth"] != nil)
    let sum = stages.values.reduce(0) { $0 + (($1["ms"] as? NSNumber)?.doubleValue ?? 0) }
    let whole = try #require((step["clocked_step_ms"] as? NSNumber)?.doubleValue)
    #expect((sum / whole - 1).magnitude < 1e-3)

    let layers = records.dropFirst(2)
    #expect(layers.allSatisfy { $0["bench"] as? String == "step_layer" })
    let times = layers.map { ($0["ms"] as? NSNumber)?.doubleValue ?? -1 }
    #expect(times == times.sorted(by: >))
    #expect((times.reduce(0, +) / whole - 1).magnitude < 1e-3)
    let layer = try #require(layers.first { $0["layer"] as? String == "layer2.0.conv2" })
    #expect(layer["shape"] as? [Int] == [64, 64, 3, 3])
    #expect(layer["connections"] is Int)
    for key in ["sparsity", "ms", "bytes", "share_of_bound", "kernel_ms", "growth_ms"] {
      #expect((layer[key] as? NSNumber)?.doubleValue ?? 0 > 0, "\(key)")
    }
    #expect((layer["stages"] as? [String: Any])?["backward_pack"] != nil)
  }

  @Test func aMethodIsNamed() throws {
    let outcome = try Rigl.run(
      "bench", "step", "lenet-300-100", "--method", "gse", "--rounds", "1", "--json")
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.output.contains("\"update_ms\""))
    let mistaken = try Rigl.run("bench", "step", "lenet-300-100", "--method", "gs")
    #expect(mistaken.status == 64 && mistaken.errors.contains("'gs' is no method"))
  }

  @Test(arguments: [60, 100]) func tablesFit(columns: Int) throws {
    let outcome = try Rigl.run(Self.arguments, environment: ["COLUMNS": "\(columns)"])
    #expect(outcome.status == 0, "\(outcome.errors)")
    for line in outcome.output.split(separator: "\n") { #expect(line.count <= columns, "\(line)") }
    for word in ["backward pack", "layer3.0.conv2", "of bound"] {
      #expect(outcome.output.contains(word), "\(word)")
    }
  }
}
