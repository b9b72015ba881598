/// Some samples of another dataset, in a given order; nothing is copied.
package struct Subset: LibraryDataset {
  /// The dataset whose samples these are; never itself a subset.
  package let base: any Dataset
  private let samples: Samples

  private enum Samples: Sendable {
    case range(Range<Int>)
    case list([Int])
  }

  /// Consecutive samples.
  ///
  /// - Throws: `RigLError(.configuration)` if there are not as many.
  package init(_ base: any Dataset, _ range: Range<Int>) throws(RigLError) {
    guard range.lowerBound >= 0, range.upperBound <= base.count else {
      throw RigLError(
        .configuration, "Subset: samples \(range) asked for; there are \(base.count), from 0 on")
    }
    if let subset = base.selection {
      switch subset.samples {
      case .range(let outer):
        let first = outer.lowerBound + range.lowerBound
        samples = .range(first..<first + range.count)
      case .list(let outer):
        samples = .list(Array(outer[range]))
      }
      self.base = subset.base
    } else {
      samples = .range(range)
      self.base = base
    }
  }

  /// Samples by index.
  ///
  /// - Throws: `RigLError(.configuration)` if there is no sample of an index.
  package init(_ base: any Dataset, indices: [Int]) throws(RigLError) {
    let count = base.count
    if let place = indices.firstIndex(where: { $0 < 0 || $0 >= count }) {
      throw RigLError(
        .configuration,
        "Subset: sample \(indices[place]) asked for at place \(place); there are \(count), from 0 "
          + "on")
    }
    if let subset = base.selection {
      samples = .list(indices.map(subset.baseIndex(of:)))
      self.base = subset.base
    } else {
      samples = .list(indices)
      self.base = base
    }
  }

  /// The number of samples.
  package var count: Int {
    switch samples {
    case .range(let range): range.count
    case .list(let list): list.count
    }
  }

  /// The index in ``base`` of a sample.
  package func baseIndex(of sample: Int) -> Int {
    trap(unless: sample >= 0 && sample < count, "sample \(sample) of \(count)")
    return switch samples {
    case .range(let range): range.lowerBound + sample
    case .list(let list): list[sample]
    }
  }

  /// The same samples of another dataset, whose samples are in the same order.
  init(_ subset: Subset, of base: any Dataset) {
    trap(unless: base.count == subset.base.count, "Subset: \(base.count) of \(subset.base.count)")
    (self.base, samples) = (base, subset.samples)
  }

  /// The shape of every sample.
  package var sampleShape: SampleShape { base.sampleShape }
  /// The number of classes of the whole dataset.
  package var classes: Int { base.classes }
  /// The class of a sample.
  package func label(of sample: Int) -> Int { base.label(of: baseIndex(of: sample)) }
  /// Writes a sample's values.
  package func write(_ sample: Int, into values: inout MutableSpan<Float>) {
    base.write(baseIndex(of: sample), into: &values)
  }

  /// The names of the classes of the whole dataset.
  package var classNames: [String]? { base.classNames }
  /// The classes of consecutive samples.
  package func labels(of samples: Range<Int>) -> [Int] {
    guard case .range = self.samples, let last = samples.last else {
      return samples.map { label(of: $0) }
    }
    return base.labels(of: baseIndex(of: samples.lowerBound)..<baseIndex(of: last) + 1)
  }
  /// The name that the whole dataset gives a sample.
  package func key(of sample: Int) -> String? { base.key(of: baseIndex(of: sample)) }
  /// The whole dataset's checksums of these samples.
  package func checksums(of samples: some Sequence<Int>) -> [String: String] {
    base.checksums(of: samples.lazy.map { baseIndex(of: $0) })
  }
  /// Throws where the whole dataset does.
  package func requireDivisible(
    by rule: Configuration.Split, for setting: String
  ) throws(RigLError) {
    try base.requireDivisible(by: rule, for: setting)
  }
  /// The same samples of the dataset with other numbers.
  package func normalized(by normalization: PixelNormalization) -> Subset {
    Subset(self, of: base.normalized(by: normalization))
  }
}

/// Which samples are held out for validation.
package enum ValidationChoice: Hashable, Sendable {
  /// The last ones.
  case last
  /// A random choice that depends on the seed only.
  case random(seed: UInt64)
}

/// Training samples, and those held out to choose between networks.
package struct ValidationSplit: Sendable {
  /// The samples to train on.
  package let train: any Dataset
  /// The samples held out; nil if none were.
  package let validation: (any Dataset)?
}

extension Dataset {
  /// The first `count` samples.
  ///
  /// - Throws: `configuration` if there are fewer, or none are asked for.
  package func first(_ count: Int) throws(RigLError) -> Subset {
    guard count > 0 && count <= self.count else {
      throw RigLError(
        .configuration, "\(count) samples asked for; there are \(self.count)",
        hint: "Choose a number in 1...\(self.count).")
    }
    return try Subset(self, 0..<count)
  }

  /// Holds out samples for validation; both parts keep the order.
  ///
  /// - Parameters:
  ///   - validation: how many; 0 turns it off.
  ///   - choice: which ones.
  /// - Throws: `configuration` if no sample would be left to train on.
  package func split(
    validation: Int = 5000, choice: ValidationChoice = .last
  ) throws(RigLError) -> ValidationSplit {
    guard validation >= 0 && validation < count else {
      throw RigLError(
        .configuration, "\(validation) validation samples asked for; the training set has \(count)",
        hint: "Choose a number in 0..<\(count); 0 turns validation off.")
    }
    if validation == 0 { return ValidationSplit(train: self, validation: nil) }
    switch choice {
    case .last:
      return try ValidationSplit(
        train: Subset(self, 0..<count - validation),
        validation: Subset(self, count - validation..<count))
    case .random(let seed):
      let held = CounterRandom(seed: seed, purpose: .dataSplit)
        .sampleWithoutReplacement(count: validation, of: Int64(count)).map { Int($0) }
      var isHeld = [Bool](repeating: false, count: count)
      for index in held { isHeld[index] = true }
      return try ValidationSplit(
        train: Subset(self, indices: (0..<count).filter { !isHeld[$0] }),
        validation: Subset(self, indices: held))
    }
  }
}

extension Dataset {
  /// How pixels become values; nil if the samples are not pixels.
  var pixelNormalization: PixelNormalization? {
    switch undivided.access {
    case .values, .augmented: nil
    case .pixels(let images): images.normalization
    case .bytes(let images): images.normalization
    }
  }

  /// The dataset with its pixels normalised by other numbers, if it has others and they count; nil: as
  /// they are.
  func normalized(like numbers: PixelNormalization?) -> any Dataset {
    if case .pixels(let images) = undivided.access, images.standardizesImages { return self }
    guard let numbers, let own = pixelNormalization, own != numbers else { return self }
    return normalizedIfFitting(by: numbers)
  }

  /// The dataset with other numbers by which its pixels become values; itself if it has no pixels,
  /// or none of so many channels.
  func normalizedIfFitting(by normalization: PixelNormalization) -> any Dataset {
    guard [1, sampleShape.channels].contains(normalization.means.count) else { return self }
    return normalized(by: normalization)
  }
}
