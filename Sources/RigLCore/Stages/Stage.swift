/// One operation of a network as it runs: made with all its tensors, and allocating nothing
/// afterwards.
///
/// A forward pass reads ``StageSite/input`` and writes ``StageSite/output``; a backward pass reads
/// ``StageSite/outputGradient`` and writes ``StageSite/inputGradient``, and the gradients of the
/// parameters. Each tensor's `samples` is set by the stage that writes it.
public protocol Stage: AnyObject {
  /// The weights, if there are any.
  var weights: LayerWeights? { get }
  /// The parameters that the optimizer changes, in a fixed order: by default those of the weights.
  var parameters: [Parameter] { get }
  /// The running averages, which training changes without an optimizer: saved with the parameters.
  var averages: [RunningAverage] { get }
  /// The output for a batch.
  func forward(_ pass: Pass) throws(RigLError)
  /// The gradient of the input, from that of the output of the last forward pass; the parameters'
  /// gradients on the way.
  func backward(_ pass: Pass) throws(RigLError)
  /// Called when the weights have changed.
  func weightsDidChange()
  /// Who writes the dense gradient after a backward pass, for connections to grow by; nil if none can
  /// move.
  var gradientSource: (any GradientSource)? { get }
  /// The kinds of work that the stage's passes begin with.
  var timing: StageTiming { get }
  /// The least work of each kind in a step; none where there is nothing to say.
  func work(_ counts: StepCounts) -> [StepStage: StageWork]
}

extension Stage {
  /// None, unless the stage says otherwise.
  public var weights: LayerWeights? { nil }
  /// Those of the weights, unless the stage says otherwise.
  public var parameters: [Parameter] { weights?.parameters ?? [] }
  /// None, unless the stage says otherwise.
  public var averages: [RunningAverage] { [] }
  /// Nothing, unless the stage says otherwise.
  public func weightsDidChange() {}
  /// Nil, unless the stage says otherwise.
  public var gradientSource: (any GradientSource)? { nil }
  /// Other work, unless the stage says otherwise.
  public var timing: StageTiming { StageTiming(.other) }
  /// None, unless the stage says otherwise.
  public func work(_ counts: StepCounts) -> [StepStage: StageWork] { [:] }
}

/// The kinds of work that a stage's passes begin with; it says itself when it comes to others.
public struct StageTiming: Sendable {
  /// In a forward pass.
  package let forward: StepStage
  /// In a backward pass.
  package let backward: StepStage

  /// Timing of both passes; a single kind stands for both.
  public init(_ forward: StepStage, _ backward: StepStage? = nil) {
    (self.forward, self.backward) = (forward, backward ?? forward)
  }
}

/// The place of a stage: its tensors, and the work of neighbouring layers that it applies.
///
/// A stage that works with another one, as an own layer may with a ``SparseProduct``, hands it a copy
/// with tensors of its own between the two.
public struct StageSite {
  /// The layer's number in the network, a key of its random numbers.
  public let number: Int
  /// The input.
  public var input: Tensor
  /// The shape that the network gives the layer, whatever ``input`` is now.
  let layerInput: SampleShape
  /// The output.
  public var output: Tensor {
    didSet { if output !== oldValue { epilogue.follow(output) } }
  }
  /// The gradient of the output; of no samples in a model for prediction.
  public var outputGradient: Tensor
  /// The gradient of the input; nil where nobody asks for it: a network's first layer, a model for
  /// prediction. The same as ``outputGradient`` of a layer that works in place.
  public var inputGradient: Tensor?
  /// Whether there will be training passes.
  public let isTraining: Bool
  /// How many connections the layer's weight has; nil without one.
  public let connections: Int?
  /// The density below which they are stored sparsely, where their number will change.
  let storageBelow: Double?
  /// Whether their number will change.
  package var isVariable: Bool { storageBelow != nil }
  /// Activation and dropout, to be applied to the output; nothing unless the layer's ``Layer/fusing``
  /// offers it.
  public internal(set) var epilogue = Epilogue()
  /// The batch-norm and activation that the input is read through.
  var prologue = Prologue()
  /// Whether another reader of the same input applies the prologue's gradient to the sum.
  var leavesPrologue = false
  /// The batch-norm whose statistics are those of the output.
  var outputNorm: Normalization?
  /// Whether the gradient of the output arrives as that of `outputNorm`'s result.
  var takesNormGradient = false
  /// The tensor added to the output as it is written: a residual block's shortcut; nil: none.
  var addend: Tensor?
  /// The tensor added to the input's gradient as it is written: a shortcut's; nil: none.
  var gradientAddend: Tensor?
  /// Memory for the sums of parts of a gradient, shared by all stages of a model.
  let parts: SharedMemory
  /// Samples of a step, where a batch is a window of streams; nil: it is one step.
  let streams: Int?
  /// The weights of another layer that the layer shares.
  var sharedWeights: LayerWeights?

  /// The most samples in a batch; of a single image in strips, the strips.
  public var capacity: Int { input.capacity }
  /// Samples in a group of the activations.
  public var lanes: Int { input.lanes }
}

/// A stage that keeps its place and works on the tensors there.
protocol PlacedStage: Stage {
  var site: StageSite { get }
}

extension PlacedStage {
  var input: Tensor { site.input }
  var output: Tensor { site.output }
  var outputGradient: Tensor { site.outputGradient }
  var inputGradient: Tensor? { site.inputGradient }
  var epilogue: Epilogue { site.epilogue }
  var prologue: Prologue { site.prologue }
  var outputNorm: Normalization? { site.outputNorm }
  var takesNormGradient: Bool { site.takesNormGradient }
  var isTraining: Bool { site.isTraining }
}

/// A layer's weights as they are in a model: what is drawn, trained, moved, saved and counted.
public final class LayerWeights {
  /// The layer.
  package let layer: any WeightLayer
  /// The layer as the accounting sees it, with every position active.
  public let accounted: AccountedLayer
  /// The weight: every position's, or the connections'.
  public let weight: Parameter
  /// The bias, one for each output.
  public let bias: Parameter?
  /// The connections; nil if every weight is stored.
  public let connections: SparseWeights?
  /// Whether a layer after this one shares the weight: its backward pass begins the gradient.
  var isShared = false
  /// Where the weight at a position is among the stored ones; nil: there.
  private let order: (@Sendable (Int) -> Int)?

  /// Weights of which every position is stored, in the order of positions.
  public convenience init(
    _ layer: any WeightLayer, input: SampleShape, weight: Parameter, bias: Parameter?
  ) {
    trap(
      unless: weight.count == layer.inputs * layer.outputs && weight.shape == layer.shape,
      "layer \(layer.name): a weight of \(weight.count) values and shape \(weight.shape), expected "
        + "\(layer.inputs * layer.outputs) and \(layer.shape)")
    self.init(layer, input: input, weight: weight, bias: bias, connections: nil)
  }

  /// Weights of connections, or weights that are stored in the order of positions or as `order` says.
  init(
    _ layer: any WeightLayer, input: SampleShape, weight: Parameter, bias: Parameter?,
    connections: SparseWeights?, order: (@Sendable (Int) -> Int)? = nil
  ) {
    self.layer = layer
    accounted = layer.accounted(of: input)
    self.weight = weight
    self.bias = bias
    self.connections = connections
    self.order = order
  }

  /// The name in files, reports and per-layer settings.
  public var name: String { layer.name }
  /// Inputs of an output: columns of the weight.
  package var inputs: Int { layer.inputs }
  /// Outputs: rows of the weight.
  package var outputs: Int { layer.outputs }
  /// The weight's dense shape.
  public var shape: [Int] { layer.shape }
  /// Outputs that an input contributes to.
  package var fanOut: Int { layer.fanOut }
  /// Whether a sparsity distribution may leave out positions.
  package var canBeSparse: Bool { layer.canBeSparse }
  /// The weight, then the bias.
  package var parameters: [Parameter] { [weight] + (bias.map { [$0] } ?? []) }

  /// How many of the positions have a weight (n_l).
  public var count: Int { connections?.count ?? weight.count }
  /// Whether only connections are stored.
  package var isStoredSparse: Bool { connections?.storage == .sparse }

  /// Where the weight at a position (row-major in ``shape``) is among ``weight``'s values, of a layer
  /// that stores every weight.
  package func place(of position: Int) -> Int { order?(position) ?? position }
}
