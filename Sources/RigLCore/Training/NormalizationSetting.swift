import Yams

extension Configuration {
  /// How pixels become values, by name or by numbers: (pixel - mean) / deviation, pixels going from 0
  /// to 1.
  public enum Normalization: Hashable, Sendable, Codable {
    /// The mean and deviation of the data: the published ones of data with a name, ImageNet's for
    /// photos, and otherwise those of all training pixels.
    case standard
    /// Pixels from 0 to 1, as they are.
    case none
    /// ImageNet's means and deviations, as torchvision's models take them.
    case imageNet
    /// A mean and a deviation for all channels alike, or one of each for each channel.
    case numbers(mean: [Double], deviation: [Double])

    /// The words for those that have one, as files and `--set` spell them.
    static let words: [(word: String, normalization: Normalization)] = [
      ("standard", .standard), ("none", .none), ("imagenet", .imageNet),
    ]

    /// Numbers as a file has them.
    package static let example = "{mean: [0.5], deviation: [0.5]}"

    /// The possible values, in a line.
    static let expected =
      words.map(\.word).joined(separator: ", ")
      + ", or a mapping of a mean and a deviation for each channel, as "
      + "{mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225]}; one of each counts for all "
      + "channels"

    /// The numbers; nil: the data's.
    ///
    /// - Precondition: ``validate()`` accepts them.
    package var pixels: PixelNormalization? {
      switch self {
      case .standard: nil
      case .none: PixelNormalization(mean: 0, deviation: 1)
      case .imageNet: .imageNet
      case .numbers(let mean, let deviation):
        PixelNormalization(means: mean, deviations: deviation)
      }
    }

    /// - Throws: a configuration error for numbers that are not as many, or that no pixels have.
    func validate() throws(RigLError) {
      guard case .numbers(let mean, let deviation) = self else { return }
      guard !mean.isEmpty, mean.count == deviation.count else {
        throw RigLError(
          .configuration,
          "normalization: \(counted(mean.count, "mean")), but "
            + counted(deviation.count, "deviation"),
          hint: "Give one of each for all channels, or one of each for each channel.")
      }
      if let wrong = mean.first(where: { !(-10...10).contains($0) }) {
        throw RigLError(
          .configuration, "normalization: a mean of \(wrong) is none of pixels from 0 to 1",
          hint: "Divide numbers that are for pixels from 0 to 255 by 255.")
      }
      if let wrong = deviation.first(where: { !(1e-6...1000).contains($0) }) {
        throw RigLError(
          .configuration, "normalization: a deviation of \(wrong) is not in 0.000001...1000")
      }
    }

    /// - Throws: a configuration error where there are numbers for other channels than samples have.
    func requireChannels(_ channels: Int) throws(RigLError) {
      guard let count = pixels?.means.count, ![1, channels].contains(count) else { return }
      throw RigLError(
        .configuration,
        "normalization: numbers for \(counted(count, "channel")), but samples have \(channels)",
        hint: channels == 1
          ? "Give one mean and one deviation."
          : "Give one mean and one deviation for all channels, or \(channels) of each.")
    }

    /// The numbers as people write them, on one line; nil: a word.
    var node: Node? {
      guard case .numbers(let mean, let deviation) = self else { return nil }
      func list(_ numbers: [Double]) -> Node {
        Node.sequence(Node.Sequence(numbers.map { Node("\($0)") }, .implicit, .flow))
      }
      let pairs = [(Node("mean"), list(mean)), (Node("deviation"), list(deviation))]
      return Node.mapping(Node.Mapping(pairs, .implicit, .flow))
    }

    /// Reads a word, or a mapping of `mean` and `deviation`, which may also be called `std`.
    public init(from decoder: any Decoder) throws {
      func problem() -> any Error {
        (decoder as? SettingsDecoder)?.error(Normalization.expected)
          ?? DecodingError.dataCorrupted(
            .init(codingPath: decoder.codingPath, debugDescription: "not a normalization"))
      }
      if let text = try? decoder.singleValueContainer().decode(String.self) {
        guard let known = Normalization.words.first(where: { $0.word == text }) else {
          throw problem()
        }
        self = known.normalization
        return
      }
      let numbers: [String: [Double]]
      do {
        numbers = try [String: [Double]](from: decoder)
      } catch let error as SettingError where error.path.count > decoder.codingPath.count {
        throw error  // It says which number is none.
      } catch {
        throw problem()
      }
      guard numbers.count == 2, let mean = numbers["mean"],
        let deviation = numbers["deviation"] ?? numbers["std"]
      else { throw problem() }
      self = .numbers(mean: mean, deviation: deviation)
    }

    /// Writes a word, or a mapping of `mean` and `deviation`.
    public func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      if case .numbers(let mean, let deviation) = self {
        try container.encode(["mean": mean, "deviation": deviation])
      } else {
        try container.encode(Normalization.words.first { $0.normalization == self }?.word)
      }
    }
  }
}

extension TrainingData {
  /// The samples with the pixels of all parts normalised as those that are trained on, as far as they
  /// can be: a network sees them by no other numbers.
  func normalizedAlike() -> TrainingData {
    guard let numbers = normalization else { return self }
    var alike = self
    alike.validation = validation?.normalized(like: numbers)
    alike.test = test.normalized(like: numbers)
    func hasChanged(_ before: (any Dataset)?, _ after: (any Dataset)?) -> Bool {
      before?.pixelNormalization != after?.pixelNormalization
    }
    let parts = [
      hasChanged(validation, alike.validation) ? "validation" : nil,
      hasChanged(test, alike.test) ? "test" : nil,
    ].compactMap(\.self)
    guard !parts.isEmpty else { return self }
    alike.remark =
      remark
      ?? "normalization: pixels of the \(parts.joined(separator: " and ")) samples become values by "
      + "the numbers of the training samples, not by the others that they were given"
    return alike
  }

  /// The samples with their pixels normalised as a configuration asks for.
  ///
  /// - Throws: a configuration error where they are not pixels, or of other channels.
  func normalized(by setting: Configuration.Normalization) throws(RigLError) -> TrainingData {
    try setting.validate()
    guard let numbers = setting.pixels else { return self }
    try setting.requireChannels(train.sampleShape.channels)
    let normalized = normalized(by: numbers)
    let parts = [normalized.train, normalized.test] + [normalized.validation].compactMap(\.self)
    guard parts.allSatisfy({ $0.pixelNormalization == numbers }) else {
      throw RigLError(
        .configuration, "normalization: the samples say themselves how they become values",
        hint: "Set it to standard, and have the samples be as the network should see them.")
    }
    return normalized
  }
}
