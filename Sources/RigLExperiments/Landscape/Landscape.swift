/// The loss along paths between two runs' weights.
package struct Landscape: Hashable, Sendable {
  /// A point of a path.
  package struct Point: Hashable, Sendable, Codable {
    /// Where it lies: 0 at the first run, 1 at the second.
    package var t: Double
    /// The mean loss of training samples, without augmentation.
    package var trainLoss: Double
    package var trainAccuracy: Double
    /// The mean loss of test samples.
    package var testLoss: Double
    package var testAccuracy: Double

    package init(
      t: Double, trainLoss: Double, trainAccuracy: Double, testLoss: Double, testAccuracy: Double
    ) {
      self.t = t
      (self.trainLoss, self.trainAccuracy) = (trainLoss, trainAccuracy)
      (self.testLoss, self.testAccuracy) = (testLoss, testAccuracy)
    }
  }

  /// A path and its points, by t ascending from 0 to 1.
  package struct Curve: Hashable, Sendable {
    package var path: LandscapePath
    package var points: [Point]

    package init(path: LandscapePath, points: [Point]) {
      (self.path, self.points) = (path, points)
    }

    /// The greatest height of a loss above the straight line between its ends; 0 of a path that is
    /// nowhere above it.
    package func barrier(_ loss: (Point) -> Double) -> Double {
      guard let first = points.first, let last = points.last else { return 0 }
      return points.reduce(0) { most, point in
        max(most, loss(point) - ((1 - point.t) * loss(first) + point.t * loss(last)))
      }
    }

    /// The point of the greatest loss, the first of several.
    package func highest(_ loss: (Point) -> Double) -> Point? {
      points.first { point in points.allSatisfy { loss($0) <= loss(point) } }
    }
  }

  /// The name of the run at t = 0.
  package var first: String
  /// The name of the run at t = 1.
  package var second: String
  package var curves: [Curve]

  package init(first: String, second: String, curves: [Curve]) {
    (self.first, self.second, self.curves) = (first, second, curves)
  }
}
