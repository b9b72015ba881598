/// The name that `name` most likely stands for, or nil where none is near: the first of
/// ``nearestNames(to:in:atMost:)``.
package func nearest(to name: String, in names: [String]) -> String? {
  nearestNames(to: name, in: names, atMost: 1).first
}

/// The names that `name` may stand for, the likeliest first; none where none is near.
///
/// In this order:
///
/// 1. the same but for case, `-` and `_`;
/// 2. names that it begins: `wrn` of `wrn-10-2`;
/// 3. names that have all its words, each cut short or as initials: `lr` of `learning_rate`,
///    `min_rate` of `min_learning_rate`;
/// 4. names that take at most a third of its letters as edits: insertions, deletions, replacements
///    and swaps of neighbours (Damerau and Levenshtein, restricted: no letter is edited twice);
/// 5. names that share a word with it: `warmup_epochs` for `warmup_steps`.
///
/// Only the best of these five that has a name counts. Of its names the nearest come first, of
/// equally near ones those that stand first in `names`.
///
/// - Complexity: O(letters of `name` · letters of all `names`).
package func nearestNames(to name: String, in names: [String], atMost count: Int = 3) -> [String] {
  Array(likeliest(name, among: names)?.names.prefix(count) ?? [])
}

/// A question that names what was perhaps meant: "Did you mean update_end or update_begin?"; nil
/// where nothing is near.
///
/// - Parameters:
///   - others: names of another kind, which are named only where they are like `name` in a surer
///     way than those of `names`.
///   - written: one of these as the user would write it.
func suggestion(
  for name: String, in names: [String], or others: [String] = [],
  written: (String) -> String = { $0 }
) -> String? {
  let (own, other) = (likeliest(name, among: names), likeliest(name, among: others))
  let isOther = (other?.kind ?? .max) < (own?.kind ?? .max)
  let near = (isOther ? other : own)?.names.prefix(3).map { isOther ? written($0) : $0 } ?? []
  guard let last = near.last else { return nil }
  let rest = near.dropLast().joined(separator: ", ")
  return "Did you mean \(rest.isEmpty ? last : "\(rest) or \(last)")?"
}

/// The names that are like a name in the surest way in which any are, the nearest first, and which
/// way that is; nil where none is near.
private func likeliest(
  _ name: String, among names: [String]
) -> (kind: Int, names: [String])? {
  // Nothing is near to a name of more than 200 letters, which would take long.
  guard name.utf8.count <= 800, name.count <= 200 else { return nil }
  let wanted = ComparedName(name)
  guard !wanted.letters.isEmpty else { return nil }
  let candidates = names.map { ComparedName($0) }
  for (rank, kind) in Likeness.allCases.enumerated() {
    var found: [(index: Int, distance: Int)] = []
    for (index, candidate) in candidates.enumerated() {
      guard let distance = kind.distance(from: wanted, to: candidate) else { continue }
      found.append((index, distance))
    }
    guard !found.isEmpty else { continue }
    found.sort { ($0.distance, $0.index) < ($1.distance, $1.index) }
    return (rank, found.map { names[$0.index] })
  }
  return nil
}

extension RigLError {
  /// The configuration error for names that nothing has: each is listed with the nearest valid one,
  /// and the hint lists all valid ones.
  ///
  /// - Parameters:
  ///   - names: at least one name; listed in this order.
  ///   - kind: what is named, in the singular: "layer", "key".
  ///   - place: where the names were found: "the sparsity map", a file and section.
  ///   - valid: every name that would have been accepted.
  package static func unknownNames(
    _ names: [String], kind: String, in place: String, valid: [String]
  ) -> RigLError {
    trap(unless: !names.isEmpty, "unknownNames: no names")
    // To each of many the nearest of many would take long, and nobody would read it.
    let listed = names.prefix(3).map { name in
      "'\(shortened(name))'" + (nearest(to: name, in: valid).map { " (nearest: '\($0)')" } ?? "")
    }
    let rest = names.count > listed.count ? " and \(names.count - listed.count) others" : ""
    let plural = names.count == 1 ? kind : kind + "s"
    return RigLError(
      .configuration, "unknown \(plural) in \(place): \(listed.joined(separator: ", "))\(rest)",
      hint: valid.isEmpty
        ? "there is no \(kind) to name" : "valid names: \(RigLCore.listed(valid))")
  }
}

/// Names for a message: all of them, or the first of very many.
func listed(_ names: [String]) -> String {
  let most = 200
  return names.prefix(most).joined(separator: ", ")
    + (names.count > most ? ", … (\(names.count) in all)" : "")
}

/// A name as it is compared: in lower case, without what is between its words, and these apart.
private struct ComparedName {
  let letters: [Character]
  let words: [Substring]

  /// What an abbreviation of the field means, whatever else has these initials.
  private static let abbreviations: [Substring: [Substring]] = ["lr": ["learning", "rate"]]

  init(_ name: String) {
    let written = name.lowercased()[...].split { $0 == "-" || $0 == "_" || $0 == " " }
    letters = Array(written.joined())
    words = written.flatMap { ComparedName.abbreviations[$0] ?? [$0] }
  }
}

/// How one name may be like another, the surest way first.
private enum Likeness: CaseIterable {
  case same, beginning, words, edits, sharedWords

  /// How far a name is from another by this likeness; nil: it is not like it at all.
  func distance(from wanted: ComparedName, to candidate: ComparedName) -> Int? {
    switch self {
    case .same:
      return wanted.letters == candidate.letters ? 0 : nil
    case .beginning:
      guard candidate.letters.starts(with: wanted.letters) else { return nil }
      return candidate.letters.count - wanted.letters.count
    case .words:
      return wordsLeftOver(from: wanted.words[...], in: candidate.words[...])
    case .edits:
      let edits = editDistance(wanted.letters, candidate.letters)
      return 3 * edits <= wanted.letters.count ? edits : nil
    case .sharedWords:
      return distanceByWords(wanted.words, candidate.words)
    }
  }
}

/// The words of a candidate that `wanted` does not name, where it names them in order, each by its
/// beginning or several by their initials; nil where it does not.
private func wordsLeftOver(
  from wanted: ArraySlice<Substring>, in candidate: ArraySlice<Substring>
) -> Int? {
  guard let word = wanted.first else { return candidate.count }
  // Settings have three words or four; what has many, as a name in a file may, is not searched.
  guard candidate.count <= 8 else { return nil }
  var best: Int?
  for start in candidate.indices {
    let skipped = start - candidate.startIndex
    var ends: [Int] = []
    if candidate[start].hasPrefix(word) { ends.append(start + 1) }
    let initials = candidate[start...].prefix(word.count).compactMap(\.first)
    if word.count > 1, initials == Array(word) { ends.append(start + word.count) }
    for end in ends {
      guard let rest = wordsLeftOver(from: wanted.dropFirst(), in: candidate[end...]) else {
        continue
      }
      best = min(best ?? .max, skipped + rest)
    }
  }
  return best
}

/// How far apart names are that share words of three letters or more: first as few as possible are
/// not shared, then the first of them stands as near the beginning as possible.
private func distanceByWords(_ wanted: [Substring], _ candidate: [Substring]) -> Int? {
  let shared = wanted.indices.filter { wanted[$0].count >= 3 && candidate.contains(wanted[$0]) }
  guard let first = shared.first else { return nil }
  return ((wanted.count - shared.count) * 64 + first) * 64 + candidate.count
}

/// Optimal string alignment: three rows of the dynamic programme are alive at a time.
private func editDistance(_ a: [Character], _ b: [Character]) -> Int {
  var twoAbove: [Int] = []
  var above = Array(0...b.count)
  for i in 0..<a.count {
    var row = [i + 1]
    for j in 0..<b.count {
      var edits = min(above[j + 1] + 1, row[j] + 1, above[j] + (a[i] == b[j] ? 0 : 1))
      if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
        edits = min(edits, twoAbove[j - 1] + 1)
      }
      row.append(edits)
    }
    (twoAbove, above) = (above, row)
  }
  return above[b.count]
}
