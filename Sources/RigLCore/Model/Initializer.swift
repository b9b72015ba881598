/// How weights start.
///
/// Weights are drawn by position, so that neither the order of the connections in memory nor the
/// number of threads matters. Biases start at zero.
public struct Initializer: Hashable, Sendable {
  /// The distribution of a weight, with fan-in n_in and fan-out n_out.
  public enum Distribution: String, Codable, CaseIterable, Sendable {
    /// U(±√(6 / (n_in + n_out))). Glorot and Bengio, AISTATS 2010.
    case glorotUniform = "glorot_uniform"
    /// N(0, 2 / (n_in + n_out)).
    case glorotNormal = "glorot_normal"
    /// U(±√(6 / n_in)). He et al., ICCV 2015.
    case heUniform = "he_uniform"
    /// N(0, 2 / n_in).
    case heNormal = "he_normal"
    /// A normal distribution of variance 1 / n_in, cut off at two of its standard deviations
    /// before the cut.
    case truncatedNormal = "truncated_normal"
  }

  /// The distribution.
  package var distribution: Distribution
  /// Whether a neuron's fan-in is the number of its actual connections (and a layer's fan-out its
  /// mean number of connections an input), not the dense one. Evci et al., *Gradient flow in
  /// sparse neural networks and how lottery tickets win*, AAAI 2022.
  package var countsConnections: Bool
  /// The standard deviation of linear layers' weights, which are then normally distributed around
  /// 0, whatever the distribution; nil: they are like the others.
  package var linearDeviation: Float?

  /// Creates an initializer.
  public init(
    _ distribution: Distribution, countsConnections: Bool = false, linearDeviation: Float? = nil
  ) {
    self.distribution = distribution
    self.countsConnections = countsConnections
    self.linearDeviation = linearDeviation
  }

  /// The weight at a position, for a neuron of the given fan-in and fan-out, of a linear layer or a
  /// convolution.
  func weight(
    _ random: CounterRandom, position: Int, fanIn: Double, fanOut: Double, isLinear: Bool
  ) -> Float {
    let index = UInt64(position)
    if isLinear, let linearDeviation { return random.normal(index) * linearDeviation }
    let fan: Double =
      switch distribution {
      case .glorotUniform, .glorotNormal: (fanIn + fanOut) / 2
      case .heUniform, .heNormal, .truncatedNormal: fanIn
      }
    switch distribution {
    case .glorotUniform:
      let limit = Float((3 / max(fan, 1)).squareRoot())
      return random.uniform(index, in: -limit..<limit)
    case .heUniform:
      let limit = Float((6 / max(fan, 1)).squareRoot())
      return random.uniform(index, in: -limit..<limit)
    case .glorotNormal:
      return random.normal(index) * Float((1 / max(fan, 1)).squareRoot())
    case .heNormal:
      return random.normal(index) * Float((2 / max(fan, 1)).squareRoot())
    case .truncatedNormal:
      let deviation = Float((1 / max(fan, 1)).squareRoot())
      return random.truncatedNormal(index) * (deviation / CounterRandom.truncatedNormalDeviation)
    }
  }

  /// Draws all weights of a layer.
  func initialize(_ layer: LayerWeights, random: CounterRandom) {
    let isLinear = layer.shape.count == 2
    guard let connections = layer.connections else {
      let (fanIn, fanOut) = (Double(layer.inputs), Double(layer.fanOut))
      for position in 0..<layer.weight.count {
        layer.weight.values[layer.place(of: position)] = weight(
          random, position: position, fanIn: fanIn, fanOut: fanOut, isLinear: isLinear)
      }
      return
    }
    var ordered = AlignedBuffer<Float>(count: connections.count)
    let fanOut =
      countsConnections
      ? Double(connections.count * connections.taps) / Double(layer.inputs) : Double(layer.fanOut)
    for row in 0..<layer.outputs {
      let indices = connections.csr.row(row)
      let fanIn = Double(countsConnections ? indices.count : layer.inputs)
      for index in indices {
        let position = row * layer.inputs + Int(connections.csr.columns[index])
        ordered[index] = weight(
          random, position: position, fanIn: fanIn, fanOut: fanOut, isLinear: isLinear)
      }
    }
    connections.setWeights(ordered)
  }
}
