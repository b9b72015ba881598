// The commands on a run that exists: evaluate, inspect; predict has a file of its own.

import ArgumentParser
import RigLCore
import RigLImages

/// A run, and which of its weights.
struct RunArguments: ParsableArguments {
  @Argument(
    help: ArgumentHelp("The folder of a run, or the file of a stripped network.", valueName: "run"))
  var folder: String

  @Flag(help: "Take the weights that were best on the validation samples, not the last ones.")
  var best = false

  /// A line on the step and the size of the checkpoint; the best weights, and a stripped network's
  /// file, have no more than the network.
  func line(step: Int, round: Int?, bytes: Int, isStripped: Bool = false) -> String {
    (round.map { "Round \($0), step" } ?? "Step")
      + " \(grouped(step)); \(isStripped ? "file" : "checkpoint") \(byteCount(bytes)), "
      + (best || isStripped ? "of the network alone." : "with the optimizer's state.")
  }

  /// The file that a command writes the network to: the one that is given, or else one in the run's
  /// folder.
  ///
  /// - Throws: a configuration error where none is given and the network is a file itself.
  func file(_ given: String?, ifNotGiven name: String) throws -> String {
    if let given { return given }
    guard try SavedRun.isStripped(at: folder) else {
      return "\(try RunFolder.open(folder).path)/\(name).safetensors"
    }
    throw RigLError(
      .configuration, "\(folder): a file, and not a folder that another one could be written to",
      hint: "Name the new file by --output FILE.")
  }

  /// The settings of the run that was opened, and the options of its folder.
  func settings(of saved: SavedRun) throws -> SettingsStack {
    var layers = try SettingsStack()
    if saved.isStripped {
      try layers.replace(by: saved.configuration)
    } else {
      try layers.apply(file: try RunFolder.open(folder).configurationPath, isSaved: true)
    }
    return layers
  }

  /// Opens the run.
  func open(
    threads: ThreadsArguments? = nil, batch: Int? = nil, foldsBatchNorm: Bool = false,
    _ printing: PrintingArguments
  ) throws -> SavedRun {
    // Whatever a command needs of it: a file that training would refuse is no file of settings.
    if try !SavedRun.isStripped(at: folder) {
      let settings = try RunFolder.open(folder).configurationPath
      var saved = try SettingsStack()
      try saved.apply(file: settings, isSaved: true)
      try saved.configuration().validate()
    }
    var layers = try SettingsStack()
    try threads?.given.apply(to: &layers)
    let run = try SavedRun(
      folder, best: best, batch: batch, foldsBatchNorm: foldsBatchNorm,
      threads: layers.options.threads)
    printing.warn(run.warnings)
    return run
  }
}

extension ArgumentHelp {
  /// Help on the file that a network is written to, and where it goes if it is not given.
  static func networkFile(ifNotGiven path: String) -> ArgumentHelp {
    ArgumentHelp(
      "The file; \(path) if not given. An older one is replaced.", valueName: "file")
  }
}

/// `rigl evaluate`
struct Evaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure a run's accuracy on its test samples.",
    discussion: """
      Prints the accuracy of each class (of many, the ten lowest), by their names if they have some: \
      photos by their folders', CIFAR by its list of names. --json has all of them in "classes".
      """)

  @OptionGroup var source: RunArguments

  @Option(
    help: ArgumentHelp(
      "Other data than the run's: a name, or a folder as for rigl train.", valueName: "source"))
  var data: String?

  @Option(help: ArgumentHelp("The folder of the data's files.", valueName: "folder"))
  var dataFolder: String?

  @OptionGroup var threads: ThreadsArguments
  @OptionGroup var printing: PrintingArguments

  private struct Result: Encodable {
    let run: String
    let checkpoint: String
    let step: Int
    let damaged: Int
    /// Classes of the run that the samples have none of.
    let absentClasses: [String]
    let test: Evaluation
    let classes: [ClassResult]
  }

  func run() throws {
    let saved = try source.open(threads: threads, printing)
    try saved.requireNamedLoss()
    var layers = try source.settings(of: saved)
    if let data, let dataFolder {
      try layers.set(data: data, folder: dataFolder)
    } else if let data {
      try layers.set(data: data)
    } else if let dataFolder {
      layers.options.setDataFolder(dataFolder)
    }
    let samples = try TrainingData.loadTest(
      try layers.configuration(), folder: layers.options.dataFolder,
      normalization: saved.normalization, classNames: saved.classNames, classes: saved.classes)
    let reading = PhotoReading(test: samples)
    if let summary = reading.summary { try printing.inform(summary) }
    printing.warn(reading.remarks)
    let test = try saved.evaluate(samples)
    printing.warn(saved.damaged.map { "left out: \($0.error.what)" }, evenIfQuiet: true)
    let result = Result(
      run: source.folder, checkpoint: saved.checkpointPath, step: saved.step,
      damaged: saved.damaged.count, absentClasses: saved.absentClasses(in: test), test: test,
      classes: ClassResult.all(of: test, names: saved.classNames(or: samples)))
    try printing.print(result, orText: text(result))
  }

  private func text(_ result: Result) -> String {
    let test = result.test
    let width = Terminal.standardOutput.columns
    var summary = "\(grouped(test.samples)) test samples: accuracy \(percent(test.accuracy))"
    if let top5 = test.top5 { summary += ", top-5 \(percent(top5))" }
    summary += ", loss \(fixed(test.loss, 4))"
    var text = "\(result.checkpoint)\n\(wrapped(summary, width: width))\n"
    if result.damaged > 0 {
      text +=
        wrapped(
          "\(grouped(result.damaged)) damaged samples were left out.", width: width) + "\n"
    }
    if !result.absentClasses.isEmpty {
      let absent =
        "Of \(result.absentClasses.count) of the run's \(test.confusion.count) classes "
        + "there are no samples: \(firstOf(result.absentClasses, most: 20))."
      text += wrapped(absent, width: width) + "\n"
    }
    text += "\n" + ClassResult.text(result.classes, width: width)
    let confusion = confusionText(test.confusion)
    guard confusion.split(separator: "\n").allSatisfy({ $0.count <= width }) else { return text }
    let title = wrapped("Samples by class (rows) and predicted class (columns):", width: width)
    return "\(text)\n\(title)\n\(confusion)"
  }

  private func confusionText(_ confusion: [[Int]]) -> String {
    let width = confusion.joined().reduce(2) { max($0, String($1).count) } + 1
    func pad(_ value: String) -> String {
      String(repeating: " ", count: max(0, width - value.count)) + value
    }
    func line(_ head: String, _ cells: [String]) -> String {
      pad(head) + " |" + cells.map(pad).joined() + "\n"
    }
    var text = line("", confusion.indices.map { String($0) })
    for (label, row) in confusion.enumerated() {
      text += line(String(label), row.map { $0 == 0 ? "." : String($0) })
    }
    return text
  }
}

/// `rigl inspect`
struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show a run's layers: densities, connections, bytes, live and dead units.",
    discussion: """
      A unit is an output of a layer. It is dead if no connection leads to it, or none on from it; \
      without the connections of dead units others are, until nothing changes. Inputs that are left \
      are live. rigl strip removes what can go of what is dead: a channel that is a constant before \
      zeros around a picture, or that a residual sum needs, stays. Bytes are those of the stored \
      network: weights, topology and biases.
      """)

  @OptionGroup var source: RunArguments
  @OptionGroup var printing: PrintingArguments

  @Flag(help: "Print the stages that predict a sample, too, what they apply, and their bytes.")
  var plan = false

  private struct Result: Encodable {
    let run: String
    let checkpoint: String
    let checkpointBytes: Int
    let step: Int
    /// Prunings of a lottery ticket by then; nil of a run without rounds.
    let round: Int?
    let inputShape: [Int]
    /// The mean and deviation of pixels; nil: each image's own, or unknown.
    let normalization: Configuration.Normalization?
    /// Whether it is a stripped network's file.
    let stripped: Bool
    let network: ModelInspection
    /// The stages that run, if they are asked for.
    let plan: PlanTable?
  }

  func run() throws {
    if let stored = try source.storedNetwork(printing) {
      guard !plan else {
        throw RigLError(
          .configuration,
          "\(source.folder): which stages run, only the network can say, which was "
            + "made in Swift", hint: "Leave out --plan.")
      }
      return try StoredInspection(stored, of: source).print(printing)
    }
    let saved = try source.open(printing)
    let input = InputDescription(saved)
    let result = Result(
      run: source.folder, checkpoint: saved.checkpointPath, checkpointBytes: saved.checkpointBytes,
      step: saved.step, round: saved.round, inputShape: input.sides, normalization: input.numbers,
      stripped: saved.isStripped, network: saved.model.inspect(),
      plan: plan ? PlanTable(saved.model) : nil)
    try printing.print(result, orText: text(result, input, width: Terminal.standardOutput.columns))
  }

  private func text(_ result: Result, _ input: InputDescription, width: Int) -> String {
    let network = result.network
    var table = Table([
      .word("layer"), .word("shape", rank: 0), .number("density", rank: 4),
      .number("connections", rank: 5), .number("bytes", rank: 1), .number("inputs", rank: 2),
      .number("live", rank: 3), .number("dead", rank: 6),
    ])
    for layer in network.layers {
      table.add([
        layer.name, shapeText(layer.shape), percent(layer.density), grouped(layer.connections),
        byteCount(layer.bytes), grouped(layer.liveInputs), grouped(layer.liveUnits),
        grouped(layer.deadUnits),
      ])
    }
    table.addTotal([
      "total", "", percent(network.density), grouped(network.connections), byteCount(network.bytes),
      "", grouped(network.liveUnits), grouped(network.deadUnits),
    ])
    let inputs = network.liveInputs + network.deadInputs
    let share = Double(network.bytes) / Double(max(network.denseBytes, 1))
    let lines = [
      "Input: \(shapeText(result.inputShape)), \(input.text).",
      "Inputs in use: \(grouped(network.liveInputs)) of \(grouped(inputs)).",
      "The dense network would take \(byteCount(network.denseBytes)); this one takes "
        + "\(percent(share, 1)) of it.",
      source.line(
        step: result.step, round: result.round, bytes: result.checkpointBytes,
        isStripped: result.stripped),
    ]
    return table.text(width: width) + "\n"
      + (result.plan.map { $0.text(width: width) + "\n" } ?? "")
      + lines.map { wrapped($0, width: width) + "\n" }.joined()
  }
}
