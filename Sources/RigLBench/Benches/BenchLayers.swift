import RigLCore

/// Passes its input on, so that the layer behind it is asked for its input's gradient.
struct Entrance: Layer {
  func makeStage(_ site: StageSite) throws(RigLError) -> any Stage { EntranceStage(site) }
}

private final class EntranceStage: Stage {
  private let site: StageSite

  init(_ site: StageSite) { self.site = site }

  func forward(_ pass: Pass) {
    site.output.samples = site.input.samples
    for group in 0..<site.input.groups { site.output.copyGroup(group, from: site.input) }
  }

  func backward(_ pass: Pass) {}
}

/// A layer whose stage notes how long its passes take, and can be run by itself.
struct TimedLayer: WeightLayer {
  /// Seconds of the last passes, and what a model has made of the layer.
  final class Times: @unchecked Sendable {
    fileprivate(set) var forward = 0.0
    fileprivate(set) var backward = 0.0
    fileprivate(set) var stage: (any Stage)?
    fileprivate(set) var site: StageSite?

    /// Both passes, on what is in the tensors.
    func run(_ pass: Pass) throws(RigLError) {
      try stage?.forward(pass)
      try stage?.backward(pass)
    }
  }

  private let layer: any WeightLayer
  let times = Times()

  init(_ layer: any WeightLayer) { self.layer = layer }

  var name: String { layer.name }
  var inputs: Int { layer.inputs }
  var outputs: Int { layer.outputs }
  var shape: [Int] { layer.shape }
  var fanOut: Int { layer.fanOut }
  var hasBias: Bool { layer.hasBias }
  var canBeSparse: Bool { layer.canBeSparse }
  var takesPlanes: Bool { layer.takesPlanes }
  var fusing: Fusing { layer.fusing }

  func accounted(of input: SampleShape) -> AccountedLayer { layer.accounted(of: input) }

  func outputShape(of input: SampleShape) throws(RigLError) -> SampleShape {
    try layer.outputShape(of: input)
  }

  func makeStage(_ site: StageSite) throws(RigLError) -> any Stage {
    let stage = TimedStage(try layer.makeStage(site), times)
    (times.stage, times.site) = (stage, site)
    return stage
  }
}

private final class TimedStage: Stage {
  private let stage: any Stage
  private let times: TimedLayer.Times

  init(_ stage: any Stage, _ times: TimedLayer.Times) { (self.stage, self.times) = (stage, times) }

  var weights: LayerWeights? { stage.weights }
  var gradientSource: (any GradientSource)? { stage.gradientSource }

  func weightsDidChange() { stage.weightsDidChange() }

  func forward(_ pass: Pass) throws(RigLError) {
    times.forward = try seconds { () throws(RigLError) in try stage.forward(pass) }
  }

  func backward(_ pass: Pass) throws(RigLError) {
    times.backward = try seconds { () throws(RigLError) in try stage.backward(pass) }
  }
}

/// A layer in a model of its own, which is run by itself, on operands at random.
final class LayerStep {
  let model: Model
  let times: TimedLayer.Times
  let input: Tensor
  let gradient: Tensor
  private var isShown = false

  /// - Parameter isFirst: whether the layer is a network's first one, which nobody asks for the
  ///   gradient of its input.
  init(
    _ layer: any WeightLayer, input shape: SampleShape, batch: Int, connections: Int,
    isFirst: Bool = false, seed: UInt64 = 1
  ) throws(RigLError) {
    let timed = TimedLayer(layer)
    times = timed.times
    model = try Model(
      isFirst ? Sequential(timed) : Sequential(Entrance(), timed), input: shape, capacity: batch,
      connections: layer.canBeSparse ? ["layer": connections] : [:])
    model.draw(seed: seed, initializer: Initializer(.glorotUniform))
    input = model.makeInput()
    gradient = Tensor(shape: model.outputShape, capacity: batch, lanes: model.lanes)
    input.fillAtRandom(seed: seed, number: 0)
    gradient.fillAtRandom(seed: seed, number: 1)
  }

  /// One step: the weights have changed, forward, backward.
  func run(_ pass: Pass) throws(RigLError) {
    model.weightsDidChange()
    if !isShown {
      // The layer's tensors now have the input and the gradient.
      _ = try model.forward(input, pass)
      try model.backward(gradient, pass)
      isShown = true
    }
    try times.run(pass)
  }
}

extension Tensor {
  /// Numbers in -1 ..< 1, the same for the same seed and number.
  func fillAtRandom(seed: UInt64, number: Int) {
    let random = CounterRandom(seed: seed, purpose: .synthetic, layer: number)
    for sample in 0..<samples {
      for index in 0..<shape.count {
        self[sample, index] = random.uniform(UInt64(sample * shape.count + index), in: -1..<1)
      }
    }
  }
}
