import ArgumentParser
import RigLCore
import RigLExperiments

/// `rigl tensorboard`
struct TensorBoard: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tensorboard",
    abstract: "Write runs as event files for TensorBoard.",
    discussion: """
      Losses, accuracies, learning rates and moved connections are scalars; the weights of the kept \
      checkpoints, and the ages of their connections where the run tracks them, histograms; settings \
      are a text and hyperparameters. Each run is a folder of its own below --output, whose older event \
      file is replaced; then: tensorboard --logdir DIR
      """)

  @Argument(help: ArgumentHelp("Run folders, or folders of runs or of a sweep.", valueName: "path"))
  var paths: [String]

  @Option(help: ArgumentHelp("The folder for TensorBoard.", valueName: "dir"))
  var output = "tensorboard"

  @OptionGroup var printing: PrintingArguments

  private struct Result: Encodable {
    let output: String
    let runs: [String]
  }

  func run() throws {
    var written: [String] = []
    for path in paths {
      for folder in try RunCollection.folders(path) {
        if let fault = try RunEventFile.replace(folder, below: output) {
          printing.warn(["\(folder) is left out: \(fault.what)"], evenIfQuiet: true)
        } else {
          written.append(FileSystem.split(RunFolder.trimmed(folder)).name)
        }
      }
    }
    let result = Result(output: output, runs: written)
    try printing.print(result, orText: text(result))
  }

  private func text(_ result: Result) -> String {
    "\(counted(result.runs.count, "run")) below \(output); look at them by\n"
      + "  tensorboard --logdir \(shellWord(output))\n"
  }
}
