/// A network of the layers that a type describes.
///
/// An own network is one method:
///
///     struct Wide: Network {
///       func layers(input: SampleShape, classes: Int) -> Sequential {
///         Sequential(
///           SparseLinear("hidden", inputs: input.count, outputs: 512), ReLU(),
///           SparseLinear("output", inputs: 512, outputs: classes))
///       }
///     }
public protocol Network: Sendable {
  /// New layers for samples of a shape and a number of classes; the last one's outputs are the
  /// logits.
  func layers(input: SampleShape, classes: Int) -> Sequential
}

/// Layers that are ready to work: connections drawn, weights initialised, activations allocated.
public final class Model {
  /// The layers.
  package let layers: Sequential
  /// The shape of an input sample.
  public let inputShape: SampleShape
  /// The shape of an output sample: logits, as a rule.
  public let outputShape: SampleShape
  /// The number of logits.
  package var outputs: Int { outputShape.count }
  /// The most samples in a batch.
  public let capacity: Int
  /// Samples in a group of the activations (L).
  public let lanes: Int
  /// The strips that a single image is cut into, one a lane; 1: lanes are samples.
  package let strips: Int
  /// The image in strips.
  private let cutInput: Tensor?
  private let isTraining: Bool
  /// The weights of each layer that has some, in order.
  public let weightLayers: [LayerWeights]
  /// The connections of the layers that do not have all of them, in order.
  public let sparseLayers: [SparseWeights]
  /// The stages that run.
  let plan: Plan
  /// What the layers do to channels.
  let channelFlow: ChannelFlow
  /// Samples of a step, where a batch is a window of streams: see ``init``; nil: it is one step.
  package let streams: Int?
  /// What the recurrent layers carry from one window to the next, in order; without streams none.
  package let states: [RecurrentState]
  /// Whether batch-norm is in the weights: they are then not those of a file; see
  /// ``foldBatchNorms()``.
  package private(set) var isFolded = false
  /// The batch-norms, in order.
  package var normalizations: [Normalization] { plan.norms }
  /// The parameters that an optimizer changes, in the order of the layers.
  public let parameters: [Parameter]
  /// The running averages, which training changes without an optimizer, in the order of the layers.
  package let averages: [RunningAverage]

  /// Makes room for a model; its topology and weights are drawn, set or read afterwards.
  ///
  /// - Parameters:
  ///   - layers: new layers, used by no other model.
  ///   - input: the shape of a sample.
  ///   - capacity: the most samples in a batch.
  ///   - connections: how many each weight layer has, by name; a layer not named has all.
  ///   - variable: names of the layers whose number of connections topology updates may change.
  ///   - storageBelow: the density below which these are stored sparsely: above it dense sums are
  ///     quicker.
  ///   - isTraining: whether there will be training passes.
  ///   - usesStrips: whether a model for single samples (`capacity` 1, no training) may cut images
  ///     into strips, so that no lane is idle. Its layers' ``LayerWeights/accounted`` is then a
  ///     strip's.
  ///   - streams: how many sequences a batch is a window of, a multiple of 8: sample t · streams + s is
  ///     step t of sequence s, and recurrent layers carry their states from one window to the next. Nil: a
  ///     batch is one step of as many sequences as it has samples, and nothing is carried.
  /// - Throws: `RigLError` if shapes do not fit together, two layers have the same name, or
  ///   connections are asked for that no layer can have, or if `CSK_ISA` in the environment names no
  ///   instruction set that this machine runs.
  public init(
    _ layers: Sequential, input: SampleShape, capacity: Int, connections: [String: Int] = [:],
    variable: Set<String> = [], storageBelow: Double = 0.75, isTraining: Bool = true,
    usesStrips: Bool = false, streams: Int? = nil
  ) throws(RigLError) {
    try requireInstructionSet()
    guard capacity > 0 else {
      throw RigLError(
        .configuration, "a model for batches of \(capacity) samples; at least one is needed")
    }
    trap(
      unless: !usesStrips || (capacity == 1 && !isTraining), "Model: strips are for single samples")
    self.isTraining = isTraining
    self.layers = layers
    // Networks of vectors take an image as one vector.
    inputShape = layers.takesPlanes ? input : SampleShape(channels: input.count)
    self.capacity = capacity
    try Model.check(streams, capacity: capacity, takesPlanes: layers.takesPlanes)
    self.streams = streams
    lanes =
      layers.takesPlanes
      ? BandGeometry.lanes
      : streams.map { Tensor.lanes(forStreams: $0) } ?? Tensor.lanes(forBatch: capacity)
    outputShape = try layers.outputShape(of: inputShape)
    strips = usesStrips ? layers.strips(of: inputShape) : 1
    let layerInput = inputShape.strip(of: strips)
    let described = layers.weightLayers
    try Model.check(connections, of: described)
    try Model.check(variable, of: described)
    try Model.checkMemory(
      try layers.accounted(input: inputShape), connections, input: inputShape,
      kept: isTraining ? try layers.keptValues(input: inputShape) : 0, capacity: capacity,
      isTraining: isTraining)
    try Model.requireOwnNames(described)
    plan = try Plan(
      layers, input: layerInput, capacity: capacity * strips, lanes: lanes, strips: strips,
      connections: connections, variable: (variable, storageBelow), streams: streams,
      isTraining: isTraining)
    states = plan.stages.compactMap { ($0 as? any RecurrentStage)?.state }
    channelFlow = try ChannelFlow(layers, input: inputShape, plan)
    cutInput =
      strips == 1
      ? nil
      : Tensor(shape: layerInput, capacity: strips, lanes: lanes, storage: nil, strips: strips)
    weightLayers = plan.weights
    sparseLayers = weightLayers.compactMap(\.connections)
    averages = plan.averages
    parameters = plan.parameters
  }

  /// Throws where a batch cannot be a window of streams.
  private static func check(
    _ streams: Int?, capacity: Int, takesPlanes: Bool
  ) throws(RigLError) {
    guard let streams else { return }
    guard streams > 0, streams % 8 == 0, capacity % streams == 0, !takesPlanes else {
      throw RigLError(
        .configuration,
        "a model for windows of \(streams) streams, in batches of \(capacity) "
          + (takesPlanes ? "images" : "samples"),
        hint:
          "Streams are a multiple of 8, a batch has all of them at each step, and layers work on "
          + "vectors.")
    }
  }

  /// Throws a configuration error where two layers have one name.
  static func requireOwnNames(_ layers: [any WeightLayer]) throws(RigLError) {
    var names = Set<String>()
    for layer in layers where !names.insert(layer.name).inserted {
      throw RigLError(.configuration, "two layers are called \(layer.name)")
    }
  }

  /// Throws where connections are asked for of a layer that there is not, or that cannot have them.
  private static func check(
    _ connections: [String: Int], of layers: [any WeightLayer]
  ) throws(RigLError) {
    let names = layers.map(\.name)
    let unknown = connections.keys.filter { !names.contains($0) }.sorted()
    guard unknown.isEmpty else {
      throw .unknownNames(unknown, kind: "layer", in: "a model's connections", valid: names)
    }
    for layer in layers {
      guard let count = connections[layer.name] else { continue }
      let positions = layer.inputs * layer.outputs
      guard (0...positions).contains(count) else {
        throw RigLError(
          .configuration, "layer \(layer.name): \(count) connections, expected 0...\(positions)",
          hint: "It has \(layer.inputs) inputs and \(layer.outputs) outputs.")
      }
      guard count == positions || layer.canBeSparse else {
        throw RigLError(
          .configuration,
          "layer \(layer.name): \(count) connections; it cannot be sparse, and has \(positions)",
          hint: "Leave it out.")
      }
    }
  }

  /// Throws where the number of connections is to change of a layer that there is not, or that cannot be
  /// sparse.
  private static func check(
    _ variable: Set<String>, of layers: [any WeightLayer]
  ) throws(RigLError) {
    let names = layers.filter(\.canBeSparse).map(\.name)
    let unknown = variable.subtracting(names).sorted()
    guard unknown.isEmpty else {
      throw .unknownNames(unknown, kind: "layer", in: "a model's variable layers", valid: names)
    }
  }

  /// Throws where a network is certain not to fit into the machine, before the system ends the
  /// process for it: counts only what inputs, weights, topology and outputs take at the least.
  private static func checkMemory(
    _ layers: [AccountedLayer], _ connections: [String: Int], input: SampleShape, kept: Int,
    capacity: Int, isTraining: Bool
  ) throws(RigLError) {
    var (needed, outputs, largest) = (0.0, 0.0, 0.0)
    for layer in layers {
      let positions = layer.positions
      let count = connections[layer.name] ?? positions
      // Weight and gradient; in a sparse layer also the column, and both lists.
      needed += Double(count) * (count == positions ? 8 : 32)
      let pixels = Double(layer.outputHeight) * Double(layer.outputWidth)
      outputs += Double(layer.outputs) * pixels
      largest = max(largest, Double(layer.outputs) * pixels)
    }
    // Without training, layers take turns with the memory of outputs.
    let values = Double(input.count + kept) + (isTraining ? outputs : largest)
    try requireMemory(needed + Double(capacity) * values * 4, for: "the network")
  }

  /// Draws every layer's connections uniformly without replacement, never building a dense mask,
  /// and then the weights.
  public func draw(seed: UInt64, initializer: Initializer) {
    drawPositions(seed: seed, purpose: .topology)
    drawWeights(seed: seed, purpose: .weights, initializer: initializer)
  }

  /// Draws the positions of every sparse layer's connections, as many as it has; the weights are the
  /// caller's to set.
  func drawPositions(seed: UInt64, purpose: CounterRandom.Purpose) {
    let scratch = TopologyScratch(layers: sparseLayers)
    for (index, layer) in weightLayers.enumerated() {
      guard let connections = layer.connections else { continue }
      let random = CounterRandom(seed: seed, purpose: purpose, layer: index)
      let positions = AlignedBuffer<Int64>(count: connections.count)
      let elements = unsafe UnsafeMutableBufferPointer(
        start: positions.base, count: positions.count)
      var chosen = unsafe MutableSpan(_unsafeElements: elements)
      random.sampleWithoutReplacement(of: Int64(connections.positions), into: &chosen)
      unsafe connections.assign(ascending: UnsafeBufferPointer(elements), scratch: scratch)
    }
    weightsDidChange()
  }

  /// Draws the weights of all layers, at the connections that there are.
  func drawWeights(seed: UInt64, purpose: CounterRandom.Purpose, initializer: Initializer) {
    for (index, layer) in weightLayers.enumerated() {
      initializer.initialize(
        layer, random: CounterRandom(seed: seed, purpose: purpose, layer: index))
    }
    weightsDidChange()
  }

  /// The logits of a batch.
  ///
  /// - Throws: `RigLError(.data)` for a tensor of another shape than ``makeInput()`` makes;
  ///   `.configuration` while a sparse layer has no connections yet.
  public func forward(_ input: Tensor, _ pass: Pass) throws(RigLError) -> Tensor {
    guard input.shape == inputShape, input.lanes == lanes, input.samples <= capacity else {
      throw RigLError(
        .data,
        "\(input.samples) samples of shape \(input.shape.written), in groups of \(input.lanes); the "
          + "network takes \(capacity) of \(inputShape.written), in groups of \(lanes)",
        hint: "Make batches for the model that takes them: Batch(for:), makeInput().")
    }
    if let streams, input.samples % streams != 0 {
      throw RigLError(
        .data, "\(input.samples) samples are not whole steps of \(streams) streams",
        hint: "A batch has a sample of every stream at each step.")
    }
    trap(unless: isTraining || !pass.isTraining, "Model: a training pass of a model for prediction")
    try requireConnections()
    if let cutInput { input.cut(into: cutInput) }
    plan.input.show(cutInput ?? input)
    try plan.forward(pass)
    return plan.output
  }

  /// Throws a configuration error while a sparse layer's connections were neither drawn, nor set, nor
  /// read.
  func requireConnections() throws(RigLError) {
    for index in 0..<sparseLayers.count where !sparseLayers[index].hasConnections {
      throw RigLError(
        .configuration,
        "layer \(sparseLayers[index].name) has no connections yet: draw(seed:initializer:), "
          + "setConnections or load", hint: "Call one of them once, after the model is made.")
    }
  }

  /// Multiplies batch-norm into the weights of the convolutions that directly feed it, once the
  /// weights are there: results differ by rounding.
  ///
  /// The model's parameters are then no longer those that were trained: only for prediction. They
  /// can be neither exported nor read again.
  package func foldBatchNorms() {
    trap(unless: !isTraining, "foldBatchNorms: the model is made for training")
    isFolded = true
    plan.foldBatchNorms()
    weightsDidChange()
  }

  /// The parameters' gradients, from that of the logits.
  public func backward(_ outputGradient: Tensor, _ pass: Pass) throws(RigLError) {
    try backward(outputGradient, pass) { _ in }
  }

  /// The same; `visit` is called with each layer whose connections can move, last
  /// layer first, when its gradient is complete.
  package func backward(
    _ outputGradient: Tensor, _ pass: Pass,
    visit: (any GradientSource) throws(RigLError) -> Void
  ) throws(RigLError) {
    plan.outputGradient.show(outputGradient)
    try plan.backward(pass, visit)
  }

  /// Says that the weights have changed; whoever changes them must say so.
  public func weightsDidChange() {
    for index in 0..<plan.stages.count { plan.stages[index].weightsDidChange() }
  }

  /// Connections of all weight layers.
  public var connections: Int { weightLayers.reduce(0) { $0 + $1.count } }

  /// A tensor for a batch of inputs.
  public func makeInput() -> Tensor {
    Tensor(shape: inputShape, capacity: capacity, lanes: lanes)
  }
}
