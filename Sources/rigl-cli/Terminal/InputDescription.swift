import RigLCore

/// The input of a network: a sample's shape, and what its pixels have gone through.
struct InputDescription {
  private let shape: SampleShape
  private let normalization: PixelNormalization?
  private let configuration: Configuration

  init(_ saved: SavedRun) {
    (shape, normalization) = (saved.sampleShape, saved.normalization)
    configuration = saved.configuration
  }

  init(_ network: NetworkImport) {
    (shape, normalization) = (network.sampleShape, network.normalization)
    configuration = network.configuration
  }

  /// Channels, height and width.
  var sides: [Int] { [shape.channels, shape.height, shape.width] }

  /// The numbers, as a file of settings has them; nil: each image's own, or unknown.
  var numbers: Configuration.Normalization? {
    guard !configuration.perImageStandardization else { return nil }
    return normalization.map { .numbers(mean: $0.means, deviation: $0.deviations) }
  }

  /// A phrase.
  var text: String {
    let padded =
      configuration.padTo.map { ", padded with black to \($0)x\($0) before all else" } ?? ""
    if configuration.perImageStandardization {
      return "pixels, each image brought to mean 0 and deviation 1 by its own numbers\(padded)"
    }
    guard let normalization else {
      return "values as they are (how pixels become values is not known)"
    }
    let (means, deviations) = (normalization.means, normalization.deviations)
    if means.allSatisfy({ $0 == 0 }), deviations.allSatisfy({ $0 == 1 }) {
      return "pixels from 0 to 1 as they are\(padded)"
    }
    return "pixels from 0 to 1, less \(list(means)), divided by \(list(deviations))\(padded)"
  }

  private func list(_ numbers: [Double]) -> String {
    let texts = numbers.map { significant($0, digits: 4) }
    return texts.count == 1 ? texts[0] : "(\(texts.joined(separator: ", ")))"
  }
}
