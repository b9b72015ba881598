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
    stages = fuse(context)
    var shape = context.input
    for (index, stage) in stages.enumerated() {
      shape = try stage.prepare(
        LayerContext(
          input: shape, capacity: context.capacity, lanes: context.lanes,
          needsInputGradient: context.needsInputGradient || index > 0,
          isTraining: context.isTraining, index: context.index * 256 + index,
          gradients: context.gradients))
    }
    return shape
  }

  private func fuse(_ context: LayerContext) -> [any Layer] {
    var stages: [any Layer] = []
    for (index, layer) in layers.enumerated() {
      if let elementwise = layer as? any ElementwiseLayer,
        let previous = stages.last as? any EpilogueLayer,
        elementwise.join(&previous.epilogue, index: context.index * 256 + index)
      {
        continue
      }
      stages.append(layer)
    }
    return stages
  }

  /// Each layer's output is the next one's input.
  public func forward(_ input: Tensor, _ pass: Pass) throws(RigLError) -> Tensor {
    var activations = input
    for stage in stages { activations = try stage.forward(activations, pass) }
    return activations
  }

  /// Each layer's input gradient is the output gradient of the one before.
  public func backward(_ outputGradient: Tensor, _ pass: Pass) throws(RigLError) -> Tensor? {
    var gradient: Tensor? = outputGradient
    for stage in stages.reversed() {
      guard let current = gradient else { return nil }
      gradient = try stage.backward(current, pass)
    }
    return gradient
  }
}
