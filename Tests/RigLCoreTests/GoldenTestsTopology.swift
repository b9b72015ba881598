import RigLCore
import Testing

/// A topology update of one layer through a whole training step: what RigL does with a weight, a
/// slot and a dense gradient.
struct SingleUpdate {
  /// (outputs, inputs)
  var weight: [Float]
  var mask: [UInt8]
  var momentum: [Float]
  /// The gradient of the data loss at every position.
  var gradient: [Float]
  var inputs: Int
  var fraction: Double
  var method: any TopologyMethod = RigL()
  var threads = 1

  struct Result: Equatable {
    var mask: [UInt8]
    var weight: [Float]
    var momentum: [Float]
  }

  /// One batch of unit vectors makes dL/dW = dL/dYᵀ exactly, so the update that comes before step
  /// 0 scores the given gradient.
  func run() throws -> Result {
    let outputs = weight.count / inputs
    let layer = SparseLinear("layer", inputs: inputs, outputs: outputs, bias: false)
    let model = try makeModel(
      layer, inputs: inputs, capacity: inputs, connections: ["layer": mask.count { $0 != 0 }])
    let weights = model.weightLayers[0]
    try weights.set(dense: weight, mask: mask)
    var settings = TrainingStep.Settings()
    settings.method = method
    settings.schedule = UpdateSchedule(end: nil, initialFraction: fraction, annealing: .constant)
    let transposed = (0..<gradient.count).map { gradient[$0 % outputs * inputs + $0 / outputs] }
    let step = TrainingStep(
      model: model, loss: GivenGradient(gradient: transposed), optimizer: SGD(momentum: 0.9),
      learningRate: LearningRateSchedule(peak: 0.1), settings: settings,
      pool: try ThreadPool(threads: threads), seed: 1)
    let velocity = step.optimizer.slots[0][0]
    weights.forEachStored { velocity.buffer[$1] = momentum[$0] }
    let batch = Batch(for: model)
    for sample in 0..<inputs { batch.inputs[sample, sample] = 1 }
    batch.labels.count = inputs
    let report = try step.train(on: batch)
    try #require(!report.movedWeights && step.weightSteps == 0, "an update replaces a weight step")
    return Result(
      mask: weights.mask(), weight: weights.dense(weights.weight.values),
      momentum: weights.dense(velocity.buffer))
  }
}

extension GoldenTests {
  /// Mask, weights and momentum after one update, exactly.
  static func checkTopologyUpdate(_ golden: GoldenCase) throws {
    let file = golden.file
    // A uniform score stands for SET's random growth: the largest |score| are grown.
    let scores: String
    switch golden.attributes.grow_score {
    case "gradient": scores = "dense_gradient"
    case "uniform": scores = "uniform"
    default: throw RigLError(.data, "unknown grow_score \(golden.attributes.grow_score ?? "")")
    }
    for threads in [1, 2] {
      let result = try SingleUpdate(
        weight: file.float32("weight"), mask: file.uint8("mask"),
        momentum: file.float32("momentum"), gradient: file.float32(scores),
        inputs: golden.matrix("weight").inputs,
        fraction: #require(golden.attributes.drop_fraction), threads: threads
      ).run()
      try golden.expect(result.mask, equals: file.uint8("new_mask"), "new_mask")
      try golden.expect(result.weight, equals: file.float32("new_weight"), "new_weight")
      try golden.expect(result.momentum, equals: file.float32("new_momentum"), "new_momentum")
    }
  }

  /// A whole training: the loss of every batch, and what is left at the end.
  static func checkTrajectory(_ golden: GoldenCase) throws {
    let (file, attributes) = (golden.file, golden.attributes)
    try #require(attributes.model == "mlp-relu", "\(golden.name): model")
    try #require(attributes.weight_decay_on_bias != true, "\(golden.name): decay on biases")
    let dims = try #require(attributes.dims)
    let batchSize = try #require(attributes.batch)
    var layers: [any Layer] = []
    var connections: [String: Int] = [:]
    var variable: Set<String> = []
    for index in 0..<dims.count - 1 {
      if index > 0 { layers.append(ReLU()) }
      layers.append(SparseLinear("\(index)", inputs: dims[index], outputs: dims[index + 1]))
      connections["\(index)"] = try file.uint8("m\(index)_mask").count { $0 != 0 }
      if try #require(attributes.densities)[index] < 1, attributes.method != nil {
        variable.insert("\(index)")
      }
    }
    let model = try Model(
      Sequential(layers), input: SampleShape(channels: dims[0]), capacity: batchSize,
      connections: connections, variable: variable)
    for (index, layer) in model.weightLayers.enumerated() {
      try layer.set(dense: file.float32("w\(index)"), mask: file.uint8("m\(index)_mask"))
      try layer.setBias(file.float32("b\(index)"))
    }
    let step = try makeStep(golden, model)
    let (x, y) = (try file.float32("x"), try file.int32("y"))
    let batch = Batch(for: model)
    batch.labels.count = batchSize
    var losses: [Float] = []
    var counts: [Int32] = []
    for consumed in 0..<(try #require(attributes.batches_consumed)) {
      for place in 0..<batchSize {
        let sample = (consumed * batchSize + place) % y.count
        for index in 0..<dims[0] { batch.inputs[place, index] = x[sample * dims[0] + index] }
        batch.labels[place] = Int(y[sample])
      }
      let report = try step.train(on: batch)
      losses.append(Float(report.loss))
      if report.update != nil { counts += model.weightLayers.map { Int32($0.count) } }
    }
    if file["counts"] != nil {
      #expect(
        try counts == file.int32("counts"),
        "\(golden.name): \(counts) connections after each update")
    }
    #expect(step.weightSteps == attributes.steps, "\(golden.name): weight steps")
    try golden.expect(losses, "losses", within: 1e-4)
    for (index, layer) in model.weightLayers.enumerated() {
      try golden.expect(
        layer.mask(), equals: file.uint8("final_m\(index)_mask"), "final_m\(index)_mask")
      try golden.expect(layer.dense(layer.weight.values), "final_w\(index)", within: 1e-4)
      try golden.expect(#require(layer.bias).values.array(), "final_b\(index)", within: 1e-4)
    }
  }

  private static func makeStep(_ golden: GoldenCase, _ model: Model) throws -> TrainingStep {
    let attributes = golden.attributes
    try #require(attributes.order == "sequential, wrapping around", "\(golden.name): order")
    var settings = TrainingStep.Settings()
    settings.method = try method(attributes)
    settings.schedule.interval = attributes.update_every ?? settings.schedule.interval
    if attributes.update_end != nil {
      settings.schedule = UpdateSchedule(
        interval: try #require(attributes.update_every), begin: attributes.update_begin ?? 0,
        end: attributes.update_end, initialFraction: try #require(attributes.drop_fraction),
        annealing: try #require(attributes.anneal.flatMap(UpdateSchedule.Annealing.init)))
    }
    try settings.schedule.validate()
    return TrainingStep(
      model: model, loss: CrossEntropy(),
      optimizer: SGD(
        momentum: attributes.momentum ?? 0, nesterov: attributes.nesterov ?? false,
        weightDecay: attributes.weight_decay ?? 0),
      learningRate: LearningRateSchedule(peak: try #require(attributes.lr)), settings: settings,
      pool: try ThreadPool(threads: 2), seed: 0)
  }

  /// How many connections each layer grows of what all drop.
  static func checkRedistribution(_ golden: GoldenCase) throws {
    let attributes = golden.attributes
    let shares = Shares.of(
      try #require(attributes.total), by: try #require(attributes.means),
      atMost: try #require(attributes.caps))
    #expect(try shares.map(Int32.init) == golden.file.int32("counts"), "\(golden.name)")
  }

  /// The method of a trajectory.
  private static func method(_ attributes: GoldenCase.Attributes) throws -> any TopologyMethod {
    let scope: TopologyScope = attributes.scope == "global" ? .global : .layer
    func schedule() throws -> PruningSchedule {
      PruningSchedule(
        to: LayerSparsities(try #require(attributes.sparsity)),
        from: LayerSparsities(attributes.initial_sparsity ?? 0),
        begin: try #require(attributes.prune_begin), end: try #require(attributes.prune_end),
        scope: scope)
    }
    switch attributes.method {
    case nil: return RigL()
    case "pruning": return MagnitudePruning(try schedule())
    case "snip":
      var sparsities: [String: Double] = [:]
      for (index, density) in try #require(attributes.densities).enumerated() {
        sparsities["\(index)"] = 1 - density
      }
      return SNIP(LayerSparsities(sparsities), scope: scope)
    case "granet": return GraNet(try schedule())
    case "snfs":
      return SNFS(
        decay: try #require(attributes.momentum_decay),
        redistributes: attributes.redistribution == true)
    case let other?: throw RigLError(.data, "unknown method \(other)")
    }
  }
}
