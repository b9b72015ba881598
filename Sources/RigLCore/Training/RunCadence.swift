/// How often a run writes what, and what of it it keeps.
struct RunCadence: Hashable {
  /// Weight steps between checkpoints; 0: one at each epoch's end.
  var checkpointEvery = 0
  /// Checkpoints kept.
  var keep = 2
  /// Weight steps between lines of metrics.
  var logEvery = 100
  /// Whether there is an event file for TensorBoard.
  var tensorBoard = false

  /// As `config.yaml` has it.
  var settings: [(key: String, value: String)] {
    let numbers = [("checkpoint_every", checkpointEvery), ("keep", keep), ("log_every", logEvery)]
    // An epoch's end is no number of steps.
    let settings = numbers.filter { $0.1 > 0 }.map { ($0.0, "\($0.1)") }
    return settings + (tensorBoard ? [("tensorboard", "true")] : [])
  }
}

extension RunOptions {
  /// How often a run with these options writes what; where they do not say, what a run was begun
  /// with.
  func cadence(begunWith begun: RunCadence = RunCadence()) -> RunCadence {
    RunCadence(
      checkpointEvery: checkpointEvery ?? begun.checkpointEvery, keep: keep ?? begun.keep,
      logEvery: logEvery ?? begun.logEvery, tensorBoard: tensorBoard ?? begun.tensorBoard)
  }

  var cadence: RunCadence { cadence() }
}

extension RunFolder {
  /// How often the run writes what, by its own `config.yaml` and what options say that it shall from
  /// now on; `config.yaml` then says so too. Only for whoever has the run's lock.
  func cadence(changedBy options: RunOptions) throws(RigLError) -> RunCadence {
    var layers = try settings()
    let begun = layers.options.cadence
    let cadence = options.cadence(begunWith: begun)
    guard cadence != begun else { return begun }
    layers.options.checkpointEvery = cadence.checkpointEvery
    layers.options.keep = cadence.keep
    layers.options.logEvery = cadence.logEvery
    layers.options.tensorBoard = cadence.tensorBoard
    let text = try layers.configuration().yaml(
      layers.options, network: layers.customNetwork)
    try AtomicFile.write(text, to: configurationPath, followsLinks: false)
    return cadence
  }
}
