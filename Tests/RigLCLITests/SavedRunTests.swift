import Foundation
import Testing

@Suite struct SavedRunTests {
  let data: SmallData
  let folder: TemporaryFolder

  init() throws {
    data = try SmallData()
    folder = try TemporaryFolder()
    try data.train(in: folder("run"))
  }

  @Test func evaluationAgreesWithTheMetrics() throws {
    let object = try Rigl.run("evaluate", folder("run"), "--json").object()
    let test = try #require(object["test"] as? [String: Any])
    #expect(test["samples"] as? Int == SmallData.testCount)
    let metrics = try #require(
      String(data: try folder.bytes(of: "run/metrics.csv"), encoding: .utf8))
    let row = try #require(metrics.split(separator: "\n").last { $0.contains(",test,") })
    let cells = row.split(separator: ",", omittingEmptySubsequences: false)
    #expect(try isClose(test["accuracy"], #require(Double(cells[5]))))
    #expect(try isClose(test["loss"], #require(Double(cells[4]))))

    let text = try Rigl.run("evaluate", folder("run"))
    #expect(text.output.contains("120 test samples: accuracy"))
    let narrow = try Rigl.run("evaluate", folder("run"), environment: ["COLUMNS": "30"]).output
    let lines = narrow.split(separator: "\n")  // The first one, the checkpoint's path, stays whole.
    #expect(lines.count > 2 && lines.dropFirst().allSatisfy { $0.count <= 30 }, "\(narrow)")
    #expect(try Rigl.run("evaluate", folder("run"), "--quiet").output.isEmpty)
    let best = try Rigl.run("evaluate", folder("run"), "--best", "--json").object()
    #expect((best["checkpoint"] as? String)?.hasSuffix("best.safetensors") == true)
  }

  /// A few of many positions are neither none of them, nor are the others all.
  @Test func fewConnectionsAreNotNone() throws {
    let outcome = try Rigl.run(
      data.arguments([
        "--output", folder("few"), "--set", "hidden=[20000]", "--sparsity", "0.99996", "--steps",
        "1", "--threads", "1",
      ]))
    #expect(outcome.status == 0)
    #expect(outcome.output.contains("99.996 % sparse"), "\(outcome.output)")
    #expect(!outcome.output.contains("100.0 % sparse"))
    let inspected = try Rigl.run("inspect", folder("few")).output
    #expect(inspected.contains("0.004 %") && !inspected.contains(" 0.00 %"), "\(inspected)")
  }

  /// Foundation's JSON reader is off by a last bit now and then.
  private func isClose(_ value: Any?, _ expected: Double) -> Bool {
    (value as? Double).map { abs($0 - expected) <= 1e-12 * abs(expected) } ?? false
  }

  @Test func bestNeedsValidationSamples() throws {
    try data.train(in: folder("other"), ["--set", "validation=0"])
    let outcome = try Rigl.run("evaluate", folder("other"), "--best")
    #expect(outcome.status == 66)
    #expect(outcome.errors.contains("no best weights"))
  }

  @Test func predictionsOfImagesAndOfTextAreTheSame() throws {
    let images = try Rigl.run("predict", folder("run"), data.testImages)
    #expect(images.status == 0)
    let lines = images.output.split(separator: "\n")
    #expect(lines.first == "sample,class,probability,file")
    #expect(lines.count == SmallData.testCount + 1)
    #expect(lines.dropFirst().allSatisfy { $0.hasSuffix(",\"\(data.testImages)\"") })
    func numbers(_ outcome: Rigl.Outcome, _ file: String) throws -> [Substring] {
      try #require(outcome.status == 0, "\(outcome.errors)")
      let lines = outcome.output.split(separator: "\n")
      #expect(lines.dropFirst().allSatisfy { $0.hasSuffix(",\"\(file)\"") })
      return lines.map { $0.prefix { $0 != "\"" } }
    }
    let expected = try numbers(images, data.testImages)

    let csv = data.testPixels.map { $0.map { String($0) }.joined(separator: ",") }
    try folder.write(csv.joined(separator: "\n"), to: "pixels.csv")
    let text = try Rigl.run("predict", folder("run"), folder("pixels.csv"))
    #expect(try numbers(text, folder("pixels.csv")) == expected)
    let spaced = data.testPixels.map { " " + $0.map { String($0) }.joined(separator: " \t") + "\r" }
    let piped = try Rigl.run(
      "predict", folder("run"), "-", input: "\n" + spaced.joined(separator: "\n\n") + "\n")
    #expect(try numbers(piped, "-") == expected)

    // The share that is right is what evaluate says.
    let evaluation = try Rigl.run("evaluate", folder("run"), "--json").object()
    let test = try #require(evaluation["test"] as? [String: Any])
    let labels = try Data(contentsOf: URL(fileURLWithPath: "\(data.path)/t10k-labels-idx1-ubyte"))
    let predicted = lines.dropFirst().map { $0.split(separator: ",")[1] }
    let right = zip(predicted, labels.dropFirst(8)).count { Int($0) == Int($1) }
    #expect(isClose(test["accuracy"], Double(right) / Double(SmallData.testCount)))
  }

  @Test func predictionsAsJSONLines() throws {
    let outcome = try Rigl.run("predict", folder("run"), data.testImages, "--json")
    let lines = outcome.output.split(separator: "\n")
    #expect(lines.count == SmallData.testCount)
    for (index, line) in lines.enumerated() {
      let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
      #expect(object?["sample"] as? Int == index)
      #expect(object?["file"] as? String == data.testImages)
      #expect((0..<4).contains(try #require(object?["class"] as? Int)))
      #expect((0.25...1).contains(try #require(object?["probability"] as? Double)))
    }
  }

  @Test func samplesThatAreNoneAre65() throws {
    let row = [String](repeating: "1", count: 35).joined(separator: ",")
    for (text, place) in [
      ("\(row),1\n\(row)\n", "line 2: 35 values"), ("\(row),x\n", "line 1, value 36: 'x'"),
      ("\(row),nan\n", "value 36"), ("\(row),\n", "value 36: ''"),
    ] {
      let outcome = try Rigl.run("predict", folder("run"), "-", input: text)
      #expect(outcome.status == 65)
      #expect(outcome.errors.contains(place))
    }
    let labels = "\(data.path)/t10k-labels-idx1-ubyte"
    #expect(try Rigl.run("predict", folder("run"), labels).status == 65)
    #expect(try Rigl.run("predict", folder("run"), folder("nothing")).status == 66)
    let empty = try Rigl.run("predict", folder("run"), "-", input: "")
    #expect(empty.status == 0)
  }

  @Test func inspectionCounts() throws {
    let object = try Rigl.run("inspect", folder("run"), "--json").object()
    let network = try #require(object["network"] as? [String: Any])
    let layers = try #require(network["layers"] as? [[String: Any]])
    #expect(layers.compactMap { $0["name"] as? String } == ["fc1", "fc2", "fc3"])
    #expect(network["connections"] as? Int == 657)
    #expect(isClose(network["density"], 657.0 / 1312))
    for layer in layers {
      let shape = try #require(layer["shape"] as? [Int])
      let units = try #require(layer["live_units"] as? Int) + #require(layer["dead_units"] as? Int)
      #expect(units == shape[0])
    }
    // Values, biases: 4 bytes each.
    #expect(network["dense_bytes"] as? Int == 4 * (1312 + 44))
    let size = try folder.bytes(of: "run/checkpoints/step-000000075.safetensors").count
    #expect(object["checkpoint_bytes"] as? Int == size)
  }

  @Test func deadUnitsAreFound() throws {
    // 40 connections for 200 units: most have none on one side.
    try data.train(
      in: folder("thin"),
      [
        "--set", "hidden=[200]", "--sparsity", "0.995", "--distribution", "er", "--method",
        "static",
      ])
    let object = try Rigl.run("inspect", folder("thin"), "--json").object()
    let network = try #require(object["network"] as? [String: Any])
    #expect(try #require(network["connections"] as? Int) <= 41)
    #expect(try #require(network["dead_units"] as? Int) >= 160)
  }

  @Test(arguments: [120, 60, 40, 24])
  func tablesFit(columns: Int) throws {
    for arguments in [
      ["inspect", folder("run")], ["flops", "mlp-1000x3"], ["presets"], ["settings"],
      ["settings", "annealing"], ["settings", "initializer_counts_connections"],
      data.arguments(["--output", folder("\(columns)")]),
    ] {
      let outcome = try Rigl.run(arguments, environment: ["COLUMNS": "\(columns)"])
      #expect(outcome.status == 0)
      let tables = outcome.output.split(separator: "\n").filter { line in
        // Lines of a run may be longer; they are not tables.
        !line.contains("epoch") && !line.contains(folder.path) && !line.contains("training samples")
          && !line.contains("test samples") && !line.contains("sparse")
      }
      for line in tables { #expect(line.count <= max(columns, 40), "\(line)") }
      #expect(
        columns < 60 || outcome.output.contains("connections")
          || ["presets", "settings"].contains(arguments[0]))
    }
  }
}
