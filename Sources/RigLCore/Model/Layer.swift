/// What one pass over a batch needs to know besides the batch.
///
/// One value, made with the training, is updated from pass to pass.
public final class Pass {
  /// The threads that share the work.
  public let pool: ThreadPool
  /// The run's seed, one of the keys of every random number.
  public let seed: UInt64
  /// Whether dropout applies and gradients will be asked for.
  public var isTraining = false
  /// Batches drawn so far, this one included: the key of this pass's random numbers.
  public var batchesConsumed: UInt64 = 0
  /// Whether gradients add to those of the batches before (gradient accumulation).
  public var accumulatesGradients = false
  /// In a pass that moves connections instead of weights: told by each sparse layer when it has its
  /// input and the gradient of its output at hand, last layer first.
  weak var connectionMover: (any ConnectionMover)?

  /// Which part of its operands each thread has in its cache.
  let warmBands: WarmBands

  /// Creates a pass for a pool and a seed.
  public init(pool: ThreadPool, seed: UInt64) {
    self.pool = pool
    warmBands = WarmBands(threads: pool.threads)
    self.seed = seed
  }
}

/// What moves connections during a backward pass, while a layer's operands are at hand.
protocol ConnectionMover: AnyObject {
  /// Moves a layer's connections.
  func move(_ weights: SparseWeights, input: Tensor, outputGradient: Tensor) throws(RigLError)
}

/// What a layer is told before its first pass.
public struct LayerContext {
  /// The shape of one input sample.
  public let input: SampleShape
  /// The most samples in a batch.
  public let capacity: Int
  /// Samples in a group of the activations.
  public let lanes: Int
  /// Whether the gradient of the input will be asked for; not for a network's first layer.
  public let needsInputGradient: Bool
  /// Whether there will be training passes; without, no gradients are allocated.
  public let isTraining: Bool
  /// The layer's number in the network, a key of its random numbers.
  public let index: Int
  /// The shared memory of gradients: a layer writes its input's gradient into the one that does
  /// not hold its output's.
  let gradients: GradientMemory

  /// A tensor for the layer's output, of `shape`.
  public func makeOutput(_ shape: SampleShape) -> Tensor {
    Tensor(shape: shape, capacity: capacity, lanes: lanes)
  }

  /// A tensor for the gradient of the layer's input, in the shared memory; nil if it is not needed.
  public func makeInputGradient() -> Tensor? {
    guard isTraining, needsInputGradient else { return nil }
    return Tensor(shape: input, capacity: capacity, lanes: lanes, storage: gradients.next())
  }
}

/// One step of a network, with its parameters, output and gradients.
///
/// An own layer is these members: allocate in `prepare`, allocate nothing afterwards.
public protocol Layer: AnyObject {
  /// Checks the input's shape, allocates, and says the shape of the output.
  func prepare(_ context: LayerContext) throws(RigLError) -> SampleShape
  /// The layer's output for a batch; it stays valid until the next call.
  func forward(_ input: Tensor, _ pass: Pass) throws(RigLError) -> Tensor
  /// The gradient of the input, from that of the output of the last forward pass, which may be
  /// overwritten; the parameters' gradients on the way. Nil if no input gradient is needed.
  func backward(_ outputGradient: Tensor, _ pass: Pass) throws(RigLError) -> Tensor?
  /// What the optimizer changes, in a fixed order.
  var parameters: [Parameter] { get }
  /// The layers whose connections can be sparse, in order, itself included.
  var weightLayers: [any WeightLayer] { get }
}

extension Layer {
  /// No parameters, unless the layer says otherwise.
  public var parameters: [Parameter] { [] }
  /// No weights, unless the layer says otherwise.
  public var weightLayers: [any WeightLayer] { [] }
}

/// A layer with a weight matrix: one that a sparsity distribution, an initializer and the
/// accounting see.
public protocol WeightLayer: Layer {
  /// The name in files, reports and per-layer settings.
  var name: String { get }
  /// Inputs of an output: columns of the weight.
  var inputs: Int { get }
  /// Outputs: rows of the weight.
  var outputs: Int { get }
  /// Whether a sparsity distribution may leave out positions.
  var canBeSparse: Bool { get }
  /// The weight.
  var weight: Parameter { get }
  /// The bias, one for each output.
  var bias: Parameter? { get }
  /// The connections; nil if the layer stores every weight.
  var connections: SparseWeights? { get }
  /// Makes room for `count` connections, for activations in groups of `lanes`.
  func makeConnections(_ count: Int, lanes: Int) throws(RigLError)
}

/// A layer that applies the elementwise layers after it together with its own product, while the
/// values are in the cache.
protocol EpilogueLayer: Layer {
  var epilogue: Epilogue { get set }
}

/// A layer that can be an ``EpilogueLayer``'s epilogue.
protocol ElementwiseLayer: Layer {
  /// Adds itself to an epilogue, or refuses because the order would not be the epilogue's.
  func join(_ epilogue: inout Epilogue, index: Int) -> Bool
}
