/// A way from one network's weights to another's, by t from 0 to 1.
package enum LandscapePath: String, CaseIterable, Codable, Sendable {
  /// φ(t) = (1 − t) a + t b.
  case linear
  /// φ(t) = (1 − t)² a + 2 t (1 − t) θ + t² b, whose control point θ is trained so that the loss along
  /// it is low.
  ///
  /// Garipov et al., *Loss Surfaces, Mode Connectivity, and Fast Ensembling of DNNs*, NeurIPS 2018.
  /// <https://arxiv.org/abs/1802.10026>
  case bezier

  /// How much of both ends and of the control point makes a point of the path.
  package struct Mixture: Hashable, Sendable {
    package var first: Double
    package var control: Double
    package var second: Double

    package init(first: Double, control: Double, second: Double) {
      (self.first, self.control, self.second) = (first, control, second)
    }
  }

  /// The mixture at t.
  package func mixture(at t: Double) -> Mixture {
    switch self {
    case .linear: Mixture(first: 1 - t, control: 0, second: t)
    case .bezier:
      Mixture(
        first: (1 - t) * (1 - t), control: Self.controlSlope(at: t), second: t * t)
    }
  }

  /// ∂φ/∂θ of the curve, 2 t (1 − t): the gradient by the control point is as many times that by the
  /// weights at t.
  package static func controlSlope(at t: Double) -> Double { 2 * t * (1 - t) }

  /// Where `count` points of a path lie: both ends, and others equally far from each other.
  package static func places(_ count: Int) -> [Double] {
    (0..<count).map { Double($0) / Double(count - 1) }
  }
}
