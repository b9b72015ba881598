/// The bands of a batch in parts: any thread may take one, borders depend on shapes only.
struct Bands {
  let groups: Int
  let bands: Int
  /// Parts, at most.
  var most = GradientParts.count

  /// The number of parts.
  var parts: Int { min(most, groups * bands) }

  /// Parts that each sum a gradient of so many weights: a large one costs more to write and to add
  /// up than further threads are worth.
  static func most(weights: Int) -> Int {
    weights > 1 << 20 ? GradientParts.count / 2 : GradientParts.count
  }

  /// The bands of a part, counted over all groups.
  subscript(part: Int) -> Range<Int> {
    part * groups * bands / parts..<(part + 1) * groups * bands / parts
  }

  /// A band's group, and its number there.
  func place(_ item: Int) -> (group: Int, band: Int) { (item / bands, item % bands) }
}
