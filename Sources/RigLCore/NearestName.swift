/// The name that takes the fewest edits to reach from `name`, or nil where there are none to choose
/// from.
///
/// Edits are insertions, deletions, replacements and swaps of neighbours (Damerau and Levenshtein,
/// restricted: no letter is edited twice); upper and lower case count as the same, and so do `-`
/// and `_`. Of several equally near names the first one wins. To a name of more than 200 letters
/// nothing is near.
///
/// - Complexity: O(letters of `name` · letters of all `names`).
public func nearest(to name: String, in names: [String]) -> String? {
  guard name.utf8.count <= 800, name.count <= 200 else { return nil }
  let wanted = lettersForComparison(name)
  var best: (name: String, edits: Int)?
  for candidate in names {
    let edits = editDistance(wanted, lettersForComparison(candidate))
    if best.map({ edits < $0.edits }) ?? true { best = (candidate, edits) }
  }
  return best?.name
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
  public static func unknownNames(
    _ names: [String], kind: String, in place: String, valid: [String]
  ) -> RigLError {
    precondition(!names.isEmpty, "unknownNames: no names")
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

private func lettersForComparison(_ name: String) -> [Character] {
  name.lowercased().map { $0 == "-" ? "_" : $0 }
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
