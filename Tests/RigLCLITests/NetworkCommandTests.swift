import Foundation
import Testing

/// Convolutional networks from the command line: counts, export, and the way back.
@Suite struct NetworkCommandTests {
  private let data: SmallData
  private let folder: TemporaryFolder

  init() throws {
    data = try SmallData()
    folder = try TemporaryFolder()
  }

  private func flops(_ arguments: String...) throws -> [String: Any] {
    let outcome = try Rigl.run(["flops"] + arguments + ["--json"])
    try #require(outcome.status == 0, "\(outcome.errors)")
    return try outcome.object()
  }

  @Test func resNetIsCountedAsPublished() throws {
    let object = try flops(
      "resnet-50", "--sparsity", "0.8", "--distribution", "erk", "--paper-accounting")
    let dense = try #require(object["dense_flops"] as? Double)
    #expect((dense / 1e4).rounded() == 820_234)
    let flops = try #require(object["flops"] as? Double)
    #expect((flops / dense * 100).rounded() == 42)
    #expect((try #require(object["size_bytes"] as? Double) - 23_683_636).magnitude < 1)
    let training = try #require(object["train_multiplier"] as? [String: Double])
    #expect(
      training.keys.sorted() == [
        "dense", "granet", "gse", "lottery", "pruning", "rigl", "set", "snfs", "snip", "static",
      ])
    let layers = try #require(object["layers"] as? [[String: Any]])
    #expect(layers.count == 54)
    #expect(layers[0]["name"] as? String == "conv1")
    #expect(layers[0]["shape"] as? [Int] == [64, 3, 7, 7])
    for key in ["sparsity", "connections", "flops", "bytes"] { #expect(layers[1][key] is NSNumber) }
  }

  @Test func everyPresetIsCounted() throws {
    for preset in ["wrn-22-2", "wrn-10-2", "cifar10-wrn-22-2", "mobilenet-v1", "resnet-50"] {
      for counting in [[], ["--paper-accounting"]] {
        let outcome = try Rigl.run(["flops", preset] + counting)
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.output.contains("fc"))
      }
    }
  }

  @Test func unknownNetworksNameTheNearest() throws {
    let outcome = try Rigl.run("train", "--set", "network=resnet50", "--dry-run")
    #expect(outcome.status == 64)
    #expect(outcome.errors.contains("resnet-50"))
  }

  @Test func aRunIsExportedAndStartedFrom() throws {
    let network = ["--set", "network=wrn-10-1", "--set", "width_multiplier=0.25"]
    try data.train(in: folder("run"), network + ["--epochs", "1"])
    let inspected = try Rigl.run("inspect", folder("run"))
    #expect(inspected.status == 0 && inspected.output.contains("layer3.0.conv2"), "\(inspected)")
    let exported = try Rigl.run("export", folder("run"), "--dense", "--json")
    let object = try exported.object()
    let file = try #require(object["file"] as? String)
    #expect(file == folder("run/dense.safetensors"))
    #expect(object["bytes"] as? Int == (try folder.bytes(of: "run/dense.safetensors")).count)
    #expect(try Rigl.run("export", folder("run"), "--output", folder("own")).status == 0)

    try data.train(in: folder("again"), network + ["--epochs", "0", "--start-from", file])
    func accuracy(_ run: String) throws -> Double {
      let test = try Rigl.run("evaluate", folder(run), "--json").object()["test"] as? [String: Any]
      return try #require(test?["accuracy"] as? Double)
    }
    #expect(try accuracy("run") == accuracy("again"))
    let other = try Rigl.run(
      data.arguments(["--start-from", file, "--set", "network=mlp", "--output", folder("no")]))
    #expect(other.status == 65)
    #expect(try Rigl.run("export", folder("nothing")).status == 66)
    let unwritable = try Rigl.run("export", folder("run"), "--output", folder("no/such/file"))
    #expect(unwritable.status == 74)
  }

  @Test func dryRunsShowConvolutions() throws {
    let outcome = try Rigl.run(
      data.arguments([
        "--dry-run", "--json", "--set", "network=wrn-10-1", "--set", "width_multiplier=0.25",
      ]))
    let layers = try #require(try outcome.object()["layers"] as? [[String: Any]])
    #expect(layers.first?["shape"] as? [Int] == [4, 1, 3, 3])
  }
}
