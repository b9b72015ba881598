import RigLCore

/// The settings of a run as records have them.
enum RunSettings {
  /// Those that are always there: what most comparisons are about.
  private static let always: [Configuration.Key] = [
    .data, .network, .method, .multiplier, .seed,
  ]
  /// Those by which a sparse network is told from another.
  private static let ofSparse: [Configuration.Key] = [.sparsity, .distribution]

  /// The settings that differ from the library's defaults, and those that are always there.
  ///
  /// Which threads, how often something is written, and what the training computes itself are none.
  static func texts(
    _ configuration: Configuration, _ options: RunOptions
  ) throws(RigLError) -> [String: String] {
    let isSparse = configuration.method != .dense
    var texts = try configuration.changed(and: always + (isSparse ? ofSparse : []))
    texts[Configuration.Key.matchedWidth.rawValue] = nil
    // They say nothing of a network that has all connections.
    if !isSparse {
      for key in ofSparse { texts[key.rawValue] = nil }
    }
    for (key, value) in options.origin where key != "extended_at" { texts[key] = value.oneLine }
    return texts
  }

  /// The name of a run among others: what it is mostly told by, and a number of all settings.
  static func name(_ texts: [String: String]) -> String {
    func text(_ key: Configuration.Key) -> String? { texts[key.rawValue] }
    var parts = [text(.method) ?? ""]
    if let network = text(.network), network != "mlp" { parts.insert(network, at: 0) }
    if let sparsity = text(.sparsity) { parts.append(sparsity) }
    if let multiplier = text(.multiplier), multiplier != "1" { parts.append("x\(multiplier)") }
    parts.append("seed\(text(.seed) ?? "")")
    parts.append(number(texts))
    let allowed = parts.joined(separator: "-").map { letter in
      letter.isASCII && (letter.isLetter || letter.isNumber || "._-".contains(letter))
        ? letter : "_"
    }
    return String(allowed.prefix(120))
  }

  /// Eight hexadecimal digits of the FNV-1a hash of all settings.
  private static func number(_ texts: [String: String]) -> String {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for (key, value) in texts.sorted(by: { $0.key < $1.key }) {
      for byte in "\(key)=\(value)\n".utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    }
    let digits = String(hash >> 32, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
  }
}
