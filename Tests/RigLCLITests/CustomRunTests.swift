import Foundation
import RigLCore
import Testing

/// What the commands say of runs whose network or samples were given in Swift.
@Suite struct CustomRunTests {
  struct Own: Network {
    func layers(input: SampleShape, classes: Int) -> Sequential {
      Sequential(
        SparseLinear("hidden", inputs: input.count, outputs: 20), ReLU(),
        SparseLinear("output", inputs: 20, outputs: classes))
    }
  }

  struct Squares: Loss {
    func loss(of logits: Span<Float>, label: Int, gradient: inout MutableSpan<Float>) -> Double {
      var sum = 0.0
      for index in logits.indices {
        gradient[index] = logits[index] - (index == label ? 1 : 0)
        sum += Double(gradient[index] * gradient[index]) / 2
      }
      return sum
    }
  }

  struct Smallest: TopologyMethod {
    let timing = TopologyTiming.afterWeightStep

    func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
      try layer.dropSmallestMagnitudes(count)
      try layer.growAtRandom(count)
    }
  }

  struct Plain: Optimizer {
    let slotNames: [String] = []

    func update(
      _ parameter: Parameter, slots: [Slot], range: Range<Int>, settings: StepSettings
    ) {
      for index in range {
        parameter.values[index] -= Float(settings.learningRate) * parameter.gradient[index]
      }
    }
  }

  let data: SmallData
  let folder: TemporaryFolder

  /// `network`: an own network, `data`: own samples, `both`; `rules`: an own loss, method, optimizer.
  init() throws {
    data = try SmallData()
    folder = try TemporaryFolder()
    var configuration = Configuration()
    configuration.data = data.path
    configuration.validation = 100
    configuration.epochs = 1
    configuration.sparsity = 0.5
    configuration.hidden = [8]
    let loaded = try TrainingData.load(configuration)
    let own = TrainingData(train: loaded.train, test: loaded.test)
    let runs: [(String, (any Network)?, TrainingData?)] = [
      ("network", Own(), nil), ("data", nil, own), ("both", Own(), own),
    ]
    for (name, network, data) in runs {
      var options = RunOptions()
      (options.threads, options.output) = (1, folder(name))
      _ = try Trainer(configuration, options: options, network: network, data: data).run()
    }
    var options = RunOptions()
    (options.threads, options.output) = (1, folder("rules"))
    _ = try Trainer(
      configuration, options: options, loss: Squares(), method: Smallest(), optimizer: Plain()
    ).run()
  }

  private func fails(
    _ arguments: String..., saying parts: String..., status: Int32 = 64
  ) throws {
    let outcome = try Rigl.run(arguments)
    #expect(outcome.status == status && !outcome.hasCrashed, "\(arguments): \(outcome)")
    for part in parts { #expect(outcome.errors.contains(part), "\(arguments): \(outcome.errors)") }
    // What is wrong, and what to do: a line each.
    #expect(outcome.errors.split(separator: "\n").count <= 2, "\(outcome.errors)")
  }

  @Test func commandsSayWhatTheyNeed() throws {
    for run in ["network", "both"].map({ folder($0) }) {
      try fails("evaluate", run, saying: "(Own) was made in Swift", "network: …")
      try fails("evaluate", run, "--data", data.path, saying: "(Own) was made in Swift")
      try fails("predict", run, data.testImages, saying: "(Own) was made in Swift")
    }
    try fails("evaluate", folder("data"), saying: "samples were given in Swift", "--data")
    try fails(
      "train", "--resume", folder("both"),
      saying: "its network (Own) and its samples were given in Swift", "network: …, data: …")
    try fails(
      "train", "--resume", folder("network"), saying: "its network (Own) was given in Swift")
    try fails("train", "--resume", folder("data"), saying: "its samples were given in Swift")
    try fails(
      "train", "--resume", folder("data"), "--data", data.path,
      saying: "its samples were given in Swift")
    try fails("train", folder("both/config.yaml"), saying: "network: custom, data: custom")
    try fails(
      "train", folder("both/config.yaml"), "--data", data.path, "--output", folder("x"),
      saying: "network was made in Swift")
    try fails("train", "--set", "network=custom", "--data", data.path, saying: "made in Swift")
    try fails("train", "--data", "custom", saying: "given in Swift")
    #expect(!FileManager.default.fileExists(atPath: folder("x")))
  }

  @Test func commandsSayWhichRulesTheyNeed() throws {
    let run = folder("rules")
    let parts =
      "its loss (Squares), its topology method (Smallest) and its optimizer (Plain) were given in"
    try fails("train", "--resume", run, saying: parts, "loss: …, method: …, optimizer: …).resume(")
    try fails(
      "train", "--resume", run, "--extend", "3", saying: parts, "Trainer(extending: ", "by: 3, loss"
    )
    try fails(
      "train", "\(run)/config.yaml", "--output", folder("x"),
      saying: "custom_parts: the loss (Squares), topology method (Smallest) and optimizer (Plain)")
    try fails("evaluate", run, saying: "loss (Squares) was given in Swift", "loss: …")
    try fails("evaluate", run, "--data", data.path, saying: "loss (Squares) was given in Swift")
    #expect(!FileManager.default.fileExists(atPath: folder("x")))
    #expect(try Rigl.run("predict", run, data.testImages).status == 0)
    #expect(try Rigl.run("inspect", run).output.contains("with the optimizer's state"))
    let best = try Rigl.run("inspect", run, "--best").output
    #expect(best.contains("of the network alone") && !best.contains("optimizer"), "\(best)")
    let started = try Rigl.run(
      "train", "--start-from", run, "--epochs", "1", "--output", folder("next"))
    #expect(started.status == 0 && started.errors.contains("its loss (Squares)"), "\(started)")
    #expect(try Rigl.run("evaluate", folder("next")).status == 0)
  }

  /// The hint names what does in Swift what the command was asked for.
  @Test func hintsNameTheCallThatDoesIt() throws {
    try fails(
      "train", "--resume", folder("both"), "--extend", "3",
      saying: "Trainer(extending: ", "by: 3, network: …, data: …).run()")
    try fails(
      "train", "--start-from", folder("network"), "--output", folder("x"),
      saying: "Trainer(startingFrom: ")
    try fails("evaluate", folder("data"), saying: "SavedRun(…).evaluate(samples)")
    let file = folder("net.safetensors")
    #expect(try Rigl.run("export", folder("network"), "--output", file).status == 0)
    try fails("import", file, saying: "the file's network (Own)", "NetworkImport(…, network: …)")
  }

  @Test func startingFromItIsRefusedWhereTheNetworkIsNotThere() throws {
    try fails(
      "train", "--start-from", folder("network"), "--data", data.path, "--set", "hidden=[20]",
      "--set", "validation=100", "--output", folder("x"), saying: "network (Own) was made in Swift")
    let file = folder("net.safetensors")
    #expect(try Rigl.run("export", folder("network"), "--dense", "--output", file).status == 0)
    try fails(
      "train", "--start-from", file, "--data", data.path, "--set", "hidden=[20]", "--set",
      "validation=100", "--output", folder("x"), saying: "network (Own) was made in Swift")
    try fails("import", file, "--output", folder("y"), saying: "(Own) was made in Swift")
    try fails(
      "import", file, "--set", "network=mlp", "--set", "hidden=[20]", "--data", data.path,
      "--output", folder("y"), saying: "not in the file", status: 65)
  }

  @Test func whatCanBeDoneIsDone() throws {
    let object = try Rigl.run("evaluate", folder("data"), "--data", data.path, "--json").object()
    let test = try #require(object["test"] as? [String: Any])
    #expect(test["samples"] as? Int == SmallData.testCount)
    #expect(try Rigl.run("predict", folder("data"), data.testImages).status == 0)
    for run in ["network", "both"] {
      let inspected = try Rigl.run("inspect", folder(run), "--json").object()
      let network = try #require(inspected["network"] as? [String: Any])
      let layers = try #require(network["layers"] as? [[String: Any]])
      #expect(layers.map { $0["name"] as? String } == ["hidden", "output"])
      #expect(layers.map { $0["shape"] as? [Int] } == [[20, 36], [4, 20]])
      let text = try Rigl.run("inspect", folder(run), "--best")
      #expect(text.status == (run == "network" ? 0 : 66))
      let shown = try Rigl.run("inspect", folder(run)).output
      #expect(shown.contains("hidden") && shown.contains("made in Swift"), "\(shown)")
      try fails("inspect", folder(run), "--plan", saying: "which stages run", "made in Swift")
      let exported = try Rigl.run("export", folder(run), "--json").object()
      #expect(exported["connections"] as? Int == network["connections"] as? Int)
    }
    #expect(try Rigl.run("inspect", folder("data")).output.contains("fc1"))
  }

  /// Samples of another dataset, with names of its classes.
  private struct Named: Dataset {
    let samples: any Dataset
    var count: Int { samples.count }
    var sampleShape: SampleShape { samples.sampleShape }
    var classes: Int { samples.classes }
    func label(of sample: Int) -> Int { samples.label(of: sample) }
    func write(_ sample: Int, into values: inout MutableSpan<Float>) {
      samples.write(sample, into: &values)
    }
    var classNames: [String]? { ["north", "south", "east", "west"] }
  }

  /// Classes of own samples have the names that these say, as those of photos have; also where they
  /// are of a format that another program has added.
  @Test(arguments: ["custom", "beads"])
  func classesOfOwnSamplesHaveTheirNames(source: String) throws {
    let (path, names) = (data.path, ["north", "south", "east", "west"])
    // Cases run side by side.
    let format = source == "beads" ? "beads" : "pearls"
    DatasetFormat.register(
      DatasetFormat(format) { (_) throws(RigLError) in
        let loaded = try DataSource(name: path).load()
        return DatasetParts(train: Named(samples: loaded.train), test: Named(samples: loaded.test))
      })
    var configuration = Configuration()
    configuration.data = format
    (configuration.validation, configuration.epochs, configuration.hidden) = (0, 1, [8])
    var options = RunOptions()
    (options.threads, options.output) = (1, folder("named"))
    let own = source == "beads" ? nil : try TrainingData.load(configuration)
    configuration.data = source == "beads" ? "beads" : "idx"
    _ = try Trainer(
      configuration, options: options,
      data: own.map { TrainingData(train: $0.train, test: $0.test) }
    ).run()
    DatasetFormat.unregister(named: format)
    let saved = try SavedRun(folder("named"))
    #expect(saved.classNames == names && saved.configuration.data == source)
    let sample = (0..<36).map { "\($0 % 7)" }.joined(separator: ",") + "\n"
    try Data(sample.utf8).write(to: URL(fileURLWithPath: folder("sample.csv")))
    let lines = try Rigl.run("predict", folder("named"), folder("sample.csv"), "--normalized")
      .output
    #expect(names.contains { lines.contains("\"\($0)\"") } && lines.contains(",name,"), "\(lines)")
    let table = try Rigl.run("evaluate", folder("named"), "--data", data.path).output
    #expect(names.allSatisfy { table.contains($0) }, "\(table)")
    #expect(try Rigl.run("inspect", folder("named")).status == 0)
    if source == "beads" { try fails("evaluate", folder("named"), saying: "nothing named 'beads'") }
  }

  /// A folder of that name is a folder.
  @Test func aFolderMayBeCalledCustom() throws {
    try FileManager.default.copyItem(atPath: data.path, toPath: folder("custom"))
    let outcome = try Rigl.run(
      "train", "--data", folder("custom"), "--steps", "1", "--set", "validation=10", "--output",
      folder("run"))
    #expect(outcome.status == 0, "\(outcome.errors)")
    let text = try #require(
      String(data: try folder.bytes(of: "run/config.yaml"), encoding: .utf8))
    #expect(text.contains("data: idx\n"))
  }
}
