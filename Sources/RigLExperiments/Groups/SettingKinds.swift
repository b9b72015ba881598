extension RunRecord {
  /// The settings that say which samples a run is measured on.
  package static let dataSettings = [
    "data", "data_folder", "image_size", "test_samples", "train_samples", "split",
    "validate_on_test",
  ]

  /// The settings that say what is trained on what: runs that differ in them are shown apart.
  package static let taskSettings = dataSettings + ["network", "hidden"]

  /// The settings that the weights do not depend on, or that a run computes from the others.
  package static let settingsWithoutEffect: Set = [
    "checkpoint_every", "growth_buffer", "keep", "log_every", "matched_width", "tensorboard",
    "threads", "track_gradient_norm",
  ]

  /// The method.
  package var method: String { settings["method"] ?? "unknown" }
  /// The seed, as it is written.
  package var seed: String { settings["seed"] ?? "unknown" }

  /// The settings that tell its group, with files as it has them itself: ``StartFiles`` has those of the
  /// group.
  var ownGroupSettings: [String: String] {
    settings.filter { $0.key != "seed" && !Self.settingsWithoutEffect.contains($0.key) }
  }

  /// The sparsity that was asked for, or else the share of positions without a connection; 0 of a
  /// dense network.
  var sparsity: Double? {
    if method == "dense" { return 0 }
    if let written = settings["sparsity"].flatMap(Double.init), 0..<1 ~= written { return written }
    guard let connections = figures.connections, let positions = figures.positions, positions > 0,
      0..<positions ~= positions - connections
    else { return nil }
    return 1 - Double(connections) / Double(positions)
  }
}

/// The order of values: numbers by size and before words, words by letter, nothing first.
func isOrdered(_ a: String?, _ b: String?) -> Bool {
  guard let a, let b else { return a == nil && b != nil }
  switch (Double(a), Double(b)) {
  case (let x?, let y?) where x != y: return x < y
  case (.some, nil): return true
  case (nil, .some): return false
  default: return a < b
  }
}

/// The order in which methods are listed; those not among them follow by name.
enum MethodOrder {
  private static let known = [
    "dense", "small-dense", "static", "snip", "set", "snfs", "gse", "rigl-inverted", "rigl",
    "granet", "pruning", "lottery",
  ]

  static func precedes(_ a: String, _ b: String) -> Bool {
    let (first, second) = (rank(a), rank(b))
    return first == second ? a < b : first < second
  }

  private static func rank(_ method: String) -> Int {
    known.firstIndex(of: method) ?? known.count
  }
}
