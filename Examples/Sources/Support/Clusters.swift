import RigLCore

/// Vectors around the corners of a cube of many dimensions, three corners a class, with noise.
package struct Clusters: Dataset {
  package let count: Int
  package let sampleShape: SampleShape
  package let classes: Int
  /// Samples that begin at another number are others.
  let first: Int
  /// How strongly each feature is measured, which another machine may do otherwise.
  let gains: [Float]

  /// - Parameter machine: the number of a measuring machine; each but 0 has gains of its own.
  package init(count: Int, first: Int = 0, features: Int = 64, classes: Int = 10, machine: Int = 0)
  {
    self.count = count
    self.first = first
    self.classes = classes
    sampleShape = SampleShape(channels: features)
    var numbers = Numbers(seed: 1000 + machine)
    gains = (0..<features).map { _ in
      machine == 0 ? 1 : Float.random(in: -0.25..<1.75, using: &numbers)
    }
  }

  package func label(of sample: Int) -> Int { (first + sample) % classes }

  package func write(_ sample: Int, into values: inout MutableSpan<Float>) {
    var numbers = Numbers(seed: 100_000 + first + sample)
    var corner = Numbers(seed: label(of: sample) * 3 + Int.random(in: 0..<3, using: &numbers))
    for index in values.indices {
      let center: Float = Bool.random(using: &corner) ? 1 : -1
      values[index] = gains[index] * (center + 4 * numbers.noise())
    }
  }

  /// A sample's values as an array.
  package func values(of sample: Int) -> [Float] {
    var values = [Float](repeating: 0, count: sampleShape.count)
    var span = values.mutableSpan
    write(sample, into: &span)
    return values
  }
}
