// Which numbers a step of a loop of one's own can be taken with.

extension TrainingStep.Settings {
  /// What cannot be trained with; nil: everything can.
  func problem(
    _ loss: any Loss, _ optimizer: any Optimizer, _ learningRate: LearningRateSchedule,
    _ model: Model
  ) -> RigLError? {
    if let problem = methodProblem(model) { return problem }
    do throws(RigLError) {
      if method.timing != .never { try schedule.validate() }
      // Milestones of a training that is made shorter may fall together.
      var rate = learningRate
      if case .step = rate.shape { rate.shape = .constant }
      try rate.validate()
    } catch {
      return error
    }
    let numbers: [(name: String, value: Double, isUsable: Bool, range: String)]
    switch optimizer {
    case let sgd as SGD:
      let momentum = Double(sgd.momentum)
      numbers = [("SGD: a momentum", momentum, momentum >= 0 && momentum < 1, "[0, 1)")]
    case let adam as Adam:
      numbers = [
        ("Adam: a beta1", adam.beta1, adam.beta1 >= 0 && adam.beta1 < 1, "[0, 1)"),
        ("Adam: a beta2", adam.beta2, adam.beta2 >= 0 && adam.beta2 < 1, "[0, 1)"),
        ("Adam: an epsilon", Double(adam.epsilon), adam.epsilon > 0, "(0, ∞)"),
      ]
    default: numbers = []
    }
    let smoothing = (loss as? CrossEntropy).map { Double($0.labelSmoothing) } ?? 0
    let others = [
      ("CrossEntropy: a label smoothing", smoothing, smoothing >= 0 && smoothing <= 1, "[0, 1]"),
      ("growthBatches: a number", Double(growthBatches), growthBatches >= 1, "[1, ∞)"),
      ("clipNorm: a norm", clipNorm ?? 1, clipNorm ?? 1 > 0, "(0, ∞)"),
    ]
    guard let wrong = (numbers + others).first(where: { !$0.isUsable }) else { return nil }
    return RigLError(.configuration, "\(wrong.name) of \(wrong.value) is not in \(wrong.range)")
  }

  /// What a method asks for that model and settings do not have.
  private func methodProblem(_ model: Model) -> RigLError? {
    let name = type(of: method)
    if method.memory != nil, updateThenStep {
      return RigLError(
        .configuration,
        "method \(name) keeps the dense gradients of weight steps: not with updateThenStep",
        hint: "Leave updates their own batches.")
    }
    guard method.counts != .constant else { return nil }
    let fixed = model.sparseLayers.filter { $0.variation == nil }.map(\.name)
    guard model.sparseLayers.isEmpty || !fixed.isEmpty else { return nil }
    return RigLError(
      .configuration,
      "method \(name) changes how many connections layers have, but "
        + (fixed.isEmpty
          ? "no layer of the model is sparse" : "not layer \(fixed[0])'s may change"),
      hint:
        "Model(…, variable: [names]) says in which layers it may; a Trainer makes those so that "
        + "the sparsity distribution leaves positions out of.")
  }
}
