import ArgumentParser
import RigLCore
import Synchronization

/// Settings that most users change, and all others by their key. None has a default here: what is
/// not given is the library's.
struct SettingsArguments: ParsableArguments {
  @Option(help: ArgumentHelp("Start from a preset; see rigl presets.", valueName: "name"))
  var preset: String?

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp(
      "Any setting by its key, as in a file: --set hidden=[300,100] --set learning_rate=0.1",
      valueName: "key=value"))
  var assignments: [PlacedArgument] = []

  @Option(
    help: ArgumentHelp(
      "\(DataSource.names.joined(separator: ", ")), or a folder "
        + "of IDX files, of CIFAR's, or of images by class.", valueName: "source"))
  var data: PlacedArgument?

  @Option(help: ArgumentHelp("The folder of the data's files.", valueName: "folder"))
  var dataFolder: PlacedArgument?

  @Option(
    help: ArgumentHelp(
      "What pixels go through: standard (the data's mean and deviation), none (0 to 1), imagenet, or "
        + "'{mean: [0.5], deviation: [0.5]}'.", valueName: "name"))
  var normalization: PlacedArgument?

  @OptionGroup var sparsity: SparsityArguments

  @OptionGroup(title: "Lottery tickets") var lottery: LotteryArguments

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Passes over the training samples; of this and --steps the later one counts.", valueName: "n"
    ))
  var epochs: PlacedArgument?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Weight steps of the training, in the place of epochs.", valueName: "n"))
  var steps: PlacedArgument?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Training samples held out for validation; 0: none. A tenth if not given, at most 5000.",
      valueName: "n"))
  var validation: PlacedArgument?

  @Option(
    help: ArgumentHelp(
      "A run (its last weights), one of its checkpoints (RUN/checkpoints/best.safetensors: its best "
        + "ones), or a safetensors file, to start from its network.",
      valueName: "path"))
  var startFrom: PlacedArgument?

  @Option(
    help: ArgumentHelp(
      "Start with a file's connections (may be repeated): safetensors, Matrix Market or CSV.",
      valueName: "[layer=]file"))
  var topology: [PlacedArgument] = []

  @Flag(
    help: "Updates every 1000 steps to the end, of an equal share (ITOP); what is set counts.")
  var itop = false

  @Option(
    parsing: .unconditional, help: ArgumentHelp("The seed of all random numbers.", valueName: "n"))
  var seed: PlacedArgument?

  /// The settings among these.
  var given: [GivenSetting] {
    assignments.map { GivenSetting(assignment: $0) } + sparsity.given + lottery.given
      + [
        data.map { GivenSetting(data: $0, folder: dataFolder) },
        dataFolder.map { GivenSetting(dataFolder: $0) },
        GivenSetting(.normalization, normalization), GivenSetting(.epochs, epochs),
        GivenSetting(.totalSteps, steps), GivenSetting(.validation, validation),
        startFrom.map { GivenSetting(startFrom: $0) }, GivenSetting(topology: topology),
        GivenSetting(.seed, seed),
      ].compactMap { $0 }
  }
}

/// A setting as a command has it, by a flag of its own or by `--set`: of two the later one counts.
struct GivenSetting {
  private let key: String
  private let argument: PlacedArgument
  private let set: (inout SettingsStack) throws(RigLError) -> Void

  private static let data = Configuration.Key.data.rawValue

  private init(
    key: String, _ argument: PlacedArgument,
    set: @escaping (inout SettingsStack) throws(RigLError) -> Void
  ) {
    (self.key, self.argument, self.set) = (key, argument, set)
  }

  /// A flag's; nil if it was not given.
  init?(_ key: String, _ argument: PlacedArgument?) {
    guard let argument else { return nil }
    self.init(key: key, argument) { (layers) throws(RigLError) in
      try layers.set(key, to: argument.text)
    }
  }

  /// A flag's; nil if it was not given.
  init?(_ key: Configuration.Key, _ argument: PlacedArgument?) { self.init(key.rawValue, argument) }

  /// What `--set` says.
  init(assignment: PlacedArgument) {
    let key = assignment.text.prefix { $0 != "=" }
    self.init(key: String(key), assignment) { (layers) throws(RigLError) in
      guard key.count < assignment.text.count else {
        throw RigLError(
          .configuration, "--set \(assignment.text): not a setting",
          hint: "Write --set KEY=VALUE, for example --set batch_size=64.")
      }
      try layers.set(String(key), to: String(assignment.text.dropFirst(key.count + 1)))
    }
  }

  /// `--data`, whose value is no YAML, and which must not be another folder than `--data-folder`.
  init(data: PlacedArgument, folder: PlacedArgument?) {
    self.init(key: GivenSetting.data, data) { (layers) throws(RigLError) in
      if let folder {
        try layers.set(data: data.text, folder: folder.text)
      } else {
        try layers.set(data: data.text)
      }
    }
  }

  /// `--data-folder`.
  init(dataFolder: PlacedArgument) {
    self.init(key: "data_folder", dataFolder) { (layers) throws(RigLError) in
      layers.options.setDataFolder(dataFolder.text)
    }
  }

  /// `--start-from`.
  init(startFrom: PlacedArgument) {
    self.init(key: "start_from", startFrom) { (layers) throws(RigLError) in
      layers.options.setStartFrom(startFrom.text)
    }
  }

  /// `--topology`, all of them together; nil if there is none.
  init?(topology: [PlacedArgument]) {
    guard let last = topology.last else { return nil }
    self.init(key: "topology", last) { (layers) throws(RigLError) in
      layers.options.setTopology(topology.map(\.text))
    }
  }

  fileprivate func apply(to layers: inout SettingsStack) throws(RigLError) {
    try set(&layers)
  }

  fileprivate static func isBefore(_ one: GivenSetting, _ other: GivenSetting) -> Bool {
    // A name of data forgets the folder of what was there before, not the one given here.
    let (first, second) = (one.key == data, other.key == data)
    return first == second ? one.argument.place < other.argument.place : first
  }
}

extension [GivenSetting] {
  /// Adds them to settings from elsewhere.
  func apply(to layers: inout SettingsStack) throws(RigLError) {
    for setting in sorted(by: GivenSetting.isBefore) { try setting.apply(to: &layers) }
  }
}

/// An argument that knows which of the command's it was.
struct PlacedArgument: ExpressibleByArgument {
  let text: String
  /// Larger than that of every argument before.
  let place: Int

  private static let places = Mutex(0)

  init(argument: String) {
    text = argument
    place = PlacedArgument.places.withLock { place in
      place += 1
      return place
    }
  }
}

/// The arguments that a network's connections depend on.
struct SparsityArguments: ParsableArguments {
  @Option(help: ArgumentHelp("Which connections move; see rigl methods.", valueName: "name"))
  var method: PlacedArgument?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("The share of connections left out, in [0, 1).", valueName: "share"))
  var sparsity: PlacedArgument?

  @Option(help: ArgumentHelp("How layers share it: uniform, er or erk.", valueName: "name"))
  var distribution: PlacedArgument?

  @Flag(help: "Widen the sparse network until it costs what the dense one does.")
  var bigSparse = false

  @Option(
    help: ArgumentHelp(
      "What --method small-dense and --big-sparse match: flops or parameters.", valueName: "name"))
  var match: PlacedArgument?

  /// The settings among these.
  var given: [GivenSetting] {
    [
      GivenSetting(.method, method), GivenSetting(.sparsity, sparsity),
      GivenSetting(.distribution, distribution), GivenSetting(.match, match),
      bigSparse ? GivenSetting(.bigSparse, PlacedArgument(argument: "true")) : nil,
    ].compactMap { $0 }
  }
}

/// How many threads share the work.
struct ThreadsArguments: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Threads; as many as there are processors.", valueName: "n"))
  var threads: PlacedArgument?

  /// The settings among these.
  var given: [GivenSetting] { [GivenSetting("threads", threads)].compactMap { $0 } }
}
