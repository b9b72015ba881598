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
      "fashion-mnist, mnist, cifar-10, cifar-100, photos, synthetic, synthetic-color, or a folder "
        + "of IDX files, of CIFAR's, or of images by class.", valueName: "source"))
  var data: String?

  @Option(help: ArgumentHelp("The folder of the data's files.", valueName: "folder"))
  var dataFolder: String?

  @Option(
    help: ArgumentHelp(
      "What pixels go through: standard (the data's mean and deviation), none (0 to 1), imagenet, or "
        + "'{mean: [0.5], deviation: [0.5]}'.", valueName: "name"))
  var normalization: String?

  @OptionGroup var sparsity: SparsityArguments

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
  var validation: String?

  @Option(
    help: ArgumentHelp(
      "A run (its last weights), one of its checkpoints (RUN/checkpoints/best.safetensors: its best "
        + "ones), or a safetensors file, to start from its network.",
      valueName: "path"))
  var startFrom: String?

  @Option(
    parsing: .unconditional, help: ArgumentHelp("The seed of all random numbers.", valueName: "n"))
  var seed: String?

  /// Adds what was given to settings from elsewhere.
  func apply(to layers: inout ConfigurationLayers) throws(RigLError) {
    let assignments = assignments.map(\.text)
    // First, as a name of data forgets the folder of what was there before, not the one given here.
    let named = assignments.filter { $0.hasPrefix("\(Configuration.Key.data.rawValue)=") }
    if let data { try layers.set(data: data) } else { try layers.set(named) }
    try layers.set(assignments.filter { !named.contains($0) })
    if let data, let dataFolder {
      try layers.set(data: data, folder: dataFolder)
    } else if let dataFolder {
      layers.options.setDataFolder(dataFolder)
    }
    try layers.set(.normalization, to: normalization)
    try sparsity.apply(to: &layers)
    try applyLength(to: &layers)
    try layers.set(.seed, to: seed)
    try layers.set(.validation, to: validation)
    if let startFrom { layers.options.setStartFrom(startFrom) }
  }

  /// Sets epochs and steps in the order in which they were given, by flags or `--set`: the later one
  /// counts. A flag is the last word on its own setting.
  private func applyLength(to layers: inout ConfigurationLayers) throws(RigLError) {
    var given: [(place: Int, key: Configuration.Key, value: String)] = []
    for (key, flag) in [(Configuration.Key.epochs, epochs), (.totalSteps, steps)] {
      if let flag {
        given.append((flag.place, key, flag.text))
      } else if let assignment = assignments.last(where: { $0.text.hasPrefix("\(key.rawValue)=") })
      {
        let value = assignment.text.dropFirst(key.rawValue.count + 1)
        given.append((assignment.place, key, String(value)))
      }
    }
    for setting in given.sorted(by: { $0.place < $1.place }) {
      try layers.set(setting.key, to: setting.value)
    }
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

/// What a network's connections depend on.
struct SparsityArguments: ParsableArguments {
  @Option(help: "Which connections move: rigl, set, static or dense.")
  var method: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("The share of connections left out, in [0, 1).", valueName: "share"))
  var sparsity: String?

  @Option(help: ArgumentHelp("How layers share it: uniform, er or erk.", valueName: "name"))
  var distribution: String?

  /// Adds what was given to settings from elsewhere.
  func apply(to layers: inout ConfigurationLayers) throws(RigLError) {
    try layers.set(.method, to: method)
    try layers.set(.sparsity, to: sparsity)
    try layers.set(.distribution, to: distribution)
  }
}

/// How many threads share the work.
struct ThreadsArguments: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Threads; as many as there are processors.", valueName: "n"))
  var threads: String?

  func apply(to layers: inout ConfigurationLayers) throws(RigLError) {
    if let threads { try layers.set("threads", to: threads) }
  }
}

extension ConfigurationLayers {
  /// Sets a key if there is a value.
  mutating func set(_ key: Configuration.Key, to value: String?) throws(RigLError) {
    if let value { try set(key.rawValue, to: value) }
  }

  /// Sets what `--set` says.
  mutating func set(_ assignments: [String]) throws(RigLError) {
    for assignment in assignments {
      guard let sign = assignment.firstIndex(of: "=") else {
        throw RigLError(
          .configuration, "--set \(assignment): not a setting",
          hint: "Write --set KEY=VALUE, for example --set batch_size=64.")
      }
      let (key, value) = (assignment[..<sign], assignment[assignment.index(after: sign)...])
      try set(String(key), to: String(value))
    }
  }
}
