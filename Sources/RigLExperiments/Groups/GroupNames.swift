/// Short names of groups, by the settings that tell them apart.
struct GroupNames {
  private let telling: [String]
  /// The settings whose values need their key beside them, for they say nothing alone.
  private let keyed: Set<String>

  init(telling: [String], settings: Set<[String: String]>) {
    self.telling = telling
    let values = Dictionary(
      uniqueKeysWithValues: telling.map { key in (key, Set(settings.compactMap { $0[key] })) })
    keyed = Set(
      telling.filter { key in
        let own = values[key] ?? []
        let others = values.filter { $0.key != key }.values.reduce(into: Set()) { $0.formUnion($1) }
        return own.contains { !Self.isWord($0) || others.contains($0) }
      })
  }

  /// The method, then the other settings: 'rigl 98 % 5× cosine'.
  func name(of settings: [String: String], without left: String? = nil) -> String {
    let method = settings["method"] ?? "unknown"
    let rest = telling.filter { $0 != "method" && $0 != left }
      .compactMap { part(of: $0, settings[$0]) }
    return ([method] + rest).joined(separator: " ")
  }

  private func part(of key: String, _ value: String?) -> String? {
    switch (key, value, value.flatMap(Double.init)) {
    case ("sparsity", _, let share?): return percentage(share)
    case ("multiplier", _, let factor?): return "\(trimmed(factor))×"
    // Nothing written is the default.
    case ("multiplier", nil, _): return "1×"
    case ("sparsity", nil, _): return nil
    case (_, nil, _): return keyed.contains(key) ? "\(key) default" : "default \(key)"
    case (_, let value?, _): return keyed.contains(key) ? "\(key) \(value)" : value
    }
  }

  /// Whether a value speaks for itself: 'cosine' does, 'true' and '128' do not.
  private static func isWord(_ value: String) -> Bool {
    guard !["true", "false", "null", "none"].contains(value), value.first?.isLetter == true else {
      return false
    }
    return value.allSatisfy { $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" }
  }
}
