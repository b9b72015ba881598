import Foundation

/// How a part of a set of samples is chosen: those held out for validation, those of a test where
/// no file or folder says which, and as many as `train_samples` and `test_samples` ask for.
///
/// Neither the run's seed nor the machine has a say: runs that are compared hold out the same
/// samples. A random draw goes by a number of each sample's own, which is a hash of its index, or of
/// the key that the dataset gives it (a photo's path CLASS/NAME); those with the smallest numbers are
/// taken, and a class that would be missing in a part gives it one of its samples.
package struct SampleDraw {
  /// What a part is for; each has keys of its own.
  package enum Part: Int {
    case validation = 0
    case trainSamples = 1
    case testSamples = 2
    /// A tenth of a folder of photos that has no folder of test photos.
    case test = 3

    /// The setting that asks for it.
    fileprivate var setting: String {
      switch self {
      case .validation: Configuration.Key.validation.rawValue
      case .trainSamples: Configuration.Key.trainSamples.rawValue
      case .testSamples: Configuration.Key.testSamples.rawValue
      case .test: "test samples"
      }
    }

    fileprivate var samples: String {
      switch self {
      case .validation: "validation samples"
      case .trainSamples: "training samples"
      case .testSamples, .test: "test samples"
      }
    }
  }

  private let rule: Configuration.Split
  private let part: Part
  private let dataset: any Dataset
  private let labels: [Int]

  /// A part of a dataset.
  ///
  /// - Throws: `RigLError(.configuration)` where the dataset cannot be divided by the rule, `.data`
  ///   for a label that is no class.
  package init(
    _ part: Part, of dataset: any Dataset, by rule: Configuration.Split
  ) throws(RigLError) {
    (self.part, self.dataset, self.rule) = (part, dataset, rule)
    labels = dataset.labels(of: 0..<dataset.count)
    try dataset.requireDivisible(by: rule, for: part.setting)
    trap(
      unless: labels.count == dataset.count,
      "labels(of:): \(labels.count) labels of \(dataset.count) samples")
    let classes = dataset.classes
    // Those of the library's files are in order; those of other formats nobody has looked at yet.
    if let sample = labels.firstIndex(where: { $0 < 0 || $0 >= classes }) {
      throw .label(labels[sample], of: "sample \(sample)", classes: classes)
    }
  }

  /// Whether samples are drawn by names of their own, so that they come and go without moving others.
  private var haveKeys: Bool { dataset.count > 0 && dataset.key(of: 0) != nil }

  /// `count` samples, the rest being left out.
  ///
  /// - Throws: `RigLError(.configuration)` if there are fewer, or a class would be missing.
  func taking(_ count: Int) throws(RigLError) -> any Dataset {
    guard count > 0, count <= dataset.count else {
      throw RigLError(
        .configuration,
        "\(part.setting): \(count) samples asked for; there are \(dataset.count)",
        hint: "Choose a number in 1...\(dataset.count).")
    }
    if count == dataset.count { return dataset }
    return try Subset(dataset, indices: chosen(count, first: true, restIsPart: false))
  }

  /// Holds out samples; of those with keys roughly `count`, of which so many that the share is 1/2,
  /// 1/4, 1/8 and so on: it stays the same when a few samples come or go, and so does each one's part.
  ///
  /// - Returns: indices in the dataset, ascending.
  /// - Throws: `RigLError` if no sample would be left, or a class would be missing in a part.
  func holdingOut(_ count: Int) throws(RigLError) -> (held: [Int], rest: [Int]) {
    guard count >= 0, count < dataset.count else {
      throw RigLError(
        .configuration,
        "\(count) validation samples asked for; the training set has \(dataset.count)",
        hint: "Choose a number in 0..<\(dataset.count); 0 turns validation off.")
    }
    if haveKeys {
      let halvings = (log2(Double(dataset.count) / Double(max(count, 1)))).rounded()
      return try holdingOut(share: exp2(-max(halvings, 1)), leaving: 1)
    }
    let held = try chosen(count, first: false, restIsPart: true)
    return (held, rest(of: held))
  }

  /// Holds out as many samples as asked for, or without a number a tenth, at most
  /// ``mostUnasked``, and of each class one at the least.
  ///
  /// - Returns: nil where nothing was asked for and a class has a single sample.
  /// - Throws: as for a number of samples.
  func holdingOut(asked count: Int?) throws(RigLError) -> (held: [Int], rest: [Int])? {
    if let count { return try holdingOut(count) }
    guard singleClass == nil else { return nil }
    let tenth = 0.1 * Double(dataset.count)
    if haveKeys {
      // Halved until it is few enough, so that it seldom changes when samples come or go.
      let halvings = max(0, log2(tenth / Double(SampleDraw.mostUnasked)).rounded(.up))
      return try holdingOut(share: 0.1 * exp2(-halvings), leaving: 1)
    }
    let classes = counts.count { $0 > 0 }
    let unasked = max(classes, min(Int(tenth), SampleDraw.mostUnasked))
    let held = try chosen(unasked, first: false, restIsPart: true)
    return (held, rest(of: held))
  }

  /// The most samples that are held out for validation without being asked for.
  static let mostUnasked = 5000

  /// A class of a single sample.
  private var singleClass: Int? { counts.firstIndex(of: 1) }

  /// Why no samples are held out though nobody asked for none.
  var sayUndivided: String? {
    singleClass.map {
      "\(part.setting): no samples are held out, and the last weights are the best ones known: class "
        + "\(name(of: $0)) has a single sample, which is trained on; add some, or leave the class out"
    }
  }

  /// Holds out the samples of each class whose keys are in the first `share` of all possible ones:
  /// at least one of each class, and of each class that can spare them not the last `least`.
  ///
  /// - Throws: `RigLError(.data)` for a class of a single sample.
  package func holdingOut(
    share: Double, leaving least: Int
  ) throws(RigLError) -> (held: [Int], rest: [Int]) {
    let keys = keys
    let limit = UInt64(share * 0x1p64)
    var byClass = [[Int]](repeating: [], count: dataset.classes)
    for (sample, label) in labels.enumerated() { byClass[label].append(sample) }
    var held: [Int] = []
    for (label, samples) in byClass.enumerated() where !samples.isEmpty {
      guard samples.count > 1 else {
        throw RigLError(
          .data,
          "class \(name(of: label)) has a single sample left: none for the \(part.samples) beside "
            + "those to train on",
          hint: "Each class needs a sample for each part: add some, or leave the class out.")
      }
      let ordered = samples.sorted { (keys[$0], $0) < (keys[$1], $1) }
      let count = ordered.count { keys[$0] < limit }
      held += ordered.prefix(max(1, min(count, ordered.count - least)))
    }
    held.sort()
    return (held, rest(of: held))
  }

  private func rest(of held: [Int]) -> [Int] {
    var isHeld = [Bool](repeating: false, count: dataset.count)
    for sample in held { isHeld[sample] = true }
    return isHeld.indices.filter { !isHeld[$0] }
  }

  // MARK: - So many samples

  /// `count` samples, ascending.
  ///
  /// - Parameters:
  ///   - first: whether a sequential choice takes the first ones, not the last.
  ///   - restIsPart: whether the others are used too, and no class may be missing there.
  private func chosen(
    _ count: Int, first: Bool, restIsPart: Bool
  ) throws(RigLError) -> [Int] {
    if rule == .sequential {
      let indices = Array(first ? 0..<count : dataset.count - count..<dataset.count)
      try requireClasses(in: indices, restIsPart: restIsPart)
      return indices
    }
    let keys = keys
    let order = labels.indices.sorted { (keys[$0], $0) < (keys[$1], $1) }
    var choice = Choice(order: order, labels: labels, classes: dataset.classes, count: count)
    if let missing = choice.fillIn(restIsPart: restIsPart) {
      throw lacks(missing.label, count, isInRest: missing.isInRest)
    }
    return choice.isChosen.indices.filter { choice.isChosen[$0] }
  }

  private func requireClasses(in indices: [Int], restIsPart: Bool) throws(RigLError) {
    var (all, chosen) = (counts, [Int](repeating: 0, count: dataset.classes))
    for index in indices { chosen[labels[index]] += 1 }
    for label in all.indices where all[label] > 0 {
      all[label] -= chosen[label]
      if chosen[label] == 0 { throw lacks(label, indices.count, isInRest: false) }
      if restIsPart, all[label] == 0 { throw lacks(label, indices.count, isInRest: true) }
    }
  }

  /// Samples of each class.
  private var counts: [Int] {
    var counts = [Int](repeating: 0, count: dataset.classes)
    for label in labels { counts[label] += 1 }
    return counts
  }

  private func lacks(_ label: Int, _ count: Int, isInRest: Bool) -> RigLError {
    let classes = counts.count { $0 > 0 }
    var hint =
      isInRest
      ? "Set \(part.setting) to less, or to " : "Set \(part.setting) to \(classes) or more, or to "
    hint += part == .validation ? "0 for none" : "null for all"
    var which = ""
    if rule == .sequential {
      which = ", which are the \(part == .validation ? "last" : "first") ones"
      hint += "; split: random draws from all of the set"
    } else if counts[label] == 1 {
      hint = "It has a single sample there: add some, take more samples, or leave the class out"
    }
    return RigLError(
      .configuration,
      "\(part.setting): class \(name(of: label)) would have no sample among "
        + (isInRest ? "those left to train on" : "the \(count) \(part.samples)\(which)"),
      hint: "\(hint).")
  }

  private func name(of label: Int) -> String {
    guard let names = dataset.classNames, names.indices.contains(label) else { return "\(label)" }
    return names[label]
  }

  // MARK: - Keys

  /// A number for each sample that looks random and follows from the sample alone.
  private var keys: [UInt64] {
    let subset = dataset.selection
    let byIndex = CounterRandom(seed: 0, purpose: .dataSplit, layer: part.rawValue)
    return (0..<dataset.count).map { sample in
      guard let key = dataset.key(of: sample) else {
        return byIndex.bits(UInt64(subset?.baseIndex(of: sample) ?? sample))
      }
      let hash = SampleDraw.hash(ofPath: key)
      return CounterRandom(seed: hash, purpose: .dataSplit, layer: part.rawValue).bits(0)
    }
  }

  /// FNV-1a of a path as all systems spell it: UTF-8, accents composed (NFC), "/" between names.
  static func hash(ofPath path: String) -> UInt64 {
    var path = path
    if !path.utf8.allSatisfy({ $0 < 0x80 }) { path = path.precomposedStringWithCanonicalMapping }
    return path.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
  }
}

/// The first samples of an order, with as few exchanges as let no class be missing.
private struct Choice {
  let order: [Int]
  let labels: [Int]
  private(set) var isChosen: [Bool]
  /// Samples of each class that are chosen, and that are not.
  private var inside: [Int]
  private var outside: [Int]

  init(order: [Int], labels: [Int], classes: Int, count: Int) {
    (self.order, self.labels) = (order, labels)
    isChosen = [Bool](repeating: false, count: order.count)
    inside = [Int](repeating: 0, count: classes)
    outside = inside
    for (place, sample) in order.enumerated() {
      isChosen[sample] = place < count
      if place < count { inside[labels[sample]] += 1 } else { outside[labels[sample]] += 1 }
    }
  }

  /// Exchanges samples so that every class has a chosen one, and where `restIsPart` another one.
  ///
  /// - Returns: a class for which that cannot be, and where it is missing; nil: it could.
  mutating func fillIn(restIsPart: Bool) -> (label: Int, isInRest: Bool)? {
    for label in inside.indices where inside[label] == 0 && outside[label] > 0 {
      guard outside[label] > 1 || !restIsPart,
        let enters = order.first(where: { labels[$0] == label }),
        let leaves = order.last(where: { isChosen[$0] && inside[labels[$0]] > 1 })
      else { return (label, false) }
      exchange(enters, leaves)
    }
    guard restIsPart else { return nil }
    for label in inside.indices where outside[label] == 0 && inside[label] > 0 {
      guard inside[label] > 1,
        let leaves = order.last(where: { labels[$0] == label }),
        let enters = order.first(where: { !isChosen[$0] && outside[labels[$0]] > 1 })
      else { return (label, true) }
      exchange(enters, leaves)
    }
    return nil
  }

  private mutating func exchange(_ enters: Int, _ leaves: Int) {
    for (sample, isEntering) in [(enters, true), (leaves, false)] {
      isChosen[sample] = isEntering
      inside[labels[sample]] += isEntering ? 1 : -1
      outside[labels[sample]] -= isEntering ? 1 : -1
    }
  }
}
