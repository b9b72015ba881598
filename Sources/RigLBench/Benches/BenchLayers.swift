import RigLCore

/// Passes its input on, so that the layer behind it is asked for its input's gradient.
final class Entrance: Layer {
  func prepare(_ context: LayerContext) throws(RigLError) -> SampleShape { context.input }
  func forward(_ input: Tensor, _ pass: Pass) throws(RigLError) -> Tensor { input }
  func backward(_ outputGradient: Tensor, _ pass: Pass) throws(RigLError) -> Tensor? { nil }
}

/// Notes how long a layer takes.
final class TimedLayer: Layer {
  private let layer: any Layer
  /// Seconds of the last forward pass.
  private(set) var forwardSeconds = 0.0
  /// Seconds of the last backward pass.
  private(set) var backwardSeconds = 0.0

  init(_ layer: any Layer) { self.layer = layer }

  var parameters: [Parameter] { layer.parameters }
  var weightLayers: [any WeightLayer] { layer.weightLayers }

  func outputShape(of input: SampleShape) throws(RigLError) -> SampleShape {
    try layer.outputShape(of: input)
  }

  func prepare(_ context: LayerContext) throws(RigLError) -> SampleShape {
    try layer.prepare(context)
  }

  func forward(_ input: Tensor, _ pass: Pass) throws(RigLError) -> Tensor {
    var output = input
    forwardSeconds = try seconds { () throws(RigLError) in
      output = try layer.forward(input, pass)
    }
    return output
  }

  func backward(_ outputGradient: Tensor, _ pass: Pass) throws(RigLError) -> Tensor? {
    var gradient: Tensor?
    backwardSeconds = try seconds { () throws(RigLError) in
      gradient = try layer.backward(outputGradient, pass)
    }
    return gradient
  }
}
