// A lottery ticket's rounds: what a training of several trainings does between two of them.

/// The rounds of a lottery ticket, as a training goes through them.
struct TicketRounds {
  /// The method: how often it prunes, and how.
  let method: LotteryTicket
  /// The step of the first training that the others begin with (k).
  let rewindStep: Int
  /// What the last training starts with.
  let control: Configuration.TicketControl
}

extension Configuration {
  /// The rounds of the method that a training is given; nil: it has none.
  ///
  /// - Parameters:
  ///   - method: what ``makeMethod(_:from:samples:)`` has made.
  ///   - samples: training samples.
  /// - Throws: a configuration error where the rewinding step is none of a training.
  func ticketRounds(
    of method: any TopologyMethod, samples: Int
  ) throws(RigLError) -> TicketRounds? {
    guard let lottery = method as? LotteryTicket, customRules.method == nil else { return nil }
    let (step, steps) = (scaledStep(rewindStep, by: multiplier), steps(samples: samples))
    guard step < steps else {
      throw RigLError(
        .configuration,
        "rewind_step: rounds are to go back to step \(step), but the training has \(steps) steps",
        hint: "Set rewind_step to less, or train for longer.")
    }
    return TicketRounds(method: lottery, rewindStep: step, control: ticketControl)
  }

  /// Throws where a run cannot be made longer because of its rounds.
  func requireOneTraining() throws(RigLError) {
    guard method == .lottery, customRules.method == nil else { return }
    throw RigLError(
      .configuration,
      "extend: a run of method lottery cannot be made longer: its ticket was chosen by trainings of the "
        + "length that it has",
      hint: "Start a new run with more epochs, or one of another method by --start-from.")
  }
}

extension Trainer {
  /// Prunings of a lottery ticket so far; 0 of a training without rounds.
  package var round: Int { state.round ?? 0 }
  /// Prunings of a lottery ticket in all; 0 of a training without rounds.
  package var rounds: Int { ticket?.method.rounds ?? 0 }
  /// How far the training has come, as rows of metrics say it.
  var place: MetricsRow.Place {
    MetricsRow.Place(round: round, batchesConsumed: Int(step.batchesConsumed))
  }
  /// Whether this is a lottery ticket's own training, or one without rounds.
  var isLastRound: Bool { round == rounds }
  /// Whether the last training is complete.
  package var isComplete: Bool { isLastRound && step.weightSteps >= totalSteps }

  /// Weight steps so far, and in all, of all trainings together: those after the first begin at the
  /// rewinding step.
  package var stepsOfAllRounds: (taken: Int, of: Int) {
    let own = totalSteps - (ticket?.rewindStep ?? 0)
    let before = round == 0 ? 0 : totalSteps + (round - 1) * own - (ticket?.rewindStep ?? 0)
    return (before + step.weightSteps, totalSteps + rounds * own)
  }

  /// Lets connections rest until the ticket's own training.
  func beginRounds() {
    if ticket != nil { state.round = 0 }
    step.topology?.rests = !isLastRound
  }

  /// Throws where a checkpoint is of a round that this training does not have.
  func requireRound(of state: TrainingState, path: String) throws(RigLError) {
    guard (state.round == nil) == (ticket == nil), state.round ?? 0 <= rounds else {
      throw RigLError(
        .data,
        "\(path): is of round \(state.round.map { "\($0)" } ?? "none"), which a training of "
          + "\(counted(rounds, "round")) does not have")
    }
  }

  /// Throws where a training that begins now is past what its rounds are to go back to.
  func requireRewindable() throws(RigLError) {
    guard let ticket, step.batchesConsumed > 0 else { return }
    guard step.weightSteps < ticket.rewindStep else {
      throw RigLError(
        .configuration,
        "rewind_step: batches trained on before run() are past step \(ticket.rewindStep), to which "
          + "rounds are to go back",
        hint: "Leave the rounds of method lottery to run().")
    }
  }

  /// Keeps what later rounds go back to, where the training begins there, or sees to it that it was kept.
  func prepareRewinding(_ recorder: RunRecorder) throws(RigLError) {
    guard let ticket, !isLastRound else { return }
    if round == 0, step.weightSteps == ticket.rewindStep {
      return try recorder.writeRewindPoint()
    }
    guard round > 0 || step.weightSteps > ticket.rewindStep else { return }
    _ = try recorder.folder.rewindPoint(of: ticket.rewindStep)
  }

  /// Keeps what later rounds go back to, if the training is just there.
  func keepRewindPoint(_ recorder: RunRecorder) throws(RigLError) {
    guard let ticket, round == 0, step.weightSteps == ticket.rewindStep else { return }
    try recorder.writeRewindPoint()
  }

  /// Ends a round whose training is complete: prunes, goes back, and writes the next training's first
  /// checkpoint. A process that is killed before that one is whole goes on from the last, and does it
  /// again.
  func endRound(_ recorder: RunRecorder) throws(RigLError) {
    guard let ticket else { return }
    let next = round + 1
    // Before anything has changed.
    let (file, saved) = try recorder.folder.rewindPoint(of: ticket.rewindStep)
    if let update = try step.prune(by: ticket.method.pruning(next)) {
      try recorder.log(update)
    }
    if next == rounds, ticket.control == .shuffled {
      model.drawPositions(seed: configuration.seed, purpose: .ticketPositions)
    }
    try step.rewind(to: file, saved)
    if next == rounds, ticket.control == .fresh {
      model.drawWeights(
        seed: configuration.seed, purpose: .ticketWeights,
        initializer: configuration.weightInitializer)
    }
    state = saved
    state.round = next
    try loader.resume(at: saved.position)
    step.topology?.rests = !isLastRound
    recorder.beginRound()
    try tell(.remark(roundRemark))
    try tellOfEmptyLayers()
    try writeCheckpoint(recorder)
  }

  /// What the next training begins with.
  private var roundRemark: String {
    let connections = "\(model.connections) of \(allocation.positions) connections"
    let start = ticket.map { $0.rewindStep == 0 ? "the beginning" : "step \($0.rewindStep)" } ?? ""
    guard isLastRound else {
      return "round \(round) of \(rounds) has left \(connections); they go on from \(start)"
    }
    let control: String =
      switch ticket?.control {
      case .fresh: ", their weights drawn anew"
      case .shuffled: ", at positions drawn anew"
      case .rewound, nil: ""
      }
    return
      "round \(round) of \(rounds) has left \(connections), the ticket; its own training goes on "
      + "from \(start)\(control)"
  }
}

extension TrainingStep {
  /// Prunes by a method that looks at weights alone, whatever the schedule says.
  func prune(by method: TicketPruning) throws(RigLError) -> TopologyUpdate? {
    defer { model.weightsDidChange() }
    return try topology?.update(by: method, step: weightSteps, batchesConsumed: batchesConsumed)
  }

  /// Goes back to a file's place in the training, with what the file has at the connections that there
  /// are now.
  func rewind(to file: SafetensorsFile, _ state: TrainingState) throws(RigLError) {
    try model.readAtConnections(from: file, optimizer)
    try takePlace(of: file, state)
    topology?.noteInitialConnections()
  }
}
