import ArgumentParser
import Foundation
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
    let folders = try paths.flatMap { try RunCollection.folders($0) }
    var written: [String] = []
    for folder in folders {
      let name = FileSystem.split(RunFolder.trimmed(folder)).name
      let place = "\(output)/\(name)"
      try prepare(place)
      do throws(RigLError) {
        try RunEvents.write(folder, to: place, began: began(folder))
        written.append(name)
      } catch  where error.kind != .write {
        printing.warn(["\(folder) is left out: \(error.what)"], evenIfQuiet: true)
      }
    }
    try printing.print(
      Result(output: output, runs: written),
      orText: "\(counted(written.count, "run")) below \(output); look at them by\n"
        + "  tensorboard --logdir \(shellWord(output))\n")
  }

  /// When the run's settings were written, which is when it began.
  private func began(_ folder: String) -> Double {
    let attributes = try? FileManager.default.attributesOfItem(atPath: "\(folder)/config.yaml")
    return (attributes?[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
  }

  /// Makes the folder of a run, without an older event file.
  private func prepare(_ place: String) throws(RigLError) {
    do {
      try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
      for name in try FileManager.default.contentsOfDirectory(atPath: place)
      where name.hasPrefix("events.out.tfevents.") {
        try FileManager.default.removeItem(atPath: "\(place)/\(name)")
      }
    } catch {
      throw RigLError(.write, "\(place): cannot be written: \(error.localizedDescription)")
    }
  }
}
