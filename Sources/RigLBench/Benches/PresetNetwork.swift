import RigLCore

/// A preset's network on its nominal input, as some benchmarks take it.
package struct PresetNetwork: Sendable {
  /// The preset.
  package var preset: String
  /// The share of connections that exist; 1: the dense network; nil: the preset's.
  package var density: Double?
  /// How they are shared out among layers; nil: as the preset does.
  package var distribution: SparsityDistribution.Kind?
  /// Samples in a batch; nil: the preset's.
  package var batch: Int?
  /// Threads.
  package var threads = 1

  /// A network as its preset has it.
  package init(_ preset: String, batch: Int? = nil) {
    (self.preset, self.batch) = (preset, batch)
  }

  /// The preset's settings with what is changed, and the input that the network was published for.
  func settings() throws(RigLError) -> (
    configuration: Configuration, input: SampleShape, classes: Int
  ) {
    var configuration = try Preset.find(preset).configuration
    if let density {
      if density == 1 {
        configuration.method = .dense
      } else {
        configuration.sparsity = 1 - density
      }
    }
    if let distribution { configuration.distribution = distribution }
    if let batch { configuration.batchSize = batch }
    configuration.accumulation = 1
    configuration.validation = 0
    let published = try NetworkName(configuration.network).published
    return (configuration, published.input, published.classes)
  }
}

/// A batch of samples of some shape, cheap to make, so that nothing is measured by its data.
struct Noise: Dataset {
  let count: Int
  let sampleShape: SampleShape
  let classes: Int

  func label(of sample: Int) -> Int { sample % classes }

  func write(_ sample: Int, into values: inout MutableSpan<Float>) {
    for index in values.indices { values[index] = Noise.value(sample, index) }
  }

  /// A number in -1 ..< 1.
  static func value(_ sample: Int, _ index: Int) -> Float {
    Float((index &* 7919 &+ sample &* 8191) & 1023) / 512 - 1
  }
}
