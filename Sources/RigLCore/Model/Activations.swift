/// y = max(0, x). After a linear layer it is part of that layer's output step.
public final class ReLU: Layer, ElementwiseLayer {
  private var pass = ElementwisePass()
  var ownEpilogue: Epilogue { pass.epilogue }

  /// Creates a layer.
  public init() {}

  /// Allocates the output, unless a layer before applies it.
  public func prepare(_ context: LayerContext) throws(RigLError) -> SampleShape {
    pass.prepare(context, Epilogue(relu: true))
    return context.input
  }

  /// max(0, x).
  public func forward(_ input: Tensor, _ pass: Pass) -> Tensor { self.pass.forward(input, pass) }

  /// The gradient where the output is positive.
  public func backward(_ outputGradient: Tensor, _ pass: Pass) -> Tensor? {
    self.pass.backward(outputGradient, pass)
  }

  func join(_ epilogue: inout Epilogue, index: Int) -> Bool {
    // ReLU after dropout equals ReLU before it: kept values are only scaled up.
    epilogue.relu = true
    return true
  }
}

/// In training, sets each value to zero with probability p and divides the others by 1 - p.
///
/// The mask is a function of seed, layer, batches consumed, sample and feature, and so never
/// stored. After a linear layer it is part of that layer's output step.
public final class Dropout: Layer, ElementwiseLayer {
  /// The probability (p) of dropping a value.
  public let probability: Float
  private var pass = ElementwisePass()
  var ownEpilogue: Epilogue { pass.epilogue }

  /// Creates a layer that drops with probability `probability`, at least 0 and less than 1.
  public init(_ probability: Float) {
    trap(
      unless: probability >= 0 && probability < 1,
      "Dropout: probability \(probability) is not in [0, 1)")
    self.probability = probability
  }

  /// Allocates the output, unless a layer before applies it.
  public func prepare(_ context: LayerContext) throws(RigLError) -> SampleShape {
    pass.prepare(context, Epilogue(dropout: probability, dropoutLayer: context.index))
    return context.input
  }

  /// In training x · mask / (1 - p), else x.
  public func forward(_ input: Tensor, _ pass: Pass) -> Tensor { self.pass.forward(input, pass) }

  /// The gradient times the same mask.
  public func backward(_ outputGradient: Tensor, _ pass: Pass) -> Tensor? {
    self.pass.backward(outputGradient, pass)
  }

  func join(_ epilogue: inout Epilogue, index: Int) -> Bool {
    guard epilogue.dropout == 0 else { return false }
    epilogue.dropout = probability
    epilogue.dropoutLayer = index
    return true
  }
}

/// An elementwise layer as a pass of its own, for where no layer before can apply it.
private struct ElementwisePass {
  private(set) var epilogue = Epilogue()
  private var output: Tensor?

  mutating func prepare(_ context: LayerContext, _ epilogue: Epilogue) {
    self.epilogue = epilogue
    output = context.makeOutput(context.input)
  }

  func forward(_ input: Tensor, _ pass: Pass) -> Tensor {
    guard let output else { trap("elementwise layer: forward before prepare") }
    output.samples = input.samples
    pass.pool.run(chunks: input.groups, with: (input, output, epilogue, pass)) { work, group, _ in
      let (input, output, epilogue, pass) = work
      output.copyGroup(group, from: input)
      output.applyEpilogue(
        group: group, channels: 0..<input.shape.count, bias: nil, epilogue: epilogue, pass: pass)
    }
    return output
  }

  func backward(_ gradient: Tensor, _ pass: Pass) -> Tensor? {
    guard let output else { trap("elementwise layer: backward before forward") }
    let operands = (gradient, output, epilogue, pass)
    pass.pool.run(chunks: gradient.groups, with: operands) { operands, group, _ in
      let (gradient, output, epilogue, pass) = operands
      unsafe gradient.applyEpilogueBackward(
        group: group, channels: 0..<gradient.shape.count, output: output, biasGradient: nil,
        epilogue: epilogue, pass: pass)
    }
    return gradient
  }
}
