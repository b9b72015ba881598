/// Which parts a model's steps have, in the order of the network, and what each has to do.
struct StagePlan {
  private(set) var parts: [StepPart] = []
  /// The stage that each part is at unless it says otherwise, forward and backward.
  private(set) var stages: [(forward: StepStage, backward: StepStage)] = []
  /// Bytes that a step touches.
  private(set) var footprint = 0.0
  /// The part that each of the model's parameters belongs to.
  private(set) var parameterParts: [Int] = []
  /// What belongs to no layer.
  private(set) var (batch, loss, parameters, rest) = (0, 0, 0, 0)

  private var places: [ObjectIdentifier: Int] = [:]
  private var names: Set<String> = []
  private var counts: StepCounts
  /// Convolutions that write the sum of a residual block, or the sum of its gradients.
  private var outputJoins: Set<ObjectIdentifier> = []
  private var gradientJoins: Set<ObjectIdentifier> = []

  init(_ model: Model, _ optimizer: OptimizerState) {
    counts = StepCounts(samples: model.capacity, lanes: model.lanes)
    add(model.layers, model.inputShape, needsGradient: false)
    batch = add("batch", .batch)
    // Only what is written: where samples come from is the data's affair.
    parts[batch].work[.batch] = StageWork(near: counts.bytes(of: model.inputShape))
    loss = add("loss", .loss)
    let logits = counts.bytes(of: model.outputShape)
    parts[loss].work[.loss] = StageWork(near: 2 * logits)
    parameters = add("parameters", .optimizer)
    rest = add("rest", .other)
    parameterParts = model.parameters.map { parameter in
      model.weightLayers.first { $0.weight === parameter }.flatMap { place(of: $0) } ?? parameters
    }
    for (index, parameter) in model.parameters.enumerated() {
      // Values and slots are read and written, gradients read.
      let slots = optimizer.slots[index].count
      let work = StageWork(far: Double(parameter.count * 4 * (3 + 2 * slots)))
      parts[parameterParts[index]].work[.optimizer, default: StageWork()].add(work)
      footprint += Double(parameter.count * 4 * (2 + slots))
    }
    for layer in model.sparseLayers { footprint += Double(layer.bytes - 8 * layer.count) }
  }

  /// The place of a layer, or of its connections, among the parts.
  func place(of object: AnyObject) -> Int? { places[ObjectIdentifier(object)] }

  // MARK: - The network

  private mutating func add(
    _ name: String, _ forward: StepStage, _ backward: StepStage? = nil, _ object: AnyObject? = nil
  ) -> Int {
    var (unique, number) = (name, 1)
    while !names.insert(unique).inserted {
      number += 1
      unique = "\(name) \(number)"
    }
    parts.append(StepPart(name: unique))
    stages.append((forward, backward ?? forward))
    if let object { places[ObjectIdentifier(object)] = parts.count - 1 }
    return parts.count - 1
  }

  /// Adds the layers that run.
  private mutating func add(_ sequence: Sequential, _ input: SampleShape, needsGradient: Bool) {
    var (shape, needsGradient) = (input, needsGradient)
    for stage in sequence.stages {
      // A model has asked every layer before.
      let output = (try? stage.outputShape(of: shape)) ?? shape
      add(stage, from: shape, to: output, needsGradient: needsGradient)
      (shape, needsGradient) = (output, true)
    }
  }

  private mutating func add(
    _ layer: any Layer, from input: SampleShape, to output: SampleShape, needsGradient: Bool
  ) {
    switch layer {
    case let sequence as Sequential:
      add(sequence, input, needsGradient: needsGradient)
      return
    case let block as Residual:
      add(block, from: input, to: output, needsGradient: needsGradient)
      return
    case let layer as any WeightLayer:
      add(layer, from: input, to: output, needsGradient: needsGradient)
    default:
      let (name, stage) = StagePlan.describe(layer)
      let place = add(name, stage, stage, layer)
      parts[place].work[stage] = counts.work(of: layer, from: input, to: output)
    }
    footprint += counts.bytes(of: output)
  }

  private mutating func add(
    _ layer: any WeightLayer, from input: SampleShape, to output: SampleShape, needsGradient: Bool
  ) {
    let convolution = (layer as? Conv2d)?.work
    let place =
      convolution == nil
      ? add(layer.name, .forwardKernel, .backwardKernel, layer)
      : add(layer.name, .forwardPack, .backwardPack, layer)
    parts[place].shape = layer.shape
    parts[place].pixels = output.height * output.width
    parts[place].connections = layer.weight.count
    if let connections = layer.connections { places[ObjectIdentifier(connections)] = place }
    if let convolution {
      parts[place].work = counts.work(
        of: convolution, makesInputGradient: needsGradient || convolution.prologue.norm != nil,
        addsShortcut: outputJoins.contains(ObjectIdentifier(convolution)),
        addsGradient: gradientJoins.contains(ObjectIdentifier(convolution)))
    } else {
      parts[place].work = counts.work(ofLinear: layer, makesInputGradient: needsGradient)
    }
  }

  private mutating func add(
    _ block: Residual, from input: SampleShape, to output: SampleShape, needsGradient: Bool
  ) {
    if let last = block.joinsOutput { outputJoins.insert(ObjectIdentifier(last)) }
    if let first = block.joinsGradient, !block.passesBy {
      gradientJoins.insert(ObjectIdentifier(first))
    }
    let needsGradient = needsGradient || block.shared.norm != nil
    add(block.main, input, needsGradient: needsGradient)
    add(block.shortcut, input, needsGradient: needsGradient)
    let place = add(StagePlan.name(of: block), .join, .join, block)
    parts[place].work[.join] = counts.work(ofBlock: block, from: input, to: output)
    // The last convolution's output is the block's, if it writes the sum.
    if block.joinsOutput == nil { footprint += counts.bytes(of: output) }
  }

  /// A name for a layer that has none, and the stage it is.
  static func describe(_ layer: any Layer) -> (String, StepStage) {
    switch layer {
    case let pool as Pool2d: (pool.kind == .maximum ? "max-pool" : "average-pool", .pooling)
    case is GlobalAveragePool: ("global-pool", .pooling)
    case is Flatten: ("flatten", .pooling)
    case let apply as PlaneApply: (apply.prologue.norm?.name ?? "relu", .elementwise)
    case let copy as PlaneCopy: (copy.outputNorm?.name ?? "copy", .elementwise)
    case is ReLU: ("relu", .elementwise)
    case is Dropout: ("dropout", .elementwise)
    default: ("\(type(of: layer))", .other)
    }
  }

  /// "layer1.0 sum": what the names of a block's layers begin with.
  static func name(of block: Residual) -> String {
    let names = block.weightLayers.map(\.name)
    guard let first = names.first else { return "sum" }
    let common = names.dropFirst().reduce(first) { $0.commonPrefix(with: $1) }
    guard let dot = common.lastIndex(of: ".") else { return "sum" }
    return "\(common[..<dot]) sum"
  }
}

extension String {
  /// The characters that both begin with.
  fileprivate func commonPrefix(with other: String) -> String {
    String(zip(self, other).prefix { $0 == $1 }.map(\.0))
  }
}
