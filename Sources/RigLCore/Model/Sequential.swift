/// Layers one after the other.
///
/// ReLU and dropout after a layer with a product become part of that layer's output step, so that
/// they cost no pass of their own.
public final class Sequential: Layer {
  /// The layers as given.
  public let layers: [any Layer]
  /// The layers that run: all but those that another applies.
  private(set) var stages: [any Layer] = []

  /// Creates a layer of layers.
  public init(_ layers: [any Layer]) {
    self.layers = layers
  }

  /// Creates a layer of layers.
  public convenience init(_ layers: any Layer...) {
    self.init(layers)
  }

  /// What is applied to the input before the first layer: of a branch of a residual block.
  private var leadingPrologue = Prologue()
  /// Whether a batch-norm at the end is left to a residual block to apply.
  private var leavesTrailingNorm = false
  /// Whether the layers are a branch: all gradients but the input's lie in the inner memory.
  private var isBranch = false
  /// The batch-norm at the end, if it is left to a residual block.
  private(set) var trailingNorm: BatchNorm?

  /// All layers' parameters, in order.
  public var parameters: [Parameter] { layers.flatMap(\.parameters) }
  /// All layers' weight layers, in order.
  public var weightLayers: [any WeightLayer] { layers.flatMap(\.weightLayers) }
  /// All layers' averages, in order.
  public var averages: [RunningAverage] { layers.flatMap(\.averages) }
  /// Whether any layer does.
  public var takesPlanes: Bool { layers.contains { $0.takesPlanes } }
  /// The first and last layer that run.
  var firstStage: (any Layer)? { stages.first }
  var lastStage: (any Layer)? { stages.last }

  /// The last layer's.
  public func outputShape(of input: SampleShape) throws(RigLError) -> SampleShape {
    var shape = input
    for layer in layers { shape = try layer.outputShape(of: shape) }
    return shape
  }

  /// Makes the layers a branch of a residual block, before they are prepared.
  func begin(with prologue: Prologue, keepsTrailingNorm: Bool) {
    leadingPrologue = prologue
    leavesTrailingNorm = keepsTrailingNorm
    isBranch = true
  }

  /// Prepares the layers that run, in order.
  public func prepare(_ context: LayerContext) throws(RigLError) -> SampleShape {
    stages = []
    var shape = context.input
    var stager = Stager(prologue: leadingPrologue, leavesTrailingNorm: leavesTrailingNorm)
    for (place, layer) in layers.enumerated() {
      // Every layer's, whether it is fused or not.
      try stager.add(layer, index: context.numbers.number(ofPart: place + 1, of: context.index))
    }
    trailingNorm = stager.finish()
    var isWhole = context.strips == 1
    for (layer, index) in stager.stages {
      // The block takes a single turn for the output of its branch, and still needs its own input.
      let isOutput =
        stages.count + 1 == stager.stages.count && !(layer is Sequential || layer is Residual)
      shape = try layer.prepare(
        LayerContext(
          input: shape, capacity: isWhole && context.strips > 1 ? 1 : context.capacity,
          lanes: context.lanes,
          needsInputGradient: context.needsInputGradient || !stages.isEmpty,
          isTraining: context.isTraining, index: index, strips: isWhole ? 1 : context.strips,
          gradients: isBranch && !stages.isEmpty ? context.gradients.inner : context.gradients,
          outputs: isBranch && !isOutput ? context.outputs.inner : context.outputs,
          numbers: context.numbers))
      if let layer = layer as? any StripLayer, layer.gathersStrips { isWhole = true }
      stages.append(layer)
    }
    return shape
  }

  /// Each layer's output is the next one's input.
  public func forward(_ input: Tensor, _ pass: Pass) throws(RigLError) -> Tensor {
    var activations = input
    // By index: without optimisation, iterating over an array allocates.
    for place in 0..<stages.count {
      pass.pool.clock?.enter(stages[place], isForward: true)
      activations = try stages[place].forward(activations, pass)
    }
    return activations
  }

  /// Each layer's input gradient is the output gradient of the one before.
  public func backward(_ outputGradient: Tensor, _ pass: Pass) throws(RigLError) -> Tensor? {
    var gradient: Tensor? = outputGradient
    var place = stages.count
    while place > 0 {
      place -= 1
      guard let current = gradient else { return nil }
      pass.pool.clock?.enter(stages[place], isForward: false)
      gradient = try stages[place].backward(current, pass)
    }
    return gradient
  }
}
