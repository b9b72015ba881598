import RigLCore
import Testing

extension GoldenTests {
  /// y, gx, gbias and the dense gweight, through the sparse and the dense layer.
  static func checkLinear(_ golden: GoldenCase) throws {
    let (outputs, inputs) = try golden.matrix("weight")
    let mask = try golden.file.uint8("mask")
    let hasBias = golden.file["bias"] != nil
    for threads in [1, 2] {
      let sparse = SparseLinear("layer", inputs: inputs, outputs: outputs, bias: hasBias)
      try check(golden, sparse, connections: mask.count { $0 != 0 }, threads: threads)
      let dense = DenseLinear("layer", inputs: inputs, outputs: outputs, bias: hasBias)
      try check(golden, dense, connections: inputs * outputs, threads: threads)
      let never = SparseLinear(
        "layer", inputs: inputs, outputs: outputs, bias: hasBias, canBeSparse: false)
      try check(golden, never, connections: inputs * outputs, threads: threads)
    }
  }

  private static func check(
    _ golden: GoldenCase, _ layer: some WeightLayer, connections: Int, threads: Int
  ) throws {
    let file = golden.file
    let what = "(\(type(of: layer)), \(threads) threads)"
    let probe = Probe()
    let model = try makeModel(
      probe, layer, inputs: layer.inputs, capacity: golden.shape("x")[0],
      connections: ["layer": connections])
    let mask = try file.uint8("mask")
    let weights = model.weightLayers[0]
    try weights.set(dense: file.float32("weight"), mask: mask)
    if weights.bias != nil { try weights.setBias(file.float32("bias")) }
    let pass = Pass(pool: try ThreadPool(threads: threads), seed: 0)
    pass.isTraining = true
    let input = try model.makeInput(file.float32("x"))
    try golden.expect(model.forward(input, pass).values(), "y", what)
    let gradient = try model.makeOutputGradient(file.float32("gy"))
    let dense = try model.denseGradients(gradient, pass)
    try golden.expect(probe.gradient, "gx", what)
    if let bias = weights.bias { try golden.expect(bias.gradient.array(), "gbias", what) }
    let own = weights.dense(weights.weight.gradient)
    guard weights.connections != nil else { return try golden.expect(own, "gweight", what) }
    try golden.expect(dense[0], "gweight", "by panels \(what)")
    // The backward kernel's gradient exists at connections only.
    let atConnections = zip(own, zip(dense[0], mask)).map { $1.1 == 0 ? $1.0 : $0 }
    try golden.expect(atConnections, "gweight", "at connections \(what)")
  }

  /// The mean loss and its gradient, group by group in the kernels and sample by sample.
  static func checkCrossEntropy(_ golden: GoldenCase) throws {
    let smoothing = golden.attributes.label_smoothing ?? 0
    try check(golden, CrossEntropy(labelSmoothing: smoothing), "(kernel)")
    try check(golden, OneByOne(loss: CrossEntropy(labelSmoothing: smoothing)), "(sample by sample)")
  }

  private static func check(_ golden: GoldenCase, _ loss: some Loss, _ what: String) throws {
    let shape = try golden.shape("logits")
    let targets = try golden.file.int32("targets")
    let lanes = Tensor.lanes(forBatch: shape[0])
    func makeTensor() -> Tensor {
      Tensor(shape: SampleShape(channels: shape[1]), capacity: shape[0], lanes: lanes)
    }
    let (logits, gradient) = (makeTensor(), makeTensor())
    try logits.set(golden.file.float32("logits"))
    let labels = Labels(capacity: shape[0])
    labels.count = shape[0]
    for (sample, target) in targets.enumerated() { labels[sample] = Int(target) }
    let outcome = BatchPredictions(capacity: shape[0], classes: shape[1], lanes: lanes)
    let mean = try loss.evaluate(
      logits, labels: labels, gradient: gradient, outcome: outcome,
      pass: Pass(pool: ThreadPool(threads: 1), seed: 0))
    try golden.expect([Float(mean)], "loss", what)
    try golden.expect(gradient.values(), "glogits", what)
  }

  /// An own loss around another, without its quicker way.
  private struct OneByOne: Loss {
    let loss: CrossEntropy

    func loss(
      of logits: Span<Float>, label: Int, gradient: inout MutableSpan<Float>
    ) -> Double {
      loss.loss(of: logits, label: label, gradient: &gradient)
    }
  }

  /// The weights after each of the steps, on the connections of the mask.
  static func checkOptimizer(_ golden: GoldenCase) throws {
    let attributes = golden.attributes
    let (outputs, inputs) = try golden.matrix("weight")
    let mask = try golden.file.uint8("mask")
    let layer = SparseLinear("layer", inputs: inputs, outputs: outputs, bias: false)
    let model = try makeModel(
      layer, inputs: inputs, capacity: 1, connections: ["layer": mask.count { $0 != 0 }])
    let weights = model.weightLayers[0]
    try weights.set(dense: golden.file.float32("weight"), mask: mask)
    let state = OptimizerState(try optimizer(golden), parameters: [weights.weight])
    let grads = try golden.file.float32("grads")
    let steps = grads.count / (outputs * inputs)
    let pool = try ThreadPool(threads: 1)
    var after: [Float] = []
    for step in 0..<steps {
      weights.forEachStored { position, storage in
        weights.weight.gradient[storage] = grads[step * outputs * inputs + position]
      }
      state.step(learningRate: try #require(attributes.lr), gradientScale: 1, pool: pool)
      after += weights.dense(weights.weight.values)
    }
    try golden.expect(after, "weights_after")
  }

  /// The same by a training whose topology updates grow each connection before its step of birth.
  static func checkOptimizerByAge(_ golden: GoldenCase) throws {
    let (outputs, inputs) = try golden.matrix("weight")
    let births = try golden.file.elements("birth", of: Int32.self).map { Int($0) }
    let weight = try golden.file.float32("weight")
    for (birth, weight) in zip(births, weight) where birth > 0 { try #require(weight == 0) }
    let grads = try golden.file.float32("grads")
    var adam = try #require(optimizer(golden) as? Adam)
    adam.correction = .connection
    let growth = try ScriptedGrowth(
      births: births, outputs: outputs, inputs: inputs, optimizer: adam,
      learningRate: try #require(golden.attributes.lr))
    try growth.weights.set(dense: weight, mask: births.map { $0 == 0 ? 1 : 0 })
    var after: [Float] = []
    for step in 0..<grads.count / births.count {
      try growth.train(by: Array(grads[step * births.count..<(step + 1) * births.count]))
      after += growth.weights.dense(growth.weights.weight.values)
    }
    try golden.expect(after, "weights_after")
  }

  static func optimizer(_ golden: GoldenCase) throws -> any Optimizer {
    let attributes = golden.attributes
    let decay = attributes.weight_decay
    let betas = attributes.betas ?? [0.9, 0.999]
    let epsilon = attributes.eps ?? 1e-8
    switch attributes.kind {
    case "sgd":
      return SGD(
        momentum: attributes.momentum ?? 0, nesterov: attributes.nesterov ?? false,
        weightDecay: decay ?? 0)
    case "adam":
      return Adam(beta1: betas[0], beta2: betas[1], epsilon: epsilon, weightDecay: decay ?? 0)
    case "adamw":
      return Adam(
        beta1: betas[0], beta2: betas[1], epsilon: epsilon, decoupledWeightDecay: decay ?? 0.01)
    default:
      throw RigLError(.data, "unknown optimizer '\(attributes.kind ?? "")'")
    }
  }

  /// The norm of all gradients together, and the gradients after clipping.
  static func checkClipping(_ golden: GoldenCase) throws {
    var parameters: [Parameter] = []
    while golden.file["g\(parameters.count)"] != nil {
      let values = try golden.file.float32("g\(parameters.count)")
      let parameter = Parameter(
        name: "g\(parameters.count)", shape: [values.count], count: values.count, decays: false)
      for (index, value) in values.enumerated() { parameter.gradient[index] = value }
      parameters.append(parameter)
    }
    let state = OptimizerState(SGD(), parameters: parameters)
    let norm = state.gradientNorm(pool: try ThreadPool(threads: 2))
    try golden.expect([Float(norm)], "norm")
    let maximum = try #require(golden.attributes.max_norm)
    let scale = GradientClipping.scale(norm: norm, maximum: maximum)
    for (index, parameter) in parameters.enumerated() {
      try golden.expect(parameter.gradient.array().map { $0 * scale }, "c\(index)")
    }
  }

  /// The learning rate of each step.
  static func checkSchedule(_ golden: GoldenCase) throws {
    let attributes = golden.attributes
    let minimum = attributes.min_lr ?? 0
    let shape: LearningRateSchedule.Shape
    switch attributes.kind {
    case "cosine":
      shape = .cosine(steps: try #require(attributes.steps), minimum: minimum)
    case "cosine_warm_restarts":
      shape = .cosineWarmRestarts(
        firstCycle: try #require(attributes.first_cycle),
        cycleMultiplier: attributes.cycle_multiplier ?? 1, minimum: minimum)
    case "step":
      shape = .step(
        milestones: try #require(attributes.milestones), factor: try #require(attributes.factor))
    default:
      throw RigLError(.data, "unknown schedule '\(attributes.kind ?? "")'")
    }
    let schedule = LearningRateSchedule(peak: try #require(attributes.lr), shape: shape)
    for (step, expected) in try golden.file.float64("lr_f64").enumerated() {
      let rate = schedule.rate(at: step)
      #expect(
        (rate - expected).magnitude <= 1e-12 * expected.magnitude,
        "\(golden.name): step \(step): \(rate), expected \(expected)")
    }
  }
}

extension LayerWeights {
  /// Calls `body` with the position and the index in the parameter's arrays of each weight.
  func forEachStored(_ body: (_ position: Int, _ storage: Int) -> Void) {
    guard let connections else {
      for position in 0..<weight.count { body(position, position) }
      return
    }
    connections.forEachConnection { _, position, storage in body(position, storage) }
  }
}
