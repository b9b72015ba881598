/// A setting as a user looks it up: what it means, what it may be, what it is unless set, and whom
/// it concerns. `rigl settings` and docs/settings.md are made of these.
package struct SettingReference: Sendable {
  /// The key, as files and `--set` spell it.
  package let key: String
  /// The part of the reference it stands in.
  package let section: Section
  /// The effect of the setting, in a sentence or two.
  package let meaning: String
  /// The possible values.
  package let values: Values
  /// The default value as a file has it; nil: there is none, see ``unset``.
  package let defaultValue: String?
  /// The meaning of having no value; nil: the setting always has one.
  package let unset: String?
  /// The methods, networks, data or other settings that it matters for; nil: all.
  package let matters: String?

  /// The parts of the reference.
  package enum Section: String, CaseIterable, Sendable {
    case data = "Data"
    case network = "Network"
    case sparsity = "Sparsity"
    case updates = "Topology updates"
    case training = "Training"
    case learningRate = "Learning rate"
    case running = "Running"

    /// The subject that the group's settings have in common.
    package var summary: String {
      switch self {
      case .data: "Where samples come from, and what they go through."
      case .network: "The layers, and how their weights start."
      case .sparsity: "Which connections there are."
      case .updates: "When connections move, which, and how many."
      case .training: "How weights change."
      case .learningRate: "How the learning rate changes from step to step."
      case .running: "How a run is carried out."
      }
    }
  }

  /// The values that a setting may have.
  package enum Values: Sendable {
    /// One of some words, each with its meaning.
    case words([(word: String, meaning: String)])
    /// True or false.
    case flag
    /// A whole number; up to the largest one: any that is not below the first.
    case whole(ClosedRange<Int>)
    /// A number between two, which it may be.
    case number(ClosedRange<Double>)
    /// A number of at least 0 and below a bound, which may be infinite.
    case below(Double)
    /// A number above 0.
    case positive
    /// Something else, described.
    case described(String)

    /// The values, in a line.
    package var text: String {
      switch self {
      case .words(let words): words.map(\.word).joined(separator: ", ")
      case .flag: "true, false"
      case .whole(let range) where range.upperBound == .max:
        "a whole number, \(range.lowerBound) or more"
      case .whole(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
      case .number(let range):
        "a number from \(brief(range.lowerBound)) to \(brief(range.upperBound))"
      case .below(let bound) where bound == .infinity: "a number, 0 or more"
      case .below(let bound): "a number from 0 to below \(brief(bound))"
      case .positive: "a number above 0"
      case .described(let text): text
      }
    }

    /// Whole numbers without decimals.
    private func brief(_ number: Double) -> String {
      Int(exactly: number).map { "\($0)" } ?? "\(number)"
    }
  }

  /// The default, in words.
  package var defaultText: String {
    guard let unset else { return defaultValue ?? "" }
    return defaultValue ?? "unset: \(unset)"
  }

  /// All settings: the configuration's in the order of files, then those of a run.
  package static let all: [SettingReference] =
    dataSettings + networkSettings + sparsitySettings + updateSettings + trainingSettings
    + learningRateSettings + runningSettings

  /// The entry of a key; case, `-` and `_` do not matter.
  ///
  /// - Throws: a configuration error that names the nearest keys, or says that the word is a
  ///   preset, a network or a value of a setting.
  package static func find(_ key: String) throws(RigLError) -> SettingReference {
    func letters(_ name: String) -> String { name.lowercased().filter { !"-_".contains($0) } }
    if let setting = all.first(where: { letters($0.key) == letters(key) }) { return setting }
    throw RigLError(.configuration, "there is no setting '\(key)'", hint: hint(for: key))
  }

  private static func hint(for key: String) -> String {
    let list = "All are listed by: rigl settings"
    if Preset.named(key) != nil { return "It is a preset: --preset \(key). \(list)" }
    if (try? NetworkName(key)) != nil { return "It is a network: --set network=\(key). \(list)" }
    for setting in all {
      guard case .words(let words) = setting.values, words.contains(where: { $0.word == key })
      else { continue }
      return "It is a value: --set \(setting.key)=\(key). \(list)"
    }
    return (suggestion(for: key, in: all.map(\.key)).map { "\($0) " } ?? "") + list
  }

  init(
    _ key: Configuration.Key, _ section: Section, _ values: Values, _ meaning: String,
    unset: String? = nil, for matters: String? = nil
  ) {
    (self.key, self.section, self.values) = (key.rawValue, section, values)
    (self.meaning, self.unset, self.matters) = (meaning, unset, matters)
    // The learning rate's is the optimizer's.
    defaultValue = key == .learningRate ? nil : SettingReference.defaults[key.rawValue]
  }

  /// A setting of a run, not of its result.
  init(
    option key: String, _ values: Values, default value: String?, _ meaning: String,
    unset: String? = nil, for matters: String? = nil
  ) {
    (self.key, section, self.values) = (key, .running, values)
    (self.meaning, self.unset, self.matters) = (meaning, unset, matters)
    defaultValue = value
  }

  /// The defaults of the configuration's settings, as a file has them.
  private static let defaults: [String: String] = Configuration().written()

  /// The words of a setting with what each means.
  static func words<Word: CaseIterable & RawRepresentable>(
    _ type: Word.Type, _ meaning: (Word) -> String
  ) -> Values where Word.RawValue == String {
    .words(type.allCases.map { ($0.rawValue, meaning($0)) })
  }
}

extension SettingReference: Encodable {
  private enum CodingKeys: String, CodingKey {
    case key, section, meaning, values, words, unset
    case defaultValue = "default"
    case matters = "matters_for"
  }

  /// One object; what it has not is null.
  package func encode(to encoder: any Encoder) throws {
    var object = encoder.container(keyedBy: CodingKeys.self)
    try object.encode(key, forKey: .key)
    try object.encode(section.rawValue, forKey: .section)
    try object.encode(meaning, forKey: .meaning)
    try object.encode(values.text, forKey: .values)
    if case .words(let words) = values {
      let meanings = Dictionary(uniqueKeysWithValues: words.map { ($0.word, $0.meaning) })
      try object.encode(meanings, forKey: .words)
    }
    try object.encode(defaultValue, forKey: .defaultValue)
    try object.encode(unset, forKey: .unset)
    try object.encode(matters, forKey: .matters)
  }
}
