// The commands that need no run: presets, methods, flops.

import ArgumentParser
import RigLCore

/// `rigl presets`
struct Presets: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List the presets that --preset takes.")

  @OptionGroup var printing: PrintingArguments

  private struct Entry: Encodable {
    let name: String
    let summary: String
    let configuration: Configuration
  }

  func run() throws {
    let presets = Preset.all.map {
      Entry(name: $0.name, summary: $0.summary, configuration: $0.configuration)
    }
    try printing.print(presets, orText: catalogue(presets.map { ($0.name, $0.summary) }))
  }
}

/// Names one below the other, with what they stand for beside them.
private func catalogue(_ entries: [(name: String, summary: String)]) -> String {
  let indent = (entries.map(\.name.count).max() ?? 0) + 2
  let width = Terminal.standardOutput.columns
  return entries.map { beside($0.name, $0.summary, indent: indent, width: width) }.joined()
}

/// `rigl methods`
struct Methods: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List the methods that --method takes, and their papers.")

  @OptionGroup var printing: PrintingArguments

  private struct Entry: Encodable {
    let name: String
    let summary: String
    let paper: String?
  }

  func run() throws {
    let methods = Configuration.Method.allCases.map {
      Entry(name: $0.rawValue, summary: $0.summary, paper: $0.paper)
    }
    let lines = methods.map { ($0.name, $0.summary + ($0.paper.map { " (\($0))" } ?? "")) }
    let note =
      "With --big-sparse, a sparse network is widened until it costs what the dense one does."
    try printing.print(
      methods,
      orText: catalogue(lines) + "\n" + wrapped(note, width: Terminal.standardOutput.columns) + "\n"
    )
  }
}

/// `rigl flops`
struct Flops: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Count a network's FLOPs and bytes, and what training costs by each method.",
    discussion: """
      FLOPs are those of a forward pass on one sample. Training costs are relative to the dense \
      network's.
      """)

  @Argument(help: ArgumentHelp("A preset; see rigl presets.", valueName: "preset"))
  var preset: String

  @OptionGroup var sparsity: SparsityArguments

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("Any setting by its key, as for rigl train.", valueName: "key=value"))
  var assignments: [PlacedArgument] = []

  @Flag(help: "Count as the RigL paper does, with masks of one bit and fractions of connections.")
  var paperAccounting = false

  @OptionGroup var printing: PrintingArguments

  func run() throws {
    var layers = try SettingsStack(try Preset.find(preset).configuration)
    try (assignments.map { GivenSetting(assignment: $0) } + sparsity.given).apply(to: &layers)
    let configuration = try layers.configuration()
    let report = try configuration.accountingReport(paperAccounting ? .paper : .real)
    let published = try NetworkName(configuration.network).published
    var matched = configuration
    let match = try matched.matchWidth(input: published.input, classes: published.classes)
    let (input, width) = (published.input, Terminal.standardOutput.columns)
    let shape = input.count == input.channels ? [] : [input.height, input.width]
    let samples =
      "Counted for samples of \(shapeText([input.channels] + shape)) and \(published.classes) classes, "
      + "whatever data the preset trains on."
      + (match.map { " \(configuration.method.rawValue): \($0.remark)." } ?? "")
    try printing.print(
      report, orText: wrapped(samples, width: width) + "\n\n" + text(report, width: width))
  }

  private func text(_ report: AccountingReport, width: Int) -> String {
    var table = Table([
      .word("layer"), .word("shape", rank: 0), .number("sparsity", rank: 2),
      .number("connections", rank: 3), .number("FLOPs", rank: 4), .number("bytes", rank: 1),
    ])
    for layer in report.layers {
      table.add([
        layer.name, shapeText(layer.shape), percent(layer.sparsity), grouped(layer.connections),
        metric(layer.flops), byteCount(Int(layer.bytes)),
      ])
    }
    let connections = report.layers.reduce(0) { $0 + $1.connections }
    table.addTotal([
      "total", "", percent(report.sparsity), grouped(connections), metric(report.flops),
      byteCount(Int(report.sizeBytes)),
    ])
    table.add([
      "dense", "", "", grouped(report.layers.reduce(0) { $0 + $1.shape.reduce(1, *) }),
      metric(report.denseFlops), byteCount(Int(report.denseSizeBytes)),
    ])
    let costs = report.trainMultiplier
    var training = Table([.word("training by"), .number("cost")])
    for (name, cost) in [
      ("dense", costs.dense), ("static", costs.static), ("snip", costs.snip), ("set", costs.set),
      ("snfs", costs.snfs), ("rigl", costs.rigl), ("gse", costs.gse), ("granet", costs.granet),
      ("pruning", costs.pruning), ("lottery", costs.lottery),
    ] {
      training.add([name, fixed(cost, 4)])
    }
    return table.text(width: width) + "\n" + training.text(width: width)
  }
}
