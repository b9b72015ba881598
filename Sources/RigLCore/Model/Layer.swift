/// What one pass over a batch needs to know besides the batch.
///
/// One value, made with the training, is updated from pass to pass.
@safe
public final class Pass {
  /// The threads that share the work.
  public let pool: ThreadPool
  /// The run's seed, one of the keys of every random number.
  public let seed: UInt64
  /// Whether dropout applies and gradients will be asked for.
  public var isTraining = false
  /// Batches drawn so far, this one included: the key of this pass's random numbers.
  public var batchesConsumed: UInt64 = 0
  /// The number of each sample of the batch that keys its random numbers, for whole groups; nil:
  /// its place. Set where samples were left out.
  var places: UnsafePointer<Int32>?
  /// Whether gradients add to those of the batches before (gradient accumulation).
  public var accumulatesGradients = false
  /// In a pass that moves connections instead of weights: told by each sparse layer when it has its
  /// input and the gradient of its output at hand, last layer first.
  weak var connectionMover: (any ConnectionMover)?

  /// Which part of its operands each thread has in its cache.
  let warmBands: WarmBands
  /// Each thread's scratch for bands of planes.
  private var scratches: [AlignedBufferBox] = []

  /// Creates a pass for a pool and a seed.
  public init(pool: ThreadPool, seed: UInt64) {
    self.pool = pool
    warmBands = WarmBands(threads: pool.threads)
    self.seed = seed
    scratches = (0..<pool.threads).map { _ in AlignedBufferBox() }
  }

  /// Makes room for `count` floats of scratch a thread: in the first pass, and never again.
  func reserveScratch(_ count: Int) {
    for index in 0..<scratches.count { scratches[index].reserve(count) }
  }

  /// A thread's scratch.
  func scratch(of worker: Int) -> UnsafeMutablePointer<Float> {
    unsafe scratches[worker].buffer.base
  }

  private final class AlignedBufferBox {
    private(set) var buffer = AlignedBuffer<Float>(count: 0)

    func reserve(_ count: Int) {
      if buffer.count < count { buffer = AlignedBuffer(count: count) }
    }
  }
}

/// What moves connections during a backward pass, while a layer's operands are at hand.
protocol ConnectionMover: AnyObject {
  /// Moves a layer's connections.
  func move(_ weights: SparseWeights, _ operands: GradientOperands) throws(RigLError)
}

/// What a layer's dense gradient is made of.
struct GradientOperands {
  let input: Tensor
  /// The gradient of the output; of a convolution's as it arrives, see ``PlaneWriter/foldsNorm``.
  let outputGradient: Tensor
  /// The convolution between them; nil: a linear layer.
  var convolution: PlaneConvolution?
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
  /// The strips that a single image is cut into; 1: lanes are samples. See ``StripLayer``.
  let strips: Int
  /// The shared memory of gradients: a layer writes its input's gradient into the one that does
  /// not hold its output's.
  let gradients: TurnMemory
  /// That of outputs, likewise, where nothing will be trained.
  let outputs: TurnMemory
  /// What gives layers their numbers.
  let numbers: LayerNumbers

  /// The context of a residual block's branch: its main one, or the shortcut.
  func branch(_ number: Int, isShortcut: Bool, needsInputGradient: Bool) -> LayerContext {
    LayerContext(
      input: input, capacity: capacity, lanes: lanes, needsInputGradient: needsInputGradient,
      isTraining: isTraining, index: numbers.number(ofPart: number, of: index), strips: strips,
      gradients: isShortcut ? gradients.side : gradients,
      outputs: isShortcut ? outputs.side : outputs, numbers: numbers)
  }

  /// A tensor for the layer's output, of `shape`.
  public func makeOutput(_ shape: SampleShape) -> Tensor {
    Tensor(shape: shape, capacity: capacity, lanes: lanes, storage: nil, strips: strips)
  }

  /// A tensor for an output on planes: in the shared memory, if nobody will ask for it again.
  func makePlanes(_ shape: SampleShape) -> Tensor {
    Tensor(
      shape: shape, capacity: capacity, lanes: lanes,
      storage: isTraining ? nil : outputs.next(), strips: strips)
  }

  /// A tensor for the gradient of the layer's input, in the shared memory; nil if it is not needed.
  public func makeInputGradient() -> Tensor? { makeInputGradient(evenIfFirst: false) }

  /// The same; `evenIfFirst`: also where only the layer itself needs it.
  func makeInputGradient(evenIfFirst: Bool) -> Tensor? {
    guard isTraining, needsInputGradient || evenIfFirst else { return nil }
    return Tensor(shape: input, capacity: capacity, lanes: lanes, storage: gradients.next())
  }
}

/// One step of a network, with its parameters, output and gradients.
///
/// An own layer is these members: allocate in `prepare`, allocate nothing afterwards.
public protocol Layer: AnyObject {
  /// Whether the layer works on images, and the network's input must therefore not be taken as one
  /// long vector.
  var takesPlanes: Bool { get }
  /// The shape of the output for an input of some shape; asked before ``prepare(_:)``, so that a
  /// network can be counted without being made. By default the input's.
  func outputShape(of input: SampleShape) throws(RigLError) -> SampleShape
  /// Checks the input's shape, allocates, and says the shape of the output.
  func prepare(_ context: LayerContext) throws(RigLError) -> SampleShape
  /// The layer's output for a batch; it stays valid until the next call, in a model for prediction
  /// until the layer after the next one runs.
  func forward(_ input: Tensor, _ pass: Pass) throws(RigLError) -> Tensor
  /// The gradient of the input, from that of the output of the last forward pass, which may be
  /// overwritten; the parameters' gradients on the way. Nil if no input gradient is needed.
  func backward(_ outputGradient: Tensor, _ pass: Pass) throws(RigLError) -> Tensor?
  /// What the optimizer changes, in a fixed order.
  var parameters: [Parameter] { get }
  /// The layers whose connections can be sparse, in order, itself included.
  var weightLayers: [any WeightLayer] { get }
  /// What training changes without an optimizer, in a fixed order: saved with the parameters.
  var averages: [RunningAverage] { get }
}

extension Layer {
  /// Vectors, unless the layer says otherwise.
  public var takesPlanes: Bool { false }
  /// The input's shape, unless the layer says otherwise.
  public func outputShape(of input: SampleShape) throws(RigLError) -> SampleShape { input }
  /// None, unless the layer says otherwise.
  public var averages: [RunningAverage] { [] }
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
  /// Inputs of an output: columns of the weight. Of a convolution, channels · k².
  var inputs: Int { get }
  /// Outputs: rows of the weight.
  var outputs: Int { get }
  /// The weight's dense shape: (out, in), or (out, in, k, k) of a convolution.
  var shape: [Int] { get }
  /// Outputs that an input contributes to: outputs, times k² of a convolution.
  var fanOut: Int { get }
  /// The layer as the accounting sees it, with every position active.
  var accounted: AccountedLayer { get }
  /// Whether a sparsity distribution may leave out positions.
  var canBeSparse: Bool { get }
  /// The weight.
  var weight: Parameter { get }
  /// Where the weight at a position (row-major in ``shape``) is among ``weight``'s values, of a layer
  /// that stores every weight.
  func place(of position: Int) -> Int
  /// The bias, one for each output.
  var bias: Parameter? { get }
  /// The connections; nil if the layer stores every weight.
  var connections: SparseWeights? { get }
  /// Makes room for `count` connections, for activations in groups of `lanes`; called after
  /// ``Layer/outputShape(of:)``.
  func makeConnections(_ count: Int, lanes: Int) throws(RigLError)
}

extension WeightLayer {
  /// In order.
  public func place(of position: Int) -> Int { position }
  /// (out, in).
  public var shape: [Int] { [outputs, inputs] }
  /// The outputs.
  public var fanOut: Int { outputs }
  /// A linear layer.
  public var accounted: AccountedLayer {
    .linear(name, inputs: inputs, outputs: outputs, hasBias: bias != nil)
  }
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
