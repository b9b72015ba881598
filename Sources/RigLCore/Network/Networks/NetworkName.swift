/// The networks that a configuration can name.
package enum NetworkName: Hashable, Sendable {
  /// `mlp`: ``MLP``.
  case mlp
  /// `wrn-D-K`: ``WRN`` of depth D and width K.
  case wrn(depth: Int, width: Int)
  /// `resnet-18`, `-34`, `-50`, `-101`: ``ResNet``.
  case resNet(depth: Int)
  /// `mobilenet-v1`: ``MobileNetV1``.
  case mobileNetV1
  /// `vgg-16`: ``VGG16``.
  case vgg16
  /// `lenet-5`: ``LeNet5``.
  case leNet5

  /// The names, with examples of those that have numbers.
  package static let examples =
    ["mlp", "lenet-5", "wrn-22-2", "wrn-10-2", "wrn-16-8", "wrn-28-10"]
    + ResNet.depths.map { "resnet-\($0)" } + ["mobilenet-v1", "vgg-16"]

  /// All names, with letters for numbers.
  static let known =
    ["mlp", "lenet-5", "wrn-D-K"] + ResNet.depths.map { "resnet-\($0)" }
    + ["mobilenet-v1", "vgg-16"]

  /// The network of a name.
  ///
  /// - Throws: a configuration error that names the nearest one.
  package init(_ name: String) throws(RigLError) {
    let parts = name.split(separator: "-", omittingEmptySubsequences: false)
    let numbers = parts.dropFirst().compactMap { Int($0) }
    switch name {
    case "mlp": self = .mlp
    case "mobilenet-v1": self = .mobileNetV1
    case "vgg-16": self = .vgg16
    case "lenet-5": self = .leNet5
    case _
    where parts[0] == "resnet" && parts.count == 2 && numbers.count == 1
      && ResNet.depths.contains(numbers[0]):
      self = .resNet(depth: numbers[0])
    case _ where parts[0] == "wrn" && parts.count == 3 && numbers.count == 2:
      self = .wrn(depth: numbers[0], width: numbers[1])
      guard WRN.allows(depth: numbers[0]), numbers[0] <= 1000, (1...1000).contains(numbers[1])
      else {
        throw RigLError(
          .configuration, "network: there is no '\(shortened(name))'",
          hint: "Of wrn-D-K the depth D is one of 10, 16, 22, 28, …, 1000; K lies in 1...1000.")
      }
    default:
      throw NetworkName.unknown(name)
    }
  }

  /// The error for a name that no network has: says which is near, or that it is a preset's.
  private static func unknown(_ name: String) -> RigLError {
    let presets = Preset.all.map(\.name)
    let question = suggestion(for: name, in: examples, or: presets) {
      "the preset: --preset \($0)"
    }
    let hint =
      presets.contains(name)
      ? "It is a preset: --preset \(name)"
      : (question.map { "\($0) " } ?? "") + "Known: \(known.joined(separator: ", "))."
    return RigLError(
      .configuration, "network: there is no network named '\(shortened(name))'", hint: hint)
  }

  /// What the network was published for: the shape of a sample, classes, and training samples.
  package var published: (input: SampleShape, classes: Int, samples: Int) {
    switch self {
    case .mlp: (SampleShape(channels: 1, height: 28, width: 28), 10, 60_000)
    case .leNet5: (SampleShape(channels: 1, height: 28, width: 28), 10, 60_000)
    case .wrn: (SampleShape(channels: 3, height: 32, width: 32), 10, 50_000)
    case .resNet, .mobileNetV1, .vgg16:
      (SampleShape(channels: 3, height: 224, width: 224), 1000, 1_281_167)
    }
  }

  /// Whether the network can have dropout.
  var hasDropout: Bool {
    switch self {
    case .mlp, .wrn, .vgg16: true
    case .resNet, .mobileNetV1, .leNet5: false
    }
  }
}
