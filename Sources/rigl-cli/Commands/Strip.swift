import ArgumentParser
import RigLCore

/// `rigl strip`
struct Strip: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a run's network without its dead units.",
    discussion: """
      A unit without connections on one side is dead, and so are those that this leaves without; they \
      are removed, and what they were as constants goes into the biases of the next layer. The smaller \
      network gives the same logits, but for rounding. A channel stays that is a constant other than 0 \
      before a convolution with zeros around its input, or part of a residual sum that is needed \
      elsewhere. A layer keeps one unit at the least.

      The file is taken by rigl evaluate, predict, inspect and export in the place of RUN. It takes \
      whole samples, and keeps the list of the inputs that are used. Where nothing is dead it is \
      written all the same.
      """)

  @OptionGroup var source: RunArguments

  @Option(
    help: .networkFile(ifNotGiven: "RUN/stripped.safetensors"))
  var output: String?

  @OptionGroup var printing: PrintingArguments

  private struct Result: Encodable {
    let run: String
    let file: String
    let step: Int
    let fileBytes: Int
    /// Whether nothing was dead.
    let unchanged: Bool
    let network: StripReport
  }

  func run() throws {
    let path = try source.file(output, ifNotGiven: "stripped")
    let saved = try source.open(printing)
    let report = try saved.strip(to: path)
    let result = Result(
      run: source.folder, file: path, step: saved.step,
      fileBytes: try SafetensorsFile(path: path).size, unchanged: report.isAsBefore,
      network: report)
    try printing.print(result, orText: text(result, width: Terminal.standardOutput.columns))
  }

  /// Inputs and units: of few layers `784-300-100`, else sums.
  private func sizes(_ network: StripReport.Size) -> String {
    if network.units.count <= 5 { return network.widths }
    return "\(grouped(network.inputs)) and \(grouped(network.units.reduce(0, +)))"
  }

  private func text(_ result: Result, width: Int) -> String {
    let network = result.network
    let (before, after) = (network.before, network.after)
    let lines = [
      network.isAsBefore
        ? "Nothing could be removed. Inputs and units: \(sizes(before))."
        : "Inputs and units: \(sizes(before)) before, \(sizes(after)) now.",
      "\(grouped(after.connections)) of \(grouped(before.connections)) connections and "
        + "\(grouped(after.biases)) of \(grouped(before.biases)) biases are left: "
        + "\(metric(Double(after.flops))) FLOPs a sample (2 a connection), \(grouped(after.bytes)) bytes "
        + "(4 a connection and bias, a bit a position).",
      network.deadUnitsLeft == 0
        ? nil
        : "\(counted(network.deadUnitsLeft, "dead unit")) had to stay: constants before zeros around "
          + "an input, in a sum, or a layer's only one.",
      "Step \(grouped(result.step)); file \(byteCount(result.fileBytes)).",
    ].compactMap(\.self)
    var table = Table([
      .word("layer"), .word("before", rank: 0), .word("after", rank: 2),
      .number("connections", rank: 1),
    ])
    for layer in network.layers {
      table.add([
        layer.name, shapeText(layer.shapeBefore), shapeText(layer.shape),
        grouped(layer.connections),
      ])
    }
    return table.text(width: width) + "\n"
      + lines.map { wrapped($0, width: width) + "\n" }.joined() + "\(result.file)\n"
  }
}
