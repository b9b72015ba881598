/// Which parts a model's steps have, in the order of the network, and what each has to do.
struct StagePlan {
  private(set) var parts: [StepPart] = []
  /// The stage that each part is at unless it says otherwise, forward and backward.
  private(set) var stages: [(forward: StepStage, backward: StepStage)] = []
  /// Bytes that a step touches.
  private(set) var footprint = 0.0
  /// The part that each of the model's parameters belongs to.
  private(set) var parameterParts: [Int] = []
  /// The indices of what belongs to no layer.
  private(set) var (batch, loss, parameters, rest) = (0, 0, 0, 0)

  /// The part that each stage belongs to.
  private(set) var stageParts: [Int] = []
  private var places: [ObjectIdentifier: Int] = [:]
  private var names: Set<String> = []

  init(_ model: Model, _ optimizer: OptimizerState) {
    let counts = StepCounts(samples: model.capacity, lanes: model.lanes)
    add(model.plan, counts)
    batch = add("batch", StageTiming(.batch))
    // Only what is written: where samples come from is the data's affair.
    parts[batch].work[.batch] = StageWork(near: counts.bytes(of: model.inputShape))
    loss = add("loss", StageTiming(.loss))
    let logits = counts.bytes(of: model.outputShape)
    parts[loss].work[.loss] = StageWork(near: 2 * logits)
    parameters = add("parameters", StageTiming(.optimizer))
    rest = add("rest", StageTiming(.other))
    parameterParts = model.parameters.map { parameter in
      places[ObjectIdentifier(parameter)] ?? parameters
    }
    for (index, parameter) in model.parameters.enumerated() {
      // Values and slots are read and written, gradients read.
      let slots = optimizer.slots[index].count
      let ages = optimizer.ages(of: parameter)?.bytes ?? 0
      let work = StageWork(far: Double(parameter.count * 4 * (3 + 2 * slots) + ages))
      parts[parameterParts[index]].work[.optimizer, default: StageWork()].add(work)
      footprint += Double(parameter.count * 4 * (2 + slots) + ages)
    }
    for layer in model.sparseLayers { footprint += Double(layer.bytes - 8 * layer.parameter.count) }
  }

  /// The place of a layer's connections among the parts.
  func place(of weights: SparseWeights) -> Int? { places[ObjectIdentifier(weights)] }

  private mutating func add(_ name: String, _ timing: StageTiming) -> Int {
    var (unique, number) = (name, 1)
    while !names.insert(unique).inserted {
      number += 1
      unique = "\(name) \(number)"
    }
    parts.append(StepPart(name: unique))
    stages.append((timing.forward, timing.backward))
    return parts.count - 1
  }

  /// Adds the stages, in the order of the layers; a residual block's beginning and end are one part.
  private mutating func add(_ plan: Plan, _ counts: StepCounts) {
    stageParts = [Int](repeating: 0, count: plan.stages.count)
    var blockParts: [Int: Int] = [:]
    for number in plan.writtenOrder {
      let (node, stage) = (plan.nodes[number], plan.stages[number])
      var part: Int?
      var block: Int?
      if case .fork(let number) = node.operation { block = number }
      if case .sum(let number) = node.operation { block = number }
      if let block { part = blockParts[block] }
      let place = part ?? add(plan.name(of: node), stage.timing)
      if let block { blockParts[block] = place }
      stageParts[number] = place
      for (kind, work) in stage.work(counts) {
        parts[place].work[kind, default: StageWork()].add(work)
      }
      if let weights = stage.weights { describe(weights, plan.values[node.output].shape, place) }
      switch node.operation {
      case .fork: break
      case .sum(let number) where plan.blocks[number].isWritten: break
      default: footprint += counts.bytes(of: plan.values[node.output].shape)
      }
    }
  }

  private mutating func describe(_ weights: LayerWeights, _ output: SampleShape, _ place: Int) {
    parts[place].shape = weights.shape
    parts[place].pixels = output.height * output.width
    parts[place].connections = weights.count
    places[ObjectIdentifier(weights.weight)] = place
    if let connections = weights.connections { places[ObjectIdentifier(connections)] = place }
  }
}
