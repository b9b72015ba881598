import RigLCore

/// What ``LandscapeMeasurement`` is to do.
package struct LandscapeOptions: Sendable {
  /// The paths.
  package var paths = LandscapePath.allCases
  /// Points of each path, both ends included.
  package var points = 21
  /// Training samples, and test samples, that losses are means over; nil: all.
  package var samples: Int?
  /// Steps of the training of the curve's control point.
  package var steps = 1000
  /// The learning rate of the first of them, which falls to 0 by a cosine.
  package var learningRate = 0.1
  /// Samples in a batch; nil: those of the first run's training.
  package var batchSize: Int?
  /// The seed of batches, of points on the curve, and of the choice of samples.
  package var seed: UInt64 = 0
  /// The folder of the data's files; nil: the first run's.
  package var dataFolder: String?
  package var threads = ThreadPool.processors

  package init() {}

  /// Throws a configuration error for numbers that nothing can be measured with.
  func validate() throws(RigLError) {
    func require(
      _ isPossible: Bool, _ name: String, _ value: Any, _ range: String
    ) throws(RigLError) {
      guard isPossible else {
        throw RigLError(.configuration, "--\(name): \(value) is not \(range)")
      }
    }
    try require((2...10_001).contains(points), "points", points, "in 2...10001")
    try require((1...1 << 30).contains(samples ?? 1), "samples", samples ?? 1, "in 1...2^30")
    try require((1...1 << 30).contains(steps), "steps", steps, "in 1...2^30")
    try require(
      learningRate > 0 && learningRate <= 1e6, "learning-rate", learningRate, "in (0, 1000000]")
    // Batch-norm has no variance over one sample.
    try require((2...1 << 20).contains(batchSize ?? 2), "batch-size", batchSize ?? 2, "in 2...2^20")
  }
}
