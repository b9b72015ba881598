/// The width of a text in a plot, estimated for a wide sans-serif font, in units of the plot.
package func estimatedWidth(_ text: String, size: Double = PlotText.size) -> Double {
  size * text.unicodeScalars.reduce(0) { $0 + widthInEms($1) }
}

/// The size of texts in plots.
package enum PlotText {
  package static let size = 11.5
}

private func widthInEms(_ scalar: Unicode.Scalar) -> Double {
  switch scalar {
  case " ", ".", ",", ":", ";", "i", "j", "l", "|", "!", "'", "(", ")", "[", "]", "f", "t", "r",
    "-":
    return 0.42
  case "%", "m", "w", "M", "W", "−", "×", "+", "±", "–", "@", "…": return 0.98
  case "A"..."Z": return 0.72
  case "0"..."9", "a"..."z", "_": return 0.64
  default: return 1
  }
}

extension String {
  /// The text, or its beginning and end around '…', no wider than some width.
  func shortened(to width: Double) -> String {
    guard estimatedWidth(self) > width else { return self }
    var (head, tail) = (Array(self.prefix(count / 2)), Array(self.dropFirst(count / 2)))
    while !(head.isEmpty && tail.isEmpty),
      estimatedWidth(String(head) + "…" + String(tail)) > width
    {
      if head.count >= tail.count { head.removeLast() } else { tail.removeFirst() }
    }
    return String(head) + "…" + String(tail)
  }
}
