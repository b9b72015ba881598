// What a user reads of each method, and which of the settings it has a use for.

extension Configuration.Method {
  /// What the method does, in a line.
  package var summary: String {
    switch self {
    case .rigl: "weak connections move to where the gradient is largest"
    case .riglInverted: "they move to where the gradient is smallest: an ablation"
    case .set: "weak connections move to places drawn at random"
    case .snfs: "weak connections move to where a running mean of the gradient is largest"
    case .snip: "keeps, before the first step, where weight times gradient is largest"
    case .pruning: "begins dense, and loses its weakest connections gradually"
    case .granet: "is pruned gradually, and moves connections as rigl"
    case .gse: "as rigl among candidates, drawn by how much goes in and out of them"
    case .lottery: "trains dense, prunes, goes back to an early step, and trains what is left"
    case .static: "connections stay where they were drawn"
    case .dense: "every connection is there; sparsity does not matter"
    case .smallDense: "a dense network, narrowed until it costs no more than the sparse one"
    }
  }

  /// Where the method was published; nil: nowhere.
  package var paper: String? {
    switch self {
    case .rigl: "Evci et al., ICML 2020, arXiv 1911.11134"
    case .riglInverted, .dense: nil
    case .smallDense: "the baseline of Evci et al., ICML 2020"
    case .set: "Mocanu et al., Nature Communications 2018, arXiv 1707.04780"
    case .snfs: "Dettmers & Zettlemoyer 2019, arXiv 1907.04840"
    case .snip: "Lee et al., ICLR 2019, arXiv 1810.02340"
    case .pruning: "Zhu & Gupta 2017, arXiv 1710.01878"
    case .granet: "Liu et al., NeurIPS 2021, arXiv 2106.10404"
    case .gse: "Heddes et al. 2024, arXiv 2401.06898"
    case .lottery:
      "Frankle & Carbin, ICLR 2019, arXiv 1803.03635; rewinding arXiv 1903.01611"
    case .static: "the baseline of Evci et al., ICML 2020"
    }
  }

  /// Whether its connections move by drop fraction and schedule of updates.
  package var movesConnections: Bool {
    switch self {
    case .rigl, .riglInverted, .set, .snfs, .granet, .gse: true
    case .snip, .pruning, .lottery, .static, .dense, .smallDense: false
    }
  }

  /// Whether it grows by the dense gradient of updates' own batches.
  package var growsByGradient: Bool {
    switch self {
    case .rigl, .riglInverted, .granet: true
    case .set, .snfs, .snip, .pruning, .gse, .lottery, .static, .dense, .smallDense: false
    }
  }

  /// Whether it prunes gradually.
  package var prunes: Bool { self == .pruning || self == .granet }

  /// Whether layers begin with more connections than the sparsity leaves.
  package var startsLarger: Bool { prunes || choosesFromAll }

  /// Whether it chooses its connections once or in rounds, from every position.
  package var choosesFromAll: Bool { self == .snip || self == .lottery }

  /// Whether it ranks connections of each layer, or of all in one pool.
  package var hasScope: Bool { startsLarger }

  /// Whether updates have the gradient of a batch at hand.
  package var seesGradient: Bool { [.rigl, .riglInverted, .granet, .gse].contains(self) }

  /// Whether it has updates of the topology.
  package var hasUpdates: Bool { self != .static && !isDense }

  /// Whether every connection is there.
  package var isDense: Bool { self == .dense || self == .smallDense }

  /// The first update's share of connections unless it is set (α).
  package var dropFraction: Double { self == .granet ? 0.5 : 0.3 }

  /// The scope unless it is set.
  package var scope: TopologyScope { self == .granet ? .global : .layer }

  /// The methods that something holds of, as a user reads them: "rigl, set or granet".
  package static func names(where isMeant: (Self) -> Bool) -> String {
    let names = allCases.filter(isMeant).map(\.rawValue)
    guard let last = names.last, names.count > 1 else { return names.joined() }
    return names.dropLast().joined(separator: ", ") + " or " + last
  }
}
