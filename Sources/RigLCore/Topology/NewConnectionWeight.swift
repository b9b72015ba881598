/// The weight that a connection starts with when it is grown.
///
/// With a divisor d, and g the data loss's gradient at the new position.
public enum NewConnectionWeight: Hashable, Sendable {
  /// Zero: the paper's choice.
  case zero
  /// Drawn anew from the layer's initializer, divided by d.
  case fresh(Initializer, divisor: Float = 1)
  /// N(0, standard deviation of the layer's weights) / d.
  case normal(divisor: Float = 1)
  /// U(± mean magnitude of the layer's weights) / d.
  case uniform(divisor: Float = 1)
  /// g / d; only for methods that look at gradients.
  case gradient(divisor: Float = 1)
  /// sign(g) / d; only for methods that look at gradients.
  case gradientSign(divisor: Float = 1)

  /// Whether g is needed.
  package var usesGradient: Bool {
    switch self {
    case .gradient, .gradientSign: true
    default: false
    }
  }

  /// Sets the weights of a change's new connections, which are zero so far.
  ///
  /// Weights are drawn by position, so the order in which connections are visited is no matter.
  func apply(
    to weights: SparseWeights, change: TopologyChange, random: CounterRandom,
    gradient: UpdateGradient
  ) {
    if self == .zero { return }
    let statistics = OldWeights(of: weights, change: change)
    weights.forEachNewConnection(in: change) { storage, row, column in
      let position = UInt64(row) * UInt64(weights.inputs) + UInt64(column)
      let value: Float
      switch self {
      case .zero: value = 0
      case .fresh(let initializer, let divisor):
        value = initializer.weight(random, weights, row: row, column: column) / divisor
      case .normal(let divisor):
        value = random.normal(position) * statistics.deviation / divisor
      case .uniform(let divisor):
        let limit = statistics.meanMagnitude
        value = limit > 0 ? random.uniform(position, in: -limit..<limit) / divisor : 0
      case .gradient(let divisor):
        value = gradient.value(output: row, input: column, of: weights) / divisor
      case .gradientSign(let divisor):
        let slope = gradient.value(output: row, input: column, of: weights)
        value = (slope > 0 ? 1 : slope < 0 ? -1 : 0) / divisor
      }
      unsafe weights.parameter.values.base[storage] = value
    }
  }

  /// The spread of the weights that a layer had before connections were grown.
  private struct OldWeights {
    var deviation: Float = 0
    var meanMagnitude: Float = 0

    init(of weights: SparseWeights, change: TopologyChange) {
      var (sum, squares, magnitudes, count) = (0.0, 0.0, 0.0, 0.0)
      for storage in 0..<change.stored where unsafe change.origins.base[storage] >= 0 {
        let value = unsafe Double(weights.parameter.values.base[storage])
        sum += value
        squares += value * value
        magnitudes += value.magnitude
        count += 1
      }
      guard count > 0 else { return }
      deviation = Float(max(squares / count - sum / count * (sum / count), 0).squareRoot())
      meanMagnitude = Float(magnitudes / count)
    }
  }
}

extension SparseWeights {
  /// Calls `body` with the storage index, output and input of each connection that a change has
  /// grown.
  func forEachNewConnection(
    in change: TopologyChange, _ body: (_ storage: Int, _ row: Int, _ column: Int) -> Void
  ) {
    forEachPlace { index, place in
      guard unsafe change.origins.base[place] < 0 else { return }
      body(place, csr.rowContaining(index), unsafe Int(csr.columns.base[index]))
    }
  }
}

extension Initializer {
  /// A weight of a sparse layer.
  func weight(
    _ random: CounterRandom, _ weights: SparseWeights, row: Int, column: Int
  ) -> Float {
    let fanIn = Double(countsConnections ? weights.csr.row(row).count : weights.inputs)
    let fanOut =
      countsConnections
      ? Double(weights.count * weights.taps) / Double(weights.inputs)
      : Double(weights.outputs * weights.taps)
    return weight(
      random, position: row * weights.inputs + column, fanIn: fanIn, fanOut: fanOut,
      isLinear: weights.parameter.shape.count == 2)
  }
}
