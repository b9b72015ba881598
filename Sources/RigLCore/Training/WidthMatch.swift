/// The width of a network that costs as much as another one: the dense network that is as cheap as a
/// sparse one (small-dense), or the sparse network that is as expensive as a dense one (big-sparse).
package struct WidthMatch: Hashable, Sendable {
  /// The largest width multiplier, in millionths, whose figure is at most the target's.
  package let width: Double
  /// FLOPs of a sample, or parameters, of the network of that width.
  package let figure: Double
  /// Those of the other network, which is not exceeded.
  package let target: Double

  private let what: String
  private let other: String

  /// The widths that there are.
  package static let widths = 1e-6...1e3

  fileprivate init(width: Double, figure: Double, target: Double, of configuration: Configuration) {
    (self.width, self.figure, self.target) = (width, figure, target)
    what = configuration.match == .flops ? "FLOPs a sample" : "parameters"
    other = configuration.bigSparse ? "the dense" : "the sparse"
  }

  /// A line for the user.
  package var remark: String {
    "width \(width): \(WidthMatch.whole(figure)) \(what), at most the \(WidthMatch.whole(target)) of "
      + "\(other) network"
  }

  /// A figure as a whole number, if it is one that there are digits for.
  fileprivate static func whole(_ figure: Double) -> String {
    Int(exactly: figure.rounded(.down)).map { "\($0)" } ?? "\(figure)"
  }
}

extension Configuration {
  /// Whether the network's width is that of ``WidthMatch``.
  package var matchesWidth: Bool { method == .smallDense || bigSparse }

  /// Sets ``matchedWidth``, unless it is set, where the network's width is to be matched.
  ///
  /// - Parameters:
  ///   - samples: what the network is for.
  ///   - isOwn: whether the network was given in Swift.
  /// - Returns: the match; nil: there is none, or a run has one that these settings do not come to.
  /// - Throws: a configuration error where no width will do.
  mutating func matchWidth(
    to samples: any Dataset, isOwn: Bool
  ) throws(RigLError) -> WidthMatch? {
    guard matchesWidth else { return nil }
    guard !isOwn else {
      throw RigLError(
        .configuration,
        "\(matchingSetting): a network that was given in Swift has no width that settings could "
          + "change",
        hint: "Make it as wide as it is to be, and train it by another method.")
    }
    return try matchWidth(input: samples.sampleShape, classes: samples.classes)
  }

  /// The same for samples of a shape and a number of classes.
  package mutating func matchWidth(
    input: SampleShape, classes: Int
  ) throws(RigLError) -> WidthMatch? {
    guard matchesWidth else { return nil }
    if matchedWidth != nil { return try? widthMatch(input, classes) }
    let match = try widthMatch(input, classes)
    matchedWidth = match.width
    return match
  }

  /// What asks for a match.
  fileprivate var matchingSetting: String {
    bigSparse ? "big_sparse: true" : "method: \(method.rawValue)"
  }

  private func widthMatch(
    _ input: SampleShape, _ classes: Int
  ) throws(RigLError) -> WidthMatch {
    func figure(_ width: Double, isSparse: Bool) throws(RigLError) -> Double {
      try self.figure(width: width, isSparse: isSparse, input, classes)
    }
    let target = try figure(widthMultiplier, isSparse: !bigSparse)
    // In millionths; to what is too large for the machine, nothing is matched.
    let isSparse = bigSparse
    func isWithin(_ width: Int) -> Bool {
      ((try? figure(Double(width) / 1e6, isSparse: isSparse)) ?? .infinity) <= target
    }
    let most = Int(WidthMatch.widths.upperBound * 1e6)
    let own = Int((widthMultiplier * 1e6).rounded(.down))
    var (low, high) = isSparse ? (own, min(2 * own, most)) : (1, own + 1)
    while isSparse, high < most, isWithin(high) { (low, high) = (high, min(2 * high, most)) }
    guard isWithin(low) else {
      // If it cannot be made, its error says why.
      let least = try figure(Double(low) / 1e6, isSparse: isSparse)
      let narrowest =
        bigSparse
        ? "the sparse network of width \(Double(low) / 1e6)" : "even the narrowest network"
      throw RigLError(
        .configuration,
        "\(matchingSetting): \(narrowest) has more \(match.rawValue), \(WidthMatch.whole(least)), than "
          + "the \(WidthMatch.whole(target)) of the \(bigSparse ? "dense" : "sparse") one",
        hint: "Set sparsity to \(bigSparse ? "more" : "less").")
    }
    while low + 1 < high {
      let middle = (low + high) / 2
      if isWithin(middle) { low = middle } else { high = middle }
    }
    let width = Double(low) / 1e6
    return WidthMatch(
      width: width, figure: try figure(width, isSparse: isSparse), target: target, of: self)
  }

  /// FLOPs of a sample, or parameters, of the network of a width.
  ///
  /// - Parameter isSparse: with the connections of the settings; else with all of them.
  package func figure(
    width: Double, isSparse: Bool, _ input: SampleShape, _ classes: Int
  ) throws(RigLError) -> Double {
    var wide = self
    wide.matchedWidth = width
    let layers = try wide.makeNetwork().layers(input: input, classes: classes)
    let dense = try layers.accounted(
      input: layers.takesPlanes ? input : SampleShape(channels: input.count))
    let allocation = try allocate(
      layers.weightLayers, isSparse ? distribution(of: sparsity) : nil)
    let counted = zip(dense, allocation.layers).map { $0.sparsified($1) }
    switch match {
    case .flops: return Accounting.real.cost(of: counted).flops
    case .parameters:
      return Double(
        counted.reduce(0) { $0 + $1.connections + ($1.hasBias ? $1.outputs : 0) })
    }
  }
}

extension Trainer {
  /// Throws where a new training has the matched width of other settings.
  func requireMatchedWidth() throws(RigLError) {
    // The network that training starts from has its width.
    guard start == nil, let width = configuration.matchedWidth, width != widthMatch?.width else {
      return
    }
    let own = widthMatch.map { "these settings come to \($0.width)" } ?? "nothing is matched"
    throw RigLError(
      .configuration, "matched_width: \(width) is of other settings: \(own)",
      hint: "Leave it out: it is computed.")
  }
}
