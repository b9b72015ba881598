/// Layers one after the other.
///
/// Activation and dropout after a layer with a product become part of that layer's output step, and
/// batch-norm and activation between convolutions part of what these read and write, so that they
/// cost no pass of their own.
public struct Sequential: Layer, PlannedLayer {
  /// The layers as given.
  public let layers: [any Layer]

  /// Creates a layer of layers.
  public init(_ layers: [any Layer]) {
    self.layers = layers
  }

  /// Creates a layer of layers.
  public init(_ layers: any Layer...) {
    self.init(layers)
  }

  /// The layers.
  package var composition: LayerParts { .sequence(layers) }

  /// The last layer's.
  public func outputShape(of input: SampleShape) throws(RigLError) -> SampleShape {
    var shape = input
    for layer in layers { shape = try layer.outputShape(of: shape) }
    return shape
  }

  /// Not called: its layers are stages.
  public func makeStage(_ site: StageSite) throws(RigLError) -> any Stage {
    trap("Sequential: a stage of layers")
  }
}
