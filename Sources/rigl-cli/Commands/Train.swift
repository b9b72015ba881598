import ArgumentParser
import RigLCore
import RigLExperiments
import RigLImages

/// `rigl train`
struct Train: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Train a network, in a new run folder or on from a checkpoint.",
    discussion: """
      Settings come from a preset, then from the file, then from flags (--sparsity 0.9 is --set \
      sparsity=0.9); the last one counts. What they come to is saved as config.yaml in the run \
      folder, and training from that file gives the same bits again.

      A trained run goes on in two ways. --start-from RUN begins a new run from its network, sparse \
      or dense, on the same data or other: connections, weights and running averages are taken, \
      optimizer and schedules begin anew. Unless a preset or a file names a network, its settings \
      are those of RUN, or of a file that rigl export wrote, but for what flags say; update_end is \
      unset, and on other data so are numbers of samples. For other classes the last layer is drawn \
      anew. --resume RUN --extend EPOCHS makes the run itself longer: its schedules are then those \
      of the longer run, and topology updates end where they did unless update_end is set.

      With --json, standard output has one object a line: one for each epoch ("event": "epoch", with \
      epoch, epochs, step, total_steps, loss, accuracy, learning_rate, connections, seconds, and with \
      validation samples validation_loss and validation_accuracy), and a last one ("event": "end", with \
      run, step, total_steps, stopped and, unless it was stopped, test_accuracy, test_loss and the \
      like; or "event": "error", with error, hint and status, and run and step once there are any). \
      Its seconds are those since the command began to train. Everything else goes to standard error.

      Ctrl-C writes a checkpoint and says how to go on; pressed twice it ends at once. SIGTERM and \
      SIGHUP do so, too (SIGHUP not under nohup).
      """)

  @Argument(help: ArgumentHelp("A YAML file of settings.", valueName: "config.yaml"))
  var file: String?

  @OptionGroup(title: "Settings") var settings: SettingsArguments

  @OptionGroup(title: "Running") var running: RunningArguments

  @OptionGroup(title: "Printing") var printing: PrintingArguments

  func validate() throws {
    if running.resume != nil && !settings.topology.isEmpty {
      throw ValidationError(
        "--resume and --topology exclude each other: a run that goes on has connections of its own."
      )
    }
    if running.resume != nil && settings.startFrom != nil {
      throw ValidationError(
        "--resume and --start-from exclude each other: a run that goes on has weights of its own. "
          + "Leave out --resume for a new run from the other's network, or --start-from to go on.")
    }
  }

  func run() throws {
    let trainer: Trainer
    do {
      trainer = try makeTrainer()
      if running.dryRun { return try printDryRun(trainer) }
    } catch let error as RigLError where printing.json {
      try? writeLine(ErrorLine(error))
      throw error
    }
    try train(trainer)
  }

  private func makeTrainer() throws -> Trainer {
    let (layers, inherited) = try resolve()
    let configuration = try layers.configuration()
    var options = layers.options
    options.output = running.output
    let extending = try requireSameRun(layers)
    try configuration.validate()
    if let output = running.output { try RunFolder.requireNothing(at: output) }
    if let inherited { try inform(inherited) }
    return try Trainer(configuration, options: options, extending: extending)
  }

  private func printDryRun(_ trainer: Trainer) throws {
    // All that a run would, to say what it would.
    try trainer.takeStart()
    let reading = PhotoReading(trainer.data)
    let samples = [
      purposes(of: trainer.data, trainer.configuration), reading.summary,
      reading.summary == nil ? nil : damageLimit(of: trainer.data),
    ]
    for line in try trainer.startRemarks() + samples.compactMap({ $0 }) { try inform(line) }
    printing.warn(reading.remarks)
    try DryRun(trainer, showsPlan: running.plan).print(printing)
  }

  /// Prints a line that is no result; in what a dry run prints, which is a file of settings up to the
  /// table, a comment.
  private func inform(_ line: String) throws {
    try printing.inform(running.dryRun && !printing.json ? "# \(line)" : line)
  }

  /// Preset, file, flags; where a run goes on, its own settings come before the file, and where a new
  /// one starts from it, too, unless the preset or the file names a network.
  ///
  /// - Returns: the settings, and a line on those that are another run's.
  private func resolve() throws(RigLError) -> (SettingsStack, inherited: String?) {
    if let resume = running.resume { return (try resolve(resuming: resume), nil) }
    let (layers, namesNetwork) = try resolve(on: try SettingsStack())
    guard !namesNetwork, let path = layers.options.startFrom,
      let start = try Optional(NetworkStart(path)), let base = try start.settings()
    else { return (layers, nil) }
    let (before, folder) = (try base.configuration(), base.options.dataFolder)
    func inherit(_ settings: Configuration) throws(RigLError) -> SettingsStack {
      var base = try SettingsStack(settings)
      base.options.dataFolder = folder
      return try resolve(on: base).layers
    }
    var own = try inherit(before.inherited)
    let asked = try own.configuration()
    if !asked.hasData(of: before, folder: own.options.dataFolder, otherFolder: folder) {
      own = try inherit(before.inherited(onDataOf: asked))
    }
    if asked.hasCustomNetwork {
      throw RigLError.networkToStartFrom(path, try start.customNetwork())
    }
    // Who asks for sparsity does not mean a dense training, although the run's was one.
    let sparsity: [Configuration.Key] = [
      .sparsity, .distribution, .layerSparsities, .layerSparsityFactors,
    ]
    if before.method.isDense, !own.sets(.method), sparsity.contains(where: own.sets) {
      try own.set(Configuration.Key.method.rawValue, to: Configuration().method.rawValue)
    }
    var differences = try own.configuration().differences(from: before)
    if let other = own.options.dataFolder, other != folder {
      differences.append("data_folder: \(other)")
    }
    let rest = differences.isEmpty ? "" : ", but for \(differences.joined(separator: ", "))"
    return (own, "settings are those of \(path)\(rest)")
  }

  /// Settings on top of others, and whether a preset or the file names a network.
  private func resolve(
    on base: SettingsStack
  ) throws(RigLError) -> (layers: SettingsStack, namesNetwork: Bool) {
    var layers = base
    if let preset = settings.preset {
      try layers.replace(by: try Preset.find(preset).configuration)
    }
    if let file { try layers.apply(file: file, replacesBase: settings.preset == nil) }
    let namesNetwork = settings.preset != nil || layers.sets(.network)
    try (settings.given + running.given).apply(to: &layers)
    if settings.itop { try layers.moveToTheEnd() }
    return (layers, namesNetwork)
  }

  private func resolve(resuming resume: String) throws(RigLError) -> SettingsStack {
    let folder = try RunFolder.open(resume)
    var layers = try SettingsStack()
    try layers.apply(file: folder.configurationPath, isSaved: true)
    let (start, topology) = (layers.options.startFrom, layers.options.topology)
    layers = try resolve(on: layers).layers
    guard layers.options.topology == topology else {
      throw RigLError(
        .configuration, "topology: a run that goes on has connections of its own",
        hint: "Leave out --resume for a new training that starts with those, or leave out topology."
      )
    }
    if layers.options.startFrom != start {
      throw RigLError(
        .configuration, "start_from: a run that goes on has weights of its own",
        hint:
          "Leave out --resume for a new training that starts from those, or leave out start_from."
      )
    }
    // Updates that shall never end do not keep the end that the run has, which an extension writes.
    if running.extend != nil, !layers.sets(.updateEnd), layers.sets(.updateForever),
      try layers.configuration().updateForever
    {
      try layers.set(Configuration.Key.updateEnd.rawValue, to: "null")
    }
    // It may be gone.
    if try folder.hasCheckpoint { (layers.options.startFrom, layers.options.topology) = (nil, []) }
    return layers
  }

  /// Throws where settings are others than those of the run that is to go on.
  ///
  /// - Returns: by how much that run is to be made longer; nil: not at all.
  private func requireSameRun(_ layers: SettingsStack) throws(RigLError) -> RunExtension? {
    guard let resume = running.resume else { return nil }
    let folder = try RunFolder.open(resume)
    try folder.requireNothingCustom(extendingBy: running.extend)
    guard let epochs = running.extend else {
      try folder.requireSame(try layers.configuration())
      return nil
    }
    try folder.requireSame(try layers.configuration(), butUpdateEnd: true)
    return try RunExtension(
      resume, by: epochs, setsUpdateEnd: layers.sets(.updateEnd) || layers.sets(.updateForever))
  }

  private func train(_ trainer: Trainer) throws {
    let watcher = TrainingWatcher(printing, isResuming: running.resume != nil)
    trainer.callbacks = [watcher]
    trainer.follower = EventFollower()
    Interruption.watch()
    if running.attached { try Interruption.watchStandardInput() }
    let result: Trainer.Result
    do {
      result = try running.resume.map { try trainer.resume($0) } ?? trainer.run()
    } catch {
      watcher.finish()
      if printing.json, watcher.outputError == nil, let error = error as? RigLError {
        try? writeLine(ErrorLine(error, trainer))
      }
      throw error
    }
    watcher.finish()
    let summary = TrainingSummary(result, trainer)
    if result.wasStopped {
      if printing.json, watcher.outputError == nil { try writeLine(summary) }
      try explainStop(summary, watcher.outputError)
    }
    if printing.json { return try writeLine(summary) }
    try printing.print(summary, orText: summary.text(width: Terminal.standardOutput.columns))
  }

  private func writeLine(_ value: some Encodable) throws {
    try Output.standard.write(try jsonText(value, onOneLine: true) + "\n")
  }

  /// Ends the process after a training that was stopped.
  private func explainStop(_ summary: TrainingSummary, _ outputError: (any Error)?) throws {
    // With its terminal gone, nothing can be written to it.
    let hasHungUp = Interruption.hasHungUp
    if outputError is ClosedOutput, !hasHungUp { throw ExitCode(Interruption.closedOutputStatus) }
    let reason = Interruption.signal.map { " by \(Interruption.name(of: $0))" } ?? ""
    let round = summary.round.map { ", round \($0) of \(summary.rounds ?? $0)" } ?? ""
    Output.error.tryWrite(
      """
      rigl: stopped\(reason) at step \(summary.step) of \(summary.totalSteps)\(round)
        A checkpoint is written; go on with:
        rigl train --resume \(shellWord(summary.run))

      """)
    if let outputError, !hasHungUp { throw outputError }
    throw ExitCode(128 + (Interruption.signal ?? 2))
  }
}

/// How a run is carried out, apart from its result.
struct RunningArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp("The new folder of the run; one below runs/ if not given.", valueName: "dir")
  )
  var output: String?

  @Option(
    help: ArgumentHelp(
      "Go on with the run of this folder, by its own settings.", valueName: "dir"))
  var resume: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "With --resume: train for so many epochs more than the run was begun with.", valueName: "n"))
  var extend: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Weight steps between checkpoints; an epoch if not given.", valueName: "n"))
  var checkpointEvery: PlacedArgument?

  @Option(parsing: .unconditional, help: ArgumentHelp("Checkpoints to keep.", valueName: "n"))
  var keep: PlacedArgument?

  @Flag(help: "Keep an event file for TensorBoard in the run's folder.")
  var tensorboard = false

  @OptionGroup var threads: ThreadsArguments

  @Flag(
    help: "Stop with a checkpoint once standard input ends, as it does when the caller is gone.")
  var attached = false

  @Flag(help: "Print settings, layers, memory and time; train no more than a moment.")
  var dryRun = false

  @Flag(help: "With --dry-run: print the stages that run, too, what they apply, and their bytes.")
  var plan = false

  func validate() throws {
    if output != nil && resume != nil {
      throw ValidationError(
        "--output and --resume exclude each other: a run goes on in its folder.")
    }
    if plan && !dryRun {
      throw ValidationError("--plan is for --dry-run; of a run: rigl inspect RUN --plan.")
    }
    if extend != nil && resume == nil {
      throw ValidationError("--extend is for a run that goes on: add --resume RUN.")
    }
  }

  /// The settings among these.
  var given: [GivenSetting] {
    threads.given
      + [
        GivenSetting("checkpoint_every", checkpointEvery), GivenSetting("keep", keep),
        tensorboard ? GivenSetting("tensorboard", PlacedArgument(argument: "true")) : nil,
      ].compactMap { $0 }
  }
}

/// A word as a shell takes it for one.
func shellWord(_ word: String) -> String {
  let isPlain = word.allSatisfy { $0.isLetter || $0.isNumber || "/._-+=:,@%".contains($0) }
  return isPlain && !word.isEmpty
    ? word
    : "'"
      + word.split(separator: "'", omittingEmptySubsequences: false)
      .joined(separator: "'\\''") + "'"
}
