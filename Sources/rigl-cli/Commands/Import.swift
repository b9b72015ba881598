import ArgumentParser
import RigLCore

/// `rigl import`
struct Import: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Make a run of a network in a safetensors file.",
    discussion: """
      The file is one that rigl export has written, or PyTorch's: safetensors.torch.save_file of a \
      state_dict with the names that rigl export --help shows, in single or half precision. The run \
      computes what the file's network does: where a sparse layer's weight is 0, there is no \
      connection. Settings come from the file if rigl exported it, else from a preset, a file or \
      flags, as for rigl train.

      A network needs the input that it was trained on: --normalization says what pixels go through, \
      and the import prints it. rigl evaluate and predict then do the same.

      rigl evaluate, predict, inspect and export take the run; rigl train --resume RUN trains it from \
      its first step, and rigl train --start-from RUN starts another one from it.
      """)

  @Argument(help: ArgumentHelp("The safetensors file.", valueName: "file"))
  var file: String

  @Argument(help: ArgumentHelp("A YAML file of settings.", valueName: "config.yaml"))
  var settingsFile: String?

  @OptionGroup(title: "Settings") var settings: SettingsArguments

  @Flag(
    help: "Keep only as many weights as the settings' sparsity leaves each layer: the largest ones."
  )
  var prune = false

  @Option(
    help: ArgumentHelp(
      "Channels, height and width of a sample; by default what the file or the data says.",
      valueName: "3x224x224"))
  var input: String?

  @Option(
    help: ArgumentHelp("The new folder of the run; one below runs/ if not given.", valueName: "dir")
  )
  var output: String?

  @OptionGroup(title: "Printing") var printing: PrintingArguments

  private struct Result: Encodable {
    let run: String
    let file: String
    let inputShape: [Int]
    /// The mean and deviation of pixels; nil: each image's own, or unknown.
    let normalization: Configuration.Normalization?
    let perImageStandardization: Bool
    let classes: Int
    let connections: Int
    let positions: Int
    let sparsity: Double
    let method: Configuration.Method
  }

  func validate() throws {
    if settings.startFrom != nil {
      throw ValidationError(
        "--start-from is for rigl train: an import takes its weights from FILE.")
    }
    if !settings.topology.isEmpty {
      throw ValidationError(
        "--topology is for rigl train: an import takes its connections from FILE.")
    }
  }

  func run() throws {
    let input = try input.map(sampleShape)
    if let output { try RunFolder.requireNothing(at: output) }
    var layers = try SettingsStack()
    if let exported = try NetworkImport.configuration(of: file) {
      try layers.replace(by: exported)
    } else if settings.preset == nil && settingsFile == nil
      && !settings.assignments.contains(where: { $0.text.hasPrefix("network=") })
    {
      throw RigLError(
        .configuration, "\(file): the file does not say which network it holds",
        hint: "Say it by --preset NAME or --set network=NAME.")
    }
    if let preset = settings.preset {
      try layers.replace(by: try Preset.find(preset).configuration)
    }
    if let settingsFile {
      try layers.apply(file: settingsFile, replacesBase: settings.preset == nil)
    }
    try settings.given.apply(to: &layers)
    let network = try NetworkImport(
      file, try layers.configuration(), input: input, dataFolder: layers.options.dataFolder,
      prunes: prune)
    layers.options.output = output
    let folder = try network.write(layers.options)
    try report(network, folder)
  }

  private func report(_ network: NetworkImport, _ folder: RunFolder) throws {
    let (input, positions) = (InputDescription(network), network.positions)
    let connections = network.model.connections
    let result = Result(
      run: folder.path, file: file, inputShape: input.sides, normalization: input.numbers,
      perImageStandardization: network.configuration.perImageStandardization,
      classes: network.classes, connections: connections, positions: positions,
      sparsity: Double(positions - connections) / Double(max(positions, 1)),
      method: network.configuration.method)
    let sentence =
      "\(network.configuration.network) for samples of \(shapeText(result.inputShape)) in "
      + "\(grouped(network.classes)) classes: \(grouped(connections)) of \(grouped(positions)) "
      + "connections, \(percent(result.sparsity, 1)) sparse."
    let given =
      "It will be given \(input.text). Was it trained on other input? Import it with "
      + "--normalization none (pixels from 0 to 1), imagenet, or "
      + "'\(Configuration.Normalization.example)'."
    let width = Terminal.standardOutput.columns
    try printing.print(
      result,
      orText: wrapped(sentence, width: width) + "\n" + wrapped(given, width: width)
        + "\nThe run is in \(folder.path)\n")
  }

  private func sampleShape(_ text: String) throws(RigLError) -> SampleShape {
    guard let shape = SampleShape(text, separator: "x") else {
      throw RigLError(
        .configuration, "--input \(text): not the shape of a sample",
        hint: "Write channels, height and width, for example 3x224x224.")
    }
    return shape
  }
}
