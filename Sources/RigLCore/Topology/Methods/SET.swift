/// Drops the connections of least magnitude and grows as many at random.
///
/// Reference: Mocanu et al., *Scalable training of artificial neural networks with adaptive sparse
/// connectivity inspired by network science*, Nature Communications 2018.
package struct SET: TopologyMethod {
  /// An update follows a weight step, at the beginning of the next one.
  package let timing = TopologyTiming.afterWeightStep

  /// Creates the method.
  package init() {}

  /// Drops by |w| and grows uniformly at random among all positions not kept.
  package func move(_ count: Int, in layer: LayerUpdate) throws(RigLError) {
    try layer.dropSmallestMagnitudes(count)
    try layer.growAtRandom(count)
  }
}
