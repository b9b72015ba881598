/// Layers one after the other.
///
/// ReLU and dropout after a layer with a product become part of that layer's output step, so that
/// they cost no pass of their own.
public final class Sequential: Layer {
  /// The layers as given.
  public let layers: [any Layer]
  /// The layers that run: all but those that another applies.
  private var stages: [any Layer] = []

  /// Creates a layer of layers.
  public init(_ layers: [any Layer]) {
    self.layers = layers
  }

  /// Creates a layer of layers.
  public convenience init(_ layers: any Layer...) {
    self.init(layers)
  }

  /// All layers' parameters, in order.
  public var parameters: [Parameter] { layers.flatMap(\.parameters) }
  /// All layers' weight layers, in order.
  public var weightLayers: [any WeightLayer] { layers.flatMap(\.weightLayers) }

  /// Prepares the layers that run, in order.
  public func prepare(_ context: LayerContext) throws(RigLError) -> SampleShape {
    stages = []
    var shape = context.input
    for (place, layer) in fuse(context) {
      shape = try layer.prepare(
        LayerContext(
          input: shape, capacity: context.capacity, lanes: context.lanes,
          needsInputGradient: context.needsInputGradient || !stages.isEmpty,
          isTraining: context.isTraining, index: number(place, context),
          gradients: context.gradients))
      stages.append(layer)
    }
    return shape
  }

  /// The layers that run, with their places in ``layers``.
  private func fuse(_ context: LayerContext) -> [(place: Int, layer: any Layer)] {
    var stages: [(place: Int, layer: any Layer)] = []
    for (place, layer) in layers.enumerated() {
      if let elementwise = layer as? any ElementwiseLayer,
        let previous = stages.last?.layer as? any EpilogueLayer,
        elementwise.join(&previous.epilogue, index: number(place, context))
      {
        continue
      }
      stages.append((place, layer))
    }
    return stages
  }

  /// A layer's number in the network, different for every layer whether it is fused or not: the
  /// key of its random numbers. Counted from 1, so that the first layer of a sequence within a
  /// sequence does not share the outer first one's digit.
  private func number(_ place: Int, _ context: LayerContext) -> Int {
    precondition(place < 255, "Sequential: \(layers.count) layers, at most 255 in one sequence")
    return context.index * 256 + place + 1
  }

  /// Each layer's output is the next one's input.
  public func forward(_ input: Tensor, _ pass: Pass) throws(RigLError) -> Tensor {
    var activations = input
    // By index: without optimisation, iterating over an array allocates.
    for place in 0..<stages.count { activations = try stages[place].forward(activations, pass) }
    return activations
  }

  /// Each layer's input gradient is the output gradient of the one before.
  public func backward(_ outputGradient: Tensor, _ pass: Pass) throws(RigLError) -> Tensor? {
    var gradient: Tensor? = outputGradient
    var place = stages.count
    while place > 0 {
      place -= 1
      guard let current = gradient else { return nil }
      gradient = try stages[place].backward(current, pass)
    }
    return gradient
  }
}
