/// y = γ (x − mean) / √(variance + ε) + β over the features of each sample. Ba, Kiros and Hinton, 2016.
package struct LayerNorm: PlannedLayer {
  package let name: String
  /// Features of a sample.
  package let features: Int
  /// The addend of the variance (ε), against a division by 0.
  package let epsilon: Float

  /// Creates a layer.
  package init(_ name: String, features: Int, epsilon: Float = 1e-5) {
    trap(
      unless: features > 0 && epsilon > 0 && epsilon.isFinite,
      "layer \(name): \(features) features, epsilon \(epsilon)")
    (self.name, self.features, self.epsilon) = (name, features, epsilon)
  }

  package var nameInFiles: String? { name }
  package var kind: String { "LayerNorm(epsilon \(epsilon))" }

  package func outputShape(of input: SampleShape) throws(RigLError) -> SampleShape {
    guard input.count == features, input.height * input.width == 1 else {
      throw RigLError(
        .configuration,
        "layer \(name): \(features) features, but its input is \(input.written)",
        hint: "It normalizes vectors.")
    }
    return input
  }

  package func makeStage(_ site: StageSite) throws(RigLError) -> any Stage {
    LayerNormalization(self, site)
  }

  /// Nil: a vector has no strips.
  package func strip(of input: SampleShape) -> SampleShape? { nil }
}
