import Foundation
import RigLCore
import Testing

/// Lottery tickets: rounds of training, pruning and rewinding in one run.
@Suite struct LotteryTests: LotterySuite {
  /// The ticket of largest |w|, by layer or in one pool; ties to earlier layers and lower positions.
  private func largest(_ weights: [[Float]], _ counts: [Int]?, total: Int) -> [[Int]] {
    var all: [(size: Float, layer: Int, position: Int)] = []
    for (layer, values) in weights.enumerated() {
      for (position, value) in values.enumerated() {
        all.append((value.magnitude, layer, position))
      }
    }
    all.sort {
      $0.size != $1.size ? $0.size > $1.size : ($0.layer, $0.position) < ($1.layer, $1.position)
    }
    var kept: [[Int]] = []
    for layer in weights.indices {
      var own = Array(all.prefix(counts == nil ? total : all.count)).filter { $0.layer == layer }
      if let counts { own = Array(own.prefix(counts[layer])) }
      kept.append(own.map(\.position).sorted())
    }
    return kept
  }

  private func kept(_ positions: Int, _ density: Double, _ share: Double) -> Int {
    max(1, Int((Double(positions) * pow(density, share) + 0.5).rounded(.down)))
  }

  struct Variant: CustomTestStringConvertible {
    var scope = TopologyScope.layer
    var rewindStep = 0
    var optimizer = Configuration.OptimizerKind.sgd
    var rounds = 3
    var isConvolutional = false
    var testDescription: String {
      "\(scope), to \(rewindStep), \(optimizer), \(rounds) rounds"
        + (isConvolutional ? ", convolutional" : "")
    }
    var configuration: Configuration {
      let base = isConvolutional ? LotterySettings.convolutional : LotterySettings.configuration
      return base.changing {
        ($0.topologyScope, $0.rewindStep, $0.optimizer) = (scope, rewindStep, optimizer)
        if optimizer == .adam { $0.learningRate = 0.003 }
        $0.lotteryRounds = rounds
      }
    }
  }

  static let variants = [
    Variant(), Variant(scope: .global, rewindStep: 3, optimizer: .adam),
    Variant(rewindStep: 7, rounds: 1), Variant(rewindStep: 10, optimizer: .adam, rounds: 1),
    Variant(rewindStep: 1, rounds: 2, isConvolutional: true),
    Variant(scope: .global, rounds: 1, isConvolutional: true),
  ]

  /// Each round keeps exactly the largest weights of the one before, as many as the formula says, with
  /// everything else as it was at the rewinding step.
  @Test(arguments: variants) func roundsPruneAndRewind(variant: Variant) throws {
    let (folder, configuration) = (try TemporaryFolder(), variant.configuration)
    let (trainer, result, _) = try train(configuration, folder("run"))
    let steps = trainer.totalSteps
    #expect(result.steps == steps && !result.wasStopped && result.test != nil)
    // The first training stopped at the rewinding step is what rounds go back to.
    let rewound = try SafetensorsFile(path: folder("run/checkpoints/rewind.safetensors"))
    let layers = trainer.model.sparseLayers
    var before = layers.map { Array(0..<$0.positions) }
    for round in 1...variant.rounds {
      let trained = try file(folder("run"), round - 1, steps)
      let start = try file(folder("run"), round, variant.rewindStep)
      let share = Double(round) / Double(variant.rounds)
      var weights: [[Float]] = []
      for (layer, kept) in zip(layers, before) {
        let (values, positions) = try dense(
          trained, layer.parameter.name, like: layer.parameter.shape)
        #expect(positions == kept, "round \(round), \(layer.name): connections moved")
        weights.append(values)
      }
      let sparsities = layers.map { trainer.allocation[$0.name]?.sparsity ?? 0 }
      let counts = zip(layers, sparsities).map { kept($0.positions, 1 - $1, share) }
      let all = layers.reduce(0) { $0 + $1.positions }
      let active = layers.reduce(0) { $0 + (trainer.allocation[$1.name]?.connections ?? 0) }
      // As the inactive positions are counted.
      let density = 1 - Double(all - active) / Double(all)
      let expected = largest(
        weights, variant.scope == .layer ? counts : nil, total: kept(all, density, share))
      for (index, layer) in layers.enumerated() {
        let (name, shape) = (layer.parameter.name, layer.parameter.shape)
        let (values, positions) = try dense(start, name, like: shape)
        #expect(positions == expected[index], "round \(round), \(layer.name)")
        let names =
          [name]
          + rewound.tensors.map(\.name).filter {
            $0.hasPrefix("\(name).") && rewound[$0]?.shape == shape
          }
        #expect(names.count == (variant.optimizer == .adam ? 3 : 2))
        for name in names {
          let own =
            name == layer.parameter.name ? values : try dense(start, name, like: shape).values
          let first = try rewound.float32(name)
          let differs = positions.first { own[$0].bitPattern != first[$0].bitPattern }
          #expect(differs == nil, "round \(round), \(name)")
        }
        before[index] = positions
      }
      for tensor in rewound.tensors
      where !layers.contains(where: { tensor.name.hasPrefix($0.parameter.name) }) {
        #expect(
          try start.float32(tensor.name).map(\.bitPattern)
            == rewound.float32(tensor.name).map(\.bitPattern), "round \(round), \(tensor.name)")
      }
    }
  }

  /// What is kept at the rewinding step is a plain dense training stopped there, and the place in the data
  /// is that one's.
  @Test(arguments: [0, 1, 7, 10]) func theRewindPointIsThePlainTraining(step: Int) throws {
    let folder = try TemporaryFolder()
    let configuration = LotterySettings.configuration.changing {
      ($0.rewindStep, $0.lotteryRounds) = (step, 1)
    }
    let (lottery, _, _) = try train(configuration, folder("run"))
    // Method dense stores layers as they are; pruning that has not begun is the same training in the same
    // storage.
    let plain = try trainer(
      configuration.changing {
        ($0.method, $0.pruneBegin, $0.pruneEnd) = (.pruning, 18, 19)
      }, nil)
    while plain.step.weightSteps < step { _ = try plain.trainNextBatch() }
    try plain.step.save(to: folder("plain.safetensors"))
    let rewound = try SafetensorsFile(path: folder("run/checkpoints/rewind.safetensors"))
    let other = try SafetensorsFile(path: folder("plain.safetensors"))
    #expect(rewound.tensors.map(\.name) == other.tensors.map(\.name))
    for tensor in other.tensors where tensor.type == .float32 {
      #expect(try rewound.float32(tensor.name) == other.float32(tensor.name), "\(tensor.name)")
    }
    // A round's training takes the same batches as the first did from there on.
    let (state, saved) = (try file(folder("run"), 1, step).state, try rewound.state)
    #expect(saved["step"] as? Int == step && saved["batchesConsumed"] as? Int == step)
    for key in ["step", "batchesConsumed", "position", "epoch"] {
      let values = try [state, saved].map {
        try JSONSerialization.data(
          withJSONObject: try #require($0[key]), options: [.sortedKeys, .fragmentsAllowed])
      }
      #expect(values[0] == values[1], "\(key)")
    }
    #expect(lottery.step.weightSteps == 20)
  }

  /// A round that prunes nothing is the training from the rewinding step on once more, to the last bit:
  /// the learning rate, the batches, dropout and averages are those of the first.
  @Test(arguments: [false, true], [0, 2]) func aRoundWithoutPruningRepeatsTheTraining(
    isConvolutional: Bool, step: Int
  ) throws {
    let folder = try TemporaryFolder()
    let base = isConvolutional ? LotterySettings.convolutional : LotterySettings.configuration
    let model = try trainer(base, nil).model
    let chosen = try #require(model.sparseLayers.first?.name)
    let names = model.weightLayers.map(\.name)
    // A thousandth of a hundredth of its positions is less than half a connection.
    let configuration = base.changing {
      ($0.lotteryRounds, $0.rewindStep, $0.sparsity) = (1000, step, 0.5)
      $0.layerSparsities = Dictionary(
        uniqueKeysWithValues: names.map { ($0, $0 == chosen ? 0.01 : 0) })
    }
    let (trainer, _, _) = try train(configuration, folder("run")) { event, trainer in
      trainer.round == 1 && trainer.step.weightSteps == trainer.totalSteps
    }
    let steps = trainer.totalSteps
    #expect(trainer.round == 1 && trainer.model.sparseLayers.count == 1)
    #expect(trainer.model.sparseLayers[0].density == 1, "nothing is to be pruned in this round")
    let (one, two) = (
      try file(folder("run"), 0, steps), try file(folder("run"), 1, steps)
    )
    for tensor in one.tensors where tensor.type == .float32 {
      #expect(try one.float32(tensor.name) == two.float32(tensor.name), "\(tensor.name)")
    }
  }

  /// The controls are what they say.
  @Test func controlsChangeWhatTheySay() throws {
    let folder = try TemporaryFolder()
    func start(_ control: Configuration.TicketControl) throws -> SafetensorsFile {
      let configuration = LotterySettings.configuration.changing { $0.ticketControl = control }
      try train(configuration, folder("\(control)"))
      return try file(folder("\(control)"), 3, 0)
    }
    let (ticket, fresh, shuffled) = (try start(.rewound), try start(.fresh), try start(.shuffled))
    let rewound = try SafetensorsFile(path: folder("rewound/checkpoints/rewind.safetensors"))
    let layers = try trainer(LotterySettings.configuration, nil).model.sparseLayers
    for layer in layers {
      let (name, shape) = (layer.parameter.name, layer.parameter.shape)
      let own = try dense(ticket, name, like: shape)
      let other = try dense(fresh, name, like: shape)
      let moved = try dense(shuffled, name, like: shape)
      #expect(own.positions == other.positions)
      #expect(own.positions.allSatisfy { own.values[$0] != other.values[$0] })
      #expect(moved.positions.count == own.positions.count && moved.positions != own.positions)
      let first = try rewound.float32(name)
      #expect(moved.positions.allSatisfy { moved.values[$0] == first[$0] })
      // By chance as many of them are the ticket's as the density says, more or less.
      let common = Set(own.positions).intersection(moved.positions).count
      let share = Double(own.positions.count) / Double(layer.positions)
      #expect(abs(Double(common) / Double(own.positions.count) - share) < 0.2)
      for file in [fresh, shuffled] {
        #expect(try dense(file, "\(name).velocity", like: shape).values.allSatisfy { $0 == 0 })
      }
    }
    #expect(try fresh.float32("fc3.weight") != ticket.float32("fc3.weight"), "dense layers, too")
    #expect(try shuffled.float32("fc3.weight") == ticket.float32("fc3.weight"))
    // Rounds before the last are the ticket's own.
    for control in ["fresh", "shuffled"] {
      for (round, step) in [(0, 20), (1, 20), (2, 20)] {
        let (a, b) = (
          try file(folder(control), round, step), try file(folder("rewound"), round, step)
        )
        #expect(try a.float32("fc3.weight") == b.float32("fc3.weight"))
      }
    }
  }

  /// RigL moves the ticket's connections in its own training alone, at its steps, and keeps their number.
  @Test func riglMovesTheTicket() throws {
    let folder = try TemporaryFolder()
    let configuration = LotterySettings.configuration.changing {
      ($0.ticketMethod, $0.rewindStep) = (.rigl, 2)
    }
    let (trainer, _, _) = try train(configuration, folder("run"))
    let rows = try folder.metrics(of: "run").filter { $0.split == .update }
    let prunings = rows.filter { $0.step == 20 }
    #expect(prunings.map(\.round) == [0, 1, 2])
    let moves = rows.filter { $0.step < 20 }
    #expect(moves.map(\.round) == [3, 3, 3, 3] && moves.map(\.step) == [2, 6, 10, 14])
    #expect(moves.contains { ($0.connectionsMoved ?? 0) > 0 })
    #expect(moves.allSatisfy { $0.connections == trainer.model.connections })
    // A position counts as tried since the ticket began.
    #expect(try #require(trainer.step.explored?.share) < 0.6)
  }

  /// A ticket's RigL grows by as many batches as RigL would; rounds before have updates of none.
  @Test func theTicketGrowsBySeveralBatches() throws {
    let folder = try TemporaryFolder()
    let configuration = LotterySettings.configuration.changing {
      ($0.ticketMethod, $0.growthBatches, $0.lotteryRounds) = (.rigl, 3, 2)
    }
    try train(configuration, folder("run"))
    func batches(_ round: Int) throws -> Int? {
      try file(folder("run"), round, 20).state["batchesConsumed"] as? Int
    }
    let updates = try folder.metrics(of: "run").filter { $0.round == 2 && $0.split == .update }
    #expect(updates.count > 1 && updates.contains { ($0.connectionsMoved ?? 0) > 0 })
    #expect(try [batches(0), batches(1)] == [20, 20])
    #expect(try batches(2) == 20 + 3 * updates.count)
  }

  /// The log tells rounds apart; validation chooses among the ticket's own weights.
  @Test func roundsAreInTheMetrics() throws {
    let folder = try TemporaryFolder()
    let (trainer, result, told) = try train(LotterySettings.configuration, folder("run"), keep: 2)
    let rows = try folder.metrics(of: "run")
    #expect(Set(rows.compactMap(\.round)) == [0, 1, 2, 3])
    for round in 0...3 {
      let own = rows.filter { $0.round == round && $0.split == .train }.map(\.step)
      #expect(own == [3, 6, 9, 12, 15, 18], "round \(round)")
    }
    #expect(rows.last?.split == .test && rows.last?.round == 3)
    #expect(rows.filter { $0.split == .test }.count == 1)
    #expect(told.filter { $0.contains("of 3 has left") }.count == 3)
    #expect(trainer.stepsOfAllRounds.taken == 80 && trainer.stepsOfAllRounds.of == 80)
    let best = try SafetensorsFile(path: folder("run/checkpoints/best.safetensors"))
    #expect(best.metadata["state"]?.contains("\"round\":3") == true)
    #expect(result.best != nil && result.bestTest != nil)
    // Two checkpoints are kept, and what rounds go back to.
    let kept = try CheckpointStore(folder: folder("run/checkpoints")).list()
    #expect(kept.map(\.round) == [3, 3] && kept.last?.step == 20)
    // Other methods have no rounds.
    try train(LotterySettings.configuration.changing { $0.method = .rigl }, folder("rigl"))
    #expect(try folder.metrics(of: "rigl").allSatisfy { $0.round == nil })
    #expect(try file(folder("rigl"), 0, 20).metadata["state"]?.contains("round") == false)
  }

  /// Memory follows the rounds: storage is sparse as soon as a layer is.
  @Test func storageFollowsTheRounds() throws {
    let folder = try TemporaryFolder()
    var bytes: [Int] = []
    try train(LotterySettings.configuration.changing { $0.sparsity = 0.95 }, folder("run")) {
      event, trainer in
      if case .checkpoint(path: _, step: 10) = event {
        bytes.append(trainer.model.bytes + trainer.step.optimizer.bytes)
      }
      return false
    }
    #expect(bytes.count == 4 && bytes[3] * 3 < bytes[1] && bytes[2] < bytes[1], "\(bytes)")
  }
}
