extension Tensor {
  /// The order of a sample's values in memory; the lanes of a group are always innermost.
  package enum Layout: Hashable, Sendable {
    /// `[group][value][lane]`, values in the order channel, row, column.
    case vectors
    /// `[group][y][channel][x][lane]`: value (c, y, x) of a group's lane l is at
    /// ((y · C + c) · W + x) · L + l.
    case planes

    /// Calls `body` with runs of values that are neighbours in both orders and belong to one
    /// channel: where a run begins and ends in a dataset's order (channel, row, column), where it
    /// begins in this layout's, and its channel.
    ///
    /// - Parameters:
    ///   - values: in a dataset's order.
    ///   - splitsChannels: whether runs must not reach into the next channel.
    func forEachRun(
      of values: Range<Int>, in shape: SampleShape, splitsChannels: Bool,
      _ body: (_ run: Range<Int>, _ target: Int, _ channel: Int) -> Void
    ) {
      let plane = shape.height * shape.width
      // With one channel, or values without neighbours, the two orders are the same.
      let isPlanar = self == .planes && shape.channels > 1 && plane > 1
      let length = isPlanar ? shape.width : splitsChannels ? plane : shape.count
      var begin = values.lowerBound
      while begin < values.upperBound {
        let end = min(values.upperBound, (begin / length + 1) * length)
        let channel = begin / plane
        var target = begin
        if isPlanar {
          let (y, x) = (begin % plane).quotientAndRemainder(dividingBy: shape.width)
          target = (y * shape.channels + channel) * shape.width + x
        }
        body(begin..<end, target, channel)
        begin = end
      }
    }
  }
}
