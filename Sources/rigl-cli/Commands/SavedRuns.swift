// The commands on a run that exists: evaluate, predict, inspect.

import ArgumentParser
import RigLCore

/// A run, and which of its weights.
struct RunArguments: ParsableArguments {
  @Argument(help: ArgumentHelp("The folder of a run.", valueName: "run"))
  var folder: String

  @Flag(help: "Take the weights that were best on the validation samples, not the last ones.")
  var best = false

  /// Opens the run.
  func open(
    threads: ThreadsArguments? = nil, batch: Int? = nil, foldsBatchNorm: Bool = false,
    _ printing: PrintingArguments
  ) throws -> SavedRun {
    // Whatever a command needs of it: a file that training would refuse is no file of settings.
    let settings = try RunFolder.open(folder).configurationPath
    var saved = try ConfigurationLayers()
    try saved.apply(file: settings, isSaved: true)
    try saved.configuration().validate()
    var layers = try ConfigurationLayers()
    try threads?.apply(to: &layers)
    let run = try SavedRun(
      folder, best: best, batch: batch, foldsBatchNorm: foldsBatchNorm,
      threads: layers.options.threads)
    printing.warn(run.warnings)
    return run
  }
}

/// `rigl evaluate`
struct Evaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure a run's accuracy on its test samples.")

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

    private enum CodingKeys: String, CodingKey {
      case run, checkpoint, step, damaged, test
      case absentClasses = "absent_classes"
    }
  }

  func run() throws {
    let saved = try source.open(threads: threads, printing)
    var layers = try ConfigurationLayers()
    try layers.apply(file: try RunFolder.open(source.folder).configurationPath, isSaved: true)
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
      damaged: saved.damaged.count, absentClasses: saved.absentClasses(in: test), test: test)
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

/// `rigl predict`
struct Predict: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Classify the samples of files.",
    discussion: """
      A file is a JPEG or PNG picture; an IDX file of images, gzip or not; or text: one sample a line, \
      its values between commas or white space. Values are pixels from 0 to 255, which are normalised \
      as they were in training. Prints sample, class and probability as CSV, with --json one object a \
      line. Samples are numbered from 0, through all files.
      """)

  @OptionGroup var source: RunArguments

  @Argument(help: ArgumentHelp("The files; - is standard input.", valueName: "file"))
  var files: [String]

  @Flag(help: "The values of a text are what the network sees, not pixels.")
  var normalized = false

  @Flag(help: "Print the logits too, one for each class.")
  var logits = false

  @OptionGroup var threads: ThreadsArguments
  @OptionGroup var printing: PrintingArguments

  private struct Line: Encodable {
    let sample: Int
    let `class`: Int
    let name: String?
    let probability: Double
    let logits: [Float]?
  }

  func run() throws {
    // A picture is a file, and each file is looked at alone.
    let batch = files.allSatisfy(SampleFile.isPicture(named:)) ? 1 : nil
    let saved = try source.open(threads: threads, batch: batch, foldsBatchNorm: true, printing)
    // Goes out with the first samples, not before a mistake in them.
    var text = printing.json ? "" : header(saved)
    var number = 0
    for file in files {
      let samples =
        file == "-"
        ? try SampleFile(
          System.standardInput(), name: "standard input", for: saved, areNormalized: normalized)
        : try SampleFile(contentsOf: file, for: saved, areNormalized: normalized)
      for begin in stride(from: 0, to: samples.count, by: saved.model.capacity) {
        let range = begin..<min(begin + saved.model.capacity, samples.count)
        let all = try saved.logits(try samples.samples(range))
        for (prediction, logits) in zip(try SavedRun.predictions(ofLogits: all), all) {
          text += try line(number, prediction, logits, saved.classNames)
          number += 1
        }
        try write(text)
        text = ""
      }
    }
    try write(text)
  }

  private func header(_ saved: SavedRun) -> String {
    let names = logits ? (0..<saved.classes).map { ",logit\($0)" } : []
    let className = saved.classNames == nil ? "" : ",name"
    return "sample,class,probability\(className)\(names.joined())\n"
  }

  private func line(
    _ sample: Int, _ prediction: Prediction, _ logits: [Float], _ classNames: [String]?
  ) throws -> String {
    let name = classNames?[prediction.label]
    guard printing.json else {
      let numbers = self.logits ? logits.map { ",\($0)" } : []
      let quoted = name.map { ",\"\($0.printable().replacing("\"", with: "\"\""))\"" } ?? ""
      return "\(sample),\(prediction.label),\(fixed(prediction.probability, 6))\(quoted)"
        + "\(numbers.joined())\n"
    }
    let line = Line(
      sample: sample, class: prediction.label, name: name, probability: prediction.probability,
      logits: self.logits ? logits : nil)
    return try jsonText(line, onOneLine: true) + "\n"
  }

  private func write(_ text: String) throws {
    if printing.json || !printing.quiet { try Output.standard.write(text) }
  }
}

/// `rigl inspect`
struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show a run's layers: densities, connections, bytes, live and dead units.",
    discussion: """
      A unit is an output of a layer. It is dead if no connection leads to it, or none on from it. \
      Bytes are those of the stored network: weights, topology and biases.
      """)

  @OptionGroup var source: RunArguments
  @OptionGroup var printing: PrintingArguments

  private struct Result: Encodable {
    let run: String
    let checkpoint: String
    let checkpointBytes: Int
    let step: Int
    let inputShape: [Int]
    /// The mean and deviation of pixels; nil: each image's own, or unknown.
    let normalization: Configuration.Normalization?
    let network: ModelInspection

    private enum CodingKeys: String, CodingKey {
      case run, checkpoint, step, normalization, network
      case checkpointBytes = "checkpoint_bytes"
      case inputShape = "input_shape"
    }
  }

  func run() throws {
    let saved = try source.open(printing)
    let input = InputDescription(saved)
    let result = Result(
      run: source.folder, checkpoint: saved.checkpointPath, checkpointBytes: saved.checkpointBytes,
      step: saved.step, inputShape: input.sides, normalization: input.numbers,
      network: saved.model.inspect())
    try printing.print(result, orText: text(result, input, width: Terminal.standardOutput.columns))
  }

  private func text(_ result: Result, _ input: InputDescription, width: Int) -> String {
    let network = result.network
    var table = Table([
      .word("layer"), .word("shape", rank: 0), .number("density", rank: 3),
      .number("connections", rank: 4), .number("bytes", rank: 1), .number("live", rank: 2),
      .number("dead", rank: 5),
    ])
    for layer in network.layers {
      table.add([
        layer.name, shapeText(layer.shape), percent(layer.density), grouped(layer.connections),
        byteCount(layer.bytes), grouped(layer.liveUnits), grouped(layer.deadUnits),
      ])
    }
    table.addTotal([
      "total", "", percent(network.density), grouped(network.connections), byteCount(network.bytes),
      grouped(network.liveUnits), grouped(network.deadUnits),
    ])
    let inputs = network.liveInputs + network.deadInputs
    let share = Double(network.bytes) / Double(max(network.denseBytes, 1))
    let lines = [
      "Input: \(shapeText(result.inputShape)), \(input.text).",
      "Inputs in use: \(grouped(network.liveInputs)) of \(grouped(inputs)).",
      "The dense network would take \(byteCount(network.denseBytes)); this one takes "
        + "\(percent(share, 1)) of it.",
      "Step \(grouped(result.step)); checkpoint \(byteCount(result.checkpointBytes)), with the "
        + "optimizer's state.",
    ]
    return table.text(width: width) + "\n"
      + lines.map { wrapped($0, width: width) + "\n" }.joined()
  }
}
